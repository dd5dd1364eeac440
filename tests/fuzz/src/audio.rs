//! Any sequence of audio datagrams: no panic, and no more results than are kept.
use punktfunk_core::audio::{AudioReceiver, AudioSeal};
use punktfunk_core::crypto::Key;

/// One input.
pub fn run(data: &[u8]) {
    let seal = AudioSeal {
        key: Key([0; 16]),
        key_id: 1,
    };
    let (mut plain, mut sealed) = (
        AudioReceiver::new(5, None),
        AudioReceiver::new(5, Some(seal)),
    );
    let mut rest = data;
    while let Some((len, tail)) = rest.split_first() {
        let (datagram, later) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = later;
        let _ = plain.push(datagram);
        let _ = sealed.push(datagram);
    }
    assert!(std::iter::from_fn(|| plain.pop()).count() <= 200);
}
