//! The real binary seen from outside: started, spoken to in octets, killed, and its journal read.
//!
//! Nothing here asks the code under test what it meant to do. What was sent, what was answered and
//! what it should have done to the cards is kept by [`book::Book`], which knows the rules of the
//! card in their plainest form.
#![allow(dead_code, unreachable_pub, reason = "each suite uses its part")]

pub mod book;
pub mod load;
pub mod message;
pub mod mount;
pub mod tracer;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// The operator's token of every switch here.
pub const TOKEN: &str = "a-token-for-tests";

/// How long anything may take before a test fails instead of hanging.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A number from the environment, for the longer runs of `.ci/proof` and `.ci/soak`.
pub fn count(name: &str, default: u32) -> u32 {
    let text = std::env::var(name).unwrap_or_default();
    if text.is_empty() {
        return default;
    }
    text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number"))
}

/// Says why a test proves nothing here. In CI the reason is searched for.
pub fn skipped(why: &str) {
    println!("skipped: {why}");
}

/// Whether a program can be started.
pub fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    found.is_ok_and(|output| output.status.success())
}

/// Runs a program to its end.
pub fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Runs a program that must succeed, and gives what it said, trimmed.
pub fn must(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Small pseudo-random numbers (xorshift64*); a run prints its seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A seed of the environment, or one that nobody has had.
    pub fn seed() -> u64 {
        let seed = std::env::var("CEKR_CRASH_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("CEKR_CRASH_SEED={seed}");
        seed
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }
}

/// A folder that goes with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("cekr-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a switch is started: its directory, its cards, its settings.
#[derive(Clone, Debug)]
pub struct Setup {
    pub data: PathBuf,
    pub cards: PathBuf,
    /// The output of a switch lands beside the directory, not in it.
    pub log: PathBuf,
    pub settings: Vec<(String, String)>,
    /// Further words of the command line.
    pub flags: Vec<String>,
}

/// A refused start, or an end: the exit code (`None` after a signal), and what stderr says.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stderr: String,
}

impl Setup {
    /// A switch over `scratch/data` with the cards of [`book::cards`], small segments and no
    /// limits.
    pub fn new(scratch: &Path, card_count: usize) -> Setup {
        let cards = scratch.join("cards.toml");
        fs::write(&cards, book::card_file(card_count)).unwrap();
        let (data, log) = (scratch.join("data"), scratch.join("log"));
        let setup = Setup { data, cards, log, settings: vec![], flags: vec![] };
        setup
            .with("CEKR_JOURNAL_SEGMENT_OCTETS", "65536")
            .with("CEKR_JOURNAL_CHECKPOINT_ENTRIES", "40")
            .with("CEKR_POLICY_CASHPOINT_REQUIRES", "any")
            // These suites count the calls and the octets of the journal alone.
            .with("CEKR_PORTAL_DATABASE_URL", "sqlite::memory:")
            .with("CEKR_POLICY_DECLINES_PER_CARD_HOUR", "1000000")
    }

    /// The same with a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Setup {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another word on the command line.
    #[must_use]
    pub fn flag(mut self, word: &str) -> Setup {
        self.flags.push(word.to_owned());
        self
    }

    /// The same over another directory.
    #[must_use]
    pub fn over(&self, data: &Path) -> Setup {
        Setup { data: data.to_owned(), ..self.clone() }
    }

    /// The command that serves; `wrapper` stands before it.
    fn command(&self, wrapper: &[&str]) -> Command {
        let mut words = wrapper.iter().copied().chain([binary()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command
            .arg("serve")
            .arg("--data")
            .arg(&self.data)
            .arg("--cards")
            .arg(&self.cards)
            .args(["--cards-merge", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(&self.flags)
            .env("CEKR_OPERATOR_TOKEN", TOKEN)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&self.log).unwrap());
        command
    }

    /// Starts a switch that must become ready.
    pub fn start(&self) -> Switch {
        self.try_start(&[]).unwrap_or_else(|ended| panic!("the start was refused: {ended:?}"))
    }

    /// Starts a switch behind `wrapper`.
    ///
    /// # Errors
    /// How it ended before it was ready.
    pub fn try_start(&self, wrapper: &[&str]) -> Result<Switch, Ended> {
        let mut child = self.command(wrapper).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // The end of the process is the end of its output.
        let _ = stdout.read_line(&mut line);
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let status = child.wait().unwrap();
            return Err(Ended { code: status.code(), stderr: self.said() });
        };
        assert_eq!(ready["event"], "ready");
        let iso = ready["iso8583"].as_str().unwrap().parse().unwrap();
        let http = ready["http"].as_str().unwrap().replace("localhost", "127.0.0.1");
        Ok(Switch { child, iso, http, setup: self.clone() })
    }

    /// What the last switch wrote on stderr.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Every entry of the journal, by the command that people use.
    ///
    /// # Errors
    /// The command's exit code, and what it says.
    pub fn try_dump(&self) -> Result<Vec<Value>, Ended> {
        let data = self.data.to_str().unwrap();
        let output = run(binary(), &["journal", "dump", "--json", "--data", data]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(Ended { code: output.status.code(), stderr });
        }
        let text = String::from_utf8(output.stdout).unwrap();
        Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Every entry of a journal that must be readable.
    pub fn dump(&self) -> Vec<Value> {
        self.try_dump().unwrap_or_else(|ended| panic!("journal dump: {ended:?}"))
    }

    /// Every file below the directory but the lock, with its octets.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.data, &mut files);
        files.retain(|(path, _)| *path != self.data.join("lock"));
        files.sort();
        files
    }
}

fn collect(dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for item in fs::read_dir(dir).into_iter().flatten().flatten() {
        if item.path().is_dir() {
            files.push((item.path(), Vec::new()));
            collect(&item.path(), files);
        } else {
            files.push((item.path(), fs::read(item.path()).unwrap_or_default()));
        }
    }
}

/// Copies a folder and all in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(item.file_name());
        if item.path().is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::copy(item.path(), &target).unwrap();
        }
    }
}

/// The binary that this build made.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_cekr")
}

/// A switch at work; it is killed with the value.
pub struct Switch {
    child: Child,
    pub iso: SocketAddr,
    pub http: String,
    pub setup: Setup,
}

impl Switch {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a power cut would: nothing is asked.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().unwrap()?;
        Some(Ended { code: status.code(), stderr: self.setup.said() })
    }

    /// Waits for it to end by itself; one that does not is killed when patience ends.
    pub fn wait(&mut self) -> Ended {
        let (ended, end) = channel();
        let pid = self.pid();
        let watch = std::thread::spawn(move || {
            if end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                run("sh", &["-c", &format!("kill -KILL {pid}")]);
            }
        });
        let status = self.child.wait().unwrap();
        drop::<Sender<()>>(ended);
        watch.join().unwrap();
        Ended { code: status.code(), stderr: self.setup.said() }
    }

    /// Asks it to stop and waits for that; it may have stopped already.
    pub fn stop(mut self) -> Ended {
        run("sh", &["-c", &format!("kill -TERM {}", self.pid())]);
        self.wait()
    }

    /// One call of the control API: status and body, or `None` if it broke off.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        call(&self.http, method, path, body)
    }

    /// Every card by its name.
    pub fn cards(&self) -> Vec<Value> {
        let mut cards: Vec<Value> = Vec::new();
        loop {
            let after = cards.last().map_or(String::new(), |card| {
                format!("&starting_after={}", card["id"].as_str().unwrap())
            });
            let path = format!("/v1/cards?limit=100{after}");
            let (status, page) = self.call("GET", &path, &Value::Null).expect("it answers");
            assert_eq!(status, 200, "{page}");
            cards.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] == json!(false) {
                return cards;
            }
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One call of a control API: status and body, or `None` if it broke off.
pub fn call(base: &str, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let url = format!("{base}{path}");
    let bearer = format!("Bearer {TOKEN}");
    let answer = match method {
        "GET" => agent.get(url).header("Authorization", bearer).call(),
        "PATCH" => agent.patch(url).header("Authorization", bearer).send_json(body),
        _ => agent.post(url).header("Authorization", bearer).send_json(body),
    };
    let mut answer = answer.ok()?;
    let body = answer.body_mut().read_json().ok()?;
    Some((answer.status().as_u16(), body))
}

/// What can be read without waiting for more than the end.
pub fn read_all(mut from: impl std::io::Read) -> String {
    let mut text = String::new();
    let _ = from.read_to_string(&mut text);
    text
}
