//! Arbitrary octets as a message with packed digits and lengths.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_iso8583::fuzzing::view_iso87binary(data));
