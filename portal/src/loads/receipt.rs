//! The receipt of a load: 42 columns for a printer, a page to print, or JSON.
//!
//! It is written from the journal's entry, so that it can be had again and always says the same.

use std::fmt::Write as _;

use askama::Template;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cekr_issuer::Seq;
use cekr_switch::http::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Portal;
use crate::page::texts::Say;
use crate::page::{Page, show as shown};

/// What a receipt says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Receipt {
    /// The entry's number.
    pub seq: u64,
    /// RFC 3339 in UTC.
    pub at: String,
    /// Cents.
    pub amount: i64,
    /// Nine digits.
    pub mok_id: String,
    /// `branch_cash`, `card`, `upn` or `suspense`.
    pub source: String,
    /// What names the load at its source.
    pub reference: String,
    /// First six and last four digits.
    pub pan_masked: String,
    /// The receipt in lines of at most 42 columns, in the reader's language.
    pub text: String,
}

/// In which form.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    format: Option<String>,
}

#[derive(Template)]
#[template(path = "loads/receipt.html")]
struct ReceiptPage {
    page: Page,
    text: String,
}

/// The receipt of a load.
#[utoipa::path(
    get, path = "/v1/receipts/{seq}", operation_id = "showReceipt", tag = "loads",
    params(
        ("seq" = u64, Path, description = "The number of the load's entry"),
        ("format" = Option<String>, Query, description = "json (default), text or html")
    ),
    responses(
        (status = 200, description = "The receipt", content(
            (Receipt = "application/json"), (String = "text/plain"), (String = "text/html"))),
        (status = 400, description = "No such form", body = ref("#/components/schemas/Error")),
        (status = 401, description = "Not the operator's token", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No such load", body = ref("#/components/schemas/Error")),
    )
)]
pub(super) async fn show(
    State(portal): State<Portal>,
    page: Page,
    Path(seq): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_found("no load has this number");
    let asked = asked.map_err(|error| ApiError::invalid("invalid_query", error.body_text()))?;
    let seq: u64 = seq.parse().map_err(|_| unknown())?;
    let receipt = receipt(&portal, Seq(seq), &page.say).ok_or_else(unknown)?;
    match asked.0.format.as_deref() {
        None | Some("json") => Ok(Json(receipt).into_response()),
        Some("text") => {
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            Ok((kind, receipt.text).into_response())
        }
        Some("html") => Ok(shown(StatusCode::OK, &ReceiptPage { page, text: receipt.text })),
        Some(_) => {
            let message = "format is json, text or html";
            Err(ApiError::invalid("invalid_format", message).of("format"))
        }
    }
}

/// The receipt of the load that is the entry `seq`; `None` for any other entry.
#[must_use]
pub fn receipt(portal: &Portal, seq: Seq, say: &Say) -> Option<Receipt> {
    let control = portal.durable().control();
    let before = Seq(seq.0.checked_sub(1)?);
    let (found, entry) = control.entries(before, 1).pop()?;
    let is_load = found == seq && entry.get("kind").and_then(Value::as_str) == Some("loaded");
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let card = text("card").filter(|_| is_load)?;
    let (view, _) = control.card(control.id(&card)?).ok()?;
    let receipt = Receipt {
        seq: seq.0,
        at: text("at")?,
        amount: entry.get("amount").and_then(Value::as_i64)?,
        mok_id: view.mok_id,
        source: text("source")?,
        reference: text("reference").unwrap_or_default(),
        pan_masked: view.pan_masked,
        text: String::new(),
    };
    let text = written(&receipt, say);
    Some(Receipt { text, ..receipt })
}

/// The lines of a receipt.
#[must_use]
pub fn written(receipt: &Receipt, say: &Say) -> String {
    let Receipt { seq, at, amount, mok_id, source, reference, pan_masked, text: _ } = receipt;
    let mut text = String::new();
    for line in [say.text("site-name"), say.text("loads-receipt-title")] {
        let pad = COLUMNS.saturating_sub(line.chars().count()) / 2;
        let _ = writeln!(text, "{:pad$}{line}", "");
    }
    let _ = writeln!(text, "{}", "-".repeat(COLUMNS));
    for (key, value) in [
        ("loads-receipt-number", seq.to_string()),
        ("loads-receipt-time", local_time(at)),
        ("loads-receipt-source", say.text(&format!("loads-source-{}", source.replace('_', "-")))),
        ("loads-receipt-mok-id", mok_id.clone()),
        ("loads-receipt-card", pan_masked.clone()),
        ("loads-receipt-reference", reference.clone()),
    ] {
        write_pair(&mut text, &say.text(key), &value);
    }
    let _ = writeln!(text, "{}", "-".repeat(COLUMNS));
    write_pair(&mut text, &say.text("loads-receipt-amount"), &say.money(amount));
    let _ = writeln!(text, "{}", "-".repeat(COLUMNS));
    let _ = writeln!(text, "{}", say.text("loads-receipt-sample"));
    text
}

/// A name at the left and a value at the right, on one line or, where they do not fit, on more.
fn write_pair(text: &mut String, name: &str, value: &str) {
    // What a peer chose is shown and does not steer a printer.
    let value: String =
        value.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
    let taken = name.chars().count() + value.chars().count();
    if let Some(gap) = COLUMNS.checked_sub(taken).filter(|gap| *gap > 0) {
        let _ = writeln!(text, "{name}{:gap$}{value}", "");
        return;
    }
    let _ = writeln!(text, "{name}");
    let letters: Vec<char> = value.chars().collect();
    for line in letters.chunks(COLUMNS) {
        let line: String = line.iter().collect();
        let _ = writeln!(text, "{line:>COLUMNS$}");
    }
}

/// The programme's time of a moment in UTC.
fn local_time(at: &str) -> String {
    let zoned = at.parse::<jiff::Timestamp>().and_then(|at| at.in_tz("Europe/Ljubljana"));
    zoned.map_or_else(|_| at.to_owned(), |at| at.strftime("%d.%m.%Y %H:%M:%S").to_string())
}

/// What a receipt printer has.
const COLUMNS: usize = 42;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use crate::page::texts::{Language, Texts};

    fn receipt(reference: &str) -> Receipt {
        Receipt {
            seq: 17,
            at: "2026-11-22T10:00:00.000Z".into(),
            amount: 50_00,
            mok_id: "123456782".into(),
            source: "branch_cash".into(),
            reference: reference.into(),
            pan_masked: "476173******0011".into(),
            text: String::new(),
        }
    }

    #[test]
    fn a_receipt_fits_its_paper_in_each_language_and_says_what_was_loaded() {
        let texts = Texts::built_in().unwrap();
        for language in Language::ALL {
            let say = texts.say(language);
            let long = "x".repeat(64);
            for reference in ["K-1", long.as_str(), "a\u{1B}[2Jb"] {
                let text = written(&receipt(reference), &say);
                assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
                assert!(text.contains("123456782"), "{text}");
                assert!(text.contains("22.11.2026 11:00:00"), "{text}");
                assert!(text.contains(&say.money(&50_00)), "{text}");
                assert!(!text.contains('\u{1B}'), "{text}");
            }
        }
    }
}
