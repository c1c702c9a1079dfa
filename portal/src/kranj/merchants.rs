//! `GET /kranj/merchants?q=`: who is enrolled in the advantage programme. It is for everybody.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use cekr_switch::control::EnrolledView;
use fluent_bundle::FluentArgs;
use serde::Deserialize;

use super::points::day;
use crate::Portal;
use crate::page::texts::Say;
use crate::page::{Page, show};

/// An enrolled merchant, or a kind of business.
pub struct Merchant {
    /// What people call it.
    pub name: String,
    /// What a purchase earns.
    pub earns: String,
    /// Its bounds, and until when; empty without any.
    pub bounds: String,
}

#[derive(Template)]
#[template(path = "kranj/merchants.html")]
struct Merchants {
    page: Page,
    typed: String,
    merchants: Vec<Merchant>,
    has_more: bool,
}

/// What was typed.
#[derive(Deserialize)]
pub struct Asked {
    q: Option<String>,
}

/// `GET /kranj/merchants?q=`
pub async fn list(
    State(portal): State<Portal>,
    page: Page,
    Query(asked): Query<Asked>,
) -> Response {
    let typed: String = asked.q.unwrap_or_default().trim().chars().take(TYPED_MAX).collect();
    let mut merchants = enrolled(&portal, &page.say, &typed);
    let has_more = merchants.len() > SHOWN_MAX;
    merchants.truncate(SHOWN_MAX);
    show(StatusCode::OK, &Merchants { page, typed, merchants, has_more })
}

/// Those whose name has all words of `typed`, as long as they are enrolled.
#[must_use]
pub fn enrolled(portal: &Portal, say: &Say, typed: &str) -> Vec<Merchant> {
    let today = portal.durable().now().local_date.to_string();
    let words: Vec<String> = typed.split_whitespace().map(plain).collect();
    let all = portal.durable().control().enrolled();
    let is_meant = |row: &&EnrolledView| {
        let name = plain(&row.name);
        row.until >= today && words.iter().all(|word| name.contains(word))
    };
    all.iter().filter(is_meant).map(|row| merchant(say, row, &today)).collect()
}

fn merchant(say: &Say, row: &EnrolledView, today: &str) -> Merchant {
    let mut places = FluentArgs::new();
    places.set("count", row.points);
    places.set("money", say.money(&i64::from(row.per_cents)));
    let key = if row.per_cents == 1_00 { "kranj-earns-a-euro" } else { "kranj-earns" };
    let mut bounds = Vec::new();
    if row.mcc.is_some() {
        bounds.push(say.text("kranj-all-of-business"));
    }
    bounds.extend(row.purchase_max.map(|max| say.with("kranj-purchase-max", "count", max)));
    bounds.extend(row.day_max.map(|max| say.with("kranj-day-max", "count", max)));
    if row.from.as_str() > today {
        bounds.push(say.with("kranj-from", "day", day(&row.from, say.language())));
    }
    if row.until.as_str() < FOR_EVER {
        bounds.push(say.with("kranj-until", "day", day(&row.until, say.language())));
    }
    let earns = say.filled(key, &places);
    Merchant { name: row.name.clone(), earns, bounds: bounds.join(" · ") }
}

/// Small letters, and those of our alphabet without their marks: few phones type them.
fn plain(text: &str) -> String {
    let bare = |letter: char| match letter {
        'č' | 'ć' => 'c',
        'š' => 's',
        'ž' => 'z',
        'đ' => 'd',
        other => other,
    };
    text.chars().flat_map(char::to_lowercase).map(bare).collect()
}

const TYPED_MAX: usize = 60;
const SHOWN_MAX: usize = 100;
/// A row without an end ends then.
const FOR_EVER: &str = "2099-12-31";

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_name_is_found_without_capitals_and_marks() {
        assert_eq!(plain("Čajnica Žiža Đ"), "cajnica ziza d");
    }
}
