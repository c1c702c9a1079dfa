//! `cekr journal`: reads the journal of a data directory without a running switch, or beside one.
//!
//! `dump` and `verify` take no lock and change nothing. They read up to the last whole batch.
//! `doctor` changes nothing either, until it is told where to cut. `prune` takes old segments away.

mod doctor;
mod prune;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cekr_issuer::Entry;
use cekr_switch::archive::{Archive, ArchiveError, Numbers};
use cekr_switch::journal::{Cut, OpenError, ReadEnd};
use serde_json::{Value, json};

use crate::serve::start_key;

/// Reads the journal of a data directory: entries, proofs, and what is wrong with it
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cekr journal dump --data cekr-data --json
  cekr journal verify --data cekr-data
  cekr journal doctor --data cekr-data

Exit codes: 0 done, 1 something does not hold, 2 wrong use, 3 damaged or unreadable.")]
pub struct JournalArgs {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(clap::Subcommand)]
enum JournalCommand {
    Dump(DumpArgs),
    Verify(verify::VerifyArgs),
    Doctor(doctor::DoctorArgs),
    Prune(prune::PruneArgs),
}

/// Prints every entry in order
#[derive(clap::Args)]
#[command(after_help = "Example:
  cekr journal dump --data cekr-data --json | jq 'select(.kind == \"authorized\")'

Takes no lock and changes nothing: a switch may be running on the directory. CEKR_START_KEY (64
hexadecimal digits) opens its keys.")]
struct DumpArgs {
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct Place {
    /// The data directory
    #[arg(long, value_name = "DIR", env = "CEKR_DATA_DIR", default_value = "./cekr-data")]
    data: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &JournalArgs) -> ExitCode {
    let done = match &args.command {
        JournalCommand::Dump(args) => dump(args),
        JournalCommand::Verify(args) => verify::run(args),
        JournalCommand::Doctor(args) => doctor::run(args),
        JournalCommand::Prune(args) => prune::run(args),
    };
    match done {
        Ok(code) => code,
        Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprintln!("error: standard output: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Refused(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(crate::REFUSED)
        }
        Err(Failure::Usage(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(USAGE)
        }
    }
}

/// Why a command ends otherwise than well.
enum Failure {
    /// Nobody reads the output any more, as with any other filter.
    Closed,
    /// The output cannot be written.
    Output(io::Error),
    /// The directory cannot be read, or is damaged.
    Refused(String),
    /// What was asked for makes no sense.
    Usage(String),
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Failure {
        Failure::Refused(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Output(error),
        }
    }
}

fn archive(place: &Place) -> Result<Archive, Failure> {
    let key = start_key().map_err(Failure::Refused)?;
    Ok(Archive::open(&place.data, &key)?)
}

fn dump(args: &DumpArgs) -> Result<ExitCode, Failure> {
    let archive = archive(&args.place)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut numbers = Numbers::default();
    if archive.is_pruned() {
        numbers.see_checkpoint(&archive);
    }
    let mut unwritten = None;
    let read = archive.read(&mut |seq, octets| {
        let entry = Entry::decode(octets).map_err(|error| error.to_string())?;
        numbers.see(archive.keyring(), &entry);
        let object = numbers.json(archive.keyring(), seq, &entry);
        let written =
            if args.place.json { writeln!(out, "{object}") } else { write_line(&mut out, &object) };
        written.map_err(|error| {
            let why = error.to_string();
            unwritten = Some(error);
            why
        })
    });
    if let Some(error) = unwritten {
        return Err(error.into());
    }
    // What is whole is shown, whatever comes behind it.
    out.flush()?;
    tell_torn(&read.map_err(|cause| archive.refused(cause))?);
    Ok(ExitCode::SUCCESS)
}

/// Number, moment, kind and card of an entry, then all else by name.
fn write_line(out: &mut impl Write, object: &Value) -> io::Result<()> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let part = |key: &str| object.get(key).map(text).unwrap_or_default();
    write!(out, "{:>8}  {}  {:<14}", part("seq"), part("at"), part("kind"))?;
    write!(out, "  {:<19}", part("pan_masked"))?;
    for (key, value) in object.as_object().into_iter().flatten() {
        if !["seq", "at", "kind", "card", "pan_masked"].contains(&key.as_str()) {
            write!(out, " {key}={}", text(value))?;
        }
    }
    writeln!(out)
}

/// Says on standard error that the journal ends in octets that are no batch.
fn tell_torn(end: &ReadEnd) {
    if let Some(torn) = &end.torn {
        eprintln!(
            "note: {} ends at offset {} and {} octets of an unfinished batch follow: torn by a \
             crash, or being written now; no answer has left for it",
            torn.file, torn.offset, torn.octets
        );
    }
}

/// What stands behind the last whole batch, as JSON.
fn torn_json(torn: Option<&Cut>) -> Value {
    torn.map_or(Value::Null, |torn| {
        json!({
            "file": torn.file,
            "offset": torn.offset,
            "octets": torn.octets,
            "missing_octets": torn.missing_octets,
            "entries": torn.entries,
        })
    })
}

/// Damage as JSON: file and offset where they are known, and the cause in words.
fn damage_json(error: &OpenError) -> Value {
    let mut object = json!({ "event": "damage", "cause": error.to_string() });
    if let (Some(object), Some((file, offset))) = (object.as_object_mut(), error.place()) {
        object.insert("file".to_owned(), json!(file));
        object.insert("offset".to_owned(), json!(offset));
    }
    object
}

/// Exit code of wrong use, as the command line's own.
const USAGE: u8 = 2;
