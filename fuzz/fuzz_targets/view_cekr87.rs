//! Arbitrary octets as a message of the default spec.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_iso8583::fuzzing::view_cekr87(data));
