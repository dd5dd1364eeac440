//! The host's stages 1 to 4.
use super::{
    Certificate, PairingError,
    cipher::{PinCipher, halves, hash},
    verify_signature,
};
use subtle::ConstantTimeEq;

/// The host's side of the hashes and the text that clients pin.
#[derive(Debug, Clone)]
pub struct HostIdentity {
    certificate_pem: String,
    signature: Vec<u8>,
}

impl HostIdentity {
    /// # Errors
    /// [`PairingError::BadCertificate`] when the host's own certificate cannot be read.
    pub fn new(certificate_pem: &str) -> Result<Self, PairingError> {
        let certificate = Certificate::from_pem(certificate_pem.as_bytes())?;
        Ok(Self {
            certificate_pem: certificate_pem.to_owned(),
            signature: certificate.signature().to_vec(),
        })
    }
}

/// Fresh random values, never used for a second attempt.
pub struct Secrets {
    /// S: shown to the client in stage 3, after it has committed itself.
    pub secret: [u8; 16],
    /// SC: what the client must hash to prove that it knows the PIN.
    pub challenge: [u8; 16],
}

/// One attempt, from stage 1 on. Any error leaves it unusable.
pub struct HostPairing {
    identity: HostIdentity,
    client: Certificate,
    cipher: PinCipher,
    secrets: Secrets,
    stage: Stage,
}

enum Stage {
    /// Stage 1 is answered; the challenge may come.
    AwaitChallenge,
    AwaitResponse,
    /// R, the client's commitment.
    AwaitSecret([u8; 32]),
    Over,
}

impl HostPairing {
    /// Stage 1, once a person entered the PIN: `salt` and `client_certificate` are the request's parameters (hex; the
    /// certificate is PEM inside). Answers the machine and `plaincert`.
    ///
    /// # Errors
    /// Bad parameters, or a PIN that is not four ASCII digits.
    pub fn begin(
        identity: HostIdentity,
        salt: &str,
        client_certificate: &str,
        pin: &str,
        secrets: Secrets,
    ) -> Result<(Self, String), PairingError> {
        if pin.len() != 4 || !pin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PairingError::BadPin);
        }
        let salt: [u8; 16] = unhex("salt", salt)?;
        let client = Self::client_certificate(client_certificate)?;
        let plaincert = hex::encode(&identity.certificate_pem);
        let cipher = PinCipher::new(&salt, pin);
        let machine = Self {
            identity,
            client,
            cipher,
            secrets,
            stage: Stage::AwaitChallenge,
        };
        Ok((machine, plaincert))
    }

    /// Read the `clientcert` parameter of stage 1, so that nobody is asked for a PIN in vain.
    ///
    /// # Errors
    /// [`PairingError::BadHex`] or [`PairingError::BadCertificate`].
    pub fn client_certificate(hex_pem: &str) -> Result<Certificate, PairingError> {
        let pem = hex::decode(hex_pem).map_err(|_| PairingError::BadHex("clientcert"))?;
        Certificate::from_pem(&pem)
    }

    /// Stage 2: `clientchallenge` in, `challengeresponse` out.
    ///
    /// # Errors
    /// [`PairingError::OutOfOrder`], [`PairingError::BadHex`].
    pub fn challenge(&mut self, client_challenge: &str) -> Result<String, PairingError> {
        let Stage::AwaitChallenge = self.take() else {
            return Err(PairingError::OutOfOrder);
        };
        let sealed: [u8; 16] = unhex("clientchallenge", client_challenge)?;
        let [challenge] = self.cipher.decrypt(&[sealed]);
        let proof = hash(&[&challenge, &self.identity.signature, &self.secrets.secret]);
        let [first, second] = halves(&proof);
        let answer = self
            .cipher
            .encrypt(&[first, second, self.secrets.challenge]);
        self.stage = Stage::AwaitResponse;
        Ok(hex::encode(answer))
    }

    /// Stage 3: `serverchallengeresp` in, `pairingsecret` out. `sign` signs with the host key
    /// (RSASSA-PKCS1-v1_5, SHA-256).
    ///
    /// # Errors
    /// [`PairingError::OutOfOrder`], [`PairingError::BadHex`], [`PairingError::HostKey`].
    pub fn response(
        &mut self,
        server_challenge_response: &str,
        sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<String, PairingError> {
        let Stage::AwaitResponse = self.take() else {
            return Err(PairingError::OutOfOrder);
        };
        let sealed: [u8; 32] = unhex("serverchallengeresp", server_challenge_response)?;
        let [first, second] = self.cipher.decrypt(&halves(&sealed));
        let mut commitment = [0; 32];
        for (to, from) in commitment.iter_mut().zip(first.into_iter().chain(second)) {
            *to = from;
        }
        let signature = sign(&self.secrets.secret).ok_or(PairingError::HostKey)?;
        self.stage = Stage::AwaitSecret(commitment);
        let mut answer = hex::encode(self.secrets.secret);
        answer.push_str(&hex::encode(signature));
        Ok(answer)
    }

    /// Stage 4: `clientpairingsecret` in. The certificate that comes out has proved both the PIN and its key.
    ///
    /// # Errors
    /// [`PairingError::WrongPin`], [`PairingError::BadSignature`], [`PairingError::OutOfOrder`],
    /// [`PairingError::BadHex`].
    pub fn secret(&mut self, client_pairing_secret: &str) -> Result<Certificate, PairingError> {
        let Stage::AwaitSecret(commitment) = self.take() else {
            return Err(PairingError::OutOfOrder);
        };
        const NAME: &str = "clientpairingsecret";
        // Keys up to RSA-8192; a client has 2048.
        if client_pairing_secret.len() > 2_usize.saturating_mul(16 + 1024) {
            return Err(PairingError::BadHex(NAME));
        }
        let bytes = hex::decode(client_pairing_secret).map_err(|_| PairingError::BadHex(NAME))?;
        let (secret, signature) = bytes
            .split_first_chunk::<16>()
            .ok_or(PairingError::BadHex(NAME))?;
        let expected = hash(&[&self.secrets.challenge, self.client.signature(), secret]);
        if !bool::from(expected.ct_eq(&commitment)) {
            return Err(PairingError::WrongPin);
        }
        verify_signature(&self.client, secret, signature)?;
        Ok(self.client.clone())
    }

    /// Whether the client has seen the host's proof: from here on, giving up means that the PIN did not match.
    #[must_use]
    pub fn client_has_checked_pin(&self) -> bool {
        matches!(self.stage, Stage::AwaitSecret(_))
    }

    /// Every stage starts by ending the attempt; only its success opens the next stage.
    fn take(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Over)
    }
}

fn unhex<const N: usize>(name: &'static str, text: &str) -> Result<[u8; N], PairingError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| PairingError::BadHex(name))?;
    Ok(bytes)
}
