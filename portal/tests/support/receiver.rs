//! A program that webhooks are sent to: it keeps what it heard and answers as a test says.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Bell, channel};
use std::time::Duration;

use cekr_switch::sync::Mutex;
use serde_json::Value;

use super::tls::Authority;

/// The receiver. Its threads end with the test's process.
pub struct Receiver {
    pub url: String,
    heard: Bell<Heard>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

/// What it answers; 200 where nothing else was said.
#[derive(Clone)]
pub enum Answer {
    /// Nothing, for as long as the test runs.
    Never,
    /// This status, and this body.
    Says(u16, String),
}

/// A call.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn event(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }

    /// The time and the values of its signature.
    pub fn signature(&self) -> (u64, Vec<String>) {
        let mut parts = self.headers["cekr-signature"].split(',');
        let seconds = parts.next().unwrap().strip_prefix("t=").unwrap().parse().unwrap();
        let values = parts.map(|part| part.strip_prefix("v1=").unwrap().to_owned()).collect();
        (seconds, values)
    }
}

impl Receiver {
    pub fn start() -> Receiver {
        Receiver::listen(None)
    }

    /// One with TLS, by a certificate of this authority.
    pub fn start_tls(authority: &Authority) -> Receiver {
        Receiver::listen(Some(authority.clone()))
    }

    fn listen(authority: Option<Authority>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if authority.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{port}/hook");
        let (ring, heard) = channel();
        let answers: Arc<Mutex<VecDeque<Answer>>> = Arc::default();
        let next = answers.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (ring, next, authority) = (ring.clone(), next.clone(), authority.clone());
                std::thread::spawn(move || {
                    let answer = || next.lock().pop_front();
                    let tell = |heard| ring.send(heard).is_ok();
                    match authority {
                        Some(authority) => serve(authority.serve(stream), tell, answer),
                        None => serve::<TcpStream>(stream, tell, answer),
                    }
                });
            }
        });
        Receiver { url, heard, answers }
    }

    /// What the next calls are answered.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().extend(answers);
    }

    /// The next call.
    pub fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }

    /// What it heard and nobody has asked for.
    pub fn rest(&self) -> Vec<Heard> {
        self.heard.try_iter().collect()
    }
}

/// Takes one call. A test that has ended hears nothing.
fn serve<S: Read + Write>(
    stream: S,
    tell: impl Fn(Heard) -> bool,
    answer: impl Fn() -> Option<Answer>,
) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or_default() == 0 {
        return;
    }
    assert!(first.starts_with("POST /hook HTTP/1.1"), "{first}");
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() {
            return;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body = String::from_utf8(body).unwrap();
    let answer = answer().unwrap_or_else(|| Answer::Says(200, "thanks".to_owned()));
    let is_told = tell(Heard { headers, body });
    let mut stream = reader.into_inner();
    match answer {
        Answer::Says(status, text) if is_told => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.flush());
        }
        // The caller ends this when it has waited long enough.
        Answer::Never | Answer::Says(..) => {
            let _ = stream.read(&mut [0]);
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
