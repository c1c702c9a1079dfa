//! The oracle's half of bank statements: a list of every line that was ever booked, and of where
//! its money is.

use cekr_issuer::entry::{BankLine, StatementKey, SuspenseReason};
use cekr_issuer::{Amount, Now, Seq};
use cekr_switch::statements::{LineFate, LineKind, LineTarget, StatementLine};
use cekr_terminal_sim::random::Random;

use crate::oracle::Oracle;
use crate::support::FIRST_MOK_ID;

/// A line as the bank tells it.
#[derive(Clone, Debug)]
pub struct Told {
    pub number: u64,
    pub cents: u64,
    /// Booked more than thirteen months ago.
    pub is_old: bool,
    pub does: Does,
}

/// What a line does.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// It brings money for the card of this number on its back.
    Brings(u32),
    /// It brings money for nobody.
    BringsForNobody,
    /// It takes back what the line of this number brought.
    TakesBack(u64),
}

/// Lines of one world; those that take back come behind them.
pub const LINES: u64 = 40;

impl Told {
    /// The line of a number is the same whenever it comes.
    pub fn of(seed: u64, number: u64, cards: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        if let Some(of) = number.checked_sub(LINES) {
            let cents = Self::of(seed, of, cards).cents;
            let cents = if random.per_mille(120) { cents / 2 + 1 } else { cents };
            let is_old = random.per_mille(40);
            return Self { number, cents, is_old, does: Does::TakesBack(of) };
        }
        let cents = *random.pick(&[1, 20_00, 75_50, 300_00, 1_000_00, 1_000_01]).unwrap();
        let does = match random.below(8) {
            0 => Does::BringsForNobody,
            1 => Does::Brings(999_999_998),
            _ => Does::Brings(FIRST_MOK_ID + u32::try_from(random.below(cards)).unwrap()),
        };
        Self { number, cents, is_old: random.per_mille(40), does }
    }

    /// The key of the line of this number.
    pub fn key(number: u64) -> StatementKey {
        StatementKey(u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())
    }

    /// The line as the switch is told it.
    pub fn line(&self, now: Now) -> StatementLine {
        let months = if self.is_old { 14 } else { 0 };
        let booked_on = now.local_date.months_earlier(months);
        let kind = match self.does {
            Does::Brings(mok_id) => LineKind::Credit(LineTarget::MokId(mok_id)),
            Does::BringsForNobody => {
                let reason = SuspenseReason::P3Mismatch;
                LineKind::Credit(LineTarget::Suspense { reason, mok_id: None })
            }
            Does::TakesBack(of) => LineKind::Reversal { of: Self::key(of) },
        };
        let line = BankLine { key: Self::key(self.number), booked_on };
        StatementLine { line, amount: Amount::from_minor(self.cents), kind }
    }

    fn signed(&self) -> i128 {
        let cents = i128::from(self.cents);
        if matches!(self.does, Does::TakesBack(_)) { -cents } else { cents }
    }
}

/// The oracle's list of what the bank ever booked.
#[derive(Clone, Default)]
pub struct BankBook {
    booked: Vec<Booked>,
    /// What persons assigned and no card has yet: the line, the card, the entry that says so.
    pub assigned: Option<(u64, u64, Seq)>,
}

/// A line that was booked.
#[derive(Clone)]
pub struct Booked {
    number: u64,
    /// Cents: positive came, negative was taken.
    pub cents: i128,
    went: Went,
}

/// Where a line's money is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Went {
    OffCard,
    /// To the card of this number.
    ToCard(u64),
    Nowhere,
    ToPayer,
    ToSuspense(&'static str),
}

/// What the switch is to say of a line.
pub type Fate = (LineFate, Option<&'static str>, bool);

impl BankBook {
    pub fn find(&self, number: u64) -> Option<&Booked> {
        self.booked.iter().find(|booked| booked.number == number)
    }

    pub fn went(&mut self, number: u64, went: Went) {
        self.booked.iter_mut().filter(|booked| booked.number == number).for_each(|booked| {
            booked.went = went;
        });
    }

    pub fn is_held(&self, number: u64) -> bool {
        matches!(self.find(number), Some(Booked { went: Went::ToSuspense(_), .. }))
    }

    pub fn is_assigned(&self, number: u64) -> bool {
        self.assigned.is_some_and(|(of, ..)| of == number)
    }

    /// All that is in suspense, in cents.
    pub fn suspense(&self) -> i128 {
        let held = self.booked.iter().filter(|booked| matches!(booked.went, Went::ToSuspense(_)));
        held.map(|booked| booked.cents).sum()
    }
}

impl Oracle {
    /// Posts a line; tells what becomes of it.
    pub fn post(&mut self, told: &Told, now: Now) -> Fate {
        if let Some(booked) = self.bank.find(told.number) {
            let differs = booked.cents != told.signed();
            let (fate, reason) = match booked.went {
                Went::ToSuspense(reason) if differs => (LineFate::Conflict, Some(reason)),
                _ if differs => (LineFate::Conflict, None),
                Went::OffCard => (LineFate::TakenBack, None),
                Went::ToCard(_) => (LineFate::Loaded, None),
                Went::Nowhere => (LineFate::Reversed, None),
                Went::ToPayer => (LineFate::Returned, None),
                Went::ToSuspense(reason) => (LineFate::Suspense, Some(reason)),
            };
            return (fate, reason, true);
        }
        let went = self.settle_line(told, now);
        let (number, cents) = (told.number, told.signed());
        self.bank.booked.push(Booked { number, cents, went });
        match went {
            Went::OffCard => (LineFate::TakenBack, None, false),
            Went::ToCard(_) => (LineFate::Loaded, None, false),
            Went::Nowhere => (LineFate::Reversed, None, false),
            Went::ToPayer => (LineFate::Returned, None, false),
            Went::ToSuspense(reason) => (LineFate::Suspense, Some(reason), false),
        }
    }

    /// Where a line that was never there goes.
    fn settle_line(&mut self, told: &Told, now: Now) -> Went {
        if told.is_old {
            return Went::ToSuspense("LINE_OLD");
        }
        match told.does {
            Does::TakesBack(of) => self.take_back_line(told, of),
            Does::Brings(_) | Does::BringsForNobody if self.meets_its_reversal(told) => {
                Went::Nowhere
            }
            Does::BringsForNobody => Went::ToSuspense("P3_MISMATCH"),
            Does::Brings(mok_id) => {
                let Some(pan) = self.pan_of(mok_id) else {
                    return Went::ToSuspense("MOKID_UNKNOWN");
                };
                let reference = format!("line {}", told.number);
                if self.load(pan, told.cents, &reference, now) {
                    Went::ToCard(pan)
                } else if self.is_closed(pan) {
                    Went::ToSuspense("CARD_CLOSED")
                } else {
                    Went::ToSuspense("LIMIT")
                }
            }
        }
    }

    /// Whether the bank took this before it told of it; both are nothing then.
    fn meets_its_reversal(&mut self, told: &Told) -> bool {
        let back = told.number + LINES;
        let is_there = self.bank.is_held(back)
            && !self.bank.is_assigned(back)
            && self.bank.find(back).is_some_and(|booked| booked.cents == -told.signed());
        if is_there {
            self.bank.went(back, Went::Nowhere);
        }
        is_there
    }

    fn take_back_line(&mut self, told: &Told, of: u64) -> Went {
        let unmatched = Went::ToSuspense("REVERSAL_UNMATCHED");
        let cents = i128::from(told.cents);
        match self.bank.find(of).cloned() {
            Some(Booked { went: Went::ToSuspense(_), cents: held, .. }) if held == cents => {
                self.bank.went(of, Went::Nowhere);
                Went::Nowhere
            }
            Some(Booked { went: Went::ToCard(pan), cents: loaded, .. }) if cents <= loaded => {
                self.take(pan, told.cents);
                Went::OffCard
            }
            _ => unmatched,
        }
    }
}
