#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_fuzz::access_unit::run(data));
