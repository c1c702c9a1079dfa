//! `POST /v1/cards`: a card of a number that somebody else has chosen.
//!
//! The number and the PIN of a test card come in clear: the call belongs on a trusted line, and
//! neither is ever logged or given back.

use axum::Json;
use axum::extract::State;
use cekr_emv::pin::Pin;
use cekr_iso8583::{Expiry, Pan};
use cekr_issuer::entry::Name;
use cekr_issuer::{Amount, CardStatus, Channels, Controls};
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use super::json::JsonBody;
use crate::control::{CardView, ControlError};
use crate::shard::{IssueError, NewCard};

/// A card as the card file has it, amounts in cents.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issue {
    name: String,
    pan: String,
    expiry: String,
    mok_id: String,
    #[serde(default)]
    balance: u64,
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default = "active")]
    state: String,
    #[serde(default)]
    pin: Option<String>,
    #[serde(default)]
    limits: CardLimits,
}

#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum CardLimits {
    #[default]
    Default,
    Off,
}

/// `POST /v1/cards`
pub(super) async fn issue(
    State(api): State<Api>,
    JsonBody(issue): JsonBody<Issue>,
) -> Result<Json<CardView>, ApiError> {
    let card = card_of(&issue, &api)?;
    let name = issue.name;
    let shard = api.control().shard();
    let seq = shard.issue(card, api.clock().now()).map_err(not_issued)?;
    api.durable(seq).await?;
    let id = api.control().find(&name).ok_or(ControlError::NotFound)?;
    let (view, _) = api.control().card(id).map_err(ApiError::from)?;
    Ok(Json(view))
}

fn card_of(issue: &Issue, api: &Api) -> Result<NewCard, ApiError> {
    let name = Name::new(&issue.name).filter(|_| !issue.name.is_empty());
    let name = name
        .ok_or_else(|| ApiError::invalid("invalid_name", "a name has 1 to 32 octets").of("name"))?;
    // The message never repeats the number: it would end in logs.
    let pan = Pan::parse(issue.pan.as_bytes())
        .map_err(|error| ApiError::invalid("invalid_pan", error.to_string()).of("pan"))?;
    if !api.policy().is_ours(pan) {
        let message = "the number begins with none of policy.bins";
        return Err(ApiError::invalid("not_our_bin", message).of("pan"));
    }
    let mok_id = issue.mok_id.parse().ok().filter(|_| {
        issue.mok_id.len() == MOK_ID_DIGITS && issue.mok_id.bytes().all(|b| b.is_ascii_digit())
    });
    let mok_id = mok_id.ok_or_else(|| {
        ApiError::invalid("invalid_mok_id", "a MOK ID has nine digits").of("mok_id")
    })?;
    let pin =
        match &issue.pin {
            None => None,
            Some(pin) => Some(Pin::parse(pin.as_bytes()).map_err(|_| {
                ApiError::invalid("invalid_pin", "a PIN has 4 to 12 digits").of("pin")
            })?),
        };
    let status = CardStatus::by_name(&issue.state)
        .ok_or_else(|| ApiError::invalid("invalid_state", "no such state").of("state"))?;
    let expiry = expiry(&issue.expiry).ok_or_else(|| {
        ApiError::invalid("invalid_expiry", "an expiry is a month, as 2030-12").of("expiry")
    })?;
    let mut ticks = Channels::NONE;
    for channel in &issue.channels {
        let ticked = match channel.as_str() {
            "abroad" => Channels::ABROAD,
            "cashpoint" => Channels::CASHPOINT,
            "online" => Channels::ONLINE,
            _ => {
                let message = "channels are online, abroad and cashpoint";
                return Err(ApiError::invalid("invalid_channel", message).of("channels"));
            }
        };
        ticks = ticks.union(ticked);
    }
    if issue.balance > BALANCE_MAX {
        let message = "a balance has at most twelve digits of cents";
        return Err(ApiError::invalid("invalid_amount", message).of("balance"));
    }
    Ok(NewCard {
        pan,
        name,
        mok_id,
        controls: Controls { status, ticks, expiry, version: 1 },
        pin,
        limited: issue.limits == CardLimits::Default,
        balance: Amount::from_minor(issue.balance),
    })
}

/// `2030-12` as the last month of validity.
fn expiry(text: &str) -> Option<Expiry> {
    let (year, month) = text.strip_prefix("20")?.split_once('-')?;
    if year.len() != 2 || month.len() != 2 {
        return None;
    }
    let (year, month): (u16, u16) = (year.parse().ok()?, month.parse().ok()?);
    if !(1..=12).contains(&month) {
        return None;
    }
    Expiry::new(year * 100 + month)
}

fn not_issued(error: IssueError) -> ApiError {
    let message = error.to_string();
    match error {
        IssueError::Add(_) => ApiError::conflict("card_refused", message).of("pan"),
        IssueError::Busy => ApiError::try_later(&message),
        IssueError::MokIdTaken => ApiError::conflict("mok_id_taken", message).of("mok_id"),
        IssueError::NameTaken => ApiError::conflict("name_taken", message).of("name"),
    }
}

fn active() -> String {
    "active".to_owned()
}

const MOK_ID_DIGITS: usize = 9;
const BALANCE_MAX: u64 = 999_999_999_999;
