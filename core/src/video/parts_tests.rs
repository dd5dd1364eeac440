//! Tests of frames that leave in parts.
use super::{
    AccessUnit, Begun, FrameKind, Outcome, Packetizer, PacketizerConfig, Reassembler,
    ReassemblerConfig, ReceivedFrame,
};
use crate::{Error, Result, crypto::Key};
use proptest::prelude::*;
use std::io::{self, IoSliceMut};

const PACKET: usize = 256;
const PAYLOAD: usize = PACKET - 16;

fn packetizer(percent: u8, seal: Option<Key>) -> Packetizer {
    Packetizer::new(PacketizerConfig {
        packet_size: PACKET,
        fec_percent: percent,
        min_parity: 2,
        max_data_per_block: 255,
        seal,
    })
    .unwrap()
}

fn unit(data: &[u8], unread: usize) -> AccessUnit<'_> {
    AccessUnit {
        data: data.into(),
        unread,
        kind: FrameKind::Predicted,
        timestamp_90k: 4500,
        latency_100us: 7,
    }
}

/// Gives bytes to whoever reads, in order.
fn source(mut bytes: &[u8]) -> impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()> + '_ {
    move |places| {
        for place in places {
            let (now, later) = bytes.split_at(place.len());
            place.copy_from_slice(now);
            bytes = later;
        }
        Ok(())
    }
}

/// The datagrams of a frame in these parts, each part's own.
fn sent(p: &mut Packetizer, parts: &[&[u8]], blocks: u8) -> Result<Vec<Vec<Vec<u8>>>> {
    let (first, later) = parts.split_first().unwrap();
    let (front, behind) = first.split_at(first.len() / 2);
    let own = |datagrams: super::Datagrams<'_>| datagrams.iter().map(<[u8]>::to_vec).collect();
    let (mut begun, datagrams) =
        p.begin_reading(&unit(front, behind.len()), blocks, source(behind))?;
    let mut all: Vec<Vec<Vec<u8>>> = vec![own(datagrams)];
    let (last, middle) = later.split_last().unwrap();
    for part in middle {
        all.push(own(p.part_reading(&mut begun, part.len(), source(part))?));
    }
    all.push(own(p.rest_reading(begun, last.len(), source(last))?));
    Ok(all)
}

fn receiver(seal: Option<Key>) -> Reassembler {
    Reassembler::new(ReassemblerConfig {
        packet_size: PACKET,
        max_frame_len: 8 << 20,
        reorder_frames: 2,
        max_bytes_in_flight: 32 << 20,
        seal,
    })
    .unwrap()
}

fn received(reassembler: &mut Reassembler) -> Option<ReceivedFrame> {
    match reassembler.pop()? {
        Outcome::Frame(frame) => Some(frame),
        other => panic!("{other:?}"),
    }
}

/// What a client gets: every part filled up with zeros to whole packets, the last one in so many blocks at least.
fn padded(parts: &[&[u8]], blocks: usize) -> Vec<u8> {
    let mut expected = Vec::new();
    for (k, part) in parts.iter().enumerate() {
        expected.extend_from_slice(part);
        let header = if k == 0 { 8 } else { 0 };
        let left = if k + 1 == parts.len() { blocks - k } else { 1 };
        let packets = (part.len() + header).div_ceil(PAYLOAD).max(left);
        expected.resize(expected.len() + packets * PAYLOAD - header - part.len(), 0);
    }
    expected
}

#[test]
fn parts_whose_parity_would_not_fit_get_more_blocks() {
    let p = packetizer(20, None);
    let blocks = |packets: usize, parts| p.blocks_for(&unit(&[], packets * PAYLOAD - 8), parts);
    assert_eq!((blocks(23, 2), blocks(23, 3)), (2, 3));
    assert_eq!((blocks(24, 2), blocks(200, 4)), (4, 4));
    assert!(p.holds(PAYLOAD * 212) && !p.holds(PAYLOAD * 213));
    // of two slices another one like that may be a quarter larger, and with all that parity 85 packets have room for theirs
    let p = packetizer(200, None);
    let most = p.blocks_for(&unit(&[], 23 * PAYLOAD - 8), 4);
    assert_eq!(most, 4);
}

#[test]
fn a_busy_part_behind_a_dull_one_has_its_parity() {
    let mut p = packetizer(20, None);
    let (dull, busy) = (vec![1; 60 * PAYLOAD - 8], vec![2; 260 * PAYLOAD]);
    let blocks = p.blocks_for(&unit(&[], dull.len()), 2);
    let sent = sent(&mut p, &[&dull, &busy], blocks).unwrap();
    let counts: Vec<usize> = sent.iter().map(Vec::len).collect();
    assert_eq!(counts[0], 60 + 12);
    assert!(counts[1] >= 260 + 52, "{counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_arrive_in_order_with_nothing_but_zeros_between_them_and_losses_are_repaired_within_each(
        lens in proptest::collection::vec(1usize..20_000, 2..=4), more in 0u8..3, percent in 1u8..60, sealed in any::<bool>(),
        lost in any::<u64>(),
    ) {
        let blocks = (lens.len() as u8 + more).min(4);
        let bytes: Vec<Vec<u8>> = (1u8..).zip(&lens).map(|(k, len)| vec![k; *len]).collect();
        let parts: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let seal = sealed.then_some(Key([3; 16]));
        let (mut p, mut r) = (packetizer(percent, seal.clone()), receiver(seal));
        for index in 1..=2 {
            let sent = sent(&mut p, &parts, blocks).unwrap();
            prop_assert_eq!(sent.len(), parts.len());
            for (k, part) in sent.iter().enumerate() {
                prop_assert!(part.len() >= 3, "a part without its parity: {}", part.len());
                // one of each part, any
                let hole = (lost >> (8 * k)) as usize % part.len();
                for (number, datagram) in part.iter().enumerate() {
                    if number != hole {
                        let _ = r.push(datagram);
                    }
                }
            }
            let frame = received(&mut r).expect("a frame");
            prop_assert_eq!((frame.frame_index, frame.timestamp_90k, frame.latency_100us), (index, 4500, 7));
            prop_assert!(frame.data == padded(&parts, usize::from(blocks)));
        }
    }
}

#[test]
fn a_frame_whose_rest_never_comes_is_lost_and_the_next_one_is_not() {
    let (mut p, mut r) = (packetizer(20, None), receiver(None));
    let bytes = [5; 3000];
    let (begun, datagrams) = p
        .begin_reading(&unit(&[], 3000), 4, source(&bytes))
        .unwrap();
    assert_eq!((begun.frame_index(), begun.is_last()), (1, false));
    for datagram in datagrams.iter() {
        r.push(datagram).unwrap();
    }
    assert_eq!(p.next_frame_index(), 2);
    for index in 2..6 {
        let datagrams = p.packetize(&unit(&bytes, 0)).unwrap();
        assert_eq!(datagrams.frame_index, index);
        for datagram in datagrams.iter() {
            r.push(datagram).unwrap();
        }
    }
    let outcomes: Vec<Outcome> = std::iter::from_fn(|| r.pop()).collect();
    let indices: Vec<u32> = (outcomes.iter())
        .filter_map(|outcome| match outcome {
            Outcome::Frame(frame) => Some(frame.frame_index),
            _ => None,
        })
        .collect();
    assert_eq!(indices, [2, 3, 4, 5]);
    assert_eq!(r.stats().lost_frames, 1);
}

#[test]
fn what_cannot_be_is_refused_and_too_large_a_part_as_well() {
    let mut p = packetizer(20, None);
    let bytes = [1; 900];
    for blocks in [0, 1, 5] {
        let refused = p.begin_reading(&unit(&bytes, 0), blocks, source(&[]));
        assert!(matches!(refused, Err(Error::BadConfig(_))));
    }
    let empty = p.begin_reading(&unit(&[], 0), 2, source(&[]));
    assert!(matches!(empty, Err(Error::EmptyFrame)));
    let mut begin = || -> Begun {
        let (begun, _) = p.begin_reading(&unit(&bytes, 0), 2, source(&[])).unwrap();
        begun
    };
    let mut begun = begin();
    assert!(begun.is_last());
    let refused = p.part_reading(&mut begun, 900, source(&bytes));
    assert!(matches!(refused, Err(Error::BadConfig(_))));
    let large = vec![1; 1023 * PAYLOAD + 1];
    let refused = p.rest_reading(begun, large.len(), source(&large));
    assert!(matches!(refused, Err(Error::FrameTooLarge { .. })));
    let whole = &large[..1023 * PAYLOAD];
    let datagrams = p.rest_reading(begun, whole.len(), source(whole)).unwrap();
    assert_eq!((datagrams.data, datagrams.parity), (1023, 0));
}

#[test]
fn small_frames_and_parts_too_large_for_their_parity_go_whole() {
    let p = packetizer(20, None);
    let worth: Vec<usize> = (1..300)
        .filter(|packets| p.worth_parts(packets * PAYLOAD - 8))
        .collect();
    assert_eq!((worth.first(), worth.last()), (Some(&4), Some(&212)));
}
