//! Arbitrary answers of a card to the terminal's kernel.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_emv::terminal::fuzzing::kernel(data));
