//! Webhooks of the real binary: killed in the middle, and nothing that was acknowledged is untold.
#![cfg(feature = "portal")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// A switch on a directory; it is killed when it goes.
struct Switch {
    process: Child,
    http: String,
}

impl Switch {
    fn start(folder: &Path) -> Switch {
        let mut process = Command::new(env!("CARGO_BIN_EXE_cekr"))
            .args(["serve", "--sandbox", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .arg("--data")
            .arg(folder.join("data"))
            .env("CEKR_OPERATOR_TOKEN", TOKEN)
            .env("CEKR_STATE_DIR", folder.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Switch { process, http: ready["http"].as_str().unwrap().to_owned() }
    }

    fn call(&self, path: &str, body: Option<&Value>) -> Value {
        let (address, bearer) = (format!("{}{path}", self.http), format!("Bearer {TOKEN}"));
        let answer = match body {
            None => ureq::get(address).header("Authorization", bearer).call(),
            Some(body) => {
                let request = ureq::post(address).header("Authorization", bearer);
                request.header("Content-Type", "application/json").send(body.to_string())
            }
        };
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder that goes with the value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Listens, and rings with each event's id and reference. While `is_deaf` it hears and says
/// nothing.
fn listen(is_deaf: Arc<AtomicBool>) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (ring, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (ring, is_deaf) = (ring.clone(), is_deaf.clone());
            std::thread::spawn(move || hear(stream, &ring, &is_deaf));
        }
    });
    (url, heard)
}

fn hear(mut stream: TcpStream, ring: &Sender<(String, String)>, is_deaf: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut octets = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or_default() == 0 {
            return;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            octets = length.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; octets];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let _ = ring.send((text(&body["id"]), text(&body["data"]["reference"])));
    if is_deaf.load(Ordering::SeqCst) {
        let _ = reader.read(&mut [0]);
        return;
    }
    let _ = stream.write_all(b"HTTP/1.1 204 X\r\nconnection: close\r\n\r\n");
}

#[test]
fn a_switch_that_was_killed_tells_the_rest_and_repeats_by_the_same_name() {
    let folder = std::env::temp_dir().join(format!("cekr-webhooks-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let folder = Folder(folder);
    let is_deaf = Arc::new(AtomicBool::new(false));
    let (url, heard) = listen(is_deaf.clone());
    let next = || heard.recv_timeout(PATIENCE).expect("it is told");
    let switch = Switch::start(&folder.0);
    switch.call("/v1/webhooks", Some(&json!({"url": url, "events": ["loaded"]})));
    let card = switch.call("/v1/cards?name=ana", None)["data"][0]["id"].clone();
    let loads = format!("/v1/cards/{}/loads", card.as_str().unwrap());
    let load = |reference: &str| {
        let body = json!({"amount": 1_00, "source": "branch_cash", "reference": reference});
        switch.call(&loads, Some(&body));
    };
    load("n0");
    let mut told = vec![next()];
    is_deaf.store(true, Ordering::SeqCst);
    for count in 1..24 {
        load(&format!("n{count}"));
    }
    // Some are under way and unanswered, others are not yet sent.
    told.push(next());
    drop(switch);
    is_deaf.store(false, Ordering::SeqCst);
    let _again = Switch::start(&folder.0);
    let all: BTreeSet<String> = (0..24).map(|count| format!("n{count}")).collect();
    let mut answered: BTreeSet<String> = [told[0].1.clone()].into();
    while answered != all {
        let event = next();
        answered.insert(event.1.clone());
        told.push(event);
    }
    let events: BTreeSet<&(String, String)> = told.iter().collect();
    assert_eq!(events.len(), 24, "what came twice came by the same name: {told:?}");
}

const TOKEN: &str = "a-token-for-tests";
const PATIENCE: Duration = Duration::from_secs(60);
