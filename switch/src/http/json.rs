//! Bodies and queries as typed values: unknown fields refused, faults told in the API's shape.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Api;
use super::error::ApiError;

/// A JSON body; an empty one reads as `{}`.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<JsonBody<T>, ApiError> {
        let octets = Bytes::from_request(request, api).await.map_err(|rejection| {
            let status = rejection.status();
            let code = match status {
                StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
                _ => "invalid_body",
            };
            ApiError::with_status(status, code, rejection.body_text())
        })?;
        let octets = if octets.trim_ascii().is_empty() { b"{}".as_slice() } else { &octets };
        serde_json::from_slice(octets)
            .map(JsonBody)
            .map_err(|error| ApiError::invalid("invalid_body", error.to_string()))
    }
}

/// The parameters of a query.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Parameters<T>, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Parameters(value))
            .map_err(|rejection| ApiError::invalid("invalid_query", rejection.body_text()))
    }
}

/// How many items a page may have, as the caller asked.
///
/// # Errors
/// If it is not 1 to 100.
pub(super) fn page_items(limit: Option<u32>) -> Result<usize, ApiError> {
    match limit.unwrap_or(PAGE_ITEMS) {
        limit @ 1..=PAGE_ITEMS_MAX => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
        _ => Err(ApiError::invalid("invalid_limit", "limit is 1 to 100").of("limit")),
    }
}

const PAGE_ITEMS: u32 = 20;
const PAGE_ITEMS_MAX: u32 = 100;
