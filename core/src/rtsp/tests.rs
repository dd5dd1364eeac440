#![allow(
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    reason = "test data"
)]
use super::*;
use crate::{Error, crypto::Key};
use proptest::prelude::*;

const OPTIONS: &[u8] = b"OPTIONS rtspenc://10.0.0.1:48010 RTSP/1.0\r\nCSeq: 1\r\n\r\n";

fn key() -> Key {
    Key(std::array::from_fn(|i| i as u8))
}

fn vector() -> Vec<u8> {
    hex::decode(concat!(
        "80000036",
        "00000001",
        "6f4ae6d59a7c3140fa8ff998412ae4c1",
        "9fe452003a42126629e9a38df3e5ba69a1abdaec51aa1661850d8735998f849928429fae652a7d77",
        "88916ae9ff8d5721d8bff2ab5174"
    ))
    .unwrap()
}

#[test]
fn the_sealed_vector_of_a_real_client_opens_and_is_reproduced() {
    assert_eq!(
        open(&key(), Direction::ClientToHost, &vector()).unwrap(),
        (1, OPTIONS.to_vec())
    );
    assert_eq!(
        seal(&key(), Direction::ClientToHost, 1, OPTIONS).unwrap(),
        vector()
    );
}

#[test]
fn a_block_of_the_other_direction_or_key_does_not_open() {
    let wrong = Key([9; 16]);
    assert!(matches!(
        open(&key(), Direction::HostToClient, &vector()),
        Err(Error::Unauthentic(_))
    ));
    assert!(matches!(
        open(&wrong, Direction::ClientToHost, &vector()),
        Err(Error::Unauthentic(_))
    ));
}

#[test]
fn every_altered_bit_of_a_block_is_noticed() {
    for bit in 0..vector().len() * 8 {
        let mut block = vector();
        block[bit / 8] ^= 1 << (bit % 8);
        assert!(
            open(&key(), Direction::ClientToHost, &block).is_err(),
            "bit {bit}"
        );
    }
}

#[test]
fn a_sealed_length_beyond_the_limit_is_refused_before_the_rest_arrives() {
    assert!(sealed_len(&[0x80, 0x01, 0, 0]).is_err());
    assert!(sealed_len(&[0xff; 4]).is_err());
    assert!(sealed_len(&[0x80, 0, 0, 0]).is_err());
    assert_eq!(sealed_len(&[0x80, 0, 0]).unwrap(), None);
    assert_eq!(sealed_len(&[0x80, 0, 0, 5]).unwrap(), Some(29));
}

#[test]
fn a_request_in_pieces_is_complete_only_at_its_last_byte() {
    let whole = b"ANNOUNCE streamid=control/13/0 RTSP/1.0\r\nCSeq: 6\r\nSession:  DEADBEEF \r\nContent-length: 5\r\n\r\na=b \n";
    for end in 0..whole.len() {
        assert_eq!(Request::parse(&whole[..end]).unwrap(), None, "{end} bytes");
    }
    let request = Request::parse(whole).unwrap().unwrap();
    assert_eq!(request.method, Some(Method::Announce));
    assert_eq!(request.target, "streamid=control/13/0");
    assert_eq!(request.cseq(), 6);
    assert_eq!(request.header("session"), Some("DEADBEEF"));
    assert_eq!(request.body, b"a=b \n");
}

#[test]
fn bare_line_feeds_and_odd_spacing_are_tolerated() {
    let request = Request::parse(b"PLAY  / RTSP/1.0\ncseq:7\nHost :x\n\n")
        .unwrap()
        .unwrap();
    assert_eq!(request.method, Some(Method::Play));
    assert_eq!((request.cseq(), request.header("HOST")), (7, Some("x")));
}

#[test]
fn a_request_without_headers_and_an_unknown_method_still_parse() {
    let request = Request::parse(b"TEARDOWN / RTSP/1.0\r\n\r\n")
        .unwrap()
        .unwrap();
    assert_eq!((request.method, request.cseq()), (None, 0));
}

#[test]
fn nonsense_is_refused() {
    for bytes in [
        &b"\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"OPTIONS RTSP/1.0\r\n\r\n",
        b"OPTIONS / RTSP/1.0\r\nno colon\r\n\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: -1\r\n\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: 99999999999999999999999\r\n\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: 65536\r\n\r\n",
        b"OPTIONS \xff RTSP/1.0\r\n\r\n",
    ] {
        assert!(
            Request::parse(bytes).is_err(),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    let endless = vec![b'a'; MAX_MESSAGE];
    assert!(Request::parse(&endless).is_err());
    let many = format!("OPTIONS / RTSP/1.0\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert!(Request::parse(many.as_bytes()).is_err());
}

#[test]
fn responses_obey_the_strict_parser_of_the_client() {
    let response = Response::ok(3)
        .header("Session", "ABCDEF;timeout = 90")
        .header("Empty", "")
        .header("Forged", "a\r\nb: c")
        .body("v=0\n".into());
    assert_eq!(
        String::from_utf8(response.encode()).unwrap(),
        "RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: ABCDEF;timeout = 90\r\n\r\nv=0\n"
    );
    for status in 100..600 {
        let text = String::from_utf8(Response::status(1, status).encode()).unwrap();
        let words: Vec<_> = text.lines().next().unwrap().splitn(3, ' ').collect();
        assert!(!words[2].is_empty());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_refused_or_awaited(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Request::parse(&bytes);
        let _ = sealed_len(&bytes);
        let _ = open(&key(), Direction::ClientToHost, &bytes);
    }

    #[test]
    fn what_is_sealed_opens_again(plain in proptest::collection::vec(any::<u8>(), 1..3000), sequence: u32) {
        let block = seal(&key(), Direction::HostToClient, sequence, &plain).unwrap();
        prop_assert_eq!(sealed_len(&block).unwrap(), Some(block.len()));
        prop_assert_eq!(open(&key(), Direction::HostToClient, &block).unwrap(), (sequence, plain));
    }

    #[test]
    fn request_like_text_never_panics(
        line in "[A-Z]{0,9} [!-~]{0,20} RTSP/1.0",
        headers in proptest::collection::vec("[ -~]{0,30}", 0..5),
    ) {
        let _ = Request::parse(format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n")).as_bytes());
    }
}
