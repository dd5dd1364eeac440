//! A client's certificate: only its bytes, its key and its signature matter. Nothing else is checked, on purpose:
//! real clients have serial number 0, no extensions, clocks that are wrong, or X.509 version 1.
use super::{PairingError, der};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use x509_parser::pem::Pem;

/// Longest certificate taken, in bytes of DER. A client's has about 800.
const MAX_DER: usize = 8192;
/// rsaEncryption, 1.2.840.113549.1.1.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// What signatures are verified with.
const KEY_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A certificate with an RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    signature: Vec<u8>,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Read one certificate in PEM.
    ///
    /// # Errors
    /// [`PairingError::BadCertificate`] when it is none, is too long, or has no RSA key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PairingError> {
        if pem.len() > MAX_DER.saturating_mul(2) {
            return Err(PairingError::BadCertificate("it is too long"));
        }
        let block = Pem::iter_from_buffer(pem)
            .next()
            .and_then(Result::ok)
            .ok_or(PairingError::BadCertificate("it is not PEM"))?;
        if block.label != "CERTIFICATE" {
            return Err(PairingError::BadCertificate(
                "the PEM block is no certificate",
            ));
        }
        Self::from_der(&block.contents)
    }

    /// Read one certificate in DER.
    ///
    /// # Errors
    /// As [`Certificate::from_pem`].
    pub fn from_der(der: &[u8]) -> Result<Self, PairingError> {
        if der.len() > MAX_DER {
            return Err(PairingError::BadCertificate("it is too long"));
        }
        let fields = der::fields(der).ok_or(PairingError::BadCertificate("it is not X.509"))?;
        if !fields.rest.is_empty() {
            return Err(PairingError::BadCertificate("bytes follow it"));
        }
        if fields.algorithm != RSA {
            return Err(PairingError::BadCertificate("its key is not RSA"));
        }
        if !der::rsa_bits(fields.public_key).is_some_and(|bits| KEY_BITS.contains(&bits)) {
            return Err(PairingError::BadCertificate(
                "its RSA key has not 2048 to 8192 bits",
            ));
        }
        Ok(Self {
            der: der.to_vec(),
            signature: fields.signature.to_vec(),
            public_key: fields.public_key.to_vec(),
        })
    }

    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The bytes of the signature BIT STRING: what the pairing hashes call `sig(cert)`.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// The public key in a certificate of whatever kind (the contents of its BIT STRING); `None` when it is no certificate.
#[must_use]
pub fn public_key(certificate_der: &[u8]) -> Option<&[u8]> {
    der::fields(certificate_der).map(|fields| fields.public_key)
}

/// Check an RSASSA-PKCS1-v1_5 SHA-256 signature made with the key of `certificate`.
///
/// # Errors
/// [`PairingError::BadSignature`].
pub fn verify_signature(
    certificate: &Certificate,
    message: &[u8],
    signature: &[u8],
) -> Result<(), PairingError> {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &certificate.public_key)
        .verify(message, signature)
        .map_err(|_| PairingError::BadSignature)
}
