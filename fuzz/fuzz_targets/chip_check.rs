//! Arbitrary octets of DE 55 to the issuer's check.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_emv::issuer::fuzzing::chip_check(data));
