//! The pages of a load by card: the order, how it stands, and what is kept for the next one.
//!
//! Anybody may load a card whose back they know. The card that pays is given to the provider's
//! page; none of its digits comes here but those that a receipt shows.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cekr_issuer::limit::LoadRefused;
use cekr_issuer::{Amount, CardId};
use cekr_switch::control::{ControlError, LastSix};

use super::flow::Flow;
use super::form::{Asked, Input, Need, Sent, Typed, drawn};
use super::state::State as LoadState;
use super::store::{self, CardLoad, Consent, KeptMeans, PayerData};
use crate::Portal;
use crate::card::history;
use crate::identity::attempts::Counted;
use crate::identity::{Action, Posted, SignedIn, cards_of};
use crate::page::failed::Failed;
use crate::page::{Page, show};

#[derive(Template)]
#[template(path = "loads/form.html")]
struct FormPage {
    page: Page,
    inputs: Vec<Input>,
    /// A mark of this form, so that sending it twice orders once.
    form: String,
    own: Vec<Own>,
    kept: Vec<Kept>,
    limits: Vec<String>,
    keep: bool,
    is_wrong: bool,
    card_error: String,
}

/// One of the holder's cards.
pub(super) struct Own {
    id: String,
    name: String,
    masked: String,
    is_chosen: bool,
}

struct Kept {
    means: KeptMeans,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "loads/status.html")]
struct StatusPage {
    page: Page,
    words: String,
    why: String,
    mood: &'static str,
    amount: i64,
    taken_back: i64,
    mok_id: String,
    paid_by: String,
    ordered: String,
    id: String,
    go_on: String,
}

/// `GET /load`
pub(super) async fn form(
    State(portal): State<Portal>,
    page: Page,
    Query(typed): Query<Typed>,
) -> Result<Response, Failed> {
    let mut sent = Sent::new(Typed::new());
    // A page of a card leads here with that card chosen.
    sent.fill("card", typed.get("card").map_or("", String::as_str));
    written(&portal, page, &sent, StatusCode::OK).await
}

/// `POST /load`
pub(super) async fn order(
    State(portal): State<Portal>,
    page: Page,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let flow = portal.loads().flow().ok_or(Failed::Conflict("loads-not-offered"))?;
    let mut sent = Sent::new(typed);
    if let Some(who) = &page.signed_in {
        who.may(Action::Load, portal.durable().now().unix_ms)?;
    }
    let holder = page.signed_in.as_ref().map(|who| who.holder.as_str().to_owned());
    let token = with_kept(&portal, holder.as_deref(), &mut sent).await?;
    let mark = sent.mark(holder.as_deref().unwrap_or_default());
    let database = portal.database();
    // Sent twice, or again after a step back: one order, wherever it has come to. It is looked for
    // first, for the limits may leave no room for a second one.
    if let Some(load) = store::find_form(database, &mark).await? {
        return Ok(lead(&address(flow, &load, token).await));
    }
    let Some(load) = ordered(&portal, page.signed_in.as_ref(), &mut sent).await? else {
        return written(&portal, page, &sent, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    if store::open_count(database).await? >= OPEN_MAX {
        return Err(Failed::TryLater);
    }
    let load = if store::insert(database, &load, &mark).await? {
        load
    } else {
        store::find_form(database, &mark).await?.ok_or(Failed::TryLater)?
    };
    Ok(lead(&address(flow, &load, token).await))
}

/// Where the payer of an order goes on.
async fn address(flow: &Flow, load: &CardLoad, token: Option<String>) -> String {
    let status = format!("/load/{}", load.id);
    match load.state {
        LoadState::Created | LoadState::Authenticating => {
            // Without an answer the order's own page tries again.
            flow.open(load, status.clone(), token).await.unwrap_or(status)
        }
        LoadState::Authorized
        | LoadState::Captured
        | LoadState::ChargedBack
        | LoadState::Credited
        | LoadState::Expired
        | LoadState::Failed
        | LoadState::Refunded => status,
    }
}

/// `GET /load/{id}`: how an order stands, for whoever has its name.
pub(super) async fn status(
    State(portal): State<Portal>,
    page: Page,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let flow = portal.loads().flow().ok_or(Failed::NotFound)?;
    let load = match flow.settle(&id).await {
        Ok(load) => load,
        Err(error) => {
            tracing::warn!(%error, load = id, "a load by card waits for an answer");
            store::find(portal.database(), &id).await?
        }
    };
    let load = load.ok_or(Failed::NotFound)?;
    let is_open = matches!(load.state, LoadState::Created | LoadState::Authenticating);
    let is_waiting = matches!(load.state, LoadState::Authorized | LoadState::Captured);
    let go_on = if is_open { address(flow, &load, None).await } else { String::new() };
    let say = page.say.clone();
    let mood = match load.state {
        LoadState::Credited => "good",
        LoadState::Failed | LoadState::Expired => "bad",
        LoadState::Authenticating
        | LoadState::Authorized
        | LoadState::Captured
        | LoadState::ChargedBack
        | LoadState::Created
        | LoadState::Refunded => "heed",
    };
    let shown = StatusPage {
        words: say.text(load.state.words()),
        why: load.failure.map(|failure| say.text(failure.words())).unwrap_or_default(),
        mood,
        amount: cents(load.amount),
        taken_back: cents(load.taken_back),
        mok_id: load.mok_id,
        paid_by: format!("{} {}", load.brand, load.masked).trim().to_owned(),
        ordered: history::when_ms(load.made_at, say.language()),
        id: load.id,
        go_on,
        page,
    };
    let mut response = show(StatusCode::OK, &shown);
    if is_waiting {
        response.headers_mut().insert(REFRESH, HeaderValue::from_static("3"));
    }
    Ok(response)
}

/// `POST /load/means/{id}/forget`
pub(super) async fn forget(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
    Posted(_): Posted<Typed>,
) -> Result<Response, Failed> {
    store::forget(portal.database(), who.holder.as_str(), &id).await?;
    Ok(lead("/load"))
}

/// Fills in what is kept with a chosen means of payment, and gives its token.
async fn with_kept(
    portal: &Portal,
    holder: Option<&str>,
    sent: &mut Sent,
) -> Result<Option<String>, Failed> {
    let (Some(holder), false) = (holder, sent.text("means").is_empty()) else { return Ok(None) };
    let chosen = sent.text("means").to_owned();
    let kept = store::kept(portal.database(), holder).await?;
    let Some(kept) = kept.into_iter().find(|kept| kept.id == chosen) else { return Ok(None) };
    sent.fill("payer_name", &kept.payer.name);
    sent.fill("payer_address", &kept.payer.address);
    sent.fill("payer_email", &kept.payer.email);
    store::token(portal.database(), holder, &chosen).await.map_err(Into::into)
}

/// The order that a form makes; `None` where something is wrong, which the form then says.
async fn ordered(
    portal: &Portal,
    who: Option<&SignedIn>,
    sent: &mut Sent,
) -> Result<Option<CardLoad>, Failed> {
    let amount = sent.amount("amount", AMOUNT_MIN, AMOUNT_MAX);
    let payer = PayerData {
        name: sent.line("payer_name", NAME_CHARS_MAX, Need::Asked),
        address: sent.line("payer_address", ADDRESS_CHARS_MAX, Need::Asked),
        email: sent.email("payer_email", EMAIL_CHARS_MAX),
    };
    let is_form = sent.text("form").len() == FORM_CHARS;
    if !is_form {
        return Err(Failed::Unprocessable("failed-form"));
    }
    // The pair is judged last: whoever guesses at it has to fill in all the rest each time.
    if !sent.is_right() {
        check_shape_of_pair(sent, who.is_some());
        return Ok(None);
    }
    let Some(card) = named(portal, who, sent).await? else { return Ok(None) };
    let durable = portal.durable();
    let takes = durable.control().takes_load(card, Amount::from_minor(amount), durable.now());
    if let Err(error) = takes {
        sent.fault("amount", refused(error));
        return Ok(None);
    }
    let view = durable.told(durable.control().card(card)).await?;
    let now = i64::try_from(durable.now().unix_ms).unwrap_or(i64::MAX);
    Ok(Some(CardLoad {
        id: drawn().ok_or(Failed::TryLater)?,
        card: view.id,
        mok_id: view.mok_id,
        amount,
        taken_back: 0,
        state: LoadState::Created,
        failure: None,
        made_at: now,
        changed_at: now,
        holder: who.map(|who| who.holder.as_str().to_owned()).unwrap_or_default(),
        masked: String::new(),
        brand: String::new(),
        payer,
        consent: if sent.is_ticked("keep") { Consent::Keep } else { Consent::Forget },
    }))
}

/// The card that a form names: one of the holder's own, or the one with both numbers on its back.
/// Where it names none, the form says so, in the same words whichever number was wrong.
pub(super) async fn named(
    portal: &Portal,
    who: Option<&SignedIn>,
    sent: &mut Sent,
) -> Result<Option<CardId>, Failed> {
    let control = portal.durable().control();
    let own = match who {
        Some(who) => cards_of(portal, &who.holder).await?,
        None => Vec::new(),
    };
    let chosen = sent.text("card");
    if !chosen.is_empty() {
        let card = control.id(chosen).filter(|card| own.contains(card));
        return card.map(Some).ok_or(Failed::NotFound);
    }
    check_shape_of_pair(sent, who.is_some());
    if !sent.is_right() {
        return Ok(None);
    }
    let Some(last_six) = LastSix::parse(&compact(sent.text("last_six"))) else { return Ok(None) };
    let mok_id = compact(sent.text("mok_id"));
    if mok_id.is_empty() {
        let card = control.card_among(&own, last_six);
        if card.is_none() {
            sent.fault("mok_id", "loads-fault-six-alone");
        }
        return Ok(card);
    }
    let Ok(mok_id) = mok_id.parse::<u32>() else { return Ok(None) };
    let now_ms = portal.durable().now().unix_ms;
    let mut counted = vec![Counted::MokId(mok_id)];
    counted.extend(who.map(|who| Counted::Session(who.session())));
    let attempts = portal.identity().attempts();
    if let Err(blocked) = attempts.begin(&counted, now_ms) {
        let left_ms = blocked.until_ms.saturating_sub(now_ms);
        return Err(Failed::TooMany { retry_after_s: left_ms.div_ceil(1_000) });
    }
    let card = control.card_by_back(mok_id, last_six);
    if card.is_some() {
        attempts.right(&counted);
    } else {
        sent.fault("mok_id", "loads-fault-pair");
    }
    Ok(card)
}

/// Says beside the fields what can be said without looking at any card.
fn check_shape_of_pair(sent: &mut Sent, is_signed_in: bool) {
    let is_digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if !sent.text("card").is_empty() {
        return;
    }
    let mok_id = compact(sent.text("mok_id"));
    let last_six = compact(sent.text("last_six"));
    let may_be_left = mok_id.is_empty() && is_signed_in;
    let is_mok_id = (1..=9).contains(&mok_id.len()) && is_digits(&mok_id);
    if !(may_be_left || is_mok_id) {
        sent.fault("mok_id", "loads-fault-mok-id");
    }
    if last_six.len() != 6 || !is_digits(&last_six) {
        sent.fault("last_six", "loads-fault-last-six");
    }
}

fn compact(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

async fn written(
    portal: &Portal,
    page: Page,
    sent: &Sent,
    status: StatusCode,
) -> Result<Response, Failed> {
    if portal.loads().flow().is_none() {
        return Ok(show(StatusCode::OK, &Closed { page }));
    }
    let mut own = own(portal, page.signed_in.as_ref(), sent.text("card")).await?;
    if let ([only], StatusCode::OK) = (own.as_mut_slice(), status) {
        only.is_chosen = true;
    }
    let kept = match &page.signed_in {
        Some(who) => store::kept(portal.database(), who.holder.as_str()).await?,
        None => Vec::new(),
    };
    let chosen = sent.text("means");
    let kept = kept.into_iter().map(|means| Kept { is_chosen: means.id == chosen, means });
    let form = match sent.text("form") {
        "" => drawn().ok_or(Failed::TryLater)?,
        known => known.to_owned(),
    };
    let mut inputs = sent.inputs(ASKED, &page.say);
    if !own.is_empty() {
        let other_only = page.say.text("loads-other-only");
        for back in inputs.iter_mut().filter(|input| ["mok_id", "last_six"].contains(&input.name)) {
            back.hint = format!("{other_only} {}", back.hint);
        }
    }
    let limits = limits(portal, &page);
    let shown = FormPage {
        inputs,
        form,
        own,
        kept: kept.collect(),
        limits,
        keep: sent.is_ticked("keep"),
        is_wrong: !sent.is_right(),
        card_error: sent.wrong("card").map(|words| page.say.text(words)).unwrap_or_default(),
        page,
    };
    Ok(show(status, &shown))
}

#[derive(Template)]
#[template(path = "loads/closed.html")]
struct Closed {
    page: Page,
}

/// The holder's cards, to choose among.
pub(super) async fn own(
    portal: &Portal,
    who: Option<&SignedIn>,
    chosen: &str,
) -> Result<Vec<Own>, Failed> {
    let Some(who) = who else { return Ok(Vec::new()) };
    let mut own = Vec::new();
    for card in cards_of(portal, &who.holder).await? {
        let view = portal.durable().told(portal.durable().control().card(card)).await?;
        let is_chosen = view.id == chosen;
        own.push(Own { id: view.id, name: view.name, masked: view.pan_masked, is_chosen });
    }
    Ok(own)
}

/// What may be loaded, in words; a limit that is off has none.
fn limits(portal: &Portal, page: &Page) -> Vec<String> {
    let limits = &portal.durable().control().policy().limits;
    let told = [
        ("loads-limit-day", limits.load_day),
        ("loads-limit-month", limits.load_month),
        ("loads-limit-balance", limits.balance_max),
    ];
    let words = |(key, limit): (&str, Amount)| {
        page.say.with(key, "amount", page.say.money(&cents(limit.minor())))
    };
    told.into_iter().filter(|(_, limit)| !limit.is_zero()).map(words).collect()
}

/// The key of the text that says why a card takes no such load.
pub(super) const fn refused(error: ControlError) -> &'static str {
    match error {
        ControlError::Limit(LoadRefused::BalanceMax) => "loads-fault-balance",
        ControlError::Limit(LoadRefused::Day) => "loads-fault-day",
        ControlError::Limit(LoadRefused::Month) => "loads-fault-month",
        ControlError::AmountTooLarge
        | ControlError::AmountZero
        | ControlError::Busy
        | ControlError::Confirmation(_)
        | ControlError::Conflict(_)
        | ControlError::ItemLeft
        | ControlError::ItemTaken
        | ControlError::JournalFailed
        | ControlError::LimitAboveProgramme(_)
        | ControlError::NoSuchItem
        | ControlError::NoSuchLoad
        | ControlError::NotExempt
        | ControlError::NotFound
        | ControlError::ScriptsFull
        | ControlError::SecurityModule
        | ControlError::StatementsFull
        | ControlError::TakenBackTooMuch => "loads-fault-not-taken",
    }
}

/// Sends a browser on.
pub(super) fn lead(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(address) => (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response(),
        Err(_) => Failed::Internal.into_response(),
    }
}

/// Cents as a template takes them.
pub(super) fn cents(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// What the form asks, the card left out, which has a place of its own.
const ASKED: &[Asked] = &[
    Asked {
        name: "amount",
        kind: "text",
        keys: "decimal",
        autocomplete: "transaction-amount",
        chars_max: 16,
    },
    Asked { name: "mok_id", kind: "text", keys: "numeric", autocomplete: "off", chars_max: 11 },
    Asked { name: "last_six", kind: "text", keys: "numeric", autocomplete: "off", chars_max: 8 },
    Asked {
        name: "payer_name",
        kind: "text",
        keys: "text",
        autocomplete: "name",
        chars_max: NAME_CHARS_MAX,
    },
    Asked {
        name: "payer_address",
        kind: "text",
        keys: "text",
        autocomplete: "street-address",
        chars_max: ADDRESS_CHARS_MAX,
    },
    Asked {
        name: "payer_email",
        kind: "email",
        keys: "email",
        autocomplete: "email",
        chars_max: EMAIL_CHARS_MAX,
    },
];

const NAME_CHARS_MAX: usize = 70;
const ADDRESS_CHARS_MAX: usize = 140;
const EMAIL_CHARS_MAX: usize = 120;
/// Hexadecimal digits of a form's mark.
const FORM_CHARS: usize = 32;
/// A euro: less costs more than it brings.
const AMOUNT_MIN: u64 = 1_00;
const AMOUNT_MAX: u64 = 999_999_99;
/// Orders that are not finished; more are refused until some are.
const OPEN_MAX: i64 = 20_000;
const REFRESH: HeaderName = HeaderName::from_static("refresh");
