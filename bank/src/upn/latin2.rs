//! ISO 8859-2, the alphabet of a UPN QR code: one octet a character, what is missing is refused.

/// A character's octet, if the alphabet has it; control characters are left out.
#[must_use]
pub fn octet(letter: char) -> Option<u8> {
    if matches!(letter, ' '..='~') {
        return u8::try_from(letter).ok();
    }
    let place = UPPER.chars().position(|known| known == letter)?;
    u8::try_from(0xA0 + place).ok()
}

/// The alphabet from A0 to FF.
const UPPER: &str = "\u{A0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{AD}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎ\
    ĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_a_place_for_each_octet_from_a0() {
        assert_eq!(UPPER.chars().count(), 96);
        assert_eq!(octet('\u{A0}'), Some(0xA0));
        assert_eq!(octet('˙'), Some(0xFF));
        assert_eq!(octet('Č'), Some(0xC8));
        assert_eq!(octet('\n'), None);
        assert_eq!(octet('€'), None);
    }
}
