//! Any bytes as a sealed control message, and as the inside of one, from either side. No panic; a message that is read
//! and written again reads the same.
use punktfunk_core::{
    Role,
    control::{ClientMessage, HostMessage, Iv, Opener, Sealer},
    crypto::Key,
};

const KEY: Key = Key([7; 16]);

/// One input.
pub fn run(data: &[u8]) {
    for iv in [Iv::V2, Iv::Legacy] {
        let mut opener = Opener::new(&KEY, iv, Role::Client).expect("a key");
        assert!(opener.open(data).is_err(), "a forgery was opened");
        // The same bytes from someone who has the key.
        let mut sealer = Sealer::new(&KEY, iv, Role::Client).expect("a key");
        if let Some((kind, payload)) = data.split_first_chunk::<2>()
            && let Ok(sealed) = sealer.seal(u16::from_le_bytes(*kind), payload)
        {
            let plain = opener.open(&sealed).expect("our own seal");
            assert_eq!(plain.payload, payload);
            assert!(opener.open(&sealed).is_err(), "a replay was opened");
        }
    }
    let Some((kind, payload)) = data.split_first_chunk::<2>() else {
        return;
    };
    let kind = u16::from_le_bytes(*kind);
    if let Ok(message) = ClientMessage::parse(kind, payload) {
        let (kind, payload) = message.encode();
        assert_eq!(ClientMessage::parse(kind, &payload).ok(), Some(message));
    }
    if let Ok(message) = HostMessage::parse(kind, payload) {
        let (kind, payload) = message.encode();
        assert_eq!(HostMessage::parse(kind, &payload).ok(), Some(message));
    }
}
