//! A load by card as a payer would make it, without a browser: for `--sandbox` alone.

use cekr_issuer::{Amount, CardId};
use cekr_switch::http::ApiError;

use super::flow::FlowError;
use super::form::drawn;
use super::psp::NoAnswer;
use super::psp::sandbox::{Bank, TEST_CARDS};
use super::state::State;
use super::store::{self, CardLoad, Consent, PayerData};
use crate::Portal;

/// Orders a load, pays it with the test card of such a bank, and settles it as a notification of
/// the provider would.
///
/// # Errors
/// 409 where the card takes no such load or nobody takes payments, 503 where somebody does not
/// answer.
pub async fn load(
    portal: &Portal,
    card: CardId,
    cents: u64,
    bank: Bank,
) -> Result<CardLoad, ApiError> {
    let none = || ApiError::conflict("not_offered", "nobody takes payments by card here");
    let flow = portal.loads().flow().ok_or_else(none)?;
    let sandbox = portal.loads().sandbox().ok_or_else(none)?;
    let number = TEST_CARDS.iter().find(|known| known.bank == bank).ok_or_else(none)?.number;
    let durable = portal.durable();
    durable.control().takes_load(card, Amount::from_minor(cents), durable.now())?;
    let view = durable.told(durable.control().card(card)).await?;
    let now = i64::try_from(durable.now().unix_ms).unwrap_or(i64::MAX);
    let later = || ApiError::try_later("the payment provider does not answer now");
    let load = CardLoad {
        id: drawn().ok_or_else(later)?,
        card: view.id,
        mok_id: view.mok_id,
        amount: cents,
        taken_back: 0,
        state: State::Created,
        failure: None,
        made_at: now,
        changed_at: now,
        holder: String::new(),
        masked: String::new(),
        brand: String::new(),
        payer: PayerData {
            name: "Poskusni plačnik".to_owned(),
            address: "Slovenski trg 1, 4000 Kranj".to_owned(),
            email: "placnik@example.si".to_owned(),
        },
        consent: Consent::Forget,
    };
    let database = |_: sqlx::Error| later();
    store::insert(portal.database(), &load, &load.id).await.map_err(database)?;
    let flow_failed = |error: FlowError| match error {
        FlowError::Control(error) => ApiError::from(error),
        FlowError::Database(_) | FlowError::NoAnswer(_) => later(),
    };
    flow.open(&load, format!("/load/{}", load.id), None).await.map_err(flow_failed)?;
    let given = sandbox.give(&load.id, number).await.map_err(|NoAnswer| later())?;
    given.map_err(|_| ApiError::conflict("not_offered", "the provider refuses its test card"))?;
    let settled = flow.settle(&load.id).await.map_err(flow_failed)?;
    settled.ok_or_else(later)
}
