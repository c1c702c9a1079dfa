//! What the oracle counts for an acquirer, from a list of all that was ever entered.

/// One thing that an acquirer counts as well.
#[derive(Clone, Debug)]
pub struct Booked {
    pub acquirer: String,
    pub kind: Kind,
    /// Cents of the account, fees out.
    pub cents: u64,
}

/// What it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Credit,
    CreditReversal,
    Cutover,
    Debit,
    DebitReversal,
}

/// Counts and amounts since the last cutover.
pub struct Totals {
    since: Vec<Booked>,
}

impl Totals {
    /// Those of one acquirer.
    pub fn of(all: &[Booked], acquirer: &str) -> Self {
        let mut since = Vec::new();
        for booked in all.iter().filter(|booked| booked.acquirer == acquirer) {
            if booked.kind == Kind::Cutover {
                since.clear();
            } else {
                since.push(booked.clone());
            }
        }
        Self { since }
    }

    fn count(&self, kind: Kind) -> usize {
        self.since.iter().filter(|booked| booked.kind == kind).count()
    }

    fn cents(&self, kind: Kind) -> i128 {
        let of_kind = self.since.iter().filter(|booked| booked.kind == kind);
        of_kind.map(|booked| i128::from(booked.cents)).sum()
    }

    /// DE 74 to 77, 86 to 89, 97.
    pub fn elements(&self) -> Vec<(u8, String)> {
        let kinds = [Kind::Credit, Kind::CreditReversal, Kind::Debit, Kind::DebitReversal];
        let mut elements = Vec::new();
        for (nth, kind) in (0..).zip(kinds) {
            elements.push((74 + nth, format!("{:010}", self.count(kind))));
            elements.push((86 + nth, format!("{:016}", self.cents(kind))));
        }
        let net = self.cents(Kind::Credit) + self.cents(Kind::DebitReversal)
            - self.cents(Kind::Debit)
            - self.cents(Kind::CreditReversal);
        let sign = if net >= 0 { 'C' } else { 'D' };
        elements.push((97, format!("{sign}{:016}", net.unsigned_abs())));
        elements
    }
}
