use super::*;
use crate::crypto::Key;
use crate::{Error, fec};
use proptest::prelude::*;

fn packetizer(packet_size: usize, fec_percent: u8, seal: Option<Key>) -> Packetizer {
    Packetizer::new(PacketizerConfig {
        packet_size,
        fec_percent,
        min_parity: 2,
        max_data_per_block: 255,
        seal,
    })
    .unwrap()
}

fn receiver(packet_size: usize, seal: Option<Key>) -> Reassembler {
    Reassembler::new(ReassemblerConfig {
        packet_size,
        max_frame_len: 8 << 20,
        reorder_frames: 2,
        max_bytes_in_flight: 32 << 20,
        seal,
    })
    .unwrap()
}

fn unit(data: &[u8]) -> AccessUnit<'_> {
    AccessUnit {
        data: data.into(),
        unread: 0,
        kind: FrameKind::Idr,
        timestamp_90k: 0x0102_0304,
        latency_100us: 0x1122,
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|k| (k * 7 + k / 251) as u8).collect()
}

fn datagrams(p: &mut Packetizer, data: &[u8]) -> Vec<Vec<u8>> {
    p.packetize(&unit(data))
        .unwrap()
        .iter()
        .map(<[u8]>::to_vec)
        .collect()
}

fn frames(r: &mut Reassembler) -> Vec<Outcome> {
    std::iter::from_fn(|| r.pop()).collect()
}

#[test]
fn a_small_frame_has_exactly_the_bytes_of_the_wire() {
    let mut p = packetizer(64, 20, None);
    let got = datagrams(&mut p, &bytes(60));
    assert_eq!(
        got.len(),
        4,
        "two data packets and the minimum of two parity packets"
    );
    assert!(got.iter().all(|d| d.len() == 80));
    let head = |sequence: &str, index: &str, flags: &str, info: &str| {
        format!("9000{sequence}0102030400000000000000 00{index}01000000{flags}001000{info}")
            .replace(' ', "")
    };
    // fecInfo: 2 data shards << 22 | shard << 12 | 100 % << 4
    assert_eq!(
        hex::encode(&got[0][..32]),
        head("0000", "00000000", "05", "40068000")
    );
    assert_eq!(
        hex::encode(&got[1][..32]),
        head("0001", "00010000", "03", "40168000")
    );
    assert_eq!(
        hex::encode(&got[0][32..40]),
        "0122110214000000",
        "short header, latency, IDR, 20 bytes in the last"
    );
    assert_eq!(got[0][40..], bytes(60)[..40]);
    assert_eq!(
        (&got[1][32..52], &got[1][52..]),
        (&bytes(60)[40..], &[0; 28][..])
    );
    for (k, parity) in [(2u8, &got[2]), (3, &got[3])] {
        assert_eq!(parity[..8], [0x90, 0, 0, k, 1, 2, 3, 4]);
        assert_eq!(parity[20..24], [1, 0, 0, 0]);
        assert_eq!(parity[27..32], [0, 0x40, (k << 4) | 6, 0x80, 0]);
    }
}

#[test]
fn parity_covers_what_was_sent_but_for_the_fields_that_clients_restore() {
    let mut p = packetizer(64, 60, None);
    datagrams(&mut p, &bytes(10));
    let got = datagrams(&mut p, &bytes(48 * 5));
    let (data, parity) = (6, got.len() - 6);
    let clean = |d: &Vec<u8>| {
        let mut d = d.clone();
        for at in (0..16).chain(20..24).chain(27..32) {
            d[at] = 0;
        }
        d
    };
    let mut block: Vec<u8> = got.iter().take(data).flat_map(clean).collect();
    block.resize(got.len() * 80, 0);
    let layout = fec::Layout {
        stride: 80,
        offset: 0,
        len: 80,
    };
    fec::Code::cauchy(data, parity)
        .unwrap()
        .encode(&mut block, layout)
        .unwrap();
    for (want, sent) in block.chunks(80).zip(&got).skip(data) {
        let covered = |d: &[u8]| [&d[16..20], &d[24..27], &d[32..]].concat();
        assert_eq!(covered(want), covered(sent));
        assert_eq!(sent[8..16], [0; 8]);
    }
}

#[test]
fn counters_run_over_parity_and_blocks_and_every_block_starts_and_ends() {
    let mut p = Packetizer::new(PacketizerConfig {
        packet_size: 64,
        fec_percent: 20,
        min_parity: 1,
        max_data_per_block: 10,
        seal: None,
    })
    .unwrap();
    let mut sequence = 0u32;
    for frame in 1..=3000u32 {
        let sent = datagrams(&mut p, &bytes(48 * 25 - 8));
        let mut shard_seen = Vec::new();
        for datagram in &sent {
            let packet = Packet::parse(datagram).unwrap();
            assert_eq!(u32::from(packet.sequence), sequence & 0xFFFF);
            assert_eq!((packet.frame_index, packet.last_block), (frame, 2));
            if packet.is_data() {
                assert_eq!(packet.stream_index, sequence & 0xFF_FFFF);
            }
            shard_seen.push((packet.block, packet.shard, packet.data, packet.parity));
            sequence += 1;
        }
        let shape = |block, data, parity| (0..data + parity).map(move |k| (block, k, data, parity));
        let want: Vec<_> = shape(0, 9, 2)
            .chain(shape(1, 9, 2))
            .chain(shape(2, 7, 2))
            .collect();
        assert_eq!(shard_seen, want);
    }
    assert!(sequence > 0x1_0000, "the sequence number wrapped");
}

#[test]
fn the_last_payload_length_counts_the_header_and_is_full_when_nothing_is_left() {
    for (len, want) in [(1, 9), (39, 47), (40, 48), (41, 1), (87, 47), (88, 48)] {
        let sent = datagrams(&mut packetizer(64, 0, None), &bytes(len));
        assert_eq!(
            u16::from_le_bytes([sent[0][36], sent[0][37]]),
            want,
            "{len} bytes"
        );
    }
}

#[test]
fn the_buffer_stays_where_it_is_once_it_is_large_enough() {
    let mut p = packetizer(1024, 20, None);
    let first = p.packetize(&unit(&bytes(100_000))).unwrap().bytes.as_ptr();
    for len in [1, 50_000, 99_999, 100_000] {
        assert_eq!(
            p.packetize(&unit(&bytes(len))).unwrap().bytes.as_ptr(),
            first
        );
    }
}

#[test]
fn stale_bytes_of_a_longer_frame_do_not_leak_into_a_shorter_one() {
    let mut p = packetizer(64, 20, None);
    datagrams(&mut p, &[0xFF; 4000]);
    let sent = datagrams(&mut p, &[1; 50]);
    assert_eq!(sent[1][32..42], [1; 10]);
    assert_eq!(sent[1][42..], [0; 38]);
}

#[test]
fn a_frame_too_large_for_protected_blocks_goes_out_in_four_bare_ones() {
    let mut p = packetizer(64, 20, None);
    let data = bytes(48 * 4092 - 8);
    let sent = datagrams(&mut p, &data);
    assert_eq!(sent.len(), 4092);
    assert!(
        sent.iter()
            .all(|d| Packet::parse(d).is_ok_and(|p| p.percent == 0 && p.data == 1023))
    );
    assert!(matches!(
        p.packetize(&unit(&bytes(48 * 4092 - 7))),
        Err(Error::FrameTooLarge { .. })
    ));
    let mut r = receiver(64, None);
    for d in sent.iter().rev() {
        r.push(d).unwrap();
    }
    assert!(matches!(r.pop(), Some(Outcome::Frame(f)) if f.data == data));
}

#[test]
fn sealed_datagrams_are_longer_by_the_seal_and_never_share_an_iv() {
    let key = Key([3; 16]);
    let (mut plain, mut sealed) = (
        packetizer(64, 20, None),
        packetizer(64, 20, Some(key.clone())),
    );
    let mut opener = PacketOpener::new(&key);
    let mut counter = 0u64;
    for _ in 0..5 {
        let (a, b) = (
            datagrams(&mut plain, &bytes(300)),
            datagrams(&mut sealed, &bytes(300)),
        );
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(b.len(), 64 + 48);
            assert_eq!(b[..8], counter.to_le_bytes());
            assert_eq!(b[8..12], [0, 0, 0, b'V']);
            assert_eq!(b[12..16], a[20..24]);
            assert_eq!(opener.open(b).unwrap(), a);
            counter += 1;
        }
    }
}

#[test]
fn a_lost_packet_at_any_place_of_a_frame_of_three_blocks_is_repaired() {
    let mut r = receiver(64, None);
    let data = bytes(48 * 25);
    let mut p = Packetizer::new(PacketizerConfig {
        packet_size: 64,
        fec_percent: 20,
        min_parity: 2,
        max_data_per_block: 10,
        seal: None,
    })
    .unwrap();
    for gone in 0..32 {
        let sent = datagrams(&mut p, &data);
        for (_, d) in sent.iter().enumerate().filter(|(k, _)| *k != gone) {
            r.push(d).unwrap();
        }
        assert!(
            matches!(r.pop(), Some(Outcome::Frame(f)) if f.data == data),
            "without packet {gone}"
        );
    }
    assert_eq!(r.stats().repaired_shards, 26, "each data packet once");
}

#[test]
fn frames_are_given_up_when_the_window_has_passed_and_not_before() {
    let mut p = packetizer(64, 0, None);
    let sent: Vec<_> = (0..5).map(|k| datagrams(&mut p, &bytes(100 + k))).collect();
    let mut r = receiver(64, None);
    let push =
        |r: &mut Reassembler, frame: &[Vec<u8>]| frame.iter().for_each(|d| r.push(d).unwrap());
    push(&mut r, &sent[0][1..]);
    push(&mut r, &sent[1]);
    assert_eq!(r.pop(), None, "frame 1 may still be completed");
    r.push(&sent[2][0]).unwrap();
    assert_eq!(r.pop(), Some(Outcome::Lost { first: 1, last: 1 }));
    assert!(
        matches!(r.pop(), Some(Outcome::Frame(f)) if f.frame_index == 2 && f.data == bytes(101))
    );
    r.push(&sent[0][0]).unwrap();
    assert_eq!(r.stats().late, 1);
    push(&mut r, &sent[4]);
    r.flush();
    assert_eq!(r.pop(), Some(Outcome::Lost { first: 3, last: 4 }));
    assert!(matches!(r.pop(), Some(Outcome::Frame(f)) if f.frame_index == 5));
    assert_eq!(r.stats().lost_frames, 3);
}

#[test]
fn a_packet_that_contradicts_its_frame_changes_nothing() {
    let mut p = packetizer(64, 20, None);
    let sent = datagrams(&mut p, &bytes(300));
    let mut r = receiver(64, None);
    r.push(&sent[0]).unwrap();
    for (at, change) in [
        (4, 1u8),
        (16 + 1, 1),
        (27, 0x50),
        (31, 0x10),
        (28, 0x10),
        (24, 8),
        (0, 0x10),
        (26, 1),
    ] {
        let mut bad = sent[1].clone();
        bad[at] ^= change;
        assert!(r.push(&bad).is_err(), "byte {at}");
    }
    assert!(
        r.push(&sent[1][..79]).is_err(),
        "only the last data packet may be short"
    );
    assert!(r.push(&[sent[1].as_slice(), &[0]].concat()).is_err());
    for d in &sent[1..] {
        r.push(d).unwrap();
    }
    assert!(matches!(r.pop(), Some(Outcome::Frame(f)) if f.data == bytes(300)));
}

#[test]
fn a_host_that_cuts_the_padding_off_is_understood() {
    let mut p = packetizer(64, 0, None);
    let sent = datagrams(&mut p, &bytes(60));
    let mut r = receiver(64, None);
    r.push(&sent[1][..52]).unwrap();
    r.push(&sent[0]).unwrap();
    assert!(matches!(r.pop(), Some(Outcome::Frame(f)) if f.data == bytes(60)));
}

#[test]
fn parity_of_another_code_is_noticed_and_the_frame_is_lost_instead_of_wrong() {
    let mut p = packetizer(64, 50, None);
    let mut sent = datagrams(&mut p, &bytes(300));
    let data = sent
        .iter()
        .filter(|d| Packet::parse(d).unwrap().is_data())
        .count();
    for parity in &mut sent[data..] {
        parity[32..].reverse();
        parity[16] ^= 0xFF;
        parity[24] ^= 0xFF;
    }
    let mut r = receiver(64, None);
    let outcomes: Vec<_> = sent[1..].iter().map(|d| r.push(d)).collect();
    assert!(
        outcomes
            .iter()
            .any(|o| matches!(o, Err(Error::Unrecoverable { .. })))
    );
    assert_eq!(r.pop(), Some(Outcome::Lost { first: 1, last: 1 }));
}

#[test]
fn invented_frames_take_no_more_memory_than_allowed() {
    let mut p = packetizer(1024, 0, None);
    let mut forged = datagrams(&mut p, &bytes(2000)).remove(0);
    let mut r = Reassembler::new(ReassemblerConfig {
        packet_size: 1024,
        max_frame_len: 8 << 20,
        reorder_frames: 16,
        max_bytes_in_flight: 4 << 20,
        seal: None,
    })
    .unwrap();
    let mut refused = 0;
    for frame in 1..=16u32 {
        for block in 0..4u8 {
            forged[20..24].copy_from_slice(&frame.to_le_bytes());
            forged[27] = 0xC0 | (block << 4);
            forged[28..32].copy_from_slice(&(1023u32 << 22).to_le_bytes());
            refused += u32::from(r.push(&forged).is_err());
        }
    }
    assert!(
        refused >= 60,
        "a block is over a mebibyte, and four are allowed: {refused}"
    );
    let mut small = receiver(1024, None);
    forged[20..24].copy_from_slice(&1u32.to_le_bytes());
    assert!(small.push(&forged).is_ok());
    let mut strict = Reassembler::new(ReassemblerConfig {
        packet_size: 1024,
        max_frame_len: 100_000,
        reorder_frames: 2,
        max_bytes_in_flight: 4 << 20,
        seal: None,
    })
    .unwrap();
    assert!(matches!(
        strict.push(&forged),
        Err(Error::FrameTooLarge { .. })
    ));
}

#[test]
fn one_wild_frame_index_does_not_derail_the_stream_but_a_restarted_host_is_followed() {
    let mut p = packetizer(64, 0, None);
    let mut r = receiver(64, None);
    let mut wild = datagrams(&mut p, &bytes(10)).remove(0);
    r.push(&wild).unwrap();
    assert!(r.pop().is_some());
    wild[20..24].copy_from_slice(&4_000_000_000u32.to_le_bytes());
    assert!(r.push(&wild).is_err());
    let next = datagrams(&mut p, &bytes(11)).remove(0);
    r.push(&next).unwrap();
    assert!(matches!(r.pop(), Some(Outcome::Frame(f)) if f.frame_index == 2));
    for index in 900_000..900_100u32 {
        wild[20..24].copy_from_slice(&index.to_le_bytes());
        let _ = r.push(&wild);
    }
    assert!(matches!(frames(&mut r).last(), Some(Outcome::Frame(f)) if f.frame_index == 900_099));
}

#[test]
fn results_that_nobody_fetches_are_bounded() {
    let mut p = packetizer(64, 0, None);
    let mut r = receiver(64, None);
    for _ in 0..1000 {
        for d in datagrams(&mut p, &bytes(10)) {
            r.push(&d).unwrap();
        }
    }
    assert!(frames(&mut r).len() <= 256);
    assert_eq!(r.stats().unfetched, 1000 - 256);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reordered_duplicated_and_lossy_packets_give_the_frame_back(
        len in 1usize..12_000, percent in 10u8..60, sealed in any::<bool>(), max_data in 5usize..100,
        order in proptest::collection::vec(any::<u32>(), 400), again in any::<u8>(),
    ) {
        let key = sealed.then_some(Key([5; 16]));
        let mut p = Packetizer::new(PacketizerConfig {
            packet_size: 128, fec_percent: percent, min_parity: 1, max_data_per_block: max_data, seal: key.clone(),
        }).unwrap();
        let mut plain = Packetizer::new(PacketizerConfig {
            packet_size: 128, fec_percent: percent, min_parity: 1, max_data_per_block: max_data, seal: None,
        }).unwrap();
        let data = bytes(len);
        let shapes = datagrams(&mut plain, &data);
        let mut keyed: Vec<_> = datagrams(&mut p, &data).into_iter().zip(&shapes).zip(&order).collect();
        keyed.sort_by_key(|(_, k)| **k);
        let mut dropped = [0usize; 4];
        let mut r = receiver(128, key);
        for ((datagram, shape), _) in &keyed {
            let packet = Packet::parse(shape).unwrap();
            let gone = &mut dropped[usize::from(packet.block)];
            if *gone < packet.parity {
                *gone += 1;
                continue;
            }
            r.push(datagram).unwrap();
            if again % 2 == 0 {
                r.push(datagram).unwrap();
            }
        }
        prop_assert!(matches!(r.pop(), Some(Outcome::Frame(f)) if f.data == data));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..50),
    ) {
        let (mut plain, mut sealed) = (receiver(64, None), receiver(64, Some(Key([1; 16]))));
        for d in &datagrams {
            let _ = Packet::parse(d);
            let _ = plain.push(d);
            let _ = sealed.push(d);
        }
    }

    #[test]
    fn altered_packets_never_panic_and_never_outgrow_the_limits(
        changes in proptest::collection::vec((0usize..20, 0usize..64, any::<u8>()), 1..200),
    ) {
        let mut p = packetizer(64, 30, None);
        let mut sent: Vec<_> = (0..3).flat_map(|_| datagrams(&mut p, &bytes(200))).collect();
        let mut r = receiver(64, None);
        for (k, at, value) in changes {
            let k = k % sent.len();
            sent[k][at] = value;
            let _ = r.push(&sent[k]);
            while r.pop().is_some() {}
        }
    }
}
