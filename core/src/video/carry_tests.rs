//! Tests of counters that one packetiser hands to the next.
use super::{AccessUnit, FrameKind, Packetizer, PacketizerConfig, SEAL_LEN};
use crate::crypto::Key;
use std::collections::HashSet;

fn config() -> PacketizerConfig {
    PacketizerConfig {
        packet_size: 256,
        fec_percent: 20,
        min_parity: 2,
        max_data_per_block: 100,
        seal: Some(Key([5; 16])),
    }
}

fn send(packetizer: &mut Packetizer, len: usize) -> Vec<Vec<u8>> {
    let data = vec![len as u8; len];
    let unit = AccessUnit {
        data: (&data).into(),
        unread: 0,
        kind: FrameKind::Idr,
        timestamp_90k: 0,
        latency_100us: 0,
    };
    let datagrams = packetizer.packetize(&unit).unwrap();
    datagrams.iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn after_a_hand_over_no_nonce_comes_twice_and_the_client_sees_no_seam() {
    let mut first = Packetizer::new(config()).unwrap();
    let mut sent: Vec<_> = [700, 9000, 3].map(|len| send(&mut first, len)).concat();
    let mut second = Packetizer::resumed(config(), first.carry()).unwrap();
    assert_eq!(second.next_frame_index(), 4);
    sent.extend(send(&mut second, 5000));
    let mut third = Packetizer::resumed(config(), second.carry()).unwrap();
    sent.extend(send(&mut third, 10));

    let ivs: HashSet<&[u8]> = sent.iter().map(|datagram| &datagram[..12]).collect();
    assert_eq!(ivs.len(), sent.len(), "an IV came twice");

    // One packetiser for the whole stream makes the same bytes.
    let mut alone = Packetizer::new(config()).unwrap();
    let expected: Vec<_> = [700, 9000, 3, 5000, 10]
        .map(|len| send(&mut alone, len))
        .concat();
    assert!(sent == expected);
    assert!(sent[0].len() > SEAL_LEN);
}

#[test]
fn a_packetizer_without_a_seal_hands_its_indices_on() {
    let plain = || PacketizerConfig {
        seal: None,
        ..config()
    };
    let mut first = Packetizer::new(plain()).unwrap();
    let before = send(&mut first, 1000);
    let mut second = Packetizer::resumed(plain(), first.carry()).unwrap();
    let after = send(&mut second, 10);
    let number = u16::from_be_bytes([after[0][2], after[0][3]]);
    assert_eq!(usize::from(number), before.len());
    assert_eq!(after[0][20..24], 2_u32.to_le_bytes());
}
