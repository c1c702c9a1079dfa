//! The notes of a cashpoint: its cassettes, and the mix of notes that pays an amount.
//!
//! [`plan`] is a pure function. It pays with as few notes as the cassettes allow; when large
//! notes are missing or one cassette would leave a rest that the others cannot pay, it falls
//! back to smaller ones, so that what can be paid is paid (20s alone pay 60 although a 50 lies
//! ready). What a machine really dispensed is another matter: see [`Cassettes::take`].
//!
//! ```
//! use cekr_terminal_sim::cassettes::{Cassette, plan};
//! let cassettes = [Cassette::new(20_00, 100), Cassette::new(50_00, 100)];
//! assert_eq!(plan(&cassettes, 110_00).map(|mix| mix.note_count()), Some(4)); // 50 + 3 x 20
//! ```

/// Notes of one denomination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cassette {
    /// Value of one note in cents.
    pub denomination: u64,
    /// Notes left.
    pub note_count: u32,
}

impl Cassette {
    /// A cassette with notes of this value in cents.
    #[must_use]
    pub const fn new(denomination: u64, note_count: u32) -> Self {
        Self { denomination, note_count }
    }
}

/// How many notes of which cassette pay an amount, in the order of the cassettes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mix {
    /// Denomination in cents and count; counts may be zero.
    pub notes: Vec<Cassette>,
}

impl Mix {
    /// The value of all notes in cents.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.notes.iter().map(|note| note.denomination * u64::from(note.note_count)).sum()
    }

    /// The number of notes.
    #[must_use]
    pub fn note_count(&self) -> u32 {
        self.notes.iter().map(|note| note.note_count).sum()
    }

    /// What a stack of these notes is worth when only its first `count` notes come out, the
    /// large ones first: the way a stacker delivers when it jams.
    #[must_use]
    pub fn first_notes(&self, count: u32) -> Self {
        let mut order: Vec<usize> = (0..self.notes.len()).collect();
        order.sort_by_key(|&at| core::cmp::Reverse(self.notes.get(at).map(|n| n.denomination)));
        let mut left = count;
        let mut notes = self.notes.clone();
        for at in order {
            if let Some(note) = notes.get_mut(at) {
                note.note_count = note.note_count.min(left);
                left -= note.note_count;
            }
        }
        Self { notes }
    }
}

/// The fewest notes that pay `amount` cents exactly, or `None` when no mix does.
///
/// Amounts above [`AMOUNT_MAX`] and more than [`CASSETTES_MAX`] cassettes are refused: the
/// search below is bounded by both.
#[must_use]
pub fn plan(cassettes: &[Cassette], amount: u64) -> Option<Mix> {
    if amount == 0 || amount > AMOUNT_MAX || cassettes.len() > CASSETTES_MAX {
        return None;
    }
    // All amounts in units of the common divisor: a 20 and a 50 make a table of tens.
    let unit = cassettes
        .iter()
        .filter(|cassette| cassette.note_count > 0)
        .fold(0, |unit, cassette| divisor(unit, cassette.denomination));
    if unit == 0 || !amount.is_multiple_of(unit) {
        return None;
    }
    let goal = usize::try_from(amount / unit).ok()?;
    fewest_notes(cassettes, unit, goal)
}

/// Bounded change-making, one cassette after the other. `best[k][v]` = fewest notes of the first
/// k cassettes that make v units; the choice is read back from the last row.
fn fewest_notes(cassettes: &[Cassette], unit: u64, goal: usize) -> Option<Mix> {
    let mut rows: Vec<Vec<Option<u32>>> = Vec::with_capacity(cassettes.len() + 1);
    let mut first = vec![None; goal + 1];
    *first.first_mut()? = Some(0);
    rows.push(first);
    for cassette in cassettes {
        let step = usize::try_from(cassette.denomination / unit).ok()?;
        let before = rows.last()?;
        let mut after = before.clone();
        for (value, slot) in after.iter_mut().enumerate() {
            for count in 1..=cassette.note_count {
                let Some(rest) = value.checked_sub(step * count as usize).filter(|_| step > 0)
                else {
                    break;
                };
                if let Some(notes) = before.get(rest).copied().flatten() {
                    let total = notes + count;
                    if slot.is_none_or(|known| total < known) {
                        *slot = Some(total);
                    }
                }
            }
        }
        rows.push(after);
    }
    let mut left = goal;
    let mut notes = vec![];
    for (cassette, before) in cassettes.iter().zip(&rows).rev() {
        let wanted = rows.get(cassettes.len() - notes.len())?.get(left).copied().flatten()?;
        let step = usize::try_from(cassette.denomination / unit).ok()?;
        let count = (0..=cassette.note_count).find(|&count| {
            left.checked_sub(step * count as usize)
                .and_then(|rest| before.get(rest).copied().flatten())
                .is_some_and(|notes| notes + count == wanted)
        })?;
        left -= step * count as usize;
        notes.push(Cassette::new(cassette.denomination, count));
    }
    notes.reverse();
    Some(Mix { notes })
}

/// The greatest common divisor; that of 0 and n is n.
const fn divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The cassettes of one machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cassettes {
    cassettes: Vec<Cassette>,
}

impl Cassettes {
    /// A machine with these cassettes; those beyond [`CASSETTES_MAX`] are left out.
    #[must_use]
    pub fn new(cassettes: &[Cassette]) -> Self {
        Self { cassettes: cassettes.iter().copied().take(CASSETTES_MAX).collect() }
    }

    /// The mix that pays this amount from what is left.
    #[must_use]
    pub fn plan(&self, amount: u64) -> Option<Mix> {
        plan(&self.cassettes, amount)
    }

    /// Takes out the notes that left the machine; never more than there were.
    pub fn take(&mut self, mix: &Mix) {
        for (cassette, note) in self.cassettes.iter_mut().zip(&mix.notes) {
            cassette.note_count = cassette.note_count.saturating_sub(note.note_count);
        }
    }

    /// What lies in the cassettes.
    #[must_use]
    pub fn contents(&self) -> &[Cassette] {
        &self.cassettes
    }
}

impl Default for Cassettes {
    /// Tens, twenties and fifties, as a machine in a Slovene town is filled.
    fn default() -> Self {
        Self::new(&[
            Cassette::new(10_00, 500),
            Cassette::new(20_00, 1000),
            Cassette::new(50_00, 500),
        ])
    }
}

/// Largest amount in cents that a plan is made for.
pub const AMOUNT_MAX: u64 = 10_000_00;

/// Most cassettes of a machine.
pub const CASSETTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cassette, Cassettes, Mix, plan};

    fn counts(mix: Option<Mix>) -> Option<Vec<u32>> {
        mix.map(|mix| mix.notes.iter().map(|note| note.note_count).collect())
    }

    #[test]
    fn pays_with_the_fewest_notes() {
        let machine = [Cassette::new(10_00, 9), Cassette::new(20_00, 9), Cassette::new(50_00, 9)];
        assert_eq!(counts(plan(&machine, 180_00)), Some(vec![1, 1, 3]));
    }

    #[test]
    fn falls_back_when_the_large_note_would_leave_a_rest() {
        let machine = [Cassette::new(20_00, 5), Cassette::new(50_00, 5)];
        assert_eq!(counts(plan(&machine, 60_00)), Some(vec![3, 0]));
        assert_eq!(counts(plan(&machine, 30_00)), None);
    }

    #[test]
    fn pays_nothing_from_empty_cassettes_and_no_odd_amounts() {
        assert_eq!(plan(&[Cassette::new(20_00, 0)], 20_00), None);
        assert_eq!(plan(&[], 20_00), None);
        assert_eq!(plan(&[Cassette::new(0, 5)], 20_00), None);
        let machine = Cassettes::default();
        assert_eq!(machine.plan(0), None);
        assert_eq!(machine.plan(25_00), None);
        assert_eq!(machine.plan(u64::MAX), None);
    }

    #[test]
    fn a_jam_delivers_the_large_notes_first() {
        let mix = Mix { notes: vec![Cassette::new(10_00, 1), Cassette::new(50_00, 2)] };
        assert_eq!(mix.first_notes(1).total(), 50_00);
        assert_eq!(mix.first_notes(3), mix);
        assert_eq!(mix.first_notes(0).total(), 0);
    }

    fn machine() -> impl Strategy<Value = Vec<Cassette>> {
        let denomination = prop::sample::select(vec![5_00u64, 10_00, 20_00, 50_00, 100_00]);
        prop::collection::vec((denomination, 0u32..6).prop_map(|(d, n)| Cassette::new(d, n)), 0..4)
    }

    /// Tries every combination: slow, and obviously right.
    fn fewest_by_trial(machine: &[Cassette], amount: u64) -> Option<u32> {
        let Some((first, rest)) = machine.split_first() else {
            return (amount == 0).then_some(0);
        };
        (0..=first.note_count)
            .filter_map(|count| {
                let left = amount.checked_sub(first.denomination * u64::from(count))?;
                Some(count + fewest_by_trial(rest, left)?)
            })
            .min()
    }

    proptest! {
        #[test]
        fn a_plan_pays_exactly_with_notes_that_are_there_and_no_mix_has_fewer(
            machine in machine(),
            fives in 1u64..80,
        ) {
            let amount = fives * 5_00;
            let planned = plan(&machine, amount);
            prop_assert_eq!(planned.as_ref().map(Mix::note_count), fewest_by_trial(&machine, amount));
            if let Some(mix) = planned {
                prop_assert_eq!(mix.total(), amount);
                for (note, cassette) in mix.notes.iter().zip(&machine) {
                    prop_assert!(note.note_count <= cassette.note_count);
                }
            }
        }
    }
}
