//! Tests of units that are read into their places.
use super::{AccessUnit, FrameKind, Packetizer, PacketizerConfig};
use crate::{Error, crypto::Key};
use proptest::prelude::*;
use std::io;

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

fn unit(data: &[u8], unread: usize) -> AccessUnit<'_> {
    AccessUnit {
        data: data.into(),
        unread,
        kind: FrameKind::Predicted,
        timestamp_90k: 90_000,
        latency_100us: 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_unit_that_is_read_into_its_places_makes_the_same_datagrams(
        packet_size in 64usize..400, len in 1usize..60_000, front in 0usize..5000, percent in 0u8..60, sealed in any::<bool>(),
    ) {
        let data: Vec<u8> = (0..len).map(|k| (k * 7 + k / 251) as u8).collect();
        let (front, behind) = data.split_at(front.min(len));
        let seal = sealed.then_some(Key([9; 16]));
        let mut copying = packetizer(packet_size, percent, seal.clone());
        let mut reading = packetizer(packet_size, percent, seal);
        // Twice: what an earlier frame left in the buffer must not shine through.
        for _ in 0..2 {
            let expected = copying.packetize(&unit(&data, 0)).unwrap();
            let mut source = behind;
            let got = reading.packetize_reading(&unit(front, behind.len()), |places| {
                for place in places {
                    let (now, later) = source.split_at(place.len());
                    place.copy_from_slice(now);
                    source = later;
                }
                Ok(())
            }).unwrap();
            prop_assert!(source.is_empty());
            prop_assert_eq!((got.count(), got.data, got.spare), (expected.count(), expected.data, expected.spare));
            prop_assert!(got.bytes == expected.bytes);
        }
    }
}

#[test]
fn a_reader_that_fails_and_bytes_that_nobody_reads_are_errors() {
    let mut packetizer = packetizer(200, 20, None);
    let failed = packetizer.packetize_reading(&unit(&[1; 10], 5000), |_| {
        Err(io::ErrorKind::UnexpectedEof.into())
    });
    assert!(matches!(failed, Err(Error::Transport(_))));
    assert!(packetizer.packetize(&unit(&[1; 10], 5000)).is_err());
    assert!(packetizer.packetize(&unit(&[1; 10], 0)).is_ok());
}
