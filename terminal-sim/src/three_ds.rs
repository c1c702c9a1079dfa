//! What a web shop says and hears in 3-D Secure before it asks for the money.
//!
//! It plays the shop's own server and the directory server between it and the card's issuer: it
//! writes the question (`AReq`) and the message that the buyer's browser carries (`CReq`), and
//! judges what comes back (`ARes`, `RReq`, `CRes`). No I/O, no clock, no randomness.
//!
//! Source: EMV 3-D Secure Protocol and Core Functions Specification 2.2.0, message formats.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cekr_iso8583::Pan;
use serde_json::{Value, json};

use crate::form::Authentication;
use crate::place::Place;

/// One order that is to be authenticated.
#[derive(Clone, Debug)]
pub struct Order {
    /// Our name for it, a UUID (threeDSServerTransID).
    pub id: String,
    /// The directory server's name for it, a UUID (dsTransID).
    pub ds_id: String,
    /// Which shop.
    pub place: Place,
    /// The card's number; it leaves in the question alone.
    pub pan: Pan,
    /// Its expiry, YYMM.
    pub expiry: u16,
    /// Cents.
    pub amount: u64,
    /// `YYYYMMDDHHMMSS`, UTC.
    pub at: String,
    /// The shop's own address, where browser and result come to: `http://127.0.0.1:40000`.
    pub own_url: String,
    /// The buyer's language.
    pub language: &'static str,
}

/// What an issuer answered a question with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// `Y` or `A`: the order may be asked for with this.
    Authenticated(Authentication),
    /// `C`: the browser is to go there.
    Challenge {
        /// `acsURL`.
        url: String,
        /// `acsTransID`.
        acs_id: String,
    },
    /// Anything else.
    Not(Refused),
}

/// Why there is no authentication.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Refused {
    /// `transStatus`, one letter.
    pub status: String,
    /// `transStatusReason`; empty where there was none.
    pub reason: String,
    /// `challengeCancel`; empty where there was none.
    pub cancel: String,
    /// What the holder is to be told; empty where there was nothing.
    pub info: String,
}

/// A message that cannot be taken for what it should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MessageFault {
    /// The issuer has sent the protocol's error message.
    #[error("the access control server answers with error {code}: {detail}")]
    ErrorMessage {
        /// `errorCode`.
        code: String,
        /// `errorDetail`.
        detail: String,
    },
    /// It is about something else, or an element is missing.
    #[error("{0} is missing in the answer, or is about another order")]
    Wrong(&'static str),
}

impl Order {
    /// The question (`AReq`).
    #[must_use]
    pub fn areq(&self) -> Value {
        let own = |path: &str| format!("{}{path}", self.own_url);
        let merchant = String::from_utf8_lossy(&self.place.merchant).trim_end().to_owned();
        json!({
            "messageVersion": VERSION,
            "messageType": "AReq",
            "threeDSServerTransID": self.id,
            "dsTransID": self.ds_id,
            "dsReferenceNumber": "DS_SIM_001",
            "dsURL": own(RESULTS_PATH),
            "threeDSServerRefNumber": "SRV_SIM_001",
            "threeDSServerURL": own(RESULTS_PATH),
            "threeDSRequestorID": "CEKRSHOP",
            "threeDSRequestorName": self.place.name.chars().take(40).collect::<String>(),
            "threeDSRequestorURL": self.own_url,
            "threeDSRequestorAuthenticationInd": "01",
            "threeDSRequestorChallengeInd": "01",
            "threeDSCompInd": "N",
            "notificationURL": own(NOTIFICATION_PATH),
            "deviceChannel": "02",
            "messageCategory": "01",
            "acquirerBIN": self.place.acquirer.to_string(),
            "acquirerMerchantID": merchant,
            "acctNumber": self.pan.expose().to_string(),
            "cardExpiryDate": format!("{:04}", self.expiry),
            "merchantName": self.place.name.chars().take(40).collect::<String>(),
            "merchantCountryCode": format!("{:03}", self.place.country_number().unwrap_or(840)),
            "mcc": format!("{:04}", self.place.mcc),
            "purchaseAmount": self.amount.to_string(),
            "purchaseCurrency": "978",
            "purchaseExponent": "2",
            "purchaseDate": self.at,
            "transType": "01",
            "browserIP": "127.0.0.1",
            "browserAcceptHeader": "text/html",
            "browserLanguage": self.language,
            "browserUserAgent": "cekr shop",
            "browserScreenWidth": "1280",
            "browserScreenHeight": "800",
            "browserColorDepth": "24",
            "browserTZ": "-60",
            "browserJavaEnabled": false,
            "browserJavascriptEnabled": true,
        })
    }

    /// Judges the answer (`ARes`).
    ///
    /// # Errors
    /// [`MessageFault`].
    pub fn judge(&self, answer: &Value) -> Result<Verdict, MessageFault> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("messageType") == "Erro" {
            let (code, detail) = (text("errorCode").to_owned(), text("errorDetail").to_owned());
            return Err(MessageFault::ErrorMessage { code, detail });
        }
        self.is_about(answer, "ARes")?;
        match text("transStatus") {
            "Y" | "A" => authentication(answer).map(Verdict::Authenticated),
            "C" => {
                let (url, acs_id) = (text("acsURL").to_owned(), text("acsTransID").to_owned());
                if url.is_empty() || acs_id.is_empty() {
                    return Err(MessageFault::Wrong("acsURL or acsTransID"));
                }
                Ok(Verdict::Challenge { url, acs_id })
            }
            "" => Err(MessageFault::Wrong("transStatus")),
            _ => Ok(Verdict::Not(refused(answer))),
        }
    }

    /// What the browser's form carries to the issuer, as its field `creq`.
    #[must_use]
    pub fn creq(&self, acs_id: &str) -> String {
        let message = json!({
            "messageVersion": VERSION,
            "messageType": "CReq",
            "threeDSServerTransID": self.id,
            "acsTransID": acs_id,
            "challengeWindowSize": "05",
        });
        URL_SAFE_NO_PAD.encode(message.to_string())
    }

    /// Judges the result (`RReq`) of a challenge.
    ///
    /// # Errors
    /// [`MessageFault`].
    pub fn judge_result(&self, result: &Value, acs_id: &str) -> Result<Verdict, MessageFault> {
        self.is_about(result, "RReq")?;
        if result.get("acsTransID").and_then(Value::as_str) != Some(acs_id) {
            return Err(MessageFault::Wrong("acsTransID"));
        }
        match result.get("transStatus").and_then(Value::as_str) {
            Some("Y" | "A") => authentication(result).map(Verdict::Authenticated),
            Some(_) => Ok(Verdict::Not(refused(result))),
            None => Err(MessageFault::Wrong("transStatus")),
        }
    }

    fn is_about(&self, message: &Value, kind: &'static str) -> Result<(), MessageFault> {
        let is = |name: &str, wanted: &str| {
            let told = message.get(name).and_then(Value::as_str);
            told.is_some_and(|told| told.eq_ignore_ascii_case(wanted))
        };
        if !is("messageType", kind) {
            return Err(MessageFault::Wrong("messageType"));
        }
        if !is("threeDSServerTransID", &self.id) || !is("dsTransID", &self.ds_id) {
            return Err(MessageFault::Wrong("threeDSServerTransID or dsTransID"));
        }
        Ok(())
    }
}

/// What a result is answered with (`RRes`): every element that names the order, as it came.
#[must_use]
pub fn rres(result: &Value) -> Value {
    let same = |name: &str| result.get(name).cloned().unwrap_or(Value::Null);
    json!({
        "messageVersion": same("messageVersion"),
        "threeDSServerTransID": same("threeDSServerTransID"),
        "dsTransID": same("dsTransID"),
        "acsTransID": same("acsTransID"),
        "messageType": "RRes",
        "resultsStatus": "01",
    })
}

/// The `CRes` that a browser brought back, out of the form's field `cres`.
#[must_use]
pub fn cres(field: &str) -> Option<Value> {
    let octets = URL_SAFE_NO_PAD.decode(field.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&octets).ok()
}

fn authentication(message: &Value) -> Result<Authentication, MessageFault> {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let eci: Option<[u8; 2]> = text("eci").as_bytes().try_into().ok();
    let value = STANDARD.decode(text("authenticationValue")).ok();
    let value: Option<[u8; 20]> = value.and_then(|value| value.try_into().ok());
    match (eci, value) {
        (Some(eci), Some(cavv)) => Ok(Authentication { eci, cavv }),
        _ => Err(MessageFault::Wrong("eci or authenticationValue")),
    }
}

fn refused(message: &Value) -> Refused {
    let text =
        |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Refused {
        status: text("transStatus"),
        reason: text("transStatusReason"),
        cancel: text("challengeCancel"),
        info: text("cardholderInfo"),
    }
}

/// Where results come to.
pub const RESULTS_PATH: &str = "/3ds/rreq";
/// Where browsers come back to.
pub const NOTIFICATION_PATH: &str = "/3ds/back";
const VERSION: &str = "2.2.0";

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            id: "8a880dc0-d2d2-4067-bcb1-b08d1690b26e".to_owned(),
            ds_id: "f25084f0-5b16-4c0a-ae5d-b24808a95e4b".to_owned(),
            place: Place::web_shop("Trgovina d.o.o.", "Kranj", *b"SI"),
            pan: Pan::parse(b"4761730000000011").unwrap(),
            expiry: 3012,
            amount: 39_00,
            at: "20261122101500".to_owned(),
            own_url: "http://127.0.0.1:40000".to_owned(),
            language: "sl",
        }
    }

    fn vector(name: &str) -> Value {
        let path = format!("{}/../tests/vectors/domain/3ds/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    const ACS: &str = "d7c1ee99-9478-44a6-b1f2-391e29c6b340";

    #[test]
    fn a_question_has_the_elements_of_the_published_one() {
        let keys = |value: &Value| -> Vec<String> {
            let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&order().areq()), keys(&vector("areq.json")));
    }

    #[test]
    fn published_answers_are_understood() {
        let challenge = order().judge(&vector("ares-challenge-oob.json")).unwrap();
        let url = "https://127.0.0.1/acs/creq".to_owned();
        assert_eq!(challenge, Verdict::Challenge { url, acs_id: ACS.to_owned() });
        let Ok(Verdict::Authenticated(proof)) = order().judge(&vector("ares-frictionless.json"))
        else {
            panic!("not authenticated");
        };
        assert_eq!(&proof.eci, b"05");
        for (name, status, reason) in
            [("ares-not-enrolled.json", "U", "13"), ("ares-rejected-online-off.json", "R", "12")]
        {
            let Ok(Verdict::Not(refused)) = order().judge(&vector(name)) else { panic!("{name}") };
            assert_eq!((&*refused.status, &*refused.reason), (status, reason));
        }
    }

    #[test]
    fn published_results_are_understood_and_answered() {
        let ok = vector("rreq-ok.json");
        assert!(matches!(order().judge_result(&ok, ACS), Ok(Verdict::Authenticated(_))));
        assert_eq!(rres(&ok), vector("rres.json"));
        assert_eq!(order().judge_result(&ok, "x"), Err(MessageFault::Wrong("acsTransID")));
        let declined = order().judge_result(&vector("rreq-declined-by-cardholder.json"), ACS);
        let Ok(Verdict::Not(refused)) = declined else { panic!("declined") };
        assert_eq!((&*refused.reason, &*refused.cancel), ("01", "01"));
        let other = Order { id: "another".to_owned(), ..order() };
        assert!(other.judge_result(&ok, ACS).is_err());
    }

    #[test]
    fn a_browser_carries_messages_as_the_published_ones() {
        assert_eq!(cres(&order().creq(ACS)).unwrap(), vector("creq-browser.json"));
        assert_eq!(cres("no base64!"), None);
    }
}
