//! Pairing, the host's side, as a state machine free of I/O: bytes and fresh random values in, bytes out.
//!
//! One machine serves one attempt with one PIN. Stages must come in order; whatever goes wrong ends the attempt for
//! good, so a PIN can be tried once. Stage 5 (`pairchallenge`) is a look-up in the client store and not here.
mod certificate;
mod cipher;
mod der;
mod host;
#[cfg(test)]
mod tests;

pub use certificate::{Certificate, public_key, verify_signature};
pub use host::{HostIdentity, HostPairing, Secrets};

/// Why a pairing attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    #[error("{0} is not hexadecimal of the right length")]
    BadHex(&'static str),
    #[error("the client's certificate cannot be used: {0}")]
    BadCertificate(&'static str),
    #[error("a PIN has four digits")]
    BadPin,
    #[error("the stages of pairing came out of order")]
    OutOfOrder,
    #[error("the host key cannot sign")]
    HostKey,
    #[error("the PIN was wrong")]
    WrongPin,
    #[error("the client does not hold the key of its certificate")]
    BadSignature,
}
