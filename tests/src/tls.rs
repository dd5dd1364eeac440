//! TLS towards the host: our certificate is always shown, theirs is compared byte for byte with the pinned one and with nothing else.

use crate::{breach::Breaches, identity::Identity};
use anyhow::Result;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};
use std::sync::Arc;

/// Which TLS versions the client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    #[default]
    Both,
    Only12,
    Only13,
}

/// Accepts exactly one certificate; without a pin, any (for tests that ask as a stranger).
#[derive(Debug)]
struct Pin {
    certificate: Option<Vec<u8>>,
    provider: Arc<CryptoProvider>,
    breaches: Breaches,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.breaches.require(
            intermediates.is_empty(),
            "5",
            "tls-chain-not-single",
            || format!("{} certificates besides the host's", intermediates.len()),
        );
        match &self.certificate {
            Some(pinned) if pinned.as_slice() != end_entity.as_ref() => {
                self.breaches
                    .record("5", "tls-certificate-not-the-pinned-one", || {
                        "the certificate in TLS differs from the paired one".into()
                    });
                Err(rustls::Error::General(
                    "the host shows another certificate than the one it paired with".into(),
                ))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The TLS configuration of a client with this identity and pin.
pub fn config(
    identity: Option<&Identity>,
    pinned: Option<Vec<u8>>,
    versions: Versions,
    breaches: &Breaches,
) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let offered: &[&rustls::SupportedProtocolVersion] = match versions {
        Versions::Both => &[&rustls::version::TLS12, &rustls::version::TLS13],
        Versions::Only12 => &[&rustls::version::TLS12],
        Versions::Only13 => &[&rustls::version::TLS13],
    };
    let verifier = Arc::new(Pin {
        certificate: pinned,
        provider: provider.clone(),
        breaches: breaches.clone(),
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(offered)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => builder.with_client_auth_cert(
            vec![CertificateDer::from(identity.certificate_der.clone())],
            PrivatePkcs8KeyDer::from(identity.key_pkcs8.clone()).into(),
        )?,
        None => builder.with_no_client_auth(),
    };
    // Every connection shows its certificate anew.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
