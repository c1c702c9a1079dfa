//! Cash at a branch: taken by somebody, loaded by its reference, and a receipt to print.
//!
//! Who took how much for which card is written before the load is asked for. The form carries the
//! load's reference, so that a form that is sent again loads once and leads to the same receipt.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_issuer::entry::{LoadSource, Reference};
use cekr_issuer::{Amount, CardId, Seq};
use cekr_switch::control::ControlError;
use serde::Deserialize;
use serde_json::Value;

use super::Nav;
use super::audit::names;
use super::noted::{self, Noted};
use super::role::Deed;
use super::story::moment;
use crate::Portal;
use crate::identity::{OnDesk, Posted, secret};
use crate::loads::receipt::receipt;
use crate::page::failed::Failed;
use crate::page::texts::Say;
use crate::page::{Page, money, show};

#[derive(Template)]
#[template(path = "desk/cash.html")]
struct Cash {
    page: Page,
    nav: Nav,
    typed: Typed,
    faults: Faults,
    may_take: bool,
    taken: Vec<Taken>,
    /// What the reader took today.
    sum: String,
}

/// What was typed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    mok_id: String,
    last_four: String,
    amount: String,
    /// The load's reference: a form that is sent again is the same load.
    form: String,
}

#[derive(Default)]
struct Faults {
    card: Option<&'static str>,
    amount: Option<&'static str>,
}

/// Cash that was taken.
struct Taken {
    when: String,
    who: String,
    card: String,
    amount: String,
    /// The load's entry; `None` where it was refused, or has not come to its rows yet.
    seq: Option<i64>,
    refused: bool,
}

/// `GET /desk/cash`
///
/// # Errors
/// [`Failed`].
pub(super) async fn ask(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeCash, portal.durable().now().unix_ms)?;
    let typed = Typed { form: secret::name("cash-")?, ..Typed::default() };
    form(&portal, &on_desk, page, typed, Faults::default(), StatusCode::OK).await
}

async fn form(
    portal: &Portal,
    on_desk: &OnDesk,
    page: Page,
    typed: Typed,
    faults: Faults,
    status: StatusCode,
) -> Result<Response, Failed> {
    let may_take = on_desk.has(Deed::TakeCash);
    // A teller counts their own drawer; an auditor sees all of them.
    let whose = if may_take { on_desk.operator.as_str() } else { "" };
    let taken = taken(portal, &page.say, whose).await?;
    let sum = page.say.money(&today(portal, whose).await?);
    let nav = Nav::of(on_desk, &page.say);
    Ok(show(status, &Cash { page, nav, typed, faults, may_take, taken, sum }))
}

/// `POST /desk/cash`: the load, and its receipt.
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(super) async fn take(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let now = portal.durable().now();
    on_desk.may(Deed::TakeCash, now.unix_ms)?;
    let control = portal.durable().control();
    let card = card(&portal, &typed);
    let amount = money::read(&typed.amount).filter(|cents| *cents > 0).map(Amount::from_minor);
    let reference = Reference::new(&typed.form).filter(|_| is_ours(&typed.form));
    let reference = reference.ok_or(Failed::Unprocessable("failed-form"))?;
    let (Some((id, token)), Some(amount)) = (card, amount) else {
        let faults = Faults {
            card: card_fault(&portal, &typed),
            amount: amount.is_none().then_some("desk-cash-amount-fault"),
        };
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return form(&portal, &on_desk, page, typed, faults, status).await;
    };
    if let Some(known) = known(&portal, &typed.form).await? {
        // Sent again: what it loaded is shown, and nothing else can come of it.
        let is_same = known == (token.clone(), amount.minor().cast_signed(), String::new());
        if !is_same {
            return Err(Failed::Conflict("desk-cash-other"));
        }
    } else {
        if let Err(refused) = control.takes_load(id, amount, now) {
            let faults = Faults { card: None, amount: Some(refusal(refused)?) };
            let status = StatusCode::CONFLICT;
            return form(&portal, &on_desk, page, typed, faults, status).await;
        }
        write_down(&portal, &on_desk, (&typed.form, &token), amount, now.unix_ms).await?;
    }
    let loaded = control.load(id, amount, LoadSource::BranchCash, reference, now);
    if let Err(refused) = portal.durable().told(loaded).await {
        strike_out(&portal, &on_desk, &typed.form, &refused.to_string()).await?;
        return Err(refused.into());
    }
    let seq = entry_of(&portal, id, &typed.form).ok_or(Failed::TryLater)?;
    Ok(Redirect::to(&format!("/desk/cash/{seq}")).into_response())
}

#[derive(Template)]
#[template(path = "desk/receipt.html")]
struct ReceiptPage {
    page: Page,
    nav: Nav,
    text: String,
    who: String,
}

/// `GET /desk/cash/{seq}`: the receipt, to print.
///
/// # Errors
/// [`Failed::NotFound`] for what is no load in cash.
pub(super) async fn show_receipt(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Path(seq): Path<u64>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeCash, portal.durable().now().unix_ms)?;
    let found = receipt(&portal, Seq(seq), &page.say).ok_or(Failed::NotFound)?;
    if found.source != LoadSource::BranchCash.name() {
        return Err(Failed::NotFound);
    }
    let read = sqlx::query_scalar("SELECT operator FROM desk_cash WHERE reference = $1");
    let read = read.bind(&found.reference).fetch_optional(portal.database().pool());
    let operator: Option<String> = read.await?;
    let names = names(&portal).await?;
    let who = operator.and_then(|id| names.get(&id).cloned()).unwrap_or_default();
    let nav = Nav::of(&on_desk, &page.say);
    Ok(show(StatusCode::OK, &ReceiptPage { page, nav, text: found.text, who }))
}

/// The card whose back was read out: MOK ID and last four digits must be of one card.
fn card(portal: &Portal, typed: &Typed) -> Option<(CardId, String)> {
    let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let mok_id = plain(&typed.mok_id).parse().ok()?;
    let control = portal.durable().control();
    let id = control.card_by_mok_id(mok_id)?;
    let (card, _) = control.card(id).ok()?;
    let last_four = plain(&typed.last_four);
    let is_it = last_four.len() == LAST_DIGITS && card.pan_masked.ends_with(&last_four);
    is_it.then_some((id, card.id))
}

fn card_fault(portal: &Portal, typed: &Typed) -> Option<&'static str> {
    card(portal, typed).is_none().then_some("desk-cash-card-fault")
}

/// What to say beside the amount; other failures are the page's.
fn refusal(refused: ControlError) -> Result<&'static str, Failed> {
    if matches!(refused, ControlError::Limit(_)) {
        Ok("desk-cash-limit")
    } else if matches!(refused, ControlError::Conflict(_)) {
        Ok("desk-cash-closed")
    } else {
        Err(refused.into())
    }
}

/// A reference that a form of ours carries.
fn is_ours(form: &str) -> bool {
    form.strip_prefix("cash-").is_some_and(|rest| {
        !rest.is_empty()
            && rest.len() <= FORM_OCTETS_MAX
            && rest.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    })
}

async fn write_down(
    portal: &Portal,
    on_desk: &OnDesk,
    (reference, card): (&str, &str),
    amount: Amount,
    now_ms: u64,
) -> Result<(), Failed> {
    let mut change = noted::begin(portal, &on_desk.operator).await?;
    let insert = "INSERT INTO desk_cash (reference, operator, card, amount, taken_at, refused) \
                  VALUES ($1, $2, $3, $4, $5, '')";
    sqlx::query(insert)
        .bind(reference)
        .bind(&on_desk.operator)
        .bind(card)
        .bind(amount.minor().cast_signed())
        .bind(now_ms.cast_signed())
        .execute(change.on())
        .await?;
    let after = format!("{} cents, {reference}", amount.minor());
    let noted = Noted { what: "cash_load", about: card, before: "", after: &after };
    noted::write(&mut change, &on_desk.operator, noted).await?;
    change.commit().await
}

async fn strike_out(
    portal: &Portal,
    on_desk: &OnDesk,
    reference: &str,
    why: &str,
) -> Result<(), Failed> {
    let mut change = noted::begin(portal, &on_desk.operator).await?;
    let update = "UPDATE desk_cash SET refused = $1 WHERE reference = $2";
    sqlx::query(update).bind(why).bind(reference).execute(change.on()).await?;
    let noted = Noted { what: "refused", about: reference, before: "cash_load", after: why };
    noted::write(&mut change, &on_desk.operator, noted).await?;
    change.commit().await
}

/// Card, cents and refusal of what was written down by this reference.
async fn known(portal: &Portal, reference: &str) -> Result<Option<(String, i64, String)>, Failed> {
    let read = "SELECT card, amount, refused FROM desk_cash WHERE reference = $1";
    let read = sqlx::query_as(read).bind(reference);
    Ok(read.fetch_optional(portal.database().pool()).await?)
}

/// The entry of the card's load by this reference, among its newest.
fn entry_of(portal: &Portal, id: CardId, reference: &str) -> Option<u64> {
    let (page, _) = portal.durable().control().transactions(id, None, ENTRIES_SEEN).ok()?;
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str) == Some(reference);
    let found = page.items.iter().find(|item| text(item, "reference"))?;
    found.get("seq").and_then(Value::as_u64)
}

/// The newest cash that `whose` took; of everybody where nobody is named.
async fn taken(portal: &Portal, say: &Say, whose: &str) -> Result<Vec<Taken>, Failed> {
    type Row = (i64, String, String, i64, String, Option<i64>);
    let read = "SELECT cash.taken_at, cash.operator, cash.card, cash.amount, cash.refused, load.seq \
         FROM desk_cash cash LEFT JOIN load_projection load \
         ON load.name = cash.reference AND load.source = 'branch_cash' AND load.card = cash.card \
         WHERE $1 = '' OR cash.operator = $2 ORDER BY cash.taken_at DESC, cash.reference LIMIT $3";
    let read = sqlx::query_as(read).bind(whose).bind(whose).bind(TAKEN_SHOWN);
    let rows: Vec<Row> = read.fetch_all(portal.database().pool()).await?;
    let names = names(portal).await?;
    let control = portal.durable().control();
    let masked = |card: &str| {
        let card = control.id(card).and_then(|id| control.card(id).ok());
        card.map(|(card, _)| card.pan_masked).unwrap_or_default()
    };
    let each = rows.into_iter().map(|(at, operator, card, amount, refused, seq)| Taken {
        when: moment(at, say),
        who: names.get(&operator).cloned().unwrap_or_default(),
        card: masked(&card),
        amount: say.money(&amount),
        seq,
        refused: !refused.is_empty(),
    });
    Ok(each.collect())
}

/// Cents that `whose` took within the last day and did not give back.
async fn today(portal: &Portal, whose: &str) -> Result<i64, Failed> {
    let since = portal.durable().now().unix_ms.saturating_sub(DAY_MS).cast_signed();
    let read = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM desk_cash \
                WHERE refused = '' AND taken_at >= $1 AND ($2 = '' OR operator = $3)";
    let read = sqlx::query_scalar(read).bind(since).bind(whose).bind(whose);
    Ok(read.fetch_one(portal.database().pool()).await?)
}

const LAST_DIGITS: usize = 4;
const FORM_OCTETS_MAX: usize = 48;
const ENTRIES_SEEN: usize = 20;
const TAKEN_SHOWN: i64 = 30;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
