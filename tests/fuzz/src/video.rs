//! Any sequence of datagrams: no panic, bounded memory, and frames only within the limits.
//!
//! The input is cut into datagrams by one length byte each; the lengths around that of a full packet are made likely.
use punktfunk_core::crypto::Key;
use punktfunk_core::video::{
    Outcome, Packet, PacketSeal, Reassembler, ReassemblerConfig, SEAL_LEN,
};

fn receiver(seal: Option<Key>) -> Reassembler {
    Reassembler::new(ReassemblerConfig {
        packet_size: 64,
        max_frame_len: 1 << 16,
        reorder_frames: 2,
        max_bytes_in_flight: 1 << 20,
        seal,
    })
    .expect("a valid configuration")
}

/// One input.
pub fn run(data: &[u8]) {
    let (mut plain, mut sealed) = (receiver(None), receiver(Some(Key([0; 16]))));
    let mut seal = PacketSeal::new(&Key([0; 16]));
    let mut rest = data;
    while let Some((len, tail)) = rest.split_first() {
        let len = if *len < 128 {
            80
        } else {
            usize::from(*len) - 128
        };
        let (datagram, later) = tail.split_at(len.min(tail.len()));
        rest = later;
        let _ = Packet::parse(datagram);
        let _ = plain.push(datagram);
        let _ = sealed.push(datagram);
        // The same bytes from someone who has the key.
        let mut genuine = [&[0; SEAL_LEN], datagram].concat();
        seal.seal(&mut genuine, 0);
        let _ = sealed.push(&genuine);
        while let Some(outcome) = plain.pop().or_else(|| sealed.pop()) {
            if let Outcome::Frame(frame) = outcome {
                assert!((1..=1 << 16).contains(&frame.data.len()));
            }
        }
    }
}
