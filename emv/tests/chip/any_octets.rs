//! Whatever octets come: an answer with a status.

use cekr_emv::chip::fuzzing;
use cekr_emv::crypto::tr31;
use proptest::prelude::*;

/// Commands that begin as the chip's own do, so that what stands behind the header is tried too.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let headers = prop::sample::select(vec![
        [0x00, 0xA4, 0x04, 0x00],
        [0x00, 0xA4, 0x04, 0x02],
        [0x00, 0xB2, 0x01, 0x0C],
        [0x00, 0x20, 0x00, 0x80],
        [0x00, 0x20, 0x00, 0x88],
        [0x00, 0x82, 0x00, 0x00],
        [0x00, 0x84, 0x00, 0x00],
        [0x00, 0x88, 0x00, 0x00],
        [0x00, 0xC0, 0x00, 0x00],
        [0x80, 0xA8, 0x00, 0x00],
        [0x80, 0xAE, 0x80, 0x00],
        [0x80, 0xAE, 0x50, 0x00],
        [0x80, 0xCA, 0x9F, 0x36],
        [0x84, 0x24, 0x00, 0x02],
        [0x04, 0xDA, 0x9F, 0x58],
    ]);
    let lengths = prop::sample::select(vec![0_usize, 4, 6, 7, 8, 10, 13, 14, 31, 33, 39, 43, 128]);
    let values = (headers, lengths, any::<u8>(), any::<u8>());
    let usual = values.prop_map(|(header, len, octet, expected)| {
        let name: &[u8] = &[0xA0, 0, 0, 0, 3, 0x10, 0x10];
        let counted = [0x83, len.saturating_sub(2) as u8];
        let data: Vec<u8> = match header {
            [0x00, 0xA4, ..] => name.to_vec(),
            [0x80, 0xA8, ..] => counted.into_iter().chain([octet; 128]).take(len).collect(),
            _ => vec![octet; len],
        };
        [&header[..], &[data.len() as u8], &data, &[expected]].concat()
    });
    prop_oneof![9 => usual, 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_commands_are_answered(
        choice: u8, commands in prop::collection::vec(command(), 0..24)
    ) {
        let counted = commands.iter().flat_map(|apdu| {
            [&[apdu.len() as u8], apdu.as_slice()].concat()
        });
        let data: Vec<u8> = [choice].into_iter().chain(counted).collect();
        fuzzing::chip(&data);
    }

    #[test]
    fn any_octets_are_a_key_block_or_none(data in prop::collection::vec(any::<u8>(), 0..64)) {
        tr31::fuzzing::tr31(&data);
    }
}
