//! `cekr pos` and `cekr atm` with a terminal attached: the screen, the keys, the line.
//!
//! Everything that a person sees and does is in [`cekr_terminal_sim::front`]; here are the raw
//! terminal and the loop around it. The terminal is given back as it was at every end: a key, a
//! signal, a fault, a panic. While money or an answer is on its way the program stays until that
//! is settled.

use std::io::{self, IsTerminal as _, Stdout, stdout};
use std::process::ExitCode;
use std::time::Duration;

use cekr_emv::pin::Pin;
use cekr_iso8583::response::Language;
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::cassettes::Cassettes;
use cekr_terminal_sim::client::Host;
use cekr_terminal_sim::client::front_line::FrontLine;
use cekr_terminal_sim::device::dispenser::DispenserFault;
use cekr_terminal_sim::form::PinPad;
use cekr_terminal_sim::front::cashpoint::CashpointFront;
use cekr_terminal_sim::front::till::TillFront;
use cekr_terminal_sim::front::{Counter, Front, FrontEvent, Wallet};
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::screen::{self, Colours, Command};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::lent::Lent;
use super::{CommonArgs, Fault, LanguageName, SETTLE_PATIENCE, config, hand_card};
use crate::cards;

/// Whether a person sits at both ends and wants to see something.
pub(super) fn is_possible(common: &CommonArgs) -> bool {
    !common.json && io::stdin().is_terminal() && stdout().is_terminal()
}

/// A till on the whole screen.
pub(super) fn run_till(common: &CommonArgs, place: Place) -> ExitCode {
    let front = |counter| TillFront::new(place.clone(), counter);
    run("pos", common, &place, front)
}

/// A cashpoint on the whole screen; its dispenser jams after so many notes, if told to.
pub(super) fn run_cashpoint(common: &CommonArgs, place: Place, jam: Option<u32>) -> ExitCode {
    let front = |counter| {
        let mut front = CashpointFront::new(place.clone(), Cassettes::default(), counter);
        if let Some(notes) = jam {
            front.dispenser.set_fault(DispenserFault::JamsAfter(notes));
        }
        front
    };
    run("atm", common, &place, front)
}

fn run<F: Front>(
    command: &str,
    common: &CommonArgs,
    place: &Place,
    front: impl FnOnce(Counter) -> F,
) -> ExitCode {
    let done = counter(common, place).and_then(|counter| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Fault::Use(format!("cannot start: {error}")))?;
        runtime.block_on(serve(front(counter), common, place))
    });
    match done {
        Ok(notes) => {
            for note in notes {
                eprintln!("cekr {command}: {note}");
            }
            ExitCode::SUCCESS
        }
        Err(Fault::Connect(fault)) => {
            eprintln!("cekr {command}: {fault}");
            ExitCode::from(1)
        }
        Err(Fault::Use(fault)) => {
            eprintln!("cekr {command}: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Devices and the wallet: the named card at hand, the others of its file beside it, each with a
/// chip that counts on from one transaction to the next.
fn counter(common: &CommonArgs, place: &Place) -> Result<Counter, Fault> {
    let with_chip = |card: Card, pin: Option<&Pin>| {
        let chip = common.chip.chip(&card, pin, USES_OF_SCREEN);
        (card, chip)
    };
    let wallet = match (&common.pan, &common.card) {
        (Some(_), _) => {
            let (card, pin) = hand_card(common)?;
            Wallet::with_chips([with_chip(card, pin.as_ref())])
        }
        (None, name) => {
            let records = cards::read_or_built_in(common.cards.as_deref())
                .map_err(|error| Fault::Use(error.to_string()))?;
            let carried = records
                .iter()
                .filter_map(|record| Some(with_chip(record.card()?, record.pin.as_ref())));
            let mut wallet = Wallet::with_chips(carried);
            if let Some(name) = name {
                // A name that is not there is a fault here too.
                hand_card(common)?;
                wallet.choose(name);
            }
            wallet
        }
    };
    let language = common.language.map_or(Language::Sl, LanguageName::language);
    let counter = Counter::new(wallet, language, u64::from(config_seed(common)));
    Ok(counter.with_chip(common.chip.session(place, PinPad::Present)?))
}

/// What the devices draw from: two runs do not draw alike.
fn config_seed(common: &CommonArgs) -> u32 {
    common.stan.unwrap_or_else(super::drawn)
}

async fn serve(
    mut front: impl Front,
    common: &CommonArgs,
    place: &Place,
) -> Result<Vec<String>, Fault> {
    let host = Host::connect(&common.to, config(common, place)).await.map_err(|error| {
        Fault::Connect(format!("{error}; start `cekr serve`, or say where it is with --to ADDR"))
    })?;
    let mut line = FrontLine::new(host);
    let cannot = |error: io::Error| Fault::Use(format!("the screen cannot be used: {error}"));
    let mut screen = Screen::enter().map_err(cannot)?;
    let played = play(&mut front, &mut line, &mut screen).await;
    drop(screen);
    let left = line.settle(SETTLE_PATIENCE).await;
    played.map_err(cannot)?;
    let mut notes = vec![];
    if left > 0 {
        notes.push(format!("{left} reversals or advices found no answer"));
    }
    Ok(notes)
}

/// Keys, clicks, answers and time, until somebody wants to leave and nothing is on its way.
async fn play(front: &mut impl Front, line: &mut FrontLine, screen: &mut Screen) -> io::Result<()> {
    let mut inputs = inputs();
    let mut stops = Stops::listen()?;
    let mut is_leaving = false;
    loop {
        screen.draw(front)?;
        if is_leaving && !front.is_busy() {
            return Ok(());
        }
        let happened = tokio::select! {
            input = inputs.recv() => Happened::Input(input),
            () = stops.recv() => Happened::Stop,
            wake = line.wait(TICK) => Happened::Line(wake),
        };
        let command = match happened {
            Happened::Line(wake) => {
                line.react(wake, front).await;
                None
            }
            // The keyboard is gone: nobody will ever press `q`.
            Happened::Input(None) | Happened::Stop => Some(Command::Quit),
            Happened::Input(Some(event)) => screen::command(&event, &front.face()),
        };
        let todo = match command {
            None => vec![],
            Some(Command::Quit) => {
                is_leaving = true;
                front.leave(line.now())
            }
            Some(Command::Touch(touch)) => front.handle(FrontEvent::Touch(touch), line.now()),
        };
        line.deliver(todo, front).await;
    }
}

enum Happened {
    Input(Option<Event>),
    Line(cekr_terminal_sim::client::Wake),
    Stop,
}

/// Keys and clicks, read on a thread of their own because reading them blocks. It ends when
/// nobody listens any more.
fn inputs() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(INPUTS_MAX);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            match event::poll(TICK).and_then(|is_there| is_there.then(event::read).transpose()) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    if sender.blocking_send(event).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    });
    receiver
}

/// The signals that end a terminal.
struct Stops {
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stops {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.hang_up.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The terminal while it is ours; dropped, it is as it was.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    colours: Colours,
    _lent: Lent,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let take = || {
            enable_raw_mode()?;
            execute!(stdout(), EnterAlternateScreen, EnableMouseCapture)
        };
        let lent = Lent::take(take, give_back)?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colours = if is_plain { Colours::Off } else { Colours::On };
        Ok(Self { terminal, colours, _lent: lent })
    }

    fn draw(&mut self, front: &impl Front) -> io::Result<()> {
        let colours = self.colours;
        self.terminal.draw(|frame| screen::draw(frame, &front.face(), colours)).map(|_| ())
    }
}

/// Best effort: a terminal that is gone needs no care.
fn give_back() {
    let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Counters of its chips that one sitting may use.
const USES_OF_SCREEN: u16 = 256;
/// How often time passes at a terminal.
const TICK: Duration = Duration::from_millis(200);
/// Keys and clicks that may wait.
const INPUTS_MAX: usize = 64;
