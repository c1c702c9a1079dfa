//! The QR code of a payment order: twenty lines in ISO 8859-2, in a code of one size.
//!
//! QR version 15, error correction M, extended channel 4, one segment of octets; each line ended by
//! a line feed, the control sum being the characters of nineteen lines with their line feeds.
//!
//! Source: Združenje bank Slovenije, guide to UPN QR for programmers (May 2017).

use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

use super::latin2;
use super::order::PaymentOrder;

/// What the code carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payload {
    /// The twenty lines.
    pub octets: Vec<u8>,
    /// The last of them: three digits.
    pub control_sum: String,
}

/// The twenty lines of an order.
#[must_use]
pub fn payload(order: &PaymentOrder) -> Payload {
    let mut octets = Vec::new();
    for line in order.lines() {
        // An order's characters are all in the alphabet: this leaves none out.
        octets.extend(line.chars().filter_map(latin2::octet));
        octets.push(b'\n');
    }
    let control_sum = format!("{:03}", octets.len());
    octets.extend(control_sum.bytes());
    octets.push(b'\n');
    Payload { octets, control_sum }
}

/// The code: 77 modules a side.
#[derive(Clone)]
pub struct Code(QrCode);

impl Code {
    /// The code of an order; `None` if the lines did not fit, which no order's do.
    #[must_use]
    pub fn of(order: &PaymentOrder) -> Option<Self> {
        let octets = payload(order).octets;
        let segments = [QrSegment::make_eci(LATIN2_CHANNEL), QrSegment::make_bytes(&octets)];
        let version = Version::new(VERSION);
        let best_mask: Option<Mask> = None;
        let ecc = QrCodeEcc::Medium;
        QrCode::encode_segments_advanced(&segments, ecc, version, version, best_mask, false)
            .ok()
            .map(Self)
    }

    /// Modules a side, the quiet zone not counted.
    #[must_use]
    pub fn side(&self) -> u32 {
        self.0.size().unsigned_abs()
    }

    /// Whether the module is dark; outside the code none is.
    #[must_use]
    pub fn is_dark(&self, column: u32, row: u32) -> bool {
        match (i32::try_from(column), i32::try_from(row)) {
            (Ok(x), Ok(y)) => self.0.get_module(x, y),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    /// The code row by row, `1` for dark and `0` for light.
    #[must_use]
    pub fn modules(&self) -> Vec<u8> {
        let side = self.side();
        let row = |y| (0..side).map(move |x| if self.is_dark(x, y) { b'1' } else { b'0' });
        (0..side).flat_map(row).collect()
    }
}

const VERSION: u8 = 15;

/// The number by which a QR code says ISO 8859-2.
const LATIN2_CHANNEL: u32 = 4;
