//! Clearing: lines of the network's file, some at a time.

use axum::Json;
use axum::extract::State;
use cekr_iso8583::{AuthCode, Mcc, MerchantId, Rrn};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::error::ApiError;
use super::json::JsonBody;
use crate::clearing::LineTold;

/// Lines of one file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lines {
    /// The file's name: with the line's number it makes a line the same line again.
    file: String,
    lines: Vec<LineBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineBody {
    line: u32,
    card: String,
    #[serde(default)]
    network_id: String,
    #[serde(default)]
    rrn: String,
    #[serde(default)]
    auth_code: String,
    /// Cents: positive takes, negative brings.
    amount: i64,
    currency: String,
    #[serde(default)]
    merchant: String,
    #[serde(default)]
    mcc: String,
    #[serde(default)]
    date: String,
}

/// `POST /v1/clearing`
pub(super) async fn clear(
    State(api): State<Api>,
    JsonBody(body): JsonBody<Lines>,
) -> Result<Json<Value>, ApiError> {
    if body.file.is_empty() || body.file.len() > FILE_NAME_MAX {
        let message = format!("file has 1 to {FILE_NAME_MAX} octets");
        return Err(ApiError::invalid("invalid_file", message).of("file"));
    }
    let lines = body.lines.into_iter().map(told).collect::<Result<Vec<_>, _>>()?;
    let cleared = api.control().clear(&body.file, &lines, api.clock().now());
    let (outcomes, seq) = cleared.map_err(ApiError::from)?;
    api.durable(seq).await?;
    Ok(Json(json!({ "data": outcomes })))
}

fn told(body: LineBody) -> Result<LineTold, ApiError> {
    let line = body.line;
    let fault = |field: &'static str, words: &str| {
        ApiError::invalid("invalid_line", format!("line {line}: {field} {words}")).of("lines")
    };
    if body.amount.unsigned_abs() > AMOUNT_MAX {
        return Err(fault("amount", "has more than twelve digits of cents"));
    }
    let mcc = if body.mcc.is_empty() { Some(Mcc::default()) } else { mcc(&body.mcc) };
    Ok(LineTold {
        line,
        rrn: padded(&body.rrn)
            .ok_or_else(|| fault("rrn", "is longer than 12 characters"))?
            .map(Rrn::new),
        auth_code: padded(&body.auth_code)
            .ok_or_else(|| fault("auth_code", "is longer than 6 characters"))?
            .map(AuthCode::new),
        merchant: padded(&body.merchant)
            .ok_or_else(|| fault("merchant", "is longer than 15 characters"))?
            .map(MerchantId::new),
        mcc: mcc.ok_or_else(|| fault("mcc", "is no number of four digits"))?,
        card: body.card,
        network_id: body.network_id,
        amount: body.amount,
        currency: body.currency,
        date: body.date,
    })
}

fn mcc(text: &str) -> Option<Mcc> {
    let is_number = text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_digit());
    Mcc::new(is_number.then(|| text.parse().ok())??)
}

/// The text filled up with spaces as elements of a message are, or none when it is empty; `None`
/// when it is too long.
fn padded<const N: usize>(text: &str) -> Option<Option<[u8; N]>> {
    if text.is_empty() {
        return Some(None);
    }
    let mut octets = [b' '; N];
    octets.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(Some(octets))
}

const FILE_NAME_MAX: usize = 255;
const AMOUNT_MAX: u64 = 999_999_999_999;
