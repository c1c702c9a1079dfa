//! Processing restrictions: version, usage, dates. Each is a finding, none an end.
//!
//! Source: EMV 4.3 Book 3, section 10.4; years by Book 4, section 6.7.3.

use crate::data::{Auc, Tvr};

use super::{Kernel, Kind, Reason, Stepped};

impl Kernel<'_> {
    /// Compares what card and terminal are meant for, and goes on to the cardholder.
    pub(super) fn restrict(&mut self) -> Stepped {
        let mut found = Tvr::default();
        let version = self.row().map(|row| row.version);
        if let (Some(card), Some(terminal)) = (self.card.value(0x9F08), version)
            && card != terminal
        {
            found = found.with(Tvr::DIFFERENT_VERSIONS);
        }
        if !self.is_usage_allowed() {
            found = found.with(Tvr::SERVICE_NOT_ALLOWED);
        }
        let today = day(&self.transaction.date).ok_or(Reason::BadValue(0x9A))?;
        if let Some(effective) = self.card.value(0x5F25)
            && today < day(effective).ok_or(Reason::BadValue(0x5F25))?
        {
            found = found.with(Tvr::NOT_YET_EFFECTIVE);
        }
        if let Some(expiry) = self.card.value(0x5F24)
            && today > day(expiry).ok_or(Reason::BadValue(0x5F24))?
        {
            found = found.with(Tvr::EXPIRED_APPLICATION);
        }
        self.tvr = self.tvr.with(found);
        self.verify_cardholder()
    }

    /// Whether the card may be used here for this (9F07, 5F28). What it does not say is allowed.
    fn is_usage_allowed(&self) -> bool {
        let Some(usage) = self.card.value(0x9F07).and_then(Auc::parse) else { return true };
        let place = match self.config.kind {
            Kind::Cashpoint => Auc::AT_CASHPOINTS,
            Kind::Attended | Kind::Unattended => Auc::ELSEWHERE,
        };
        if !usage.has(place) {
            return false;
        }
        let Some(country) = self.card.value(0x5F28) else { return true };
        let is_domestic = country == self.config.country;
        let pick = |domestic: Auc, abroad: Auc| if is_domestic { domestic } else { abroad };
        if self.is_cash() {
            return usage.has(pick(Auc::DOMESTIC_CASH, Auc::INTERNATIONAL_CASH));
        }
        // Refunds, balances and whatever else moves no money out are not restricted.
        if !matches!(self.transaction.kind, 0x00 | 0x09) {
            return true;
        }
        // The terminal does not know whether it sells goods or services: one of them will do.
        let bought = pick(
            Auc::DOMESTIC_GOODS.with(Auc::DOMESTIC_SERVICES),
            Auc::INTERNATIONAL_GOODS.with(Auc::INTERNATIONAL_SERVICES),
        );
        let cashback = pick(Auc::DOMESTIC_CASHBACK, Auc::INTERNATIONAL_CASHBACK);
        usage.meets(bought) && (!self.is_cashback() || usage.has(cashback))
    }

    /// Whether the transaction pays out cash and nothing else.
    pub(super) fn is_cash(&self) -> bool {
        matches!(self.transaction.kind, 0x01 | 0x17)
    }

    /// Whether cash is paid out beside a purchase.
    pub(super) fn is_cashback(&self) -> bool {
        self.transaction.kind == 0x09 || (self.transaction.other > 0 && !self.is_cash())
    }
}

/// A date of packed year, month and day as a number that orders; `None` if it is none.
///
/// Years from 50 on are of the last century.
fn day(date: &[u8]) -> Option<u32> {
    let [year, month, day] = <[u8; 3]>::try_from(date).ok()?.map(|octet| {
        let (tens, ones) = (octet >> 4, octet & 0x0F);
        (tens <= 9 && ones <= 9).then_some(u32::from(tens) * 10 + u32::from(ones))
    });
    let (year, month, day) = (year?, month?, day?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    let century = if year >= 50 { 19 } else { 20 };
    is_date.then_some(((century * 100 + year) * 100 + month) * 100 + day)
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn dates_order_across_the_century() {
        assert!(day(&[0x99, 0x12, 0x31]) < day(&[0x00, 0x01, 0x01]));
        assert!(day(&[0x49, 0x01, 0x01]) > day(&[0x26, 0x11, 0x22]));
        for none in [&[0x26, 0x13, 0x01][..], &[0x26, 0x11, 0x32], &[0x2A, 0x11, 0x01], &[0x26]] {
            assert_eq!(day(none), None, "{none:02X?}");
        }
    }
}
