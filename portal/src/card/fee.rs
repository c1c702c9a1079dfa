//! `GET /fee`: what a cash withdrawal costs, and that paying by card costs nothing.
//!
//! The fee itself is the issuer's to know ([`cekr_issuer::fee`]).

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use cekr_issuer::{Amount, fee};
use serde::Deserialize;

use crate::page::texts::{Language, Say};
use crate::page::{Page, money, show};

/// What was typed.
#[derive(Deserialize)]
pub struct Asked {
    amount: Option<String>,
}

#[derive(Template)]
#[template(path = "card/fee.html")]
struct Calculator {
    page: Page,
    typed: String,
    is_wrong: bool,
    worked: Option<Worked>,
    examples: Vec<Worked>,
}

/// A withdrawal with its fee.
struct Worked {
    amount: String,
    fee: String,
    total: String,
    /// The fee's share of the withdrawal.
    share: String,
}

/// `GET /fee?amount=`
pub async fn calculator(page: Page, Query(asked): Query<Asked>) -> Response {
    let typed = asked.amount.unwrap_or_default();
    let amount = money::read(&typed).filter(|cents| (1..=CENTS_MAX).contains(cents));
    let is_wrong = !typed.trim().is_empty() && amount.is_none();
    let worked = amount.map(|cents| work_out(cents, &page.say));
    let examples = EXAMPLES.iter().map(|cents| work_out(*cents, &page.say)).collect();
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    show(status, &Calculator { page, typed, is_wrong, worked, examples })
}

/// The most cash, in cents, that `available` cents cover with its fee.
#[must_use]
pub fn withdrawal_max(available: i64) -> i64 {
    let available = Amount::from_minor(u64::try_from(available).unwrap_or_default());
    i64::try_from(fee::withdrawal_max(available).minor()).unwrap_or(i64::MAX)
}

fn work_out(cents: u64, say: &Say) -> Worked {
    let fee = fee::cashpoint(Amount::from_minor(cents)).minor();
    let money = |cents: u64| say.money(&i64::try_from(cents).unwrap_or(i64::MAX));
    Worked {
        amount: money(cents),
        fee: money(fee),
        total: money(cents.saturating_add(fee)),
        share: percent(fee, cents, say.language()),
    }
}

/// `part` of `whole` in percent, rounded half up to a tenth, as the language writes it.
fn percent(part: u64, whole: u64, language: Language) -> String {
    let tenths = (part.saturating_mul(1_000).saturating_add(whole / 2)) / whole.max(1);
    let (mark, unit) = match language {
        Language::English => ('.', "%"),
        Language::Slovene => (',', "\u{a0}%"),
    };
    match tenths % 10 {
        0 => format!("{}{unit}", tenths / 10),
        tenth => format!("{}{mark}{tenth}{unit}", tenths / 10),
    }
}

/// More than any card holds.
const CENTS_MAX: u64 = 1_000_000_00;
const EXAMPLES: [u64; 4] = [20_00, 50_00, 100_00, 300_00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_fee_is_told_to_a_tenth_of_a_percent() {
        assert_eq!(percent(15_00, 50_00, Language::Slovene), "30\u{a0}%");
        assert_eq!(percent(15_00, 80_00, Language::Slovene), "18,8\u{a0}%");
        assert_eq!(percent(15_00, 80_00, Language::English), "18.8%");
        assert_eq!(percent(15_00, 1, Language::English), "150000%");
    }

    #[test]
    fn the_most_cash_leaves_room_for_its_fee() {
        assert_eq!(withdrawal_max(100_00), 85_00);
        assert_eq!(withdrawal_max(15_00), 0);
        assert_eq!(withdrawal_max(-5), 0);
    }
}
