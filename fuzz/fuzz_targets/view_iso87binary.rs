//! Arbitrary octets as a message with packed digits and lengths.
#![no_main]

use cekr_iso8583::{ISO87BINARY, fuzzing::view};

libfuzzer_sys::fuzz_target!(|data: &[u8]| view(&ISO87BINARY, data));
