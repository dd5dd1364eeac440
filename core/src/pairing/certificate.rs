//! A client's certificate: only its bytes, its key and its signature matter. Nothing else is checked, on purpose:
//! real clients have serial number 0, no extensions, clocks that are wrong, or X.509 version 1.
use super::PairingError;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use x509_parser::{
    certificate::X509Certificate, oid_registry::OID_PKCS1_RSAENCRYPTION, pem::Pem, prelude::FromDer,
};

/// Longest certificate taken, in bytes of DER. A client's has about 800.
const MAX_DER: usize = 8192;

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
        let (rest, parsed) = X509Certificate::from_der(der)
            .map_err(|_| PairingError::BadCertificate("it is not X.509"))?;
        if !rest.is_empty() {
            return Err(PairingError::BadCertificate("bytes follow it"));
        }
        let key = parsed.public_key();
        if key.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
            return Err(PairingError::BadCertificate("its key is not RSA"));
        }
        Ok(Self {
            der: der.to_vec(),
            signature: parsed.signature_value.data.to_vec(),
            public_key: key.subject_public_key.data.to_vec(),
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
