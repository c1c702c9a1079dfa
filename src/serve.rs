//! `cekr serve`: the switch in the foreground, until SIGTERM or Ctrl-C.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use cekr_iso8583::Expiry;
use cekr_issuer::entry::Name;
use cekr_issuer::{Amount, Controls};
use cekr_switch::clock::Clock;
use cekr_switch::config::{Address, Config, Durability, EcommerceRequires};
use cekr_switch::http::TokenPlace;
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Running, Server, Signals};
use cekr_switch::shard::{IssueError, NewCard};
use cekr_switch::shutdown::StopCause;
use clap::ValueEnum;
use serde_json::json;

use crate::advantage;
use crate::cards::{self, CardLimits, CardRecord};
use crate::simulate::{self, Simulator};

/// Runs the switch: answers terminals over TCP and serves the control API
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cekr serve                                        data in ./cekr-data, cards of the built-in set
  cekr serve --durability none --listen 127.0.0.1:0 --http 127.0.0.1:0
  cekr serve --config switch.toml --cards cards.toml

When it is ready, one JSON line on stdout names the addresses. SIGTERM or Ctrl-C stops it after
every request that was received has been answered. With --sandbox cents of an amount choose what
goes wrong: xx.91 the answer is lost, xx.68 it is late, xx.94 the message comes twice, xx.55 a wrong
PIN; cash xx.21 no note, xx.32 half of them (docs/sandbox.md). `cekr config` prints every setting;
CEKR_START_KEY (64 hexadecimal digits) opens the data directory.")]
pub struct ServeArgs {
    /// Settings file; `cekr config` prints one with every default
    #[arg(long, value_name = "FILE", env = "CEKR_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of journal and keys [default: ./cekr-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Issue the cards of this file into an empty directory
    #[arg(long, value_name = "FILE", env = "CEKR_CARDS")]
    cards: Option<PathBuf>,
    /// Issue those cards of the file whose number is not known yet, into a directory in use
    #[arg(long, requires = "cards")]
    cards_merge: bool,
    /// Address of the first listener; port 0 takes a free one [default: 127.0.0.1:8583]
    #[arg(long, value_name = "ADDR", value_parser = Address::parse)]
    listen: Option<Address>,
    /// Address of the control API; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = Address::parse)]
    http: Option<Address>,
    /// sync: an answer waits for the disk; none: everything stays in memory [default: sync]
    #[arg(long, value_enum)]
    durability: Option<DurabilityName>,
    /// Spin instead of sleeping: half the round trip, for a whole core
    #[arg(long)]
    busy_poll: bool,
    /// Start although the clock is minutes behind the journal's newest entry
    #[arg(long)]
    accept_clock: bool,
    /// Serve calls that simulate what terminals and other parties do (POST /v1/simulate/...)
    #[arg(long)]
    sandbox: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum DurabilityName {
    None,
    Sync,
}

/// Runs the command.
pub fn run(args: &ServeArgs) -> ExitCode {
    crate::logs::start("info");
    let (config, merge) = match settings(args) {
        Ok(config) => (config, if args.cards_merge { Merge::Unknown } else { Merge::Nothing }),
        Err(message) => return refused(&message),
    };
    warn_of(&config, args.sandbox);
    if args.sandbox {
        tell_sandbox(args.cards.as_deref());
    }
    let behind = if args.accept_clock { ClockBehind::Accept } else { ClockBehind::Refuse };
    let starting = Start {
        config: config.clone(),
        cards: args.cards.as_deref(),
        merge,
        signals: Signals::Watch,
        clock_behind: behind,
        sandbox: args.sandbox,
    };
    let mut running = match start(starting) {
        Ok(running) => running,
        Err(message) => return refused(&message),
    };
    tell_token(&running);
    if tell_ready(&running, &config).is_err() {
        tracing::warn!("nobody reads standard output");
    }
    let cause = running.wait();
    match &cause {
        Some(StopCause::Signal(signal)) => tracing::info!(signal, "stopping"),
        Some(StopCause::JournalFailed(failure)) => tracing::error!(%failure, "stopping"),
        None => tracing::error!("the switch has ended by itself"),
    }
    match (running.shutdown(), cause) {
        (Ok(()), Some(StopCause::Signal(_))) => {
            tracing::info!("stopped; every request that was received has been answered");
            ExitCode::SUCCESS
        }
        (Err(failure), _) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
        (Ok(()), Some(StopCause::JournalFailed(_)) | None) => ExitCode::FAILURE,
    }
}

/// What becomes of a card file when there are cards already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Merge {
    /// It is refused.
    Nothing,
    /// Cards of unknown numbers are added.
    Unknown,
}

/// What a switch is started with.
pub struct Start<'a> {
    /// The settings.
    pub config: Config,
    /// The card file; the built-in set when there is none.
    pub cards: Option<&'a std::path::Path>,
    /// What becomes of it when there are cards already.
    pub merge: Merge,
    /// Whether the process's signals are the switch's.
    pub signals: Signals,
    /// What becomes of a clock that is behind the journal.
    pub clock_behind: ClockBehind,
    /// Whether calls that simulate what others do are served.
    pub sandbox: bool,
}

impl Start<'_> {
    /// A guest of this process with the built-in cards.
    pub const fn guest(config: Config) -> Self {
        Self {
            config,
            cards: None,
            merge: Merge::Nothing,
            signals: Signals::Leave,
            clock_behind: ClockBehind::Refuse,
            sandbox: false,
        }
    }
}

/// Starts a switch, and the website beside it. An empty directory gets the cards of the file, or
/// the built-in set when there is no file.
///
/// # Errors
/// Why the start is refused, and what to do.
pub fn start(start: Start<'_>) -> Result<Running, String> {
    let Start { mut config, cards: file, merge, signals, clock_behind, sandbox } = start;
    if sandbox {
        advantage::enrol_sample(&mut config)?;
    }
    let options = Options {
        start_key: start_key()?,
        clock: Clock::system().map_err(|error| error.to_string())?,
        signals,
        clock_behind,
    };
    // Read first: a fault of the file must not leave an opened, empty directory behind.
    let records = cards::read_or_built_in(file).map_err(|error| error.to_string())?;
    let policy = config.policy();
    let foreign = records.iter().find(|record| !policy.is_ours(record.pan));
    let mut server = Server::bind(config.clone(), options).map_err(|error| error.to_string())?;
    let is_empty = server.control().shard().cards().is_empty();
    match (file, merge) {
        (None, _) if !is_empty => {}
        (Some(file), Merge::Nothing) if !is_empty => {
            return Err(format!(
                "{} is for an empty directory, and this one has cards\nhelp: `--cards-merge` adds \
                 the cards whose numbers are not known yet",
                file.display()
            ));
        }
        _ => {
            if let Some(record) = foreign {
                return Err(format!(
                    "card {}: its number begins with none of policy.bins\nhelp: [policy] bins, or \
                     CEKR_POLICY_BINS, names the first digits of your cards",
                    record.name
                ));
            }
            issue(&server, &records)?;
        }
    }
    #[cfg(feature = "portal")]
    let portal = crate::website::portal(&server, &config, sandbox)?;
    #[cfg(feature = "portal")]
    let mut extension = portal.extension();
    #[cfg(not(feature = "portal"))]
    let mut extension = cekr_switch::http::Extension::default();
    if sandbox {
        let simulator = Simulator::new(
            line(&server, &config)?,
            records,
            server.durable().clone(),
            #[cfg(feature = "portal")]
            portal,
        );
        extension.operator = extension.operator.merge(simulator.routes());
        extension.describe(&Simulator::description());
    }
    server.extend(extension);
    server.start().map_err(|error| error.to_string())
}

/// The first listener, as simulated terminals speak to it.
fn line(server: &Server, config: &Config) -> Result<simulate::Line, String> {
    let to = server.iso_addr().map_err(|error| error.to_string())?.to_string();
    let listener = config.listener.first();
    let issuer = match config.policy.ecommerce_requires {
        EcommerceRequires::Confirmation => {
            Some(server.http_url().map_err(|error| error.to_string())?)
        }
        EcommerceRequires::Tick => None,
    };
    let (spec, framing) = (listener.spec.spec(), listener.framing.framing());
    Ok(simulate::Line { to, spec, framing, issuer })
}

/// Issues the cards whose numbers are not known yet, and waits until they are durable.
fn issue(server: &Server, records: &[CardRecord]) -> Result<(), String> {
    let shard = server.control().shard();
    for record in records {
        if shard.cards().find(record.pan).is_some() {
            continue;
        }
        let mut looks = 0;
        loop {
            let Some(card) = new_card(record) else {
                return Err(format!("card {}: its name or expiry cannot be kept", record.name));
            };
            match shard.issue(card, server.clock().now()) {
                Ok(_) => break,
                // Thousands of cards outrun the disk: let it catch up.
                Err(IssueError::Busy) if looks < ROOM_LOOKS => {
                    server.settle().map_err(|error| error.to_string())?;
                    looks += 1;
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "nobody tells of room on a disk"
                    )]
                    std::thread::sleep(ROOM_LOOK);
                }
                Err(IssueError::Busy) => {
                    return Err(format!(
                        "card {}: the disk has no room for the journal\nhelp: make room, and start \
                         again with `--cards FILE --cards-merge`, which issues the cards that are \
                         not there yet",
                        record.name
                    ));
                }
                Err(error) => return Err(format!("card {}: {error}", record.name)),
            }
        }
    }
    server.settle().map_err(|error| error.to_string())
}

fn new_card(record: &CardRecord) -> Option<NewCard> {
    Some(NewCard {
        pan: record.pan,
        name: Name::new(&record.name)?,
        mok_id: record.mok_id,
        controls: Controls {
            status: record.status,
            ticks: record.channels,
            expiry: Expiry::new(record.expiry)?,
            version: 1,
        },
        pin: record.pin.clone(),
        limited: record.limits == CardLimits::Default,
        balance: Amount::from_minor(record.balance),
    })
}

/// File, then environment, then flags.
fn settings(args: &ServeArgs) -> Result<Config, String> {
    let mut config = Config::load(args.config.as_deref(), std::env::vars())
        .map_err(|error| error.to_string())?;
    if let Some(dir) = &args.data {
        config.data.dir.clone_from(dir);
    }
    match args.durability {
        Some(DurabilityName::None) => config.data.durability = Durability::None,
        Some(DurabilityName::Sync) => config.data.durability = Durability::Sync,
        None => {}
    }
    if let Some(addr) = &args.listen {
        config.listener.first_mut().addr = addr.clone();
    }
    if let Some(addr) = &args.http {
        config.http.addr = addr.clone();
    }
    config.switch.busy_poll |= args.busy_poll;
    Ok(config)
}

/// The key that opens a data directory: the environment's, or the development key.
///
/// # Errors
/// When what the environment has is no key.
pub fn start_key() -> Result<StartKey, String> {
    match std::env::var("CEKR_START_KEY") {
        Ok(text) if !text.is_empty() => StartKey::from_hex(&text)
            .ok_or_else(|| "CEKR_START_KEY is not 64 hexadecimal digits".to_owned()),
        Ok(_) | Err(_) => Ok(StartKey::development()),
    }
}

/// How long a start waits for room for one card: the journal itself looks once a second.
const ROOM_LOOKS: u32 = 3_000;
const ROOM_LOOK: std::time::Duration = std::time::Duration::from_millis(1);

/// Says loudly what a production switch must not be.
fn warn_of(config: &Config, sandbox: bool) {
    if config.data.durability == Durability::None {
        tracing::warn!("durability none: everything is in memory and gone at the end");
    } else if start_key().is_ok_and(|key| key.is_development()) {
        tracing::warn!(
            "DEVELOPMENT START KEY: everybody knows the key that protects this directory; \
             set CEKR_START_KEY before real cards are issued"
        );
    }
    if sandbox {
        tracing::warn!("--sandbox: POST /v1/simulate/... plays terminals; never with real cards");
    }
}

/// Says what there is to try things out with.
fn tell_sandbox(cards: Option<&std::path::Path>) {
    let file = cards
        .map_or("built in: cards.toml of the project".into(), |file| file.display().to_string());
    tracing::info!(
        cards = file,
        calls = "POST /v1/simulate/{kind}",
        amounts =
            "xx.91 answer lost, xx.68 late, xx.94 twice, xx.55 wrong PIN; see docs/sandbox.md",
        "sandbox"
    );
}

/// Says where the operator's token is, never what it is.
fn tell_token(running: &Running) {
    match running.token_place() {
        TokenPlace::Given => {}
        TokenPlace::File(path) => {
            tracing::info!(path = %path.display(), "the operator's token is in this file");
        }
        TokenPlace::TemporaryFile(path) => tracing::info!(
            path = %path.display(),
            "the operator's token is in this file until the switch stops"
        ),
    }
}

/// The one line on standard output.
fn tell_ready(running: &Running, config: &Config) -> std::io::Result<()> {
    let listeners: Vec<_> = running
        .iso_addrs
        .iter()
        .zip(config.listener.iter())
        .map(|(addr, listener)| {
            json!({
                "addr": addr.to_string(),
                "spec": listener.spec.as_str(),
                "framing": listener.framing.as_str(),
            })
        })
        .collect();
    let (data, durability) = match config.data.durability {
        Durability::None => (None, "none"),
        Durability::Sync => (Some(config.data.dir.as_str()), "sync"),
    };
    let ready = json!({
        "event": "ready",
        "iso8583": running.iso_addrs.first().map(ToString::to_string),
        "listeners": listeners,
        "http": running.http_url(),
        "data": data,
        "durability": durability,
        "cards": running.control().shard().cards().len(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ready}")?;
    out.flush()
}

fn refused(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(crate::REFUSED)
}
