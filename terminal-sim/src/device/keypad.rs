//! The keys of a terminal: ten digits, confirm, clear, cancel.
//!
//! Keys that are pressed wait in order until the terminal reads them; beyond [`PRESSED_MAX`] they
//! are lost and counted, as on a real pad whose controller is asleep.
//!
//! ```
//! use cekr_terminal_sim::device::keypad::{Digit, Key, Keypad};
//! let mut keypad = Keypad::default();
//! keypad.press(Key::Digit(Digit::new(7).expect("a digit")));
//! assert_eq!(keypad.next().map(|key| key.label()), Some("7"));
//! ```

use std::collections::VecDeque;

/// One key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Key {
    /// Red: give up.
    Cancel,
    /// Yellow: take back what was typed.
    Clear,
    /// A digit.
    Digit(Digit),
    /// Green: confirm.
    Enter,
}

impl Key {
    /// The key of a character: a digit, a line feed for confirm.
    #[must_use]
    pub fn of_char(character: char) -> Option<Self> {
        let digit = character.to_digit(10).and_then(|digit| u8::try_from(digit).ok());
        digit.and_then(Digit::new).map(Self::Digit)
    }

    /// What stands on the key.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cancel => "✗",
            Self::Clear => "←",
            Self::Digit(digit) => digit.label(),
            Self::Enter => "✓",
        }
    }
}

/// A decimal digit.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digit(u8);

impl Digit {
    /// 0 to 9, nothing else.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value <= 9 { Some(Self(value)) } else { None }
    }

    /// 0 to 9.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    const fn label(self) -> &'static str {
        match self.0 {
            0 => "0",
            1 => "1",
            2 => "2",
            3 => "3",
            4 => "4",
            5 => "5",
            6 => "6",
            7 => "7",
            8 => "8",
            _ => "9",
        }
    }
}

/// What is wrong with a keypad.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeypadFault {
    /// This key counts twice each time.
    Bouncing(Key),
    /// This key does nothing.
    Dead(Key),
    /// Nothing.
    #[default]
    None,
    /// No key does anything.
    Unplugged,
}

/// The keys, and what was pressed and not yet read.
#[derive(Clone, Debug, Default)]
pub struct Keypad {
    pressed: VecDeque<Key>,
    fault: KeypadFault,
    lost_count: u64,
}

impl Keypad {
    /// Breaks or mends it.
    pub fn set_fault(&mut self, fault: KeypadFault) {
        self.fault = fault;
    }

    /// A finger presses a key.
    pub fn press(&mut self, key: Key) {
        let times = match self.fault {
            KeypadFault::Bouncing(bad) if bad == key => 2,
            KeypadFault::Dead(bad) if bad == key => 0,
            KeypadFault::Bouncing(_) | KeypadFault::Dead(_) | KeypadFault::None => 1,
            KeypadFault::Unplugged => 0,
        };
        for _ in 0..times {
            if self.pressed.len() < PRESSED_MAX {
                self.pressed.push_back(key);
            } else {
                self.lost_count += 1;
            }
        }
    }

    /// The oldest key that nobody has read; the terminal takes it.
    #[expect(clippy::should_implement_trait, reason = "a keypad never ends, it is no iterator")]
    pub fn next(&mut self) -> Option<Key> {
        self.pressed.pop_front()
    }

    /// Forgets what was pressed before a prompt.
    pub fn flush(&mut self) {
        self.pressed.clear();
    }

    /// Keys that were pressed while too many waited.
    #[must_use]
    pub const fn lost_count(&self) -> u64 {
        self.lost_count
    }
}

/// Keys that may wait.
pub const PRESSED_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::{Digit, Key, Keypad, KeypadFault, PRESSED_MAX};

    fn digit(value: u8) -> Key {
        Key::Digit(Digit::new(value).unwrap())
    }

    fn read(keypad: &mut Keypad) -> String {
        core::iter::from_fn(|| keypad.next()).map(Key::label).collect()
    }

    #[test]
    fn gives_keys_in_the_order_they_were_pressed() {
        let mut keypad = Keypad::default();
        for key in [digit(1), digit(0), Key::Clear, Key::Enter, Key::Cancel] {
            keypad.press(key);
        }
        assert_eq!(read(&mut keypad), "10←✓✗");
        keypad.press(digit(4));
        keypad.flush();
        assert_eq!(keypad.next(), None);
    }

    #[test]
    fn a_broken_keypad_loses_or_doubles_a_key() {
        let mut keypad = Keypad::default();
        for (fault, expected) in [
            (KeypadFault::Bouncing(digit(5)), "155"),
            (KeypadFault::Dead(digit(5)), "1"),
            (KeypadFault::Unplugged, ""),
            (KeypadFault::None, "15"),
        ] {
            keypad.set_fault(fault);
            keypad.press(digit(1));
            keypad.press(digit(5));
            assert_eq!(read(&mut keypad), expected, "{fault:?}");
        }
    }

    #[test]
    fn counts_what_it_cannot_keep() {
        let mut keypad = Keypad::default();
        for _ in 0..PRESSED_MAX + 3 {
            keypad.press(digit(9));
        }
        assert_eq!(keypad.lost_count(), 3);
        assert_eq!(read(&mut keypad).len(), PRESSED_MAX);
    }

    #[test]
    fn reads_digits_as_people_type_them() {
        assert_eq!(Key::of_char('7'), Some(digit(7)));
        assert_eq!(Key::of_char('x'), None);
        assert_eq!(Digit::new(10), None);
        assert_eq!((0..10).map(|value| digit(value).label()).collect::<String>(), "0123456789");
    }
}
