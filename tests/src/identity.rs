//! Who the client is: an RSA-2048 key and the kind of certificate that clients in the field make for themselves
//! (X.509 v3 without extensions, serial number 0). Kept as PEM files together with the pinned host certificates.

use anyhow::{Context, Result, bail};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rsa::pkcs8::EncodePrivateKey;
use std::{fs, os::unix::fs::OpenOptionsExt, path::Path};

/// A client's certificate and private key.
#[derive(Clone)]
pub struct Identity {
    pub certificate_pem: String,
    pub certificate_der: Vec<u8>,
    pub key_pkcs8: Vec<u8>,
}

/// `ring` as the source of randomness that the `rsa` crate asks for.
struct RingRandom(SystemRandom);

impl rsa::rand_core::RngCore for RingRandom {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, into: &mut [u8]) {
        self.0.fill(into).expect("the system has random bytes");
    }
    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(into);
        Ok(())
    }
}
impl rsa::rand_core::CryptoRng for RingRandom {}

impl Identity {
    /// A fresh key and certificate.
    pub fn generate() -> Result<Self> {
        let key = rsa::RsaPrivateKey::new(&mut RingRandom(SystemRandom::new()), 2048)?;
        let key_pkcs8 = key.to_pkcs8_der()?.as_bytes().to_vec();
        Self::certify(key_pkcs8)
    }

    fn certify(key_pkcs8: Vec<u8>) -> Result<Self> {
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(
            &key_pkcs8.as_slice().into(),
            &rcgen::PKCS_RSA_SHA256,
        )?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "NVIDIA GameStream Client");
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0]));
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            certificate_der: certificate.der().to_vec(),
            key_pkcs8,
        })
    }

    /// The identity kept in `state`, made and written there when there is none.
    pub fn load_or_generate(state: &Path) -> Result<Self> {
        let (key_file, certificate_file) = (state.join("client-key.pem"), state.join("client.pem"));
        if !key_file.exists() {
            fs::create_dir_all(state)
                .with_context(|| format!("cannot make the state directory {}", state.display()))?;
            let identity = Self::generate()?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&key_file)?;
            std::io::Write::write_all(
                &mut file,
                pem("PRIVATE KEY", &identity.key_pkcs8).as_bytes(),
            )?;
            fs::write(&certificate_file, &identity.certificate_pem)?;
            return Ok(identity);
        }
        let certificate_pem = fs::read_to_string(&certificate_file)
            .with_context(|| format!("cannot read {}", certificate_file.display()))?;
        let key_pem = fs::read_to_string(&key_file)
            .with_context(|| format!("cannot read {}", key_file.display()))?;
        Ok(Self {
            certificate_der: from_pem(&certificate_pem)?,
            key_pkcs8: from_pem(&key_pem)?,
            certificate_pem,
        })
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let key = RsaKeyPair::from_pkcs8(&self.key_pkcs8)
            .map_err(|e| anyhow::anyhow!("the client key does not load: {e}"))?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message,
            &mut signature,
        )
        .map_err(|_| anyhow::anyhow!("the client key does not sign"))?;
        Ok(signature)
    }

    /// SHA-256 of the certificate in lower-case hex.
    pub fn fingerprint(&self) -> String {
        hex::encode(crate::crypto::sha256(&[&self.certificate_der]))
    }
}

/// The DER of the one PEM block in `text`.
pub fn from_pem(text: &str) -> Result<Vec<u8>> {
    let mut blocks = x509_parser::pem::Pem::iter_from_buffer(text.as_bytes());
    let Some(first) = blocks.next() else {
        bail!("no PEM block")
    };
    if blocks.next().is_some() {
        bail!("more than one PEM block");
    }
    Ok(first?.contents)
}

fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for i in 0..4 {
            text.push(if i <= chunk.len() {
                char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize])
            } else {
                '='
            });
        }
    }
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// The raw signature bytes of a certificate (`sig(cert)` of the pairing rules) and its public key (PKCS#1).
pub fn signature_and_key(der: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der)?;
    Ok((
        certificate.signature_value.data.to_vec(),
        certificate.public_key().subject_public_key.data.to_vec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_a_restart_and_signs_with_the_key_of_its_certificate() {
        let dir = std::env::temp_dir().join(format!("pf-identity-{}", std::process::id()));
        let made = Identity::load_or_generate(&dir).unwrap();
        let kept = Identity::load_or_generate(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(
            (&made.certificate_der, &made.key_pkcs8),
            (&kept.certificate_der, &kept.key_pkcs8)
        );

        let (signature, key) = signature_and_key(&kept.certificate_der).unwrap();
        assert_eq!(signature.len(), 256);
        let signed = kept.sign(b"message").unwrap();
        ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, key)
            .verify(b"message", &signed)
            .unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&kept.certificate_der).unwrap();
        assert_eq!(certificate.raw_serial(), [0]);
        assert!(certificate.extensions().is_empty());
    }
}
