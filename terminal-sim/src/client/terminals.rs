//! Till and cashpoint on a connection: one transaction at a time, the chip's part in it included.

use cekr_emv::terminal::Decision;

use super::Host;
use crate::cashpoint::{Cashpoint, CashpointEvent, CashpointForm, FeeNotice};
use crate::cassettes::{Cassettes, Mix};
use crate::chip_session::{Ask, ChipSession, Pause, kind};
use crate::device::pin_pad::EncipheredPin;
use crate::device::reader::Reader;
use crate::form::{Original, Tender};
use crate::outcome::{Ending, Outcome};
use crate::place::Place;
use crate::pos::{Pos, PosEvent, PosForm, TillAction};
use crate::reply::Reply;

/// A till with its connection.
#[derive(Debug)]
pub struct PosTerminal {
    /// The connection.
    pub host: Host,
    /// Kernel and reader; without them a chip sends what its stripe image would hold.
    pub chip: Option<ChipSession<Reader>>,
    pos: Pos,
}

impl PosTerminal {
    /// A till at this place over this connection.
    #[must_use]
    pub const fn new(host: Host, place: Place) -> Self {
        Self { host, chip: None, pos: Pos::new(place) }
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        self.pos.place()
    }

    /// Moves the till: the next transaction happens there.
    pub fn relocate(&mut self, place: Place) {
        if let Some(chip) = &mut self.chip {
            chip.relocate(&place);
        }
        self.pos = Pos::new(place);
    }

    /// The same with a kernel and a reader.
    #[must_use]
    pub fn with_chip(self, chip: ChipSession<Reader>) -> Self {
        Self { chip: Some(chip), ..self }
    }

    /// Any transaction of a till. Where a chip takes part it has the first and the last word.
    pub async fn transact(&mut self, mut form: PosForm) -> Outcome {
        let now = self.host.clock.now();
        let asked = form.asked();
        let takes_part = match (&mut self.chip, chip_of(&mut form)) {
            (Some(chip), Some((ask, tender))) => {
                let pause = chip.begin(ask, now);
                if let Err(end) = chip.go_online(pause, tender) {
                    return Outcome::unanswered(end.ending(), asked, None);
                }
                true
            }
            (None, _) | (_, None) => false,
        };
        let moves_money = form.moves_money();
        let (outcome, reply) = self.exchange(form).await;
        let Some(chip) = self.chip.as_mut().filter(|_| takes_part) else { return outcome };
        let end = match outcome.response_code() {
            Some(_) => chip.answered(&reply),
            None => chip.unanswered(),
        };
        if !outcome.is_approved() || end.decision == Decision::Approved {
            return outcome;
        }
        if end.needs_reversal && moves_money {
            let cancel = PosForm::Cancel { of: Box::new(outcome.clone()), actual: None };
            self.exchange(cancel).await;
        }
        outcome.refused_by_card(end.ending())
    }

    async fn exchange(&mut self, form: PosForm) -> (Outcome, Reply) {
        let first = self.pos.handle(PosEvent::Start(Box::new(form)));
        self.host.run(&mut self.pos, first, |_, _, _| vec![]).await
    }

    /// A purchase of so many cents.
    pub async fn purchase(&mut self, tender: &Tender, amount: u64) -> Outcome {
        let tender = tender.clone();
        self.transact(PosForm::Purchase { tender, amount, cashback: None }).await
    }

    /// A purchase with cash on top; `cashback` cents are part of `amount`.
    pub async fn purchase_with_cashback(
        &mut self,
        tender: &Tender,
        amount: u64,
        cashback: CashPart,
    ) -> Outcome {
        let (tender, cashback) = (tender.clone(), Some(cashback.0));
        self.transact(PosForm::Purchase { tender, amount, cashback }).await
    }

    /// A refund of so many cents.
    pub async fn refund(&mut self, tender: &Tender, amount: u64, of: Original) -> Outcome {
        self.transact(PosForm::Refund { tender: tender.clone(), amount, of }).await
    }

    /// A preauthorization of so many cents.
    pub async fn preauthorize(&mut self, tender: &Tender, amount: u64) -> Outcome {
        self.transact(PosForm::Preauthorize { tender: tender.clone(), amount }).await
    }

    /// The completion of a preauthorization with its final amount in cents.
    pub async fn complete(&mut self, tender: &Tender, amount: u64, of: Original) -> Outcome {
        self.transact(PosForm::Complete { tender: tender.clone(), amount, of }).await
    }

    /// A balance inquiry.
    pub async fn balance(&mut self, tender: &Tender) -> Outcome {
        self.transact(PosForm::Balance(tender.clone())).await
    }

    /// Takes a transaction back (0400, DE 39 = 17), by whichever terminal it was made.
    pub async fn reverse(&mut self, of: &Outcome) -> Outcome {
        self.transact(PosForm::Cancel { of: Box::new(of.clone()), actual: None }).await
    }
}

/// Cents of a purchase that are paid out in cash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CashPart(pub u64);

/// A cash machine with its connection.
#[derive(Debug)]
pub struct CashpointTerminal {
    /// The connection.
    pub host: Host,
    /// Kernel and reader; without them a chip sends what its stripe image would hold.
    pub chip: Option<ChipSession<Reader>>,
    cashpoint: Cashpoint,
}

/// What the person and the dispenser do during a withdrawal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WithdrawOptions {
    /// The highest fee in cents that the person accepts; `None` accepts any, an unknown one too.
    pub fee_max: Option<u64>,
    /// Notes that come out before the dispenser jams; `None` = it does not jam.
    pub jam_after: Option<u32>,
}

impl CashpointTerminal {
    /// A machine at this place with these notes over this connection.
    #[must_use]
    pub const fn new(host: Host, place: Place, cassettes: Cassettes) -> Self {
        Self { host, chip: None, cashpoint: Cashpoint::new(place, cassettes) }
    }

    /// The machine: its place and its notes.
    #[must_use]
    pub const fn cashpoint(&self) -> &Cashpoint {
        &self.cashpoint
    }

    /// Cash of so many cents: enquiry, fee, consent, withdrawal, notes.
    pub async fn withdraw(
        &mut self,
        tender: &Tender,
        amount: u64,
        options: WithdrawOptions,
    ) -> Outcome {
        self.withdraw_asking(tender, amount, options, |_| {}).await
    }

    /// The same with a kernel and a reader.
    #[must_use]
    pub fn with_chip(self, chip: ChipSession<Reader>) -> Self {
        Self { chip: Some(chip), ..self }
    }

    /// As [`CashpointTerminal::withdraw`]; `show` is called with the fee before the PIN.
    pub async fn withdraw_asking(
        &mut self,
        tender: &Tender,
        amount: u64,
        options: WithdrawOptions,
        mut show: impl FnMut(FeeNotice),
    ) -> Outcome {
        let now = self.host.clock.now();
        let mut holder = Holder { options, tender: tender.clone(), chip: None, refusal: None };
        if let Some(chip) = &mut self.chip
            && let Some(ask) = Ask::of(tender, kind::CASH, amount, 0)
        {
            match chip.begin(ask, now) {
                Pause::Ended(end) => return Outcome::unanswered(end.ending(), amount, None),
                pause @ (Pause::Online | Pause::Pin(_)) => {
                    holder.chip = Some((chip, Stage::Before(pause)));
                }
            }
        }
        let form = CashpointForm::Withdraw { tender: tender.clone(), amount };
        let first = self.cashpoint.handle(CashpointEvent::Start(Box::new(form)));
        let respond = |machine: &mut Cashpoint, action: &TillAction, reply: &Reply| match action {
            TillAction::AskConsent(notice) => {
                show(*notice);
                holder.answer(machine, notice)
            }
            TillAction::Dispense(mix) => holder.take_notes(machine, mix, reply),
            TillAction::Finish(_) | TillAction::Submit(..) => vec![],
        };
        let (outcome, reply) = self.host.run(&mut self.cashpoint, first, respond).await;
        holder.leave(outcome, &reply)
    }

    /// A balance inquiry.
    pub async fn balance(&mut self, tender: &Tender) -> Outcome {
        self.transact(CashpointForm::Balance(tender.clone())).await
    }

    /// A PIN change; the tender carries the old PIN.
    pub async fn change_pin(&mut self, tender: &Tender, new_pin: EncipheredPin) -> Outcome {
        self.transact(CashpointForm::PinChange { tender: tender.clone(), new_pin }).await
    }

    /// Takes a transaction back by hand.
    pub async fn reverse(&mut self, of: &Outcome) -> Outcome {
        self.transact(CashpointForm::Cancel { of: Box::new(of.clone()) }).await
    }

    async fn transact(&mut self, mut form: CashpointForm) -> Outcome {
        let now = self.host.clock.now();
        let takes_part = match (&mut self.chip, chip_of_cashpoint(&mut form)) {
            (Some(chip), Some((ask, tender))) => {
                let pause = chip.begin(ask, now);
                if let Err(end) = chip.go_online(pause, tender) {
                    return Outcome::unanswered(end.ending(), 0, None);
                }
                true
            }
            (None, _) | (_, None) => false,
        };
        let first = self.cashpoint.handle(CashpointEvent::Start(Box::new(form)));
        let (outcome, reply) = self.host.run(&mut self.cashpoint, first, |_, _, _| vec![]).await;
        match self.chip.as_mut().filter(|_| takes_part) {
            None => outcome,
            Some(chip) => told(chip, outcome, &reply),
        }
    }
}

/// Tells the chip how it ended; where it refuses what was approved, it has the last word.
fn told(chip: &mut ChipSession<Reader>, outcome: Outcome, reply: &Reply) -> Outcome {
    let end = match outcome.response_code() {
        Some(_) => chip.answered(reply),
        None => chip.unanswered(),
    };
    match end.decision {
        Decision::Declined | Decision::Terminated(_) if outcome.is_approved() => {
            Outcome { ending: end.ending(), ..outcome }
        }
        Decision::Approved | Decision::Declined | Decision::Terminated(_) => outcome,
    }
}

/// The person at the machine, and the card in it.
struct Holder<'a> {
    options: WithdrawOptions,
    tender: Tender,
    chip: Option<(&'a mut ChipSession<Reader>, Stage)>,
    /// Why the card ended it.
    refusal: Option<Ending>,
}

/// How far the chip is.
enum Stage {
    /// It waits for the PIN.
    Before(Pause),
    /// It waits for the issuer's answer.
    Asking,
    /// It has its answer.
    Told,
}

impl Holder<'_> {
    /// Consents or not; with consent come the PIN and the chip's request.
    fn answer(&mut self, machine: &mut Cashpoint, notice: &FeeNotice) -> Vec<TillAction> {
        let answer = self.options.answer_to(notice);
        if matches!(answer, CashpointEvent::Cancel) {
            if let Some((chip, stage)) = &mut self.chip {
                chip.abandon();
                *stage = Stage::Told;
            }
            return machine.handle(answer);
        }
        if let Some((chip, stage)) = &mut self.chip
            && let Stage::Before(pause) = core::mem::replace(stage, Stage::Asking)
        {
            if let Err(end) = chip.go_online(pause, &mut self.tender) {
                *stage = Stage::Told;
                self.refusal = Some(end.ending());
                return machine.handle(CashpointEvent::Cancel);
            }
            machine.handle(CashpointEvent::Tendered(Box::new(self.tender.clone())));
        }
        machine.handle(answer)
    }

    /// Takes the notes, unless the card refuses what its issuer has approved.
    fn take_notes(&mut self, machine: &mut Cashpoint, mix: &Mix, reply: &Reply) -> Vec<TillAction> {
        if let Some((chip, stage)) = &mut self.chip {
            *stage = Stage::Told;
            let end = chip.answered(reply);
            if end.decision != Decision::Approved {
                self.refusal = Some(end.ending());
                return machine.handle(CashpointEvent::Dispensed { note_count: 0 });
            }
        }
        machine.handle(self.options.dispense(mix))
    }

    /// Takes the card back.
    fn leave(self, outcome: Outcome, reply: &Reply) -> Outcome {
        if let Some((chip, Stage::Asking)) = self.chip {
            match outcome.response_code() {
                Some(_) => chip.answered(reply),
                None => chip.unanswered(),
            };
        }
        match self.refusal {
            None => outcome,
            Some(ending) => Outcome { ending, ..outcome },
        }
    }
}

/// What the chip of a till's form is told, and the tender that it completes.
fn chip_of(form: &mut PosForm) -> Option<(Ask, &mut Tender)> {
    let (tender, kind, amount, cashback) = match form {
        PosForm::Balance(tender) => (tender, kind::BALANCE, 0, 0),
        PosForm::PinChange { tender, .. } => (tender, kind::PIN_CHANGE, 0, 0),
        PosForm::Increment { tender, amount, .. } | PosForm::Preauthorize { tender, amount } => {
            (tender, kind::PURCHASE, *amount, 0)
        }
        PosForm::Purchase { tender, amount, cashback: None } => {
            (tender, kind::PURCHASE, *amount, 0)
        }
        PosForm::Purchase { tender, amount, cashback: Some(cash) } => {
            (tender, kind::CASHBACK, *amount, *cash)
        }
        // What happened already, and what is paid back, needs no proof of the card.
        PosForm::Cancel { .. } | PosForm::Complete { .. } | PosForm::Refund { .. } => return None,
    };
    Some((Ask::of(tender, kind, amount, cashback)?, tender))
}

/// The same of a cashpoint's form, cash excepted: that has a step in between.
fn chip_of_cashpoint(form: &mut CashpointForm) -> Option<(Ask, &mut Tender)> {
    let (tender, kind) = match form {
        CashpointForm::Balance(tender) => (tender, kind::BALANCE),
        CashpointForm::PinChange { tender, .. } => (tender, kind::PIN_CHANGE),
        CashpointForm::Cancel { .. } | CashpointForm::Withdraw { .. } => return None,
    };
    Some((Ask::of(tender, kind, 0, 0)?, tender))
}

impl WithdrawOptions {
    fn answer_to(&self, notice: &FeeNotice) -> CashpointEvent<'static> {
        let is_fine = match (self.fee_max, notice.fee) {
            (None, _) => true,
            (Some(max), Some(fee)) => fee <= max,
            (Some(_), None) => false,
        };
        if is_fine { CashpointEvent::Consent } else { CashpointEvent::Cancel }
    }

    fn dispense(&self, mix: &Mix) -> CashpointEvent<'static> {
        let note_count = self.jam_after.unwrap_or(u32::MAX).min(mix.note_count());
        CashpointEvent::Dispensed { note_count }
    }
}
