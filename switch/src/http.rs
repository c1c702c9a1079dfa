//! The control API: cards, loads, history, live events, books, health, metrics.
//!
//! JSON over HTTP/1.1 below `/v1`, in the conventions of Stripe's API: one error shape, pages,
//! `Idempotency-Key`, a `Request-Id` on every answer. Whoever calls with the operator's token may
//! do everything; `/healthz`, `/readyz`, `/metrics` and the description need none. An answer tells
//! nothing that is not durable: it waits for the newest entry behind what it shows.
//!
//! Every route stands in one table, and a test holds that table against `openapi.json`.

mod cards;
mod clearing;
mod connections;
mod error;
pub(crate) mod events;
mod extension;
mod idempotency;
mod issue;
mod json;
mod operations;
mod points;
mod quote;
mod scripts;
pub(crate) mod token;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, any, on};
use cekr_issuer::{Policy, Seq};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::HttpConfig;
use crate::control::{Control, Durable, JournalFailed};
use crate::entropy;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::shutdown::Stop;
use crate::sync::{Arc, AtomicU64, Ordering};
pub use error::ApiError;
pub use extension::Extension;
use idempotency::Idempotency;
pub use quote::quotable;
use token::Token;
pub use token::TokenPlace;

/// What the API is made of.
pub(crate) struct ApiParts {
    pub(crate) durable: Durable,
    pub(crate) policy: Arc<Policy>,
    pub(crate) metrics: Metrics,
    pub(crate) token: Token,
    pub(crate) settings: HttpConfig,
    pub(crate) extension: Extension,
}

/// What every handler sees; cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    parts: ApiParts,
    idempotency: Idempotency,
    /// First half of the request ids: drawn at start, so that two runs share none.
    run: u32,
    requests: AtomicU64,
    /// The description, others' parts included.
    openapi: String,
}

impl Api {
    pub(crate) fn new(parts: ApiParts) -> Api {
        let mut run = [0; 4];
        entropy::fill(&mut run);
        let idempotency = Idempotency::new(parts.settings.idempotency_max);
        let run = u32::from_be_bytes(run);
        let openapi = parts.extension.described(operations::OPENAPI);
        let requests = AtomicU64::new(0);
        Api { inner: Arc::new(Inner { parts, idempotency, run, requests, openapi }) }
    }

    fn durably(&self) -> &Durable {
        &self.inner.parts.durable
    }

    fn control(&self) -> &Control {
        self.durably().control()
    }

    fn policy(&self) -> &Policy {
        &self.inner.parts.policy
    }

    fn journal(&self) -> &Journal {
        self.durably().journal()
    }

    fn clock(&self) -> &Clock {
        self.durably().clock()
    }

    fn metrics(&self) -> &Metrics {
        &self.inner.parts.metrics
    }

    fn idempotency(&self) -> &Idempotency {
        &self.inner.idempotency
    }

    fn body_octets_max(&self) -> usize {
        usize::try_from(self.inner.parts.settings.body_octets_max).unwrap_or(usize::MAX)
    }

    fn openapi(&self) -> &str {
        &self.inner.openapi
    }

    /// Waits until the entry `seq`, and with it all before, is durable.
    ///
    /// # Errors
    /// 503 if the journal has failed, so that it never will be.
    async fn durable(&self, seq: Seq) -> Result<(), ApiError> {
        let failed = |failed: JournalFailed| ApiError::try_later(&failed.to_string());
        self.durably().wait(seq).await.map_err(failed)
    }
}

/// One route of the API.
pub(crate) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds it against openapi.json"))]
    method: Method,
    /// As the router and `openapi.json` write it.
    path: &'static str,
    access: Access,
    handler: MethodRouter<Api>,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Access {
    /// Whoever reaches the port.
    Anyone,
    /// Whoever has the operator's token.
    Operator,
}

/// Every route that there is.
fn routes() -> Vec<Route> {
    use Access::{Anyone, Operator};
    let (get, patch, post) = (Method::GET, Method::PATCH, Method::POST);
    vec![
        route(&get, "/healthz", Anyone, operations::healthz),
        route(&get, "/readyz", Anyone, operations::readyz),
        route(&get, "/metrics", Anyone, operations::metrics),
        route(&get, "/v1/openapi.json", Anyone, operations::openapi),
        route(&get, "/v1/advantage/merchants", Operator, points::enrolled),
        route(&get, "/v1/books", Operator, operations::books),
        route(&post, "/v1/clearing", Operator, clearing::clear),
        route(&get, "/v1/events", Operator, events::stream),
        route(&get, "/v1/cards", Operator, cards::list),
        route(&post, "/v1/cards", Operator, issue::issue),
        route(&get, "/v1/cards/{id}", Operator, cards::show),
        route(&patch, "/v1/cards/{id}", Operator, cards::update),
        route(&post, "/v1/cards/{id}/activate", Operator, cards::activate),
        route(&post, "/v1/cards/{id}/lock", Operator, cards::lock),
        route(&post, "/v1/cards/{id}/unlock", Operator, cards::unlock),
        route(&post, "/v1/cards/{id}/report", Operator, cards::report),
        route(&post, "/v1/cards/{id}/loads", Operator, cards::load),
        route(&get, "/v1/cards/{id}/points", Operator, points::show),
        route(&get, "/v1/cards/{id}/points/history", Operator, points::history),
        route(&get, "/v1/cards/{id}/scripts", Operator, scripts::list),
        route(&post, "/v1/cards/{id}/scripts", Operator, scripts::ask),
        route(&get, "/v1/cards/{id}/transactions", Operator, cards::transactions),
    ]
}

fn route<H, T>(method: &Method, path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, Api>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    Route { method: method.clone(), path, access, handler: on(filter, handler) }
}

/// The router of the whole API.
pub(crate) fn router(api: &Api) -> Router {
    let (operator, anyone): (Vec<_>, Vec<_>) =
        routes().into_iter().partition(|route| route.access == Access::Operator);
    let add = |router: Router<Api>, route: Route| router.route(route.path, route.handler);
    let theirs = &api.inner.parts.extension;
    let authorized = middleware::from_fn_with_state(api.clone(), authorize);
    let operator = operator
        .into_iter()
        .fold(Router::new(), add)
        .merge(theirs.operator.clone().with_state(()))
        .layer(middleware::from_fn_with_state(api.clone(), idempotency::layer))
        .merge(theirs.uploads.clone().with_state(()))
        .layer(authorized);
    let known =
        anyone.into_iter().fold(Router::new(), add).merge(theirs.anyone.clone().with_state(()));
    let all = known
        .merge(operator)
        .route("/v1/{*path}", any(unknown_path))
        .method_not_allowed_fallback(unknown_method);
    let all = match &theirs.pages {
        Some(pages) => all.fallback_service(pages.clone()),
        None => all.fallback(unknown_path),
    };
    all.layer(DefaultBodyLimit::max(api.body_octets_max()))
        .layer(middleware::from_fn_with_state(api.clone(), name_request))
        .with_state(api.clone())
}

/// Serves the API until the switch stops.
pub(crate) async fn serve(socket: TcpListener, api: Api, mut stop: watch::Receiver<Stop>) {
    let (settings, metrics) = (&api.inner.parts.settings, api.metrics());
    let serving = connections::serve(socket, router(&api), settings, metrics, stop.clone());
    let deadline = async move {
        let _ = stop.wait_for(|stop| *stop == Stop::Drain).await;
        // A caller that keeps its connection busy must not keep the switch from ending.
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        () = serving => {}
        () = deadline => {}
    }
}

/// Refuses calls without the operator's token.
async fn authorize(State(api): State<Api>, request: Request, next: Next) -> Response {
    let sent = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match sent {
        Some(token) if api.inner.parts.token.matches(token) => next.run(request).await,
        Some(_) => {
            api.metrics().edge().http_unauthorized.add_shared(1);
            ApiError::unauthorized("the bearer token is not the operator's").into_response()
        }
        None => {
            api.metrics().edge().http_unauthorized.add_shared(1);
            ApiError::unauthorized("operator calls carry `Authorization: Bearer TOKEN`")
                .into_response()
        }
    }
}

/// Gives every answer an id that the log has too.
async fn name_request(State(api): State<Api>, request: Request, next: Next) -> Response {
    let number = api.inner.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let id = format!("req_{:08x}{number:08x}", api.inner.run);
    api.metrics().edge().http_requests.add_shared(1);
    let method = request.method().clone();
    let path = quotable(request.uri().path()).into_owned();
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    tracing::debug!(%method, path, status, request_id = id, "control API");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
    response
}

async fn unknown_path(request: Request) -> ApiError {
    ApiError::not_found(format!("there is no {}; see /v1/openapi.json", request.uri().path()))
}

async fn unknown_method(request: Request) -> ApiError {
    let message = format!("{} is not possible on {}", request.method(), request.uri().path());
    ApiError::with_status(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// How long calls may take to end after a stop.
const DRAIN_MAX: std::time::Duration = std::time::Duration::from_millis(1_500);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_has_each_route_and_no_other() {
        let described: serde_json::Value = serde_json::from_str(operations::OPENAPI).unwrap();
        assert_eq!(described["openapi"], "3.1.0");
        let mut in_description = BTreeSet::new();
        for (path, item) in described["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                assert!(operation["operationId"].is_string(), "{method} {path}");
                assert!(operation["responses"]["200"].is_object(), "{method} {path}");
                let open = operation["security"].as_array().is_some_and(Vec::is_empty);
                in_description.insert((method.to_uppercase(), path.clone(), open));
            }
        }
        let in_router: BTreeSet<_> = routes()
            .into_iter()
            .map(|route| {
                let open = route.access == Access::Anyone;
                (route.method.to_string(), route.path.to_owned(), open)
            })
            .collect();
        assert_eq!(in_description, in_router);
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        fn check(value: &serde_json::Value, root: &serde_json::Value) {
            if let Some(reference) = value["$ref"].as_str() {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(root.pointer(pointer).is_some(), "{reference}");
            }
            let parts = value.as_array().into_iter().flatten();
            let named = value.as_object().into_iter().flat_map(|all| all.values());
            parts.chain(named).for_each(|part| check(part, root));
        }
        let described: serde_json::Value = serde_json::from_str(operations::OPENAPI).unwrap();
        check(&described, &described);
    }
}
