//! How far the audit has come, kept outside the database: lines cut off its end are found.
//!
//! The chain of hashes shows a line that was changed or left out, but not that the newest are gone.
//! So the number and hash of the newest line stand in a file in the switch's directory, under the
//! same key as the chain. It is written behind the commit: after a crash the database may be ahead
//! of it, and never behind. Whoever can write both places can put both back to an older state.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cekr_switch::sync::Mutex;
use sha2::{Digest as _, Sha256};

use super::secret;

/// The newest line that is known to be written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Head {
    /// Its number; 0 before the first.
    pub number: i64,
    /// Its hash.
    pub hash: String,
}

/// Where the head is kept. Without a file it lasts as long as the process.
pub(super) struct AuditHead {
    file: Option<PathBuf>,
    key: [u8; 32],
    known: Mutex<Known>,
}

enum Known {
    /// As the file has it.
    Head(Head),
    /// There was no file: the database's newest line is taken for it.
    None,
    /// The file is not one that we have written.
    Foreign,
}

impl AuditHead {
    pub(super) fn open(file: Option<PathBuf>, key: [u8; 32]) -> AuditHead {
        let known = match file.as_deref().map(fs::read_to_string) {
            None => Known::Head(Head::default()),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Known::None,
            Some(text) => text.ok().and_then(|text| parse(&text, &key)).map_or_else(
                || {
                    tracing::error!(?file, "this file is not the audit's: the audit is not whole");
                    Known::Foreign
                },
                Known::Head,
            ),
        };
        AuditHead { file, key, known: Mutex::new(known) }
    }

    /// The newest line that must be there. `None` where nothing was known at the start, or what was
    /// known cannot be believed: [`Self::is_believed`] says which.
    pub(super) fn known(&self) -> Option<Head> {
        match &*self.known.lock() {
            Known::Head(head) => Some(head.clone()),
            Known::Foreign | Known::None => None,
        }
    }

    /// Whether the file was there and ours, or there was none yet.
    pub(super) fn is_believed(&self) -> bool {
        !matches!(*self.known.lock(), Known::Foreign)
    }

    /// Notes lines that were committed behind the line `behind`. One at a time, in their order.
    pub(super) fn advance(&self, behind: &Head, head: Head) {
        let mut known = self.known.lock();
        match &*known {
            Known::Head(before) if before == behind => {}
            Known::None => {}
            // What is wrong stays to be seen: what was cut off is not written over.
            Known::Head(_) | Known::Foreign => {
                tracing::error!("the audit goes on behind another line than its newest");
                return;
            }
        }
        if let Some(file) = &self.file
            && let Err(error) = write(file, &text(&head, &self.key))
        {
            tracing::error!(%error, path = %file.display(), "the audit's newest line is not noted");
            return;
        }
        *known = Known::Head(head);
    }
}

/// Number, hash, and a hash of both under the key.
fn text(head: &Head, key: &[u8; 32]) -> String {
    format!("{} {} {}\n", head.number, head.hash, mark(head, key))
}

fn parse(text: &str, key: &[u8; 32]) -> Option<Head> {
    let mut words = text.split_whitespace();
    let (number, hash, sent) = (words.next()?, words.next()?, words.next()?);
    let head = Head { number: number.parse().ok()?, hash: hash.to_owned() };
    (words.next().is_none() && secret::same(&mark(&head, key), sent)).then_some(head)
}

fn mark(head: &Head, key: &[u8; 32]) -> String {
    let mut inner = Sha256::new();
    inner.update(key);
    inner.update(head.number.to_be_bytes());
    inner.update(head.hash.as_bytes());
    let mut outer = Sha256::new();
    outer.update(key);
    outer.update(inner.finalize());
    secret::hex(&outer.finalize())
}

/// Written aside, synced and renamed: a crash leaves the old one or the new one.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let aside = file.with_extension("new");
    let mut written = File::create(&aside)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&aside, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: i64) -> Head {
        Head { number, hash: format!("{number:064}") }
    }

    #[test]
    fn the_newest_line_survives_a_start_and_a_file_of_somebody_else_is_not_believed() {
        let name = format!("cekr-audit-head-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        let open = |key| AuditHead::open(Some(file.clone()), [key; 32]);
        let first = open(7);
        assert_eq!((first.known(), first.is_believed()), (None, true));
        first.advance(&head(1), head(2));
        first.advance(&head(1), head(3));
        assert_eq!(first.known(), Some(head(2)), "it goes on behind the newest line only");
        let again = open(7);
        assert_eq!(again.known(), Some(head(2)));
        let other = open(8);
        assert_eq!((other.known(), other.is_believed()), (None, false));
        other.advance(&head(2), head(3));
        assert_eq!(open(7).known(), Some(head(2)), "what is not believed is not written over");
        assert!(fs::remove_file(&file).is_ok());
    }
}
