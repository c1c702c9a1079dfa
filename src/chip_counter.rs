//! Where the simulated chips of this machine have come to.
//!
//! A real chip counts on from where it was; a chip of a command lives as long as the command. So
//! one number is kept for all of them, in the file `chip-counter` of the state folder
//! (`CEKR_STATE_DIR`, else `cekr` in `XDG_STATE_HOME` or in `~/.local/state`). Each command takes
//! as many counters as it may use, and no two commands take the same. The first number is told by
//! the days since 1970, so that a folder that got lost does not send the chips back to where they
//! began.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The first of `count` counters that are the caller's alone; `unix_s` are the seconds since 1970.
///
/// Where nothing can be kept the clock's seconds tell it: rising, but shared with whoever asks in
/// the same second.
pub(crate) fn take(count: u16, unix_s: u64) -> u16 {
    let kept = folder().and_then(|folder| take_from(&folder, count, unix_s).ok());
    kept.unwrap_or_else(|| u16::try_from(unix_s % u64::from(COUNTER_MAX)).unwrap_or(0))
}

fn take_from(folder: &Path, count: u16, unix_s: u64) -> io::Result<u16> {
    std::fs::create_dir_all(folder)?;
    let mut options = OpenOptions::new();
    let mut file: File =
        options.read(true).write(true).create(true).truncate(false).open(folder.join(NAME))?;
    // Let go of with the file.
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let known = text.trim().parse().ok();
    let first: u16 = known.unwrap_or_else(|| of_day(unix_s / DAY_S));
    // A chip at its end is refused for ever: the next one begins anew, as a new card would.
    let first = if first > COUNTER_MAX - count { 1 } else { first };
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", first + count)?;
    Ok(first)
}

/// Where the chips begin on a day: a hundred further than on the day before.
fn of_day(days: u64) -> u16 {
    u16::try_from(days % DAYS_MAX * PER_DAY + 1).unwrap_or(1)
}

fn folder() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("CEKR_STATE_DIR")
        .or_else(|| named("XDG_STATE_HOME").map(|state| state.join("cekr")))
        .or_else(|| named("HOME").map(|home| home.join(".local/state/cekr")))
}

const NAME: &str = "chip-counter";
/// The counter at its end is refused for ever: 65,535. Some are left for what follows.
const COUNTER_MAX: u16 = 65_000;
const PER_DAY: u64 = 100;
const DAYS_MAX: u64 = 640;
const DAY_S: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let folder = std::env::temp_dir().join(format!("cekr-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            Scratch(folder)
        }

        fn take(&self, count: u16) -> u16 {
            take_from(&self.0, count, 20_000 * DAY_S).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn commands_that_run_together_take_counters_of_their_own() {
        let scratch = Scratch::new("counters");
        let mut taken: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| [scratch.take(4), scratch.take(4)])).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        taken.sort_unstable();
        assert!(taken.windows(2).all(|pair| pair[1] == pair[0] + 4), "{taken:?}");
    }

    #[test]
    fn a_lost_or_damaged_file_begins_where_the_day_says() {
        let scratch = Scratch::new("counters-lost");
        let first = scratch.take(1);
        assert_eq!(first, of_day(20_000));
        assert_eq!(scratch.take(1), first + 1);
        std::fs::write(scratch.0.join(NAME), "no number").unwrap();
        assert_eq!(scratch.take(1), first);
    }

    #[test]
    fn no_chip_is_made_that_stands_at_its_end() {
        let scratch = Scratch::new("counters-end");
        scratch.take(1);
        std::fs::write(scratch.0.join(NAME), "64999").unwrap();
        assert_eq!(scratch.take(4), 1);
        assert!((0..2_000).all(|day| of_day(day) < COUNTER_MAX));
    }
}
