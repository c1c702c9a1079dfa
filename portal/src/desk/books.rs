//! The books: accounts, sums, whether they come to nothing, and the totals of acquirers.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use cekr_issuer::books::Account;
use cekr_issuer::reconciliation::Total;

use super::Nav;
use super::role::Deed;
use crate::Portal;
use crate::identity::OnDesk;
use crate::page::failed::Failed;
use crate::page::{Page, show};
use crate::statements::suspense;

#[derive(Template)]
#[template(path = "desk/books.html")]
struct Books {
    page: Page,
    nav: Nav,
    accounts: Vec<(&'static str, String, String)>,
    sum: String,
    is_balanced: bool,
    held: String,
    seq: u64,
    suspense_agrees: bool,
    acquirers: Vec<Acquirer>,
}

/// What an acquirer and we counted since their last cutover.
struct Acquirer {
    number: u64,
    credits: String,
    credit_reversals: String,
    debits: String,
    debit_reversals: String,
}

/// `GET /desk/books`
///
/// # Errors
/// [`Failed`].
pub(super) async fn look(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeBooks, portal.durable().now().unix_ms)?;
    let control = portal.durable().control();
    let (books, seq) = control.shard().books();
    portal.durable().wait(seq).await.map_err(|_| Failed::TryLater)?;
    let suspense_agrees = suspense::reconciled(&portal).await?.is_reconciled;
    let money = |cents: i128| page.say.money(&i64::try_from(cents).unwrap_or(i64::MAX));
    let account = |account: Account| {
        let total = books.total(account);
        let name = account.name();
        let words = page.say.text(&format!("desk-account-{}", name.replace('_', "-")));
        (name, words, money(total))
    };
    let total = |total: Total| {
        let cents = i64::try_from(total.amount.minor()).unwrap_or(i64::MAX);
        format!("{} · {}", total.count, page.say.money(&cents))
    };
    let acquirers = control.acquirers().into_iter().take(ACQUIRERS_SHOWN);
    let acquirers = acquirers.map(|(number, totals)| Acquirer {
        number,
        credits: total(totals.credits),
        credit_reversals: total(totals.credit_reversals),
        debits: total(totals.debits),
        debit_reversals: total(totals.debit_reversals),
    });
    let shown = Books {
        nav: Nav::of(&on_desk, &page.say),
        accounts: Account::ALL.into_iter().map(account).collect(),
        sum: money(books.sum()),
        is_balanced: books.sum() == 0,
        held: money(books.held()),
        seq: seq.0,
        suspense_agrees,
        acquirers: acquirers.collect(),
        page,
    };
    Ok(show(StatusCode::OK, &shown))
}

const ACQUIRERS_SHOWN: usize = 100;
