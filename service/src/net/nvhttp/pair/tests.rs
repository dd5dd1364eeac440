#![allow(clippy::arithmetic_side_effects, reason = "test data")]
use crate::{
    ids::{ClientId, Uid},
    net::harness::{CLIENT_PEM, CLIENT_V1_PEM, TestHost, der, sign},
    pairings::PairingError,
};
use aes::{
    Aes128,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use punktfunk_core::pairing::{Certificate, verify_signature};
use ring::digest::{SHA256, digest};
use std::{sync::Arc, time::Duration};

const ME: Uid = Uid(1000);
const BASE: &str = "/pair?uniqueid=0123456789ABCDEF&uuid=1&devicename=roth&updateState=1";

fn sha(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
        .map(|(value, _)| value)
}

/// The client's half of section 4 of the wire description.
struct Client {
    cipher: Aes128,
    signature: Vec<u8>,
    pem: &'static str,
}

impl Client {
    fn new(pin: &str) -> Self {
        Self::showing(CLIENT_PEM, pin)
    }

    /// Another device; the key is the same.
    fn showing(pem: &'static str, pin: &str) -> Self {
        let key: [u8; 16] = sha(&[&[7; 16], pin.as_bytes()])[..16].try_into().unwrap();
        let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
        Self {
            pem,
            cipher: Aes128::new(&key.into()),
            signature: certificate.signature().to_vec(),
        }
    }

    fn seal(&self, bytes: &[u8]) -> String {
        let blocks = bytes.chunks(16).flat_map(|chunk| {
            let mut block = <[u8; 16]>::try_from(chunk).unwrap().into();
            self.cipher.encrypt_block(&mut block);
            block
        });
        hex::encode(blocks.collect::<Vec<u8>>())
    }

    fn open(&self, text: &str) -> Vec<u8> {
        let bytes = hex::decode(text).unwrap();
        let blocks = bytes.chunks(16).flat_map(|chunk| {
            let mut block = <[u8; 16]>::try_from(chunk).unwrap().into();
            self.cipher.decrypt_block(&mut block);
            block
        });
        blocks.collect()
    }

    /// Stages 1 to 4. `Err` holds the reply that ended it, or says that the client found the PIN wrong.
    async fn pair(&self, host: &TestHost) -> Result<(), String> {
        let paired = |xml: &String| element(xml, "paired") == Some("1");
        let salt = hex::encode([7; 16]);
        let pem = hex::encode(self.pem);
        let one = host
            .get(&format!(
                "{BASE}&phrase=getservercert&salt={salt}&clientcert={pem}"
            ))
            .await;
        let Some(plaincert) = element(&one, "plaincert").filter(|_| paired(&one)) else {
            return Err(one);
        };
        let plaincert = hex::decode(plaincert).unwrap();
        let host_certificate = Certificate::from_pem(&plaincert).unwrap();
        assert_eq!(host_certificate.der(), host.host.identity.certificate_der);

        let two = host
            .get(&format!("{BASE}&clientchallenge={}", self.seal(&[3; 16])))
            .await;
        let answer = self.open(element(&two, "challengeresponse").unwrap());
        let response = sha(&[&answer[32..], &self.signature, &[4; 16]]);
        let three = host
            .get(&format!(
                "{BASE}&serverchallengeresp={}",
                self.seal(&response)
            ))
            .await;
        let proof = hex::decode(element(&three, "pairingsecret").unwrap()).unwrap();
        verify_signature(&host_certificate, &proof[..16], &proof[16..]).unwrap();
        if sha(&[&[3; 16], host_certificate.signature(), &proof[..16]]) != answer[..32] {
            host.get("/unpair?uniqueid=0123456789ABCDEF").await;
            return Err("PIN incorrect".into());
        }
        let four = host
            .get(&format!("{BASE}&clientpairingsecret={}", self.stage4()))
            .await;
        if paired(&four) { Ok(()) } else { Err(four) }
    }

    fn stage4(&self) -> String {
        hex::encode([4; 16]) + &hex::encode(sign(&[4; 16]))
    }
}

/// Accept the first attempt that shows up.
async fn person(host: &TestHost, pin: &'static str) -> Result<ClientId, PairingError> {
    let pairings = &host.host.pairings;
    let mut changes = pairings.changes();
    let waiting = loop {
        if let Some(first) = pairings.waiting().pop() {
            break first;
        }
        changes.changed().await.unwrap();
    };
    assert_eq!(
        (waiting.name.as_str(), waiting.address.to_string().as_str()),
        ("roth", "127.0.0.1")
    );
    pairings
        .accept(waiting.id, pin, ME, Some("Tablet".into()))
        .await
}

fn window(host: &TestHost) {
    host.host.pairings.open_window(ME, Duration::from_secs(60));
}

#[tokio::test]
async fn the_right_pin_pairs_and_the_one_who_approved_owns_the_client() {
    let host = TestHost::new().await;
    window(&host);
    let client = Client::new("1234");
    let (paired, accepted) = tokio::join!(client.pair(&host), person(&host, "1234"));
    paired.unwrap();
    let record = host.host.clients.get(&accepted.unwrap()).unwrap();
    assert_eq!((record.owner, record.name.as_str()), (ME, "Tablet"));
    assert_eq!(record.certificate_der, der(CLIENT_PEM));
    assert_eq!(
        element(&host.get_tls("/pair?phrase=pairchallenge").await, "paired"),
        Some("1")
    );
}

#[tokio::test]
async fn without_a_window_the_device_is_told_what_to_do() {
    let host = TestHost::new().await;
    let refused = Client::new("1234").pair(&host).await.unwrap_err();
    assert!(refused.contains("punktfunkctl pair") && refused.contains("status_code=\"403\""));
}

#[tokio::test]
async fn a_wrong_pin_pairs_nobody_is_reported_and_delays_the_next_attempt() {
    let host = TestHost::new().await;
    window(&host);
    let client = Client::new("1234");
    let (paired, accepted) = tokio::join!(client.pair(&host), person(&host, "4321"));
    assert_eq!(paired.unwrap_err(), "PIN incorrect");
    assert!(matches!(accepted, Err(PairingError::WrongPin)));
    assert!(host.host.clients.list().is_empty());
    let again = client.pair(&host).await.unwrap_err();
    assert!(again.contains("status_code=\"429\""), "{again}");
}

#[tokio::test]
async fn a_guesser_that_goes_on_after_a_wrong_pin_gets_nothing() {
    let host = TestHost::new().await;
    window(&host);
    let salt = hex::encode([7; 16]);
    let pem = hex::encode(CLIENT_PEM);
    let one = format!("{BASE}&phrase=getservercert&salt={salt}&clientcert={pem}");
    let guesser = Client::new("0000");
    let attack = async {
        host.get(&one).await;
        host.get(&format!(
            "{BASE}&clientchallenge={}",
            guesser.seal(&[3; 16])
        ))
        .await;
        host.get(&format!(
            "{BASE}&serverchallengeresp={}",
            guesser.seal(&[5; 32])
        ))
        .await;
        host.get(&format!("{BASE}&clientpairingsecret={}", guesser.stage4()))
            .await
    };
    let (reply, accepted) = tokio::join!(attack, person(&host, "1234"));
    assert!(
        reply.contains("<paired>0</paired>") && reply.contains("status_code=\"400\""),
        "{reply}"
    );
    assert!(matches!(accepted, Err(PairingError::WrongPin)));
    assert!(host.host.clients.list().is_empty());
}

#[tokio::test]
async fn stages_without_an_attempt_out_of_order_or_from_nowhere_are_refused() {
    let host = TestHost::new().await;
    window(&host);
    let client = Client::new("1234");
    for path in [
        format!("{BASE}&clientchallenge={}", client.seal(&[3; 16])),
        format!("{BASE}&serverchallengeresp={}", client.seal(&[3; 32])),
        format!("{BASE}&clientpairingsecret={}", client.stage4()),
        format!("{BASE}&phrase=getservercert&salt=00&clientcert=00"),
        BASE.to_owned(),
        "/pair?phrase=getservercert".to_owned(),
        format!("/pair?uniqueid={}&clientchallenge=00", "a".repeat(65)),
    ] {
        let reply = host.get(&path).await;
        assert!(reply.contains("status_code=\"400\""), "{path}: {reply}");
    }
    // Stage 3 right after stage 1: the attempt is over, for the person too.
    let salt = hex::encode([7; 16]);
    let pem = hex::encode(CLIENT_PEM);
    let attack = async {
        host.get(&format!(
            "{BASE}&phrase=getservercert&salt={salt}&clientcert={pem}"
        ))
        .await;
        host.get(&format!(
            "{BASE}&serverchallengeresp={}",
            client.seal(&[3; 32])
        ))
        .await
    };
    let (reply, accepted) = tokio::join!(attack, person(&host, "1234"));
    assert!(reply.contains("out of order"), "{reply}");
    assert!(accepted.is_err() && host.host.clients.list().is_empty());
}

#[tokio::test]
async fn a_device_that_hangs_up_while_it_waits_is_no_longer_listed() {
    let host = Arc::new(TestHost::new().await);
    window(&host);
    let pairing = tokio::spawn({
        let host = Arc::clone(&host);
        async move { Client::new("1234").pair(&host).await }
    });
    let mut changes = host.host.pairings.changes();
    while host.host.pairings.waiting().is_empty() {
        changes.changed().await.unwrap();
    }
    pairing.abort();
    while !host.host.pairings.waiting().is_empty() {
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn two_devices_with_one_address_and_id_pair_at_once_each_by_its_own_pin() {
    let host = Arc::new(TestHost::new().await);
    window(&host);
    let pairings = &host.host.pairings;
    let mut changes = pairings.changes();
    let mut devices = Vec::new();
    for (pem, pin) in [(CLIENT_PEM, "1111"), (CLIENT_V1_PEM, "2222")] {
        let known = pairings.waiting().len();
        devices.push(tokio::spawn({
            let host = Arc::clone(&host);
            async move { Client::showing(pem, pin).pair(&host).await }
        }));
        while pairings.waiting().len() == known {
            changes.changed().await.unwrap();
        }
    }
    let mut waiting = pairings.waiting();
    waiting.sort_by_key(|one| one.id);
    let accept = |at: usize, pin| pairings.accept(waiting[at].id, pin, ME, None);
    let (first, second) = tokio::join!(accept(0, "1111"), accept(1, "2222"));
    let (first, second) = (first.unwrap(), second.unwrap());
    for device in devices {
        device.await.unwrap().unwrap();
    }
    let certificate = |id| host.host.clients.get(id).unwrap().certificate_der;
    assert_eq!(certificate(&first), der(CLIENT_PEM));
    assert_eq!(certificate(&second), der(CLIENT_V1_PEM));
}

#[tokio::test]
async fn an_unpair_from_the_network_ends_the_running_attempt_and_the_person_is_told() {
    let host = TestHost::new().await;
    window(&host);
    let salt = hex::encode([7; 16]);
    let pem = hex::encode(CLIENT_PEM);
    let giving_up = async {
        host.get(&format!(
            "{BASE}&phrase=getservercert&salt={salt}&clientcert={pem}"
        ))
        .await;
        host.get("/unpair?uniqueid=0123456789ABCDEF").await;
        let challenge = Client::new("1234").seal(&[3; 16]);
        host.get(&format!("{BASE}&clientchallenge={challenge}"))
            .await
    };
    let (late, accepted) = tokio::join!(giving_up, person(&host, "1234"));
    assert!(late.contains("status_code=\"400\""), "{late}");
    assert!(matches!(accepted, Err(PairingError::Expired)));
}

#[tokio::test]
async fn a_device_that_pairs_with_another_account_is_that_accounts_and_no_longer_the_firsts() {
    let host = TestHost::new().await;
    let before = host.paired();
    window(&host);
    let client = Client::new("1234");
    let (paired, accepted) = tokio::join!(client.pair(&host), person(&host, "1234"));
    paired.unwrap();
    assert_eq!(accepted.unwrap(), before.id);
    assert_eq!(host.host.clients.get(&before.id).unwrap().owner, ME);
    assert_eq!(host.host.clients.list().len(), 1);
}
