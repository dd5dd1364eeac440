//! Client certificates as odd as they come: what identifies a client is its key, its bytes, and nothing else.
#![allow(clippy::arithmetic_side_effects, reason = "test data")]
use super::server_config;
use crate::net::harness::{CLIENT_KEY, CLIENT_PEM, TestHost, der, exchange, http_get, sign};
use punktfunk_core::pairing::Certificate;
use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// One DER element.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let mut out = vec![tag];
    match contents.len() {
        length @ 0..=127 => out.push(u8::try_from(length).unwrap()),
        length => {
            let length = u16::try_from(length).unwrap().to_be_bytes();
            out.extend([0x82, length[0], length[1]]);
        }
    }
    out.extend(contents);
    out
}

const SEQUENCE: u8 = 0x30;
const UTC: u8 = 0x17;
const GENERALIZED: u8 = 0x18;
/// sha256WithRSAEncryption and sha1WithRSAEncryption, with NULL.
const SHA256: &str = "300d06092a864886f70d01010b0500";
const SHA1: &str = "300d06092a864886f70d0101050500";

/// A certificate for the test client's key, with everything else to choose.
struct Odd {
    version: Option<u8>,
    serial: Vec<u8>,
    algorithm: &'static str,
    /// Tag and text.
    from: (u8, &'static str),
    until: (u8, &'static str),
    /// Contents of the subject's common name, and its tag.
    name: (u8, &'static [u8]),
    /// A critical extension that nobody knows.
    extension: bool,
}

impl Default for Odd {
    /// As clients make theirs.
    fn default() -> Self {
        Self {
            version: Some(2),
            serial: vec![0],
            algorithm: SHA256,
            from: (UTC, "200101000000Z"),
            until: (UTC, "400101000000Z"),
            name: (0x0c, b"NVIDIA GameStream Client"),
            extension: false,
        }
    }
}

impl Odd {
    fn der(&self) -> Vec<u8> {
        let known = der(CLIENT_PEM);
        let (_, parsed) = x509_parser::parse_x509_certificate(&known).unwrap();
        let algorithm = hex::decode(self.algorithm).unwrap();
        let version = self.version.map_or(Vec::new(), |version| {
            element(0xa0, &[&element(2, &[&[version]])])
        });
        let serial = element(2, &[&self.serial]);
        let common_name = element(
            SEQUENCE,
            &[&[6, 3, 0x55, 4, 3], &element(self.name.0, &[self.name.1])],
        );
        let name = element(SEQUENCE, &[&element(0x31, &[&common_name])]);
        let validity = element(
            SEQUENCE,
            &[
                &element(self.from.0, &[self.from.1.as_bytes()]),
                &element(self.until.0, &[self.until.1.as_bytes()]),
            ],
        );
        let unknown = element(
            SEQUENCE,
            &[&[6, 3, 0x2a, 3, 4], &[1, 1, 0xff], &element(4, &[b"?"])],
        );
        let extensions = match self.extension {
            true => element(0xa3, &[&element(SEQUENCE, &[&unknown])]),
            false => Vec::new(),
        };
        let tbs = element(
            SEQUENCE,
            &[
                &version,
                &serial,
                &algorithm,
                &name,
                &validity,
                &name,
                parsed.public_key().raw,
                &extensions,
            ],
        );
        let signature = element(3, &[&[0], &sign(&tbs)]);
        element(SEQUENCE, &[&tbs, &algorithm, &signature])
    }
}

fn pem(der: &[u8]) -> String {
    let rows: Vec<String> = base64(der)
        .as_bytes()
        .chunks(64)
        .map(|row| String::from_utf8_lossy(row).into_owned())
        .collect();
    let body = rows.join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, &b| (word << 8) | u32::from(b));
        let word = word << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let value = (word >> (18 - 6 * digit)) & 63;
            out.push(match digit <= chunk.len() {
                true => char::from(DIGITS[value as usize]),
                false => '=',
            });
        }
    }
    out
}

fn odd_ones() -> Vec<(&'static str, Odd)> {
    let odd = Odd::default;
    vec![
        ("as clients make them, serial 0, no extensions", odd()),
        (
            "X.509 version 1",
            Odd {
                version: None,
                ..odd()
            },
        ),
        (
            "negative serial",
            Odd {
                serial: vec![0x80, 1],
                ..odd()
            },
        ),
        (
            "a serial of 40 bytes",
            Odd {
                serial: vec![0x7f; 40],
                ..odd()
            },
        ),
        (
            "expired",
            Odd {
                from: (UTC, "900101000000Z"),
                until: (UTC, "910101000000Z"),
                ..odd()
            },
        ),
        (
            "not yet valid",
            Odd {
                from: (UTC, "490101000000Z"),
                until: (GENERALIZED, "20690101000000Z"),
                ..odd()
            },
        ),
        (
            "valid for ever, from a clock at zero",
            Odd {
                from: (UTC, "700101000000Z"),
                until: (GENERALIZED, "99991231235959Z"),
                ..odd()
            },
        ),
        (
            "valid backwards",
            Odd {
                from: (UTC, "400101000000Z"),
                until: (UTC, "200101000000Z"),
                ..odd()
            },
        ),
        (
            "times without seconds",
            Odd {
                from: (UTC, "2001010000Z"),
                until: (UTC, "4001010000Z"),
                ..odd()
            },
        ),
        (
            "times that are none",
            Odd {
                from: (UTC, "yesterday"),
                until: (UTC, ""),
                ..odd()
            },
        ),
        (
            "said to be signed with SHA-1",
            Odd {
                algorithm: SHA1,
                ..odd()
            },
        ),
        (
            "an unknown critical extension",
            Odd {
                extension: true,
                ..odd()
            },
        ),
        (
            "extensions in version 1",
            Odd {
                version: None,
                extension: true,
                ..odd()
            },
        ),
        (
            "a name that is not UTF-8",
            Odd {
                name: (0x0c, b"\xff\xfe"),
                ..odd()
            },
        ),
        (
            "an empty name",
            Odd {
                name: (0x13, b""),
                ..odd()
            },
        ),
        (
            "version 9",
            Odd {
                version: Some(8),
                ..odd()
            },
        ),
    ]
}

#[tokio::test]
async fn odd_client_certificates_identify_their_clients_on_both_versions_of_tls() {
    let host = TestHost::new().await;
    for (what, odd) in odd_ones() {
        let der = odd.der();
        // What pairing makes of it.
        let read = Certificate::from_pem(pem(&der).as_bytes());
        assert_eq!(
            read.map(|read| read.der().to_vec()),
            Ok(der.clone()),
            "{what}"
        );
        for version in VERSIONS {
            let stream = host.tls(Some(&pem(&der)), version).await;
            let stream = stream.unwrap_or_else(|e| panic!("{what}, {version:?}: {e}"));
            let reply = http_get(stream, "/serverinfo").await;
            assert!(reply.contains("status_code=\"401\""), "{what}: {reply}");
        }
        let owner = crate::net::harness::OWNER;
        let client = host.host.clients.add(what, &der, owner).unwrap();
        for version in VERSIONS {
            let stream = host.tls(Some(&pem(&der)), version).await.unwrap();
            let reply = http_get(stream, "/serverinfo").await;
            assert!(reply.contains("<PairStatus>1<"), "{what}: {reply}");
        }
        host.host.clients.remove(&client.id).unwrap();
    }
}

#[test]
fn what_is_no_certificate_or_too_large_is_refused_with_the_reason() {
    let good = Odd::default().der();
    let mut trailing = good.clone();
    trailing.push(0);
    let long = Odd {
        serial: vec![1; 9000],
        ..Odd::default()
    };
    for (bytes, reason) in [
        (b"garbage".to_vec(), "not X.509"),
        (good[..good.len() / 2].to_vec(), "not X.509"),
        (trailing, "bytes follow"),
        (long.der(), "too long"),
        (Vec::new(), "not X.509"),
    ] {
        let error = Certificate::from_der(&bytes).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let error = Certificate::from_pem(&vec![b'a'; 20_000]).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let elliptic = include_str!("../../../../core/src/pairing/fixtures/client_ec.pem");
    let error = Certificate::from_pem(elliptic.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("not RSA"), "{error}");
}

#[tokio::test]
async fn garbage_in_place_of_a_certificate_ends_the_handshake_and_nothing_else() {
    let host = TestHost::new().await;
    host.paired();
    for garbage in [
        vec![0x30, 0x03, 1, 2, 3],
        vec![0xff; 300],
        vec![0x30; 20_000],
    ] {
        for version in VERSIONS {
            // A client of TLS 1.3 learns of the refusal only when it reads.
            if let Ok(stream) = host.tls(Some(&pem(&garbage)), version).await {
                let request = b"GET /serverinfo HTTP/1.1\r\nHost: x\r\n\r\n";
                assert_eq!(exchange(stream, request).await, "");
            }
        }
    }
    assert!(host.get_tls("/serverinfo").await.contains("<PairStatus>1<"));
}

#[tokio::test]
async fn a_client_that_would_resume_a_session_shows_its_certificate_again() {
    let host = TestHost::new().await;
    host.paired();
    for version in VERSIONS {
        // One configuration for both connections: its session memory is what would resume.
        let config = TestHost::tls_client(Some(CLIENT_PEM), CLIENT_KEY, version);
        for _ in 0..2 {
            let stream = host.tls_with(&config).await.unwrap();
            let kind = stream.get_ref().1.handshake_kind();
            let reply = http_get(stream, "/serverinfo").await;
            assert!(reply.contains("<PairStatus>1<"), "{reply}");
            assert_eq!(kind, Some(rustls::HandshakeKind::Full), "{version:?}");
        }
    }
}

#[tokio::test]
async fn the_host_shows_its_one_rsa_certificate_and_no_other_protocol() {
    let host = TestHost::new().await;
    for version in VERSIONS {
        let stream = host.tls(None, version).await.unwrap();
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates().unwrap();
        assert_eq!(chain.len(), 1);
        assert_eq!(chain[0].as_ref(), host.host.identity.certificate_der);
        assert_eq!(session.alpn_protocol(), None);
        let (_, parsed) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
        let key = parsed.public_key().parsed().unwrap();
        assert_eq!(key.key_size(), 2048);
    }
    let config = server_config(&host.host.identity).unwrap();
    assert!(config.alpn_protocols.is_empty());
}
