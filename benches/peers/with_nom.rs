//! The same format as combinators of nom: all elements of `cekr87`, or the one message alone.
//!
//! Both check what our view checks: digits where the class asks for them, length prefixes against
//! their maximum, nothing left over. nom parses and does not write, so it has no reply here.

use nom::bytes::complete::{tag, take};
use nom::combinator::{all_consuming, eof, map_opt, verify};
use nom::error::{Error, ErrorKind};
use nom::multi::length_data;
use nom::number::complete::be_u64;
use nom::{Err, IResult, Parser};

use crate::Read;

/// A message of any type; its values are borrowed, element 1 first.
pub(crate) struct Message<'a> {
    pub(crate) mti: &'a [u8],
    pub(crate) fields: [Option<&'a [u8]>; 128],
}

impl<'a> Message<'a> {
    /// Reads whatever the bitmaps announce. A plain loop, not a combinator of its own: the array
    /// would be handed on by value, which took a quarter longer.
    pub(crate) fn parse(input: &'a [u8]) -> Result<Message<'a>, Err<Error<&'a [u8]>>> {
        let (input, mti) = number(4).parse(input)?;
        let (input, primary) = be_u64(input)?;
        // The first bit of a bitmap announces that another follows it.
        let (mut input, secondary) = if primary >> 63 == 0 { (input, 0) } else { be_u64(input)? };
        let mut fields = [None; 128];
        let mut announced = (u128::from(primary) << 64 | u128::from(secondary)) << 1;
        let mut de = 1;
        while announced != 0 {
            let skipped = announced.leading_zeros();
            de += skipped as usize + 1;
            announced = announced << skipped << 1;
            let (rest, value) = element(de, input)?;
            fields[de - 1] = Some(value);
            input = rest;
        }
        eof(input)?;
        Ok(Message { mti, fields })
    }

    pub(crate) fn field(&self, de: u8) -> Option<&'a [u8]> {
        self.fields[usize::from(de) - 1]
    }

    pub(crate) fn read(&self) -> Option<Read> {
        Read::of_ascii(self.field(2)?, self.field(4)?, self.field(11)?, self.field(41)?)
    }
}

/// The bench's message and no other: which elements stand where is known while compiling. What
/// nom could do at best, for a switch that had one terminal and one kind of purchase.
pub(crate) struct Purchase<'a>(pub(crate) [&'a [u8]; 18]);

impl<'a> Purchase<'a> {
    pub(crate) fn parse(input: &'a [u8]) -> Result<Purchase<'a>, Err<Error<&'a [u8]>>> {
        let elements = (
            (number_to(19), number(6), number(12), number(10), number(6), number(6)),
            (number(4), number(4), number(4), number(3), number(3), number(2)),
            (number_to(11), text(12), text(8), text(15), text(40), text(3)),
        );
        let head = (tag(&b"0100"[..]), tag(&crate::BITMAP[..]));
        let (_, (_, (first, middle, last))) = all_consuming((head, elements)).parse(input)?;
        let (a, b, c, d, e, f) = first;
        let (g, h, i, j, k, l) = middle;
        let (m, n, o, p, q, r) = last;
        Ok(Purchase([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r]))
    }

    pub(crate) fn read(&self) -> Option<Read> {
        let [pan, _, amount, _, stan, _, _, _, _, _, _, _, _, _, terminal, ..] = self.0;
        Read::of_ascii(pan, amount, stan, terminal)
    }
}

/// The value of one element, by its class and length in ISO 8583:1987.
fn element(de: usize, input: &[u8]) -> IResult<&[u8], &[u8]> {
    match de {
        2 => number_to(19).parse(input),
        3 | 11 | 12 | 73 => number(6).parse(input),
        4..=6 | 82..=85 => number(12).parse(input),
        7 | 74..=81 => number(10).parse(input),
        8..=10 => number(8).parse(input),
        13..=18 | 71 | 72 => number(4).parse(input),
        19..=24 | 68..=70 => number(3).parse(input),
        25 | 26 | 67 => number(2).parse(input),
        27 | 66 => number(1).parse(input),
        28..=31 => signed(9).parse(input),
        32 | 33 | 99 | 100 => number_to(11).parse(input),
        34 | 102 | 103 => text_to(2, 28).parse(input),
        35 => verify(text_to(2, 37), all_track).parse(input),
        36 => verify(text_to(3, 104), all_track).parse(input),
        37 => text(12).parse(input),
        38 => text(6).parse(input),
        39 | 92 => text(2).parse(input),
        40 | 49..=51 => text(3).parse(input),
        41 | 52 | 64 | 128 => text(8).parse(input),
        42 => text(15).parse(input),
        43 => text(40).parse(input),
        44 => text_to(2, 25).parse(input),
        45 => text_to(2, 76).parse(input),
        46..=48 | 55..=63 | 105..=127 => text_to(3, 999).parse(input),
        53 | 86..=89 => number(16).parse(input),
        54 => text_to(3, 120).parse(input),
        65 | 91 => text(1).parse(input),
        90 => number(42).parse(input),
        93 => text(6).parse(input),
        94 => text(7).parse(input),
        95 => text(42).parse(input),
        96 => text(16).parse(input),
        97 => signed(17).parse(input),
        98 => text(25).parse(input),
        101 => text_to(2, 17).parse(input),
        104 => text_to(3, 100).parse(input),
        _ => Err(Err::Error(Error::new(input, ErrorKind::Switch))),
    }
}

type Fault<'a> = Error<&'a [u8]>;

/// Exactly so many digits.
fn number<'a>(len: usize) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Fault<'a>> {
    verify(take(len), all_digits)
}

/// Digits behind a prefix of two.
fn number_to<'a>(max: usize) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Fault<'a>> {
    verify(text_to(2, max), all_digits)
}

/// A sign, `C` or `D`, then digits.
fn signed<'a>(len: usize) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Fault<'a>> {
    verify(take(len), |value: &[u8]| match value {
        [b'C' | b'D', digits @ ..] => all_digits(digits),
        _ => false,
    })
}

/// So many octets of any kind.
fn text<'a>(len: usize) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Fault<'a>> {
    take(len)
}

/// Octets of any kind behind a prefix of so many digits.
fn text_to<'a>(
    prefix: usize,
    max: usize,
) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Fault<'a>> {
    length_data(map_opt(number(prefix), move |digits: &[u8]| {
        let len = digits.iter().fold(0, |len, digit| len * 10 + usize::from(digit - b'0'));
        (len <= max).then_some(len)
    }))
}

fn all_digits(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit)
}

fn all_track(value: &[u8]) -> bool {
    value.iter().all(|octet| matches!(octet, b'0'..=b'?' | b'D'))
}
