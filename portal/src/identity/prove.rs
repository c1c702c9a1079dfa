//! The page that asks somebody who is signed in to prove it anew, and leads back.

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::ceremonies::Ceremony;
use super::local_path::LocalPath;
use super::passkeys::{self, Owner};
use super::posted::{FromUs, Posted};
use super::rekono::is_theirs;
use super::session::SignedIn;
use super::sign_in::{Answer, Next, begin_session, keep, lead};
use crate::Portal;
use crate::page::failed::Failed;
use crate::page::{Page, show as show_page};

#[derive(Template)]
#[template(path = "identity/prove.html")]
struct Prove {
    page: Page,
    next: LocalPath,
    fault: Option<&'static str>,
    rekono: bool,
}

/// `GET /prove`
pub(super) async fn show(who: SignedIn, page: Page, Query(query): Query<Next>) -> Response {
    let next = LocalPath::or_start(query.next.as_deref());
    show_page(StatusCode::OK, &Prove { page, next, fault: None, rekono: is_theirs(&who) })
}

/// `POST /prove/begin`
pub(super) async fn begin(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUs,
) -> Result<Json<Value>, Failed> {
    let owner = Owner::holder(&who.holder);
    let (options, state) = passkeys::ask_owner(&portal, &owner).await?;
    keep(&portal, Ceremony::Prove(owner, state), &options)
}

/// `POST /prove/finish`
pub(super) async fn finish(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    headers: HeaderMap,
    Posted(answer): Posted<Answer>,
) -> Result<Response, Failed> {
    let next = LocalPath::or_start(answer.next.as_deref());
    let now_ms = portal.durable().now().unix_ms;
    let again = |fault| {
        let prove = Prove { page, next: next.clone(), fault: Some(fault), rekono: is_theirs(&who) };
        Ok(show_page(StatusCode::UNPROCESSABLE_ENTITY, &prove))
    };
    let (owner, state) = match portal.identity().ceremonies().take(&answer.ceremony, now_ms) {
        Some(Ceremony::Prove(owner, state)) if owner == Owner::holder(&who.holder) => {
            (owner, state)
        }
        Some(_) | None => return again("identity-too-late"),
    };
    match passkeys::check_owner(&portal, &owner, &answer.credential, &state).await {
        Ok(()) => {}
        Err(Failed::Unprocessable(fault)) => return again(fault),
        Err(failed) => return Err(failed),
    }
    let cookie = begin_session(&portal, &who.holder, &headers).await?;
    Ok(lead(&next, Some(cookie)))
}
