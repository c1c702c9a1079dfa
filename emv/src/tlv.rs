//! BER-TLV, the shape of a chip's data (EMV Book 3, Annex B): reading one object of a list.

/// The value of the first object with this `tag` at the top level of `data`.
///
/// `None` as well when the list breaks off before it: what cannot be read is not there. Tags have
/// one to three octets, lengths one to three.
///
/// ```
/// let data = [0x5F, 0x2A, 0x02, 0x09, 0x78, 0x9F, 0x1A, 0x02, 0x07, 0x05];
/// assert_eq!(cekr_emv::tlv::value_of(&data, 0x9F1A), Some(&[0x07, 0x05][..]));
/// assert_eq!(cekr_emv::tlv::value_of(&data, 0x9F36), None);
/// ```
#[must_use]
pub fn value_of(data: &[u8], tag: u32) -> Option<&[u8]> {
    let mut rest = data;
    while let Some((first, padded)) = rest.split_first() {
        // Octets of zero may stand before, between and after objects, and mean nothing.
        if *first == 0 {
            rest = padded;
            continue;
        }
        let (found, after_tag) = read_tag(rest)?;
        let (len, after_len) = read_length(after_tag)?;
        let (value, after) = after_len.split_at_checked(len)?;
        if found == tag {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// The low five bits all set say that the tag goes on; bit 8 of each further octet says so again.
fn read_tag(data: &[u8]) -> Option<(u32, &[u8])> {
    let (first, mut rest) = data.split_first()?;
    let mut tag = u32::from(*first);
    if first & 0x1F != 0x1F {
        return Some((tag, rest));
    }
    for _ in 0..2 {
        let (next, after) = rest.split_first()?;
        tag = tag << 8 | u32::from(*next);
        rest = after;
        if next & 0x80 == 0 {
            return Some((tag, rest));
        }
    }
    None
}

fn read_length(data: &[u8]) -> Option<(usize, &[u8])> {
    match data {
        [short @ ..=0x7F, rest @ ..] => Some((usize::from(*short), rest)),
        [0x81, len, rest @ ..] => Some((usize::from(*len), rest)),
        [0x82, high, low, rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([*high, *low])), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_past_the_end_ends_the_search() {
        assert_eq!(value_of(&[0x95, 0x05, 0, 0, 0], 0x95), None);
        assert_eq!(value_of(&[0x95, 0x82, 0xFF], 0x95), None);
        assert_eq!(value_of(&[0x9F], 0x9F), None);
        assert_eq!(value_of(&[0x9F, 0x81, 0x82, 0x83, 0x01, 0x00], 0x9F81), None);
    }

    #[test]
    fn zeros_between_objects_mean_nothing() {
        let data = [0x00, 0x82, 0x01, 0x00, 0x00, 0x00, 0x95, 0x01, 0x07, 0x00];
        assert_eq!(value_of(&data, 0x95), Some(&[0x07][..]));
        assert_eq!(value_of(&data, 0x9A), None);
    }

    #[test]
    fn a_long_length_and_a_three_octet_tag_are_read() {
        let mut data = [0_u8; 4 + 2 + 200];
        data[..6].copy_from_slice(&[0xDF, 0x81, 0x01, 0x81, 0xC8, 0x07]);
        let data = &data[..5 + 200];
        assert_eq!(value_of(data, 0x00DF_8101).map(<[u8]>::len), Some(200));
    }
}
