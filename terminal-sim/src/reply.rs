//! What a terminal reads from an answer: an owned copy of the few elements it acts on.

use core::fmt;

use cekr_iso8583::{Mti, ResponseCode, View};

/// The elements of a message that came from the host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reply {
    /// Message type.
    pub mti: Mti,
    /// DE 11.
    pub stan: Option<u32>,
    /// DE 41.
    pub terminal: Option<[u8; 8]>,
    /// DE 7, `MMDDhhmmss`.
    pub transmitted: Option<u32>,
    /// DE 39.
    pub response_code: Option<[u8; 2]>,
    /// DE 38.
    pub auth_code: Option<[u8; 6]>,
    /// DE 37.
    pub rrn: Option<[u8; 12]>,
    /// DE 4 in cents: what was approved.
    pub amount: Option<u64>,
    /// DE 8 in cents: the issuer's fee.
    pub fee: Option<u64>,
    /// DE 44: which ticks are missing, and other remarks.
    pub remark: String,
    /// DE 54.
    pub balances: Vec<Balance>,
    /// DE 55: what the issuer tells the chip; empty when there is none.
    pub chip_data: Vec<u8>,
    /// DE 70.
    pub network_code: Option<u16>,
}

/// One amount of DE 54.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Balance {
    /// Amount type: 1 ledger, 2 available, 40 cashback, 57 amount asked for.
    pub kind: u8,
    /// Cents; negative for a debit.
    pub cents: i64,
}

impl Reply {
    /// Reads what is there. Elements of another shape than ours count as absent.
    #[must_use]
    pub fn read(view: &View<'_>) -> Self {
        Self {
            mti: view.mti(),
            stan: view.number(11).and_then(|stan| u32::try_from(stan).ok()),
            terminal: fixed(view, 41),
            transmitted: view.number(7).and_then(|time| u32::try_from(time).ok()),
            response_code: fixed(view, 39),
            auth_code: fixed(view, 38),
            rrn: fixed(view, 37),
            amount: view.number(4),
            fee: view.number(8),
            remark: text(view, 44).map(|text| printable(&text)).unwrap_or_default(),
            balances: text(view, 54).map(|text| balances(&text)).unwrap_or_default(),
            chip_data: octets(view, 55).unwrap_or_default(),
            network_code: view.number(70).and_then(|code| u16::try_from(code).ok()),
        }
    }

    /// True when the host approved, in full or in part.
    #[must_use]
    pub fn is_approval(&self) -> bool {
        self.response_code.is_some_and(|code| ResponseCode::new(code).is_approval())
    }

    /// The available amount (DE 54 type 02) in cents.
    #[must_use]
    pub fn available(&self) -> Option<i64> {
        self.balance_of(AVAILABLE)
    }

    /// The ledger balance (DE 54 type 01) in cents.
    #[must_use]
    pub fn ledger(&self) -> Option<i64> {
        self.balance_of(LEDGER)
    }

    fn balance_of(&self, kind: u8) -> Option<i64> {
        self.balances.iter().find(|balance| balance.kind == kind).map(|balance| balance.cents)
    }
}

/// A data element as ASCII, whatever the dialect's encoding.
pub(crate) fn text(view: &View<'_>, de: u8) -> Option<Vec<u8>> {
    let mut buffer = [0; 999];
    Some(view.field(de)?.text(&mut buffer)?.to_vec())
}

/// A binary data element, whatever the dialect's encoding.
fn octets(view: &View<'_>, de: u8) -> Option<Vec<u8>> {
    let mut buffer = [0; 999];
    Some(view.field(de)?.octets(&mut buffer)?.to_vec())
}

fn fixed<const N: usize>(view: &View<'_>, de: u8) -> Option<[u8; N]> {
    text(view, de)?.try_into().ok()
}

/// Twenty characters each: account 2, type 2, currency 3, `C` or `D`, amount 12.
fn balances(text: &[u8]) -> Vec<Balance> {
    text.chunks_exact(20).filter_map(balance).collect()
}

fn balance(text: &[u8]) -> Option<Balance> {
    let text = core::str::from_utf8(text).ok()?;
    let kind = text.get(2..4)?.parse().ok()?;
    let cents: i64 = text.get(8..20)?.parse().ok()?;
    match text.get(7..8)? {
        "C" => Some(Balance { kind, cents }),
        "D" => Some(Balance { kind, cents: -cents }),
        _ => None,
    }
}

/// What a foreign host wrote, safe for a screen.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim_end().chars().map(|c| if c.is_control() { '.' } else { c }).collect()
}

/// `0810 STAN 832686`: how people find a message in two logs.
pub(crate) struct Title {
    pub(crate) mti: Mti,
    pub(crate) stan: Option<u32>,
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mti)?;
        match self.stan {
            Some(stan) => write!(f, " STAN {stan:06}"),
            None => f.write_str(" without STAN"),
        }
    }
}

const AVAILABLE: u8 = 2;
const LEDGER: u8 = 1;

#[cfg(test)]
mod tests {
    use super::{Balance, balances, printable};

    #[test]
    fn reads_signed_balances_and_skips_what_is_none() {
        let text = b"0001978C0000000075100002978D000000000100XXXX978C000000000000short";
        assert_eq!(
            balances(text),
            [Balance { kind: 1, cents: 7510 }, Balance { kind: 2, cents: -100 }]
        );
    }

    #[test]
    fn lets_no_control_character_reach_a_screen() {
        assert_eq!(printable(b"ABROAD\x1b[2J  "), "ABROAD.[2J");
    }
}
