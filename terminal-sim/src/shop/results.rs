//! The shop's ear for results: a port on this machine that takes an `RReq` and answers it.
//!
//! It is as much of HTTP as one known caller needs: one request a connection, a length told before
//! the body, and bounds on everything.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::three_ds::{RESULTS_PATH, rres};

/// An open port for results.
#[derive(Debug)]
pub struct Results {
    addr: SocketAddr,
    told: mpsc::Receiver<Value>,
    task: JoinHandle<()>,
}

impl Results {
    /// Opens a free port.
    ///
    /// # Errors
    /// The system's, if it gives none.
    pub async fn open() -> io::Result<Results> {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = socket.local_addr()?;
        let (tell, told) = mpsc::channel(RESULTS_MAX);
        let task = tokio::spawn(async move {
            // One caller after the other: a shop waits for one result.
            while let Ok((stream, _)) = socket.accept().await {
                let _ = timeout(CALL_MAX, hear(stream, &tell)).await;
            }
        });
        Ok(Results { addr, told, task })
    }

    /// The shop's own address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next result, whatever order it is about.
    pub async fn next(&mut self) -> Option<Value> {
        self.told.recv().await
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes one request and answers it.
async fn hear(mut stream: TcpStream, tell: &mpsc::Sender<Value>) -> io::Result<()> {
    let mut read = Vec::new();
    let body_from = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if read.len() > REQUEST_OCTETS_MAX || stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(read.get(..body_from).unwrap_or_default()).into_owned();
    let mut lines = head.lines();
    let is_for_us = lines.next() == Some(&*format!("POST {RESULTS_PATH} HTTP/1.1"));
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())?.ok()
    });
    let end = body_from.saturating_add(length.unwrap_or(0));
    if end > REQUEST_OCTETS_MAX {
        return Ok(());
    }
    while read.len() < end {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
    let body = read.get(body_from..end).unwrap_or_default();
    let result = serde_json::from_slice::<Value>(body).ok().filter(|result| {
        is_for_us && result.get("messageType").and_then(Value::as_str) == Some("RReq")
    });
    let (status, answer) = match &result {
        Some(result) => ("200 OK", rres(result).to_string()),
        None => ("404 Not Found", "{}".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    if let Some(result) = result {
        // A shop that has its result asks for no other: what comes again is answered and let go.
        let _ = tell.try_send(result);
    }
    Ok(())
}

/// How long one call may take.
const CALL_MAX: Duration = Duration::from_secs(5);
const REQUEST_OCTETS_MAX: usize = 64 * 1_024;
const RESULTS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(to: SocketAddr, request: String) -> String {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn takes_a_result_and_answers_it_and_nothing_else() {
        let mut results = Results::open().await.unwrap();
        let body = r#"{"messageType":"RReq","acsTransID":"x"}"#;
        let head = |path: &str| format!("POST {path} HTTP/1.1\r\nContent-Length: {}", body.len());
        let elsewhere = call(results.addr, format!("{}\r\n\r\n{body}", head("/x"))).await;
        assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
        let answer = call(results.addr, format!("{}\r\n\r\n{body}", head(RESULTS_PATH))).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("RRes"), "{answer}");
        assert_eq!(results.next().await.unwrap()["acsTransID"], "x");
    }
}
