//! A QR code as a picture: SVG of rectangles, and PNG of one bit a pixel.
//!
//! The PNG is written here and not by a crate: a code is a few kilobytes of black and white, which
//! "stored" blocks carry as they are, so that all of it is two checksums and four chunks.
//!
//! Source: PNG specification (third edition), sections 5 and 10; RFC 1950 and 1951 for the stream.

use std::fmt::Write as _;

use super::code::Code;

/// Light modules around a code, which readers need.
pub const QUIET: u32 = 4;

/// The path that draws the dark modules: a rectangle for each run in a row, one unit a module, the
/// code's corner at 0 0.
#[must_use]
pub fn path(code: &Code) -> String {
    let mut path = String::new();
    let side = code.side();
    for row in 0..side {
        let mut column = 0;
        while column < side {
            let run = (column..side).take_while(|at| code.is_dark(*at, row)).count();
            let run = u32::try_from(run).unwrap_or(side);
            if run > 0 {
                let _ = write!(path, "M{column} {row}h{run}v1h-{run}z");
            }
            column += run.max(1);
        }
    }
    path
}

/// The code as an SVG file, in its size in print, `title` as what it says to who cannot see it.
#[must_use]
pub fn svg(code: &Code, title: &str) -> String {
    let side = code.side() + 2 * QUIET;
    // 32.597 mm for the code itself, in thousandths of a millimetre, and the quiet zone with it.
    let size = CODE_MICROMETRES * side / code.side().max(1);
    let (whole, part) = (size / 1_000, size % 1_000);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}.{part:03}mm\" \
         height=\"{whole}.{part:03}mm\" viewBox=\"-{QUIET} -{QUIET} {side} {side}\" role=\"img\" \
         shape-rendering=\"crispEdges\"><title>{}</title>\
         <rect x=\"-{QUIET}\" y=\"-{QUIET}\" width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
         <path d=\"{}\" fill=\"#000\"/></svg>",
        escaped(title),
        path(code)
    )
}

/// The code as a PNG file, so many pixels a module.
#[must_use]
pub fn png(code: &Code, pixels: u32) -> Vec<u8> {
    let side = (code.side() + 2 * QUIET) * pixels;
    let mut rows = Vec::new();
    for y in 0..side {
        rows.push(NO_FILTER);
        for byte in 0..side.div_ceil(8) {
            let bits = (0..8).map(|bit| byte * 8 + bit);
            rows.push(bits.fold(0, |bits, x| bits << 1 | u8::from(is_light(code, x, y, pixels))));
        }
    }
    let mut header = Vec::new();
    header.extend(side.to_be_bytes());
    header.extend(side.to_be_bytes());
    // One bit a pixel, grey, and the only compression, filter and order of rows there are.
    header.extend([1, 0, 0, 0, 0]);
    let mut file = PNG_MAGIC.to_vec();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &stored(&rows));
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn is_light(code: &Code, x: u32, y: u32, pixels: u32) -> bool {
    let module = |at: u32| (at / pixels.max(1)).checked_sub(QUIET);
    match (module(x), module(y)) {
        (Some(column), Some(row)) => !code.is_dark(column, row),
        (None, _) | (_, None) => true,
    }
}

/// A zlib stream that compresses nothing.
fn stored(octets: &[u8]) -> Vec<u8> {
    let mut stream = ZLIB_HEADER.to_vec();
    let mut blocks = octets.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(len.to_le_bytes());
        stream.extend((!len).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend(adler32(octets).to_be_bytes());
    stream
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    file.extend(kind);
    file.extend_from_slice(data);
    file.extend(crc32(kind.iter().chain(data)).to_be_bytes());
}

fn crc32<'a>(octets: impl Iterator<Item = &'a u8>) -> u32 {
    !octets.fold(u32::MAX, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ CRC_POLYNOMIAL } else { crc >> 1 }
        })
    })
}

fn adler32(octets: &[u8]) -> u32 {
    let (low, high) = octets.iter().fold((1, 0), |(low, high), octet| {
        let low = (low + u32::from(*octet)) % ADLER_PRIME;
        (low, (high + low) % ADLER_PRIME)
    });
    high << 16 | low
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The code's side in print.
const CODE_MICROMETRES: u32 = 32_597;
const NO_FILTER: u8 = 0;
const PNG_MAGIC: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];
/// Deflate with a window of 32 KiB, no dictionary.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];
const CRC_POLYNOMIAL: u32 = 0xEDB8_8320;
const ADLER_PRIME: u32 = 65_521;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::super::{Payee, Payer, PaymentOrder};
    use super::*;

    fn code() -> Code {
        let order = PaymentOrder::load(123_456_782, 1, &Payer::default(), &Payee::default());
        Code::of(&order.unwrap()).unwrap()
    }

    #[test]
    fn checksums_are_those_of_their_standards() {
        assert_eq!(crc32(b"123456789".iter()), 0xCBF4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn the_path_draws_each_dark_module_once() {
        let code = code();
        let mut drawn = vec![0_u8; 77 * 77];
        for run in path(&code).split('M').skip(1) {
            let (corner, rest) = run.split_once('h').unwrap();
            let (column, row) = corner.split_once(' ').unwrap();
            let run: usize = rest.split_once('v').unwrap().0.parse().unwrap();
            let start = row.parse::<usize>().unwrap() * 77 + column.parse::<usize>().unwrap();
            drawn.iter_mut().skip(start).take(run).for_each(|module| *module += 1);
        }
        let dark: Vec<u8> = code.modules().into_iter().map(|module| module - b'0').collect();
        assert_eq!(drawn, dark);
    }

    #[test]
    fn a_title_cannot_leave_its_element() {
        let svg = svg(&code(), "</title><script>&");
        assert!(svg.contains("<title>&lt;/title&gt;&lt;script&gt;&amp;</title>"), "{svg}");
        assert!(svg.contains("width=\"35.983mm\""), "{svg}");
    }
}
