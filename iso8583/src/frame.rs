//! Frames: how one message is told from the next on a stream of octets.
//!
//! A limit is checked as soon as the length is known, before anything is buffered for it.

use core::fmt;

/// How messages are framed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// Four ASCII digits: octets that follow.
    Ascii4,
    /// Two octets, big-endian: octets that follow.
    Be2,
    /// As [`Framing::Be2`], then a TPDU of five octets that counts in the length: an id, the
    /// destination's address, the source's address.
    Nac,
    /// No frame: what there is, is one message.
    None,
}

/// What a frame carries besides its message: the TPDU of [`Framing::Nac`], else zeros.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// Id, destination (two octets), source (two octets).
    pub tpdu: [u8; 5],
}

impl Header {
    /// The header of the answer: addresses swapped.
    #[must_use]
    pub const fn reply(self) -> Header {
        let [id, to_high, to_low, from_high, from_low] = self.tpdu;
        Header { tpdu: [id, from_high, from_low, to_high, to_low] }
    }
}

/// What stands at the front of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// A frame of length zero: the peer says that it is there.
    KeepAlive {
        /// Octets of the frame.
        consumed: usize,
    },
    /// A whole message.
    Message {
        /// What came before it.
        header: Header,
        /// The message, from its MTI.
        message: &'a [u8],
        /// Octets of the frame.
        consumed: usize,
    },
    /// The frame has not arrived in full.
    NeedMore,
}

/// A stream that can no longer be divided into messages: close the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameError {
    /// The length is not digits, or too small for the header it counts.
    BadLength,
    /// The frame is longer than allowed.
    TooLong {
        /// Octets that the frame announces.
        len: usize,
        /// Octets that it may have.
        max: usize,
    },
}

/// The buffer has no room for a frame's header, or the length does not fit in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRoom;

impl Framing {
    /// A framing by the name that settings use.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Framing> {
        Framing::ALL.into_iter().find(|framing| framing.name() == name)
    }

    /// All framings.
    pub const ALL: [Framing; 4] = [Framing::Ascii4, Framing::Be2, Framing::Nac, Framing::None];

    /// The name that settings use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Framing::Ascii4 => "ascii4",
            Framing::Be2 => "be2",
            Framing::Nac => "nac",
            Framing::None => "none",
        }
    }

    /// Octets before the message.
    #[must_use]
    pub const fn header_len(self) -> usize {
        match self {
            Framing::Ascii4 => 4,
            Framing::Be2 => 2,
            Framing::Nac => 7,
            Framing::None => 0,
        }
    }

    /// Reads what stands at the front of `bytes`. `octets_max` bounds the announced length, a TPDU
    /// included.
    ///
    /// # Errors
    /// [`FrameError`]: nothing after this octet can be trusted.
    #[inline]
    pub fn next(self, bytes: &[u8], octets_max: usize) -> Result<Step<'_>, FrameError> {
        let (len, body) = match self {
            Framing::None => {
                if bytes.is_empty() {
                    return Ok(Step::NeedMore);
                }
                (bytes.len(), bytes)
            }
            Framing::Be2 | Framing::Nac => {
                let Some((prefix, body)) = bytes.split_first_chunk::<2>() else {
                    return Ok(Step::NeedMore);
                };
                (usize::from(u16::from_be_bytes(*prefix)), body)
            }
            Framing::Ascii4 => {
                let prefix = bytes.get(..bytes.len().min(4)).unwrap_or_default();
                let mut len = 0;
                for digit in prefix {
                    // Even an incomplete length is refused as soon as it cannot become one.
                    if !digit.is_ascii_digit() {
                        return Err(FrameError::BadLength);
                    }
                    len = len * 10 + usize::from(digit & 0x0f);
                }
                let Some(body) = bytes.get(4..) else { return Ok(Step::NeedMore) };
                (len, body)
            }
        };
        let prefix_octets = bytes.len() - body.len();
        if len > octets_max {
            return Err(FrameError::TooLong { len, max: octets_max });
        }
        if len == 0 {
            return Ok(Step::KeepAlive { consumed: prefix_octets });
        }
        let tpdu_octets = self.header_len() - prefix_octets;
        if len < tpdu_octets {
            return Err(FrameError::BadLength);
        }
        let Some(frame) = body.get(..len) else { return Ok(Step::NeedMore) };
        let consumed = prefix_octets + len;
        Ok(match (self, frame.split_first_chunk::<5>()) {
            (Framing::Nac, Some((tpdu, message))) => {
                Step::Message { header: Header { tpdu: *tpdu }, message, consumed }
            }
            (Framing::Ascii4 | Framing::Be2 | Framing::Nac | Framing::None, _) => {
                Step::Message { header: Header::default(), message: frame, consumed }
            }
        })
    }

    /// Writes the frame's header to the front of `out`, which has room for
    /// [`Framing::header_len`] octets; the message follows there. To answer, hand over
    /// [`Header::reply`].
    ///
    /// # Errors
    /// [`NoRoom`] if `out` is too short or the framing cannot write so long a length.
    #[inline]
    pub fn write_header(
        self,
        header: Header,
        message_len: usize,
        out: &mut [u8],
    ) -> Result<(), NoRoom> {
        match self {
            Framing::None => Ok(()),
            Framing::Be2 => {
                let len = u16::try_from(message_len).map_err(|_| NoRoom)?;
                *out.first_chunk_mut::<2>().ok_or(NoRoom)? = len.to_be_bytes();
                Ok(())
            }
            Framing::Nac => {
                let len = u16::try_from(message_len + header.tpdu.len()).map_err(|_| NoRoom)?;
                let [high, low] = len.to_be_bytes();
                let [a, b, c, d, e] = header.tpdu;
                *out.first_chunk_mut::<7>().ok_or(NoRoom)? = [high, low, a, b, c, d, e];
                Ok(())
            }
            Framing::Ascii4 => {
                if message_len > 9999 {
                    return Err(NoRoom);
                }
                let prefix = out.first_chunk_mut::<4>().ok_or(NoRoom)?;
                crate::digits::write_number(message_len as u64, prefix);
                Ok(())
            }
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::BadLength => f.write_str("frame length is not a length"),
            FrameError::TooLong { len, max } => {
                write!(f, "frame of {len} octets is over the limit of {max}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room for the frame's header")
    }
}

impl core::error::Error for NoRoom {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_frame_is_awaited_until_it_is_whole() {
        let stream = b"\x00\x03abc\x00\x01d";
        for len in 0..5 {
            assert_eq!(Framing::Be2.next(stream.get(..len).unwrap(), 10), Ok(Step::NeedMore));
        }
        let header = Header::default();
        let whole = Step::Message { header, message: b"abc", consumed: 5 };
        assert_eq!(Framing::Be2.next(stream, 10), Ok(whole));
    }

    #[test]
    fn length_zero_is_a_keep_alive() {
        assert_eq!(Framing::Be2.next(b"\0\0x", 10), Ok(Step::KeepAlive { consumed: 2 }));
        assert_eq!(Framing::Nac.next(b"\0\0x", 10), Ok(Step::KeepAlive { consumed: 2 }));
        assert_eq!(Framing::Ascii4.next(b"0000x", 10), Ok(Step::KeepAlive { consumed: 4 }));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_octets_arrive() {
        let too_long = Err(FrameError::TooLong { len: 0xffff, max: 4096 });
        assert_eq!(Framing::Be2.next(b"\xff\xff", 4096), too_long);
        let too_long = Err(FrameError::TooLong { len: 4097, max: 4096 });
        assert_eq!(Framing::Ascii4.next(b"4097", 4096), too_long);
    }

    #[test]
    fn a_length_that_is_none_is_refused_at_its_first_wrong_octet() {
        assert_eq!(Framing::Ascii4.next(b"0x", 4096), Err(FrameError::BadLength));
        assert_eq!(Framing::Nac.next(b"\0\x04abcd", 4096), Err(FrameError::BadLength));
    }

    #[test]
    fn a_terminal_gets_its_own_address_back() {
        let Ok(Step::Message { header, message, consumed }) =
            Framing::Nac.next(b"\0\x07\x60\x00\x12\x00\x34hi", 10)
        else {
            unreachable!("the frame is whole")
        };
        assert_eq!((message, consumed), (&b"hi"[..], 9));
        let mut out = [0; 7];
        Framing::Nac.write_header(header.reply(), 2, &mut out).unwrap();
        assert_eq!(&out, b"\0\x07\x60\x00\x34\x00\x12");
    }

    #[test]
    fn a_header_without_room_is_refused() {
        let header = Header::default();
        assert_eq!(Framing::Be2.write_header(header, 65_536, &mut [0; 2]), Err(NoRoom));
        assert_eq!(Framing::Ascii4.write_header(header, 10_000, &mut [0; 4]), Err(NoRoom));
        assert_eq!(Framing::Nac.write_header(header, 1, &mut [0; 6]), Err(NoRoom));
    }
}
