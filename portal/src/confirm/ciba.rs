//! Purchases confirmed at an OpenID provider, as Rekono is one: CIBA in its poll mode.
//!
//! The provider shows amount and payee on the holder's device (`binding_message`), and is asked
//! from time to time what came of it. Only an ID token that it signed for this very holder, at the
//! highest level and since the question, approves. Source: OpenID Connect Client-Initiated
//! Backchannel Authentication Flow, Core 1.0, sections 7 (request), 10.1 and 11 (token).

mod protocol;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cekr_issuer::confirmation::PENDING_MS;
use cekr_issuer::{CardId, ConfirmationEnd, ConfirmationId};
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{ClientId, IssuerUrl, Nonce};
use serde_json::Value;

use super::answer::{self, Asked};
use super::channel::{ConfirmationChannel, Resumed, Soon};
use super::evidence::{Evidence, Given};
use super::open::{self, Channel};
use super::shown;
use crate::Portal;
use crate::acs::purchase::Purchase;
use crate::acs::shown_amount;
use crate::identity::{Level, provider_level, secret};
use crate::outbound::{Bounds, Target};
use crate::page::failed::Failed;
use crate::page::texts::Language;
use crate::settings::Rekono;
use protocol::{Call, Started, Turn};

/// The provider of the settings.
#[derive(Clone)]
pub struct Ciba {
    inside: Arc<Inside>,
}

struct Inside {
    settings: Rekono,
    /// What it says of itself, and since when that is known, in milliseconds since 1970.
    known: tokio::sync::Mutex<Option<(u64, Arc<Described>)>>,
}

/// The provider's endpoints and keys.
struct Described {
    backchannel: String,
    token: String,
    keys: CoreJsonWebKeySet,
}

/// Why the provider could not be asked, or its answer is not believed.
#[derive(Debug, thiserror::Error)]
enum CibaError {
    #[error("the provider of [rekono] cannot be used: {0}")]
    Unusable(String),
    #[error("the provider's token is refused: {0}")]
    Refused(String),
    #[error("{0:?}")]
    Ours(Failed),
}

impl From<Failed> for CibaError {
    fn from(failed: Failed) -> Self {
        Self::Ours(failed)
    }
}

impl Ciba {
    pub(super) fn new(settings: &Rekono) -> Ciba {
        let known = tokio::sync::Mutex::default();
        Ciba { inside: Arc::new(Inside { settings: settings.clone(), known }) }
    }
}

impl ConfirmationChannel for Ciba {
    fn name(&self) -> Channel {
        Channel::Ciba
    }

    fn is_enrolled<'a>(&'a self, portal: &'a Portal, card: CardId) -> Soon<'a, bool> {
        Box::pin(async move { Ok(self.name_of(portal, card).await?.is_some()) })
    }

    fn start(&self, portal: &Portal, purchase: &Purchase, expires_at: u64) {
        let (ciba, portal, purchase) = (self.clone(), portal.clone(), purchase.clone());
        tokio::spawn(async move {
            let (id, card) = (purchase.id, purchase.card);
            match ciba.ask(&portal, &purchase).await {
                Ok(Some(Started { request, interval_s })) => {
                    let asked = Resumed { id, card, request, interval_s, expires_at };
                    ciba.follow(&portal, asked).await;
                }
                Ok(None) => give_up(&portal, id).await,
                Err(error) => {
                    tracing::error!(%error, %id, "a holder cannot be asked");
                    give_up(&portal, id).await;
                }
            }
        });
    }

    fn resume(&self, portal: &Portal, asked: Resumed) {
        let (ciba, portal) = (self.clone(), portal.clone());
        tokio::spawn(async move { ciba.follow(&portal, asked).await });
    }
}

impl Ciba {
    /// The provider's name for the card's holder.
    async fn name_of(&self, portal: &Portal, card: CardId) -> Result<Option<String>, Failed> {
        let read = "SELECT i.sub FROM provider_identity i JOIN held_card h ON h.holder = i.holder \
                    WHERE h.card = $1 AND i.issuer = $2 ORDER BY i.made_at LIMIT 1";
        let read = sqlx::query_scalar(read).bind(shown::token(portal, card)?);
        let read = read.bind(&self.inside.settings.issuer);
        Ok(read.fetch_optional(portal.database().pool()).await?)
    }

    /// Sends the question; `None` where the provider does not want to ask this holder.
    async fn ask(
        &self,
        portal: &Portal,
        purchase: &Purchase,
    ) -> Result<Option<Started>, CibaError> {
        let Some(sub) = self.name_of(portal, purchase.card).await? else { return Ok(None) };
        let described = self.described(portal).await?;
        let say = portal.texts().say(Language::parse(purchase.language).unwrap_or_default());
        let amount = shown_amount(&say, purchase.amount, purchase.currency);
        let payee: String = purchase.payee.chars().take(PAYEE_CHARS_MAX).collect();
        let message = format!("{payee}: {amount}");
        let expiry = (PENDING_MS / 1_000).to_string();
        let fields = [
            ("scope", "openid"),
            ("login_hint", &*sub),
            ("binding_message", &*message),
            ("requested_expiry", &*expiry),
            ("acr_values", &*self.inside.settings.level_30),
        ];
        let call = Call::of(&self.inside.settings, &described.backchannel, &fields);
        let (status, body) = send(portal, &call).await?;
        let Some(started) = Started::read(status, &body) else {
            tracing::warn!(status, id = %purchase.id, "the provider does not ask a holder");
            return Ok(None);
        };
        let note = "UPDATE confirm_open SET request = $1, interval_s = $2 WHERE id = $3";
        let note = sqlx::query(note).bind(&started.request);
        let note = note.bind(i64::try_from(started.interval_s).unwrap_or(i64::MAX));
        let note = note.bind(purchase.id.to_string()).execute(portal.database().pool()).await;
        note.map_err(Failed::from)?;
        Ok(Some(started))
    }

    /// Asks what came of it, until something has or it waits no more.
    async fn follow(&self, portal: &Portal, asked: Resumed) {
        let mut interval_s = asked.interval_s;
        loop {
            tokio::select! {
                () = portal.durable().stopped() => return,
                () = tokio::time::sleep(Duration::from_secs(interval_s)) => {}
            }
            if !portal.confirm().open().has(asked.id) {
                return;
            }
            let turn = match self.turn(portal, &asked.request).await {
                Ok(turn) => turn,
                Err(error) => {
                    tracing::warn!(%error, id = %asked.id, "the provider is asked again");
                    continue;
                }
            };
            let done = match turn {
                Turn::Pending => continue,
                Turn::SlowDown => {
                    interval_s = interval_s.saturating_add(protocol::SLOWER_S);
                    continue;
                }
                Turn::Denied => end(portal, asked.id, ConfirmationEnd::Denied).await,
                Turn::Expired => end(portal, asked.id, ConfirmationEnd::Expired).await,
                Turn::Granted(token) => self.granted(portal, &asked, &token).await,
                Turn::Failed => return give_up(portal, asked.id).await,
            };
            match done {
                Ok(()) => return,
                Err(error @ CibaError::Refused(_)) => {
                    tracing::error!(%error, id = %asked.id, "a confirmation is not believed");
                    return give_up(portal, asked.id).await;
                }
                // What is left undone is finished by whoever looks for it.
                Err(error) => {
                    return tracing::warn!(%error, id = %asked.id, "an answer came too late");
                }
            }
        }
    }

    async fn turn(&self, portal: &Portal, request: &str) -> Result<Turn, CibaError> {
        let described = self.described(portal).await?;
        let fields = [("grant_type", protocol::GRANT), ("auth_req_id", request)];
        let call = Call::of(&self.inside.settings, &described.token, &fields);
        let (status, body) = send(portal, &call).await?;
        Ok(Turn::read(status, &body))
    }

    /// The holder agreed: the token says who, and is kept.
    async fn granted(
        &self,
        portal: &Portal,
        asked: &Resumed,
        token: &str,
    ) -> Result<(), CibaError> {
        let sub = self.name_of(portal, asked.card).await?.unwrap_or_default();
        let described = self.described(portal).await?;
        let now_ms = portal.durable().now().unix_ms;
        let since_ms = asked.expires_at.saturating_sub(PENDING_MS);
        self.believe(&described.keys, token, &sub, since_ms, now_ms)?;
        let purchase = answer::asked(portal, asked.id).await?.ok_or(Failed::NotFound)?;
        if !purchase.waits(now_ms) {
            return Err(Failed::Conflict("confirm-late").into());
        }
        let taken = open::take(portal, asked.id).ok_or(Failed::Conflict("confirm-answered"))?;
        write(portal, &purchase, &sub, token).await?;
        answer::approve_taken(portal, &taken).await?;
        Ok(())
    }

    /// Whether a token is the provider's, about `sub`, at the highest level and no older than the
    /// question.
    fn believe(
        &self,
        keys: &CoreJsonWebKeySet,
        token: &str,
        sub: &str,
        since_ms: u64,
        now_ms: u64,
    ) -> Result<(), CibaError> {
        let refused = |what: &dyn std::fmt::Display| CibaError::Refused(what.to_string());
        let settings = &self.inside.settings;
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| refused(&error))?;
        let client = ClientId::new(settings.client_id.clone());
        let now = UNIX_EPOCH + Duration::from_millis(now_ms);
        let verifier = CoreIdTokenVerifier::new_public_client(client, issuer, keys.clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now.into());
        let parsed = CoreIdToken::from_str(token).map_err(|error| refused(&error))?;
        // Nobody's browser carried this token: there is no nonce to compare.
        let claims = parsed.claims(&verifier, |_: Option<&Nonce>| Ok(()));
        let claims = claims.map_err(|error| refused(&error))?;
        if sub.is_empty() || claims.subject().as_str() != sub {
            return Err(refused(&"it is about somebody else"));
        }
        let issued_ms = claims.issue_time().timestamp().saturating_mul(1_000);
        if u64::try_from(issued_ms).unwrap_or_default().saturating_add(CLOCKS_MS) < since_ms {
            return Err(refused(&"it is older than the question"));
        }
        if provider_level(settings, token) != Level::High {
            return Err(refused(&"it is not of level 30"));
        }
        Ok(())
    }

    async fn described(&self, portal: &Portal) -> Result<Arc<Described>, CibaError> {
        let now_ms = portal.durable().now().unix_ms;
        let mut known = self.inside.known.lock().await;
        if let Some((since_ms, described)) = &*known
            && now_ms.saturating_sub(*since_ms) < DESCRIBED_MS
        {
            return Ok(described.clone());
        }
        let issuer = &self.inside.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let said = read(portal, &address).await?;
        let part = |name: &str| {
            let text = said.get(name).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| CibaError::Unusable(format!("{address} has no {name}")))
        };
        if part("issuer")? != *issuer {
            return Err(CibaError::Unusable(format!("{address} is of another issuer")));
        }
        let keys = read(portal, &part("jwks_uri")?).await?;
        let keys = serde_json::from_value(keys)
            .map_err(|error| CibaError::Unusable(format!("its keys cannot be read: {error}")))?;
        let backchannel = part("backchannel_authentication_endpoint")?;
        let described = Arc::new(Described { backchannel, token: part("token_endpoint")?, keys });
        *known = Some((now_ms, described.clone()));
        Ok(described)
    }
}

async fn write(portal: &Portal, asked: &Asked, sub: &str, token: &str) -> Result<(), Failed> {
    let holder = shown::holder_of_card(portal, asked.purchase.card).await?;
    let evidence = Evidence {
        said: &asked.said(),
        holder: holder.as_ref().map_or("", |holder| holder.as_str()),
        channel: Channel::Ciba,
        device: sub,
        given: Given::Approved,
        nonce: &secret::draw::<32>()?,
        assertion: token,
    };
    answer::write(portal, &evidence).await
}

async fn end(portal: &Portal, id: ConfirmationId, how: ConfirmationEnd) -> Result<(), CibaError> {
    let Some(taken) = open::take(portal, id) else { return Ok(()) };
    Ok(open::end(portal, &taken, how).await?)
}

/// The shop hears that the holder could not be asked.
async fn give_up(portal: &Portal, id: ConfirmationId) {
    let Some(taken) = open::take(portal, id) else { return };
    if let Err(failed) = open::fail(portal, &taken).await {
        tracing::warn!(?failed, %id, "a confirmation waits on");
    }
}

async fn read(portal: &Portal, address: &str) -> Result<Value, CibaError> {
    let (status, body) = send(portal, &Call::read(address)).await?;
    match serde_json::from_slice(&body) {
        Ok(value) if status == 200 => Ok(value),
        Ok(_) | Err(_) => Err(CibaError::Unusable(format!("{address} says {status}"))),
    }
}

async fn send(portal: &Portal, call: &Call) -> Result<(u16, Vec<u8>), CibaError> {
    let unusable = |error: &dyn std::fmt::Display| CibaError::Unusable(error.to_string());
    let request = call.request().map_err(|error| unusable(&error))?;
    let sent = portal.outbound().send(Target::Named, request, Bounds::default()).await;
    let answer = sent.map_err(|error| unusable(&error))?;
    Ok((answer.status().as_u16(), answer.into_body()))
}

/// How long its description and keys are good.
const DESCRIBED_MS: u64 = 10 * 60 * 1_000;
/// How far a provider's clock may be behind ours.
const CLOCKS_MS: u64 = 60 * 1_000;
/// Devices show a line or two.
const PAYEE_CHARS_MAX: usize = 40;
/// What a provider may sign with: never a shared secret, never nothing.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
];
