//! No approval's octets enter a socket before the sync that covers its entry has returned.
//!
//! Proven on the binary as it is, from the outside: strace records every write to the journal,
//! every sync and every write to a socket, with their data. The numbers of the entries in a batch
//! stand in its header (docs/journal.md); which entry an approval rests on is in the journal as
//! `cekr journal dump` prints it.

mod crash_support;

use std::collections::{BTreeSet, HashMap};

use cekr_iso8583::{Framing, Step};
use crash_support::book::Book;
use crash_support::load::{self, Counts, Plan};
use crash_support::message::{Name, Reply};
use crash_support::tracer::{self, Call};
use crash_support::{Scratch, Setup, must, skipped};

/// What is traced: everything by which octets reach a file or a socket, and every sync.
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,fdatasync,fsync,\
     io_uring_enter,sendfile,splice";

#[test]
fn no_approval_leaves_before_the_sync_that_covers_it() {
    if let Some(why) = tracer::missing() {
        return skipped(&why);
    }
    let scratch = Scratch::new("order");
    let setup = Setup::new(&scratch.0, 4).with("CEKR_JOURNAL_SEGMENT_OCTETS", "4096");
    let record = scratch.path("trace");
    let wrapper =
        ["strace", "-f", "-y", "-xx", "-s", "65536", "-o", record.to_str().unwrap(), "-e", CALLS];
    let switch = setup.try_start(&wrapper).expect("it starts under strace");
    let plan = Plan { connections: 3, depth_max: 6, messages: 60, cards: 0..4 };
    let (counts, _) = Counts::new(1, 0);
    let mut book = Book::default();
    book.note(load::run(switch.iso, &plan, 7, &counts));
    let lock = std::fs::read_to_string(setup.data.join("lock")).unwrap();
    let process: String = lock.chars().filter(char::is_ascii_digit).collect();
    must("sh", &["-c", &format!("kill -TERM {process}")]);
    let mut switch = switch;
    assert_eq!(switch.wait().code, Some(0));
    book.must_hold(&setup.dump());

    let entries: HashMap<Name, u64> = setup.dump().iter().filter_map(entry).collect();
    let mut replay = Replay { entries, ..Replay::default() };
    for call in tracer::calls(&record) {
        replay.call(&call);
    }
    println!(
        "{} approvals left, each after its sync; {} syncs, {} batches",
        replay.approvals, replay.syncs, replay.batches
    );
    assert_eq!(replay.told.len(), book.approved(), "every approval was seen leaving");
    assert!(replay.syncs > 20 && replay.batches > 20, "the record is of a real run");
}

/// The key of an approval's entry, and its number.
fn entry(entry: &serde_json::Value) -> Option<(Name, u64)> {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    let class = text("mti")?.chars().nth(1)?;
    Some(((class, text("terminal")?, text("stan")?), entry["seq"].as_u64()?))
}

/// The calls, one after the other: what is written, what is synced, what leaves.
#[derive(Default)]
struct Replay {
    entries: HashMap<Name, u64>,
    /// Calls that have begun and not returned, by thread.
    begun: HashMap<String, String>,
    /// Written, by file; not synced yet.
    written: HashMap<String, Vec<u64>>,
    /// What a sync under way will cover, by thread.
    covered: HashMap<String, (String, Vec<u64>)>,
    durable: BTreeSet<u64>,
    /// What of a socket's stream has not been read as a frame yet.
    streams: HashMap<String, Vec<u8>>,
    told: BTreeSet<Name>,
    approvals: usize,
    syncs: usize,
    batches: usize,
}

impl Replay {
    /// strace writes a call when it returns, or in two halves around what others called meanwhile.
    fn call(&mut self, call: &Call) {
        let thread = call.thread.clone();
        if let Some(head) = call.text.strip_suffix(" <unfinished ...>") {
            self.begins(&thread, head);
            self.begun.insert(thread, head.to_owned());
        } else if call.text.starts_with("<... ") {
            let head = self.begun.remove(&thread).unwrap_or_default();
            self.returns(&thread, &head, &call.text);
        } else if call.text.contains('(') {
            self.begins(&thread, &call.text);
            self.returns(&thread, &call.text, &call.text);
        }
    }

    fn begins(&mut self, thread: &str, text: &str) {
        let Some(target) = target(text) else { return };
        match name(text) {
            "fdatasync" | "fsync" => {
                // Only what was written before the sync began is covered by it.
                let covered = self.written.get(&target).cloned().unwrap_or_default();
                self.covered.insert(thread.to_owned(), (target, covered));
            }
            "write" | "writev" | "sendto" | "sendmsg" if is_socket(&target) => {
                self.leaves(target, &data(text));
            }
            "pwrite64" | "write" | "writev" | "sendto" | "sendmsg" => {}
            other => assert!(!is_socket(&target), "{other} to a socket is not understood here"),
        }
    }

    fn returns(&mut self, thread: &str, head: &str, tail: &str) {
        let Some(target) = target(head) else { return };
        let is_done = !tail.rsplit(" = ").next().unwrap_or_default().starts_with('-');
        match name(head) {
            "pwrite64" if target.contains("/journal") && is_done => {
                let batch = data(head);
                // A batch of entries: magic, version, kind 1; first number at 24, count at 32.
                if batch.starts_with(&[0xCE, 0x4B, 0x52, 0x4A]) && batch[5] == 1 {
                    let first = u64::from_le_bytes(batch[24..32].try_into().unwrap());
                    let count = u16::from_le_bytes(batch[32..34].try_into().unwrap());
                    self.batches += 1;
                    let all = first..first + u64::from(count);
                    self.written.entry(target).or_default().extend(all);
                }
            }
            "fdatasync" | "fsync" => {
                let Some((target, covered)) = self.covered.remove(thread) else { return };
                if is_done {
                    self.syncs += 1;
                    if let Some(written) = self.written.get_mut(&target) {
                        written.retain(|seq| !covered.contains(seq));
                    }
                    self.durable.extend(covered);
                }
            }
            _ => {}
        }
    }

    /// Octets enter a socket: every approval in them rests on an entry that is durable.
    fn leaves(&mut self, socket: String, octets: &[u8]) {
        let stream = self.streams.entry(socket).or_default();
        stream.extend_from_slice(octets);
        if stream.starts_with(b"HTTP/") {
            return stream.clear();
        }
        while let Ok(Step::Message { consumed, .. }) = Framing::Be2.next(stream, 8_192) {
            let (reply, _) = Reply::first(stream).unwrap();
            stream.drain(..consumed);
            if !reply.is_approved() {
                continue;
            }
            let key = reply.key();
            let seq = self.entries.get(&key).unwrap_or_else(|| panic!("{key:?} has no entry"));
            assert!(self.durable.contains(seq), "{key:?}: entry {seq} was not synced yet");
            self.approvals += 1;
            self.told.insert(key);
        }
    }
}

fn name(text: &str) -> &str {
    text.split('(').next().unwrap_or_default()
}

/// The descriptor of a call with what it stands for: `14</data/journal/00000001.seg>`.
fn target(text: &str) -> Option<String> {
    let arguments = text.split_once('(')?.1;
    let (target, _) = arguments.split_once('>')?;
    let mut parts = target.split("\\x");
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        plain.push(char::from(u8::from_str_radix(part.get(..2)?, 16).ok()?));
        plain.push_str(&part[2..]);
    }
    Some(plain + ">")
}

fn is_socket(target: &str) -> bool {
    target.contains("socket:") || target.contains("TCP")
}

/// Every quoted string of a call, put together: `"\x00\x6f"`.
fn data(text: &str) -> Vec<u8> {
    let quoted = text.split('"').skip(1).step_by(2);
    let octets = quoted.flat_map(|text| {
        assert!(text.len() % 4 == 0, "data as strace -xx writes them");
        text.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).unwrap())
    });
    octets.collect()
}

/// The proof itself must see an order that is wrong.
#[test]
fn an_approval_that_left_before_its_sync_would_be_seen() {
    let batch = |first: u8| {
        let mut octets = [0; 64];
        octets[..6].copy_from_slice(&[0xCE, 0x4B, 0x52, 0x4A, 1, 1]);
        octets[24] = first;
        octets[32] = 1;
        octets.iter().map(|octet| format!("\\x{octet:02x}")).collect::<String>()
    };
    let call = |thread: &str, text: String| Call { thread: thread.to_owned(), text };
    let mut replay = Replay::default();
    let file = "14</data/journal/00000001.seg>";
    replay.call(&call("1", format!("pwrite64({file}, \"{}\", 64, 0) = 64", batch(5))));
    replay.call(&call("1", format!("fdatasync({file} <unfinished ...>")));
    // Written while the sync is under way: not covered by it.
    replay.call(&call("2", format!("pwrite64({file}, \"{}\", 64, 64) = 64", batch(6))));
    assert!(replay.durable.is_empty());
    replay.call(&call("1", "<... fdatasync resumed>) = 0".to_owned()));
    assert_eq!(replay.durable, BTreeSet::from([5]));
    replay.call(&call("1", format!("fdatasync({file}) = -1 EIO (Input/output error)")));
    assert_eq!(replay.durable, BTreeSet::from([5]));
    replay.call(&call("1", format!("fdatasync({file}) = 0")));
    assert_eq!(replay.durable, BTreeSet::from([5, 6]));
}
