//! The operator's token: where it comes from, and how one that was sent is compared.
//!
//! A token from the settings is used as it is; else one is drawn and written to a file that only
//! the owner may read. It is never logged. A comparison takes the same time wherever two tokens
//! differ: their digests are compared, all octets of them.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::entropy;

/// The token that operator calls must carry.
pub(crate) struct Token {
    digest: [u8; 32],
}

impl Token {
    pub(crate) fn new(text: &str) -> Token {
        Token { digest: Sha256::digest(text.as_bytes()).into() }
    }

    /// Whether `sent` is the token.
    pub(crate) fn matches(&self, sent: &str) -> bool {
        let sent: [u8; 32] = Sha256::digest(sent.as_bytes()).into();
        let difference = self.digest.iter().zip(sent).fold(0, |sum, (a, b)| sum | (a ^ b));
        difference == 0
    }
}

/// Where the switch keeps a token that it drew.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenPlace {
    /// It came with the settings.
    Given,
    /// It stands in this file, mode 0600.
    File(PathBuf),
    /// As [`TokenPlace::File`], and the file goes with the process: all is in memory.
    TemporaryFile(PathBuf),
}

/// The token of the settings, or of the file, or a new one that is written there.
///
/// # Errors
/// If the file can be neither read nor made.
pub(crate) fn find(given: &str, place: &TokenPlace) -> io::Result<String> {
    let path = match place {
        TokenPlace::Given => return Ok(given.to_owned()),
        TokenPlace::File(path) => path,
        // The name carries the process id: what lies there is left from another process.
        TokenPlace::TemporaryFile(path) => return draw(path),
    };
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => draw(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => draw(path),
        Err(error) => Err(error),
    }
}

fn draw(path: &Path) -> io::Result<String> {
    use std::fmt::Write as _;
    let mut octets = [0; TOKEN_OCTETS];
    entropy::fill(&mut octets);
    let mut text = String::with_capacity(2 * TOKEN_OCTETS);
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) | Ok(()) => {}
    }
    // Only a file that is made now has this mode and follows nobody's link.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    Ok(text)
}

const TOKEN_OCTETS: usize = 24;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_same_token_matches() {
        let token = Token::new("secret");
        assert!(token.matches("secret"));
        for wrong in ["", "secre", "secrets", "Secret"] {
            assert!(!token.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_drawn_token_is_kept_in_a_file_of_the_owners_alone() {
        let folder = std::env::temp_dir().join(format!("cekr-token-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("operator.token");
        let place = TokenPlace::File(path.clone());
        let drawn = find("", &place).unwrap();
        assert_eq!(drawn.len(), 48);
        assert_eq!(find("", &place).unwrap(), drawn, "a second start keeps it");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let temporary = TokenPlace::TemporaryFile(path);
        assert_ne!(find("", &temporary).unwrap(), drawn, "in memory it is drawn anew");
        assert_eq!(find("given", &TokenPlace::Given).unwrap(), "given");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
