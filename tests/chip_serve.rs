//! `cekr chip serve` as readers meet it: a reader of our own on the loopback, and Debian's pcscd
//! with its virtual reader where that is installed and may be run.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

const CEKR: &str = env!("CARGO_BIN_EXE_cekr");

/// A chip in our own reader. The process ends with this value.
struct Inserted {
    child: Child,
    lines: BufReader<ChildStdout>,
    reader: TcpStream,
}

impl Inserted {
    fn new(arguments: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let mut command = Command::new(CEKR);
        command.args(["chip", "serve", "--json", "--vpcd", &addr]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let (reader, _) = listener.accept().unwrap();
        Self { child, lines, reader }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn send(&mut self, message: &[u8]) {
        let len = u16::try_from(message.len()).unwrap().to_be_bytes();
        // In two pieces, as vpcd sends it.
        self.reader.write_all(&len).unwrap();
        self.reader.write_all(message).unwrap();
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut len = [0; 2];
        self.reader.read_exact(&mut len).unwrap();
        let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
        self.reader.read_exact(&mut message).unwrap();
        message
    }

    fn exchange(&mut self, command: &[u8]) -> Vec<u8> {
        self.send(command);
        self.receive()
    }
}

impl Drop for Inserted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_reader_finds_the_application_of_the_card_that_was_named() {
    for version in ["10", "18", "22"] {
        let mut card = Inserted::new(&["--card", "bor", "--cvn", version]);
        let ready = card.line();
        assert_eq!((&ready["event"], &ready["card"]), (&"ready".into(), &"bor".into()));
        card.send(&[1]);
        let atr = card.exchange(&[4]);
        let shown: String = atr.iter().map(|octet| format!("{octet:02X}")).collect();
        assert_eq!(ready["atr"], shown);
        let answer = card.exchange(b"\x00\xA4\x04\x00\x07\xA0\x00\x00\x00\x03\x10\x10\x00");
        assert_eq!(answer[..2], [0x6F, answer.len() as u8 - 4]);
        assert_eq!(answer[answer.len() - 2..], [0x90, 0x00]);
        // The card's number begins its data.
        let record = card.exchange(b"\x00\xB2\x01\x1C\x00");
        let number = b"\x5A\x08\x47\x61\x73\x00\x00\x00\x00\x29";
        assert!(record.windows(number.len()).any(|window| window == number));
        assert_eq!(card.exchange(b"\x00\xEE\x00\x00"), [0x6D, 0x00]);
    }
}

#[test]
fn the_chip_goes_with_its_reader_and_says_so() {
    let mut card = Inserted::new(&["--card", "ana"]);
    card.line();
    card.exchange(b"\x80\xCA\x9F\x36\x00");
    card.reader.shutdown(std::net::Shutdown::Both).unwrap();
    let closed = card.line();
    assert_eq!((&closed["event"], &closed["commands"]), (&"closed".into(), &1.into()));
    assert_eq!(card.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    let run = |arguments: &[&str]| {
        let done = Command::new(CEKR).args(["chip", "serve"]).args(arguments).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, said) = run(&["--card", "ana", "--vpcd", &addr]);
    assert_eq!(code, Some(1));
    assert!(said.contains("vsmartcard-vpcd"), "{said}");
    let (code, said) = run(&["--card", "nobody", "--vpcd", &addr]);
    assert_eq!(code, Some(2));
    assert!(said.contains("ana"), "{said}");
    assert_eq!(run(&["--card", "ana", "--cvn", "17"]).0, Some(2));
}

/// Runs in namespaces of its own, so that neither the reader's port nor pcscd's socket are anybody
/// else's: `$1` is our binary, `$2` a folder for settings and logs, `$3` the reader's driver, `$4`
/// the protocol, `$5` what is done then.
const IN_A_READER: &str = r#"
set -eu
ip link set lo up
mkdir -p /run/pcscd "$2/conf"
mount -t tmpfs tmpfs /run/pcscd
printf '%s\n' 'FRIENDLYNAME "Virtual PCD"' 'DEVICENAME /dev/null:0x8C7B' \
    "LIBPATH $3" 'CHANNELID 0x8C7B' >"$2/conf/vpcd"
# It reads every file of its folder as settings: its own log must not stand there.
pcscd --foreground --config "$2/conf" >"$2/pcscd.log" 2>&1 &
tries=0
# The reader's port is not open yet: nothing else makes the chip fail here.
until "$1" chip serve --card ana --atc 6 --protocol "$4" --json >"$2/chip.log" 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 2000 ] || { cat "$2/pcscd.log" "$2/chip.log" >&2; exit 1; }
done &
tries=0
until opensc-tool --atr >"$2/atr" 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 2000 ] || { cat "$2/pcscd.log" "$2/atr" >&2; exit 1; }
done
cat "$2/atr"
eval "$5"
"#;

/// What a program asks that nobody here wrote: directory, application, options, a record, counter.
const BY_OPENSC: &str = r"
opensc-tool -c default \
    -s 00A404000E315041592E5359532E444446303100 \
    -s 00B2010C00 \
    -s 00A4040007A000000003101000 \
    -s 80A80000088306E0F8C807052200 \
    -s 00B2011C00 \
    -s 80CA9F3600
";

/// The driver of the virtual reader, as Debian installs it.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// Why the virtual reader cannot be tried here.
fn missing() -> Option<String> {
    if !std::path::Path::new(DRIVER).exists() {
        return Some("vsmartcard-vpcd is not installed".to_owned());
    }
    for program in ["pcscd", "opensc-tool", "ip", "mount"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        if !found.is_ok_and(|found| found.status.success()) {
            return Some(format!("{program} is not installed"));
        }
    }
    let tried = Command::new("unshare").args(NAMESPACES).arg("true").output();
    let is_allowed = tried.is_ok_and(|tried| tried.status.success());
    (!is_allowed).then(|| "this user may not make namespaces".to_owned())
}

/// Whatever was started ends with the first process of the namespaces.
const NAMESPACES: [&str; 5] = ["--net", "--mount", "--pid", "--fork", "--kill-child"];

/// What is said when something is done in a reader with our chip in it; `None` where there is no
/// reader.
fn in_a_reader(protocol: &str, done: &str) -> Option<String> {
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return None;
    }
    let name = format!("cekr-vpcd-{protocol}-{}-{}", done.len(), std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new("unshare");
    command.args(NAMESPACES).args(["sh", "-c", IN_A_READER, "sh", CEKR]);
    let ended = command.arg(&folder).args([DRIVER, protocol, done]).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let (said, faults) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{protocol}: {said}\n{faults}");
    Some(said.into_owned())
}

#[test]
fn a_program_that_nobody_here_wrote_talks_to_the_chip_through_pcscd() {
    for (protocol, atr) in
        [("t0", "3b:64:00:00:43:65:4b:52"), ("t1", "3b:e4:00:ff:81:31:fe:45:43:65:4b:52:2f")]
    {
        let Some(said) = in_a_reader(protocol, BY_OPENSC) else { return };
        assert!(said.contains(atr), "the ATR: {said}");
        assert_eq!(said.matches("SW1=0x90, SW2=0x00").count(), 6, "{protocol}: {said}");
        assert!(said.contains("CeKR VISA"), "{said}");
        // The counter of the one transaction that was begun.
        assert!(said.contains("9F 36 02 00 07"), "{protocol}: {said}");
    }
}

/// A switch of its own, and two of our terminals at the reader.
#[cfg(feature = "pcsc")]
const BY_OUR_TERMINALS: &str = r#"
"$1" serve --durability none --listen 127.0.0.1:8583 --http 127.0.0.1:8080 >"$2/switch" 2>&1 &
until grep -q '"ready"' "$2/switch"; do :; done
"$1" pos purchase --card ana --amount 24.90 --pin 1234 --reader Virtual --json --expect 00
"$1" atm withdraw --card ana --amount 20 --pin 1234 --reader Virtual --json --expect 00
"#;

#[cfg(feature = "pcsc")]
#[test]
fn our_own_kernel_pays_with_the_chip_through_pcscd() {
    for protocol in ["t0", "t1"] {
        let Some(said) = in_a_reader(protocol, BY_OUR_TERMINALS) else { return };
        assert_eq!(said.matches(r#""response_code":"00""#).count(), 2, "{protocol}: {said}");
    }
}
