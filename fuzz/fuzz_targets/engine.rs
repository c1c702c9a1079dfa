//! Arbitrary octets as read from a terminal's socket, through decision and answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cekr_switch::fuzzing::engine(data));
