//! The desk's page of webhooks: who is told, what came of it, and a button to tell it again.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::delivery::{self, Attempt, Delivery, DeliveryState};
use super::endpoint::{self, Endpoint, EndpointState};
use crate::Portal;
use crate::card::history::when_ms;
use crate::desk::Nav;
use crate::desk::role::Deed;
use crate::identity::{OnDesk, Posted};
use crate::page::failed::Failed;
use crate::page::{Page, show as show_page};

/// An endpoint as it is shown.
struct Told {
    endpoint: Endpoint,
    waiting: i64,
}

#[derive(Template)]
#[template(path = "webhooks/webhooks.html")]
struct WebhooksPage {
    page: Page,
    nav: Nav,
    may_resend: bool,
    endpoints: Vec<Told>,
    /// The endpoint whose deliveries are shown.
    chosen: Option<Endpoint>,
    deliveries: Vec<Delivery>,
    /// The delivery behind which the next page begins.
    next: Option<String>,
}

impl WebhooksPage {
    fn when(&self, unix_ms: &i64) -> String {
        when_ms(*unix_ms, self.page.say.language())
    }

    /// What came of a try, in a word or two.
    fn outcome(&self, attempt: &Attempt) -> String {
        if attempt.status > 0 { attempt.status.to_string() } else { attempt.fault.clone() }
    }

    fn state(&self, endpoint: &Endpoint) -> String {
        self.page.say.text(match endpoint.state {
            EndpointState::Disabled => "webhooks-disabled",
            EndpointState::Enabled => "webhooks-enabled",
            EndpointState::Gone => "webhooks-gone",
        })
    }

    fn is_waiting(&self, delivery: &Delivery) -> bool {
        delivery.state == DeliveryState::Waiting
    }

    fn is_chosen(&self, endpoint: &Endpoint) -> bool {
        self.chosen.as_ref().is_some_and(|chosen| chosen.id == endpoint.id)
    }

    fn may_resend(&self) -> bool {
        let is_on = |chosen: &Endpoint| chosen.state == EndpointState::Enabled;
        self.may_resend && self.chosen.as_ref().is_some_and(is_on)
    }
}

/// Which deliveries are looked at.
#[derive(Deserialize)]
pub(super) struct Chosen {
    endpoint: Option<String>,
    after: Option<String>,
}

/// A form with nothing but its token.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `GET /desk/webhooks`
pub(super) async fn show(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Query(query): Query<Chosen>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeWebhooks, portal.durable().now().unix_ms)?;
    let mut endpoints = Vec::new();
    for endpoint in endpoint::all(&portal).await? {
        let waiting = delivery::waiting(&portal, &endpoint.id).await?;
        endpoints.push(Told { endpoint, waiting });
    }
    let chosen = match &query.endpoint {
        Some(id) => Some(endpoint::find(&portal, id).await?),
        None => endpoints.first().map(|first| first.endpoint.clone()),
    };
    let mut deliveries = match &chosen {
        Some(chosen) => {
            delivery::list(&portal, &chosen.id, query.after.as_deref(), SHOWN + 1).await?
        }
        None => Vec::new(),
    };
    let has_more = i64::try_from(deliveries.len()).is_ok_and(|count| count > SHOWN);
    if has_more {
        deliveries.pop();
    }
    let next = deliveries.last().filter(|_| has_more).map(|last| last.id.clone());
    let (nav, may_resend) = (Nav::of(&on_desk, &page.say), on_desk.has(Deed::ResendWebhook));
    let shown = WebhooksPage { page, nav, may_resend, endpoints, chosen, deliveries, next };
    Ok(show_page(StatusCode::OK, &shown))
}

/// `POST /desk/webhooks/{id}/resend`
pub(super) async fn resend(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(id): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::ResendWebhook, portal.durable().now().unix_ms)?;
    let sent = delivery::resend(&portal, &on_desk.operator, &id).await?;
    let back = format!("/desk/webhooks?endpoint={}", sent.endpoint);
    Ok(Redirect::to(&back).into_response())
}

/// Deliveries on a page.
const SHOWN: i64 = 25;
