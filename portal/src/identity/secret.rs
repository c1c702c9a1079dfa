//! Random texts, and hashes that only this switch can make.
//!
//! The key of the hashes comes out of the switch's keyring, which is enciphered under the start
//! key: whoever reads the database alone can try no codes against it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cekr_switch::control::Durable;
use sha2::{Digest as _, Sha256};

use crate::page::failed::Failed;

/// The key of keyed hashes. `Debug` shows nothing of it.
pub struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn of(durable: &Durable) -> Secret {
        let mut hash = Sha256::new();
        hash.update(b"cekr-portal-secret-v1");
        for word in durable.control().shard().keyring().fingerprint_key() {
            hash.update(word.to_be_bytes());
        }
        Secret(hash.finalize().into())
    }

    /// The hash of `parts` for one purpose, as 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self, purpose: &str, parts: &[&str]) -> String {
        hex(&self.digest(purpose, parts))
    }

    /// The same as octets.
    #[must_use]
    pub fn digest(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        // Counted by the test that a wrong guess costs the same whatever was wrong about it.
        tracing::trace!(target: "cekr_portal::hashed", purpose);
        let mut inner = Sha256::new();
        inner.update(self.0);
        for part in std::iter::once(&purpose).chain(parts) {
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part.as_bytes());
        }
        // Hashed again under the key: nobody can append to what was hashed.
        let mut outer = Sha256::new();
        outer.update(self.0);
        outer.update(inner.finalize());
        outer.finalize().into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// `N` random octets.
///
/// # Errors
/// [`Failed::TryLater`] if the system gives none.
pub fn draw<const N: usize>() -> Result<[u8; N], Failed> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|error| {
        tracing::error!(%error, "the system gives no random octets");
        Failed::TryLater
    })?;
    Ok(octets)
}

/// A random text of 43 letters, digits, `-` and `_`: 256 bits.
///
/// # Errors
/// [`Failed::TryLater`] if the system gives no random octets.
pub fn token() -> Result<String, Failed> {
    Ok(URL_SAFE_NO_PAD.encode(draw::<32>()?))
}

/// A random text of 22 letters, digits, `-` and `_`, behind `prefix`: a row's name.
///
/// # Errors
/// [`Failed::TryLater`] if the system gives no random octets.
pub fn name(prefix: &str) -> Result<String, Failed> {
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(draw::<16>()?)))
}

/// The hash of a text that is itself as good as a key.
#[must_use]
pub fn plain_hash(purpose: &str, token: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((purpose.len() as u64).to_be_bytes());
    hash.update(purpose.as_bytes());
    hash.update(token.as_bytes());
    hex(&hash.finalize())
}

/// Whether two texts are the same, in a time that does not depend on where they differ.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    let (one, other) = (Sha256::digest(one.as_bytes()), Sha256::digest(other.as_bytes()));
    one.iter().zip(other.iter()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Hexadecimal digits, small letters.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
