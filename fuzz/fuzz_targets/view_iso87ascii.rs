//! Arbitrary octets as a message in ASCII with a hexadecimal bitmap.
#![no_main]

use cekr_iso8583::{ISO87ASCII, fuzzing::view};

libfuzzer_sys::fuzz_target!(|data: &[u8]| view(&ISO87ASCII, data));
