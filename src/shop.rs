//! A web shop's way through 3-D Secure: it asks the card's issuer, sends the browser, waits for the
//! holder, and hears the result.
//!
//! What is said and how it is judged stands in [`cekr_terminal_sim::three_ds`]; here are the calls.

use std::time::Duration;

use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::form::Authentication;
use cekr_terminal_sim::moment::Moment;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::shop::results::Results;
use cekr_terminal_sim::three_ds::{Order, Refused, Verdict, cres};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

/// What whoever sits before the shop's page does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Buyer {
    /// Presses "cancel" on the page.
    Cancels,
    /// Never gets to the page.
    StaysAway,
    /// Waits until the holder has answered.
    Waits,
}

/// How it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// The order may be asked for with this.
    Authenticated {
        /// What the issuer gave.
        given: Authentication,
        /// Whether the holder was asked.
        by: By,
    },
    /// The holder was asked, and it came to nothing: there is no order.
    GivenUp(Refused),
    /// The issuer says that nobody will be asked: its switch has the last word.
    Declined(Refused),
    /// Nobody at this address speaks 3-D Secure.
    NoServer(String),
}

/// By what an order was authenticated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    /// The holder.
    Holder,
    /// Nobody was asked.
    Nobody,
}

/// One order that is to be authenticated.
pub(crate) struct Purchase<'a> {
    /// Address of the issuer's server: `http://localhost:8080`.
    pub(crate) api: &'a str,
    /// The card.
    pub(crate) card: &'a Card,
    /// The shop.
    pub(crate) place: &'a Place,
    /// Cents.
    pub(crate) amount: u64,
    /// Who sits before the shop's page.
    pub(crate) buyer: Buyer,
    /// How long whoever waits there waits; then they cancel.
    pub(crate) patience: Duration,
    /// `sl` or `en`.
    pub(crate) language: &'static str,
}

/// Goes the whole way; `tell` hears when somebody is waited for.
///
/// # Errors
/// What went wrong, in words.
pub(crate) async fn authenticate(
    purchase: &Purchase<'_>,
    tell: impl Fn(&str),
) -> Result<Asked, String> {
    let mut results = Results::open().await.map_err(|error| format!("no free port: {error}"))?;
    let now_ms = crate::terminal::clock().as_millis().try_into().unwrap_or(u64::MAX);
    let order = Order {
        id: uuid(),
        ds_id: uuid(),
        place: purchase.place.clone(),
        pan: *purchase.card.pan(),
        expiry: purchase.card.expiry(),
        amount: purchase.amount,
        at: Moment::from_unix_ms(now_ms).utc().to_string(),
        own_url: results.url(),
        language: purchase.language,
    };
    let ask = format!("{}/3ds/areq", purchase.api.trim_end_matches('/'));
    let answer = match call(Call::Json(ask, order.areq())).await {
        Ok(answer) if answer.status == 200 => answer.json(),
        Ok(answer) => {
            return Ok(Asked::NoServer(format!("{} answers {}", purchase.api, answer.status)));
        }
        Err(error) => return Ok(Asked::NoServer(error)),
    };
    let verdict = order.judge(&answer).map_err(|fault| fault.to_string())?;
    let (url, acs_id) = match verdict {
        Verdict::Authenticated(given) => {
            return Ok(Asked::Authenticated { given, by: By::Nobody });
        }
        Verdict::Not(refused) if refused.status == "N" => return Ok(Asked::GivenUp(refused)),
        Verdict::Not(refused) => return Ok(Asked::Declined(refused)),
        Verdict::Challenge { url, acs_id } => (url, acs_id),
    };
    let page = browse(purchase.buyer, &url, &order.creq(&acs_id), &tell).await?;
    let mut until = Instant::now() + purchase.patience;
    let mut waits = page.as_deref().filter(|_| purchase.buyer == Buyer::Waits);
    let result = loop {
        let Ok(next) = timeout_at(until, results.next()).await else {
            let page = waits.take().ok_or("the result of the purchase did not come")?;
            // Whatever the button says: the holder may have been faster, and the result tells.
            press_cancel(page, &url).await?;
            until = Instant::now() + RESULT_MAX;
            continue;
        };
        let result = next.ok_or("the result of the purchase did not come")?;
        // What is about another order, or no result, was not for us.
        if let Ok(result) = order.judge_result(&result, &acs_id) {
            break result;
        }
    };
    if let Some(page) = page {
        bring_back(&page, &result).await?;
    }
    Ok(match result {
        Verdict::Authenticated(given) => Asked::Authenticated { given, by: By::Holder },
        Verdict::Not(refused) => Asked::GivenUp(refused),
        Verdict::Challenge { .. } => return Err("a result cannot be a question".to_owned()),
    })
}

/// The browser goes to the issuer's page; the address of the page that waits there.
async fn browse(
    buyer: Buyer,
    url: &str,
    creq: &str,
    tell: &impl Fn(&str),
) -> Result<Option<String>, String> {
    if buyer == Buyer::StaysAway {
        tell("nobody comes to the issuer's page; it gives up after half a minute");
        return Ok(None);
    }
    let origin = origin(url).ok_or("acsURL is no address")?;
    let opened = call(Call::Form(url.to_owned(), format!("creq={creq}"), String::new())).await?;
    if opened.status != 303 {
        return Err(format!("the issuer's page answers {}: {}", opened.status, opened.short()));
    }
    let page = format!("{origin}{}", opened.location);
    if buyer == Buyer::Cancels {
        let status = press_cancel(&page, url).await?;
        if status != 303 {
            return Err(format!("the cancel button answers {status}"));
        }
    } else {
        tell(&format!(
            "waiting for the holder: confirm or refuse at {origin}/confirmations within 5 minutes"
        ));
    }
    Ok(Some(page))
}

/// The button on the issuer's page; the status that it answers with.
async fn press_cancel(page: &str, url: &str) -> Result<u16, String> {
    let origin = origin(url).ok_or("acsURL is no address")?;
    let cancel = Call::Form(format!("{page}/cancel"), String::new(), origin.to_owned());
    Ok(call(cancel).await?.status)
}

/// The browser comes back with the end, which must be the one that the result told.
async fn bring_back(page: &str, result: &Verdict) -> Result<(), String> {
    // Until the page has its end too: it gets it just after the result was answered.
    for _ in 0..PAGE_LOOKS {
        if call(Call::Get(format!("{page}/end"))).await?.json()["ended"] == true {
            break;
        }
    }
    let shown = call(Call::Get(page.to_owned())).await?;
    let mark = "name=\"cres\" value=\"";
    let field = shown.body.split_once(mark).and_then(|(_, rest)| rest.split_once('"'));
    let back =
        field.and_then(|(field, _)| cres(field)).ok_or("the browser came back with nothing")?;
    let is_approved = matches!(result, Verdict::Authenticated(_));
    if (back["transStatus"] == "Y") != is_approved {
        return Err("browser and result tell different ends".to_owned());
    }
    Ok(())
}

/// A call, as a shop or a browser makes it.
enum Call {
    Json(String, Value),
    /// Address, fields, `Origin` of the page that sends it, if it is the issuer's own.
    Form(String, String, String),
    Get(String),
}

/// What came back.
struct Answer {
    status: u16,
    location: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn short(&self) -> String {
        self.body.chars().take(200).collect()
    }
}

async fn call(what: Call) -> Result<Answer, String> {
    // The client blocks: it gets a thread of its own.
    let done = tokio::task::spawn_blocking(move || blocking(what));
    done.await.map_err(|error| error.to_string())?
}

fn blocking(what: Call) -> Result<Answer, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(CALL_MAX))
        .build()
        .into();
    let form = "application/x-www-form-urlencoded";
    let answer = match what {
        Call::Json(url, body) => agent.post(url).send_json(body),
        Call::Get(url) => agent.get(url).header("Accept", "text/html").call(),
        Call::Form(url, fields, origin) => {
            let mut request = agent.post(url).header("Content-Type", form);
            request = request.header("Accept", "text/html");
            if !origin.is_empty() {
                request = request.header("Origin", origin);
            }
            request.send(fields)
        }
    };
    let mut answer = answer.map_err(|error| error.to_string())?;
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
    Ok(Answer {
        status: answer.status().as_u16(),
        location: location.unwrap_or_default().to_owned(),
        body: answer.body_mut().read_to_string().map_err(|error| error.to_string())?,
    })
}

fn origin(url: &str) -> Option<&str> {
    let from = url.find("://")? + 3;
    let to = url.get(from..)?.find('/').map_or(url.len(), |slash| from + slash);
    url.get(..to)
}

/// A random UUID.
fn uuid() -> String {
    let mut octets = [0; 16];
    cekr_switch::entropy::fill(&mut octets);
    let number = u128::from_be_bytes(octets);
    let version = 0x4000_u128 << 64 | 0x8000_u128 << 48;
    let number = number & !(0xF000_u128 << 64 | 0xC000_u128 << 48) | version;
    let text = format!("{number:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// A holder has five minutes; the result follows at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(330);
/// The result follows a cancelled page at once.
const RESULT_MAX: Duration = Duration::from_secs(30);
/// A page that waits for its end answers within half of this.
const CALL_MAX: Duration = Duration::from_secs(60);
const PAGE_LOOKS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_names_are_uuids_of_version_four() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]));
    }

    #[test]
    fn an_origin_is_what_stands_before_the_path() {
        assert_eq!(origin("http://localhost:80/3ds/creq"), Some("http://localhost:80"));
        assert_eq!(origin("http://localhost:80"), Some("http://localhost:80"));
        assert_eq!(origin("x"), None);
    }
}
