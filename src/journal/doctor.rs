//! `cekr journal doctor`: says in words what is wrong with a journal and what to do, and cuts it
//! where it is told to.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use cekr_issuer::{CardId, Entry, Seq};
use cekr_switch::archive::{Archive, Numbers};
use cekr_switch::audit::card_of;
use cekr_switch::disk::FileDisk;
use cekr_switch::journal::{
    self, Behind, CutAway, CutError, CutMay, OpenError, Place as At, ReadEnd, segment_of,
};
use serde_json::{Value, json};

use super::{Failure, Place, archive, damage_json, torn_json};

/// Explains damage or a torn end, and what to do; cuts only where it is told to
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cekr journal doctor --data cekr-data
  cekr journal doctor --data cekr-data --segment 00000002.seg --truncate-at 4096

Without --truncate-at it takes no lock and changes nothing. A cut needs the directory for itself,
and is refused where whole batches stand behind the place: --force cuts them off as well, and the
approvals in them are then lost. Copy the directory away first.")]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    place: Place,
    /// Cut the journal at this octet of --segment; what stands there and behind it is lost
    #[arg(long, value_name = "OFFSET", requires = "segment")]
    truncate_at: Option<u64>,
    /// The segment in which to cut: its file or its number
    #[arg(long, value_name = "FILE", requires = "truncate_at")]
    segment: Option<String>,
    /// Cut although whole batches stand behind
    #[arg(long, requires = "truncate_at")]
    force: bool,
}

/// Runs the command.
pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let archive = archive(&args.place)?;
    if let (Some(offset), Some(segment)) = (args.truncate_at, &args.segment) {
        let segment = segment_of(segment).ok_or_else(|| {
            Failure::Usage(format!("`{segment}` is no segment; they are named like 00000001.seg"))
        })?;
        return cut(args, &archive, At { segment, offset });
    }
    let diagnosis = diagnose(&archive)?;
    let mut out = io::stdout().lock();
    if args.place.json {
        writeln!(out, "{}", diagnosis.json(&archive))?;
    } else {
        diagnosis.write(&mut out, &archive)?;
    }
    out.flush()?;
    Ok(match diagnosis.found {
        Found::Whole(_) => ExitCode::SUCCESS,
        Found::Broken { .. } => ExitCode::from(crate::REFUSED),
    })
}

/// What the doctor found.
struct Diagnosis {
    /// The newest entry that is whole in its place, and its moment.
    last: Option<(Seq, String)>,
    found: Found,
}

enum Found {
    Whole(ReadEnd),
    Broken { error: OpenError, behind: Option<Stranded> },
}

/// Whole batches behind the damage.
struct Stranded {
    behind: Behind,
    first: Option<Seq>,
    last: Option<Seq>,
    cards: BTreeSet<CardId>,
}

fn diagnose(archive: &Archive) -> Result<Diagnosis, Failure> {
    let mut numbers = Numbers::default();
    let mut last = None;
    let read = archive.read(&mut |seq, octets| {
        let entry = Entry::decode(octets).map_err(|error| error.to_string())?;
        numbers.see(archive.keyring(), &entry);
        last = Some((seq, entry));
        Ok(())
    });
    let last = last.map(|(seq, entry)| {
        let object = numbers.json(archive.keyring(), seq, &entry);
        (seq, object.get("at").and_then(Value::as_str).unwrap_or_default().to_owned())
    });
    let found = match read {
        Ok(end) => Found::Whole(end),
        Err(error) => {
            let behind = match error.place() {
                Some((file, offset)) => stranded(archive, file, offset)?,
                None => None,
            };
            Found::Broken { error, behind }
        }
    };
    Ok(Diagnosis { last, found })
}

fn stranded(archive: &Archive, file: &str, offset: u64) -> Result<Option<Stranded>, Failure> {
    let Some(segment) = segment_of(file) else {
        return Ok(None);
    };
    let (mut first, mut last, mut cards) = (None, None, BTreeSet::new());
    let id = archive.keyring().journal_id();
    let place = At { segment, offset };
    let behind = journal::behind(archive.disk(), id, place, &mut |seq, octets| {
        first = Some(first.map_or(seq, |first: Seq| first.min(seq)));
        last = Some(last.map_or(seq, |last: Seq| last.max(seq)));
        if let Ok(entry) = Entry::decode(octets) {
            cards.extend(card_of(&entry));
        }
    })
    .map_err(|cause| archive.refused(cause))?;
    Ok(Some(Stranded { behind, first, last, cards }))
}

impl Diagnosis {
    fn json(&self, archive: &Archive) -> Value {
        let last = self.last.as_ref();
        let mut object = match &self.found {
            Found::Whole(end) => json!({
                "event": "doctor", "damaged": false,
                "file": end.file, "offset": end.offset, "torn": torn_json(end.torn.as_ref()),
            }),
            Found::Broken { error, behind } => {
                let mut object = damage_json(error);
                let behind = behind.as_ref().map(|stranded| stranded.json(archive));
                insert(&mut object, "event", json!("doctor"));
                insert(&mut object, "damaged", json!(true));
                insert(&mut object, "behind", json!(behind));
                object
            }
        };
        insert(&mut object, "last_seq", json!(last.map_or(0, |(seq, _)| seq.0)));
        insert(&mut object, "last_at", json!(last.map(|(_, at)| at)));
        object
    }

    fn write(&self, out: &mut impl Write, archive: &Archive) -> io::Result<()> {
        let upto = match &self.last {
            Some((seq, at)) => format!("up to entry {seq}, made at {at}"),
            None => "but holds no entry".to_owned(),
        };
        match &self.found {
            Found::Whole(end) => {
                writeln!(out, "The journal is whole {upto}.")?;
                writeln!(out, "It ends at offset {} of {}.", end.offset, end.file)?;
                let Some(torn) = &end.torn else {
                    return writeln!(out, "Nothing stands behind that. There is nothing to do.");
                };
                writeln!(
                    out,
                    "Behind that stand {} octets of a batch that was not finished{}. Either a \
                     crash tore it, or a switch is writing it now. No answer has left for it.",
                    torn.octets,
                    match torn.entries {
                        0 => String::new(),
                        entries => format!(", with {entries} entries"),
                    }
                )?;
                if torn.missing_octets > 0 {
                    writeln!(
                        out,
                        "The file is {} octets shorter than it was made, which no crash does: if \
                         this directory is a copy, copy it again.",
                        torn.missing_octets
                    )?;
                }
                writeln!(out, "What to do: nothing. The next start cuts it off and says so.")
            }
            Found::Broken { error, behind } => {
                writeln!(out, "DAMAGED: {error}.")?;
                writeln!(out, "The journal is whole {upto}.")?;
                if let Some(stranded) = behind {
                    stranded.write(out, archive)?;
                }
                writeln!(out, "What to do:")?;
                writeln!(out, "  1. Start no switch on it, and copy the whole directory away.")?;
                writeln!(
                    out,
                    "  2. If a copy or replica has the file that is named above, put it"
                )?;
                writeln!(out, "     back and run `cekr journal verify`. Nothing is lost then.")?;
                if let Some((file, offset)) = error.place() {
                    let force = match behind {
                        Some(stranded) if stranded.behind.batches > 0 => " --force",
                        _ => "",
                    };
                    writeln!(out, "  3. If there is no other copy, this gives up what is behind:")?;
                    writeln!(
                        out,
                        "     cekr journal doctor --data {} --segment {} --truncate-at {offset}{force}",
                        archive.dir().display(),
                        file.rsplit_once('/').map_or(file, |(_, name)| name),
                    )?;
                }
                Ok(())
            }
        }
    }
}

impl Stranded {
    fn json(&self, archive: &Archive) -> Value {
        let cards: Vec<String> = self.cards.iter().map(|card| token(archive, *card)).collect();
        json!({
            "batches": self.behind.batches,
            "entries": self.behind.entries,
            "first_seq": self.first.map(|seq| seq.0),
            "last_seq": self.last.map(|seq| seq.0),
            "cards": cards,
        })
    }

    fn write(&self, out: &mut impl Write, archive: &Archive) -> io::Result<()> {
        if self.behind.batches == 0 {
            return writeln!(out, "No whole batch stands behind the damage.");
        }
        writeln!(
            out,
            "Behind the damage stand {} whole batches with {} entries{}.",
            self.behind.batches,
            self.behind.entries,
            match (self.first, self.last) {
                (Some(first), Some(last)) => format!(", from {first} to {last}"),
                _ => String::new(),
            }
        )?;
        if !self.cards.is_empty() {
            writeln!(out, "They are about {} cards:", self.cards.len())?;
            for card in self.cards.iter().take(CARDS_SHOWN_MAX) {
                writeln!(out, "  {}", token(archive, *card))?;
            }
            if self.cards.len() > CARDS_SHOWN_MAX {
                writeln!(out, "  ... and {} more", self.cards.len() - CARDS_SHOWN_MAX)?;
            }
        }
        Ok(())
    }
}

fn cut(args: &DoctorArgs, archive: &Archive, place: At) -> Result<ExitCode, Failure> {
    // From here on nobody else may write.
    let disk =
        FileDisk::own(&args.place.data).map_err(|error| Failure::Refused(error.to_string()))?;
    let may = if args.force { CutMay::LoseEntries } else { CutMay::LoseNothing };
    let done = journal::cut(&disk, archive.keyring().journal_id(), place, may);
    let gone = done.map_err(|error| match error {
        CutError::Open(cause) => archive.refused(cause).into(),
        CutError::WholeBehind(_) => Failure::Refused(format!(
            "{error}; nothing was changed\nhelp: `cekr journal doctor` without --truncate-at says \
             which entries and cards; --force cuts them off"
        )),
        CutError::NoBoundary { .. } | CutError::NothingLeft | CutError::Unreached { .. } => {
            Failure::Usage(format!("{error}; nothing was changed"))
        }
    })?;
    let CutAway { behind, octets, segments } = gone;
    let mut out = io::stdout().lock();
    if args.place.json {
        let line = json!({
            "event": "cut", "segment": place.segment, "offset": place.offset, "octets": octets,
            "batches": behind.batches, "entries": behind.entries, "segments_removed": segments,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(
            out,
            "Cut at offset {} of segment {}: {octets} octets cleared, {segments} later segments \
             removed, {} whole batches with {} entries lost.\nThe next start reports a torn end \
             there, cuts it off and goes on in a new epoch.",
            place.offset, place.segment, behind.batches, behind.entries
        )?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn token(archive: &Archive, card: CardId) -> String {
    archive.keyring().card_id(card.0).to_string()
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

/// Cards named one by one; the others are counted.
const CARDS_SHOWN_MAX: usize = 20;
