//! Holders of a world who confirm purchases and refuse them, and shops that use what they got for
//! it: the right value, an old one, another card's, a damaged one.
//!
//! It draws from a sequence of its own, in every seventh world: the others ask for no confirmation.

use cekr_iso8583::{CurrencyCode, subfield};
use cekr_issuer::{
    Amount, ConfirmationEnd, ConfirmationId, ConfirmationNumber, NewConfirmation, Payee,
    SecondFactor,
};
use cekr_switch::control::ControlError;
use cekr_terminal_sim::random::Random;

use crate::consent::{Shown, Step};
use crate::oracle::Oracle;
use crate::support::{Bank, CardSpec, Told, id_of};
use crate::world::{CARDS, World};

/// The usual way.
const WAY: [Step; 4] = [Step::Ask, Step::Push, Step::Approve, Step::Seal];

/// A value that a shop got.
struct Value {
    pan: u64,
    cavv: [u8; 20],
    shown: Shown,
}

/// What the world draws its confirmations from.
pub struct Confirming {
    random: Random,
    made: u8,
    /// How far each has come, as far as the world knows.
    under_way: Vec<(Shown, usize)>,
    values: Vec<Value>,
}

impl Confirming {
    /// The confirmations of a seed's world, if it has any.
    pub fn new(seed: u64) -> Option<Self> {
        let random = Random::new(seed.rotate_left(17) ^ 0x5CA);
        let (under_way, values) = (Vec::new(), Vec::new());
        (seed % 7 == 6).then_some(Self { random, made: 0, under_way, values })
    }

    fn next(&mut self) -> Option<(Step, Shown)> {
        let random = &mut self.random;
        if !random.per_mille(500) {
            return None;
        }
        if self.made < u8::MAX && (self.under_way.is_empty() || random.per_mille(300)) {
            self.made += 1;
            let shown = Shown {
                card: usize::try_from(random.below(CARDS)).unwrap(),
                id: self.made,
                cents: random.within(&(1..120_00)),
                merchant: random.pick(&SHOPS).unwrap(),
            };
            self.under_way.push((shown, 0));
        }
        if self.under_way.len() > UNDER_WAY_MAX {
            self.under_way.remove(0);
        }
        let (shown, stage) = random.pick(&self.under_way)?.clone();
        let odd = [Step::Deny, Step::Cancel, Step::Seal, Step::Approve, Step::Push, Step::Ask];
        let step = if random.per_mille(80) { *random.pick(&odd)? } else { WAY[stage.min(3)] };
        Some((step, shown))
    }

    fn heard(&mut self, step: Step, shown: &Shown) {
        let found = self.under_way.iter_mut().find(|(known, _)| known.id == shown.id);
        if let Some((_, stage)) = found
            && WAY.get(*stage) == Some(&step)
        {
            *stage += 1;
        }
    }

    /// Half of what is bought in the street is bought in a web shop here, by those who confirm.
    fn online<'c>(
        &mut self,
        told: Told,
        card: &'c CardSpec,
        cards: &'c [CardSpec],
    ) -> (Told, &'c CardSpec) {
        let is_plain = told.text(22) == Some("012") && told.text(25) == Some("00");
        let is_sale = told.text(3) == Some("000000")
            && [2, 14].map(|de| told.text(de)).iter().all(Option::is_some);
        let is_bare = [35, 48, 52, 55].iter().all(|de| told.text(*de).is_none());
        if !(is_plain && is_sale && is_bare) || self.random.per_mille(500) {
            return (told, card);
        }
        let value = self.random.pick(&self.values);
        let holder = value.map_or(card, |value| &cards[value.shown.card]);
        let told = told.with(2, holder.pan).with(14, format!("{:04}", holder.expiry));
        (told.with(22, "812").with(25, "59").with(41, "WEB00001"), holder)
    }

    /// What a shop sends with a purchase.
    fn sent(&mut self, told: Told, card: &CardSpec) -> Told {
        let random = &mut self.random;
        if told.text(22) != Some("812") || told.text(48).is_some() {
            return told;
        }
        let is_own = |value: &&Value| value.pan == card.pan;
        let own: Vec<&Value> = self.values.iter().filter(is_own).collect();
        let newest = own.last().copied();
        let any = match random.below(6) {
            0 => random.pick(&self.values),
            1 => random.pick(&own).copied(),
            _ => newest,
        };
        match (random.below(10), any) {
            (0, _) => told.with(48, "420205"),
            (1, _) => told.with(48, "4202074502".to_owned() + random.pick(&["89", "84"]).unwrap()),
            (2, _) => told.with(25, "02").with(18, *random.pick(&["4131", "5942"]).unwrap()),
            (3, _) | (_, None) => told,
            (_, Some(Value { cavv, shown, .. })) => {
                let text = subfield::cavv_text(cavv);
                let mut text = String::from_utf8(text.to_vec()).unwrap();
                if random.per_mille(100) {
                    let at = usize::try_from(random.below(28)).unwrap();
                    text.replace_range(at..=at, "B");
                }
                let eci = if random.per_mille(950) { "05" } else { "07" };
                let cents = match random.below(6) {
                    0 => shown.cents + 1,
                    1 => random.below(shown.cents) + 1,
                    _ => shown.cents,
                };
                let merchant = if random.per_mille(900) { shown.merchant } else { SHOPS[0] };
                told.with(48, format!("4202{eci}4328{text}"))
                    .with(4, format!("{cents:012}"))
                    .with(42, merchant)
            }
        }
    }
}

impl World {
    /// The next step of a confirmation, if there is one.
    pub fn confirm_step(&mut self) -> Option<(Step, Shown)> {
        self.confirming.as_mut()?.next()
    }

    /// The same purchase with what its shop got for it, in worlds where holders confirm.
    pub fn with_value(&mut self, told: Told, card: &CardSpec) -> Told {
        let Some(mut confirming) = self.confirming.take() else { return told };
        let (told, holder) = confirming.online(told, card, &self.cards);
        let told = confirming.sent(told, holder);
        self.confirming = Some(confirming);
        told
    }
}

/// Lets a step happen to both and compares.
pub fn happens(
    (bank, oracle): (&Bank, &mut Oracle),
    world: &mut World,
    may_refuse: bool,
    (step, shown): (Step, Shown),
    place: &str,
) {
    let (control, now) = (&bank.control, bank.now);
    let card = id_of(u32::try_from(shown.card).unwrap());
    let id = ConfirmationId([shown.id; 16]);
    let done = match step {
        Step::Ask => {
            let new = NewConfirmation {
                id,
                amount: Amount::from_minor(shown.cents),
                currency: CurrencyCode::EUR,
                payee: Payee::of(shown.merchant, "").unwrap(),
            };
            control.ask_confirmation(card, new, now).map(|_| None)
        }
        Step::Push => control.push_confirmation(card, id, now).map(|_| None),
        Step::Approve => control.approve_confirmation(card, id, now).map(|_| None),
        Step::Seal => {
            let number = ConfirmationNumber::from_packed(shown.number()).unwrap();
            let factor = SecondFactor::OutOfBandBiometric;
            let sealed = control.seal_confirmation_as(card, id, factor, number, now);
            sealed.map(|(sealed, _)| Some(sealed.cavv))
        }
        Step::Deny | Step::Cancel => {
            let is_denied = step == Step::Deny;
            let end = if is_denied { ConfirmationEnd::Denied } else { ConfirmationEnd::Cancelled };
            control.end_confirmation(card, id, end, now).map(|_| None)
        }
    };
    if may_refuse && matches!(done, Err(ControlError::Busy)) {
        return;
    }
    let pan = world.cards[shown.card].pan;
    let expected = oracle.confirm(pan, step, &shown, now);
    assert_eq!(done.is_ok(), expected, "{place}: {step:?} of {shown:?}: {done:?}");
    let Some(confirming) = &mut world.confirming else { return };
    if done.is_ok() {
        confirming.heard(step, &shown);
    }
    if let Ok(Some(cavv)) = done
        && !confirming.values.iter().any(|value| value.cavv == cavv)
    {
        confirming.values.push(Value { pan, cavv, shown });
    }
}

/// The shops of these worlds.
const SHOPS: [&str; 2] = ["KRANJ0000000001", "KRANJ0000000002"];

/// Confirmations that somebody still speaks of.
const UNDER_WAY_MAX: usize = 6;
