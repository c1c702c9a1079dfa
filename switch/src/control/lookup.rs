//! Finding a card by what stands on its back, and entries for those who keep a copy of them.

use std::fmt;
use std::hint::black_box;

use cekr_issuer::{CardId, Fact, Seq};

use super::Control;
use crate::entry_view;
use crate::table::Cell;

/// The last six digits of a card's number, as somebody told them. `Debug` shows none of them, and
/// nobody keeps them apart from the number.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct LastSix(u64);

impl LastSix {
    /// Reads exactly six digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_six = text.len() == 6 && text.bytes().all(|c| c.is_ascii_digit());
        text.parse().ok().filter(|_| is_six).map(Self)
    }

    /// The bits in which the card of `cell` ends otherwise: none, or it is that card.
    fn differs_from(self, cell: Option<&Cell>) -> u64 {
        let number = cell.and_then(Cell::pan).map_or(0, |pan| pan.expose());
        (number % 1_000_000) ^ self.0
    }
}

impl fmt::Debug for LastSix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastSix(******)")
    }
}

impl Control {
    /// The card with this MOK ID on its back.
    #[must_use]
    pub fn card_by_mok_id(&self, mok_id: u32) -> Option<CardId> {
        self.shard().id_by_mok_id(mok_id)
    }

    /// The card with both this MOK ID and these last digits on its back.
    ///
    /// Which of the two was wrong is told neither by the answer nor by the time that it takes. A
    /// MOK ID that nobody has is looked up in the same map under the same lock, and goes on with
    /// the card that its number falls on, as if it were its own: one cell is read, its digits are
    /// compared as one word and without a branch, whatever came out of the map, and only the last
    /// step looks at both. What remains is where in the caches the map's place and the cell were,
    /// which is as random for a MOK ID that somebody has as for one that nobody has. How often
    /// somebody may try is the caller's to bound.
    #[must_use]
    pub fn card_by_back(&self, mok_id: u32, last_six: LastSix) -> Option<CardId> {
        let cards = self.shard().cards();
        let found = self.shard().id_by_mok_id(mok_id);
        let in_its_place = CardId(mok_id.checked_rem(cards.len())?);
        let id = black_box(found.unwrap_or(in_its_place));
        let differs = black_box(last_six.differs_from(cards.by_id(id)));
        let is_unknown = u64::from(found.is_none());
        (black_box(differs | is_unknown) == 0).then_some(id)
    }

    /// The one of these cards whose number ends so; none when there is no such card among them,
    /// or more than one.
    #[must_use]
    pub fn card_among(&self, ids: &[CardId], last_six: LastSix) -> Option<CardId> {
        let cards = self.shard().cards();
        let mut matching =
            ids.iter().copied().filter(|id| last_six.differs_from(cards.by_id(*id)) == 0);
        let first = matching.next();
        if matching.next().is_some() { None } else { first }
    }

    /// The durable entries behind `after` in their order, at most `max`, each as the journal's dump
    /// and the event stream show it. Entries that are kept no more are left out: a number that is
    /// missing says so.
    #[must_use]
    pub fn entries(&self, after: Seq, max: usize) -> Vec<(Seq, serde_json::Value)> {
        let shard = self.shard();
        let behind = (after.0.saturating_add(1)..=shard.journal().durable().0).map(Seq);
        let entries = behind.filter_map(|seq| Some((seq, shard.entry(seq)?)));
        entries.map(|(seq, entry)| (seq, entry_view::json(shard, seq, &entry))).take(max).collect()
    }

    /// Those of the entries behind `after` whose kind is wanted, as [`Self::entries`] shows them,
    /// and the entry through which was looked: at most `scanned_max` further, and not behind
    /// `newest`, which is durable. All other entries cost no more than reading their octets.
    #[must_use]
    pub fn entries_of(
        &self,
        after: Seq,
        newest: Seq,
        scanned_max: usize,
        wants: impl Fn(&str) -> bool,
    ) -> (Vec<(Seq, serde_json::Value)>, Seq) {
        let shard = self.shard();
        let scanned = u64::try_from(scanned_max).unwrap_or(u64::MAX);
        let through = newest.min(Seq(after.0.saturating_add(scanned)));
        let behind = (after.0.saturating_add(1)..=through.0).map(Seq);
        let entries = behind.filter_map(|seq| Some((seq, shard.entry(seq)?)));
        let wanted = entries.filter(|(_, entry)| wants(entry.kind()));
        (wanted.map(|(seq, entry)| (seq, entry_view::json(shard, seq, &entry))).collect(), through)
    }

    /// The cursor of an entry, as the event stream tells it: nobody reads anything out of it.
    #[must_use]
    pub fn event_id(&self, seq: Seq) -> String {
        crate::http::events::cursor(seq, self.shard().journal().epoch())
    }

    /// Those of the entries behind `after` that move loads or suspense, as [`Self::entries`] shows
    /// them, and the entry through which was looked: at most `scanned_max` further, and not behind
    /// `newest`, which is durable. All other entries cost no more than reading their octets.
    #[must_use]
    pub fn loads_and_suspense(
        &self,
        after: Seq,
        newest: Seq,
        scanned_max: usize,
    ) -> (Vec<(Seq, serde_json::Value)>, Seq) {
        let shard = self.shard();
        let scanned = u64::try_from(scanned_max).unwrap_or(u64::MAX);
        let through = newest.min(Seq(after.0.saturating_add(scanned)));
        let behind = (after.0.saturating_add(1)..=through.0).map(Seq);
        let moves = |fact: &Fact| {
            matches!(
                fact,
                Fact::LoadTakenBack(_)
                    | Fact::Loaded(_)
                    | Fact::SuspenseAssigned(_)
                    | Fact::SuspenseHeld(_)
                    | Fact::SuspenseReleased(_)
            )
        };
        let entries = behind.filter_map(|seq| Some((seq, shard.entry(seq)?)));
        let moving = entries.filter(|(_, entry)| moves(&entry.fact));
        (moving.map(|(seq, entry)| (seq, entry_view::json(shard, seq, &entry))).collect(), through)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use cekr_iso8583::{Expiry, Pan};
    use cekr_issuer::entry::Name;
    use cekr_issuer::{Amount, CardStatus, Channels, Controls, LocalDate, Now, Policy};

    use super::*;
    use crate::answers::AnswersConfig;
    use crate::journal::{Journal, JournalConfig};
    use crate::keyring::Keyring;
    use crate::shard::{NewCard, Shard};
    use crate::sync::Arc;

    const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };

    /// Cards that end in 000011, 000029 and, of another range, 000011 again.
    fn control() -> Control {
        let config = JournalConfig { recent_max: 4, ..JournalConfig::default() };
        let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
        let sizes = AnswersConfig { answers_max: 64, window_min_ms: 0 };
        let shard = Shard::new(Journal::memory(&config), keyring, sizes);
        let again = (1..100).map(|more| 4_761_730_000_000_011 + more * 1_000_000_u64);
        let again = again.filter_map(|number| Pan::from_number(number).ok());
        let pans = ["4761730000000011", "4761730000000029"];
        let pans = pans.map(|digits| Pan::parse(digits.as_bytes()).unwrap()).into_iter();
        for (mok_id, pan) in (100..).zip(pans.chain(again.take(1))) {
            let expiry = Expiry::new(3012).unwrap();
            let new = NewCard {
                pan,
                name: Name::new(&format!("card {mok_id}")).unwrap(),
                mok_id,
                controls: Controls {
                    status: CardStatus::Active,
                    ticks: Channels::NONE,
                    expiry,
                    version: 1,
                },
                pin: None,
                limited: true,
                balance: Amount::from_minor(1),
            };
            shard.issue(new, NOW).unwrap();
        }
        Control::new(Arc::new(shard), Arc::new(Policy::default()))
    }

    fn six(text: &str) -> LastSix {
        LastSix::parse(text).unwrap()
    }

    #[test]
    fn a_card_is_found_by_both_halves_of_its_back_and_by_neither_alone() {
        let control = control();
        assert_eq!(control.card_by_mok_id(101), Some(CardId(1)));
        assert_eq!(control.card_by_mok_id(99), None);
        assert_eq!(control.card_by_back(100, six("000011")), Some(CardId(0)));
        assert_eq!(control.card_by_back(101, six("000029")), Some(CardId(1)));
        for (mok_id, digits) in [(100, "000029"), (101, "000011"), (100, "100011")] {
            assert_eq!(control.card_by_back(mok_id, six(digits)), None, "{mok_id} {digits}");
        }
        // Whatever card an unknown one is compared with, its digits do not open it.
        for mok_id in (0..100).chain(103..200) {
            for digits in ["000011", "000029"] {
                assert_eq!(control.card_by_back(mok_id, six(digits)), None, "{mok_id}");
            }
        }
    }

    #[test]
    fn of_ones_own_cards_six_digits_name_one_or_none() {
        let control = control();
        let all = [0, 1, 2].map(CardId);
        assert_eq!(control.shard().cards().len(), 3);
        assert_eq!(control.card_among(&all, six("000029")), Some(CardId(1)));
        assert_eq!(control.card_among(&all, six("000030")), None);
        assert_eq!(control.card_among(&[], six("000011")), None);
        assert_eq!(control.card_among(&all, six("000011")), None, "two cards end so");
        assert_eq!(control.card_among(&[CardId(1), CardId(2)], six("000011")), Some(CardId(2)));
    }

    #[test]
    fn six_digits_are_six_digits_and_are_not_shown() {
        for wrong in ["", "00011", "0000011", "+00011", "00001a", "００"] {
            assert_eq!(LastSix::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{:?}", six("123456")), "LastSix(******)");
    }

    #[test]
    fn entries_come_in_order_and_those_that_left_are_missing() {
        let control = control();
        let newest = control.shard().journal().durable();
        let seqs = |after, max| -> Vec<u64> {
            control.entries(Seq(after), max).iter().map(|(seq, _)| seq.0).collect()
        };
        let kept: Vec<u64> = (newest.0 - 3..=newest.0).collect();
        assert_eq!(seqs(0, 100), kept);
        assert_eq!(seqs(0, 2), kept.get(..2).unwrap());
        assert_eq!(seqs(newest.0 - 1, 100), [newest.0]);
        assert_eq!(seqs(newest.0, 100), [0_u64; 0]);
        let (seq, shown) = control.entries(Seq(newest.0 - 1), 1).remove(0);
        assert_eq!(shown.get("seq"), Some(&seq.0.into()));
        assert_eq!(shown.get("kind"), Some(&"loaded".into()));
    }
}
