//! The screens of till and cashpoint on a terminal of 80 x 24, drawn with ratatui.
//!
//! Drawing is a function of a [`Face`]; nothing here changes a terminal. [`command_at`] and
//! [`command_of`] turn clicks and keys of a keyboard into what a person does, by the same layout
//! that is drawn.
//!
//! ```text
//! +- glass, and the receipt below --------------+- keys ---------+
//! |                                             |                |
//! +- devices, wallet, what hands can do -----------------------+
//! ```

use ratatui::Frame;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use crate::device::keypad::{Digit, Key};
use crate::front::words::Text;
use crate::front::{Face, Touch};

/// What somebody at the keyboard or the mouse wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Leave the terminal.
    Quit,
    /// Do something at it.
    Touch(Touch),
}

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colours {
    /// Yes.
    On,
    /// `NO_COLOR` is set.
    Off,
}

/// Draws a terminal. A screen smaller than [`COLUMNS`] x [`ROWS`] is told so.
pub fn draw(frame: &mut Frame<'_>, face: &Face<'_>, colours: Colours) {
    let area = frame.area();
    if area.width < COLUMNS || area.height < ROWS {
        let words = format!("{COLUMNS} x {ROWS}!");
        frame.render_widget(Paragraph::new(words), area);
        return;
    }
    draw_glass(frame, face, colours);
    draw_keys(frame, face, colours);
    draw_hands(frame, face, colours);
}

/// What a key of the keyboard means at this terminal.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "of the many keys a terminal has fifteen")]
pub fn command_of(event: KeyEvent, face: &Face<'_>) -> Option<Command> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = event.modifiers.contains(KeyModifiers::CONTROL);
    let key = |key| Some(Command::Touch(Touch::Key(key)));
    match event.code {
        KeyCode::Backspace | KeyCode::Delete => key(Key::Clear),
        KeyCode::Enter => key(Key::Enter),
        KeyCode::Esc => key(Key::Cancel),
        KeyCode::Tab => hand(face, '\t'),
        KeyCode::Char('c') if is_control => Some(Command::Quit),
        KeyCode::Char(QUIT) => Some(Command::Quit),
        KeyCode::Char(character) => match Key::of_char(character) {
            Some(digit) => key(digit),
            None => hand(face, character.to_ascii_lowercase()),
        },
        _ => None,
    }
}

/// What a click on this column and row of the screen means.
#[must_use]
pub fn command_at(column: u16, row: u16, face: &Face<'_>) -> Option<Command> {
    let is_in = |area: Rect| area.contains((column, row).into());
    let pressed = keys().find(|(_, area)| is_in(*area));
    let pressed = pressed.map(|(key, _)| Command::Touch(Touch::Key(key)));
    pressed.or_else(|| buttons(face).into_iter().find(|(_, area, _)| is_in(*area)).map(|it| it.2))
}

/// What an event of the screen means; resizing and the like mean nothing.
#[must_use]
pub fn command(event: &Event, face: &Face<'_>) -> Option<Command> {
    match event {
        Event::Key(key) => command_of(*key, face),
        Event::Mouse(mouse) if mouse.kind == MouseEventKind::Down(MouseButton::Left) => {
            command_at(mouse.column, mouse.row, face)
        }
        Event::FocusGained
        | Event::FocusLost
        | Event::Mouse(_)
        | Event::Paste(_)
        | Event::Resize(..) => None,
    }
}

fn hand(face: &Face<'_>, key: char) -> Option<Command> {
    let hand = face.hands.iter().find(|hand| hand.key == key)?;
    Some(Command::Touch(hand.touch))
}

fn draw_glass(frame: &mut Frame<'_>, face: &Face<'_>, colours: Colours) {
    frame.render_widget(pane(&face.title), GLASS);
    let shown = face.counter.display.lines();
    let lines: Vec<Line<'_>> = shown
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let style =
                if at == 0 { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
            Line::styled(line.as_str(), style)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside(GLASS));
    draw_paper(frame, face, colours);
}

/// The receipt hangs into the glass's pane from below its text.
fn draw_paper(frame: &mut Frame<'_>, face: &Face<'_>, colours: Colours) {
    let paper = face.counter.paper();
    if paper.is_empty() {
        return;
    }
    let room = inside(GLASS);
    let height = u16::try_from(paper.len()).unwrap_or(u16::MAX).min(room.height);
    let width = PAPER_COLUMNS.min(room.width);
    let area = Rect { x: room.x + 2, y: room.bottom() - height, width, height };
    let style = match colours {
        Colours::Off => Style::new(),
        Colours::On => Style::new().fg(Color::Black).bg(Color::White),
    };
    let lines: Vec<Line<'_>> = paper.iter().map(|line| Line::raw(line.as_str())).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).style(style), area);
}

fn draw_keys(frame: &mut Frame<'_>, face: &Face<'_>, colours: Colours) {
    frame.render_widget(pane(face.counter.text(Text::Keys)), KEYS);
    for (key, area) in keys() {
        let colour = match (colours, key) {
            (Colours::Off, _) | (_, Key::Digit(_)) => Style::new(),
            (Colours::On, Key::Cancel) => Style::new().fg(Color::Red),
            (Colours::On, Key::Clear) => Style::new().fg(Color::Yellow),
            (Colours::On, Key::Enter) => Style::new().fg(Color::Green),
        };
        let label = Paragraph::new(key.label()).alignment(Alignment::Center);
        frame.render_widget(label.block(Block::bordered()).style(colour), area);
    }
}

fn draw_hands(frame: &mut Frame<'_>, face: &Face<'_>, colours: Colours) {
    frame.render_widget(Block::bordered().border_type(BorderType::Rounded), HANDS);
    let room = inside(HANDS);
    let mut lines: Vec<Line<'_>> =
        face.devices.iter().map(|line| Line::raw(line.as_str())).collect();
    lines.truncate(2);
    frame.render_widget(Paragraph::new(lines), room);
    let wallet = Rect { y: room.y + 2, height: 1, ..room };
    frame.render_widget(Paragraph::new(wallet_line(face)), wallet);
    let style = match colours {
        Colours::Off => Style::new(),
        Colours::On => Style::new().add_modifier(Modifier::REVERSED),
    };
    for (label, area, _) in buttons(face) {
        frame.render_widget(Paragraph::new(label).style(style), area);
    }
}

fn wallet_line<'a>(face: &Face<'a>) -> Line<'a> {
    let mut spans = vec![Span::raw(format!("{}:", face.counter.text(Text::Wallet)))];
    for (name, is_chosen) in face.counter.wallet.names() {
        spans.push(if is_chosen {
            Span::styled(format!(" [{name}]"), Style::new().add_modifier(Modifier::BOLD))
        } else {
            Span::raw(format!(" {name}"))
        });
    }
    Line::from(spans)
}

/// What can be clicked below: label, place, meaning.
fn buttons(face: &Face<'_>) -> Vec<(String, Rect, Command)> {
    let room = inside(HANDS);
    let hands = face.hands.iter().map(|hand| {
        let key = if hand.key == '\t' { "Tab".to_owned() } else { hand.key.to_string() };
        (format!(" {key} {} ", face.counter.text(hand.name)), Command::Touch(hand.touch))
    });
    let quit = (format!(" {QUIT} {} ", face.counter.text(Text::Quit)), Command::Quit);
    let mut x = room.x;
    let mut placed = vec![];
    for (label, command) in hands.chain([quit]) {
        let width = u16::try_from(label.chars().count()).unwrap_or(u16::MAX);
        placed.push((label, Rect { x, y: room.y + 3, width, height: 1 }, command));
        x = x.saturating_add(width).saturating_add(1);
    }
    placed
}

/// The keys and where they are: digits as on a telephone, the coloured ones at the right.
fn keys() -> impl Iterator<Item = (Key, Rect)> {
    let digits = (0..10).filter_map(|value| {
        let (column, row) = match value {
            0 => (1, 3),
            value => ((value - 1) % 3, (value - 1) / 3),
        };
        Digit::new(value).map(|digit| (Key::Digit(digit), column, row))
    });
    let coloured = [(Key::Cancel, 3, 0), (Key::Clear, 3, 1), (Key::Enter, 3, 3)];
    let room = inside(KEYS);
    digits.chain(coloured).map(move |(key, column, row)| {
        let (x, y) = (room.x + u16::from(column) * 7, room.y + u16::from(row) * 4);
        (key, Rect { x, y, width: 7, height: 3 })
    })
}

fn pane(title: &str) -> Block<'static> {
    Block::bordered().border_type(BorderType::Rounded).title(format!(" {title} "))
}

const fn inside(area: Rect) -> Rect {
    Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
}

/// Columns that a screen needs.
pub const COLUMNS: u16 = 80;
/// Rows that a screen needs.
pub const ROWS: u16 = 24;
/// Ends the program, beside Ctrl-C.
const QUIT: char = 'q';
const PAPER_COLUMNS: u16 = 42;
const GLASS: Rect = Rect { x: 0, y: 0, width: 50, height: 18 };
const KEYS: Rect = Rect { x: 50, y: 0, width: 30, height: 18 };
const HANDS: Rect = Rect { x: 0, y: 18, width: 80, height: 6 };
