//! A message that a terminal is about to send: data elements with values, in no dialect yet.
//!
//! Terminals build a few messages a minute, so this is a plain ordered map; what must be fast is
//! the load generator, and that patches encoded templates. `Debug` lists the data elements
//! without their values: a message holds the card's number and the PIN block.

use core::fmt;
use std::collections::BTreeMap;

use cekr_iso8583::{FieldSet, Framing, Header, Mti, Spec, WriteError, Writer};

/// A message type with data elements.
#[derive(Clone, Eq, PartialEq)]
pub struct Message {
    mti: Mti,
    fields: BTreeMap<u8, Value>,
}

/// The value of a data element, before any dialect encodes it.
#[derive(Clone, Eq, PartialEq)]
enum Value {
    Number(u64),
    Octets(Vec<u8>),
    Text(Vec<u8>),
}

impl Message {
    /// A message without data elements.
    #[must_use]
    pub const fn new(mti: Mti) -> Self {
        Self { mti, fields: BTreeMap::new() }
    }

    /// The message type.
    #[must_use]
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// The same message with another type, as a repeat has it.
    #[must_use]
    pub fn with_mti(&self, mti: Mti) -> Self {
        Self { mti, fields: self.fields.clone() }
    }

    /// Sets a numeric element.
    #[must_use]
    pub fn number(mut self, de: u8, value: u64) -> Self {
        self.fields.insert(de, Value::Number(value));
        self
    }

    /// Sets a text element; digits of a numeric one whose length matters (DE 2) count as text.
    #[must_use]
    pub fn text(mut self, de: u8, value: &[u8]) -> Self {
        self.fields.insert(de, Value::Text(value.to_vec()));
        self
    }

    /// Sets a binary element.
    #[must_use]
    pub fn octets(mut self, de: u8, value: &[u8]) -> Self {
        self.fields.insert(de, Value::Octets(value.to_vec()));
        self
    }

    /// The same message without these elements.
    #[must_use]
    pub fn without(mut self, elements: &[u8]) -> Self {
        self.fields.retain(|de, _| !elements.contains(de));
        self
    }

    /// Takes over the elements named here, as far as `other` has them.
    #[must_use]
    pub fn copying(mut self, other: &Self, elements: &[u8]) -> Self {
        for de in elements {
            if let Some(value) = other.fields.get(de) {
                self.fields.insert(*de, value.clone());
            }
        }
        self
    }

    /// True when the element is set.
    #[must_use]
    pub fn has(&self, de: u8) -> bool {
        self.fields.contains_key(&de)
    }

    /// A numeric element that was set as a number.
    #[must_use]
    pub fn as_number(&self, de: u8) -> Option<u64> {
        match self.fields.get(&de) {
            Some(Value::Number(value)) => Some(*value),
            Some(Value::Octets(_) | Value::Text(_)) | None => None,
        }
    }

    /// A text element.
    #[must_use]
    pub fn as_text(&self, de: u8) -> Option<&[u8]> {
        match self.fields.get(&de) {
            Some(Value::Text(value)) => Some(value),
            Some(Value::Octets(_) | Value::Number(_)) | None => None,
        }
    }

    /// Encodes the message, without a frame, behind what `out` already holds.
    ///
    /// # Errors
    /// A value that its data element cannot hold; `out` is then as it was.
    pub fn encode(&self, spec: &Spec, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let elements: Vec<u8> = self.fields.keys().copied().collect();
        let mut buffer = [0; OCTETS_MAX];
        let mut writer = Writer::new(spec, self.mti, FieldSet::of(&elements), &mut buffer)?;
        for (de, value) in &self.fields {
            match value {
                Value::Number(value) => writer.number(*de, *value)?,
                Value::Octets(value) => writer.octets(*de, value)?,
                Value::Text(value) => writer.text(*de, value)?,
            }
        }
        let len = writer.finish()?;
        out.extend_from_slice(buffer.get(..len).unwrap_or_default());
        Ok(())
    }

    /// Encodes the message in its frame behind what `out` already holds.
    ///
    /// # Errors
    /// As [`Message::encode`].
    pub fn encode_framed(
        &self,
        spec: &Spec,
        framing: Framing,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let mut message = vec![];
        self.encode(spec, &mut message)?;
        frame_of_terminal(framing, &message, out);
        Ok(())
    }
}

/// Puts a frame's header and then the message behind what `out` already holds.
pub fn frame(framing: Framing, header: Header, message: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + framing.header_len(), 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let written = framing.write_header(header, message.len(), room);
    debug_assert!(written.is_ok(), "the room was made for this header");
    out.extend_from_slice(message);
}

/// A frame as a terminal sends it: see [`frame`].
pub fn frame_of_terminal(framing: Framing, message: &[u8], out: &mut Vec<u8>) {
    frame(framing, TERMINAL_HEADER, message, out);
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with DE", self.mti)?;
        for de in self.fields.keys() {
            write!(f, " {de}")?;
        }
        Ok(())
    }
}

/// A terminal's TPDU: identifier 60, to address 0001, from address 0000, the values that
/// point-of-sale terminals are delivered with.
const TERMINAL_HEADER: Header = Header { tpdu: [0x60, 0x00, 0x01, 0x00, 0x00] };

/// Longest message a terminal of ours writes.
const OCTETS_MAX: usize = 2048;
