//! The story's web shops: an order that the holder confirms with a passkey, and one that they
//! refuse.

use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::three_ds::Refused;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{Expected, Story, Teller, Told, euros};
use crate::holder::{Answer, Back, Holder};
use crate::shop::{Asked, Buyer, By, PATIENCE, Purchase, authenticate};

impl Story<'_> {
    /// The purchase waits, is confirmed and approved; the next is refused and never asked for.
    pub(super) async fn step_online(&mut self) -> Told<()> {
        let holder = self.registered().await?;
        self.teller.note("ana registers on the website: a passkey confirms her card's purchases");

        let place = self.shop.place().clone();
        let (holder, asked) = self.asked(holder, &place, 39_00, Answer::Confirm).await?;
        let Asked::Authenticated { given, by: By::Holder } = asked else {
            return Err(format!("online: the holder was not asked: {asked:?}").into());
        };
        let outcome = self.shop.buy_authenticated(&self.ana.card, 39_00, None, given).await;
        let expected = Expected { code: "00", available: 159_10 };
        self.confirmed("online", &place, &outcome, expected, Some("passkey"))?;
        self.teller.note("waited for the holder, who confirmed amount and shop with the passkey");

        let place = Place::web_shop("Spletni butik", "Maribor", *b"SI");
        let (_, asked) = self.asked(holder, &place, 64_00, Answer::Refuse).await?;
        let Asked::GivenUp(refused) = asked else {
            return Err(format!("online_refused: it was not refused: {asked:?}").into());
        };
        let available = self.available();
        let is_right = refused.status == "N" && available == 159_10;
        self.teller.expect("online_refused", is_right, "N and 15910");
        self.teller.refused(&place, 64_00, &refused, available);
        Ok(())
    }

    /// The holder with the card in hand, and the code of its letter, at the website.
    async fn registered(&self) -> Told<Holder> {
        let (url, token) = (self.running.http_url(), self.running.expose_token().to_owned());
        let ((card, _), pan) = (self.running.control().card(self.id)?, self.ana.card.pan());
        let back = Back {
            card: card.id,
            mok_id: card.mok_id,
            last_six: format!("{:06}", pan.expose() % 1_000_000),
        };
        Ok(spawn_blocking(move || Holder::register(&url, &token, &back)).await??)
    }

    /// The shop asks the issuer, and the holder answers meanwhile.
    async fn asked(
        &self,
        mut holder: Holder,
        place: &Place,
        amount: u64,
        answer: Answer,
    ) -> Told<(Holder, Asked)> {
        let api = self.running.http_url();
        let (card, buyer, language) = (&self.ana.card, Buyer::Waits, "sl");
        let patience = PATIENCE;
        let purchase = Purchase { api: &api, card, place, amount, buyer, patience, language };
        let payee = place.name.clone();
        let answering = spawn_blocking(move || holder.answer(&payee, answer).map(|()| holder));
        let answering = async { answering.await.map_err(|error| error.to_string())? };
        let (holder, asked) = tokio::try_join!(answering, authenticate(&purchase, |_| {}))?;
        Ok((holder, asked))
    }
}

impl Teller {
    /// A purchase that its holder did not confirm: no money was asked for.
    fn refused(&self, place: &Place, amount: u32, refused: &Refused, available: i64) {
        let Refused { status, reason, .. } = refused;
        if self.json {
            return self.line(&json!({
                "event": "online_refused", "step": "online_refused", "channel": "online",
                "merchant": place.name, "country": place.country_text(), "amount": amount,
                "currency": "EUR", "trans_status": status, "trans_status_reason": reason,
                "available_after": available,
            }));
        }
        println!(
            " ✗ {:<20} {:<16} {} {:>9} €   {status}  {:<42} {:>7}      available {:>8} €",
            "online_refused",
            place.name,
            place.country_text(),
            euros(amount.into()),
            "refused by the holder, nothing was held",
            "",
            euros(available),
        );
    }
}
