//! What `cekr msg` reads: octets from the command line, a file or standard input, divided into
//! messages by a framing.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use cekr_iso8583::{Damaged, Framing, ParseError, ParseErrorKind, Spec, Step, View};

use super::Failure;

/// How octets are divided into messages and messages into fields.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Dialect {
    /// Message format: cekr87, iso87ascii or iso87binary.
    #[arg(long, default_value = "cekr87", value_parser = spec_by_name, value_name = "S")]
    pub(super) spec: &'static Spec,
    /// Frame around each message: none, be2, nac or ascii4.
    #[arg(long, default_value = "none", value_parser = framing_by_name, value_name = "F")]
    pub(super) framing: Framing,
}

/// Where the octets come from.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The octets in hexadecimal.
    #[arg(long, value_name = "H", conflicts_with = "file")]
    pub(super) hex: Option<String>,
    /// File with raw octets or hexadecimal text; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

impl Source {
    pub(super) fn octets(&self, dialect: Dialect) -> Result<Vec<u8>, Failure> {
        if let Some(hex) = &self.hex {
            return unhex(hex).ok_or_else(|| {
                let text = "--hex: pairs of hexadecimal digits are expected";
                Failure::Usage(format!("{text}; {} characters were given", hex.len()))
            });
        }
        let octets = read(self.file.as_deref().unwrap_or(Path::new("-")))?;
        let Some(decoded) = std::str::from_utf8(&octets).ok().and_then(unhex) else {
            return Ok(octets);
        };
        // A raw message may consist of hexadecimal digits by chance; then only one reading works.
        let is_raw = !dialect.reads(&decoded) && dialect.reads(&octets);
        Ok(if is_raw { octets } else { decoded })
    }
}

impl Dialect {
    fn reads(self, octets: &[u8]) -> bool {
        Frames::new(self.framing, octets)
            .all(|frame| frame.is_ok_and(|frame| frame.parse(self.spec).is_ok()))
    }
}

/// One message of the input.
pub(super) struct Frame<'a> {
    /// What stands before the message.
    pub(super) head: &'a [u8],
    pub(super) message: &'a [u8],
    /// Octets that the frame announces and the input does not have.
    pub(super) missing: usize,
}

impl<'a> Frame<'a> {
    /// The message. One that ends well in a frame that goes on is damaged too: what came after its
    /// last field is lost.
    #[expect(clippy::result_large_err, reason = "both outcomes carry a view, on the stack")]
    pub(super) fn parse(&self, spec: &'static Spec) -> Result<View<'a>, Damaged<'a>> {
        let read = View::parse(spec, self.message)?;
        if self.missing == 0 {
            return Ok(read);
        }
        let octets = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let error = ParseError {
            field: read.present().into_iter().last().unwrap_or(1),
            offset: octets(self.message.len()),
            need: octets(self.missing),
            have: 0,
            kind: ParseErrorKind::Truncated,
        };
        Err(Damaged { error, read })
    }
}

/// The messages of the input. A last frame that is cut short is handed out as far as it goes: its
/// message says where it ends.
pub(super) struct Frames<'a> {
    framing: Framing,
    rest: &'a [u8],
    at: usize,
    count: usize,
}

impl<'a> Frames<'a> {
    pub(super) fn new(framing: Framing, octets: &'a [u8]) -> Frames<'a> {
        Frames { framing, rest: octets, at: 0, count: 0 }
    }

    fn advance(&mut self, consumed: usize) {
        self.rest = self.rest.get(consumed..).unwrap_or_default();
        self.at += consumed;
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let head_len = self.framing.header_len();
        loop {
            let rest = self.rest;
            if rest.is_empty() {
                let text = "there is no message in the input".to_owned();
                self.count += 1;
                return (self.count == 1).then_some(Err(Failure::Failed(text)));
            }
            match self.framing.next(rest, MESSAGE_OCTETS_MAX) {
                Ok(Step::KeepAlive { consumed }) => {
                    self.count += 1;
                    self.advance(consumed);
                }
                Ok(Step::Message { message, consumed, .. }) => {
                    self.count += 1;
                    self.advance(consumed);
                    let head = rest.get(..head_len).unwrap_or_default();
                    return Some(Ok(Frame { head, message, missing: 0 }));
                }
                Ok(Step::NeedMore) => {
                    self.count += 1;
                    self.advance(rest.len());
                    let (Some(head), Some(message)) = (rest.get(..head_len), rest.get(head_len..))
                    else {
                        let text = "the input ends inside a frame's header".to_owned();
                        return Some(Err(Failure::Failed(text)));
                    };
                    let missing = announced(self.framing, head).saturating_sub(rest.len());
                    return Some(Ok(Frame { head, message, missing }));
                }
                Err(error) => {
                    self.count += 1;
                    self.rest = &[];
                    let (name, at) = (self.framing.name(), self.at);
                    let text = format!("offset {at}: {error}; is the framing {name}?");
                    return Some(Err(Failure::Failed(text)));
                }
            }
        }
    }
}

/// Octets of the whole frame, its length prefix included, by that prefix.
fn announced(framing: Framing, head: &[u8]) -> usize {
    match framing {
        Framing::None => 0,
        Framing::Be2 | Framing::Nac => head
            .first_chunk()
            .map_or(0, |prefix| prefix.len() + usize::from(u16::from_be_bytes(*prefix))),
        Framing::Ascii4 => {
            head.iter().fold(0, |len, digit| len * 10 + usize::from(digit & 0x0f)) + 4
        }
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let limit = FILE_OCTETS_MAX + 1;
    let result = if file == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let text = "nothing to read: give --hex H or a FILE, or pipe octets in";
            return Err(Failure::Usage(text.to_owned()));
        }
        stdin.lock().take(limit).read_to_end(&mut octets)
    } else {
        File::open(file).and_then(|opened| opened.take(limit).read_to_end(&mut octets))
    };
    match result {
        Ok(len) if u64::try_from(len).is_ok_and(|len| len < limit) => Ok(octets),
        Ok(_) => {
            let text = format!("{}: longer than {FILE_OCTETS_MAX} octets", file.display());
            Err(Failure::Failed(text))
        }
        Err(error) => {
            let hint = "give an existing FILE, `-` for standard input, or --hex H";
            Err(Failure::Usage(format!("cannot read {}: {error}; {hint}", file.display())))
        }
    }
}

/// The octets that pairs of hexadecimal digits write; white space between is left out. `None` for
/// anything else, and for nothing.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .map(|character| character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len().is_multiple_of(2))?;
    Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}

pub(super) fn spec_by_name(name: &str) -> Result<&'static Spec, String> {
    Spec::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = Spec::built_in().into_iter().map(|spec| spec.name()).collect();
        format!("no spec is called \"{name}\"; there are {}", known.join(", "))
    })
}

pub(super) fn framing_by_name(name: &str) -> Result<Framing, String> {
    Framing::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = Framing::ALL.into_iter().map(Framing::name).collect();
        format!("no framing is called \"{name}\"; there are {}", known.join(", "))
    })
}

/// Longest input, in octets: a capture, not a disk.
const FILE_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// Longest message, in octets: what two octets of length can announce.
pub(super) const MESSAGE_OCTETS_MAX: usize = 65_535;
