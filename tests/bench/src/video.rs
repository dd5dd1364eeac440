//! The way of a frame through the packetiser and back, against copying it; sealing against copying and another cipher.
use super::ratio::{Clock, Table};
use punktfunk_core::crypto::{Gcm, Key};
use punktfunk_core::fec::{Code, Layout};
use punktfunk_core::video::{
    AccessUnit, FrameKind, Outcome, Packetizer, PacketizerConfig, Reassembler, ReassemblerConfig,
};
use punktfunk_dbus::channel::{Geometry, Ring};
use std::{hint::black_box, os::unix::fs::FileExt};

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
        whole(table, len, size);
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

/// The whole way through the service up to the socket: from the ring to datagrams that are protected and sealed, against the parity and
/// the sealing of the same packets alone.
fn whole(table: &mut Table, len: usize, size: &str) {
    let what = format!("frame {size}: read, 20 % parity, sealed");
    if !table.wants(&what) {
        return;
    }
    let ring = Ring::create(Geometry {
        slots: 2,
        slot_size: 1 << 20,
    })
    .expect("a ring");
    let memory = std::fs::File::from(ring.agent_fd().expect("a descriptor"));
    let frame: Vec<u8> = (0..len).map(|k| (k * 31) as u8).collect();
    memory.write_all_at(&frame, 0).expect("pwrite");
    let mut packetizer = packetizer(20, true);
    let mut work = || {
        let unit = AccessUnit {
            unread: len,
            ..unit(&[])
        };
        let mut at = 0;
        let made = packetizer.packetize_reading(&unit, |places| {
            let from = at;
            at += places.iter().map(|place| place.len()).sum::<usize>();
            ring.read_into(0, from, places)
        });
        black_box(made.expect("it fits").count());
    };
    // The shapes that the packetiser chooses: blocks of at most 212 data packets at 20 %.
    let packets = (len + 8).div_ceil(PACKET_SIZE - 16);
    let blocks = packets.div_ceil(212);
    let data = packets.div_ceil(blocks);
    let parity = punktfunk_core::fec::parity_count(data, 20).max(2);
    let code = Code::cauchy(data, parity).expect("a valid shape");
    let gcm = Gcm::new(&Key([7; 16]));
    let stride = PACKET_SIZE + 16 + 32;
    let mut block = vec![5; stride * (data + parity)];
    let layout = Layout {
        stride,
        offset: 32,
        len: PACKET_SIZE + 16,
    };
    let mut iv = [0; 12];
    let got = table.row(
        Clock::Cpu,
        &what,
        &mut work,
        "its parity and sealing alone",
        || {
            for _ in 0..blocks {
                code.encode(black_box(&mut block), layout).expect("it fits");
                for packet in block.chunks_exact_mut(stride) {
                    iv[0] = u8::wrapping_add(iv[0], 1);
                    black_box(gcm.seal(iv, &mut packet[32..]));
                }
            }
        },
    );
    let aim = format!("frame {size}: everything, against its parity and sealing alone");
    table.aim(&aim, 1.5, got.map(|row| row.0));
    let micros = got.map(|(_, time)| time.as_secs_f64() * 1e6);
    // 10 Gbit/s, and a third of the 41 µs of the best Rust host known.
    let at_most = if len > 300_000 {
        len as f64 * 8.0 / 10_000.0
    } else {
        41.0 / 3.0
    };
    table.aim(&format!("frame {size}: everything, in µs"), at_most, micros);
    let mut copy = frame.clone();
    table.row(Clock::Cpu, &what, &mut work, "memcpy of the frame", || {
        copy.copy_from_slice(black_box(&frame));
        black_box(&mut copy);
    });
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
    use openssl::{cipher::Cipher, cipher_ctx::CipherCtx};
    let mut context = CipherCtx::new().expect("a context");
    let cipher = Cipher::aes_128_gcm();
    context
        .encrypt_init(Some(cipher), Some(&[7; 16]), None)
        .expect("a key");
    let mut sealed = vec![0; source.len() + 16];
    let mut tag = [0; 16];
    table.row(Clock::Cpu, &what, &mut work, "OpenSSL", || {
        context
            .encrypt_init(None, None, Some(&[1; 12]))
            .expect("an IV");
        context
            .cipher_update(black_box(&source), Some(&mut sealed))
            .expect("room");
        context.cipher_final(&mut []).expect("the end");
        context.tag(&mut tag).expect("a tag");
        black_box(&mut tag);
    });
}
