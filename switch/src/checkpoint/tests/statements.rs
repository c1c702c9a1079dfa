//! What bank statements bring in a world that crashes: lines, reversals, assignments, returns.

use cekr_issuer::entry::{BankLine, StatementKey, SuspenseReason};

use super::*;
use crate::statements::{LineKind, LineTarget, StatementLine};

impl World {
    /// Some lines, of few keys, so that they come again.
    pub(super) fn post(&mut self, cards: u64) {
        let lines: Vec<StatementLine> =
            (0..self.random.below(4)).map(|_| self.line(cards)).collect();
        let _ = self.control.post_lines(&lines, self.now);
    }

    fn line(&mut self, cards: u64) -> StatementLine {
        let number = u8::try_from(self.random.below(200)).unwrap();
        let kind = match self.random.below(6) {
            0 => LineKind::Reversal { of: key(number) },
            1 => LineKind::Credit(LineTarget::Suspense {
                reason: SuspenseReason::P1Check,
                mok_id: None,
            }),
            _ => {
                let mok_id = u32::try_from(self.random.below(cards + 1)).unwrap();
                LineKind::Credit(LineTarget::MokId(mok_id))
            }
        };
        let key = match kind {
            LineKind::Credit(_) => key(number),
            LineKind::Reversal { .. } => StatementKey([0xFF - number / 2; 16]),
        };
        let line = BankLine { key, booked_on: LocalDate::new(2026, 11, 20) };
        StatementLine { line, amount: Amount::from_minor(u64::from(number) + 1), kind }
    }

    /// A person looks at suspense; what was begun goes on.
    pub(super) fn resolve(&mut self, cards: u64) {
        let after = Seq(self.random.below(200));
        let (page, _) = self.control.suspense(after, 1, self.now);
        if let (Some(item), Some(card)) = (page.items.first(), self.some_card(cards)) {
            let item = Seq(item.item);
            let _ = match self.random.below(3) {
                0 => self.control.return_to_payer(item, self.now),
                _ => self.control.assign(item, card, self.now),
            };
        }
        if self.random.below(2) == 0 {
            let _ = self.control.finish_assignments(self.now);
        }
    }
}

fn key(number: u8) -> StatementKey {
    StatementKey([number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}
