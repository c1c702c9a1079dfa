//! What a card's chip is to do: `/v1/cards/{id}/scripts`.

use axum::Json;
use axum::extract::{Path, State};
use cekr_emv::issuer::{Command, Datum, Order};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::cards::named;
use super::error::ApiError;
use super::json::JsonBody;
use crate::control::ScriptView;

/// The body of an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    command: Name,
    /// How many transactions in a row the chip may approve without its issuer.
    count_upper: Option<u8>,
    /// For how much, in cents.
    total_upper: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Name {
    ApplicationBlock,
    ApplicationUnblock,
    CardBlock,
    PinChange,
    PinUnblock,
    PutData,
}

impl Asked {
    fn order(&self) -> Result<Order, ApiError> {
        let command = match self.command {
            Name::PutData => {
                return self.datum().map(|datum| Order::Command(Command::PutData(datum)));
            }
            _ if self.count_upper.is_some() || self.total_upper.is_some() => {
                let message = "count_upper and total_upper belong to put_data";
                return Err(ApiError::invalid("invalid_command", message).of("command"));
            }
            Name::ApplicationBlock => Command::ApplicationBlock,
            Name::ApplicationUnblock => Command::ApplicationUnblock,
            Name::CardBlock => Command::CardBlock,
            Name::PinChange => return Ok(Order::PinChange),
            Name::PinUnblock => Command::PinUnblock,
        };
        Ok(Order::Command(command))
    }

    fn datum(&self) -> Result<Datum, ApiError> {
        let datum = match (self.count_upper, self.total_upper) {
            (Some(count), None) => Datum::new(COUNT_UPPER, &[count]),
            (None, Some(cents)) if cents <= TOTAL_MAX => Datum::new(TOTAL_UPPER, &packed(cents)),
            (None, Some(_)) => {
                let message = "total_upper has at most twelve digits of cents";
                return Err(ApiError::invalid("invalid_amount", message).of("total_upper"));
            }
            (None, None) | (Some(_), Some(_)) => None,
        };
        datum.ok_or_else(|| {
            let message = "put_data sets one of count_upper and total_upper";
            ApiError::invalid("invalid_command", message).of("command")
        })
    }
}

/// `POST /v1/cards/{id}/scripts`
pub(super) async fn ask(
    State(api): State<Api>,
    Path(token): Path<String>,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<ScriptView>, ApiError> {
    let id = named(&api, &token)?;
    let order = asked.order()?;
    let asked = api.control().ask_script(id, order, api.clock().now());
    Ok(Json(api.durably().told(asked).await?))
}

/// `GET /v1/cards/{id}/scripts`
pub(super) async fn list(
    State(api): State<Api>,
    Path(token): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let scripts = api.durably().told(api.control().scripts(named(&api, &token)?)).await?;
    Ok(Json(json!({ "data": scripts, "has_more": false })))
}

/// Twelve packed digits.
fn packed(cents: u64) -> [u8; 6] {
    let mut rest = cents;
    let mut octets = [0; 6];
    for octet in octets.iter_mut().rev() {
        let pair = u8::try_from(rest % 100).unwrap_or_default();
        *octet = pair / 10 * 16 + pair % 10;
        rest /= 100;
    }
    octets
}

/// How many transactions in a row without the issuer, and for how much (tags of Visa's chips).
const COUNT_UPPER: u16 = 0x9F59;
const TOTAL_UPPER: u16 = 0x9F5C;
/// Twelve digits.
const TOTAL_MAX: u64 = 999_999_999_999;
