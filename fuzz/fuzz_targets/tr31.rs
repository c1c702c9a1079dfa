//! Arbitrary octets as a key block, and keys out of them in blocks with an octet changed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_emv::crypto::tr31::fuzzing::tr31(data));
