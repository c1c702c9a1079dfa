//! A file on its way in: read while it arrives, in the memory of its lines and not of its octets.

use std::future::poll_fn;
use std::io::{self, BufReader, Read};
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_core::Stream as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::time::timeout;

use cekr_bank::lines::{self, Contents};
use cekr_bank::xml::{FILE_OCTETS_MAX, Unreadable};

/// A file that was read to its end.
#[derive(Clone, Debug)]
pub struct Received {
    /// What it is called.
    pub name: String,
    /// Its length.
    pub octets: u64,
    /// What it says.
    pub contents: Contents,
    id: String,
}

impl Received {
    /// SHA-256 of its octets, in hexadecimal.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Reads a file from wherever it is.
    ///
    /// # Errors
    /// Where and why it cannot be read.
    pub fn read(name: String, input: impl Read) -> Result<Received, Unreadable> {
        let mut input = BufReader::with_capacity(READ_OCTETS, Hashing::new(input));
        let contents = lines::read(&mut input)?;
        let Hashing { hash, octets, .. } = input.into_inner();
        let id = hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
        Ok(Received { name, octets, contents, id })
    }
}

/// Reads a body as it comes. What is left of one that cannot be read is taken off the line, so that
/// whoever sends it hears why.
///
/// # Errors
/// Where and why it cannot be read.
pub(super) async fn receive(name: String, body: Body) -> Result<Received, Unreadable> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let reading = tokio::task::spawn_blocking(move || {
        Received::read(name, Pieces { receiver, rest: Bytes::new() })
    });
    let mut pieces = pin!(body.into_data_stream());
    let mut total = 0;
    loop {
        let next = poll_fn(|context| pieces.as_mut().poll_next(context));
        let piece = match timeout(PIECE_WAIT, next).await {
            Ok(None) => break,
            Ok(Some(Ok(piece))) => Ok(piece),
            Ok(Some(Err(_))) | Err(_) => Err(io::ErrorKind::ConnectionAborted),
        };
        let is_last = piece.is_err();
        total += piece.as_ref().map_or(0, |piece| u64::try_from(piece.len()).unwrap_or(u64::MAX));
        // Nobody listens any more when the file cannot be read.
        let _ = sender.send(piece).await;
        if is_last || total > FILE_OCTETS_MAX {
            break;
        }
    }
    drop(sender);
    match reading.await {
        Ok(read) => read,
        Err(_) => Err(Unreadable::interrupted()),
    }
}

/// The pieces of a body as something that is read.
struct Pieces {
    receiver: mpsc::Receiver<Result<Bytes, io::ErrorKind>>,
    rest: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.rest = piece?,
                None => return Ok(0),
            }
        }
        let len = self.rest.len().min(out.len());
        let piece = self.rest.split_to(len);
        if let Some(out) = out.get_mut(..len) {
            out.copy_from_slice(&piece);
        }
        Ok(len)
    }
}

/// Hashes what is read through it.
struct Hashing<R> {
    input: R,
    hash: Sha256,
    octets: u64,
}

impl<R> Hashing<R> {
    fn new(input: R) -> Self {
        Self { input, hash: Sha256::new(), octets: 0 }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(out)?;
        self.hash.update(out.get(..len).unwrap_or_default());
        self.octets += u64::try_from(len).unwrap_or_default();
        Ok(len)
    }
}

const READ_OCTETS: usize = 64 << 10;
/// Pieces between the socket and the reader.
const PIECES_MAX: usize = 16;
/// How long the next piece may take to come.
const PIECE_WAIT: Duration = Duration::from_secs(30);
