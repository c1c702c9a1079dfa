//! Arbitrary commands, one after the other, to a simulated chip.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_emv::chip::fuzzing::chip(data));
