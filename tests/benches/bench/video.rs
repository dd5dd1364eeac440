//! The way of a frame through the packetiser and back, against copying it; sealing against copying and another cipher.
use super::ratio::{Clock, Table};
use punktfunk_core::crypto::{Gcm, Key};
use punktfunk_core::video::{
    AccessUnit, FrameKind, Outcome, Packetizer, PacketizerConfig, Reassembler, ReassemblerConfig,
};
use std::hint::black_box;

/// P of a client on the local network.
const PACKET_SIZE: usize = 1392;
/// Bytes of a frame: 20 Mbit/s and 150 Mbit/s at 60 fps.
const FRAMES: [(usize, &str); 2] = [(41_667, "41 KiB"), (312_500, "305 KiB")];

pub fn run(table: &mut Table) {
    for (len, size) in FRAMES {
        packetise(table, len, size, 0, false, "data only");
        packetise(table, len, size, 20, false, "20 % parity");
        packetise(table, len, size, 0, true, "data only, sealed");
    }
    for (len, size) in FRAMES {
        reassemble(table, len, size);
    }
    seal(table);
}

fn packetizer(fec_percent: u8, sealed: bool) -> Packetizer {
    Packetizer::new(PacketizerConfig {
        packet_size: PACKET_SIZE,
        fec_percent,
        min_parity: 2,
        max_data_per_block: 255,
        seal: sealed.then_some(Key([7; 16])),
    })
    .expect("a valid configuration")
}

fn unit(data: &[u8]) -> AccessUnit<'_> {
    AccessUnit {
        data: data.into(),
        unread: 0,
        kind: FrameKind::Predicted,
        timestamp_90k: 0,
        latency_100us: 0,
    }
}

fn packetise(table: &mut Table, len: usize, size: &str, fec_percent: u8, sealed: bool, how: &str) {
    let frame: Vec<u8> = (0..len).map(|k| (k * 31) as u8).collect();
    let mut copy = frame.clone();
    let mut packetizer = packetizer(fec_percent, sealed);
    table.row(
        Clock::Cpu,
        &format!("packetise {size}, {how}"),
        || {
            black_box(
                packetizer
                    .packetize(&unit(black_box(&frame)))
                    .expect("it fits")
                    .count(),
            );
        },
        "memcpy of the frame",
        || {
            copy.copy_from_slice(black_box(&frame));
            black_box(&mut copy);
        },
    );
}

fn reassemble(table: &mut Table, len: usize, size: &str) {
    let frame: Vec<u8> = (0..len).map(|k| (k * 31) as u8).collect();
    let mut copy = frame.clone();
    let mut packetizer = packetizer(0, false);
    let mut datagrams = packetizer
        .packetize(&unit(&frame))
        .expect("it fits")
        .bytes
        .to_vec();
    let mut receiver = Reassembler::new(ReassemblerConfig {
        packet_size: PACKET_SIZE,
        max_frame_len: 1 << 20,
        reorder_frames: 1,
        max_bytes_in_flight: 16 << 20,
        seal: None,
    })
    .expect("a valid configuration");
    let mut index = 0u32;
    table.row(
        Clock::Cpu,
        &format!("reassemble {size}, nothing lost"),
        || {
            index += 1;
            for datagram in datagrams.chunks_exact_mut(PACKET_SIZE + 16) {
                datagram[20..24].copy_from_slice(&index.to_le_bytes());
                receiver.push(datagram).expect("a good packet");
            }
            assert!(matches!(black_box(receiver.pop()), Some(Outcome::Frame(_))));
        },
        "memcpy of the frame",
        || {
            copy.copy_from_slice(black_box(&frame));
            black_box(&mut copy);
        },
    );
}

fn seal(table: &mut Table) {
    use aes_gcm::aead::{AeadInOut, KeyInit};
    let what = format!("seal {} bytes", PACKET_SIZE + 16);
    let gcm = Gcm::new(&Key([7; 16]));
    let mut packet = vec![1; PACKET_SIZE + 16];
    let mut iv = [0; 12];
    let mut work = || {
        iv[0] = u8::wrapping_add(iv[0], 1);
        black_box(gcm.seal(iv, black_box(&mut packet)));
    };
    let source = vec![2; PACKET_SIZE + 16];
    let mut copy = source.clone();
    table.row(Clock::Cpu, &what, &mut work, "memcpy", || {
        copy.copy_from_slice(black_box(&source));
        black_box(&mut copy);
    });
    let peer = aes_gcm::Aes128Gcm::new(&[7; 16].into());
    let mut theirs = source.clone();
    table.row(Clock::Cpu, &what, &mut work, "aes-gcm (RustCrypto)", || {
        black_box(
            peer.encrypt_inout_detached(
                &[1; 12].into(),
                b"",
                black_box(theirs.as_mut_slice()).into(),
            )
            .ok(),
        );
    });
}
