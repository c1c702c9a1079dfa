//! `cekr journal prune`: takes away old segments that no start needs any more.

use std::io::{self, Write};
use std::process::ExitCode;

use cekr_switch::checkpoint;
use cekr_switch::disk::FileDisk;
use cekr_switch::journal::{self, Pruned, Start};
use serde_json::json;

use super::{Failure, Place, archive};

/// Takes away old segments that no start needs any more
#[derive(clap::Args)]
#[command(after_help = "Example:
  cekr journal prune --data cekr-data --keep 90

Needs the directory for itself and two whole checkpoints that the journal bears out. Keeps what a
start from the older of them reads, and the entries of the last days. What is taken away is gone:
history and proofs begin later then. Copy the segments away first if anybody may ask for them.")]
pub(super) struct PruneArgs {
    #[command(flatten)]
    place: Place,
    /// Days before the newest entry whose entries stay
    #[arg(long, value_name = "DAYS", default_value_t = 400)]
    keep: u32,
}

/// Runs the command.
pub(super) fn run(args: &PruneArgs) -> Result<ExitCode, Failure> {
    let archive = archive(&args.place)?;
    let disk =
        FileDisk::own(&args.place.data).map_err(|error| Failure::Refused(error.to_string()))?;
    let id = archive.keyring().journal_id();
    let oldest = second_newest(&disk, id)?;
    let kept_ms = u64::from(args.keep).saturating_mul(DAY_MS);
    // The start tells the moment a day before its newest entry.
    let newest_at = oldest.back_to_ms.saturating_add(DAY_MS);
    let pruned = journal::prune(&disk, id, &oldest, newest_at.saturating_sub(kept_ms));
    let Pruned { segments, octets, first } = pruned.map_err(|cause| archive.refused(cause))?;
    let mut out = io::stdout().lock();
    if args.place.json {
        let line = json!({
            "event": "pruned", "segments": segments, "octets": octets, "first_seq": first.0,
        });
        writeln!(out, "{line}")?;
    } else if segments == 0 {
        writeln!(out, "Nothing is old enough to be taken away.")?;
    } else {
        writeln!(
            out,
            "{segments} segments of {octets} octets taken away; entry {first} is first."
        )?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// From where the older of two checkpoints starts, both of which are good.
fn second_newest(disk: &FileDisk, id: journal::JournalId) -> Result<Start, Failure> {
    let refused = |error: String| Failure::Refused(format!("{error}; nothing was taken away"));
    let listed = checkpoint::newest_first(disk).map_err(|error| refused(error.to_string()))?;
    let mut last = None;
    for seq in listed.iter().take(CHECKPOINTS) {
        let start = checkpoint::look(disk, *seq).map_err(|error| refused(error.to_string()))?;
        journal::bears_out(disk, id, &start).map_err(|error| refused(error.to_string()))?;
        last = Some(start);
    }
    last.filter(|_| listed.len() >= CHECKPOINTS).ok_or_else(|| {
        refused("two whole checkpoints are needed, so that one may be damaged".to_owned())
    })
}

const CHECKPOINTS: usize = 2;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
