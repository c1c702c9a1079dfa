//! What a terminal shows: a few lines, the first of them the headline.
//!
//! Lines and columns are bounded, so that what a host or a card wrote cannot push the rest off the
//! glass; control characters never reach it.
//!
//! ```
//! use cekr_terminal_sim::device::display::Display;
//! let mut display = Display::new(16, 2);
//! display.show(["INSERT CARD", "or hold it to the reader", "third"]);
//! assert_eq!(display.lines(), ["INSERT CARD", "or hold it to th"]);
//! ```

/// What is wrong with a display.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DisplayFault {
    /// It shows nothing.
    Dark,
    /// It keeps what it shows.
    Frozen,
    /// Nothing.
    #[default]
    None,
}

/// The glass.
#[derive(Clone, Debug)]
pub struct Display {
    columns: usize,
    rows: usize,
    lines: Vec<String>,
    fault: DisplayFault,
}

impl Display {
    /// Glass of so many columns (characters) and rows.
    #[must_use]
    pub const fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, lines: vec![], fault: DisplayFault::None }
    }

    /// Breaks or mends it.
    pub fn set_fault(&mut self, fault: DisplayFault) {
        self.fault = fault;
    }

    /// Shows these lines instead of what was there; what does not fit is cut off.
    pub fn show<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        match self.fault {
            DisplayFault::Frozen => {}
            DisplayFault::Dark | DisplayFault::None => {
                self.lines = lines
                    .into_iter()
                    .take(self.rows)
                    .map(|line| clean(line.as_ref(), self.columns))
                    .collect();
            }
        }
    }

    /// What can be read on it now.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        match self.fault {
            DisplayFault::Dark => &[],
            DisplayFault::Frozen | DisplayFault::None => &self.lines,
        }
    }
}

fn clean(line: &str, columns: usize) -> String {
    line.chars().take(columns).map(|c| if c.is_control() { '.' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Display, DisplayFault};

    #[test]
    fn cuts_what_does_not_fit_and_shows_no_control_characters() {
        let mut display = Display::new(8, 1);
        display.show(["čšž\u{1b}[2J and more", "lost"]);
        assert_eq!(display.lines(), ["čšž.[2J "]);
    }

    #[test]
    fn a_dark_one_shows_nothing_and_a_frozen_one_the_past() {
        let mut display = Display::new(20, 2);
        display.show(["one"]);
        display.set_fault(DisplayFault::Frozen);
        display.show(["two"]);
        assert_eq!(display.lines(), ["one"]);
        display.set_fault(DisplayFault::Dark);
        display.show(["three"]);
        assert!(display.lines().is_empty());
        display.set_fault(DisplayFault::None);
        assert_eq!(display.lines(), ["three"]);
    }
}
