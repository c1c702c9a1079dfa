//! What a merchant is called: entries keep only its number at its bank (DE 42).
//!
//! A purchase that was confirmed online has brought the payee's name; the simulator's own shops
//! have theirs among the texts. Whoever else it is keeps the number, without what cannot be shown.

use std::collections::HashMap;

use cekr_issuer::CardId;

use crate::Portal;
use crate::page::failed::Failed;
use crate::page::texts::Say;

/// Names by numbers, as one card's purchases have brought them.
#[derive(Clone, Debug, Default)]
pub struct Merchants(HashMap<String, String>);

impl Merchants {
    /// Those of the card's purchases that were confirmed or needed no confirmation.
    ///
    /// # Errors
    /// [`Failed`] if the database does not answer.
    pub async fn of_card(portal: &Portal, card: CardId) -> Result<Merchants, Failed> {
        let (view, _) = portal.durable().control().card(card)?;
        let read = "SELECT merchant, payee FROM purchases WHERE card = $1 AND outcome IN \
                    ('APPROVED', 'FRICTIONLESS') ORDER BY created_at DESC LIMIT $2";
        let read = sqlx::query_as(read).bind(view.id).bind(PURCHASES_MAX);
        let rows: Vec<(String, String)> = read.fetch_all(portal.database().pool()).await?;
        let mut names = HashMap::new();
        for (merchant, payee) in rows {
            // The newest name counts.
            names.entry(plain(&merchant)).or_insert(payee);
        }
        Ok(Merchants(names))
    }

    /// The name of the merchant with this number.
    #[must_use]
    pub fn name(&self, say: &Say, number: &str) -> String {
        let number = plain(number);
        let own = self.0.get(&number).cloned();
        own.or_else(|| say.maybe(&format!("merchant-{number}"))).unwrap_or(number)
    }
}

/// The number without padding, and without letters that cannot be seen or turn the text.
fn plain(number: &str) -> String {
    let seen = number.split_whitespace().collect::<Vec<_>>().join(" ");
    seen.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').collect()
}

/// How many of a card's purchases are looked through.
const PURCHASES_MAX: i64 = 100;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use crate::page::texts::{Language, Texts};

    #[test]
    fn a_merchant_has_the_name_that_its_purchase_brought_else_the_simulators_else_its_number() {
        let say = Texts::built_in().unwrap().say(Language::English);
        let known = HashMap::from([("CEKRWEB00000001".to_owned(), "Knjigarna Kranj".to_owned())]);
        let merchants = Merchants(known);
        assert_eq!(merchants.name(&say, "CEKRWEB00000001"), "Knjigarna Kranj");
        assert_eq!(merchants.name(&say, "CEKRSHOP0000001"), "Simulated shop");
        assert_eq!(merchants.name(&say, "  4711   KRANJ \u{202e}x"), "4711 KRANJ x");
    }
}
