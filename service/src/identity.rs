//! The host's certificate and key (RSA-2048, self-signed), and its stable id. [owner: platform]

pub struct Identity {
    pub certificate_der: Vec<u8>,
    pub certificate_pem: String,
    /// For rustls.
    pub key_pkcs8_der: Vec<u8>,
    /// `uniqueid` of serverinfo: a UUID, stable.
    pub unique_id: String,
}
impl Identity {
    /// RSASSA-PKCS1-v1_5 with SHA-256, for pairing.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IdentityError> { let _ = message; todo!() }
}
#[derive(Debug, thiserror::Error)]
pub enum IdentityError { #[error("the host key cannot sign")] Sign }
