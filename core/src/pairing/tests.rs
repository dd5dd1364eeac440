#![allow(
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    reason = "test data"
)]
use super::{cipher::*, *};
use proptest::prelude::*;
use ring::{rand::SystemRandom, signature::RSA_PKCS1_SHA256, signature::RsaKeyPair};

const CLIENT: &str = include_str!("fixtures/client.pem");
const CLIENT_V1: &str = include_str!("fixtures/client_v1_serial0.pem");
const CLIENT_EC: &str = include_str!("fixtures/client_ec.pem");
const CLIENT_KEY: &[u8] = include_bytes!("fixtures/client_key.pkcs8.der");
const HOST: &str = include_str!("fixtures/host.pem");
const HOST_KEY: &[u8] = include_bytes!("fixtures/host_key.pkcs8.der");
const SALT: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = RsaKeyPair::from_pkcs8(key).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message,
        &mut signature,
    )
    .unwrap();
    signature
}

/// The client's half, with every value chosen by the test.
struct Client {
    certificate: Certificate,
    cipher: PinCipher,
    challenge: [u8; 16],
    secret: [u8; 16],
}

impl Client {
    fn new(pem: &str, pin: &str) -> Self {
        Self {
            certificate: Certificate::from_pem(pem.as_bytes()).unwrap(),
            cipher: PinCipher::new(&SALT, pin),
            challenge: [0xc0; 16],
            secret: [0xc5; 16],
        }
    }

    fn stage2(&self) -> String {
        hex::encode(self.cipher.encrypt(&[self.challenge]))
    }

    /// Returns the request and whether the host's hash could be checked against later secrets.
    fn stage3(&self, challengeresponse: &str) -> (String, [u8; 32]) {
        let sealed = hex::decode(challengeresponse).unwrap();
        assert_eq!(sealed.len(), 48);
        let blocks: [[u8; 16]; 3] =
            std::array::from_fn(|i| sealed[i * 16..][..16].try_into().unwrap());
        let [a, b, host_challenge] = self.cipher.decrypt(&blocks);
        let response = hash(&[&host_challenge, self.certificate.signature(), &self.secret]);
        let host_hash: Vec<u8> = a.into_iter().chain(b).collect();
        (
            hex::encode(self.cipher.encrypt(&halves(&response))),
            host_hash.try_into().unwrap(),
        )
    }

    fn stage4(&self) -> String {
        hex::encode(self.secret) + &hex::encode(sign(CLIENT_KEY, &self.secret))
    }
}

fn begin(pem: &str, pin: &str) -> HostPairing {
    let identity = HostIdentity::new(HOST).unwrap();
    let secrets = Secrets {
        secret: [0x51; 16],
        challenge: [0x5c; 16],
    };
    let (machine, plaincert) = HostPairing::begin(
        identity,
        &hex::encode(SALT),
        &hex::encode(pem),
        pin,
        secrets,
    )
    .unwrap();
    assert_eq!(hex::decode(plaincert).unwrap(), HOST.as_bytes());
    machine
}

fn host_sign(message: &[u8]) -> Option<Vec<u8>> {
    Some(sign(HOST_KEY, message))
}

#[test]
fn the_pin_key_and_cipher_give_the_published_vectors() {
    let cipher = PinCipher::new(&SALT, "1234");
    let block: [u8; 16] = std::array::from_fn(|i| 0x20 + i as u8);
    assert_eq!(
        hex::encode(cipher.encrypt(&[block])),
        "533daf529237d7015f7d48e3c777ee51"
    );
    let key = hash(&[&SALT, b"1234"]);
    assert_eq!(hex::encode(&key[..16]), "bad0b4f7cae08eb7c1b5acc763a8ed25");
    assert_eq!(
        cipher.decrypt(&[cipher.encrypt(&[block]).try_into().unwrap()]),
        [block]
    );
}

#[test]
fn a_client_that_knows_the_pin_is_paired() {
    for pem in [CLIENT, CLIENT_V1] {
        let client = Client::new(pem, "1234");
        let mut host = begin(pem, "1234");
        let answer = host.challenge(&client.stage2()).unwrap();
        let (request, host_hash) = client.stage3(&answer);
        let proof = hex::decode(host.response(&request, host_sign).unwrap()).unwrap();
        // What the client checks: the host's signature over S, and that S is what the host committed itself to.
        let host_certificate = Certificate::from_pem(HOST.as_bytes()).unwrap();
        verify_signature(&host_certificate, &proof[..16], &proof[16..]).unwrap();
        assert_eq!(
            hash(&[
                &client.challenge,
                host_certificate.signature(),
                &proof[..16]
            ]),
            host_hash
        );
        assert!(host.client_has_checked_pin());
        assert_eq!(host.secret(&client.stage4()).unwrap(), client.certificate);
    }
}

#[test]
fn a_wrong_pin_is_found_out_and_burns_the_attempt() {
    let client = Client::new(CLIENT, "1235");
    let mut host = begin(CLIENT, "1234");
    let answer = host.challenge(&client.stage2()).unwrap();
    host.response(&client.stage3(&answer).0, host_sign).unwrap();
    assert_eq!(host.secret(&client.stage4()), Err(PairingError::WrongPin));
    assert_eq!(host.secret(&client.stage4()), Err(PairingError::OutOfOrder));
    assert_eq!(
        host.challenge(&client.stage2()),
        Err(PairingError::OutOfOrder)
    );
}

#[test]
fn a_client_without_its_key_is_refused_though_it_knows_the_pin() {
    let client = Client::new(CLIENT, "1234");
    let mut host = begin(CLIENT, "1234");
    let answer = host.challenge(&client.stage2()).unwrap();
    host.response(&client.stage3(&answer).0, host_sign).unwrap();
    let forged = hex::encode(client.secret) + &hex::encode(sign(HOST_KEY, &client.secret));
    assert_eq!(host.secret(&forged), Err(PairingError::BadSignature));
}

#[test]
fn stages_out_of_order_end_the_attempt() {
    let client = Client::new(CLIENT, "1234");
    let mut early_secret = begin(CLIENT, "1234");
    assert_eq!(
        early_secret.secret(&client.stage4()),
        Err(PairingError::OutOfOrder)
    );
    assert_eq!(
        early_secret.challenge(&client.stage2()),
        Err(PairingError::OutOfOrder)
    );

    let mut early_response = begin(CLIENT, "1234");
    assert_eq!(
        early_response.response(&"00".repeat(32), host_sign),
        Err(PairingError::OutOfOrder)
    );

    let mut twice = begin(CLIENT, "1234");
    twice.challenge(&client.stage2()).unwrap();
    assert_eq!(
        twice.challenge(&client.stage2()),
        Err(PairingError::OutOfOrder)
    );
    assert_eq!(
        twice.response(&"00".repeat(32), host_sign),
        Err(PairingError::OutOfOrder)
    );
}

#[test]
fn odd_parameters_are_refused_and_named() {
    let identity = || HostIdentity::new(HOST).unwrap();
    let secrets = || Secrets {
        secret: [0; 16],
        challenge: [0; 16],
    };
    let salt = hex::encode(SALT);
    let pem = hex::encode(CLIENT);
    let begin = |salt: &str, pem: &str, pin: &str| {
        HostPairing::begin(identity(), salt, pem, pin, secrets()).err()
    };
    assert_eq!(
        begin("00", &pem, "1234"),
        Some(PairingError::BadHex("salt"))
    );
    assert_eq!(
        begin(&salt, "zz", "1234"),
        Some(PairingError::BadHex("clientcert"))
    );
    assert!(matches!(
        begin(&salt, "00", "1234"),
        Some(PairingError::BadCertificate(_))
    ));
    assert_eq!(
        begin(&salt, &hex::encode(CLIENT_EC), "1234"),
        Some(PairingError::BadCertificate("its key is not RSA"))
    );
    for pin in ["", "123", "12345", "12a4", "１２３４"] {
        assert_eq!(begin(&salt, &pem, pin), Some(PairingError::BadPin), "{pin}");
    }
    assert_eq!(
        begin(&salt.to_uppercase(), &pem.to_uppercase(), "1234"),
        None
    );
    assert!(Certificate::from_pem(&vec![b'-'; 1 << 20]).is_err());
}

proptest! {
    #[test]
    fn no_certificate_bytes_panic(at in any::<prop::sample::Index>(), with: u8, cut in any::<prop::sample::Index>()) {
        let der = Certificate::from_pem(CLIENT.as_bytes()).unwrap().der().to_vec();
        let mut changed = der.clone();
        changed[at.index(der.len())] = with;
        let _ = Certificate::from_der(&changed);
        changed.truncate(cut.index(der.len()));
        let _ = Certificate::from_der(&changed);
        let _ = Certificate::from_pem(&CLIENT.as_bytes()[cut.index(CLIENT.len())..]);
    }

    #[test]
    fn no_stage_panics_on_any_text(a in ".{0,80}", b in "[0-9a-f]{0,96}", c in "[0-9a-f]{0,600}") {
        for text in [&a, &b, &c] {
            let mut host = begin(CLIENT, "0000");
            let _ = host.challenge(text);
            let _ = host.response(text, |_| Some(vec![1]));
            let _ = host.secret(text);
        }
    }
}
