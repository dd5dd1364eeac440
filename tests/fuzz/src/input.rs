//! Any bytes as an input packet: no panic, and what decodes survives being encoded again.
use punktfunk_core::input::decode;

/// One input.
pub fn run(data: &[u8]) {
    if let Ok(event) = decode(data) {
        assert_eq!(decode(&event.encode()).ok(), Some(event));
    }
}
