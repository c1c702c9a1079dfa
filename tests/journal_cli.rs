//! `cekr journal` on directories that the real switch has written: beside it, after kill -9, and
//! after rot.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

const CEKR: &str = env!("CARGO_BIN_EXE_cekr");

/// A folder that is gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("cekr-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Scratch(folder)
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A switch in a process of its own, killed at the end.
struct Switch {
    child: Child,
    out: BufReader<ChildStdout>,
    addr: String,
}

impl Switch {
    fn start(data: &Path) -> Switch {
        let mut child = cekr()
            .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready"));
        let addr = ready["iso8583"].as_str().unwrap().to_owned();
        Switch { child, out, addr }
    }

    fn purchase(&self, cents: u32) {
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        let mut command = cekr();
        command.args(["pos", "purchase", "--card", "ana", "--amount", &amount]);
        command.args(["--expect", "00", "--to", &self.addr]);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        // The end of its output is the end of the switch.
        self.out.read_line(&mut String::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cekr() -> Command {
    let mut command = Command::new(CEKR);
    // What the developer's shell says about other switches is not meant for this one.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CEKR_")) {
        command.env_remove(name);
    }
    command
}

fn journal(words: &[&str], data: &Path) -> Output {
    cekr().arg("journal").args(words).arg("--data").arg(data).output().unwrap()
}

fn dumped(data: &Path) -> Vec<Value> {
    let done = journal(&["dump", "--json"], data);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every file below `folder` with its octets.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let octets = fs::read(&path).unwrap();
            all.push((path, octets));
        }
    }
    all.sort();
    all
}

#[test]
fn a_dump_beside_the_switch_and_after_its_death_has_every_answer_once() {
    let scratch = Scratch::new("dump");
    let data = scratch.data();
    let switch = Switch::start(&data);
    switch.purchase(24_90);
    switch.purchase(3_20);
    let purchases = |entries: &[Value]| -> Vec<u64> {
        let kind = |entry: &&Value| entry["kind"] == "authorized";
        entries.iter().filter(kind).map(|entry| entry["amount"].as_u64().unwrap()).collect()
    };
    let beside = dumped(&data);
    assert_eq!(purchases(&beside), [2490, 320]);
    switch.kill();

    let before = files(&data);
    let after = dumped(&data);
    assert_eq!(beside, after);
    assert!(before == files(&data), "a dump changes nothing");
    for (entry, seq) in after.iter().zip(1..) {
        assert_eq!(entry["seq"], seq);
        assert!(entry["card"].as_str().unwrap().starts_with("card_"));
        assert!(entry["at"].as_str().unwrap().ends_with('Z'));
    }
    let last = after.last().unwrap();
    assert_eq!(last["pan_masked"], "476173******0011");
    assert_eq!(last["reason"], "approved");
    assert_eq!(last["balance_after"], 100_00 - 24_90 - 3_20);

    let plain = journal(&["dump"], &data);
    let text = String::from_utf8(plain.stdout).unwrap();
    assert_eq!(text.lines().count(), after.len());
    assert!(text.lines().last().unwrap().contains("amount=320"));
    assert!(!text.contains("4761730000000011"));
}

#[test]
fn a_dump_needs_the_start_key_of_its_directory_and_a_journal() {
    let scratch = Scratch::new("keys");
    let data = scratch.data();
    Switch::start(&data).stop();
    let mut command = cekr();
    command.env("CEKR_START_KEY", "0".repeat(64));
    let done = command.args(["journal", "dump", "--data"]).arg(&data).output().unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&done.stderr).contains("start key"));

    let done = journal(&["dump"], &scratch.0);
    assert_eq!(done.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&done.stderr).contains("no journal"));
    assert_eq!(journal(&["dum"], &data).status.code(), Some(2));
}

#[test]
fn a_flipped_bit_before_the_end_is_told_with_file_and_offset_after_what_is_whole() {
    let scratch = Scratch::new("rot");
    let data = scratch.data();
    let switch = Switch::start(&data);
    switch.purchase(1_00);
    switch.stop();
    let whole = dumped(&data);
    rot_before_the_end(&data);
    let before = files(&data);
    let done = journal(&["dump", "--json"], &data);
    assert_eq!(done.status.code(), Some(3));
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(why.contains("journal/00000001.seg is damaged at offset"), "{why}");
    let shown = String::from_utf8(done.stdout).unwrap();
    assert_eq!(shown.lines().count(), whole.len() - 1);
    assert!(before == files(&data));
}

/// The last line of a command's output as JSON, and its exit code.
fn last_line(done: &Output) -> (Value, Option<i32>) {
    let text = String::from_utf8_lossy(&done.stdout);
    let line = text.lines().last().unwrap_or("null");
    (serde_json::from_str(line).unwrap(), done.status.code())
}

/// Flips a bit of the last entry, in front of the seal of a clean stop; gives the segment's path.
fn rot_before_the_end(data: &Path) -> PathBuf {
    let segment = data.join("journal/00000001.seg");
    let mut octets = fs::read(&segment).unwrap();
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap();
    octets[end - 100] ^= 1;
    fs::write(&segment, &octets).unwrap();
    segment
}

#[test]
fn verify_agrees_with_what_the_switch_wrote_beside_it_and_after_a_torn_end() {
    let scratch = Scratch::new("verify");
    let data = scratch.data();
    let switch = Switch::start(&data);
    switch.purchase(24_90);
    let (beside, code) = last_line(&journal(&["verify", "--json"], &data));
    assert_eq!((&beside["ok"], code), (&Value::Bool(true), Some(0)), "{beside}");
    switch.kill();

    // As a crash would leave it: a batch that has begun.
    let segment = data.join("journal/00000001.seg");
    let mut octets = fs::read(&segment).unwrap();
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() / 64 * 64 + 64;
    octets[end..end + 4].copy_from_slice(&[0xCE, b'K', b'R', b'J']);
    fs::write(&segment, &octets).unwrap();
    let before = files(&data);
    let (summary, code) = last_line(&journal(&["verify", "--json"], &data));
    assert_eq!(code, Some(0));
    assert_eq!(summary["torn"]["octets"], 4);
    assert_eq!(summary["torn"]["offset"], end);
    assert_eq!(summary["cards"], 8);
    assert_eq!(summary["entries"], dumped(&data).len());
    let accounts = summary["accounts"].as_object().unwrap();
    assert_eq!(accounts["visa_settlement"], 24_90);
    assert_eq!(accounts.values().map(|total| total.as_i64().unwrap()).sum::<i64>(), 0);
    let words = journal(&["verify"], &data);
    assert!(String::from_utf8_lossy(&words.stdout).contains("good: everything agrees"));
    let words = journal(&["doctor"], &data);
    assert_eq!(words.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&words.stdout).contains("The next start cuts it off"));
    assert!(before == files(&data));

    Switch::start(&data).stop();
    let (summary, _) = last_line(&journal(&["verify", "--json"], &data));
    assert_eq!((&summary["torn"], &summary["epoch"]), (&Value::Null, &Value::from(2)));
}

#[test]
fn the_doctor_explains_damage_and_cuts_only_where_it_is_told_to() {
    let scratch = Scratch::new("doctor");
    let data = scratch.data();
    let switch = Switch::start(&data);
    switch.purchase(1_00);
    switch.stop();
    let whole = dumped(&data);
    let segment = rot_before_the_end(&data);
    let before = files(&data);

    let (damage, code) = last_line(&journal(&["verify", "--json"], &data));
    assert_eq!((&damage["event"], code), (&Value::from("damage"), Some(3)));
    assert_eq!(damage["file"], "journal/00000001.seg");
    let (found, code) = last_line(&journal(&["doctor", "--json"], &data));
    assert_eq!((&found["damaged"], code), (&Value::Bool(true), Some(3)));
    assert_eq!(found["last_seq"], whole.len() - 1);
    assert_eq!(found["behind"]["batches"], 1, "the seal: {found}");
    let words = journal(&["doctor"], &data);
    let words = String::from_utf8(words.stdout).unwrap();
    let offset = found["offset"].as_u64().unwrap().to_string();
    assert!(words.contains(&format!("--segment 00000001.seg --truncate-at {offset} --force")));

    let cut = |more: &[&str]| {
        let done = journal(&[&["doctor", "--segment", "00000001.seg"], more].concat(), &data);
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, why) = cut(&["--truncate-at", &offset]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("1 whole batches with 0 entries stand behind"), "{why}");
    let (code, why) = cut(&["--truncate-at", "70", "--force"]);
    assert_eq!(code, Some(2), "{why}");
    assert!(why.contains("no batch ends at offset 70"), "{why}");
    assert_eq!(cut(&["--truncate-at", "0", "--force"]).0, Some(2));
    assert_eq!(journal(&["doctor", "--truncate-at", "64"], &data).status.code(), Some(2));
    assert_eq!(fs::read(&segment).unwrap(), before_of(&before, &segment), "nothing was changed");

    let (code, why) = cut(&["--truncate-at", &offset, "--force"]);
    assert_eq!(code, Some(0), "{why}");
    let switch = Switch::start(&data);
    assert_eq!(dumped(&data), whole[..whole.len() - 1]);
    switch.purchase(2_00);
    let (code, why) = cut(&["--truncate-at", &offset]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("in use by another cekr"), "{why}");
    switch.stop();
    let (summary, code) = last_line(&journal(&["verify", "--json"], &data));
    assert_eq!((&summary["epoch"], code), (&Value::from(2), Some(0)));
}

fn before_of<'a>(files: &'a [(PathBuf, Vec<u8>)], path: &Path) -> &'a [u8] {
    &files.iter().find(|(name, _)| name == path).unwrap().1
}

#[test]
fn nothing_is_pruned_without_two_checkpoints_or_beside_a_switch() {
    let scratch = Scratch::new("prune");
    let data = scratch.data();
    let switch = Switch::start(&data);
    let done = journal(&["prune"], &data);
    assert_eq!(done.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&done.stderr).contains("in use by another cekr"));
    switch.stop();
    let before = files(&data.join("journal"));
    let done = journal(&["prune", "--keep", "0"], &data);
    assert_eq!(done.status.code(), Some(3));
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(why.contains("two whole checkpoints are needed"), "{why}");
    assert!(before == files(&data.join("journal")));
}
