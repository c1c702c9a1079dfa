//! Who a call is from: secrets of endpoints, and the header that proves one.
//!
//! The header is Stripe's in form: `t=SECONDS,v1=HEX`, where the value is the HMAC-SHA-256 of
//! `SECONDS.BODY` under the secret as it is written, prefix included. A receiver that compares the
//! time with its own clock takes nothing that somebody recorded. After a change of the secret both
//! sign for a day.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::endpoint::Endpoint;
use crate::identity::secret::{Secret, hex};

/// What an endpoint verifies calls with. It is not kept anywhere: it follows from the endpoint's
/// name, its generation and a key of the switch. `Debug` shows nothing of it.
pub(super) struct SigningSecret(String);

impl SigningSecret {
    pub(super) fn of(secret: &Secret, endpoint: &str, generation: i64) -> SigningSecret {
        let digest = secret.digest("cekr-webhook-v1", &[endpoint, &generation.to_string()]);
        SigningSecret(format!("whsec_{}", URL_SAFE_NO_PAD.encode(digest)))
    }

    /// The secret itself, for its one showing.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    fn sign(&self, seconds: u64, body: &str) -> String {
        // A key of any length is one to HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else {
            return String::new();
        };
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(..)")
    }
}

/// The value of [`HEADER`] for a body that is sent now.
pub(super) fn header(secret: &Secret, endpoint: &Endpoint, body: &str, now_ms: u64) -> String {
    let seconds = now_ms / 1_000;
    let mut text = format!("t={seconds}");
    let is_changing =
        endpoint.generation > 1 && super::whole(now_ms) < endpoint.rotated_at + BOTH_MS;
    let oldest = if is_changing { endpoint.generation - 1 } else { endpoint.generation };
    for generation in (oldest..=endpoint.generation).rev() {
        let value = SigningSecret::of(secret, &endpoint.id, generation).sign(seconds, body);
        let _ = write!(text, ",v1={value}");
    }
    text
}

/// The header's name.
pub(super) const HEADER: &str = "CeKR-Signature";
/// How long the secret before the newest signs too.
const BOTH_MS: i64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_others_compute() {
        // printf '1795341600.{}' | openssl dgst -sha256 -hmac whsec_test
        let secret = SigningSecret("whsec_test".to_owned());
        let wanted = "c7fdd59d5ad8ddad629f0d939f490b97b6b8dd51562976a079de1f4e85f98daf";
        assert_eq!(secret.sign(1_795_341_600, "{}"), wanted);
        assert_eq!(format!("{secret:?}"), "SigningSecret(..)");
    }
}
