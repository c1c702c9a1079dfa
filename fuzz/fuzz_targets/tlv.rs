//! Arbitrary octets as a chip's data, read, written and shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_emv::tlv::fuzzing::tlv(data));
