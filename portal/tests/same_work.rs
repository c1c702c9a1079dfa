//! A wrong MOK ID and wrong last digits: the same answer, letter by letter, and the same work.
//!
//! Time is not measured: what is counted is each hash under the key, and each statement that the
//! database is asked about people, in their order. The switch's own lookup reads one card without a
//! branch whichever half was wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use std::fmt;

use cekr_switch::sync::Mutex;
use support::{Reply, Site};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What was done, while somebody looks.
static WORK: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes hashes and statements.
struct Work;

impl Subscriber for Work {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        TARGETS.contains(&metadata.target())
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if TARGETS.contains(&event.metadata().target()) {
            let mut seen = Seen::default();
            event.record(&mut seen);
            WORK.lock().push(seen.0);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields that say what it was.
#[derive(Default)]
struct Seen(String);

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["purpose", "summary", "db.statement"].contains(&field.name()) {
            self.0.push_str(&format!("{value:?} "));
        }
    }
}

/// The hash under the key, and the database's statements.
const TARGETS: [&str; 2] = ["cekr_portal::hashed", "sqlx::query"];
/// What runs in the background asks about these; it is not the answer's work.
const BACKGROUND: [&str; 5] =
    ["projection", "card_load", "purchases", "sandbox_payment", "webhook"];

/// The answer to a form, and the work that was done for it.
fn tried(site: &Site, path: &str, mok_id: &str, last_six: &str) -> (Reply, Vec<String>) {
    let browser = site.browser();
    WORK.lock().clear();
    let fields = [
        ("mok_id", mok_id),
        ("last_six", last_six),
        ("code", "KRANJ-40000"),
        ("amount", "20,00"),
        ("payer_name", "Ana"),
        ("payer_address", "Kranj"),
        ("payer_email", "ana@example.si"),
        ("form", &"0".repeat(32)),
    ];
    let reply = browser.post(path, &fields);
    let mut work = std::mem::take(&mut *WORK.lock());
    work.retain(|step| !BACKGROUND.iter().any(|name| step.contains(name)));
    (reply, work)
}

/// The answer without what was typed, its time and its nonce.
fn look(reply: &Reply, mok_id: &str, last_six: &str) -> String {
    let policy = reply.headers.get("content-security-policy").cloned().unwrap_or_default();
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    let mut headers = reply.headers.clone();
    for name in ["date", "request-id", "content-length"] {
        headers.remove(name);
    }
    let all = format!("{} {headers:?} {}", reply.status, reply.body);
    let typed = [mok_id, last_six].into_iter().chain(nonce.filter(|nonce| !nonce.is_empty()));
    typed.fold(all, |all, typed| all.replace(typed, "-"))
}

#[test]
fn which_half_was_wrong_shows_neither_in_the_answer_nor_in_the_work() {
    tracing::subscriber::set_global_default(Work).unwrap();
    let site = Site::start();
    let _ = site.registered("bor");
    for path in ["/register", "/load", "/load/upn"] {
        // Guesses are counted for a quarter of an hour.
        site.clock.advance_ms(16 * 60 * 1_000);
        // Ana's card with a code of nobody, bor's with a holder, and a MOK ID that no card has.
        let wrong = [
            ("123456782", "000012"),
            ("534640974", "000011"),
            ("999999999", "000011"),
            ("123456782", "000029"),
        ];
        let told = wrong.map(|(mok_id, last_six)| {
            let (reply, work) = tried(&site, path, mok_id, last_six);
            assert_eq!(reply.status, 422, "{path} {}", reply.body);
            (look(&reply, mok_id, last_six), work)
        });
        for (look, work) in &told[1..] {
            assert_eq!(*look, told[0].0, "{path}");
            assert_eq!(*work, told[0].1, "{path}");
        }
        if path == "/register" {
            assert!(told[0].1.len() >= 2, "work is seen: {:?}", told[0].1);
        }
    }
    // What is right is seen to be other work, so that the count is worth something.
    site.clock.advance_ms(16 * 60 * 1_000);
    let (reply, work) = tried(&site, "/register", "123456782", "000011");
    assert_eq!(reply.status, 200);
    let (_, wrong) = tried(&site, "/register", "302466339", "000011");
    assert!(!work.is_empty() && !wrong.is_empty(), "{work:?} {wrong:?}");
}
