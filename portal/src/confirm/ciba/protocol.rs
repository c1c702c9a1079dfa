//! The messages of CIBA, without a wire: what is sent, and how each answer is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::{self, Request, header};

use crate::settings::Rekono;

/// A call.
pub(super) struct Call {
    address: String,
    /// A form; `None` reads.
    form: Option<String>,
    authorization: Option<String>,
}

impl Call {
    /// A form with our name: in the header where we have a secret, else among the fields.
    pub(super) fn of(settings: &Rekono, address: &str, fields: &[(&str, &str)]) -> Call {
        let (name, secret) = (&*settings.client_id, settings.client_secret.expose());
        let pair = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
        let mut pairs: Vec<String> = fields.iter().map(pair).collect();
        let authorization = if secret.is_empty() {
            pairs.push(pair(&("client_id", name)));
            None
        } else {
            let both = STANDARD.encode(format!("{}:{}", encoded(name), encoded(secret)));
            Some(format!("Basic {both}"))
        };
        Call { address: address.to_owned(), form: Some(pairs.join("&")), authorization }
    }

    /// A look at a document.
    pub(super) fn read(address: &str) -> Call {
        Call { address: address.to_owned(), form: None, authorization: None }
    }

    /// As it goes out.
    pub(super) fn request(&self) -> Result<Request<Vec<u8>>, http::Error> {
        let request = match self.form {
            Some(_) => Request::post(&self.address).header(header::CONTENT_TYPE, FORM),
            None => Request::get(&self.address),
        };
        let request = request.header(header::ACCEPT, "application/json");
        let request = match &self.authorization {
            Some(name) => request.header(header::AUTHORIZATION, name),
            None => request,
        };
        request.body(self.form.clone().unwrap_or_default().into_bytes())
    }
}

/// A question that the provider took.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Started {
    /// `auth_req_id`.
    pub(super) request: String,
    /// Seconds between two looks.
    pub(super) interval_s: u64,
}

impl Started {
    /// Reads the answer of the backchannel endpoint; `None` for a refusal or what is no answer.
    pub(super) fn read(status: u16, body: &[u8]) -> Option<Started> {
        let body: Value = serde_json::from_slice(body).ok().filter(|_| status == 200)?;
        let request = body.get("auth_req_id")?.as_str()?;
        if request.is_empty() || request.len() > REQUEST_OCTETS_MAX {
            return None;
        }
        let interval_s = body.get("interval").and_then(Value::as_u64).unwrap_or(INTERVAL_S);
        let interval_s = interval_s.clamp(1, INTERVAL_S_MAX);
        Some(Started { request: request.to_owned(), interval_s })
    }
}

/// What the token endpoint says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// The holder refused.
    Denied,
    /// The time is over.
    Expired,
    /// It can come to nothing any more.
    Failed,
    /// The holder agreed; the ID token.
    Granted(String),
    /// Nothing yet.
    Pending,
    /// Nothing yet, and we ask too often.
    SlowDown,
}

impl Turn {
    /// Reads an answer. What is no answer of a provider (5xx, no JSON) is none yet.
    pub(super) fn read(status: u16, body: &[u8]) -> Turn {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Turn::Pending;
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        match (status, text("error")) {
            (200, None) => match text("id_token") {
                Some(token) => Turn::Granted(token.to_owned()),
                None => Turn::Failed,
            },
            (500.., _) | (_, Some("authorization_pending")) => Turn::Pending,
            (_, Some("slow_down")) => Turn::SlowDown,
            (_, Some("access_denied")) => Turn::Denied,
            (_, Some("expired_token")) => Turn::Expired,
            (_, Some(_) | None) => Turn::Failed,
        }
    }
}

/// A value of a form: every octet that is not plain becomes `%XX`.
fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, octet| {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(octet));
        } else {
            text.push_str(&format!("%{octet:02X}"));
        }
        text
    })
}

/// The grant type of CIBA.
pub(super) const GRANT: &str = "urn:openid:params:grant-type:ciba";
/// By how much is waited longer after `slow_down`, in seconds.
pub(super) const SLOWER_S: u64 = 5;
const FORM: &str = "application/x-www-form-urlencoded";
/// Where the provider names none, in seconds.
const INTERVAL_S: u64 = 5;
const INTERVAL_S_MAX: u64 = 60;
const REQUEST_OCTETS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use crate::settings::ClientSecret;

    #[test]
    fn each_word_of_the_token_endpoint_has_its_turn() {
        let turn = |status, body: &str| Turn::read(status, body.as_bytes());
        assert_eq!(turn(200, r#"{"id_token":"t"}"#), Turn::Granted("t".to_owned()));
        assert_eq!(turn(400, r#"{"error":"authorization_pending"}"#), Turn::Pending);
        assert_eq!(turn(400, r#"{"error":"slow_down"}"#), Turn::SlowDown);
        assert_eq!(turn(400, r#"{"error":"access_denied"}"#), Turn::Denied);
        assert_eq!(turn(400, r#"{"error":"expired_token"}"#), Turn::Expired);
        for odd in [r#"{"error":"invalid_grant"}"#, "{}", r#"{"id_token":"t"}"#] {
            assert_eq!(turn(400, odd), Turn::Failed, "{odd}");
        }
        assert_eq!(turn(200, "{}"), Turn::Failed, "an access token alone says nothing of anybody");
        assert_eq!(turn(200, r#"{"id_token":"t","error":"access_denied"}"#), Turn::Denied);
        assert_eq!(turn(503, "{}"), Turn::Pending);
        assert_eq!(turn(200, "<html>"), Turn::Pending);
    }

    #[test]
    fn an_answer_to_a_question_names_it() {
        let read = |status, body: &str| Started::read(status, body.as_bytes());
        let started =
            |request: &str, interval_s| Some(Started { request: request.to_owned(), interval_s });
        assert_eq!(read(200, r#"{"auth_req_id":"a","expires_in":300}"#), started("a", 5));
        assert_eq!(read(200, r#"{"auth_req_id":"a","interval":0}"#), started("a", 1));
        assert_eq!(read(200, r#"{"auth_req_id":"a","interval":900}"#), started("a", 60));
        for (status, odd) in [(200, "{}"), (200, r#"{"auth_req_id":""}"#), (200, "x"), (400, "{}")]
        {
            assert_eq!(read(status, odd), None, "{odd}");
        }
    }

    #[test]
    fn a_client_with_a_secret_sends_it_in_the_header_and_one_without_its_name() {
        let mut settings = Rekono { client_id: "ce kr".to_owned(), ..Rekono::default() };
        let fields = [("binding_message", "Čriček: 39,00 €")];
        let call = Call::of(&settings, "http://localhost/a", &fields);
        let request = call.request().unwrap();
        let body = "binding_message=%C4%8Cri%C4%8Dek%3A%2039%2C00%20%E2%82%AC&client_id=ce%20kr";
        assert_eq!(String::from_utf8_lossy(request.body()), body);
        assert!(request.headers().get(header::AUTHORIZATION).is_none());
        settings.client_secret = ClientSecret::new("s:1".to_owned());
        let call = Call::of(&settings, "http://localhost/a", &[]);
        let request = call.request().unwrap();
        assert!(request.body().is_empty());
        let name = request.headers().get(header::AUTHORIZATION).unwrap();
        assert_eq!(name, &format!("Basic {}", STANDARD.encode("ce%20kr:s%3A1")));
    }
}
