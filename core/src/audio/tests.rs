use super::*;
use crate::Error;
use crate::crypto::Key;
use proptest::prelude::*;

fn seal() -> AudioSeal {
    AudioSeal {
        key: Key(std::array::from_fn(|i| i as u8)),
        key_id: (-1_234_567i32) as u32,
    }
}

fn opus(k: usize, len: usize) -> Vec<u8> {
    (0..len).map(|b| (31 * k + 17 * b + 7) as u8).collect()
}

/// Datagrams of `count` packets of `len` bytes.
fn stream(count: usize, len: usize, seal: Option<AudioSeal>) -> Vec<Vec<u8>> {
    let mut p = AudioPacketizer::new(5, seal);
    (0..count)
        .flat_map(|k| p.packetize(&opus(k % 4, len)).unwrap().to_vec())
        .collect()
}

#[test]
fn a_block_has_exactly_the_bytes_of_the_wire() {
    let mut p = AudioPacketizer::new(5, None);
    let counts: Vec<_> = (0..4)
        .map(|_| p.packetize(&opus(0, 8)).unwrap().len())
        .collect();
    assert_eq!(counts, [1, 1, 1, 3]);
    let mut sent = Vec::new();
    for k in 0..4 {
        sent.extend(p.packetize(&opus(k, 8)).unwrap().to_vec());
    }
    assert_eq!(
        hex::encode(&sent[0]),
        "806100040000001400000000071829 3a4b5c6d7e".replace(' ', "")
    );
    assert_eq!(
        hex::encode(&sent[3]),
        "806100070000002300000000647586 97a8b9cadb".replace(' ', "")
    );
    assert_eq!(
        hex::encode(&sent[4]),
        "807f000800000000000000000061000400000014 0000000011c073c15f114c23".replace(' ', "")
    );
    assert_eq!(
        hex::encode(&sent[5]),
        "807f000900000000000000000161000400000014 0000000033e61fdbb516c36f".replace(' ', "")
    );
}

#[test]
fn sealed_packets_have_the_published_bytes() {
    let packet = [0xfc, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    let mut p = AudioPacketizer::new(5, Some(seal()));
    let sent: Vec<_> = (0..6)
        .map(|_| p.packetize(&packet).unwrap()[0].clone())
        .collect();
    assert_eq!(
        hex::encode(&sent[0][12..]),
        "1b4c0d229d8353a0431b2fe31fbbe95a"
    );
    assert_eq!(
        hex::encode(&sent[5][12..]),
        "885f31d120458d8fa7d1a4ecb7cfbdba"
    );
}

#[test]
fn a_block_of_unequal_packets_gets_no_parity_and_the_next_one_does() {
    let mut p = AudioPacketizer::new(10, None);
    let counts: Vec<_> = [8, 8, 9, 8, 8, 8, 8, 8]
        .iter()
        .map(|len| p.packetize(&opus(0, *len)).unwrap().len())
        .collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 1, 3]);
}

#[test]
fn no_datagram_is_longer_than_clients_receive() {
    for seal in [None, Some(seal())] {
        let mut p = AudioPacketizer::new(10, seal);
        let Err(Error::FrameTooLarge { max, .. }) = p.packetize(&opus(0, 1400)) else {
            panic!("1400 bytes fit")
        };
        for _ in 0..4 {
            assert!(
                p.packetize(&opus(0, max))
                    .unwrap()
                    .iter()
                    .all(|d| d.len() <= MAX_DATAGRAM)
            );
        }
        assert!(matches!(p.packetize(&[]), Err(Error::EmptyFrame)));
    }
}

#[test]
fn any_two_losses_of_a_block_are_repaired_in_order_with_the_right_times() {
    for sealing in [None, Some(seal())] {
        let sent = stream(8, 40, sealing.clone());
        for a in 0..6 {
            for b in 0..6 {
                let mut r = AudioReceiver::new(5, sealing.clone());
                for (_, d) in sent
                    .iter()
                    .enumerate()
                    .filter(|(k, _)| *k != 6 + a && *k != 6 + b)
                {
                    r.push(d).unwrap();
                }
                let got: Vec<_> = std::iter::from_fn(|| r.pop()).collect();
                assert_eq!(got.len(), 8, "without {a} and {b}");
                for (k, packet) in got.iter().enumerate() {
                    assert_eq!(
                        (packet.sequence, packet.timestamp_ms),
                        (k as u16, 5 * k as u32)
                    );
                    assert_eq!(
                        packet.opus.as_deref(),
                        Some(&opus(k % 4, 40)[..]),
                        "packet {k} without {a} and {b}"
                    );
                }
                assert_eq!(r.stats().lost, 0);
            }
        }
    }
}

#[test]
fn packets_are_not_held_back_while_nothing_is_missing() {
    let sent = stream(4, 20, None);
    let mut r = AudioReceiver::new(5, None);
    for d in &sent[..4] {
        r.push(d).unwrap();
        assert!(r.pop().is_some());
    }
}

#[test]
fn three_losses_are_reported_where_they_are() {
    let sent = stream(12, 20, None);
    let mut r = AudioReceiver::new(5, None);
    for (_, d) in sent
        .iter()
        .enumerate()
        .filter(|(k, _)| ![1, 2, 4].contains(k))
    {
        r.push(d).unwrap();
    }
    let lost: Vec<_> = std::iter::from_fn(|| r.pop())
        .filter(|p| p.opus.is_none())
        .map(|p| p.sequence)
        .collect();
    assert_eq!(lost, [1, 2]);
    assert_eq!((r.stats().lost, r.stats().packets), (2, 10));
}

#[test]
fn sequence_numbers_wrap_without_a_gap() {
    let mut p = AudioPacketizer::new(5, None);
    let mut r = AudioReceiver::new(5, None);
    let mut sent = 0;
    for _ in 0..66_000 {
        for d in p.packetize(&opus(1, 10)).unwrap() {
            sent += 1;
            if sent % 7 != 0 {
                r.push(d).unwrap();
            }
        }
        while let Some(packet) = r.pop() {
            assert!(packet.opus.is_some());
        }
    }
    assert_eq!(r.stats().lost, 0);
    assert!(r.stats().packets > 65_990);
}

#[test]
fn a_wrong_key_is_a_lost_packet_and_not_noise() {
    let sent = stream(4, 21, Some(seal()));
    let mut r = AudioReceiver::new(
        5,
        Some(AudioSeal {
            key: Key([9; 16]),
            key_id: 0,
        }),
    );
    for d in &sent {
        r.push(d).unwrap();
    }
    assert!(
        std::iter::from_fn(|| r.pop())
            .filter(|p| p.opus.is_none())
            .count()
            >= 3
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..60),
        kinds in proptest::collection::vec(any::<bool>(), 60),
    ) {
        let (mut plain, mut sealed) = (AudioReceiver::new(5, None), AudioReceiver::new(5, Some(seal())));
        for (d, fec) in datagrams.iter().zip(kinds) {
            let typed = [&[0x80, if fec { FEC_TYPE } else { DATA_TYPE }][..], d].concat();
            for bytes in [d, &typed] {
                let _ = plain.push(bytes);
                let _ = sealed.push(bytes);
            }
        }
        prop_assert!(std::iter::from_fn(|| plain.pop()).count() <= 200);
    }

    #[test]
    fn shuffled_packets_come_out_in_order(order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle(), gone in 0usize..3) {
        let sent = stream(4, 33, None);
        let mut r = AudioReceiver::new(5, None);
        for k in order.into_iter().skip(gone) {
            r.push(&sent[k]).unwrap();
        }
        let got: Vec<_> = std::iter::from_fn(|| r.pop()).collect();
        prop_assert_eq!(got.len(), 4);
        for (k, packet) in got.iter().enumerate() {
            prop_assert_eq!(packet.opus.as_deref(), Some(&opus(k, 33)[..]));
        }
    }
}
