//! The client's side of pairing, one method per stage so that tests can leave the path.

use crate::{
    client::Client,
    crypto::{Key, ecb_decrypt, ecb_encrypt, random, sha256},
    identity::{from_pem, signature_and_key},
};
use anyhow::{Context, Result, bail};
use std::time::Duration;

const STAGE: Duration = Duration::from_secs(5);
/// The client itself never gives up waiting for the PIN; a test has to.
const PIN_WAIT: Duration = Duration::from_secs(300);

/// An attempt to pair with one PIN.
pub struct Attempt<'a> {
    client: &'a Client,
    key: Key,
    salt: [u8; 16],
    challenge: [u8; 16],
    secret: [u8; 16],
    /// DER of the host's certificate, from stage 1.
    pub host_certificate: Vec<u8>,
    answer: Vec<u8>,
}

/// Why pairing did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    /// The host proved another PIN than ours: what a person sees as "PIN incorrect".
    #[error("the PIN entered on the host is not the one shown here")]
    WrongPin,
    #[error("another pairing is in progress")]
    Busy,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl<'a> Attempt<'a> {
    pub fn new(client: &'a Client, pin: &str) -> Self {
        let salt: [u8; 16] = random();
        let mut key = [0; 16];
        key.copy_from_slice(&sha256(&[&salt, pin.as_bytes()])[..16]);
        Self {
            client,
            key,
            salt,
            challenge: random(),
            secret: random(),
            host_certificate: Vec::new(),
            answer: Vec::new(),
        }
    }

    /// One stage; every reply must say `paired` = 1.
    pub fn stage(
        &self,
        secure: bool,
        parameters: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<crate::nvhttp::Answer> {
        let mut all = vec![("devicename", "roth"), ("updateState", "1")];
        all.extend_from_slice(parameters);
        let answer = self
            .client
            .request(secure, "pair", &all, timeout)?
            .accepted()?;
        if answer.text("paired").as_deref() != Some("1") {
            bail!(
                "the host refused the pairing (paired = {:?})",
                answer.text("paired")
            );
        }
        Ok(answer)
    }

    /// Stage 1: waits until somebody entered a PIN on the host, then learns its certificate.
    pub fn ask_for_certificate(&mut self) -> Result<(), PairingError> {
        let (salt, certificate) = (
            hex::encode(self.salt),
            hex::encode(&self.client.identity.certificate_pem),
        );
        let answer = self.stage(
            false,
            &[
                ("phrase", "getservercert"),
                ("salt", &salt),
                ("clientcert", &certificate),
            ],
            PIN_WAIT,
        )?;
        let plain = answer.text("plaincert").unwrap_or_default();
        if plain.is_empty() {
            return Err(PairingError::Busy);
        }
        let pem = String::from_utf8(hex::decode(plain).context("plaincert is not hex")?)
            .context("plaincert is not PEM")?;
        self.host_certificate = from_pem(&pem).context("plaincert is not one certificate")?;
        Ok(())
    }

    /// Stage 2: the challenge, answered under the PIN's key.
    pub fn challenge(&mut self) -> Result<(), PairingError> {
        let sealed = hex::encode(ecb_encrypt(&self.key, &self.challenge));
        let answer = self.stage(false, &[("clientchallenge", &sealed)], STAGE)?;
        let response = hex::decode(answer.text("challengeresponse").unwrap_or_default())
            .context("challengeresponse is not hex")?;
        self.answer =
            ecb_decrypt(&self.key, &response).context("challengeresponse is not whole blocks")?;
        if !self.client.breaches.require(
            self.answer.len() == 48,
            "4",
            "pairing-challengeresponse-size",
            || self.answer.len().to_string(),
        ) {
            return Err(anyhow::anyhow!(
                "challengeresponse holds {} bytes instead of 48",
                self.answer.len()
            )
            .into());
        }
        Ok(())
    }

    /// Stage 3: our hash; the host reveals its secret, and with it whether it knew the PIN.
    pub fn exchange_secrets(&mut self) -> Result<(), PairingError> {
        let (own_signature, _) = signature_and_key(&self.client.identity.certificate_der)?;
        let hash = sha256(&[&self.answer[32..], &own_signature, &self.secret]);
        let sealed = hex::encode(ecb_encrypt(&self.key, &hash));
        let answer = self.stage(false, &[("serverchallengeresp", &sealed)], STAGE)?;
        let revealed = hex::decode(answer.text("pairingsecret").unwrap_or_default())
            .context("pairingsecret is not hex")?;
        if !self.client.breaches.require(
            revealed.len() == 16 + 256,
            "4",
            "pairing-secret-size",
            || revealed.len().to_string(),
        ) {
            return Err(anyhow::anyhow!(
                "pairingsecret holds {} bytes instead of 272",
                revealed.len()
            )
            .into());
        }
        let (secret, signature) = revealed.split_at(16);
        let (host_signature, host_key) = signature_and_key(&self.host_certificate)?;
        if ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            host_key,
        )
        .verify(secret, signature)
        .is_err()
        {
            self.client
                .breaches
                .record("4", "pairing-secret-signature", || {
                    "the host's secret is not signed with the key of its certificate".into()
                });
            return Err(anyhow::anyhow!(
                "the host could not prove that it holds the key of its certificate"
            )
            .into());
        }
        if sha256(&[&self.challenge, &host_signature, secret])[..] != self.answer[..32] {
            return Err(PairingError::WrongPin);
        }
        Ok(())
    }

    /// Stage 4: our secret, signed. Only now the host knows whether the PIN was right.
    pub fn reveal_secret(&self) -> Result<(), PairingError> {
        let mut revealed = self.secret.to_vec();
        revealed.extend(self.client.identity.sign(&self.secret)?);
        self.stage(
            false,
            &[("clientpairingsecret", &hex::encode(revealed))],
            STAGE,
        )?;
        Ok(())
    }
}

impl Client {
    /// The whole exchange. On success the host's certificate is pinned. On failure the host is told to forget the attempt.
    pub fn pair(&mut self, pin: &str) -> Result<(), PairingError> {
        self.https_port = self.server_info(false)?.https_port;
        let certificate = match self.pair_over_http(pin) {
            Ok(certificate) => certificate,
            Err(error) => {
                let _ = self.unpair();
                return Err(error);
            }
        };
        self.pinned = Some(certificate);
        // Stage 5 proves over TLS that both certificates are the ones just exchanged.
        let confirmed = Attempt::new(self, pin)
            .stage(true, &[("phrase", "pairchallenge")], STAGE)
            .map(drop);
        if let Err(error) = confirmed {
            self.pinned = None;
            let _ = self.unpair();
            return Err(error.into());
        }
        Ok(())
    }

    fn pair_over_http(&self, pin: &str) -> Result<Vec<u8>, PairingError> {
        let mut attempt = Attempt::new(self, pin);
        attempt.ask_for_certificate()?;
        attempt.challenge()?;
        attempt.exchange_secrets()?;
        attempt.reveal_secret()?;
        Ok(attempt.host_certificate)
    }
}
