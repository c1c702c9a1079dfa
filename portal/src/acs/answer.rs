//! What the server answers (`ARes`), reports (`RReq`) and gives the browser (`CRes`), and the one
//! table that says by which reason.
//!
//! Source: EMV 3-D Secure Protocol and Core Functions Specification 2.2.0, message formats and the
//! values of transStatus, transStatusReason, challengeCancel and authenticationMethod. `A`, an
//! attempt, is never answered: it promises a value that the switch would not honour, for no record
//! stands behind it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cekr_issuer::Reason;
use cekr_issuer::confirmation::SecondFactor;
use serde_json::{Map, Value, json};

use super::areq::AReq;
use super::purchase::{Outcome, Purchase};
use super::uuid::Uuid;

/// What a question is answered with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// `Y`: nothing needs to be asked of the holder.
    Authenticated {
        /// The authentication value.
        cavv: [u8; 20],
        /// The electronic commerce indicator.
        eci: u8,
    },
    /// `C`: the browser is to come to this address.
    Challenge {
        /// `acsURL`.
        url: String,
    },
    /// `I`, `N`, `R` or `U`.
    Not(Refusal),
}

/// Why there is no authentication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Refusal {
    /// `transStatus`.
    pub(super) status: &'static str,
    /// `transStatusReason`; empty where there is none.
    pub(super) reason: &'static str,
    /// The key of `cardholderInfo`; empty where nothing is told.
    pub(super) info: Info,
}

/// What the holder is told by the shop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Info {
    /// They keep payments abroad off.
    AbroadOff,
    /// Nothing.
    None,
    /// They keep purchases online off.
    OnlineOff,
}

impl Info {
    /// The words; without marks, for not every shop's page can show them.
    const fn words(self, language: &str) -> &'static str {
        let is_slovene = matches!(language.as_bytes(), b"sl");
        match (self, is_slovene) {
            (Self::None, _) => "",
            (Self::OnlineOff, true) => "Spletna placila so za to kartico izklopljena.",
            (Self::OnlineOff, false) => "Online payments are switched off for this card.",
            (Self::AbroadOff, true) => "Placila v tujini so za to kartico izklopljena.",
            (Self::AbroadOff, false) => "Payments abroad are switched off for this card.",
        }
    }
}

const fn no(status: &'static str, reason: &'static str) -> Refusal {
    Refusal { status, reason, info: Info::None }
}

/// The card is not known, or not enrolled.
pub(super) const NOT_ENROLLED: Refusal = no("U", "13");
/// Nobody is there who could be asked.
pub(super) const NOBODY_THERE: Refusal = no("U", "21");
/// An app that would need another way of asking.
pub(super) const APP: Refusal = no("U", "03");
/// Nothing is paid.
pub(super) const NO_PAYMENT: Refusal = no("U", "20");
/// The shop only tells.
pub(super) const ONLY_TOLD: Refusal = no("I", "");
/// As many confirmations are open as may be.
pub(super) const TOO_MANY_OPEN: Refusal = no("N", "04");
/// Too many proofs failed: confirmations are blocked.
pub(super) const BLOCKED: Refusal = no("N", "09");

/// The table: what the switch would decline by, and what the shop hears.
const REFUSALS: &[(Reason, Refusal)] = &[
    (Reason::NoSuchCard, NOT_ENROLLED),
    (Reason::NotOurBin, NOT_ENROLLED),
    (Reason::NotActivated, NOT_ENROLLED),
    (Reason::Stolen, no("R", "10")),
    (Reason::Expired, no("R", "05")),
    (Reason::ExpiredNotPresent, no("R", "05")),
    (Reason::ChannelOff, Refusal { status: "R", reason: "12", info: Info::OnlineOff }),
    (Reason::SuspectedFraud, no("R", "11")),
    (Reason::AmountZero, no("R", "07")),
];

/// What the shop hears where the switch would decline by `reason`: a locked, lost or closed card is
/// not permitted, without a word more.
pub(super) fn refusal(reason: Reason) -> Refusal {
    let found = REFUSALS.iter().find(|(known, _)| *known == reason);
    found.map_or(no("R", "12"), |(_, refusal)| *refusal)
}

/// The `ARes`.
pub(super) fn ares(asked: &AReq, id: Uuid, answer: &Answer) -> Value {
    let mut body = Map::new();
    let mut add = |name: &str, value: &str| {
        body.insert(name.to_owned(), json!(value));
    };
    add("messageVersion", asked.version);
    add("threeDSServerTransID", &asked.server_trans_id.to_string());
    add("dsTransID", &asked.ds_trans_id.to_string());
    add("acsTransID", &id.to_string());
    add("messageType", "ARes");
    add("acsReferenceNumber", REFERENCE);
    add("dsReferenceNumber", &asked.ds_reference);
    match answer {
        Answer::Authenticated { cavv, eci } => {
            add("acsOperatorID", OPERATOR);
            add("transStatus", "Y");
            add("eci", &format!("{eci:02}"));
            add("authenticationValue", &STANDARD.encode(cavv));
        }
        Answer::Challenge { url } => {
            add("acsOperatorID", OPERATOR);
            add("transStatus", "C");
            add("acsChallengeMandated", "Y");
            add("authenticationType", OUT_OF_BAND);
            add("acsURL", url);
        }
        Answer::Not(refusal) => {
            add("transStatus", refusal.status);
            if !refusal.reason.is_empty() {
                add("transStatusReason", refusal.reason);
            }
            add("eci", NOT_AUTHENTICATED);
            let info = refusal.info.words(asked.language);
            if !info.is_empty() {
                add("cardholderInfo", info);
            }
        }
    }
    Value::Object(body)
}

/// The value that proves a confirmation, as it is reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Proof {
    pub(super) cavv: [u8; 20],
    pub(super) eci: u8,
    pub(super) factor: SecondFactor,
}

/// How an outcome is reported: transStatus, transStatusReason, challengeCancel.
const fn reported(outcome: Outcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        Outcome::Approved | Outcome::Frictionless => ("Y", "", ""),
        Outcome::Cancelled | Outcome::Denied => ("N", "01", "01"),
        Outcome::Expired => ("N", "14", "04"),
        Outcome::Failed => ("N", "01", ""),
        Outcome::Faulted => ("U", "22", "06"),
        Outcome::NeverOpened => ("N", "14", "05"),
    }
}

/// The `RReq` about a purchase that ended; `proof` where it was approved.
pub(super) fn rreq(purchase: &Purchase, outcome: Outcome, proof: Option<&Proof>) -> Value {
    let (status, reason, cancel) = reported(outcome);
    let was_asked = purchase.challenged_at.is_some();
    let mut body = Map::new();
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            body.insert(name.to_owned(), json!(value));
        }
    };
    add("messageVersion", purchase.message_version);
    add("threeDSServerTransID", &purchase.server_trans_id.to_string());
    add("dsTransID", &purchase.ds_trans_id.to_string());
    add("acsTransID", &purchase.id.to_string());
    add("messageType", "RReq");
    add("messageCategory", "01");
    add("authenticationType", OUT_OF_BAND);
    if was_asked {
        let factor = proof.map_or(SecondFactor::OutOfBandBiometric, |proof| proof.factor);
        add("authenticationMethod", &format!("{:02}", factor.number()));
    }
    add("interactionCounter", if was_asked { "01" } else { "00" });
    add("transStatus", status);
    add("transStatusReason", reason);
    add("challengeCancel", cancel);
    match proof {
        Some(proof) => {
            add("eci", &format!("{:02}", proof.eci));
            add("authenticationValue", &STANDARD.encode(proof.cavv));
        }
        None => add("eci", NOT_AUTHENTICATED),
    }
    Value::Object(body)
}

/// The final `CRes`: transStatus alone, for the browser is not to be trusted with more.
pub(super) fn cres(purchase: &Purchase, outcome: Outcome) -> Value {
    let (status, _, _) = reported(outcome);
    json!({
        "messageVersion": purchase.message_version,
        "messageType": "CRes",
        "threeDSServerTransID": purchase.server_trans_id.to_string(),
        "acsTransID": purchase.id.to_string(),
        "challengeCompletionInd": "Y",
        "transStatus": status,
    })
}

/// A message as a browser's form carries it.
pub(super) fn for_form(message: &Value) -> String {
    URL_SAFE_NO_PAD.encode(message.to_string())
}

const REFERENCE: &str = "ACS_SIM_001";
const OPERATOR: &str = "CeKR";
const OUT_OF_BAND: &str = "03";
const NOT_AUTHENTICATED: &str = "07";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
    use cekr_issuer::CardId;
    use cekr_issuer::confirmation::ConfirmationId;

    use super::*;
    use crate::acs::json::Members;
    use crate::acs::purchase::{PurchaseState, Results};

    /// A published message as its text, without the line ends.
    fn vector(name: &str) -> String {
        let path = format!("{}/../tests/vectors/domain/3ds/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str::<Value>(&text).unwrap().to_string()
    }

    fn id() -> Uuid {
        Uuid::parse("d7c1ee99-9478-44a6-b1f2-391e29c6b340").unwrap()
    }

    fn asked() -> AReq {
        AReq::read(&Members::read(vector("areq.json").as_bytes()).unwrap()).unwrap()
    }

    fn purchase(challenged_at: Option<u64>) -> Purchase {
        let asked = asked();
        let payment = asked.payment.unwrap();
        Purchase {
            id: ConfirmationId(id().0),
            card: CardId(0),
            payee: payment.payee,
            amount: payment.amount,
            currency: payment.currency,
            country: payment.country,
            mcc: payment.mcc,
            merchant: payment.merchant,
            device_channel: "02",
            language: asked.language,
            message_version: asked.version,
            server_trans_id: asked.server_trans_id,
            ds_trans_id: asked.ds_trans_id,
            ds_reference: asked.ds_reference,
            shop_url: asked.shop_url,
            notification_url: asked.notification_url,
            results_url: String::new(),
            session_data: String::new(),
            state: PurchaseState::Concluded,
            outcome: None,
            results: Results::NotSent,
            attempts: 0,
            created_at: 1,
            challenged_at,
            concluded_at: None,
        }
    }

    fn value(text: &str) -> [u8; 20] {
        STANDARD.decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_published_question_is_read() {
        let asked = asked();
        let payment = asked.payment.unwrap();
        assert_eq!(payment.amount.minor(), 23_90);
        assert_eq!((payment.country, payment.mcc), (*b"SI", 5_732));
        assert_eq!((payment.payee.as_str(), asked.language), ("Trgovina d.o.o.", "sl"));
    }

    #[test]
    fn answers_are_the_published_ones_octet_by_octet() {
        let cavv = value("AJcBBSMgAAAAAAAAACAAAAAAAAA=");
        let url = "https://127.0.0.1/acs/creq".to_owned();
        for (name, answer) in [
            ("ares-frictionless.json", Answer::Authenticated { cavv, eci: 5 }),
            ("ares-challenge-oob.json", Answer::Challenge { url }),
            ("ares-not-enrolled.json", Answer::Not(refusal(Reason::NoSuchCard))),
            ("ares-rejected-online-off.json", Answer::Not(refusal(Reason::ChannelOff))),
        ] {
            assert_eq!(ares(&asked(), id(), &answer).to_string(), vector(name), "{name}");
        }
    }

    #[test]
    fn results_are_the_published_ones_octet_by_octet() {
        let proof = Proof {
            cavv: value("AAcBB3QAARAAAAAAAAABAAAAAAA="),
            eci: 5,
            factor: SecondFactor::OutOfBandBiometric,
        };
        for (name, was_asked, outcome, proof) in [
            ("rreq-ok.json", Some(2), Outcome::Approved, Some(&proof)),
            ("rreq-declined-by-cardholder.json", Some(2), Outcome::Denied, None),
            ("rreq-declined-by-cardholder.json", Some(2), Outcome::Cancelled, None),
            ("rreq-oob-timeout.json", Some(2), Outcome::Expired, None),
            ("rreq-timeout.json", None, Outcome::NeverOpened, None),
        ] {
            let message = rreq(&purchase(was_asked), outcome, proof);
            assert_eq!(message.to_string(), vector(name), "{name}");
        }
        let end = cres(&purchase(Some(2)), Outcome::Approved);
        assert_eq!(end.to_string(), vector("cres-final.json"));
    }

    #[test]
    fn every_reason_of_the_switch_has_a_status_and_a_locked_card_tells_nothing() {
        for reason in Reason::ALL {
            let refusal = refusal(*reason);
            assert!(matches!(refusal.status, "R" | "U"), "{reason:?}");
            assert_eq!(refusal.reason.len(), 2, "{reason:?}");
        }
        for silent in [Reason::Locked, Reason::Lost, Reason::Closed] {
            assert_eq!(refusal(silent), no("R", "12"));
        }
        assert_eq!(refusal(Reason::ExpiredNotPresent), no("R", "05"));
    }

    #[test]
    fn only_a_confirmed_purchase_is_reported_with_a_value() {
        for outcome in [
            Outcome::Cancelled,
            Outcome::Denied,
            Outcome::Expired,
            Outcome::Failed,
            Outcome::Faulted,
            Outcome::NeverOpened,
        ] {
            let message = rreq(&purchase(Some(2)), outcome, None);
            assert_eq!(message.get("authenticationValue"), None);
            assert_eq!(message.get("eci"), Some(&json!("07")));
            assert_ne!(message.get("transStatus"), Some(&json!("Y")));
        }
    }
}
