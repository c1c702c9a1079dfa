//! The nonce of one page: scripts and live elements that carry it are ours, no other runs.
//!
//! Source: W3C Content Security Policy Level 3, "nonce-source"; Trusted Types, "trusted-types
//! directive". htmx's extension `hx-csp` reads it from the page's first script and strips what
//! lacks `hx-nonce`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A nonce. The default is empty and matches nothing.
#[derive(Clone, Debug, Default)]
pub struct Nonce(String);

impl Nonce {
    /// A fresh one; `None` where the system has no randomness.
    #[must_use]
    pub fn drawn() -> Option<Self> {
        let mut octets = [0; NONCE_OCTETS];
        getrandom::fill(&mut octets).ok()?;
        Some(Self(URL_SAFE_NO_PAD.encode(octets)))
    }

    /// The content security policy of the page that carries it.
    #[must_use]
    pub fn policy(&self) -> String {
        format!("script-src 'nonce-{self}'; {POLICY}")
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// CSP Level 3 asks for at least 128 bits.
const NONCE_OCTETS: usize = 18;
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types htmx cekr";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn no_two_pages_share_a_nonce_and_the_policy_names_it() {
        let (first, second) = (Nonce::drawn().unwrap(), Nonce::drawn().unwrap());
        assert_ne!(first.to_string(), second.to_string());
        assert!(first.policy().starts_with(&format!("script-src 'nonce-{first}'; default-src")));
    }
}
