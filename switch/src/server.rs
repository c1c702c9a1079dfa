//! A switch put together: bind, recover, serve, stop.
//!
//! [`Server::bind`] takes everything that a start can be refused for: addresses, directory, keys,
//! journal. Cards can then be issued through its control; [`Server::start`] opens the doors. The
//! lanes serve terminals on threads of their own; one more thread accepts and serves the control
//! API, so that no request of a page is ever in a terminal's way.

use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cekr_issuer::{Policy, Seq};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, watch};

use crate::answers::AnswersConfig;
use crate::background::{Background, BackgroundParts};
use crate::checkpoint::Keeper;
use crate::clock::Clock;
use crate::config::{Address, Config, Durability};
use crate::control::process::Process;
use crate::control::{Control, Durable};
use crate::disk::{Disk, FileDisk, TakeError};
use crate::engine::{Engine, Link};
use crate::entropy;
use crate::entry_view::moment;
use crate::hsm::{CardKeys, Hsm, KeysError, SoftHsm};
use crate::http::token::{self, Token};
use crate::http::{self, Api, ApiParts, Extension, TokenPlace};
use crate::journal::{Cut, Journal, JournalFailure, JournalId, OpenError, Recovered};
use crate::keyring::{Keyring, KeyringError, StartKey};
use crate::lane::{self, LaneLimits, LaneParts};
use crate::listener::{self, Acceptor, Door, Seats};
use crate::metrics::Metrics;
use crate::recovery::{self, Drive, Plan, RecoveryError};
use crate::session::Bounds;
use crate::shard::{ReplayError, Shard};
use crate::shutdown::{Stop, StopCause, Wish};
use crate::sync::{Arc, JoinHandle, ThreadBuilder, park};

/// What a start needs besides the settings.
pub struct Options {
    /// The key that opens the data directory's keys.
    pub start_key: StartKey,
    /// The clock that everything asks.
    pub clock: Clock,
    /// Whether the process's signals are the switch's.
    pub signals: Signals,
    /// What becomes of a clock that is behind the journal.
    pub clock_behind: ClockBehind,
}

/// What becomes of a start at which the clock is minutes behind the journal's newest entry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClockBehind {
    /// It goes on: new entries get that entry's moment until the clock has passed it.
    Accept,
    /// It is refused.
    #[default]
    Refuse,
}

/// What becomes of SIGTERM and Ctrl-C.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signals {
    /// They end the process as ever: the switch is a guest in it.
    Leave,
    /// They are a cause to stop that [`Running::wait`] tells.
    Watch,
}

/// A switch that has all it needs and serves nobody yet.
pub struct Server {
    config: Config,
    clock: Clock,
    signals: Signals,
    engine: Arc<Engine>,
    durable: Durable,
    /// Rung by the journal once a commit.
    committed: Arc<Notify>,
    stop: watch::Sender<Stop>,
    /// What others serve on the control API's port.
    extension: Extension,
    policy: Arc<Policy>,
    journal: Journal,
    /// None in memory.
    disk: Option<Arc<dyn Disk>>,
    recovered: Option<Recovered>,
    token: String,
    token_place: TokenPlace,
    listeners: Vec<TcpListener>,
    http: TcpListener,
    edge: Runtime,
}

/// Why a switch does not start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be had.
    #[error("cannot listen on {addr}: {cause}\nhelp: {help}")]
    Bind {
        /// The address.
        addr: String,
        /// What the system says.
        cause: std::io::Error,
        /// Which setting or option changes it.
        help: &'static str,
    },
    /// The clock's zone rules are missing from the build.
    #[error("the calendar of Europe/Ljubljana is not built in: {0}")]
    Calendar(#[from] jiff::Error),
    /// The clock was set back.
    #[error(
        "{}: the clock says {now} and the newest entry was made at {newest}\nhelp: set the clock; \
         or `--accept-clock` gives new entries that moment until the clock has passed it",
        dir.display()
    )]
    ClockBehind {
        /// The data directory.
        dir: PathBuf,
        /// What the clock says, RFC 3339.
        now: String,
        /// When the newest entry was made.
        newest: String,
    },
    /// Another process has the directory, or it cannot be made.
    #[error("{0}")]
    Directory(#[from] TakeError),
    /// The journal cannot be opened.
    #[error("{}: {cause}", dir.display())]
    Journal {
        /// The data directory.
        dir: PathBuf,
        /// Why.
        cause: OpenError,
    },
    /// A key block of the settings cannot be used.
    #[error("{0}\nhelp: `cekr keys` makes key blocks under the start key (CEKR_START_KEY)")]
    CardKeys(#[from] KeysError),
    /// The directory's keys cannot be had.
    #[error("{}: {cause}", dir.display())]
    Keys {
        /// The data directory.
        dir: PathBuf,
        /// Why.
        cause: KeyringError,
    },
    /// The journal is whole, and an entry of it does not make sense.
    #[error("{}: entry {seq}: {cause}", dir.display())]
    Replay {
        /// The data directory.
        dir: PathBuf,
        /// The entry.
        seq: Seq,
        /// Why.
        cause: ReplayError,
    },
    /// The system has no room for a thread or a runtime.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The operator's token can be neither read nor written.
    #[error("{}: {cause}\nhelp: CEKR_OPERATOR_TOKEN or [http] operator_token gives one", path.display())]
    Token {
        /// The token's file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}

/// A switch at work.
pub struct Running {
    /// Where terminals connect, in the order of the settings.
    pub iso_addrs: Vec<SocketAddr>,
    /// Where the control API is.
    pub http_addr: SocketAddr,
    control: Control,
    engine: Arc<Engine>,
    journal: Journal,
    metrics: Metrics,
    token: String,
    token_place: TokenPlace,
    recovered: Option<Recovered>,
    stop: watch::Sender<Stop>,
    causes: mpsc::UnboundedReceiver<StopCause>,
    lanes: Vec<JoinHandle<()>>,
    edge: Option<JoinHandle<()>>,
    background: Option<Background>,
}

impl Server {
    /// Takes addresses, directory, keys and journal, and replays what the journal holds.
    ///
    /// # Errors
    /// [`StartError`]: the start is refused.
    pub fn bind(config: Config, options: Options) -> Result<Server, StartError> {
        let edge = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let entered = edge.enter();
        let mut listeners = Vec::new();
        for (index, listener) in config.listener.iter().enumerate() {
            let help = if index == 0 { HELP_LISTEN } else { HELP_LISTENER };
            listeners.push(bind(&listener.addr, help)?);
        }
        let http = bind(&config.http.addr, HELP_HTTP)?;
        drop(entered);

        let mut disk = None;
        let (shard, recovered) = match config.data.durability {
            Durability::None => (in_memory(&config), None),
            Durability::Sync => {
                let (taken, shard, recovered) = on_disk(&config, &options.start_key)?;
                disk = Some(taken);
                if options.clock_behind == ClockBehind::Refuse {
                    check_clock(&config, &options.clock, &shard)?;
                }
                (shard, Some(recovered))
            }
        };
        let shard = Arc::new(shard.with_hsm(security_module(&config, &options.start_key)?));
        let journal = shard.journal().clone();
        let token_place = token_place(&config);
        let token = token::find(&config.http.operator_token, &token_place).map_err(|cause| {
            StartError::Token { path: token_path(&token_place).to_owned(), cause }
        })?;
        let policy = Arc::new(config.policy());
        let engine = Arc::new(Engine::new(shard.clone(), config.policy()));
        let control = Control::new(shard, policy.clone());
        let committed = Arc::new(Notify::new());
        let (stop, stopped) = watch::channel(Stop::Serve);
        let process = Process::new(Metrics::new(lane_count(&config)), &config);
        let clock = options.clock.clone();
        let durable = Durable::new(control, clock, committed.clone(), stopped, process);
        Ok(Server {
            config,
            clock: options.clock,
            signals: options.signals,
            engine,
            durable,
            committed,
            stop,
            extension: Extension::default(),
            policy,
            journal,
            disk,
            recovered,
            token,
            token_place,
            listeners,
            http,
            edge,
        })
    }

    /// The cards, before anybody is served.
    #[must_use]
    pub fn control(&self) -> &Control {
        self.durable.control()
    }

    /// The cards, for those who can wait until what they hear is durable.
    #[must_use]
    pub const fn durable(&self) -> &Durable {
        &self.durable
    }

    /// The control API's address as a link that a browser takes for safe, where it is this machine.
    ///
    /// # Errors
    /// If the system does not tell the port.
    pub fn http_url(&self) -> Result<String, StartError> {
        self.http.local_addr().map(url).map_err(StartError::Thread)
    }

    /// Where terminals of the first listener connect.
    ///
    /// # Errors
    /// If the system does not tell the port.
    pub fn iso_addr(&self) -> Result<SocketAddr, StartError> {
        let missing = || std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        let first = self.listeners.first().ok_or_else(missing);
        first.and_then(TcpListener::local_addr).map_err(StartError::Thread)
    }

    /// Runs `work` on the runtime that serves the control API: what it spawns or opens lives there.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.edge.block_on(work)
    }

    /// Serves these routes too, on the control API's port.
    pub fn extend(&mut self, extension: Extension) {
        self.extension = extension;
    }

    /// The clock that everything asks.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the journal held; `None` in memory.
    #[must_use]
    pub fn recovered(&self) -> Option<&Recovered> {
        self.recovered.as_ref()
    }

    /// Waits until all that was appended is durable.
    ///
    /// # Errors
    /// The journal's failure, if it has failed.
    pub fn settle(&self) -> Result<(), JournalFailure> {
        let wanted = self.journal.appended();
        while self.journal.durable() < wanted {
            if let Some(failure) = self.journal.failure() {
                return Err(failure);
            }
            park(SETTLE_LOOK_US);
        }
        Ok(())
    }

    /// Opens the doors.
    ///
    /// # Errors
    /// If the system has no room for threads.
    pub fn start(self) -> Result<Running, StartError> {
        let Server { config, clock, engine, durable, stop, journal, disk, edge, .. } = self;
        let control = durable.control().clone();
        let committed = self.committed;
        let stopped = stop.subscribe();
        let lane_count = lane_count(&config);
        let metrics = durable.process().metrics().clone();
        let (tell, causes) = mpsc::unbounded_channel();
        let limits = LaneLimits {
            in_flight_max: config.switch.in_flight_max,
            sweep_ms: sweep_ms(&config),
            drain_ms: config.switch.drain_ms,
            busy_poll: config.switch.busy_poll,
        };
        let mut lanes = Vec::new();
        let mut dealers = Vec::new();
        let mut bells = Vec::new();
        for (index, lane_metrics) in metrics.lanes().enumerate() {
            let (dealer, dealt) = mpsc::unbounded_channel();
            let committed = Arc::new(Notify::new());
            let parts = LaneParts {
                engine: engine.clone(),
                journal: journal.clone(),
                clock: clock.clone(),
                metrics: lane_metrics.clone(),
                limits,
                dealt,
                committed: committed.clone(),
                stop: stopped.clone(),
            };
            lanes.push(spawn(format!("cekr-lane-{index}"), move || {
                if let Err(error) = lane::run(parts) {
                    tracing::error!(%error, "a lane could not start");
                }
            })?);
            dealers.push(dealer);
            bells.push(committed);
        }
        journal.on_commit(Box::new(move |_: Seq| {
            bells.iter().for_each(|bell| bell.notify_one());
            committed.notify_waiters();
        }));
        let tell_failure = tell.clone();
        journal.on_failure(Box::new(move |failure| {
            let _ = tell_failure.send(StopCause::JournalFailed(failure.clone()));
        }));

        let local = |socket: &TcpListener| socket.local_addr().map_err(StartError::Thread);
        let iso_addrs = self.listeners.iter().map(local).collect::<Result<Vec<_>, _>>()?;
        let http_addr = local(&self.http)?;
        let connections_max = usize::try_from(config.switch.connections_max).unwrap_or(usize::MAX);
        let seats = Seats::new(lane_count, connections_max);
        let mut acceptors = Vec::new();
        for (index, socket) in self.listeners.into_iter().enumerate() {
            let Some(listener) = config.listener.iter().nth(index) else { break };
            let door = Door {
                link: Link {
                    id: u32::try_from(index).unwrap_or(u32::MAX),
                    spec: listener.spec.spec(),
                    framing: listener.framing.framing(),
                    octets_max: frame_octets_max(&config),
                    mac: listener.mac.into(),
                },
                name: iso_addrs.get(index).map(ToString::to_string).unwrap_or_default(),
                ordered: listener.ordered,
                bounds: Bounds::of(listener, config.switch.write_timeout_ms),
            };
            acceptors.push(Acceptor {
                socket,
                door: Arc::new(door),
                seats: seats.clone(),
                lanes: dealers.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
            });
        }
        drop(dealers);
        let api = Api::new(ApiParts {
            durable,
            policy: self.policy,
            metrics: metrics.clone(),
            token: Token::new(&self.token),
            settings: config.http.clone(),
            extension: self.extension,
        });
        // Before anybody can know that the switch is ready: a wish to stop is never missed.
        let watcher = match self.signals {
            Signals::Leave => None,
            Signals::Watch => {
                let _entered = edge.enter();
                Some((Wish::watch().map_err(StartError::Thread)?, tell))
            }
        };
        let serving = Edge { acceptors, http: self.http, api, control: control.clone() };
        let edge = spawn("cekr-edge".to_owned(), move || {
            edge.block_on(serving.run(stopped, watcher));
            edge.shutdown_timeout(EDGE_GRACE);
        })?;
        let newest = self.recovered.as_ref().map_or(Seq::NONE, |found| found.started_behind);
        let every = config.journal.checkpoint_entries;
        let background = Background::start(BackgroundParts {
            shard: control.shard().clone(),
            clock,
            keeper: disk.map(|disk| Keeper::new(disk, every, newest)),
            entries_max: (config.journal.batch_max / 4).max(1),
        })
        .map_err(StartError::Thread)?;
        Ok(Running {
            iso_addrs,
            http_addr,
            control,
            engine,
            journal,
            metrics,
            token: self.token,
            token_place: self.token_place,
            recovered: self.recovered,
            stop,
            causes,
            lanes,
            edge: Some(edge),
            background: Some(background),
        })
    }
}

impl Running {
    /// The cards, and all that people may do with them.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The engine that answers terminals.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What the journal held at the start; `None` in memory.
    #[must_use]
    pub fn recovered(&self) -> Option<&Recovered> {
        self.recovered.as_ref()
    }

    /// The operator's token. A secret: hand it to a caller, never to a log.
    #[must_use]
    pub fn expose_token(&self) -> &str {
        &self.token
    }

    /// Where people find the token.
    #[must_use]
    pub fn token_place(&self) -> &TokenPlace {
        &self.token_place
    }

    /// The control API's address as a link.
    #[must_use]
    pub fn http_url(&self) -> String {
        url(self.http_addr)
    }

    /// Waits until the system asks to stop or the journal fails.
    pub fn wait(&mut self) -> Option<StopCause> {
        self.causes.blocking_recv()
    }

    /// Stops: takes nothing new, answers all that was received, seals the journal.
    ///
    /// # Errors
    /// The journal's failure, if it has failed now or before.
    pub fn shutdown(mut self) -> Result<(), JournalFailure> {
        self.end()
    }

    fn end(&mut self) -> Result<(), JournalFailure> {
        self.stop.send_replace(Stop::Drain);
        // Lanes first, while the journal still commits what their answers wait for.
        for thread in self.lanes.drain(..).chain(self.edge.take()) {
            if thread.join().is_err() {
                tracing::error!("a thread of the switch has panicked");
            }
        }
        if let Some(background) = self.background.take() {
            background.stop();
        }
        if let TokenPlace::TemporaryFile(path) = &self.token_place {
            // It opens nothing any more.
            let _ = std::fs::remove_file(path);
        }
        self.journal.close()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.edge.is_some() {
            // The failure was told when it happened.
            let _ = self.end();
        }
    }
}

/// Everything that runs on the thread beside the lanes.
struct Edge {
    acceptors: Vec<Acceptor>,
    http: TcpListener,
    api: Api,
    control: Control,
}

impl Edge {
    async fn run(
        self,
        stopped: watch::Receiver<Stop>,
        watcher: Option<(Wish, mpsc::UnboundedSender<StopCause>)>,
    ) {
        if let Some((wish, tell)) = watcher {
            tokio::spawn(async move {
                let _ = tell.send(StopCause::Signal(wish.made().await));
            });
        }
        for acceptor in self.acceptors {
            tokio::spawn(acceptor.run(stopped.clone()));
        }
        let control = self.control;
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(FOLLOWER_TICK);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                // Entries leave the ring of recent ones: the books follow before.
                let _ = control.shard().books();
            }
        });
        http::serve(self.http, self.api, stopped).await;
    }
}

/// The module with the keys of the settings; says loudly which of them everybody knows.
fn security_module(config: &Config, start_key: &StartKey) -> Result<Arc<dyn Hsm>, StartError> {
    let (keys, tests) = CardKeys::load(&config.keys.blocks(), start_key)?;
    if !tests.is_empty() {
        tracing::warn!(
            keys = tests.join(" "),
            "DEVELOPMENT CARD KEYS: everybody knows them; set [keys] before real cards are issued"
        );
    }
    Ok(Arc::new(SoftHsm::new(keys)))
}

fn in_memory(config: &Config) -> Shard {
    let keyring = Keyring::ephemeral(&mut entropy::fill);
    let journal = Journal::memory(&config.journal(keyring.journal_id()));
    Shard::new(journal, keyring, answers(config))
}

/// The directory, the shard out of it, and what was found.
type OnDisk = (Arc<dyn Disk>, Shard, Recovered);

fn on_disk(config: &Config, start_key: &StartKey) -> Result<OnDisk, StartError> {
    let dir = Path::new(&config.data.dir);
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::own(dir)?);
    let plan = Plan {
        start_key,
        journal: config.journal(JournalId::default()),
        answers: answers(config),
        drive: Drive::Thread,
    };
    let recovered = recovery::recover(&disk, &plan, &mut entropy::fill);
    if let Ok((_, recovered)) = &recovered {
        tell_recovered(recovered);
    }
    recovered.map(|(shard, recovered)| (disk, shard, recovered)).map_err(|error| {
        let dir = dir.to_owned();
        match error {
            RecoveryError::Journal(cause) => StartError::Journal { dir, cause },
            RecoveryError::Keys(cause) => StartError::Keys { dir, cause },
            RecoveryError::Replay { seq, cause } => StartError::Replay { dir, seq, cause },
        }
    })
}

/// Says what a start has read, and what it has cut off.
fn tell_recovered(recovered: &Recovered) {
    let Recovered { entries, last, epoch, .. } = *recovered;
    tracing::info!(entries, %last, epoch, "the journal was replayed");
    if let Some(Cut { file, offset, octets, missing_octets, entries }) = &recovered.cut {
        tracing::warn!(
            file,
            offset,
            octets,
            missing_octets,
            entries,
            "an unfinished batch was cut off the journal's end; no answer had waited for its sync"
        );
    }
}

/// Refuses a clock that is behind the newest entry by more than a correction.
fn check_clock(config: &Config, clock: &Clock, shard: &Shard) -> Result<(), StartError> {
    let (now, newest) = (clock.now().unix_ms, shard.last_at());
    if now.saturating_add(CLOCK_BEHIND_MAX_MS) >= newest {
        return Ok(());
    }
    let [now, newest] = [now, newest].map(moment);
    Err(StartError::ClockBehind { dir: Path::new(&config.data.dir).to_owned(), now, newest })
}

fn answers(config: &Config) -> AnswersConfig {
    AnswersConfig {
        answers_max: config.switch.answers_max,
        window_min_ms: config.switch.answers_window_s.saturating_mul(1_000),
    }
}

fn bind(addr: &Address, help: &'static str) -> Result<TcpListener, StartError> {
    let fault = |cause| StartError::Bind { addr: addr.to_string(), cause, help };
    let mut last = None;
    for addr in addr.as_str().to_socket_addrs().map_err(fault)? {
        match listener::bind(addr) {
            Ok(socket) => return Ok(socket),
            Err(cause) => last = Some(cause),
        }
    }
    Err(fault(last.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into())))
}

/// An address as a link.
fn url(addr: SocketAddr) -> String {
    if addr.ip().is_loopback() {
        return format!("http://localhost:{}", addr.port());
    }
    format!("http://{addr}")
}

fn token_place(config: &Config) -> TokenPlace {
    if !config.http.operator_token.is_empty() {
        return TokenPlace::Given;
    }
    match config.data.durability {
        Durability::None => {
            // Servers of one process would take each other's file away.
            static DRAWN: AtomicU32 = AtomicU32::new(0);
            let process = std::process::id();
            let name = match DRAWN.fetch_add(1, Ordering::Relaxed) {
                0 => format!("cekr-operator-{process}.token"),
                more => format!("cekr-operator-{process}-{more}.token"),
            };
            TokenPlace::TemporaryFile(std::env::temp_dir().join(name))
        }
        Durability::Sync => TokenPlace::File(Path::new(&config.data.dir).join("operator.token")),
    }
}

fn token_path(place: &TokenPlace) -> &Path {
    match place {
        TokenPlace::File(path) | TokenPlace::TemporaryFile(path) => path,
        TokenPlace::Given => Path::new(""),
    }
}

/// Lanes: as the settings say, else one fewer than the cores, so that journal and edge have one.
fn lane_count(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match config.switch.threads {
        0 => cores.saturating_sub(1).clamp(1, LANES_UNASKED_MAX),
        threads => usize::from(threads),
    }
}

fn sweep_ms(config: &Config) -> u64 {
    let write_ms = config.switch.write_timeout_ms;
    let all = config.listener.iter().map(|listener| Bounds::of(listener, write_ms).sweep_ms());
    all.min().unwrap_or(SWEEP_MS)
}

/// What a frame's length may announce.
fn frame_octets_max(config: &Config) -> usize {
    usize::try_from(config.switch.frame_octets_max).unwrap_or(usize::MAX)
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    ThreadBuilder::new().name(name).spawn(body).map_err(StartError::Thread)
}

const HELP_LISTEN: &str =
    "`--listen ADDR` or [[listener]] addr names another one; port 0 takes a free one";
const HELP_LISTENER: &str = "its [[listener]] addr names another one; port 0 takes a free one";
const HELP_HTTP: &str = "`--http ADDR` or [http] addr names another one; port 0 takes a free one";

/// More lanes than this want to be asked for.
const LANES_UNASKED_MAX: usize = 16;
const SWEEP_MS: u64 = 500;
/// How far the clock may be behind the journal's newest entry at a start.
const CLOCK_BEHIND_MAX_MS: u64 = 5 * 60 * 1_000;
/// How long the control API's last answers may take to leave.
const EDGE_GRACE: Duration = Duration::from_millis(500);
/// How often a start looks whether its cards are durable.
const SETTLE_LOOK_US: u64 = 500;
/// How often the books are brought up to date.
const FOLLOWER_TICK: Duration = Duration::from_millis(500);
