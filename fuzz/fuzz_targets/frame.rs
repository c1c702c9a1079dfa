//! Arbitrary octets through each framing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_iso8583::fuzzing::frame(data));
