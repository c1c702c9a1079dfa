//! What a view reads, a writer writes back: the same values, and the same octets from then on.
#![no_main]

use cekr_iso8583::{Spec, fuzzing::round_trip};

libfuzzer_sys::fuzz_target!(|data: &[u8]| for spec in Spec::built_in() {
    round_trip(spec, data);
});
