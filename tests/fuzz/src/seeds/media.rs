//! Seeds of what carries pictures and sound.
use super::Seeds;
use punktfunk_core::{
    audio::AudioPacketizer,
    video::{AccessUnit, FrameKind, Packetizer, PacketizerConfig},
};

/// Key frames and others of each codec, as small as they come; codec, key flag and room in front.
pub(super) fn access_unit() -> Seeds {
    let nal = |header: &[u8], body: usize| [&[0, 0, 0, 1], header, &vec![0x55; body]].concat();
    let h264 = [nal(&[0x67, 0x42], 3), nal(&[0x68], 2), nal(&[0x65], 12)].concat();
    let told = [nal(&[6, 5, 16], 24), h264.clone()].concat();
    let hevc = [
        nal(&[0x40, 1], 2),
        nal(&[0x42, 1], 2),
        nal(&[0x44, 1], 2),
        nal(&[0x26, 1], 12),
    ]
    .concat();
    let av1 = [
        &[0x12, 0, 0x0a, 11][..],
        &[0; 11],
        &[0x32, 4, 0x10, 1, 2, 3],
    ]
    .concat();
    let input = |how: u8, room: u16, unit: &[u8]| {
        let [low, high] = room.to_le_bytes();
        [&[how, low, high], unit].concat()
    };
    vec![
        input(4, 1368, &h264),
        input(4, 60, &told),
        input(0, 1368, &nal(&[0x41], 12)),
        input(5, 1368, &hevc),
        input(1, 1368, &nal(&[2, 1], 9)),
        input(6, 1368, &av1),
    ]
}

/// Datagrams behind one another, each with its length, as the targets take them.
fn joined<'a>(datagrams: impl IntoIterator<Item = &'a [u8]>, length: fn(usize) -> u8) -> Vec<u8> {
    let mut all = Vec::new();
    for datagram in datagrams {
        all.push(length(datagram.len()));
        all.extend_from_slice(datagram);
    }
    all
}

/// Two blocks of sound: whole; two packets short; one that cannot be repaired.
pub(super) fn audio() -> Seeds {
    let mut packetizer = AudioPacketizer::new(5, None);
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for packet in 0..8u8 {
        sent.extend_from_slice(packetizer.packetize(&[packet; 20]).expect("fits"));
    }
    let without = |lost: &[usize]| {
        let kept = sent.iter().enumerate().filter(|(at, _)| !lost.contains(at));
        joined(kept.map(|(_, d)| d.as_slice()), |len| len as u8)
    };
    vec![without(&[]), without(&[0, 3]), without(&[1, 2, 3, 8])]
}

/// Frames of one and of several packets: whole; with repairable losses; one frame gone.
pub(super) fn video() -> Seeds {
    let mut packetizer = Packetizer::new(PacketizerConfig {
        packet_size: 64,
        fec_percent: 50,
        min_parity: 2,
        max_data_per_block: 4,
        seal: None,
    })
    .expect("a valid configuration");
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for (len, kind) in [
        (30, FrameKind::Idr),
        (300, FrameKind::Predicted),
        (90, FrameKind::Predicted),
    ] {
        let data: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let datagrams = packetizer
            .packetize(&AccessUnit {
                data: (&data).into(),
                unread: 0,
                kind,
                timestamp_90k: 1500 * len as u32,
                latency_100us: 12,
            })
            .expect("a frame");
        sent.extend(datagrams.iter().map(<[u8]>::to_vec));
    }
    let without = |lost: &[usize]| {
        let kept = sent.iter().enumerate().filter(|(at, _)| !lost.contains(at));
        joined(kept.map(|(_, d)| d.as_slice()), |_| 80)
    };
    vec![without(&[]), without(&[0, 4, 10]), without(&[3, 4, 5, 6])]
}
