//! One attempt: what it is known by, what a person sees of it, and how it can end.
use crate::{
    ids::{ClientId, Uid},
    store::Terms,
};
use punktfunk_core::pairing::{self as protocol, Certificate};
use std::net::IpAddr;
use tokio::sync::oneshot;

/// An attempt that waits for a person's decision.
#[derive(Debug, Clone)]
pub struct WaitingPairing {
    pub id: u64,
    /// As the device calls itself; not to be trusted.
    pub name: String,
    pub address: IpAddr,
    /// unix seconds
    pub since: u64,
}

/// Why a pairing did not come about, in words for the person who approved it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PairingError {
    #[error("no pairing window is open")]
    WindowClosed,
    #[error("no such pairing attempt")]
    NoSuchAttempt,
    #[error("a PIN has four digits")]
    BadPin,
    #[error("the PIN was wrong")]
    WrongPin,
    #[error("the client gave up or took too long")]
    Expired,
    #[error("could not be stored: {0}")]
    Store(String),
}

/// Why a client's request is refused, in words for the screen of the device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("This host takes no pairings now. Run 'punktfunkctl pair' on it, then try again")]
    WindowClosed,
    #[error("Too many devices wait for their PIN. Finish or reject them with 'punktfunkctl pair'")]
    TooManyWaiting,
    #[error("A pairing from this address failed, or there were too many. Try again in {0} s")]
    Penalty(u64),
    #[error("The pairing was rejected on the host")]
    Rejected,
    #[error("Nobody entered the PIN in time")]
    Expired,
    #[error("No pairing is underway from here. Start again")]
    NotUnderway,
    #[error("Pairing failed: {0}")]
    Protocol(protocol::PairingError),
    #[error("The host could not store the pairing")]
    Store,
}

/// What correlates the stages of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    pub unique_id: String,
    pub address: IpAddr,
}

/// The device that an attempt comes from: SHA-256 of the certificate that it shows in stage 1. Several devices may share
/// an [`AttemptKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device(pub [u8; 32]);

impl Device {
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate.der());
        let mut bytes = [0; 32];
        // SHA-256 has 32 bytes; zip cannot run over either side.
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

/// A person's yes: everything that stages 2 to 4 need.
pub struct Approval {
    pub pin: String,
    pub(super) device: Device,
    pub(super) owner: Uid,
    pub(super) name: String,
    pub(super) terms: Terms,
    pub(super) outcome: oneshot::Sender<Result<ClientId, PairingError>>,
}
