//! Bodies of the fuzz targets of this crate: any octets in, never a panic, a hang or growth.

use cekr_iso8583::{CEKR87, Framing, ISO87ASCII, ISO87BINARY};
use cekr_issuer::entry::Name;
use cekr_issuer::policy::{CashpointRequires, EcommerceRequires};
use cekr_issuer::{Amount, CardStatus, Channels, Controls, LocalDate, Now, Policy};

use crate::answers::AnswersConfig;
use crate::engine::{Engine, Link, MacRule, Outgoing};
use crate::journal::{Journal, JournalConfig};
use crate::keyring::Keyring;
use crate::shard::{NewCard, Shard};
use crate::sync::Arc;

/// Sends `octets` as one read over each built-in format to an engine with one card.
///
/// The first octet chooses the format, the rest is the read. Whatever they are: replies are framed
/// whole, at most one a frame, and the books still sum to zero.
pub fn engine(octets: &[u8]) {
    let Some((choice, input)) = octets.split_first() else {
        return;
    };
    let engine = small_engine();
    let (spec, framing) = match choice % 4 {
        0 => (&CEKR87, Framing::Be2),
        1 => (&ISO87ASCII, Framing::Ascii4),
        2 => (&ISO87BINARY, Framing::Nac),
        _ => (&CEKR87, Framing::None),
    };
    let link = Link { id: 0, spec, framing, octets_max: 4_096, mac: MacRule::Off };
    let now = Now { unix_ms: 1_795_000_000_000, local_date: LocalDate::new(2026, 11, 22) };
    let mut out = Outgoing::default();
    let _ = engine.handle_read(&link, input, now, &mut out);
    assert!(out.spans.len() <= input.len(), "more replies than octets");
    assert_eq!(engine.shard().books().0.sum(), 0, "the books do not balance");
}

/// An engine over a journal in memory, with the card 4761730000000011 and 100.00 euros on it.
#[must_use]
pub fn small_engine() -> Engine {
    let policy = Policy {
        cashpoint_requires: CashpointRequires::Any,
        ecommerce_requires: EcommerceRequires::Tick,
        ..Policy::default()
    };
    let journal = Journal::memory(&JournalConfig::default());
    let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
    let answers = AnswersConfig { answers_max: 64, window_min_ms: 0 };
    let shard = Shard::new(journal, keyring, answers);
    let now = Now { unix_ms: 1_794_000_000_000, local_date: LocalDate::new(2026, 11, 10) };
    let card = new_card();
    if let Some(card) = card {
        let issued = shard.issue(card, now);
        debug_assert!(issued.is_ok(), "an empty shard takes a card");
    }
    Engine::new(Arc::new(shard), policy)
}

fn new_card() -> Option<NewCard> {
    Some(NewCard {
        pan: cekr_iso8583::Pan::from_number(4_761_730_000_000_011).ok()?,
        name: Name::new("ana")?,
        mok_id: 123_456_782,
        controls: Controls {
            status: CardStatus::Active,
            ticks: Channels::ALL,
            expiry: cekr_iso8583::Expiry::new(3_012)?,
            version: 0,
        },
        pin: cekr_emv::pin::Pin::parse(b"1234").ok(),
        limited: true,
        balance: Amount::from_minor(100_00),
    })
}
