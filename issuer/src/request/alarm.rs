//! Alarms: what a message says that does not fit together. It is decided all the same, by the
//! stricter reading, and counted, so that somebody looks at the terminal or the network.

use cekr_iso8583::{CurrencyCode, View};

use super::parse::Read;
use crate::money::Amount;

/// What does not fit together in one message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Alarms {
    /// Its signals contradict each other about whether the card is at hand, or whether it is cash.
    pub contradiction: bool,
    /// DE 6 is not what DE 4 comes to by the rate of DE 10, by more than a cent.
    pub conversion: bool,
}

/// The alarms of a message whose amount was billed as `billed`.
#[inline(always)]
pub(super) fn of(
    read: &Read<'_, '_>,
    is_not_present: bool,
    currency: CurrencyCode,
    (asked, billed): (Amount, Amount),
) -> Alarms {
    let says_remote = is_not_present || matches!(read.condition, 1 | 5 | 8 | 59);
    let is_sale_at_a_bank =
        super::parse::is_bank(read.mcc) && matches!(read.code.transaction(), 0 | 9 | 11);
    Alarms {
        contradiction: (says_remote && read.is_read_off_a_card) || is_sale_at_a_bank,
        conversion: currency != CurrencyCode::EUR && !is_converted(read.view, asked, billed),
    }
}

/// Whether `billed` is `asked` times the rate of DE 10 to the cent; what has no rate cannot tell.
///
/// DE 10 is a digit that says how many decimals the seven digits behind it have.
fn is_converted(view: &View<'_>, asked: Amount, billed: Amount) -> bool {
    let Some(rate) = view.number(10) else {
        return true;
    };
    let (decimals, digits) = (rate / 10_000_000, rate % 10_000_000);
    let unit = 10_u128.pow(u32::try_from(decimals).unwrap_or_default());
    let due = u128::from(asked.minor()) * u128::from(digits);
    due.abs_diff(u128::from(billed.minor()) * unit) <= unit
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use cekr_iso8583::{CEKR87, FieldSet, Mti, Writer};

    use super::*;

    fn fits(rate: &[u8; 8], asked: u64, billed: u64) -> bool {
        let mut out = [0; 64];
        let mti = Mti::new(200).unwrap();
        let mut writer = Writer::new(&CEKR87, mti, FieldSet::of(&[10]), &mut out).unwrap();
        writer.text(10, rate).unwrap();
        let len = writer.finish().unwrap();
        let view = View::parse(&CEKR87, out.get(..len).unwrap()).unwrap();
        is_converted(&view, Amount::from_minor(asked), Amount::from_minor(billed))
    }

    #[test]
    fn a_cent_of_rounding_is_no_alarm_and_more_is() {
        // 0.9091: four decimals, 9091.
        assert!(fits(b"40009091", 100_00, 90_91));
        assert!(fits(b"40009091", 100_00, 90_92));
        assert!(fits(b"40009091", 100_00, 90_90));
        assert!(!fits(b"40009091", 100_00, 90_93));
        assert!(!fits(b"40009091", 100_00, 100_00));
    }
}
