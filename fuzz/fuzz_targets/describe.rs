//! Arbitrary octets through the description of a message, for people and as JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_iso8583::fuzzing::describe(data));
