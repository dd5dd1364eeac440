//! Tests of the counters over a long stream.
use super::{AccessUnit, FrameKind, Packetizer, PacketizerConfig, max_frame_len};

/// An hour of a fast stream: clients take the RTP number modulo 2^16 and the packet index modulo 2^24.
#[test]
fn both_packet_counters_start_at_0_and_wrap_at_their_own_width() {
    let mut packetizer = Packetizer::new(PacketizerConfig {
        packet_size: 64,
        fec_percent: 20,
        min_parity: 2,
        max_data_per_block: 255,
        seal: None,
    })
    .unwrap();
    let data = vec![7; max_frame_len(64)];
    let (mut packet, mut frame) = (0_u32, 0_u32);
    // A little more than 2^24 packets, and one short frame with parity in each thousand, so that the wraps fall anywhere.
    while packet < (1 << 24) + 10_000 {
        frame += 1;
        let short = frame.is_multiple_of(1000);
        let unit = AccessUnit {
            data: if short { &data[..500] } else { &data[..] }.into(),
            unread: 0,
            kind: FrameKind::Predicted,
            timestamp_90k: frame,
            latency_100us: 0,
        };
        let datagrams = packetizer.packetize(&unit).unwrap();
        assert_eq!(datagrams.parity > 0, short);
        let protected = datagrams.data;
        for (place, d) in datagrams.iter().enumerate() {
            assert_eq!(
                u32::from(u16::from_be_bytes([d[2], d[3]])),
                packet & 0xffff,
                "the number of packet {packet}"
            );
            if place < protected {
                let index = u32::from_le_bytes([d[16], d[17], d[18], d[19]]);
                assert_eq!(
                    index,
                    (packet & 0xff_ffff) << 8,
                    "the index of packet {packet}"
                );
            }
            assert_eq!(d[20..24], frame.to_le_bytes());
            packet += 1;
        }
    }
}
