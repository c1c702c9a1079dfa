//! What of a message may be seen: card numbers as first six and last four digits; track data, PIN
//! blocks and verification values not at all.
//!
//! Three rules hide a character: the field's own mask; a part that is secret (subfields of DE 48,
//! objects of DE 55); and, wherever it turns up, the card number of the message or a run of 13 to
//! 19 digits that could be one. Describing and redacting ask the same cover.

use core::ops::Range;

use crate::chip;
use crate::digits;
use crate::element;
use crate::field::{Field, Part};
use crate::spec::{Class, Encoding, Mask, Subfields};
use crate::subfield::{self, Tagged};
use crate::view::View;

/// Which characters of one field are hidden.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    bits: [u64; COVER_WORDS],
}

/// Words of a cover; what lies beyond its characters is hidden.
const COVER_WORDS: usize = 64;

impl Cover {
    const NOTHING: Cover = Cover { bits: [0; COVER_WORDS] };

    /// What of the field `de` is hidden.
    pub(crate) fn of(view: &View<'_>, de: u8) -> Cover {
        let mut cover = Cover::NOTHING;
        let Some(field) = view.field(de) else { return cover };
        let count = field.characters().len();
        match field.def().mask() {
            Mask::Wipe => cover.hide(0..count),
            Mask::Pan => cover.hide(middle(0..count)),
            Mask::Track => cover.hide_track(&field),
            Mask::Clear => {
                match field.def().subfields() {
                    Subfields::Chip => cover.hide_objects(field),
                    Subfields::Tagged => cover.hide_subfields(&field),
                    Subfields::Amounts
                    | Subfields::None
                    | Subfields::Original
                    | Subfields::Replacements => {}
                }
                if matches!(field.def().class(), Class::An | Class::Ans) {
                    cover.hide_runs(&field);
                }
                for known in [CardNumber::of_de2(view), CardNumber::of_track2(view)] {
                    cover.hide_known(&field, &known);
                }
            }
        }
        cover
    }

    /// Whether the character is hidden.
    pub(crate) fn hides(&self, at: usize) -> bool {
        self.bits.get(at / 64).is_none_or(|word| word >> (at % 64) & 1 == 1)
    }

    /// Whether any of the characters is hidden.
    pub(crate) fn hides_any(&self, mut range: Range<usize>) -> bool {
        range.any(|at| self.hides(at))
    }

    fn hide(&mut self, range: Range<usize>) {
        for at in range {
            if let Some(word) = self.bits.get_mut(at / 64) {
                *word |= 1 << (at % 64);
            }
        }
    }

    fn hide_track(&mut self, field: &Field<'_>) {
        let count = field.characters().len();
        let separator = field.characters().position(|c| matches!(c, b'=' | b'D'));
        match separator {
            Some(at) => {
                self.hide(middle(0..at));
                self.hide(at + 1..count);
            }
            // Without a separator nobody can say where the card number ends.
            None => self.hide(0..count),
        }
    }

    fn hide_subfields(&mut self, field: &Field<'_>) {
        // Only ASCII is told apart; text that cannot be read is not shown.
        let Some(text) = field.ascii() else {
            self.hide(0..field.characters().len());
            return;
        };
        let mut subfields = Tagged::new(text).iter();
        for part in subfields.by_ref() {
            if is_secret(part.id) {
                self.hide(part.offset..part.offset + part.value.len());
            }
        }
        let broken_at = subfields.offset();
        let id = text.get(broken_at..).and_then(<[u8]>::first_chunk::<2>);
        if id.is_some_and(|id| is_secret(*id)) {
            self.hide(broken_at..text.len());
        }
    }

    fn hide_objects(&mut self, field: Field<'_>) {
        let mut objects = chip::Objects::new(field);
        for object in objects.by_ref() {
            if chip::is_secret(object.tag) {
                self.hide(object.value.start * 2..object.value.end * 2);
            }
        }
        if let Some(broken) = objects.broken()
            && broken.tag.is_some_and(chip::is_secret)
        {
            self.hide(broken.at * 2..field.characters().len());
        }
    }

    /// Hides runs of digits that could be a card number.
    fn hide_runs(&mut self, field: &Field<'_>) {
        let mut run = [0; 19];
        let mut len = 0;
        let ended = field.characters().map(Some).chain(core::iter::once(None)).enumerate();
        for (at, character) in ended {
            if let Some(digit) = character.filter(u8::is_ascii_digit) {
                if let Some(place) = run.get_mut(len) {
                    *place = digit;
                }
                len += 1;
                continue;
            }
            let digits = run.get(..len).filter(|digits| digits.len() >= 13);
            let is_pan = digits
                .and_then(digits::luhn_sum)
                .is_some_and(|sum| sum != 0 && sum.is_multiple_of(10));
            if is_pan {
                self.hide(middle(at - len..at));
            }
            len = 0;
        }
    }

    /// Hides the message's own card number wherever it stands.
    fn hide_known(&mut self, field: &Field<'_>, known: &CardNumber) {
        let Some(number) = known.digits.get(..known.len).filter(|digits| digits.len() >= 13) else {
            return;
        };
        let count = field.characters().len();
        for start in 0..(count + 1).saturating_sub(number.len()) {
            let places = start..start + number.len();
            if number
                .iter()
                .zip(places.clone())
                .all(|(digit, at)| field.character(at) == Some(*digit))
            {
                self.hide(middle(places));
            }
        }
    }
}

impl View<'_> {
    /// Copies the message to the front of `out` with everything hidden overwritten by nines, so
    /// that it still reads; card numbers in DE 2 and 35 keep a valid check digit and each other's
    /// digits. `None` if `out` is too short.
    ///
    /// A message authentication code is not made anew.
    ///
    /// ```
    /// # use cekr_iso8583::{CEKR87, FieldSet, Mti, View, Writer};
    /// # let mut buffer = [0; 64];
    /// # let mut writer = Writer::new(&CEKR87, Mti::default(), FieldSet::of(&[2]), &mut buffer)?;
    /// # writer.text(2, b"4761730000000011")?;
    /// # let len = writer.finish()?;
    /// # let view = View::parse(&CEKR87, &buffer[..len]).map_err(|damaged| damaged.error)?;
    /// let mut out = [0; 64];
    /// let redacted = view.redact(&mut out).ok_or("the buffer is long enough")?;
    /// let redacted = View::parse(&CEKR87, redacted).map_err(|damaged| damaged.error)?;
    /// assert!(redacted.pan().is_some_and(|pan| pan.is_ok()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn redact<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let out = out.get_mut(..self.bytes().len())?;
        out.copy_from_slice(self.bytes());
        for de in self.present() {
            let (Some(field), Some(value_at)) = (self.field(de), self.value_offset(de)) else {
                continue;
            };
            let Some(value) = out.get_mut(value_at..value_at + field.raw().len()) else { continue };
            let number_len = match field.def().mask() {
                Mask::Pan => field.len(),
                Mask::Track => {
                    field.characters().position(|c| matches!(c, b'=' | b'D')).unwrap_or_default()
                }
                Mask::Clear | Mask::Wipe => 0,
            };
            let fill = fill_for(&field, number_len);
            let cover = Cover::of(self, de);
            for at in (0..field.characters().len()).filter(|at| cover.hides(*at)) {
                overwrite(&field, at, fill, value);
            }
            mend_check_digit(&field, number_len, fill, value);
        }
        Some(out)
    }
}

/// The digit that hides others: nine, or eight where nine would give the same card number again.
fn fill_for(field: &Field<'_>, number_len: usize) -> u8 {
    let mut hidden = 6..number_len.saturating_sub(5);
    let same = !hidden.is_empty() && hidden.all(|at| field.character(at) == Some(b'9'));
    if same { 8 } else { 9 }
}

/// Gives a redacted card number a hidden digit that makes its Luhn sum right.
fn mend_check_digit(field: &Field<'_>, number_len: usize, fill: u8, value: &mut [u8]) {
    let is_number = field.characters().take(number_len).all(|c| c.is_ascii_digit());
    if !(13..=19).contains(&number_len) || !is_number {
        return;
    }
    // The last hidden digit stands fifth from the right, where digits are not doubled.
    let last_hidden = number_len - 5;
    let mut text = [b'0'; 19];
    for (at, (to, from)) in text.iter_mut().zip(field.characters().take(number_len)).enumerate() {
        *to = match at {
            0..6 => from,
            hidden if hidden < last_hidden => b'0' + fill,
            hidden if hidden == last_hidden => b'0',
            _ => from,
        };
    }
    let sum = text.get(..number_len).and_then(digits::luhn_sum).unwrap_or_default();
    // Below ten.
    overwrite(field, last_hidden, ((10 - sum % 10) % 10) as u8, value);
}

/// Puts a digit in the place of a character.
fn overwrite(field: &Field<'_>, at: usize, digit: u8, value: &mut [u8]) {
    let place = field.place(at);
    let Some(octet) = value.get_mut(place.octet) else { return };
    *octet = match (place.part, field.def().encoding()) {
        (Part::High, _) => *octet & 0x0f | digit << 4,
        (Part::Low, _) => *octet & 0xf0 | digit,
        (Part::Whole, Encoding::Ebcdic) => 0xf0 + digit,
        (Part::Whole, Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex) => {
            b'0' + digit
        }
    };
}

/// The digits of a card number that the message itself names, valid or not.
struct CardNumber {
    digits: [u8; 19],
    len: usize,
}

impl CardNumber {
    fn of_de2(view: &View<'_>) -> CardNumber {
        CardNumber::collect(view.field(2).into_iter().flat_map(|field| field.characters()))
    }

    fn of_track2(view: &View<'_>) -> CardNumber {
        let track = view.field(35).into_iter().flat_map(|field| field.characters());
        CardNumber::collect(track.take_while(|c| element::separator(&[*c]).is_none()))
    }

    fn collect(characters: impl Iterator<Item = u8>) -> CardNumber {
        let mut number = CardNumber { digits: [0; 19], len: 0 };
        for (to, from) in number.digits.iter_mut().zip(characters) {
            *to = from;
            number.len += 1;
        }
        number
    }
}

/// Whether a subfield of DE 48 holds a PIN block or a verification value.
const fn is_secret(id: [u8; 2]) -> bool {
    matches!(id, subfield::PIN_BLOCK | subfield::NEW_PIN_BLOCK | subfield::CVV2)
}

/// All but the first six and last four digits of a card number; all of what is too short for one.
fn middle(number: Range<usize>) -> Range<usize> {
    if number.len() < 13 { number } else { number.start + 6..number.end - 4 }
}
