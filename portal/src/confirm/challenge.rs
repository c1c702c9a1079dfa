//! What a device signs when its holder confirms a purchase: a digest of that purchase and no other.
//!
//! `SHA-256("cekr-sca-v1" | acsTransID | amount | currency | payee | card | expiry | nonce)`, with
//! numbers as eight octets, the greatest first, and each text behind its length in eight octets, so
//! that no two purchases are written alike. `expiry` is the moment after which the answer is worth
//! nothing, in milliseconds since 1970. The browser hands the digest to the device as the WebAuthn
//! challenge: the signature itself links the holder to amount and payee, as Delegated Regulation
//! (EU) 2018/389, article 5, asks.
//!
//! ```
//! # use cekr_portal::confirm::challenge::Said;
//! let said = Said {
//!     id: [7; 16], amount: 39_00, currency: "978".into(), payee: "Knjigarna".into(),
//!     card: "card_1".into(), expires_at: 1_795_341_900_000,
//! };
//! let dearer = Said { amount: 39_01, ..said.clone() };
//! assert_ne!(said.challenge(&[0; 32]), dearer.challenge(&[0; 32]));
//! ```

use sha2::{Digest as _, Sha256};

/// A purchase as its holder is shown it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// The acsTransID's 16 octets.
    pub id: [u8; 16],
    /// In minor units of the currency.
    pub amount: u64,
    /// Three digits of ISO 4217.
    pub currency: String,
    /// The payee's name.
    pub payee: String,
    /// The card's opaque id.
    pub card: String,
    /// When the question ends, in milliseconds since 1970.
    pub expires_at: u64,
}

impl Said {
    /// The challenge for one question about this purchase; `nonce` is drawn for it.
    #[must_use]
    pub fn challenge(&self, nonce: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(PURPOSE);
        hash.update(self.id);
        hash.update(self.amount.to_be_bytes());
        for text in [&self.currency, &self.payee, &self.card] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(self.expires_at.to_be_bytes());
        hash.update(nonce);
        hash.finalize().into()
    }
}

const PURPOSE: &[u8] = b"cekr-sca-v1";

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Said {
        Said {
            id: [1; 16],
            amount: 39_00,
            currency: "978".to_owned(),
            payee: "Knjigarna".to_owned(),
            card: "card_1".to_owned(),
            expires_at: 5,
        }
    }

    #[test]
    fn every_part_of_a_purchase_changes_what_is_signed() {
        let (said, nonce) = (said(), [0; 32]);
        let others = [
            Said { id: [2; 16], ..said.clone() },
            Said { amount: 39_01, ..said.clone() },
            Said { currency: "840".to_owned(), ..said.clone() },
            Said { payee: "Knjigarn".to_owned(), card: "acard_1".to_owned(), ..said.clone() },
            Said { payee: "Igralnica".to_owned(), ..said.clone() },
            Said { card: "card_2".to_owned(), ..said.clone() },
            Said { expires_at: 6, ..said.clone() },
        ];
        for other in others {
            assert_ne!(other.challenge(&nonce), said.challenge(&nonce), "{other:?}");
        }
        assert_ne!(said.challenge(&[1; 32]), said.challenge(&nonce));
    }

    /// Made once by another program: what was signed years ago must be checkable.
    #[test]
    fn the_digest_is_the_written_one() {
        let text = crate::identity::secret::hex(&said().challenge(&[9; 32]));
        assert_eq!(text, "47620016c18ce489e01319e94bd48a13207f1157e7b34f69c231794af4b95faa");
    }
}
