//! A receipt printer: a roll of paper, a sensor for its end, a cutter.
//!
//! A card number comes onto paper in one way, as [`ReceiptLine::Card`], whose value is masked by
//! its type. Paper is counted in lines. When it ends in the middle of a receipt, what was printed
//! stays in the printer and the terminal hears of it.
//!
//! ```
//! use cekr_iso8583::Pan;
//! use cekr_terminal_sim::device::printer::{ReceiptLine, ReceiptPrinter};
//! let pan = Pan::parse(b"4761730000000011").expect("a valid number");
//! let mut printer = ReceiptPrinter::new(1000);
//! printer.print(&[ReceiptLine::Card("CARD", pan.masked())]).expect("paper");
//! assert_eq!(printer.cut().expect("a cutter")[0].trim_end(), "CARD          476173******0011");
//! ```

use cekr_iso8583::pan::MaskedPan;

/// One line of a receipt, before it is laid out in [`COLUMNS`] columns.
#[derive(Clone, Debug)]
pub enum ReceiptLine {
    /// What the card's number is called, and its first six and last four digits.
    Card(&'static str, MaskedPan),
    /// Text in the middle.
    Centred(String),
    /// A name at the left and its value in the second column.
    Pair(String, String),
    /// A line across.
    Rule,
}

/// How much paper there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paper {
    /// Enough for a few more receipts only.
    Low,
    /// Enough.
    Ok,
    /// None.
    Out,
}

/// What breaks, as whoever plays the world wants it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PrinterFault {
    /// The knife does not move: receipts hang together.
    CutterStuck,
    /// The paper jams after so many more lines.
    JamsAfter(u32),
    /// Nothing.
    #[default]
    None,
}

/// Why a printer does not print.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrinterError {
    /// The knife does not move.
    #[error("the printer's cutter is stuck")]
    CutterStuck,
    /// The paper is stuck.
    #[error("the printer's paper is jammed")]
    Jammed,
    /// The roll is empty.
    #[error("the printer is out of paper")]
    PaperOut,
}

/// The printer.
#[derive(Clone, Debug)]
pub struct ReceiptPrinter {
    paper_lines: u32,
    /// What hangs out of it and is not cut.
    printed: Vec<String>,
    fault: PrinterFault,
}

impl ReceiptPrinter {
    /// A printer with a roll of so many lines.
    #[must_use]
    pub const fn new(paper_lines: u32) -> Self {
        Self { paper_lines, printed: vec![], fault: PrinterFault::None }
    }

    /// Breaks or mends it.
    pub fn set_fault(&mut self, fault: PrinterFault) {
        self.fault = fault;
    }

    /// Puts a new roll in and takes out what hangs from the old one.
    pub fn refill(&mut self, paper_lines: u32) {
        *self = Self { fault: self.fault, ..Self::new(paper_lines) };
    }

    /// What the sensor says.
    #[must_use]
    pub const fn paper(&self) -> Paper {
        match self.paper_lines {
            0 => Paper::Out,
            1..=PAPER_LOW_LINES => Paper::Low,
            _ => Paper::Ok,
        }
    }

    /// Prints lines behind what hangs out already.
    ///
    /// # Errors
    /// The first line that cannot be printed says why; those before it are on the paper.
    pub fn print(&mut self, lines: &[ReceiptLine]) -> Result<(), PrinterError> {
        for line in lines {
            match &mut self.fault {
                PrinterFault::JamsAfter(0) => return Err(PrinterError::Jammed),
                PrinterFault::JamsAfter(left) => *left -= 1,
                PrinterFault::CutterStuck | PrinterFault::None => {}
            }
            self.paper_lines = self.paper_lines.checked_sub(1).ok_or(PrinterError::PaperOut)?;
            self.printed.push(laid_out(line));
        }
        Ok(())
    }

    /// Cuts the receipt off and hands it out, line by line in [`COLUMNS`] columns.
    ///
    /// # Errors
    /// [`PrinterError::CutterStuck`]: the receipt stays where it is.
    pub fn cut(&mut self) -> Result<Vec<String>, PrinterError> {
        match self.fault {
            PrinterFault::CutterStuck => Err(PrinterError::CutterStuck),
            PrinterFault::JamsAfter(_) | PrinterFault::None => {
                Ok(core::mem::take(&mut self.printed))
            }
        }
    }
}

impl Default for ReceiptPrinter {
    /// A new roll.
    fn default() -> Self {
        Self::new(ROLL_LINES)
    }
}

fn laid_out(line: &ReceiptLine) -> String {
    match line {
        ReceiptLine::Card(name, pan) => pair(name, &pan.to_string()),
        ReceiptLine::Centred(text) => format!("{:^COLUMNS$}", clipped(text, COLUMNS)),
        ReceiptLine::Pair(name, value) => pair(name, value),
        ReceiptLine::Rule => "-".repeat(COLUMNS),
    }
}

fn pair(name: &str, value: &str) -> String {
    let (name, value) = (clipped(name, NAME_COLUMNS - 1), clipped(value, VALUE_COLUMNS));
    format!("{name:<NAME_COLUMNS$}{value:<VALUE_COLUMNS$}")
}

fn clipped(text: &str, columns: usize) -> String {
    text.chars().take(columns).map(|c| if c.is_control() { '.' } else { c }).collect()
}

/// Columns of the paper: 42 characters on a roll of 80 mm.
pub const COLUMNS: usize = 42;
/// Columns of them for a value beside its name.
pub const VALUE_COLUMNS: usize = COLUMNS - NAME_COLUMNS;
/// Lines of a new roll.
pub const ROLL_LINES: u32 = 2_000;
/// From here on the sensor tells that the roll ends soon.
const PAPER_LOW_LINES: u32 = 60;
const NAME_COLUMNS: usize = 14;

#[cfg(test)]
mod tests {
    use super::{COLUMNS, Paper, PrinterError, PrinterFault, ReceiptLine, ReceiptPrinter};

    fn receipt() -> Vec<ReceiptLine> {
        vec![
            ReceiptLine::Centred("NLB".to_owned()),
            ReceiptLine::Rule,
            ReceiptLine::Pair("AMOUNT".to_owned(), "50.00 EUR".to_owned()),
        ]
    }

    #[test]
    fn lays_every_line_out_in_the_width_of_the_paper() {
        let mut printer = ReceiptPrinter::default();
        printer.print(&receipt()).unwrap();
        printer.print(&[ReceiptLine::Pair("X".repeat(99), "ž".repeat(99))]).unwrap();
        let lines = printer.cut().unwrap();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.chars().count() == COLUMNS));
        assert!(printer.cut().unwrap().is_empty());
    }

    #[test]
    fn tells_when_the_roll_ends_soon_and_stops_where_it_ends() {
        let mut printer = ReceiptPrinter::new(62);
        assert_eq!(printer.paper(), Paper::Ok);
        printer.print(&receipt()).unwrap();
        assert_eq!(printer.paper(), Paper::Low);
        printer.refill(2);
        assert_eq!(printer.print(&receipt()), Err(PrinterError::PaperOut));
        assert_eq!(printer.paper(), Paper::Out);
        assert_eq!(printer.cut().unwrap().len(), 2);
    }

    #[test]
    fn a_jam_and_a_stuck_knife_are_told_apart() {
        let mut printer = ReceiptPrinter::default();
        printer.set_fault(PrinterFault::JamsAfter(1));
        assert_eq!(printer.print(&receipt()), Err(PrinterError::Jammed));
        printer.set_fault(PrinterFault::CutterStuck);
        printer.print(&receipt()).unwrap();
        assert_eq!(printer.cut(), Err(PrinterError::CutterStuck));
        printer.set_fault(PrinterFault::None);
        assert_eq!(printer.cut().unwrap().len(), 4);
    }
}
