//! Which transaction counters of a card were used: the last one and the sixty-three before it.
//!
//! A chip counts up by one before each cryptogram. Two of its messages may overtake one another on
//! their way, so that a counter somewhat below the last one can be new; what was seen is a replay,
//! and what lies below the window is taken for one. A far jump is declined once and remembered: the
//! cryptogram that proved it shows where the card stands, and the next one passes. Of a card that
//! has sent nothing yet nobody knows where it stands: its first counter is no jump.
//!
//! ```
//! use cekr_emv::issuer::{AtcJudgement, AtcWindow};
//!
//! let new = AtcWindow::NEW;
//! let AtcJudgement::Fresh(after) = new.judge([0, 1], 200) else { panic!("the first") };
//! assert_eq!(after.judge([0, 1], 200), AtcJudgement::Replayed);
//! ```

use crate::crypto::derive::Atc;

/// The counters that a card has used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AtcWindow {
    last: u16,
    /// Bit n stands for the counter n below the last one.
    seen: u64,
}

/// What a counter is, and the window after it where it moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AtcJudgement {
    /// It was not used before.
    Fresh(AtcWindow),
    /// It is further ahead than a card comes between two of its messages.
    Jumped(AtcWindow),
    /// It was used before.
    Replayed,
    /// It lies below what is remembered.
    TooOld,
    /// FFFF: the card has no counter left, and no key.
    UsedUp,
}

impl AtcWindow {
    /// The window of a card that has sent nothing: zero is no counter of a transaction.
    pub const NEW: Self = Self { last: 0, seen: 1 };

    /// The highest counter that was used; zero where none was.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Last counter and bits, as a state keeps them.
    pub const fn parts(self) -> (u16, u64) {
        (self.last, self.seen)
    }

    /// The window of these parts; the last counter counts as seen whatever the bits say.
    pub const fn from_parts(last: u16, seen: u64) -> Self {
        Self { last, seen: seen | 1 }
    }

    /// What `atc` is to a card of this window; `jump_max` is how far ahead it may be.
    pub fn judge(self, atc: Atc, jump_max: u16) -> AtcJudgement {
        let atc = u16::from_be_bytes(atc);
        if atc == u16::MAX {
            return AtcJudgement::UsedUp;
        }
        let Some(ahead) = atc.checked_sub(self.last).filter(|ahead| *ahead > 0) else {
            return self.judge_behind(self.last - atc);
        };
        let after = self.moved(ahead);
        if self.last > 0 && ahead > jump_max {
            AtcJudgement::Jumped(after)
        } else {
            AtcJudgement::Fresh(after)
        }
    }

    fn judge_behind(self, behind: u16) -> AtcJudgement {
        match 1_u64.checked_shl(u32::from(behind)) {
            None => AtcJudgement::TooOld,
            Some(bit) if self.seen & bit != 0 => AtcJudgement::Replayed,
            Some(bit) => AtcJudgement::Fresh(Self { seen: self.seen | bit, ..self }),
        }
    }

    fn moved(self, ahead: u16) -> Self {
        let seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or_default() | 1;
        Self { last: self.last.saturating_add(ahead), seen }
    }

    /// The window after `atc` was used, however far away: what an entry of the journal does.
    ///
    /// A counter below the window leaves it as it is.
    #[must_use]
    pub fn after(self, atc: Atc) -> Self {
        match self.judge(atc, u16::MAX) {
            AtcJudgement::Fresh(after) | AtcJudgement::Jumped(after) => after,
            AtcJudgement::Replayed | AtcJudgement::TooOld | AtcJudgement::UsedUp => self,
        }
    }
}

impl Default for AtcWindow {
    fn default() -> Self {
        Self::NEW
    }
}

/// How far ahead of the last counter a card may be: what it counts in a shop's attempts that end
/// before the issuer is asked.
pub const ATC_JUMP_MAX: u16 = 200;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    extern crate std;

    use std::collections::BTreeSet;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_counter_passes_once_below_the_last_one_too() {
        let window = AtcWindow::NEW.after([0, 10]);
        assert_eq!(window.judge([0, 10], 200), AtcJudgement::Replayed);
        let AtcJudgement::Fresh(window) = window.judge([0, 9], 200) else { panic!("overtaken") };
        assert_eq!(window.last(), 10);
        assert_eq!(window.judge([0, 9], 200), AtcJudgement::Replayed);
        assert_eq!(window.after([0, 100]).judge([0, 36], 200), AtcJudgement::TooOld);
    }

    #[test]
    fn a_jump_is_declined_once_and_the_last_counter_always() {
        let window = AtcWindow::NEW.after([0, 1]);
        let AtcJudgement::Jumped(after) = window.judge([0, 202], 200) else {
            panic!("one too far");
        };
        assert!(matches!(after.judge([0, 203], 200), AtcJudgement::Fresh(_)));
        assert!(matches!(window.judge([0, 201], 200), AtcJudgement::Fresh(_)));
        assert!(matches!(AtcWindow::NEW.judge([0x20, 0], 200), AtcJudgement::Fresh(_)));
        assert_eq!(after.judge([0xFF, 0xFF], u16::MAX), AtcJudgement::UsedUp);
        assert_eq!(AtcWindow::NEW.judge([0, 0], 200), AtcJudgement::Replayed);
    }

    proptest! {
        #[test]
        fn no_counter_passes_twice_in_any_order(
            order in prop::collection::vec(1_u16..400, 0..300),
        ) {
            let (mut window, mut passed) = (AtcWindow::NEW, BTreeSet::new());
            for atc in order {
                let judged = window.judge(atc.to_be_bytes(), 100);
                if let AtcJudgement::Fresh(after) | AtcJudgement::Jumped(after) = judged {
                    prop_assert!(passed.insert(atc), "{} passed twice", atc);
                    window = after;
                }
                prop_assert_eq!(AtcWindow::from_parts(window.parts().0, window.parts().1), window);
            }
            let all: Vec<_> = passed.iter().collect();
            prop_assert_eq!(all.last().copied().copied().unwrap_or(0), window.last());
        }
    }
}
