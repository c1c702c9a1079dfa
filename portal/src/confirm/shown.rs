//! A purchase as its holder is shown it: who is paid, how much, from which card, how long there is.

use cekr_issuer::{CardId, ConfirmationState};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answer::Asked;
use crate::Portal;
use crate::acs::shown_amount;
use crate::identity::holder::holder_of;
use crate::identity::{HolderId, cards_of};
use crate::page::failed::Failed;
use crate::page::texts::Say;

/// A purchase in words.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The acsTransID.
    pub id: String,
    /// Whom the money goes to. Already safe to show, still to be escaped.
    pub payee: String,
    /// With its currency.
    pub amount: String,
    /// The card's last four digits.
    pub last_four: String,
    /// The shop's country.
    pub country: String,
    /// The address of the shop's page, as text.
    pub shop: String,
    /// Until when, on the reader's clock: `10:05:30`.
    pub until: String,
    /// How long that is, in seconds.
    pub left_s: u64,
    /// The same as `4:05`.
    pub left: String,
    /// Whether it may be answered.
    pub waits: bool,
    /// What became of it, as the API says it.
    pub state: &'static str,
    /// The same as a key of texts.
    pub state_key: String,
    /// The name of the device that must answer; `None` if the card has none.
    pub device: Option<String>,
}

impl Shown {
    /// `asked` in the language of `say`.
    #[must_use]
    pub fn of(
        asked: &Asked,
        say: &Say,
        last_four: &str,
        device: Option<String>,
        now_ms: u64,
    ) -> Shown {
        let left_s = asked.view.expires_at.saturating_sub(now_ms).div_ceil(1_000);
        let country = String::from_utf8_lossy(&asked.purchase.country).into_owned();
        let waits = asked.waits(now_ms);
        Shown {
            id: asked.purchase.id.to_string(),
            payee: asked.purchase.payee.clone(),
            amount: shown_amount(say, asked.view.amount, asked.view.currency),
            last_four: last_four.to_owned(),
            country: say.maybe(&format!("country-{country}")).unwrap_or(country),
            shop: host(&asked.purchase.shop_url),
            until: moment(asked.view.expires_at),
            left_s,
            left: format!("{}:{:02}", left_s / 60, left_s % 60),
            waits,
            state: state(asked.view.state, waits),
            state_key: format!("confirm-state-{}", state(asked.view.state, waits)),
            device,
        }
    }
}

/// The word of a state in keys and in the API. What waits beyond its time is over, even where
/// nobody has written it down yet.
#[must_use]
pub const fn state(state: ConfirmationState, waits: bool) -> &'static str {
    let is_over = matches!(state, ConfirmationState::Pending) && !waits;
    if is_over { ConfirmationState::Expired.name() } else { state.name() }
}

/// The opaque id of a card.
///
/// # Errors
/// [`Failed::NotFound`].
pub fn token(portal: &Portal, card: CardId) -> Result<String, Failed> {
    Ok(portal.durable().control().card(card)?.0.id)
}

/// The holder's cards.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn held(portal: &Portal, holder: &HolderId) -> Result<Vec<CardId>, Failed> {
    cards_of(portal, holder).await
}

/// Whose card it is, if anybody's.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn holder_of_card(portal: &Portal, card: CardId) -> Result<Option<HolderId>, Failed> {
    holder_of(portal, &token(portal, card)?).await
}

/// The host of an address as text; nothing where there is none.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if host.len() <= HOST_MAX && host.chars().all(is_plain) {
        host.to_owned()
    } else {
        String::new()
    }
}

fn moment(unix_ms: u64) -> String {
    let zone = TimeZone::get("Europe/Ljubljana").unwrap_or(TimeZone::UTC);
    let at = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let Some(at) = at else {
        return String::new();
    };
    let at = at.to_zoned(zone);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

const HOST_MAX: usize = 64;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_shops_address_its_host_alone_is_shown() {
        assert_eq!(host("https://shop.example/cart?x=1"), "shop.example");
        assert_eq!(host("https://kranj.si@evil.example/"), "evil.example");
        for strange in
            ["", "shop", "https://\u{202e}elpmaxe", "javascript:alert(1)", "https://a b/"]
        {
            assert_eq!(host(strange), "", "{strange}");
        }
    }
}
