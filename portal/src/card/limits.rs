//! The holder's own limits, each at most the programme's.
//!
//! The form says beside each field what is wrong with it; nothing is set unless all of it can be.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_issuer::Amount;
use cekr_issuer::policy::Limits;
use cekr_switch::control::{Control, LimitChange, LimitsPatch, LimitsView};
use serde::Deserialize;

use super::shown::Shown;
use crate::Portal;
use crate::identity::{Action, Posted, SignedIn, held_card};
use crate::page::failed::Failed;
use crate::page::texts::Say;
use crate::page::{Page, money, show};

/// One limit on the page.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) hint: String,
    pub(crate) typed: String,
    pub(crate) fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "card/limits.html")]
struct OwnLimits {
    page: Page,
    card: Shown,
    fields: Vec<Field>,
}

/// What was typed; nothing leaves the programme's limit.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    cash_day: String,
    cash_count_day: String,
    pos_day: String,
    online_day: String,
}

/// `GET /cards/{id}/limits`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub async fn ask(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(token): Path<String>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    who.may(Action::SetLimits, portal.durable().now().unix_ms)?;
    let control = portal.durable().control();
    let view = portal.durable().told(control.card(id)).await?;
    let typed = Typed::of(view.limits, &page.say);
    let fields = fields(&page.say, control.programme_limits(), typed, [None; 4]);
    let card = Shown::of(&view, &page.say);
    Ok(show(StatusCode::OK, &OwnLimits { page, card, fields }))
}

/// `POST /cards/{id}/limits`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub async fn set(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(token): Path<String>,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    who.may(Action::SetLimits, now.unix_ms)?;
    let control = portal.durable().control();
    match typed.read(control) {
        Ok(patch) => {
            portal.durable().told(control.set_limits(id, patch, now)).await?;
            Ok(Redirect::to(&format!("/cards/{token}")).into_response())
        }
        Err(faults) => {
            let card = super::shown(&portal, &page, id).await?;
            let fields = fields(&page.say, control.programme_limits(), typed, faults);
            Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &OwnLimits { page, card, fields }))
        }
    }
}

impl Typed {
    pub(crate) fn of(limits: LimitsView, say: &Say) -> Typed {
        let amount = |cents: Option<u64>| {
            cents.map(|cents| money::typed(cents, say.language())).unwrap_or_default()
        };
        Typed {
            cash_day: amount(limits.cash_day),
            cash_count_day: limits
                .cash_count_day
                .map(|count| count.to_string())
                .unwrap_or_default(),
            pos_day: amount(limits.pos_day),
            online_day: amount(limits.online_day),
        }
    }

    /// What was typed, for the audit.
    pub(crate) fn in_words(&self) -> String {
        let Typed { cash_day, cash_count_day, pos_day, online_day } = self;
        format!(
            "cash_day {cash_day}, cash_count_day {cash_count_day}, pos_day {pos_day}, \
             online_day {online_day}"
        )
    }

    /// The change that was typed, or what is wrong with each field.
    pub(crate) fn read(&self, control: &Control) -> Result<LimitsPatch, [Option<&'static str>; 4]> {
        let amount = |typed: &str| read(typed, |typed| money::read(typed).map(Amount::from_minor));
        let count = |typed: &str| read(typed, |typed| typed.parse::<u32>().ok());
        let allowed = |patch: LimitsPatch| match control.allow_limits(patch) {
            Ok(()) => Ok(patch),
            Err(_) => Err("card-limits-above"),
        };
        let keep = LimitsPatch::default;
        let each = [
            amount(&self.cash_day).and_then(|cash_day| allowed(LimitsPatch { cash_day, ..keep() })),
            count(&self.cash_count_day)
                .and_then(|cash_count_day| allowed(LimitsPatch { cash_count_day, ..keep() })),
            amount(&self.pos_day).and_then(|pos_day| allowed(LimitsPatch { pos_day, ..keep() })),
            amount(&self.online_day)
                .and_then(|online_day| allowed(LimitsPatch { online_day, ..keep() })),
        ];
        match each {
            [Ok(cash), Ok(count), Ok(shops), Ok(online)] => Ok(LimitsPatch {
                cash_day: cash.cash_day,
                cash_count_day: count.cash_count_day,
                pos_day: shops.pos_day,
                online_day: online.online_day,
            }),
            faults => Err(faults.map(Result::err)),
        }
    }
}

/// Nothing is the programme's limit; what cannot be read is a fault.
fn read<T>(
    typed: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<LimitChange<T>, &'static str> {
    match typed.trim() {
        "" => Ok(LimitChange::Programme),
        typed => parse(typed).map(LimitChange::Own).ok_or("card-limits-wrong"),
    }
}

/// The fields of the form, with the faults beside them.
pub(crate) fn fields(
    say: &Say,
    programme: &Limits,
    typed: Typed,
    faults: [Option<&'static str>; 4],
) -> Vec<Field> {
    let amount = |limit: Amount| match i64::try_from(limit.minor()) {
        Ok(0) | Err(_) => say.text("card-limits-none"),
        Ok(cents) => say.with("card-limits-most", "most", say.money(&cents)),
    };
    let count = match programme.cash_count_day {
        0 => say.text("card-limits-none"),
        count => say.with("card-limits-most", "most", count.to_string()),
    };
    let all = [
        ("cash_day", "card-limits-cash", amount(programme.cash_day), typed.cash_day),
        ("cash_count_day", "card-limits-count", count, typed.cash_count_day),
        ("pos_day", "card-limits-shops", amount(programme.pos_day), typed.pos_day),
        ("online_day", "card-limits-online", amount(programme.online_day), typed.online_day),
    ];
    let field = |((name, title, hint, typed), fault)| Field {
        name,
        title: say.text(title),
        hint,
        typed,
        fault,
    };
    all.into_iter().zip(faults).map(field).collect()
}
