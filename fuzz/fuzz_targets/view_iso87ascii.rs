//! Arbitrary octets as a message in ASCII with a hexadecimal bitmap.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_iso8583::fuzzing::view_iso87ascii(data));
