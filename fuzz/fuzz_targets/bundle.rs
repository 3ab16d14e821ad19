#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kyodaku_fuzz::bundle(bytes));
