//! What others than terminals do: banks send statements, payers load, the network clears.

use cekr_iso8583::{AuthCode, Mcc, MerchantId, Rrn};
use cekr_switch::clearing::LineTold;
use cekr_switch::http::ApiError;
use serde_json::{Value, json};

use super::mishap::Mishap;
use super::{Asked, Done, Fate, Kind, Simulator, drawn_id};
use crate::cards::CardRecord;

/// Clears one simulation, or all that are approved and not yet cleared, in a file of its own.
pub(super) async fn clear(simulator: &Simulator, asked: &Asked) -> Result<Value, ApiError> {
    let durable = &simulator.durable;
    let now = durable.now();
    let file = format!("sandbox-{:016x}", drawn_id());
    let mut done = simulator.done.lock().await;
    if let Some(id) = &asked.transaction
        && !done.iter().any(|done| done.id == *id)
    {
        return Err(super::unknown());
    }
    let chosen: Vec<&mut Done> = done
        .iter_mut()
        .filter(|done| match &asked.transaction {
            Some(id) => done.id == *id,
            None => done.fate == Fate::Open && done.kind != Kind::Preauthorization,
        })
        .collect();
    let mut lines = Vec::new();
    let mut names = Vec::new();
    for done in &chosen {
        let number = u32::try_from(lines.len() + 1).unwrap_or(u32::MAX);
        let date = now.local_date.to_string();
        let Some(line) = line(done, number, asked.amount, date, simulator) else { continue };
        lines.push(line);
        names.push(done.id.clone());
    }
    if lines.is_empty() {
        let message = "no simulation that is remembered took money that waits to be cleared";
        return Err(ApiError::conflict("nothing_to_clear", message));
    }
    let cleared = durable.control().clear(&file, &lines, now);
    let outcomes = durable.told(cleared).await.map_err(ApiError::from)?;
    for done in chosen {
        if names.contains(&done.id) {
            done.fate = Fate::Cleared;
        }
    }
    drop(done);
    let told = outcomes.iter().zip(&names).filter_map(|(outcome, name)| {
        let mut told = serde_json::to_value(outcome).ok()?;
        told.as_object_mut()?.insert("transaction".to_owned(), json!(name));
        Some(told)
    });
    let told: Vec<Value> = told.collect();
    Ok(json!({ "event": "clearing", "step": Kind::Clearing.name(), "file": file, "lines": told }))
}

/// The line of the network's file; none for what took and brought nothing.
fn line(
    done: &Done,
    number: u32,
    amount: Option<u64>,
    date: String,
    simulator: &Simulator,
) -> Option<LineTold> {
    let cents = i64::try_from(amount.unwrap_or(done.outcome.amount)).ok()?;
    let sign = match done.kind {
        Kind::Completion
        | Kind::OnlinePurchase
        | Kind::Preauthorization
        | Kind::Purchase
        | Kind::Withdrawal => 1,
        Kind::Refund => -1,
        Kind::Balance
        | Kind::CardLoad
        | Kind::Clearing
        | Kind::FeeEnquiry
        | Kind::Incremental
        | Kind::PinChange
        | Kind::Reversal
        | Kind::UpnOrder => return None,
    };
    if cents == 0 || !done.outcome.is_approved() {
        return None;
    }
    let card = simulator.cards.iter().find(|record| record.name == done.card)?;
    let original = done.outcome.original();
    Some(LineTold {
        line: number,
        card: card.pan.expose().to_string(),
        network_id: done.id.clone(),
        rrn: original.rrn.map(Rrn::new),
        auth_code: original.auth_code.map(AuthCode::new),
        amount: sign * cents,
        currency: "EUR".to_owned(),
        merchant: Some(MerchantId::new(done.place.merchant)),
        mcc: Mcc::new(done.place.mcc)?,
        date,
    })
}

/// A payment order arrives as a line of the bank's statement, through the importer.
#[cfg(feature = "portal")]
pub(super) async fn upn_order(
    simulator: &Simulator,
    card: &CardRecord,
    asked: &Asked,
    cents: u64,
    mishap: Option<Mishap>,
) -> Result<Value, ApiError> {
    use cekr_portal::statements::import::import;
    use cekr_portal::statements::upload::Received;

    let id = format!("sim_{:016x}", drawn_id());
    let reference = match &asked.reference {
        None => format!("SI058074720-{:09}-200", card.mok_id),
        Some(told) => told.clone(),
    };
    let is_plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, ' ' | '-' | '/');
    if reference.len() > REFERENCE_MAX || !reference.chars().all(is_plain) {
        let message = "reference has at most 35 letters, digits, spaces, - and /";
        return Err(ApiError::invalid("invalid_reference", message).of("reference"));
    }
    let date = simulator.durable.now().local_date.to_string();
    let times = if mishap == Some(Mishap::SentTwice) { 2 } else { 1 };
    let mut lines = Vec::new();
    for time in 1..=times {
        let text = notification(&id, time, &date, cents, &reference);
        let received = Received::read(format!("{id}-{time}.xml"), text.as_bytes());
        let received = received.map_err(|_| ApiError::conflict("unreadable", "our own file"))?;
        let report = import(&simulator.portal, &received, "sandbox").await;
        lines.extend(report.map_err(ApiError::from)?.lines);
    }
    Ok(json!({
        "event": "upn_order", "step": Kind::UpnOrder.name(), "id": id, "card": card.name,
        "amount": cents, "currency": "EUR", "reference": reference, "lines": lines,
        "world": mishap.map(Mishap::name),
    }))
}

/// A camt.054 with one booked credit. Sent again it has another name, and the same line.
#[cfg(feature = "portal")]
fn notification(id: &str, time: u32, date: &str, cents: u64, reference: &str) -> String {
    let account = cekr_bank::reference::OWN_ACCOUNT;
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let structured = if reference.is_empty() {
        "<Ustrd>brez sklica</Ustrd>".to_owned()
    } else {
        format!(
            "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>\
             <Ref>{reference}</Ref></CdtrRefInf></Strd>"
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\">\
         <BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>{id}-{time}</MsgId>\
         <CreDtTm>{date}T12:00:00</CreDtTm></GrpHdr><Ntfctn><Id>{id}-{time}</Id>\
         <CreDtTm>{date}T12:00:00</CreDtTm><Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy>\
         </Acct><Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd>\
         </Sts><BookgDt><Dt>{date}</Dt></BookgDt><ValDt><Dt>{date}</Dt></ValDt>\
         <AcctSvcrRef>{id}</AcctSvcrRef><NtryDtls><TxDtls><Refs><AcctSvcrRef>{id}</AcctSvcrRef>\
         <EndToEndId>NOTPROVIDED</EndToEndId></Refs><Amt Ccy=\"EUR\">{amount}</Amt>\
         <CdtDbtInd>CRDT</CdtDbtInd><RltdPties><Dbtr><Pty><Nm>Poskusni placnik</Nm></Pty></Dbtr>\
         <DbtrAcct><Id><IBAN>SI56020170014356205</IBAN></Id></DbtrAcct></RltdPties>\
         <RmtInf>{structured}</RmtInf></TxDtls></NtryDtls></Ntry></Ntfctn>\
         </BkToCstmrDbtCdtNtfctn></Document>"
    )
}

/// Somebody loads by another card, at the embedded payment provider.
#[cfg(feature = "portal")]
pub(super) async fn card_load(
    simulator: &Simulator,
    card: &CardRecord,
    cents: u64,
    mishap: Option<Mishap>,
) -> Result<Value, ApiError> {
    use cekr_portal::loads::psp::sandbox::Bank;
    use cekr_portal::loads::simulated;

    let bank = if mishap == Some(Mishap::PayerDeclined) { Bank::Declines } else { Bank::Approves };
    let found = simulator.durable.control().card_by_mok_id(card.mok_id);
    let found = found.ok_or_else(|| ApiError::not_found("there is no such card").of("card"))?;
    let loaded = simulated::load(&simulator.portal, found, cents, bank).await?;
    Ok(json!({
        "event": "card_load", "step": Kind::CardLoad.name(), "id": loaded.id, "card": card.name,
        "amount": cents, "currency": "EUR", "state": loaded.state.name(),
        "failure": loaded.failure.map(|failure| failure.name()), "paid_by": loaded.masked,
        "world": mishap.map(Mishap::name),
    }))
}

/// What the website would do, in a build without it.
#[cfg(not(feature = "portal"))]
pub(super) async fn upn_order(
    _: &Simulator,
    _: &CardRecord,
    _: &Asked,
    _: u64,
    _: Option<Mishap>,
) -> Result<Value, ApiError> {
    Err(ApiError::not_found("this build has no website, and imports no statements"))
}

/// The same.
#[cfg(not(feature = "portal"))]
pub(super) async fn card_load(
    _: &Simulator,
    _: &CardRecord,
    _: u64,
    _: Option<Mishap>,
) -> Result<Value, ApiError> {
    Err(ApiError::not_found("this build has no website, and takes no payments by card"))
}

/// What a structured reference has room for.
#[cfg(feature = "portal")]
const REFERENCE_MAX: usize = 35;
