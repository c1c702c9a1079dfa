//! What a view reads, a writer writes back: the same octets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_iso8583::fuzzing::round_trip(data));
