//! An OpenID Connect provider, as Rekono is one: asked who somebody is, and its answer checked.
//!
//! Code flow with PKCE (S256), `state` and `nonce`; the ID token's signature, issuer, audience and
//! time are checked, and only what it says is believed. How sure the provider is stands in a claim
//! that the settings name; what is not known there is the lowest level. Sources: OpenID Connect
//! Core 1.0 section 3.1, RFC 7636.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse as _,
};
use serde_json::Value;

use super::level::Level;
use crate::outbound::{Bounds, Outbound, SendError, Target};
use crate::settings::Rekono;

/// The provider of the settings.
pub(super) struct Provider {
    settings: Rekono,
    redirect: RedirectUrl,
    outbound: Outbound,
    /// What it says of itself, and since when that is known, in milliseconds since 1970.
    metadata: tokio::sync::Mutex<Option<(u64, CoreProviderMetadata)>>,
}

/// What must come back with the answer.
pub(super) struct Question {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Who somebody is, by the provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Vouched {
    /// The provider.
    pub issuer: String,
    /// Its name for them.
    pub sub: String,
    /// How sure it is.
    pub level: Level,
    /// When they proved it, in milliseconds since 1970; 0 where it does not say.
    pub proven_at: u64,
}

/// Whether somebody who is signed in there already may pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ask {
    /// Whoever is signed in there.
    Anyone,
    /// Proven anew.
    Anew,
}

/// Why the provider's answer is not believed. The log says more.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    /// It does not answer, or not as a provider does.
    #[error("the provider of [rekono] cannot be used: {0}")]
    Unusable(String),
    /// Its answer is not right.
    #[error("the provider's answer is refused: {0}")]
    Refused(String),
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Provider {
    pub(super) fn new(
        settings: &Rekono,
        public_url: &str,
        outbound: &Outbound,
    ) -> Option<Provider> {
        let redirect = RedirectUrl::new(format!("{public_url}{CALLBACK}")).ok()?;
        let metadata = tokio::sync::Mutex::default();
        let (settings, outbound) = (settings.clone(), outbound.clone());
        Some(Provider { settings, redirect, outbound, metadata })
    }

    /// What to ask, and what must come back. `draw` gets the question and names it.
    ///
    /// # Errors
    /// [`ProviderError::Unusable`].
    pub(super) async fn question(
        &self,
        ask: Ask,
        now_ms: u64,
    ) -> Result<(Question, impl FnOnce(String) -> String + use<>), ProviderError> {
        let client = self.client(now_ms).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = Nonce::new_random();
        let question = Question { nonce: nonce.clone(), verifier };
        let address = move |state: String| {
            let flow = CoreAuthenticationFlow::AuthorizationCode;
            let mut request = client
                .authorize_url(flow, move || CsrfToken::new(state), move || nonce)
                .add_scope(Scope::new("profile".to_owned()))
                .set_pkce_challenge(challenge);
            if ask == Ask::Anew {
                request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
            }
            request.url().0.to_string()
        };
        Ok((question, address))
    }

    /// Who came back with `code`.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub(super) async fn answer(
        &self,
        question: Question,
        code: String,
        now_ms: u64,
    ) -> Result<Vouched, ProviderError> {
        let client = self.client(now_ms).await?;
        let refused = |what: &dyn std::fmt::Display| ProviderError::Refused(what.to_string());
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::Unusable(error.to_string()))?
            .set_pkce_verifier(question.verifier);
        let http = |request| send(self.outbound.clone(), request);
        let response = request.request_async(&http).await.map_err(|error| refused(&error))?;
        let token = response.id_token().ok_or_else(|| refused(&"it has no ID token"))?;
        let now = UNIX_EPOCH + Duration::from_millis(now_ms);
        let verifier = client.id_token_verifier().set_time_fn(move || now.into());
        let claims = token.claims(&verifier, &question.nonce).map_err(|error| refused(&error))?;
        let said_at = claims.auth_time().map(|at| at.timestamp()).unwrap_or_default();
        let said_at = u64::try_from(said_at).unwrap_or_default().saturating_mul(1_000);
        // A clock ahead of ours makes no proof fresher than it is.
        let proven_at = said_at.min(now_ms);
        Ok(Vouched {
            issuer: claims.issuer().to_string(),
            sub: claims.subject().to_string(),
            level: self.level(token),
            proven_at,
        })
    }

    /// The level that a checked token tells.
    fn level(&self, token: &CoreIdToken) -> Level {
        level_in(&self.settings, &token.to_string())
    }

    async fn client(&self, now_ms: u64) -> Result<Client, ProviderError> {
        let metadata = self.metadata(now_ms).await?;
        let id = ClientId::new(self.settings.client_id.clone());
        let secret = self.settings.client_secret.expose();
        let secret = (!secret.is_empty()).then(|| ClientSecret::new(secret.to_owned()));
        let client = CoreClient::from_provider_metadata(metadata, id, secret);
        Ok(client.set_redirect_uri(self.redirect.clone()))
    }

    async fn metadata(&self, now_ms: u64) -> Result<CoreProviderMetadata, ProviderError> {
        let mut known = self.metadata.lock().await;
        if let Some((since_ms, metadata)) = &*known
            && now_ms.saturating_sub(*since_ms) < METADATA_MS
        {
            return Ok(metadata.clone());
        }
        let unusable = |error: &dyn std::fmt::Display| ProviderError::Unusable(error.to_string());
        let issuer =
            IssuerUrl::new(self.settings.issuer.clone()).map_err(|error| unusable(&error))?;
        let http = |request| send(self.outbound.clone(), request);
        let found = CoreProviderMetadata::discover_async(issuer, &http).await;
        let found = found.map_err(|error| unusable(&error))?;
        *known = Some((now_ms, found.clone()));
        Ok(found)
    }
}

/// The level that a token tells whose signature was checked.
pub(crate) fn level_in(settings: &Rekono, token: &str) -> Level {
    let body = token.split('.').nth(1).and_then(|body| URL_SAFE_NO_PAD.decode(body).ok());
    let body: Option<Value> = body.and_then(|body| serde_json::from_slice(&body).ok());
    level_of(settings, body.as_ref().and_then(|body| body.get(&settings.level_claim)))
}

/// The level of a claim's value, text or number; what the settings do not name is the lowest.
fn level_of(settings: &Rekono, claim: Option<&Value>) -> Level {
    let value = match claim {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_)) | None => {
            return Level::Low;
        }
    };
    match value {
        value if value.is_empty() => Level::Low,
        value if value == settings.level_30 => Level::High,
        value if value == settings.level_20 => Level::Medium,
        _ => Level::Low,
    }
}

async fn send(outbound: Outbound, request: HttpRequest) -> Result<HttpResponse, SendError> {
    outbound.send(Target::Named, request, Bounds::default()).await
}

/// Where the provider sends people back to.
pub(super) const CALLBACK: &str = "/rekono/callback";
/// How long its description and keys are good.
const METADATA_MS: u64 = 10 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_level_is_the_lowest() {
        let settings =
            Rekono { level_20: "20".into(), level_30: "high".into(), ..Rekono::default() };
        let level = |claim: Value| level_of(&settings, Some(&claim));
        assert_eq!(level(json!("high")), Level::High);
        assert_eq!(level(json!(20)), Level::Medium);
        for claim in [json!("30"), json!(""), json!(["high"]), json!(null), json!(true)] {
            assert_eq!(level(claim), Level::Low);
        }
        assert_eq!(level_of(&settings, None), Level::Low);
        let unset = Rekono::default();
        assert_eq!(level_of(&unset, Some(&json!(""))), Level::Low);
    }
}
