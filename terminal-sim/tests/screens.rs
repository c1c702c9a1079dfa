//! Every screen of till and cashpoint at 80 x 24, held against the texts in `tests/screens/`.
//!
//! `CEKR_SCREENS=write cargo test -p cekr-terminal-sim --features screen --test screens` writes
//! them anew; what changed is then to be read before it is committed.
#![allow(
    clippy::inconsistent_digit_grouping,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and cents stand as 150_00"
)]

mod play;

use std::path::Path;

use cekr_iso8583::response::Language;
use cekr_terminal_sim::device::keypad::Key;
use cekr_terminal_sim::front::{Front, Touch};
use cekr_terminal_sim::screen::{self, COLUMNS, Colours, Command, ROWS};
use play::{Play, declining, generous, silent};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// What a terminal of this size shows, line by line.
fn drawn(play: &Play<impl Front>, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| screen::draw(frame, &play.front.face(), Colours::On)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |row| {
        let line: String = (0..columns).map(|column| buffer[(column, row)].symbol()).collect();
        line.trim_end().to_owned() + "\n"
    };
    (0..rows).map(line).collect()
}

fn is_as_kept(name: &str, play: &Play<impl Front>) {
    let drawn = drawn(play, COLUMNS, ROWS);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(name);
    if std::env::var_os("CEKR_SCREENS").is_some_and(|how| how == "write") {
        std::fs::write(&file, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == drawn, "{name} is drawn otherwise now:\n{drawn}\nkept:\n{kept}");
}

#[test]
fn the_cashpoint_shows_each_step_of_a_withdrawal() {
    for (language, folder) in [(Language::Sl, "sl"), (Language::En, "en")] {
        let mut play = Play::cashpoint(language, generous);
        for (keys, step) in [
            ("", "welcome"),
            ("c", "menu"),
            ("15", "amount"),
            ("0+", "fee"),
            ("+12", "pin"),
            ("34+", "notes"),
            ("m", "receipt"),
        ] {
            play.type_in(keys);
            is_as_kept(&format!("cashpoint-{step}-{folder}.txt"), &play);
        }
    }
}

#[test]
fn the_cashpoint_shows_what_goes_wrong() {
    let mut play = Play::cashpoint(Language::Sl, |message| declining(message, *b"51", ""));
    play.type_in("c150++1234+");
    is_as_kept("cashpoint-declined-sl.txt", &play);

    let mut play = Play::cashpoint(Language::Sl, silent);
    play.type_in("c150+");
    is_as_kept("cashpoint-waiting-sl.txt", &play);
    play.time_out();
    is_as_kept("cashpoint-fee-unknown-sl.txt", &play);

    let mut play = Play::cashpoint(Language::Sl, |message| declining(message, *b"41", ""));
    play.front.counter.printer.refill(3);
    play.front.dispenser.set_missing(1, true);
    play.type_in("c150++1234+");
    is_as_kept("cashpoint-card-kept-sl.txt", &play);
}

#[test]
fn the_till_shows_each_step_of_a_sale() {
    for (language, folder) in [(Language::Sl, "sl"), (Language::En, "en")] {
        let mut play = Play::till(language, generous);
        for (keys, step) in
            [("", "menu"), ("12490", "amount"), ("+", "card"), ("c12", "pin"), ("34+", "receipt")]
        {
            play.type_in(keys);
            is_as_kept(&format!("till-{step}-{folder}.txt"), &play);
        }
    }
    let mut play = Play::till(Language::Sl, |message| declining(message, *b"57", "ABROAD"));
    play.type_in("12490+t");
    is_as_kept("till-declined-sl.txt", &play);
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    let play = Play::till(Language::En, generous);
    assert_eq!(drawn(&play, 60, 20).trim_end(), "80 x 24!");
}

fn click(play: &Play<impl Front>, column: u16, row: u16) -> Option<Command> {
    let kind = MouseEventKind::Down(MouseButton::Left);
    let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
    screen::command(&Event::Mouse(event), &play.front.face())
}

#[test]
fn every_key_and_every_word_of_the_bottom_line_can_be_clicked() {
    let play = Play::cashpoint(Language::En, generous);
    let text = drawn(&play, COLUMNS, ROWS);
    let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    let at = |wanted: char, rows: &[Vec<char>], from: usize| {
        rows.iter().enumerate().find_map(|(row, line)| {
            let column = line.iter().skip(from).position(|it| *it == wanted)? + from;
            Some((u16::try_from(column).unwrap(), u16::try_from(row).unwrap()))
        })
    };
    for label in "0123456789✗←✓".chars() {
        let (column, row) = at(label, &rows[..18], 51).unwrap();
        let Some(Command::Touch(Touch::Key(key))) = click(&play, column, row) else {
            panic!("{label} does nothing")
        };
        assert_eq!(key.label(), label.to_string());
    }
    let bottom = text.lines().nth(22).unwrap();
    for (word, expected) in [
        ("card in", Command::Touch(Touch::Card)),
        ("take cash", Command::Touch(Touch::TakeNotes)),
        ("next", Command::Touch(Touch::NextCard)),
        ("Slovensko", Command::Touch(Touch::Language)),
        ("quit", Command::Quit),
    ] {
        let before: &str = bottom.split_once(word).unwrap().0;
        let column = u16::try_from(before.chars().count()).unwrap();
        assert_eq!(click(&play, column, 22), Some(expected), "{word}");
    }
    assert_eq!(click(&play, 3, 3), None);
}

#[test]
fn a_keyboard_has_the_same_keys() {
    let play = Play::till(Language::En, generous);
    let typed = |code, modifiers| {
        screen::command(&Event::Key(KeyEvent::new(code, modifiers)), &play.front.face())
    };
    let touch = |touch| Some(Command::Touch(touch));
    for (code, expected) in [
        (KeyCode::Char('7'), touch(Touch::Key(Key::of_char('7').unwrap()))),
        (KeyCode::Enter, touch(Touch::Key(Key::Enter))),
        (KeyCode::Esc, touch(Touch::Key(Key::Cancel))),
        (KeyCode::Backspace, touch(Touch::Key(Key::Clear))),
        (KeyCode::Tab, touch(Touch::NextCard)),
        (KeyCode::Char('C'), touch(Touch::Card)),
        (KeyCode::Char('t'), touch(Touch::Tap)),
        (KeyCode::Char('s'), touch(Touch::Swipe)),
        (KeyCode::Char('m'), None),
        (KeyCode::Char('q'), Some(Command::Quit)),
        (KeyCode::F(1), None),
    ] {
        assert_eq!(typed(code, KeyModifiers::NONE), expected, "{code:?}");
    }
    assert_eq!(typed(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Command::Quit));
}
