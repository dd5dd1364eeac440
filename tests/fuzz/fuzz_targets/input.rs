//! Any bytes as an input packet: no panic, and what decodes survives being encoded again.
#![no_main]
use libfuzzer_sys::fuzz_target;
use punktfunk_core::input::decode;

fuzz_target!(|data: &[u8]| {
    if let Ok(event) = decode(data) {
        assert_eq!(decode(&event.encode()).ok(), Some(event));
    }
});
