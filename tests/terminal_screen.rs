//! `cekr atm` on a terminal of its own, lent by `script`: keys in, screen out, and the terminal as
//! it was at the end. Skipped, with the reason, where there is no `script`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};

const CEKR: &str = env!("CARGO_BIN_EXE_cekr");

/// A switch in memory that ends with the test.
struct Switch {
    process: Child,
    address: String,
}

impl Switch {
    fn start() -> Self {
        let mut process = Command::new(CEKR)
            .args(["serve", "--durability", "none", "--listen", "127.0.0.1:0"])
            .args(["--http", "127.0.0.1:0"])
            .env_remove("CEKR_CONFIG")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        Self { process, address: ready["iso8583"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A program on a terminal of 80 x 24.
struct Screen {
    process: Child,
    seen: String,
}

impl Screen {
    fn start(arguments: &str) -> Self {
        // What never comes ends the program and so the wait for it.
        let command =
            format!("stty cols 80 rows 24; exec timeout --foreground 60 {CEKR} {arguments}");
        let process = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process, seen: String::new() }
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.process.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Reads until this word was drawn in one piece; what came before it is forgotten.
    fn wait_for(&mut self, word: &str) -> &mut Self {
        let mut buffer = [0; 4096];
        while !self.seen.contains(word) {
            let len = self.process.stdout.as_mut().unwrap().read(&mut buffer).unwrap();
            assert!(len > 0, "{word} never came: {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..len]));
        }
        self.seen = self.seen.split_once(word).unwrap().1.to_owned();
        self
    }

    /// Reads to the end: what was drawn last, and how the program ended.
    fn end(mut self) -> (String, ExitStatus) {
        let mut rest = vec![];
        self.process.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        (self.seen, self.process.wait().unwrap())
    }
}

fn has_script() -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v script && command -v stty && command -v timeout"])
        .output();
    let is_there = found.is_ok_and(|found| found.status.success());
    if !is_there {
        println!("skipped: there is no `script` to lend a terminal");
    }
    is_there
}

#[test]
fn cash_is_drawn_by_keys_and_the_terminal_is_given_back() {
    if !has_script() {
        return;
    }
    let switch = Switch::start();
    let mut screen = Screen::start(&format!("atm --to {} --atc 0", switch.address));
    screen.wait_for("\u{1b}[?1049h").wait_for("Vstavite");
    // Only what changes is drawn: these words share no letter with what stood in their place.
    screen.press("c").wait_for("Stanje");
    screen.press("150\r").wait_for("stane").wait_for("30");
    screen.press("\r").wait_for("PIN");
    screen.press("1234\r").wait_for("50,00");
    screen.press("m").wait_for("476173******0011");
    screen.press("cq");
    let (rest, status) = screen.end();
    assert!(status.success(), "{status}: {rest:?}");
    for given_back in ["\u{1b}[?1049l", "\u{1b}[?25h", "\u{1b}[?1000l"] {
        assert!(rest.contains(given_back), "{given_back:?} in {rest:?}");
    }
}

#[test]
fn a_click_presses_a_key_and_ctrl_c_gives_the_terminal_back() {
    if !has_script() {
        return;
    }
    let switch = Switch::start();
    let mut screen = Screen::start(&format!("pos --language en --to {}", switch.address));
    screen.wait_for("CHOOSE");
    // The key 1, by a terminal's report of the left button in its 53rd column and third row.
    screen.press("\u{1b}[<0;54;3M").wait_for("PURCHASE");
    // Ctrl-C as a terminal in raw mode sends it.
    screen.press("\u{3}");
    let (rest, status) = screen.end();
    assert!(status.success() && rest.contains("\u{1b}[?1049l"), "{status}: {rest:?}");
}

#[test]
fn without_a_terminal_the_commands_say_what_to_type() {
    for (command, words) in [("atm", "cekr atm withdraw"), ("pos", "cekr pos purchase")] {
        let done = Command::new(CEKR).arg(command).stdin(Stdio::null()).output().unwrap();
        assert_eq!(done.status.code(), Some(2));
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.contains(words) && done.stdout.is_empty(), "{said}");
    }
}
