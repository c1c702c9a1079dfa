//! What operators do about people: codes for new cards, recovery, and the audit.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use cekr_switch::http::ApiError;
use serde::{Deserialize, Serialize};

use super::account_notices::{self, AccountEvent};
use super::audit::{self, Change, Line, Written};
use super::codes::{self, Code, For};
use super::desk;
use super::holder::{HolderId, cards_of, holder_of};
use super::passkeys::{self, Owner};
use crate::Portal;
use crate::page::failed::Failed;

/// A code, shown once.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Made {
    /// Ten letters and digits with a dash; good once, for thirty days.
    code: String,
}

/// A holder, without anything that tells who they are.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Holder {
    /// Their id.
    id: String,
    /// Their cards' opaque ids.
    cards: Vec<String>,
    /// How many passkeys they have.
    passkeys: usize,
}

/// A page of holders.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Holders {
    data: Vec<Holder>,
    has_more: bool,
}

/// A page of the audit.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Lines {
    data: Vec<Written>,
    has_more: bool,
    /// Whether no line of this page was changed, left out or put in later, and the newest line that
    /// was ever written is still there.
    is_whole: bool,
}

#[derive(Deserialize)]
pub(super) struct OfCard {
    card: String,
}

#[derive(Deserialize)]
pub(super) struct Behind {
    starting_after: Option<i64>,
    limit: Option<i64>,
}

/// `POST /v1/cards/{id}/enrolment_codes`
pub(super) async fn make_code(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<Made>, ApiError> {
    let card = portal.durable().control().id(&id);
    let card = card.ok_or_else(|| ApiError::not_found("there is no such card"))?;
    match codes::for_card(&portal, card, audit::TOKEN).await {
        Ok(code) => Ok(Json(Made { code: code.expose() })),
        Err(Failed::Conflict(_)) => {
            let message = "the card has a holder; POST /v1/holders/{id}/recovery gives them a code";
            Err(ApiError::conflict("card_held", message))
        }
        Err(failed) => Err(answer(&failed)),
    }
}

/// `GET /v1/holders?card=ID`
pub(super) async fn find_holder(
    State(portal): State<Portal>,
    query: Result<Query<OfCard>, QueryRejection>,
) -> Result<Json<Holders>, ApiError> {
    let Query(of) = query.map_err(|rejection| bad_query(&rejection))?;
    let holder = holder_of(&portal, &of.card).await.map_err(|failed| answer(&failed))?;
    let mut data = Vec::new();
    if let Some(holder) = holder {
        data.push(view(&portal, &holder).await.map_err(|failed| answer(&failed))?);
    }
    Ok(Json(Holders { data, has_more: false }))
}

/// `POST /v1/holders/{id}/recovery`: every way to sign in ends and every session, and a code begins
/// anew.
pub(super) async fn recover(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<Made>, ApiError> {
    let holder = HolderId::of(id);
    let code = recovered(&portal, &holder, audit::TOKEN).await.map_err(|failed| answer(&failed))?;
    Ok(Json(Made { code: code.expose() }))
}

/// Ends every way in that a holder has, and makes the code with which they begin anew.
///
/// # Errors
/// [`Failed::NotFound`] where nobody has this id.
pub(crate) async fn recovered(
    portal: &Portal,
    holder: &HolderId,
    who: &str,
) -> Result<Code, Failed> {
    let before = view(portal, holder).await?;
    let mut change = Change::begin(portal).await?;
    for delete in [
        "DELETE FROM passkey WHERE face = 'holder' AND subject = $1",
        "DELETE FROM provider_identity WHERE holder = $1",
        "DELETE FROM session WHERE face = 'holder' AND subject = $1",
    ] {
        sqlx::query(delete).bind(holder.as_str()).execute(change.on()).await?;
    }
    let code = codes::make(&mut change, &For::Holder(holder), portal).await?;
    let (was, about) = (format!("{} passkeys", before.passkeys), holder.as_str());
    let what = "recovery";
    let line = Line { who, what, about, before: &was, after: "0 passkeys, a code" };
    change.note(line).await?;
    let now_ms = portal.durable().now().unix_ms;
    account_notices::tell(&mut change, about, AccountEvent::Recovered, "", now_ms).await?;
    change.commit().await?;
    Ok(code)
}

/// `GET /v1/audit`
pub(super) async fn audit(
    State(portal): State<Portal>,
    query: Result<Query<Behind>, QueryRejection>,
) -> Result<Json<Lines>, ApiError> {
    let Query(behind) = query.map_err(|rejection| bad_query(&rejection))?;
    let limit = behind.limit.unwrap_or(LIMIT_USUAL);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::invalid("bad_limit", "limit is 1 to 100").of("limit"));
    }
    let after = behind.starting_after.unwrap_or(0);
    if after < 0 {
        let message = "starting_after is a line's number";
        return Err(ApiError::invalid("bad_cursor", message).of("starting_after"));
    }
    let read = audit::read(&portal, after, limit + 1).await;
    let (mut data, is_whole) = read.map_err(|failed| answer(&failed))?;
    let has_more = i64::try_from(data.len()).is_ok_and(|count| count > limit);
    if has_more {
        data.pop();
    }
    Ok(Json(Lines { data, has_more, is_whole }))
}

async fn view(portal: &Portal, holder: &HolderId) -> Result<Holder, Failed> {
    let read = sqlx::query_scalar("SELECT COUNT(*) FROM holder WHERE id = $1");
    let count: i64 = read.bind(holder.as_str()).fetch_one(portal.database().pool()).await?;
    if count == 0 {
        return Err(Failed::NotFound);
    }
    let control = portal.durable().control();
    let cards = cards_of(portal, holder).await?;
    let cards = cards.into_iter().filter_map(|id| Some(control.card(id).ok()?.0.id)).collect();
    let passkeys = passkeys::devices(portal, &Owner::holder(holder)).await?.len();
    Ok(Holder { id: holder.as_str().to_owned(), cards, passkeys })
}

/// `POST /v1/operators`
pub(super) async fn make_operator(
    State(portal): State<Portal>,
    body: Result<Json<desk::New>, JsonRejection>,
) -> Result<Json<desk::Made>, ApiError> {
    let Json(new) =
        body.map_err(|rejection| ApiError::invalid("invalid_body", rejection.body_text()))?;
    match desk::make(&portal, new).await {
        Ok(made) => Ok(Json(made)),
        Err(Failed::Unprocessable(code)) => {
            Err(ApiError::invalid(code, "a name has 1 to 60 characters").of("name"))
        }
        Err(failed) => Err(answer(&failed)),
    }
}

fn bad_query(rejection: &QueryRejection) -> ApiError {
    ApiError::invalid("invalid_query", rejection.body_text())
}

/// The failure in the API's words.
pub(super) fn answer(failed: &Failed) -> ApiError {
    match failed {
        Failed::NotFound => ApiError::not_found("there is no such thing"),
        Failed::Conflict(code) => ApiError::conflict(code, "its state does not allow this"),
        Failed::Unprocessable(code) => ApiError::invalid(code, "this cannot be understood"),
        Failed::Forbidden
        | Failed::Internal
        | Failed::Role(_)
        | Failed::StepUp(_)
        | Failed::TooMany { .. }
        | Failed::TryLater => ApiError::try_later("no room now; try again"),
    }
}

const LIMIT_USUAL: i64 = 20;
const LIMIT_MAX: i64 = 100;
