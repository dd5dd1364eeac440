use super::*;
use crate::{Role, crypto::Key};
use proptest::prelude::*;

fn key() -> Key {
    Key(std::array::from_fn(|index| u8::try_from(index).unwrap()))
}

fn sealed(iv: Iv, sender: Role, sequence: u32, kind: u16, payload: &[u8]) -> String {
    hex::encode(
        Sealer::starting_at(&key(), iv, sender, sequence)
            .unwrap()
            .seal(kind, payload)
            .unwrap(),
    )
}

#[test]
fn sealed_messages_equal_the_published_vectors() {
    let idr = [0, 0];
    assert_eq!(
        sealed(Iv::V2, Role::Client, 0, 0x0302, &idr),
        "01001a000000000022302723537811166cb9bfead7dad4575cd629f5cafe"
    );
    assert_eq!(
        sealed(Iv::Legacy, Role::Client, 0, 0x0302, &idr),
        "01001a0000000000566c8363e380dad031b24ee56ee40bb6021579f6ebbe"
    );
    assert_eq!(
        sealed(Iv::Legacy, Role::Client, 300, 0x0302, &idr),
        "01001a002c0100006be90609dfe73abdf8fed87b477070e07a26c3c1fbee"
    );
    let mouse = hex::decode("0000000807000000000afffd").unwrap();
    let (kind, payload) = ClientMessage::Input(&mouse).encode();
    assert_eq!(
        sealed(Iv::V2, Role::Client, 2, kind, &payload),
        "01002400020000003a804d20b05fd55823aa2906b89c9e49a34e719649df1ab50672cdfb3bc4471a"
    );
    let (kind, payload) = HostMessage::Termination {
        reason: termination::NORMAL,
    }
    .encode();
    assert_eq!(
        sealed(Iv::V2, Role::Host, 6, kind, &payload),
        "01001c0006000000f6fd6046e1d9cd907e327d1394da5c2e686177e0f2d1af26"
    );
    let (kind, payload) = HostMessage::Rumble {
        controller: 0,
        low: 0x1234,
        high: 0x5678,
    }
    .encode();
    assert_eq!(
        sealed(Iv::V2, Role::Host, 5, kind, &payload),
        "0100220005000000b60d447a31d66aa0bd5d651e92081a793787750bb821b6a788cfcd742a42"
    );
}

#[test]
fn a_sealed_message_opens_once_and_never_again() {
    for iv in [Iv::V2, Iv::Legacy] {
        let mut sealer = Sealer::new(&key(), iv, Role::Client).unwrap();
        let mut opener = Opener::new(&key(), iv, Role::Client).unwrap();
        let packets: Vec<_> = (0..10u8)
            .map(|n| sealer.seal(0x0206, &[n]).unwrap())
            .collect();
        for index in [3usize, 0, 9, 1, 2, 8, 4, 5, 7, 6] {
            let opened = opener.open(&packets[index]).unwrap();
            assert_eq!(
                (opened.kind, opened.payload),
                (0x0206, &[u8::try_from(index).unwrap()][..])
            );
        }
        for packet in &packets {
            assert!(matches!(opener.open(packet), Err(Error::Replayed(_))));
        }
    }
}

#[test]
fn the_direction_is_part_of_the_seal() {
    let packet = Sealer::new(&key(), Iv::V2, Role::Host)
        .unwrap()
        .seal(0x0109, &[0; 4])
        .unwrap();
    let mut opener = Opener::new(&key(), Iv::V2, Role::Client).unwrap();
    assert!(matches!(opener.open(&packet), Err(Error::Unauthentic(_))));
}

#[test]
fn a_forged_number_does_not_move_the_window() {
    let mut sealer = Sealer::new(&key(), Iv::V2, Role::Client).unwrap();
    let mut opener = Opener::new(&key(), Iv::V2, Role::Client).unwrap();
    let good = sealer.seal(0x0200, &[0; 8]).unwrap();
    let mut forged = sealer.seal(0x0200, &[0; 8]).unwrap();
    forged[4..8].copy_from_slice(&0xF000_0000u32.to_le_bytes());
    assert!(opener.open(&forged).is_err());
    assert!(opener.open(&good).is_ok());
}

#[test]
fn vouching_remembers_nothing_and_trusts_no_replay() {
    let mut sealer = Sealer::new(&key(), Iv::V2, Role::Client).unwrap();
    let mut opener = Opener::new(&key(), Iv::V2, Role::Client).unwrap();
    let packet = sealer.seal(0x0200, &[0; 8]).unwrap();
    let mut altered = packet.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert!(!opener.vouches(&altered));
    assert!(opener.vouches(&packet) && opener.vouches(&packet));
    assert!(opener.open(&packet).is_ok());
    assert!(!opener.vouches(&packet));
}

#[test]
fn numbers_older_than_the_window_are_refused() {
    let mut window = ReplayWindow::default();
    assert!(window.accept(10_000));
    assert!(window.accept(10_000 - 4095));
    assert!(!window.accept(10_000 - 4096));
    assert!(window.accept(20_000));
    assert!(window.accept(19_999));
    assert!(!window.accept(10_000));
}

#[test]
fn the_packets_that_a_report_calls_lost_are_those_that_were_due() {
    let status = |received_data, received_parity, missing_before_highest| FecStatus {
        data: 10,
        parity: 4,
        received_data,
        received_parity,
        missing_before_highest,
        ..FecStatus::default()
    };
    // Rebuilt as soon as ten were there: of the last two parity packets nothing is known yet.
    let rebuilt = status(8, 2, 2);
    assert_eq!(
        (rebuilt.repaired(), rebuilt.lost(), rebuilt.seen()),
        (true, 2, 12)
    );
    // Given up: whatever is missing now does not come any more, the tail included.
    let given_up = status(6, 1, 3);
    assert_eq!(
        (given_up.repaired(), given_up.lost(), given_up.seen()),
        (false, 7, 14)
    );
    // A liar's numbers stay within its block.
    let lie = status(8, 2, u16::MAX);
    assert_eq!((lie.lost(), lie.seen()), (4, 14));
}

#[test]
fn every_client_message_survives_the_wire() {
    let status = FecStatus {
        frame: 77,
        data: 10,
        parity: 2,
        received_data: 9,
        received_parity: 2,
        missing_before_highest: 1,
        blocks: 1,
        ..FecStatus::default()
    };
    assert!(status.repaired() && status.lost() == 1);
    for message in [
        ClientMessage::RequestIdr,
        ClientMessage::StartB,
        ClientMessage::Ping,
        ClientMessage::InvalidateReferences { first: 5, last: 9 },
        ClientMessage::LtrAck { frame: 12 },
        ClientMessage::FecStatus(status),
        ClientMessage::Input(&[1, 2, 3]),
    ] {
        let (kind, payload) = message.encode();
        assert_eq!(ClientMessage::parse(kind, &payload).unwrap(), message);
    }
    assert_eq!(
        ClientMessage::parse(0x7777, &[]).unwrap(),
        ClientMessage::Unknown(0x7777)
    );
    assert_eq!(ClientMessage::FecStatus(status).encode().1.len(), 21);
    assert_eq!(
        ClientMessage::InvalidateReferences { first: 5, last: 9 }
            .encode()
            .1
            .len(),
        24
    );
}

#[test]
fn every_host_message_survives_the_wire() {
    let metadata = HdrMetadata {
        red: (1, 2),
        white: (3, 4),
        max_display: 1000,
        max_full_frame: 9,
        ..HdrMetadata::default()
    };
    for (message, length) in [
        (
            HostMessage::Rumble {
                controller: 1,
                low: 2,
                high: 3,
            },
            10,
        ),
        (
            HostMessage::TriggerRumble {
                controller: 1,
                left: 2,
                right: 3,
            },
            6,
        ),
        (
            HostMessage::MotionEvents {
                controller: 1,
                rate_hz: 100,
                kind: 2,
            },
            5,
        ),
        (
            HostMessage::RgbLed {
                controller: 1,
                red: 2,
                green: 3,
                blue: 4,
            },
            5,
        ),
        (
            HostMessage::AdaptiveTriggers {
                controller: 1,
                flags: 12,
                left_kind: 1,
                right_kind: 2,
                left: [7; 10],
                right: [8; 10],
            },
            25,
        ),
        (
            HostMessage::Hdr {
                enabled: true,
                metadata,
            },
            27,
        ),
        (
            HostMessage::Termination {
                reason: termination::NORMAL,
            },
            4,
        ),
    ] {
        let (kind, payload) = message.encode();
        assert_eq!(payload.len(), length);
        assert_eq!(HostMessage::parse(kind, &payload).unwrap(), message);
        assert!(HostMessage::parse(kind, &payload[1..]).is_err());
    }
}

/// Little-endian but for the reason of a termination; rumble begins with four bytes that clients skip.
#[test]
fn every_host_message_has_the_bytes_that_clients_read() {
    let metadata = HdrMetadata {
        red: (0x0102, 0x0304),
        green: (0x0506, 0x0708),
        blue: (0x090a, 0x0b0c),
        white: (0x0d0e, 0x0f10),
        max_display: 1000,
        min_display: 50,
        max_content: 900,
        max_frame_average: 400,
        max_full_frame: 600,
    };
    for (message, kind, bytes) in [
        (
            HostMessage::Rumble {
                controller: 0x0102,
                low: 0x0304,
                high: 0x0506,
            },
            0x010b,
            "00000000 0201 0403 0605",
        ),
        (
            HostMessage::TriggerRumble {
                controller: 1,
                left: 0x0203,
                right: 0x0405,
            },
            0x5500,
            "0100 0302 0504",
        ),
        (
            HostMessage::MotionEvents {
                controller: 3,
                rate_hz: 0x0102,
                kind: 2,
            },
            0x5501,
            "0300 0201 02",
        ),
        (
            HostMessage::RgbLed {
                controller: 4,
                red: 0xaa,
                green: 0xbb,
                blue: 0xcc,
            },
            0x5502,
            "0400 aa bb cc",
        ),
        (
            HostMessage::AdaptiveTriggers {
                controller: 5,
                flags: 0x0c,
                left_kind: 0x21,
                right_kind: 0x26,
                left: [1; 10],
                right: [2; 10],
            },
            0x5503,
            "0500 0c 21 26 01010101010101010101 02020202020202020202",
        ),
        (
            HostMessage::Hdr {
                enabled: true,
                metadata,
            },
            0x010e,
            "01 0201 0403 0605 0807 0a09 0c0b 0e0d 100f e803 3200 8403 9001 5802",
        ),
        (
            HostMessage::Termination {
                reason: 0x800e_9302,
            },
            0x0109,
            "800e9302",
        ),
    ] {
        let (got_kind, payload) = message.encode();
        assert_eq!(got_kind, kind, "{message:?}");
        assert_eq!(hex::encode(payload), bytes.replace(' ', ""), "{message:?}");
    }
}

/// What is big-endian in a FEC status is little-endian in everything else.
#[test]
fn client_messages_are_read_from_the_bytes_of_the_wire() {
    let parse = |kind, text: &str| {
        let bytes = hex::decode(text.replace(' ', "")).unwrap();
        let read = ClientMessage::parse(kind, &bytes).unwrap();
        format!("{read:?}")
    };
    assert_eq!(parse(0x0302, "0000"), "RequestIdr");
    assert_eq!(parse(0x0307, "00"), "StartB");
    assert_eq!(parse(0x0200, "0400 00000000 abcd"), "Ping");
    assert_eq!(
        parse(
            0x0301,
            "01020000 00000000 05020000 000000000000000000000000"
        ),
        "InvalidateReferences { first: 513, last: 517 }"
    );
    assert_eq!(parse(0x0350, "02010000 00000000"), "LtrAck { frame: 258 }");
    let status = FecStatus {
        frame: 0x0102_0304,
        highest_received: 0x0506,
        next_contiguous: 0x0708,
        missing_before_highest: 0x090a,
        data: 0x0b0c,
        parity: 0x0d0e,
        received_data: 0x0f10,
        received_parity: 0x1112,
        fec_percent: 0x13,
        block: 0x14,
        blocks: 0x15,
    };
    assert_eq!(
        parse(0x5502, "0102030405060708090a0b0c0d0e0f101112131415"),
        format!("{:?}", ClientMessage::FecStatus(status))
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_fail_badly(kind: u16, bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let mut opener = Opener::new(&key(), Iv::V2, Role::Client).unwrap();
        prop_assert!(opener.open(&bytes).is_err());
        let _ = ClientMessage::parse(kind, &bytes);
        let _ = HostMessage::parse(kind, &bytes);
    }

    #[test]
    fn the_window_accepts_each_number_at_most_once(numbers in proptest::collection::vec(0u32..9000, 0..600)) {
        let mut window = ReplayWindow::default();
        let mut seen = std::collections::HashSet::new();
        let mut newest = 0;
        for number in numbers {
            let fresh = !seen.contains(&number) && number.saturating_add(4096) > newest;
            prop_assert_eq!(window.accept(number), fresh);
            if fresh { seen.insert(number); newest = newest.max(number); }
        }
    }
}
