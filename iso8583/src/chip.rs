//! Where the objects of DE 55 stand: just enough of BER-TLV to name them and to hide what is
//! secret.
//!
//! The objects of a template are walked like its neighbours, so the order is that of the octets.
//! Source: EMV 4.4 book 3, annex B (tags of one to three octets, lengths of one to three).

use core::ops::Range;

use crate::field::Field;

/// One data object; ranges count octets of the decoded value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Object {
    /// The tag's octets as a number: 0x9F26.
    pub(crate) tag: u32,
    /// Where the tag begins.
    pub(crate) start: usize,
    /// Where the value stands; empty for a template, whose objects follow by themselves.
    pub(crate) value: Range<usize>,
}

/// Walks the objects of a chip's data, raw or as hexadecimal text; ends where the form is broken.
#[derive(Clone)]
pub(crate) struct Objects<'a> {
    field: Field<'a>,
    len: usize,
    at: usize,
    broken: Option<Broken>,
}

/// Where the form breaks, and the tag that was being read if there was one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) tag: Option<u32>,
}

impl<'a> Objects<'a> {
    pub(crate) fn new(field: Field<'a>) -> Objects<'a> {
        Objects { field, len: field.characters().len() / 2, at: 0, broken: None }
    }

    /// Where the form is broken, once the walk has ended.
    pub(crate) fn broken(&self) -> Option<Broken> {
        let odd = !self.field.characters().len().is_multiple_of(2);
        self.broken.or(odd.then_some(Broken { at: self.len, tag: None }))
    }

    fn octet(&self, at: usize) -> Option<u8> {
        if at < self.len { self.field.octet(at) } else { None }
    }

    fn object(&self, start: usize) -> Result<Object, Broken> {
        let broken = |tag| Broken { at: start, tag };
        let first = self.octet(start).ok_or(broken(None))?;
        let mut tag = u32::from(first);
        let mut at = start + 1;
        if first & 0x1f == 0x1f {
            loop {
                if at - start == TAG_OCTETS_MAX {
                    return Err(broken(Some(tag)));
                }
                let octet = self.octet(at).ok_or(broken(Some(tag)))?;
                at += 1;
                tag = tag << 8 | u32::from(octet);
                if octet & 0x80 == 0 {
                    break;
                }
            }
        }
        let octet = |at| self.octet(at).map(usize::from).ok_or(broken(Some(tag)));
        let len = match octet(at)? {
            short @ 0..=0x7f => short,
            0x81 => {
                at += 1;
                octet(at)?
            }
            0x82 => {
                at += 2;
                octet(at - 1)? << 8 | octet(at)?
            }
            _ => return Err(broken(Some(tag))),
        };
        at += 1;
        if at + len > self.len {
            return Err(broken(Some(tag)));
        }
        let is_template = first & 0x20 != 0;
        Ok(Object { tag, start, value: at..at + if is_template { 0 } else { len } })
    }
}

impl Iterator for Objects<'_> {
    type Item = Object;

    fn next(&mut self) -> Option<Object> {
        // Zero octets may stand between objects (ISO/IEC 7816-4).
        while self.octet(self.at) == Some(0) {
            self.at += 1;
        }
        if self.broken.is_some() || self.at >= self.len {
            return None;
        }
        match self.object(self.at) {
            Ok(object) => {
                self.at = object.value.end;
                Some(object)
            }
            Err(broken) => {
                self.broken = Some(broken);
                None
            }
        }
    }
}

/// Whether the object holds a card number, track data, a PIN or the cardholder's name.
pub(crate) const fn is_secret(tag: u32) -> bool {
    matches!(tag, 0x56 | 0x57 | 0x5a | 0x5f20 | 0x99 | 0x9f0b | 0x9f1f | 0x9f20 | 0x9f6b)
}

/// What the usual objects are called (EMV 4.4 book 3, annex A).
pub(crate) const fn name(tag: u32) -> &'static str {
    match tag {
        0x56 => "Track 1 equivalent data",
        0x57 => "Track 2 equivalent data",
        0x5a => "Application primary account number",
        0x5f20 => "Cardholder name",
        0x5f24 => "Application expiration date",
        0x5f2a => "Transaction currency code",
        0x5f34 => "Application PAN sequence number",
        0x71 => "Issuer script template 1",
        0x72 => "Issuer script template 2",
        0x82 => "Application interchange profile",
        0x84 => "Dedicated file name",
        0x86 => "Issuer script command",
        0x8a => "Authorisation response code",
        0x91 => "Issuer authentication data",
        0x95 => "Terminal verification results",
        0x99 => "Transaction PIN data",
        0x9a => "Transaction date",
        0x9b => "Transaction status information",
        0x9c => "Transaction type",
        0x9f02 => "Amount, authorised",
        0x9f03 => "Amount, other",
        0x9f06 => "Application identifier",
        0x9f09 => "Application version number",
        0x9f10 => "Issuer application data",
        0x9f1a => "Terminal country code",
        0x9f1e => "Interface device serial number",
        0x9f1f => "Track 1 discretionary data",
        0x9f20 => "Track 2 discretionary data",
        0x9f26 => "Application cryptogram",
        0x9f27 => "Cryptogram information data",
        0x9f33 => "Terminal capabilities",
        0x9f34 => "Cardholder verification method results",
        0x9f35 => "Terminal type",
        0x9f36 => "Application transaction counter",
        0x9f37 => "Unpredictable number",
        0x9f41 => "Transaction sequence counter",
        0x9f53 => "Transaction category code",
        0x9f5b => "Issuer script results",
        0x9f66 => "Terminal transaction qualifiers",
        0x9f6b => "Track 2 data",
        0x9f6e => "Form factor indicator",
        _ => "Data object",
    }
}

/// Octets of the longest tag.
const TAG_OCTETS_MAX: usize = 3;
