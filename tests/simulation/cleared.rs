//! What a clearing line does to an account, worked out from the list of all that its card ever did.

use cekr_issuer::{CardStatus, Now};
use cekr_switch::clearing::LineTold;

use crate::account::{Account, Line, Money};
use crate::elements::fee_of;
use crate::read::{Key, Place};

/// What clearing did to a line of an account.
#[derive(Clone, Debug, Default)]
pub struct Cleared {
    /// It is settled: another line about it waits for a person.
    pub is_settled: bool,
    /// No approval of ours began it.
    pub is_forced: bool,
    /// Nothing is left of it, and no reversal took it.
    pub is_emptied: bool,
    /// What the limits of its day count and is not left, or the other way round.
    pub uncounted: i128,
    pub uncounted_cash: i128,
}

/// The lines that files brought so far.
#[derive(Clone, Default)]
pub struct ClearingBook {
    pub lines: Vec<(LineTold, Expected)>,
}

/// What is to become of a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    pub outcome: &'static str,
    pub cause: Option<&'static str>,
    pub change: i128,
    pub fee_change: i128,
    pub parked: i128,
}

impl Expected {
    pub fn parked(cause: &'static str, cents: i64) -> Self {
        let (cause, parked) = (Some(cause), cents.into());
        Self { outcome: "parked", cause, change: 0, fee_change: 0, parked }
    }

    fn did(outcome: &'static str, change: i128) -> Self {
        Self { outcome, cause: None, change, fee_change: 0, parked: 0 }
    }
}

impl Account {
    /// Carries a line out.
    pub fn clear(&mut self, told: &LineTold, now: Now) -> Expected {
        match told.amount {
            0 => Expected::parked("amount_zero", 0),
            1.. => self.clear_debit(told, now),
            _ => self.clear_credit(told),
        }
    }

    /// By approval code and reference, else by the code, else by the reference.
    fn named(&self, told: &LineTold, is_wanted: impl Fn(&Line) -> bool) -> Option<usize> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let code = told.auth_code.map(|code| text(code.octets()));
        let rrn = told.rrn.map(|rrn| text(rrn.octets()));
        let by_code = |line: &Line| code.as_deref() == Some(line.auth_code.as_str());
        let by_rrn = |line: &Line| rrn.is_some() && rrn == line.rrn;
        self.newest(|line| is_wanted(line) && by_code(line) && by_rrn(line))
            .or_else(|| self.newest(|line| is_wanted(line) && by_code(line)))
            .or_else(|| self.newest(|line| is_wanted(line) && by_rrn(line)))
            .map(|at| self.now_of(at))
    }

    fn clear_debit(&mut self, told: &LineTold, now: Now) -> Expected {
        let cents = u64::try_from(told.amount).unwrap();
        let Some(named) = self.named(told, Line::is_paid) else {
            return self.force(told, cents, now);
        };
        if self.lines[named].clearing.is_settled {
            return Expected::parked("already_cleared", told.amount);
        }
        let first = self.lines[named].first;
        let parts = self.parts(first);
        let approved: u64 = parts.iter().map(|at| self.lines[*at].left).sum();
        if approved == 0 {
            return Expected::parked("original_reversed", told.amount);
        }
        let posted = if cents * 5 <= approved * 6 { cents } else { approved };
        let has_cash = parts.iter().any(|at| self.lines[*at].has_cash);
        let not_cash: u64 = parts.iter().map(|at| self.lines[*at].not_cash).sum();
        let cash = if has_cash { posted.saturating_sub(not_cash) } else { 0 };
        let had_fee = self.lines[first].has_fee && self.lines[first].has_cash;
        let fee = if had_fee { fee_of(cash) } else { 0 };
        let parked = i128::from(cents - posted);
        if self.lines[first].money == Money::Posted {
            let line = &mut self.lines[first];
            let change = i128::from(line.left) - i128::from(posted);
            let fee_change = i128::from(line.fee_left) - i128::from(fee);
            line.changes_to(posted);
            line.fee_left = fee;
            line.clearing.is_settled = true;
            return Expected { fee_change, parked, ..Expected::did("adjusted", change) };
        }
        let by = self.lines.len();
        for at in &parts {
            self.lines[*at].money = Money::Completed { by };
        }
        let faulted_at = parts.iter().filter_map(|at| self.lines[*at].faulted_at).max();
        for at in parts {
            self.lines[at].faulted_at = None;
        }
        self.lines.push(Line {
            left: posted,
            not_cash: if has_cash { not_cash } else { posted },
            has_cash: cash > 0,
            has_fee: had_fee,
            fee_left: fee,
            money: Money::Posted,
            first: by,
            is_estimate: false,
            faulted_at,
            // Its own code is told to nobody.
            auth_code: String::new(),
            unasked: self.lines[first].unasked_of(posted),
            clearing: Cleared { is_settled: true, ..Cleared::default() },
            ..self.lines[first].clone()
        });
        let fee_change = -i128::from(fee);
        Expected { fee_change, parked, ..Expected::did("posted", -i128::from(posted)) }
    }

    /// What nobody knows of was paid all the same.
    fn force(&mut self, told: &LineTold, cents: u64, now: Now) -> Expected {
        if self.status == CardStatus::Closed {
            return Expected::parked("card_closed", told.amount);
        }
        let has_cash = told.mcc.number() == 6011;
        let fee_left = if has_cash { fee_of(cents) } else { 0 };
        let rrn = told.rrn.map(|rrn| String::from_utf8_lossy(rrn.octets()).into_owned());
        let merchant = told.merchant.map(|it| String::from_utf8_lossy(it.octets()).into_owned());
        self.lines.push(Line {
            key: nobodys_key(),
            rrn,
            merchant,
            auth_code: String::new(),
            date: now.local_date.packed(),
            asked: cents,
            currency: "978".to_owned(),
            billed: cents,
            not_cash: if has_cash { 0 } else { cents },
            has_cash,
            has_fee: has_cash,
            left: cents,
            fee_left,
            place: if has_cash { Place::Cashpoint } else { Place::Shop },
            money: Money::Posted,
            first: self.lines.len(),
            is_estimate: false,
            refund_of: None,
            faulted_at: None,
            unasked: None,
            at_ms: now.unix_ms,
            clearing: Cleared { is_settled: true, is_forced: true, ..Cleared::default() },
        });
        let fee_change = -i128::from(fee_left);
        Expected { fee_change, ..Expected::did("forced", -i128::from(cents)) }
    }

    fn clear_credit(&mut self, told: &LineTold) -> Expected {
        let cents = told.amount.unsigned_abs();
        let change = i128::from(cents);
        let parked = |cause| Expected::parked(cause, told.amount);
        if let Some(at) = self.named(told, |line| line.money == Money::Pending) {
            if cents > self.lines[at].left {
                return parked("credit_too_large");
            }
            let purchase = self.lines[at].refund_of.map(|of| self.now_of(of));
            if purchase.is_some_and(|of| cents > self.lines[of].left) {
                return parked("original_reversed");
            }
            self.lines[at].left = 0;
            match purchase {
                Some(of) if self.lines[of].money == Money::Posted => {
                    let left = self.lines[of].left - cents;
                    self.lines[of].changes_to(left);
                }
                // A hold stays what it is: the purchase itself is still to come.
                Some(_) | None => self.brought += cents,
            }
            return Expected::did("refunded", change);
        }
        match self.named(told, Line::is_paid) {
            None => parked("original_unknown"),
            Some(at) if self.lines[at].money != Money::Posted || cents > self.lines[at].left => {
                parked("credit_too_large")
            }
            Some(at) => {
                let left = self.lines[at].left - cents;
                self.lines[at].changes_to(left);
                Expected::did("charged_back", change)
            }
        }
    }
}

impl Line {
    /// Another amount is left, and the limits count what they counted.
    fn changes_to(&mut self, left: u64) {
        let cash = i128::from(self.cash_of(self.left)) - i128::from(self.cash_of(left));
        self.clearing.uncounted += i128::from(self.left) - i128::from(left);
        self.clearing.uncounted_cash += cash;
        self.clearing.is_emptied |= self.left > 0 && left == 0;
        self.left = left;
    }
}

/// The key of what no terminal asked.
fn nobodys_key() -> Key {
    let none = String::new;
    Key { class: 0, acquirer: none(), terminal: none(), stan: none(), when: none() }
}
