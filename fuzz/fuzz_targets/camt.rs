//! Arbitrary octets as a bank's statement.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_bank::fuzzing::camt(data));
