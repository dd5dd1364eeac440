//! The host's certificate and key (RSA-2048, self-signed), and its stable id.
//!
//! Read, and made at the first start, before privileges are dropped. The `rsa` crate generates the key and never
//! touches it again: signing is ring's.
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256};
use ring::signature::RsaKeyPair;
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const KEY_FILE: &str = "key.pem";
const CERTIFICATE_FILE: &str = "certificate.pem";
const ID_FILE: &str = "unique-id";
const KEY_BITS: usize = 2048;
const DAY: Duration = Duration::from_secs(86_400);
const VALIDITY: Duration = Duration::from_secs(20 * 365 * 86_400);

pub struct Identity {
    pub certificate_der: Vec<u8>,
    pub certificate_pem: String,
    /// For rustls.
    pub key_pkcs8_der: Vec<u8>,
    /// `uniqueid` of serverinfo: a UUID, stable.
    pub unique_id: String,
    signer: RsaKeyPair,
}

/// Says nothing about the key.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("unique_id", &self.unique_id)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the host key cannot sign")]
    Sign,
    #[error("the host's identity: {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "the host's identity is damaged: {path}: {what}. Restore it from a backup, or remove the directory \
         {} to get a new identity (every client must then pair again)",
        path.parent().unwrap_or(path).display()
    )]
    Damaged { path: PathBuf, what: String },
    #[error("a new host key could not be made: {0}")]
    Generate(String),
}

impl Identity {
    /// Open the identity in `directory`, or make one (directory 0700, files 0600) if there is none.
    ///
    /// # Errors
    /// Names the file at fault. A damaged identity is never replaced silently: clients would refuse the new one.
    pub fn open(directory: &Path) -> Result<Self, IdentityError> {
        let key = directory.join(KEY_FILE);
        let certificate = directory.join(CERTIFICATE_FILE);
        let id = directory.join(ID_FILE);
        // The certificate is written last: without it an interrupted first start is simply begun again.
        if !exists(&certificate)? {
            create(directory)?;
        }
        Self::read(&key, &certificate, &id)
    }

    /// SHA-256 of the certificate, lower-case hex: what a person compares.
    pub fn fingerprint(&self) -> String {
        hex::encode(ring::digest::digest(
            &ring::digest::SHA256,
            &self.certificate_der,
        ))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256, for pairing.
    ///
    /// # Errors
    /// Only when the system's random source fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let mut signature = vec![0; self.signer.public().modulus_len()];
        self.signer
            .sign(
                &ring::signature::RSA_PKCS1_SHA256,
                &ring::rand::SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| IdentityError::Sign)?;
        Ok(signature)
    }

    fn read(key: &Path, certificate: &Path, id: &Path) -> Result<Self, IdentityError> {
        let damaged = |path: &Path, what: String| IdentityError::Damaged {
            path: path.to_owned(),
            what,
        };
        let certificate_pem = text(certificate)?;
        let certificate_der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| damaged(certificate, error.to_string()))?
            .to_vec();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate_der)
            .map_err(|error| damaged(certificate, error.to_string()))?;
        let key_pkcs8_der = PrivatePkcs8KeyDer::from_pem_slice(text(key)?.as_bytes())
            .map_err(|error| damaged(key, error.to_string()))?
            .secret_pkcs8_der()
            .to_vec();
        let signer = RsaKeyPair::from_pkcs8(&key_pkcs8_der)
            .map_err(|error| damaged(key, error.to_string()))?;
        let public: &[u8] = &parsed.public_key().subject_public_key.data;
        if public != signer.public().as_ref() {
            return Err(damaged(key, "it does not belong to the certificate".into()));
        }
        let unique_id = text(id)?.trim().to_owned();
        uuid::Uuid::parse_str(&unique_id).map_err(|error| damaged(id, error.to_string()))?;
        Ok(Self {
            certificate_der,
            certificate_pem,
            key_pkcs8_der,
            unique_id,
            signer,
        })
    }
}

fn create(directory: &Path) -> Result<(), IdentityError> {
    tracing::info!(directory = %directory.display(), "making the host's identity (first start)");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(io_error("creating", directory))?;
    let generate = |error: &dyn std::fmt::Display| IdentityError::Generate(error.to_string());
    let rsa = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS)
        .map_err(|error| generate(&error))?;
    let pkcs8 = rsa.to_pkcs8_der().map_err(|error| generate(&error))?;
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(pkcs8.as_bytes()),
        &PKCS_RSA_SHA256,
    )
    .map_err(|error| generate(&error))?;
    let certificate = certificate_for(&pair).map_err(|error| generate(&error))?;
    write(&directory.join(KEY_FILE), pair.serialize_pem().as_bytes())?;
    let id = uuid::Uuid::new_v4().to_string();
    write(&directory.join(ID_FILE), id.as_bytes())?;
    write(&directory.join(CERTIFICATE_FILE), certificate.as_bytes())?;
    let synced = fs::File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(io_error("syncing", directory))
}

/// Self-signed, version 3, CN `punktfunk`, valid from a day ago (clocks differ) for twenty years.
fn certificate_for(pair: &KeyPair) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "punktfunk");
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a machine's clock plus twenty years is far from the last date"
    )]
    {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + now.saturating_sub(DAY);
        params.not_after = epoch + now.saturating_add(VALIDITY);
    }
    Ok(params.self_signed(pair)?.pem())
}

fn exists(path: &Path) -> Result<bool, IdentityError> {
    path.try_exists().map_err(io_error("looking for", path))
}

fn text(path: &Path) -> Result<String, IdentityError> {
    fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => IdentityError::Damaged {
            path: path.to_owned(),
            what: "it is not text".into(),
        },
        io::ErrorKind::NotFound => IdentityError::Damaged {
            path: path.to_owned(),
            what: "it is missing".into(),
        },
        _ => io_error("reading", path)(source),
    })
}

/// A new file, 0600, on disk when this returns.
fn write(path: &Path, contents: &[u8]) -> Result<(), IdentityError> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(contents)?;
            file.sync_all()
        });
    written.map_err(io_error("writing", path))
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> IdentityError {
    let path = path.to_owned();
    move |source| IdentityError::Io {
        action,
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!(
            "punktfunk-identity-{name}-{}",
            uuid::Uuid::new_v4()
        ));
        fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn an_identity_is_made_once_private_and_stays_the_same() {
        let base = scratch("same");
        let directory = base.join("identity");
        let first = Identity::open(&directory).unwrap();
        let again = Identity::open(&directory).unwrap();
        assert_eq!(first.certificate_der, again.certificate_der);
        assert_eq!(first.key_pkcs8_der, again.key_pkcs8_der);
        assert_eq!(first.unique_id, again.unique_id);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        for file in [KEY_FILE, CERTIFICATE_FILE, ID_FILE] {
            assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
        }
        assert!(!format!("{first:?}").contains("key"), "Debug shows no key");

        // What pairing relies on: the certificate is version 3, SHA-256 signed, and its key verifies what `sign` made.
        let (_, certificate) = x509_parser::parse_x509_certificate(&first.certificate_der).unwrap();
        assert_eq!(certificate.version(), x509_parser::x509::X509Version::V3);
        assert_eq!(certificate.subject().to_string(), "CN=punktfunk");
        let public = ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            &certificate.public_key().subject_public_key.data,
        );
        let signature = first.sign(b"message").unwrap();
        public.verify(b"message", &signature).unwrap();
        public.verify(b"massage", &signature).unwrap_err();

        // The same identity, damaged in turn: each error names the file and what to do.
        for file in [KEY_FILE, CERTIFICATE_FILE, ID_FILE] {
            let path = directory.join(file);
            let good = fs::read(&path).unwrap();
            fs::write(&path, &good[..good.len() / 2]).unwrap();
            let message = Identity::open(&directory).unwrap_err().to_string();
            assert!(message.contains(file), "{message}");
            assert!(message.contains("backup"), "{message}");
            fs::write(&path, good).unwrap();
        }
        fs::remove_file(directory.join(KEY_FILE)).unwrap();
        let message = Identity::open(&directory).unwrap_err().to_string();
        assert!(
            message.contains(KEY_FILE) && message.contains("missing"),
            "{message}"
        );
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let base = scratch("swap");
        let (one, two) = (base.join("one"), base.join("two"));
        Identity::open(&one).unwrap();
        Identity::open(&two).unwrap();
        fs::copy(two.join(KEY_FILE), one.join(KEY_FILE)).unwrap();
        let message = Identity::open(&one).unwrap_err().to_string();
        assert!(message.contains("does not belong"), "{message}");
        fs::remove_dir_all(base).unwrap();
    }
}
