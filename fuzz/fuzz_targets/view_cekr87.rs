//! Arbitrary octets as a message of the default spec.
#![no_main]

use cekr_iso8583::{CEKR87, fuzzing::view};

libfuzzer_sys::fuzz_target!(|data: &[u8]| view(&CEKR87, data));
