//! A note dispenser: cassettes, a stacker, a shutter, a bin for what nobody took.
//!
//! Notes go cassette -> stacker ([`CashDispenser::stage`]) -> shutter ([`CashDispenser::present`])
//! -> hand ([`CashDispenser::take`]). Each step can fail: a jam leaves fewer notes on the stacker,
//! a stuck shutter none in the hand, and notes that nobody takes within [`TAKE_MS`] go into the
//! bin ([`CashDispenser::tick`]). Every note is counted in one place at any time, so that a cash
//! count at night explains what a customer says.
//!
//! The steps follow the order of a cash dispensing unit as CEN/XFS has them (stack, present,
//! retract); what a terminal then tells its host is [`crate::cashpoint`]'s affair.
//!
//! ```
//! use cekr_terminal_sim::cassettes::Cassettes;
//! use cekr_terminal_sim::device::dispenser::CashDispenser;
//! use cekr_terminal_sim::moment::Moment;
//! let mut dispenser = CashDispenser::new(Cassettes::default());
//! let mix = dispenser.cassettes().plan(70_00).expect("notes for 70");
//! let stacked = dispenser.stage(&mix).expect("an empty stacker");
//! dispenser.present(Moment::default()).expect("a shutter that opens");
//! assert_eq!(dispenser.take(), Some(stacked));
//! ```

use crate::cassettes::{Cassette, Cassettes, Mix};
use crate::moment::Moment;

/// What a sensor says of one cassette.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CassetteState {
    /// No note left.
    Empty,
    /// Notes are stuck in its feeder.
    Jammed,
    /// Fewer than [`NOTES_LOW`] notes.
    Low,
    /// Not in its bay.
    Missing,
    /// Enough notes.
    Ok,
}

/// What breaks, as whoever plays the world wants it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DispenserFault {
    /// The feeder jams after so many more notes; large notes come first.
    JamsAfter(u32),
    /// Nothing.
    #[default]
    None,
    /// The shutter stays closed.
    ShutterStuck,
}

/// Why a step cannot be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DispenserError {
    /// Notes of an earlier customer are still on the way.
    #[error("the dispenser is busy")]
    Busy,
    /// Nothing is on the stacker.
    #[error("nothing is stacked")]
    NothingStacked,
    /// The shutter stays closed; the notes went into the bin.
    #[error("the dispenser's shutter is stuck")]
    ShutterStuck,
}

/// Where the notes of one customer are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Tray {
    /// None is on its way.
    #[default]
    Empty,
    /// Behind the open shutter since this moment.
    Presented(Mix, Moment),
    /// On the stacker, out of sight.
    Stacked(Mix),
}

/// Notes that left their cassettes, by where they went. Cents.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Taken by customers.
    pub taken: u64,
    /// Taken back behind the shutter, or never presented.
    pub retracted: u64,
}

/// One cassette in its bay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bay {
    cassette: Cassette,
    fit: Fit,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fit {
    Fitted,
    Jammed,
    Missing,
}

/// The dispenser.
#[derive(Clone, Debug)]
pub struct CashDispenser {
    bays: Vec<Bay>,
    tray: Tray,
    counts: Counts,
    fault: DispenserFault,
}

impl CashDispenser {
    /// A dispenser with these cassettes.
    #[must_use]
    pub fn new(cassettes: Cassettes) -> Self {
        let bay = |cassette: &Cassette| Bay { cassette: *cassette, fit: Fit::Fitted };
        Self {
            bays: cassettes.contents().iter().map(bay).collect(),
            tray: Tray::Empty,
            counts: Counts::default(),
            fault: DispenserFault::None,
        }
    }

    /// Breaks or mends it.
    pub fn set_fault(&mut self, fault: DispenserFault) {
        self.fault = fault;
    }

    /// Takes a cassette out of its bay or puts it back; bays count from 0.
    pub fn set_missing(&mut self, bay: usize, is_missing: bool) {
        if let Some(bay) = self.bays.get_mut(bay) {
            bay.fit = if is_missing { Fit::Missing } else { Fit::Fitted };
        }
    }

    /// Frees every feeder, as a technician does.
    pub fn clear_jams(&mut self) {
        for bay in self.bays.iter_mut().filter(|bay| bay.fit == Fit::Jammed) {
            bay.fit = Fit::Fitted;
        }
        self.fault = DispenserFault::None;
    }

    /// What can be paid with: cassettes that are missing or jammed count as empty, so that the
    /// order of a plan stays that of the bays.
    #[must_use]
    pub fn cassettes(&self) -> Cassettes {
        let usable = |bay: &Bay| match bay.fit {
            Fit::Fitted => bay.cassette,
            Fit::Jammed | Fit::Missing => Cassette { note_count: 0, ..bay.cassette },
        };
        Cassettes::new(&self.bays.iter().map(usable).collect::<Vec<_>>())
    }

    /// What stands in the bays and how it is, in their order.
    pub fn states(&self) -> impl Iterator<Item = (Cassette, CassetteState)> {
        self.bays.iter().map(|bay| (bay.cassette, bay.state()))
    }

    /// Where the notes of the present customer are.
    #[must_use]
    pub const fn tray(&self) -> &Tray {
        &self.tray
    }

    /// Where notes went since the start.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Stacks the notes of a plan and says what lies on the stacker: all of it, or what came
    /// before a jam or the end of a cassette.
    ///
    /// # Errors
    /// [`DispenserError::Busy`] while other notes are on their way.
    pub fn stage(&mut self, mix: &Mix) -> Result<Mix, DispenserError> {
        if self.tray != Tray::Empty {
            return Err(DispenserError::Busy);
        }
        let wanted = self.as_far_as_there(mix);
        let stacked = match self.fault {
            DispenserFault::JamsAfter(left) => wanted.first_notes(left),
            DispenserFault::None | DispenserFault::ShutterStuck => wanted.clone(),
        };
        for ((bay, wanted), stacked) in self.bays.iter_mut().zip(&wanted.notes).zip(&stacked.notes)
        {
            bay.cassette.note_count -= stacked.note_count;
            if stacked.note_count < wanted.note_count {
                bay.fit = Fit::Jammed;
            }
        }
        if let DispenserFault::JamsAfter(left) = &mut self.fault {
            *left = left.saturating_sub(stacked.note_count());
        }
        self.tray = Tray::Stacked(stacked.clone());
        Ok(stacked)
    }

    /// Opens the shutter.
    ///
    /// # Errors
    /// [`DispenserError::ShutterStuck`]: the notes went into the bin; nothing is on its way.
    pub fn present(&mut self, now: Moment) -> Result<(), DispenserError> {
        match core::mem::take(&mut self.tray) {
            Tray::Stacked(mix) if self.fault == DispenserFault::ShutterStuck => {
                self.counts.retracted += mix.total();
                Err(DispenserError::ShutterStuck)
            }
            Tray::Stacked(mix) => {
                self.tray = Tray::Presented(mix, now);
                Ok(())
            }
            other @ (Tray::Empty | Tray::Presented(..)) => {
                self.tray = other;
                Err(DispenserError::NothingStacked)
            }
        }
    }

    /// A hand takes what lies behind the shutter, if something does.
    pub fn take(&mut self) -> Option<Mix> {
        let mix = self.emptied()?;
        self.counts.taken += mix.total();
        Some(mix)
    }

    /// Takes presented notes back into the bin at once.
    pub fn retract(&mut self) -> Option<Mix> {
        let mix = self.emptied()?;
        self.counts.retracted += mix.total();
        Some(mix)
    }

    /// Takes notes back that nobody took in time; what it took.
    pub fn tick(&mut self, now: Moment) -> Option<Mix> {
        match &self.tray {
            Tray::Presented(_, since) if now.ms_since(*since) >= TAKE_MS => self.retract(),
            Tray::Empty | Tray::Presented(..) | Tray::Stacked(_) => None,
        }
    }

    fn emptied(&mut self) -> Option<Mix> {
        match core::mem::take(&mut self.tray) {
            Tray::Presented(mix, _) => Some(mix),
            other @ (Tray::Empty | Tray::Stacked(_)) => {
                self.tray = other;
                None
            }
        }
    }

    /// The plan without notes that its cassettes no longer have.
    fn as_far_as_there(&self, mix: &Mix) -> Mix {
        let usable = self.cassettes();
        let there = |(note, cassette): (&Cassette, &Cassette)| Cassette {
            note_count: note.note_count.min(cassette.note_count),
            ..*note
        };
        Mix { notes: mix.notes.iter().zip(usable.contents()).map(there).collect() }
    }
}

impl Bay {
    const fn state(&self) -> CassetteState {
        match (self.fit, self.cassette.note_count) {
            (Fit::Missing, _) => CassetteState::Missing,
            (Fit::Jammed, _) => CassetteState::Jammed,
            (Fit::Fitted, 0) => CassetteState::Empty,
            (Fit::Fitted, count) if count < NOTES_LOW => CassetteState::Low,
            (Fit::Fitted, _) => CassetteState::Ok,
        }
    }
}

/// How long notes lie behind the open shutter, in milliseconds.
pub const TAKE_MS: u64 = 30_000;
/// Below so many notes a cassette is low.
pub const NOTES_LOW: u32 = 50;

#[cfg(test)]
mod tests {
    use super::{
        CashDispenser, CassetteState, DispenserError, DispenserFault, NOTES_LOW, TAKE_MS, Tray,
    };
    use crate::cassettes::{Cassette, Cassettes, Mix};
    use crate::moment::Moment;
    use crate::random::Random;

    const NOON: Moment = Moment::from_unix_ms(1_795_341_600_000);

    fn dispenser() -> CashDispenser {
        let (tens, fifties) = (Cassette::new(10_00, 100), Cassette::new(50_00, 100));
        CashDispenser::new(Cassettes::new(&[tens, fifties]))
    }

    fn notes(tens: u32, fifties: u32) -> Mix {
        Mix { notes: vec![Cassette::new(10_00, tens), Cassette::new(50_00, fifties)] }
    }

    fn held(dispenser: &CashDispenser) -> u64 {
        let notes: u64 = dispenser
            .states()
            .map(|(cassette, _)| cassette.denomination * u64::from(cassette.note_count))
            .sum();
        let on_its_way = match dispenser.tray() {
            Tray::Empty => 0,
            Tray::Presented(mix, _) | Tray::Stacked(mix) => mix.total(),
        };
        notes + on_its_way + dispenser.counts().taken + dispenser.counts().retracted
    }

    #[test]
    fn notes_go_from_cassette_to_hand() {
        let mut dispenser = dispenser();
        assert_eq!(dispenser.stage(&notes(2, 1)), Ok(notes(2, 1)));
        assert_eq!(dispenser.take(), None, "the shutter is closed");
        assert_eq!(dispenser.stage(&notes(1, 0)), Err(DispenserError::Busy));
        dispenser.present(NOON).unwrap();
        assert_eq!(dispenser.present(NOON), Err(DispenserError::NothingStacked));
        assert_eq!(dispenser.take(), Some(notes(2, 1)));
        assert_eq!(dispenser.counts().taken, 70_00);
        assert_eq!(dispenser.cassettes().contents()[0].note_count, 98);
    }

    #[test]
    fn a_jam_leaves_what_came_before_it_and_stops_that_cassette() {
        let mut dispenser = dispenser();
        dispenser.set_fault(DispenserFault::JamsAfter(2));
        assert_eq!(dispenser.stage(&notes(2, 1)), Ok(notes(1, 1)));
        dispenser.present(NOON).unwrap();
        assert_eq!(dispenser.take().map(|mix| mix.total()), Some(60_00));
        let states: Vec<CassetteState> = dispenser.states().map(|(_, state)| state).collect();
        assert_eq!(states, [CassetteState::Jammed, CassetteState::Ok]);
        assert_eq!(dispenser.cassettes().plan(20_00), None);
        dispenser.clear_jams();
        assert!(dispenser.cassettes().plan(20_00).is_some());
    }

    #[test]
    fn notes_that_nobody_takes_go_into_the_bin() {
        let mut dispenser = dispenser();
        dispenser.stage(&notes(1, 0)).unwrap();
        dispenser.present(NOON).unwrap();
        assert_eq!(dispenser.tick(NOON.plus_ms(TAKE_MS - 1)), None);
        assert_eq!(dispenser.tick(NOON.plus_ms(TAKE_MS)), Some(notes(1, 0)));
        assert_eq!(dispenser.take(), None);
        assert_eq!(dispenser.counts().retracted, 10_00);
    }

    #[test]
    fn a_stuck_shutter_presents_nothing() {
        let mut dispenser = dispenser();
        dispenser.set_fault(DispenserFault::ShutterStuck);
        dispenser.stage(&notes(0, 1)).unwrap();
        assert_eq!(dispenser.present(NOON), Err(DispenserError::ShutterStuck));
        assert_eq!((dispenser.tray(), dispenser.counts().retracted), (&Tray::Empty, 50_00));
    }

    #[test]
    fn its_sensors_tell_low_empty_and_missing() {
        let cassettes = [NOTES_LOW, NOTES_LOW - 1, 0].map(|count| Cassette::new(20_00, count));
        let mut dispenser = CashDispenser::new(Cassettes::new(&cassettes));
        let state = |dispenser: &CashDispenser| -> Vec<CassetteState> {
            dispenser.states().map(|(_, state)| state).collect()
        };
        let (ok, low, empty) = (CassetteState::Ok, CassetteState::Low, CassetteState::Empty);
        assert_eq!(state(&dispenser), [ok, low, empty]);
        dispenser.set_missing(0, true);
        assert_eq!(state(&dispenser), [CassetteState::Missing, low, empty]);
        assert_eq!(dispenser.cassettes().contents()[0].note_count, 0);
        dispenser.set_missing(0, false);
        assert_eq!(state(&dispenser), [ok, low, empty]);
    }

    #[test]
    fn whatever_breaks_every_note_is_counted_once() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut dispenser = dispenser();
            let (whole, mut now) = (held(&dispenser), NOON);
            for _ in 0..60 {
                let draw = u32::try_from(random.below(6)).unwrap();
                match random.below(9) {
                    0 => dispenser.set_fault(DispenserFault::JamsAfter(draw)),
                    1 => dispenser.set_fault(DispenserFault::ShutterStuck),
                    2 => dispenser.clear_jams(),
                    3 => dispenser.set_missing(random.below(2) as usize, draw < 3),
                    4 => drop(dispenser.stage(&notes(draw, 5 - draw))),
                    5 => drop(dispenser.present(now)),
                    6 => drop(dispenser.take()),
                    7 => drop(dispenser.tick(now)),
                    _ => now = now.plus_ms(random.below(40_000)),
                }
                assert_eq!(held(&dispenser), whole, "seed {seed}");
            }
        }
    }
}
