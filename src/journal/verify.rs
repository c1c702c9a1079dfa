//! `cekr journal verify`: proves that a journal is whole and that its entries agree.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use cekr_issuer::books::Account;
use cekr_issuer::{Entry, Seq};
use cekr_switch::archive::Archive;
use cekr_switch::audit::{Audit, Begins, Finding, card_of};
use cekr_switch::journal::ReadEnd;
use serde_json::{Map, Value, json};

use super::{Failure, Place, archive, damage_json, torn_json};

/// Proves that the journal is whole and its entries agree with one another
#[derive(clap::Args)]
#[command(after_help = "Example:
  cekr journal verify --data cekr-data

Checks the chain and every checksum; that each entry's postings and all accounts sum to zero; that
each entry tells the balance its card has after it; that no request was answered twice in a day;
that time never goes back. Takes no lock and changes nothing: a switch may be running. Exit 1 if
entries disagree, 3 with file and offset if the journal is damaged.")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
pub(super) fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let archive = archive(&args.place)?;
    let mut report = Report {
        archive: &archive,
        json: args.place.json,
        out: BufWriter::new(io::stdout().lock()),
        found: 0,
    };
    let begins = if archive.is_pruned() { Begins::Pruned } else { Begins::First };
    let mut audit = Audit::new(begins);
    let mut written = Ok(());
    let read = archive.read(&mut |seq, octets| {
        let entry = Entry::decode(octets).map_err(|error| error.to_string())?;
        audit.add(seq, &entry, |finding| {
            if written.is_ok() {
                written = report.find(Some((seq, &entry)), finding);
            }
        });
        written.as_ref().map_err(ToString::to_string).copied()
    });
    written?;
    for finding in audit.end() {
        report.find(None, finding)?;
    }
    match read {
        Ok(end) => report.end(&audit, &end),
        Err(error) => {
            if args.place.json {
                writeln!(report.out, "{}", damage_json(&error))?;
            }
            report.out.flush()?;
            Err(archive.refused(error).into())
        }
    }
}

struct Report<'a, W: Write> {
    archive: &'a Archive,
    json: bool,
    out: W,
    found: u64,
}

impl<W: Write> Report<'_, W> {
    /// Tells of something that does not hold, with an entry or with the whole.
    fn find(&mut self, entry: Option<(Seq, &Entry)>, finding: Finding) -> io::Result<()> {
        self.found += 1;
        if self.found > FINDINGS_SHOWN_MAX {
            return Ok(());
        }
        let seq = entry.map(|(seq, _)| seq);
        if !self.json {
            return match seq {
                Some(seq) => writeln!(self.out, "entry {seq}: {finding}"),
                None => writeln!(self.out, "all entries: {finding}"),
            };
        }
        let mut object = Map::new();
        let mut add = |key: &str, value: Value| object.insert(key.to_owned(), value);
        add("event", json!("finding"));
        add("finding", json!(finding.name()));
        if let Some((seq, entry)) = entry {
            add("seq", json!(seq.0));
            add("kind", json!(entry.kind()));
            if let Some(card) = card_of(entry) {
                add("card", json!(self.archive.keyring().card_id(card.0).to_string()));
            }
        }
        add("text", json!(finding.to_string()));
        writeln!(self.out, "{}", Value::Object(object))
    }

    fn end(mut self, audit: &Audit, end: &ReadEnd) -> Result<ExitCode, Failure> {
        let total =
            |account: Account| (account.name().to_owned(), cents(audit.books().total(account)));
        let accounts: Map<String, Value> = Account::ALL.into_iter().map(total).collect();
        if self.json {
            let line = json!({
                "event": "summary",
                "ok": self.found == 0,
                "findings": self.found,
                "entries": end.entries,
                "first_seq": end.begins.0,
                "last_seq": end.last.0,
                "epoch": end.epoch,
                "segments": end.segments,
                "file": end.file,
                "offset": end.offset,
                "torn": torn_json(end.torn.as_ref()),
                "seal_missing": end.seal_missing,
                "cards": audit.cards(),
                "accounts": accounts,
                "held": cents(audit.books().held()),
                "currency": "EUR",
            });
            writeln!(self.out, "{line}")?;
        } else {
            self.end_in_words(audit, end)?;
        }
        self.out.flush()?;
        Ok(if self.found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn end_in_words(&mut self, audit: &Audit, end: &ReadEnd) -> io::Result<()> {
        let out = &mut self.out;
        if self.found > FINDINGS_SHOWN_MAX {
            writeln!(out, "... and {} more", self.found - FINDINGS_SHOWN_MAX)?;
        }
        writeln!(
            out,
            "chain: whole, {} entries in {} segments, epoch {}, up to offset {} of {}",
            end.entries, end.segments, end.epoch, end.offset, end.file
        )?;
        if let Some(torn) = &end.torn {
            writeln!(
                out,
                "end: {} octets of an unfinished batch follow, torn by a crash or being written \
                 now; no answer has left for it",
                torn.octets
            )?;
            if torn.missing_octets > 0 {
                writeln!(
                    out,
                    "end: the file is {} octets shorter than it was made; no crash does that, a \
                     copy was cut short",
                    torn.missing_octets
                )?;
            }
        }
        if end.begins.0 > 1 {
            writeln!(
                out,
                "begin: entries before {} were pruned; of cards issued before, and of the books \
                 as a whole, balances are not proven",
                end.begins
            )?;
        }
        writeln!(out, "cards: {}", audit.cards())?;
        for account in Account::ALL {
            let total = audit.books().total(account);
            if total != 0 {
                writeln!(out, "{:<24}{:>16}", account.name(), euros(total))?;
            }
        }
        match self.found {
            0 => writeln!(out, "good: everything agrees"),
            found => writeln!(out, "NOT GOOD: {found} things do not hold"),
        }
    }
}

/// Cents as JSON; what no integer of JSON holds is out of any programme's reach.
fn cents(total: i128) -> Value {
    i64::try_from(total).map_or_else(|_| json!(total.to_string()), Value::from)
}

fn euros(total: i128) -> String {
    let sign = if total < 0 { "-" } else { "" };
    let cents = total.unsigned_abs();
    format!("{sign}{}.{:02} EUR", cents / 100, cents % 100)
}

/// Findings shown one by one; the others are counted.
const FINDINGS_SHOWN_MAX: u64 = 100;
