//! A cash machine: the fee before the PIN, the notes, and what happens when not all come out.
//!
//! A withdrawal goes: can the cassettes pay it? -> fee enquiry (0100, DE 3 = 320000) -> the fee
//! and its share are shown -> consent and PIN -> 0200 -> notes -> end. When fewer notes come out
//! than were approved, the machine tells the issuer at once: 0420 with DE 39 = 32 and the amount
//! really paid in DE 95, or DE 39 = 21 when nothing came out. The issuer then computes its fee
//! anew. A state machine without I/O, clock or randomness.
//!
//! An enquiry that stays unanswered or is declined does not stop a withdrawal: the fee is then
//! shown as unknown. It is the withdrawal's own answer that decides.

use crate::cassettes::{Cassettes, Mix};
use crate::device::pin_pad::EncipheredPin;
use crate::form::{self, Cause, Tender};
use crate::link::OnSilence;
use crate::outcome::{Ending, Outcome};
use crate::place::Place;
use crate::pos::{Exchange, LineEvent, TillAction, cancel};
use crate::reply::Reply;

/// What is shown before the PIN is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeeNotice {
    /// Cents that will come out.
    pub amount: u64,
    /// The issuer's fee in cents; `None` when it could not be learned.
    pub fee: Option<u64>,
}

impl FeeNotice {
    /// The fee's share of the amount in whole percent, half up: 15.00 on 50.00 is 30.
    #[must_use]
    pub fn share_percent(&self) -> Option<u64> {
        let fee = self.fee?;
        (fee * 200).checked_add(self.amount)?.checked_div(self.amount.checked_mul(2)?)
    }
}

/// What a person starts at a cash machine.
#[derive(Clone, Debug)]
pub enum CashpointForm {
    /// How much is there?
    Balance(Tender),
    /// Takes a transaction back by hand, as the bank's staff would.
    Cancel {
        /// The transaction, as its outcome tells it.
        of: Box<Outcome>,
    },
    /// Changes the PIN; the tender carries the old one.
    PinChange {
        /// The card with its old PIN.
        tender: Tender,
        /// The new PIN, under the same key as the old one.
        new_pin: EncipheredPin,
    },
    /// Cash. The PIN in the tender is used only after consent.
    Withdraw {
        /// The card and the PIN that will be typed.
        tender: Tender,
        /// Cents in notes.
        amount: u64,
    },
}

/// What happens at a cash machine.
#[derive(Debug)]
pub enum CashpointEvent<'a> {
    /// The person takes the card back.
    Cancel,
    /// The person agrees to the fee and has typed the PIN.
    Consent,
    /// So many notes came out, the large ones first.
    Dispensed {
        /// Notes in the person's hand.
        note_count: u32,
    },
    /// News from the line.
    Line(LineEvent<'a>),
    /// Somebody starts a transaction.
    Start(Box<CashpointForm>),
    /// Card and PIN as they are to be sent, once the PIN is typed; before the consent.
    Tendered(Box<Tender>),
}

/// One cash machine.
#[derive(Debug)]
pub struct Cashpoint {
    place: Place,
    cassettes: Cassettes,
    /// The machine owner's own fee in cents, added to DE 4 and told in DE 28.
    surcharge: u64,
    exchange: Exchange,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// A request without cash waits, or nothing does.
    Plain,
    /// The fee enquiry waits.
    Enquiring(Cash),
    /// The fee is on the screen.
    Consenting(Cash),
    /// The withdrawal waits.
    Withdrawing(Cash),
    /// Notes are on their way out.
    Dispensing(Mix, Box<Outcome>),
    /// The host is being told what did not come out.
    Correcting(Box<Outcome>),
}

#[derive(Debug)]
struct Cash {
    tender: Tender,
    amount: u64,
    mix: Mix,
}

impl Cashpoint {
    /// A machine at this place with these notes and no fee of its own.
    #[must_use]
    pub const fn new(place: Place, cassettes: Cassettes) -> Self {
        Self { place, cassettes, surcharge: 0, exchange: Exchange::Idle, step: Step::Plain }
    }

    /// The same with a fee of its owner, in cents per withdrawal.
    #[must_use]
    pub fn with_surcharge(mut self, cents: u64) -> Self {
        self.surcharge = cents;
        self
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// What it holds.
    #[must_use]
    pub const fn cassettes(&self) -> &Cassettes {
        &self.cassettes
    }

    /// Tells it what its dispenser can pay out, before a transaction.
    pub fn restock(&mut self, cassettes: Cassettes) {
        self.cassettes = cassettes;
    }

    /// Takes one event and says what is to be done, in order. An event that does not belong to
    /// the current step changes nothing.
    pub fn handle(&mut self, event: CashpointEvent<'_>) -> Vec<TillAction> {
        match event {
            CashpointEvent::Start(form) => self.start(*form),
            CashpointEvent::Tendered(tender) => self.tendered(*tender),
            CashpointEvent::Consent => self.consent(),
            CashpointEvent::Cancel => self.cancelled(),
            CashpointEvent::Dispensed { note_count } => self.dispensed(note_count),
            CashpointEvent::Line(LineEvent::Answered(reply)) => self.answered(reply),
            CashpointEvent::Line(LineEvent::Refused(why)) => self.unanswered(Ending::Refused(why)),
            CashpointEvent::Line(LineEvent::Sent(message)) => {
                self.exchange.sent(message);
                vec![]
            }
            CashpointEvent::Line(LineEvent::TimedOut) => self.unanswered(Ending::TimedOut),
        }
    }

    fn start(&mut self, form: CashpointForm) -> Vec<TillAction> {
        if !matches!((&self.exchange, &self.step), (Exchange::Idle, Step::Plain)) {
            return vec![];
        }
        match form {
            CashpointForm::Balance(tender) => {
                let message = form::balance(&self.place, &tender);
                self.exchange.start(0, message, OnSilence::Forget)
            }
            CashpointForm::Cancel { of } => cancel(&mut self.exchange, &of, None),
            CashpointForm::PinChange { tender, new_pin } => {
                let message = form::pin_change(&self.place, &tender, &new_pin);
                self.exchange.start(0, message, OnSilence::Forget)
            }
            CashpointForm::Withdraw { tender, amount } => {
                let Some(mix) = self.cassettes.plan(amount) else {
                    let outcome = Outcome::unanswered(Ending::NoNotes, amount, None);
                    return vec![TillAction::Finish(Box::new(outcome))];
                };
                let total = amount + self.surcharge;
                let enquiry = form::fee_enquiry(&self.place, &tender, total, self.surcharge);
                self.step = Step::Enquiring(Cash { tender, amount, mix });
                self.exchange.start(amount, enquiry, OnSilence::Forget)
            }
        }
    }

    fn answered(&mut self, reply: &Reply) -> Vec<TillAction> {
        let Some(outcome) = self.exchange.finish(reply).map(Box::new) else { return vec![] };
        match core::mem::replace(&mut self.step, Step::Plain) {
            Step::Plain => vec![TillAction::Finish(outcome)],
            Step::Enquiring(cash) => {
                let is_approval = reply.is_approval();
                self.ask(cash, reply.fee.filter(|_| is_approval))
            }
            Step::Withdrawing(cash) if outcome.is_approved() => {
                let mix = cash.mix;
                self.step = Step::Dispensing(mix.clone(), outcome);
                vec![TillAction::Dispense(mix)]
            }
            Step::Withdrawing(_) => vec![TillAction::Finish(outcome)],
            Step::Correcting(withdrawal) => {
                // The issuer tells the fee on what was really paid; without one it is unknown.
                let fee =
                    reply.fee.unwrap_or(if withdrawal.amount == 0 { 0 } else { withdrawal.fee });
                vec![TillAction::Finish(Box::new(Outcome { fee, ..*withdrawal }))]
            }
            step @ (Step::Consenting(_) | Step::Dispensing(..)) => {
                self.step = step;
                vec![]
            }
        }
    }

    fn ask(&mut self, cash: Cash, fee: Option<u64>) -> Vec<TillAction> {
        let notice = FeeNotice { amount: cash.amount, fee };
        self.step = Step::Consenting(cash);
        vec![TillAction::AskConsent(notice)]
    }

    fn tendered(&mut self, tender: Tender) -> Vec<TillAction> {
        match &mut self.step {
            Step::Consenting(cash) => cash.tender = tender,
            Step::Plain
            | Step::Enquiring(_)
            | Step::Withdrawing(_)
            | Step::Dispensing(..)
            | Step::Correcting(_) => {}
        }
        vec![]
    }

    fn consent(&mut self) -> Vec<TillAction> {
        match core::mem::replace(&mut self.step, Step::Plain) {
            Step::Consenting(cash) => {
                let total = cash.amount + self.surcharge;
                let message = form::withdrawal(&self.place, &cash.tender, total, self.surcharge);
                let amount = cash.amount;
                self.step = Step::Withdrawing(cash);
                self.exchange.start(amount, message, OnSilence::Reverse)
            }
            step @ (Step::Plain
            | Step::Enquiring(_)
            | Step::Withdrawing(_)
            | Step::Dispensing(..)
            | Step::Correcting(_)) => {
                self.step = step;
                vec![]
            }
        }
    }

    fn cancelled(&mut self) -> Vec<TillAction> {
        match core::mem::replace(&mut self.step, Step::Plain) {
            Step::Consenting(cash) => {
                let outcome = Outcome::unanswered(Ending::Cancelled, cash.amount, None);
                vec![TillAction::Finish(Box::new(outcome))]
            }
            step @ (Step::Plain
            | Step::Enquiring(_)
            | Step::Withdrawing(_)
            | Step::Dispensing(..)
            | Step::Correcting(_)) => {
                self.step = step;
                vec![]
            }
        }
    }

    fn dispensed(&mut self, note_count: u32) -> Vec<TillAction> {
        let (mix, mut outcome) = match core::mem::replace(&mut self.step, Step::Plain) {
            Step::Dispensing(mix, outcome) => (mix, outcome),
            step @ (Step::Plain
            | Step::Enquiring(_)
            | Step::Consenting(_)
            | Step::Withdrawing(_)
            | Step::Correcting(_)) => {
                self.step = step;
                return vec![];
            }
        };
        let paid = mix.first_notes(note_count);
        self.cassettes.take(&paid);
        outcome.dispensed = Some(paid.total());
        if paid == mix {
            return vec![TillAction::Finish(outcome)];
        }
        let Some(sent) = &outcome.sent else { return vec![TillAction::Finish(outcome)] };
        let (cause, actual) = match paid.total() {
            0 => (Cause::NothingDispensed, None),
            // The owner's surcharge stays with the part that was paid.
            cents => (Cause::PartlyDispensed, Some(cents + self.surcharge)),
        };
        let message = form::reversal(sent, cause, actual, outcome.auth_code);
        outcome.amount = paid.total();
        outcome.reversed = Some(cause);
        let asked = outcome.asked;
        self.step = Step::Correcting(outcome);
        self.exchange.start(asked, message, OnSilence::Repeat)
    }

    fn unanswered(&mut self, ending: Ending) -> Vec<TillAction> {
        let actions = self.exchange.ended(ending);
        match core::mem::replace(&mut self.step, Step::Plain) {
            Step::Enquiring(cash) if ending == Ending::TimedOut => self.ask(cash, None),
            Step::Correcting(withdrawal) => vec![TillAction::Finish(withdrawal)],
            step @ (Step::Consenting(_) | Step::Dispensing(..)) => {
                self.step = step;
                vec![]
            }
            Step::Plain | Step::Enquiring(_) | Step::Withdrawing(_) => actions,
        }
    }
}
