//! What goes wrong in the simulated world, and the amounts that make it so.
//!
//! The cents of an amount choose it, as test numbers choose it elsewhere; `world` names it without
//! them, and `world = "well"` lets any amount pass. The switch knows nothing of this: terminals,
//! lines, people and banks behave so, and it decides as ever.

use cekr_switch::http::ApiError;
use serde_json::{Value, json};

use super::Kind;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mishap {
    /// The answer comes when the terminal has given up: it reverses, and reverses again.
    AnswerLate,
    /// The answer is lost: the same request is repeated, and its answer arrives.
    AnswerLost,
    /// The dispenser jams before the first note.
    DispenserJams,
    /// The dispenser jams half way.
    PartlyDispensed,
    /// The bank of who pays refuses.
    PayerDeclined,
    /// The message, or the statement, arrives twice.
    SentTwice,
    /// Somebody types a wrong PIN.
    WrongPin,
}

impl Mishap {
    pub(super) const ALL: [Self; 7] = [
        Self::AnswerLate,
        Self::AnswerLost,
        Self::DispenserJams,
        Self::PartlyDispensed,
        Self::PayerDeclined,
        Self::SentTwice,
        Self::WrongPin,
    ];

    /// Its name as `world`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AnswerLate => "answer_late",
            Self::AnswerLost => "answer_lost",
            Self::DispenserJams => "dispenser_jams",
            Self::PartlyDispensed => "partly_dispensed",
            Self::PayerDeclined => "payer_declined",
            Self::SentTwice => "sent_twice",
            Self::WrongPin => "wrong_pin",
        }
    }

    /// The cents that choose it.
    pub(super) const fn cents(self) -> u64 {
        match self {
            Self::AnswerLate => 68,
            Self::AnswerLost => 91,
            Self::DispenserJams => 21,
            Self::PartlyDispensed => 32,
            Self::PayerDeclined => 5,
            Self::SentTwice => 94,
            Self::WrongPin => 55,
        }
    }

    /// What happens, for the API's description.
    const fn about(self) -> &'static str {
        match self {
            Self::AnswerLate => "the answer comes too late; the terminal reverses (0420, 68)",
            Self::AnswerLost => "the answer is lost; the request is repeated (0201) and answered",
            Self::DispenserJams => "no note comes out (0420, 21)",
            Self::PartlyDispensed => "half of the notes come out (0420, 32)",
            Self::PayerDeclined => "the paying bank refuses",
            Self::SentTwice => "it arrives twice, and counts once",
            Self::WrongPin => "a wrong PIN is typed",
        }
    }

    /// Whether it can happen to this kind.
    pub(super) const fn can_befall(self, kind: Kind) -> bool {
        match self {
            Self::AnswerLate => kind.is_request(),
            Self::AnswerLost => kind.is_request() || matches!(kind, Kind::Completion),
            Self::DispenserJams | Self::PartlyDispensed => matches!(kind, Kind::Withdrawal),
            Self::PayerDeclined => matches!(kind, Kind::CardLoad),
            Self::SentTwice => {
                kind.is_request() || matches!(kind, Kind::Completion | Kind::UpnOrder)
            }
            Self::WrongPin => matches!(
                kind,
                Kind::Incremental | Kind::Preauthorization | Kind::Purchase | Kind::Withdrawal
            ),
        }
    }

    /// What befalls an amount; `world` has the word, where it is there.
    pub(super) fn of(
        kind: Kind,
        amount: Option<u64>,
        world: Option<&str>,
    ) -> Result<Option<Self>, ApiError> {
        let mut possible = Self::ALL.into_iter().filter(|mishap| mishap.can_befall(kind));
        match world {
            None => Ok(amount.and_then(|cents| possible.find(|it| it.cents() == cents % 100))),
            Some(WELL) => Ok(None),
            Some(name) => possible.find(|it| it.name() == name).map(Some).ok_or_else(|| {
                let possible = Self::ALL.into_iter().filter(|mishap| mishap.can_befall(kind));
                let names: Vec<&str> = possible.map(Self::name).chain([WELL]).collect();
                let message = format!("world is here: {}", names.join(", "));
                ApiError::invalid("invalid_world", message).of("world")
            }),
        }
    }

    /// Cents that are really asked for: a cashpoint has no coins, so that cents which chose
    /// something are left out there.
    pub(super) const fn left_of(mishap: Option<Self>, kind: Kind, amount: u64) -> u64 {
        match (mishap, kind) {
            (Some(mishap), Kind::Withdrawal) if amount % 100 == mishap.cents() => {
                amount - amount % 100
            }
            _ => amount,
        }
    }

    /// The table of amounts, for the API's description.
    pub(super) fn description() -> String {
        let mut text = String::from("Cents of `amount` make something happen in the world:");
        for mishap in Self::ALL {
            let kinds = Kind::ALL.into_iter().filter(|kind| mishap.can_befall(*kind));
            let kinds: Vec<&str> = kinds.map(Kind::name).collect();
            let (cents, name) = (mishap.cents(), mishap.name());
            let line =
                format!(" xx.{cents:02} `{name}` ({}): {}.", kinds.join(", "), mishap.about());
            text.push_str(&line);
        }
        text.push_str(" Notes have no cents: a withdrawal of 50.21 asks for 50.00.");
        text
    }

    /// The words of `world`.
    pub(super) fn names() -> Value {
        json!(Self::ALL.into_iter().map(Self::name).chain([WELL]).collect::<Vec<_>>())
    }
}

/// Nothing goes wrong, whatever the amount is.
const WELL: &str = "well";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_mishaps_of_one_kind_share_their_cents() {
        for kind in Kind::ALL {
            let mut cents: Vec<u64> = Mishap::ALL
                .into_iter()
                .filter(|mishap| mishap.can_befall(kind))
                .map(Mishap::cents)
                .collect();
            let count = cents.len();
            cents.sort_unstable();
            cents.dedup();
            assert_eq!(cents.len(), count, "{}", kind.name());
        }
    }

    #[test]
    fn a_word_beats_the_cents_and_cash_has_no_cents() {
        let of = |amount, world| Mishap::of(Kind::Withdrawal, Some(amount), world).unwrap();
        assert_eq!(of(50_21, None), Some(Mishap::DispenserJams));
        assert_eq!(of(50_21, Some("well")), None);
        assert_eq!(of(50_00, Some("wrong_pin")), Some(Mishap::WrongPin));
        assert_eq!(of(50_00, None), None);
        assert!(Mishap::of(Kind::Withdrawal, Some(1), Some("payer_declined")).is_err());
        let left = |amount, mishap| Mishap::left_of(mishap, Kind::Withdrawal, amount);
        assert_eq!(left(50_21, Some(Mishap::DispenserJams)), 50_00);
        assert_eq!(left(50_21, None), 50_21);
        assert_eq!(Mishap::left_of(Some(Mishap::AnswerLost), Kind::Purchase, 10_91), 10_91);
    }
}
