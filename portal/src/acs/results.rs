//! The result (`RReq`) on its way to the shop's side, and what comes back (`RRes`).
//!
//! A message names the address that results are to go to; nobody is called because a message says
//! so. The address of the settings comes first; without one, an address on this machine is
//! believed, where a simulated shop listens: by its number, with a path that says what it is.

use std::time::Duration;

use cekr_issuer::confirmation::{ConfirmationId, ConfirmationState};
use cekr_switch::control::ControlError;
use serde_json::Value;

use super::answer::{self, Proof};
use super::elements::origin;
use super::json::Members;
use super::purchase::{self, Due, Outcome, Purchase, Results};
use super::uuid::Uuid;
use crate::Portal;
use crate::outbound::{Bounds, Longer, Target};
use crate::page::failed::Failed;

/// Where the result is sent to; empty for nowhere.
pub(super) fn target(settings: &str, ds_url: &str) -> String {
    if !settings.is_empty() {
        return settings.to_owned();
    }
    let Some(origin) = origin(ds_url) else { return String::new() };
    let path = ds_url.get(origin.len()..).unwrap_or_default();
    let is_here = ["http://127.0.0.1:", "http://[::1]:"].iter().any(|own| {
        let port = origin.strip_prefix(own).and_then(|port| port.parse::<u16>().ok());
        port.is_some_and(|port| port >= PORT_MIN)
    });
    let is_for_results = path.ends_with("/rreq") && !path.contains(['?', '#', '%']);
    if is_here && is_for_results { ds_url.to_owned() } else { String::new() }
}

/// Sends the result of a purchase that came to its end, if it is still to be sent, and notes how
/// that went.
pub(super) async fn report(portal: &Portal, id: ConfirmationId) {
    // One at a time for all looks and tasks: nobody sends what another just sends.
    let Some(_turn) = portal.acs().turn(id) else { return };
    if let Err(failed) = try_report(portal, id).await {
        tracing::warn!(?failed, %id, "the result of an online purchase is sent later");
    }
}

async fn try_report(portal: &Portal, id: ConfirmationId) -> Result<(), Failed> {
    let Some(purchase) = purchase::find(portal, id).await? else { return Ok(()) };
    let (Results::Pending, Some(outcome)) = (purchase.results, purchase.outcome) else {
        return Ok(());
    };
    let db = portal.database();
    let (outcome, proof) = match outcome {
        Outcome::Approved => match proof(portal, &purchase).await? {
            Proven::With(proof) => (outcome, Some(proof)),
            // It was heard, though its answer was lost.
            Proven::Used => return purchase::sent(db, id, Results::Delivered, Due::Never).await,
            Proven::Void => (Outcome::Faulted, None),
        },
        Outcome::Cancelled
        | Outcome::Denied
        | Outcome::Expired
        | Outcome::Failed
        | Outcome::Faulted
        | Outcome::Frictionless
        | Outcome::NeverOpened => (outcome, None),
    };
    let message = answer::rreq(&purchase, outcome, proof.as_ref());
    let heard = send(portal, &purchase, &message).await;
    let next_ms = PAUSES_MS.get(usize::try_from(purchase.attempts).unwrap_or(usize::MAX));
    let (results, due) = match (heard, next_ms) {
        (Heard::Taken, _) => (Results::Delivered, Due::Never),
        (Heard::Refused, _) => (Results::Refused, Due::Never),
        (Heard::Nothing, None) => (Results::GivenUp, Due::Never),
        (Heard::Nothing, Some(pause_ms)) => {
            let now_ms = portal.durable().now().unix_ms;
            (Results::Pending, Due::At(now_ms.saturating_add(*pause_ms)))
        }
    };
    if results != Results::Delivered {
        let results = results.name();
        tracing::warn!(%id, results, "the result of an online purchase was not taken");
    }
    purchase::sent(db, id, results, due).await
}

enum Proven {
    /// The value is good.
    With(Proof),
    /// A purchase has used it.
    Used,
    /// The seal is honoured no more.
    Void,
}

/// The value of an approved purchase: the seal gives the same each time.
async fn proof(portal: &Portal, purchase: &Purchase) -> Result<Proven, Failed> {
    let (durable, now) = (portal.durable(), portal.durable().now());
    let known = durable.control().confirmation(purchase.card, purchase.id, now);
    let view = match durable.told(known).await {
        Err(ControlError::Confirmation(_)) => return Ok(Proven::Void),
        view => view?,
    };
    let (ConfirmationState::Sealed, Some(factor)) = (view.state, view.factor) else {
        let is_used = view.state == ConfirmationState::Consumed;
        return Ok(if is_used { Proven::Used } else { Proven::Void });
    };
    let sealed = durable.control().seal_confirmation(purchase.card, purchase.id, factor, now);
    let sealed = durable.told(sealed).await?;
    Ok(Proven::With(Proof { cavv: sealed.cavv, eci: sealed.eci, factor }))
}

/// What the other side said.
enum Heard {
    /// It has it.
    Taken,
    /// It has heard it, and does not want it.
    Refused,
    /// Nothing that could be understood as an answer.
    Nothing,
}

async fn send(portal: &Portal, purchase: &Purchase, message: &Value) -> Heard {
    let request = ureq::http::Request::post(&purchase.results_url)
        .header("Content-Type", "application/json; charset=utf-8")
        .header("Accept", "application/json")
        .body(message.to_string().into_bytes());
    let Ok(request) = request else { return Heard::Nothing };
    // An address of the settings, or one on this machine that [`target`] let pass.
    let sent = portal.outbound().send(Target::Named, request, BOUNDS).await;
    match sent {
        Ok(answer) if answer.status().is_success() => judge(purchase, answer.body()),
        Ok(answer) => {
            tracing::warn!(status = answer.status().as_u16(), "a result was not answered");
            Heard::Nothing
        }
        Err(error) => {
            tracing::warn!(%error, "a result could not be sent");
            Heard::Nothing
        }
    }
}

/// Whether an answer is the `RRes` about this purchase.
fn judge(purchase: &Purchase, body: &[u8]) -> Heard {
    let Ok(members) = Members::read(body) else { return Heard::Nothing };
    let is = |name: &str, value: &str| members.text(name) == Some(value);
    let is_id = |name: &str, id: Uuid| members.text(name).and_then(Uuid::parse) == Some(id);
    if is("messageType", "Erro") {
        return Heard::Refused;
    }
    let is_answer = is("messageType", "RRes")
        && is("messageVersion", purchase.message_version)
        && is_id("threeDSServerTransID", purchase.server_trans_id)
        && is_id("dsTransID", purchase.ds_trans_id)
        && is_id("acsTransID", Uuid(purchase.id.0));
    match members.text("resultsStatus") {
        Some("01" | "02" | "03") if is_answer && members.twice().is_empty() => Heard::Taken,
        Some(_) | None => Heard::Refused,
    }
}

/// Pauses between attempts; after the last one it is given up.
const PAUSES_MS: [u64; 5] = [1_000, 3_000, 10_000, 30_000, 60_000];
const BOUNDS: Bounds =
    Bounds { time_max: Duration::from_secs(10), body_octets_max: 16 * 1_024, longer: Longer::Fail };
/// Ports below are for the machine's own services.
const PORT_MIN: u16 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_leads_a_result_elsewhere_than_to_a_shop_on_this_machine() {
        for here in ["http://127.0.0.1:4000/3ds/rreq", "http://[::1]:4000/ds/rreq"] {
            assert_eq!(target("", here), here);
            assert_eq!(target("https://ds.example/rreq", here), "https://ds.example/rreq");
        }
        for elsewhere in [
            "https://127.0.0.1/ds/rreq",
            "http://127.0.0.1/rreq",
            "http://127.0.0.1:80/rreq",
            "http://127.0.0.1:4000/v1/cards",
            "http://127.0.0.1:4000/rreq?x=/rreq",
            "http://127.0.0.1:4000@evil.example:4000/rreq",
            "http://127.0.0.1.evil.example:4000/rreq",
            "http://169.254.169.254:4000/rreq",
            "http://localhost:4000/rreq",
            "http://shop.example:4000/rreq",
            "http://10.0.0.1:4000/rreq",
        ] {
            assert_eq!(target("", elsewhere), "", "{elsewhere}");
        }
    }
}
