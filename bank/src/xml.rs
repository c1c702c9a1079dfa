//! XML as banks send it, pulled piece by piece: the path that is open, and the text of each leaf.
//!
//! Namespaces are not looked at. There is no document type, no entity beyond XML's own five, no
//! encoding but UTF-8, and each size has a bound with a name; what goes beyond is an error with its
//! line and column. Memory is that of the longest piece, however long the file.

use std::fmt;
use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesStart, Event};

/// Octets of a file.
pub const FILE_OCTETS_MAX: u64 = 256 << 20;

/// Elements that are open within one another.
pub const DEPTH_MAX: usize = 32;

/// Octets of one tag, one comment, or one run of text.
pub const PIECE_OCTETS_MAX: usize = 64 << 10;

/// Octets of the text of one element that is kept.
pub const FIELD_OCTETS_MAX: usize = 2_048;

/// Why a file cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}{}{path}: {fault}", if .path.is_empty() { "" } else { ", in " })]
pub struct Unreadable {
    /// Counted from 1.
    pub line: u64,
    /// Octets, counted from 1: where the piece ends that is at fault.
    pub column: u64,
    /// The elements that are open, from the outermost, with a slash between.
    pub path: String,
    /// What is wrong.
    pub fault: Fault,
}

impl Unreadable {
    /// Whoever read the file has ended before it did.
    #[must_use]
    pub const fn interrupted() -> Self {
        Self { line: 1, column: 1, path: String::new(), fault: Fault::Interrupted }
    }
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// An amount that is none, or has a part of a cent.
    Amount,
    /// An amount with more digits than money has.
    AmountTooLarge,
    /// The file ends before its end.
    Cut,
    /// A day that is none.
    Date,
    /// More elements within one another than [`DEPTH_MAX`].
    Depth,
    /// A document type, which may hold anything.
    DocumentType,
    /// Something else than UTF-8.
    Encoding,
    /// An entity that is not one of XML's own.
    Entity,
    /// More text in one element than [`FIELD_OCTETS_MAX`].
    FieldTooLong,
    /// More octets than [`FILE_OCTETS_MAX`].
    FileTooLarge,
    /// A word that stands for nothing here.
    Word,
    /// No XML.
    Malformed,
    /// Something is missing that a line needs.
    Missing(&'static str),
    /// Another document than a bank's statement.
    NotCamt,
    /// It could not be read to its end.
    Interrupted,
    /// More octets in one piece than [`PIECE_OCTETS_MAX`].
    PieceTooLong,
    /// More lines than a file may have.
    TooManyLines,
    /// More statements than a file may have.
    TooManyStatements,
    /// What may be there once is there twice.
    Twice,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amount => "this is no amount in whole cents, as 12.50 or 12.50000 would be",
            Self::AmountTooLarge => "the amount is larger than any that can be posted",
            Self::Cut => "the file ends here, and not as it should; fetch it again",
            Self::Date => "this is no day, as 2026-11-20 would be",
            Self::Depth => "more than 32 elements are open",
            Self::DocumentType => "a document type is not read",
            Self::Encoding => "the file is not UTF-8",
            Self::Entity => "an entity that is not one of XML's own five",
            Self::FieldTooLong => "the text is longer than 2048 octets",
            Self::FileTooLarge => "the file is larger than 256 MiB; ask the bank for smaller ones",
            Self::Word => "this word is none that may stand here",
            Self::Malformed => "this is not well-formed XML",
            Self::Missing(what) => return write!(f, "{what} is missing"),
            Self::NotCamt => "this is no camt.052, camt.053 or camt.054",
            Self::Interrupted => "the file could not be read to its end",
            Self::PieceTooLong => "a tag, comment or text is longer than 64 KiB",
            Self::TooManyLines => "the file has more than 250,000 lines",
            Self::TooManyStatements => "the file has more than 1,000 statements",
            Self::Twice => "this is there twice",
        })
    }
}

/// A step through the document. The path holds the element itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// An element begins.
    Open,
    /// An element ends; its text is there if it is a leaf.
    Close,
    /// The document has ended.
    End,
}

/// The document from its beginning to where it was read.
pub(crate) struct Xml<R> {
    reader: Reader<Bounded<R>>,
    piece: Vec<u8>,
    /// The tag of the element that was opened last.
    tag: String,
    names: Vec<Box<str>>,
    text: String,
    is_too_long: bool,
    /// The next step takes the innermost element off the path.
    closes: bool,
    /// The element has no content: its end is the next step.
    is_empty: bool,
    has_root: bool,
}

impl<R: BufRead> Xml<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            reader: Reader::from_reader(Bounded::new(input)),
            piece: Vec::new(),
            tag: String::new(),
            names: Vec::new(),
            text: String::new(),
            is_too_long: false,
            closes: false,
            is_empty: false,
            has_root: false,
        }
    }

    /// Goes on to where an element begins or ends.
    pub(crate) fn step(&mut self) -> Result<Step, Fault> {
        if self.closes {
            self.names.pop();
            self.clear();
            self.closes = false;
        }
        if self.is_empty {
            (self.is_empty, self.closes) = (false, true);
            return Ok(Step::Close);
        }
        loop {
            self.piece.clear();
            self.reader.get_mut().piece = 0;
            let event = match self.reader.read_event_into(&mut self.piece) {
                Ok(event) => event,
                Err(error) => return Err(self.fault_of(&error)),
            };
            match event {
                Event::Start(start) => {
                    self.is_empty = false;
                    return open(&start, &mut self.names, &mut self.tag, &mut self.has_root)
                        .map(|()| self.opened());
                }
                Event::Empty(start) => {
                    self.is_empty = true;
                    return open(&start, &mut self.names, &mut self.tag, &mut self.has_root)
                        .map(|()| self.opened());
                }
                Event::End(_) => {
                    self.closes = true;
                    return Ok(Step::Close);
                }
                Event::Text(text) => {
                    take(&mut self.text, &mut self.is_too_long, &text, self.names.is_empty())?;
                }
                Event::CData(text) => {
                    take(&mut self.text, &mut self.is_too_long, &text, self.names.is_empty())?;
                }
                Event::GeneralRef(name) => {
                    let sign = match &*name {
                        "amp" => '&',
                        "apos" => '\'',
                        "gt" => '>',
                        "lt" => '<',
                        "quot" => '"',
                        _ => name.resolve_char_ref().ok().flatten().ok_or(Fault::Entity)?,
                    };
                    let mut octets = [0; 4];
                    let sign: &str = sign.encode_utf8(&mut octets);
                    take(&mut self.text, &mut self.is_too_long, sign, self.names.is_empty())?;
                }
                Event::Decl(told) => {
                    let is_utf8 = |name: &str| name.eq_ignore_ascii_case("utf-8");
                    match told.encoding() {
                        None => {}
                        Some(Ok(name)) if is_utf8(&name) => {}
                        Some(Ok(_)) => return Err(Fault::Encoding),
                        Some(Err(_)) => return Err(Fault::Malformed),
                    }
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err(Fault::DocumentType),
                Event::Eof if self.names.is_empty() && self.has_root => return Ok(Step::End),
                Event::Eof => return Err(Fault::Cut),
            }
        }
    }

    /// The elements that are open, from the outermost, without their prefixes.
    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The text of the element that ends.
    pub(crate) fn text(&self) -> Result<&str, Fault> {
        if self.is_too_long {
            return Err(Fault::FieldTooLong);
        }
        Ok(self.text.trim_matches([' ', '\t', '\r', '\n']))
    }

    /// An attribute of the element that was opened last, as it is written.
    pub(crate) fn attribute(&self, name: &str) -> Result<Option<String>, Fault> {
        let name_len = self.tag.find([' ', '\t', '\r', '\n', '/']).unwrap_or(self.tag.len());
        let mut value = None;
        for attribute in Attributes::new(&self.tag, name_len) {
            let attribute = attribute.map_err(|_| Fault::Malformed)?;
            if attribute.key.as_ref() == name {
                value = Some(attribute.value.to_string());
            }
        }
        Ok(value)
    }

    /// The fault with the place where it stands.
    pub(crate) fn at(&self, fault: Fault) -> Unreadable {
        let bounded = self.reader.get_ref();
        let path = self.names.join("/");
        Unreadable { line: bounded.line, column: bounded.column, path, fault }
    }

    fn opened(&mut self) -> Step {
        self.clear();
        Step::Open
    }

    fn clear(&mut self) {
        self.text.clear();
        self.is_too_long = false;
    }

    fn fault_of(&self, error: &quick_xml::Error) -> Fault {
        let bounded = self.reader.get_ref();
        match error {
            quick_xml::Error::Encoding(_) => Fault::Encoding,
            quick_xml::Error::Io(_) => bounded.fault.unwrap_or(Fault::Interrupted),
            quick_xml::Error::Syntax(_) if bounded.is_at_end => Fault::Cut,
            quick_xml::Error::Syntax(_)
            | quick_xml::Error::IllFormed(_)
            | quick_xml::Error::InvalidAttr(_)
            | quick_xml::Error::Escape(_)
            | quick_xml::Error::Namespace(_) => Fault::Malformed,
        }
    }
}

fn open(
    start: &BytesStart<'_>,
    names: &mut Vec<Box<str>>,
    tag: &mut String,
    has_root: &mut bool,
) -> Result<(), Fault> {
    if names.len() == DEPTH_MAX {
        return Err(Fault::Depth);
    }
    if names.is_empty() && std::mem::replace(has_root, true) {
        return Err(Fault::Malformed);
    }
    tag.clear();
    tag.push_str(start);
    names.push(start.local_name().as_ref().into());
    Ok(())
}

/// Keeps text; outside of the outermost element there may be white space only.
fn take(kept: &mut String, is_too_long: &mut bool, text: &str, outside: bool) -> Result<(), Fault> {
    let is_control = |sign: char| sign < ' ' && !matches!(sign, '\t' | '\r' | '\n');
    if text.contains(is_control) || (outside && !text.trim().is_empty()) {
        return Err(Fault::Malformed);
    }
    if kept.len() + text.len() > FIELD_OCTETS_MAX {
        *is_too_long = true;
    } else {
        kept.push_str(text);
    }
    Ok(())
}

/// Counts what is read, and reads no more than may be.
struct Bounded<R> {
    input: R,
    total: u64,
    /// Octets since the last piece began.
    piece: usize,
    line: u64,
    column: u64,
    is_at_end: bool,
    fault: Option<Fault>,
}

impl<R> Bounded<R> {
    const fn new(input: R) -> Self {
        Self { input, total: 0, piece: 0, line: 1, column: 1, is_at_end: false, fault: None }
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let len = available.read(out)?;
        self.consume(len);
        Ok(len)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let fault = if self.total >= FILE_OCTETS_MAX {
            Some(Fault::FileTooLarge)
        } else if self.piece >= PIECE_OCTETS_MAX {
            Some(Fault::PieceTooLong)
        } else {
            None
        };
        if let Some(fault) = fault {
            self.fault = Some(fault);
            return Err(io::Error::other(fault.to_string()));
        }
        let available = self.input.fill_buf()?;
        self.is_at_end = available.is_empty();
        let len = available.len().min(PIECE_OCTETS_MAX - self.piece);
        Ok(available.get(..len).unwrap_or_default())
    }

    fn consume(&mut self, len: usize) {
        if let Ok(available) = self.input.fill_buf() {
            let passed = available.get(..len).unwrap_or_default();
            let mut lines = passed.split(|octet| *octet == b'\n');
            let first = lines.next().map_or(0, <[u8]>::len);
            self.column += u64::try_from(first).unwrap_or_default();
            for line in lines {
                self.line += 1;
                self.column = 1 + u64::try_from(line.len()).unwrap_or_default();
            }
        }
        self.total += u64::try_from(len).unwrap_or_default();
        self.piece += len;
        self.input.consume(len);
    }
}
