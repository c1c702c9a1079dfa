//! The demo's cardholder on the website: registers with a card's back and one-time code, hears of
//! online purchases, and confirms or refuses them with a passkey.
//!
//! Everything goes over the website's own HTTP, as a browser does it. The calls block.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::virtual_passkey::VirtualPasskey;

/// What the website asks of somebody who has a card in hand.
pub(crate) struct Back {
    /// The card's opaque id.
    pub(crate) card: String,
    /// Nine digits.
    pub(crate) mok_id: String,
    /// The last six digits of its number.
    pub(crate) last_six: String,
}

/// What a holder says to a purchase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// They confirm it with their passkey.
    Confirm,
    /// They did not order this.
    Refuse,
}

/// Somebody who is signed in, with their browser's cookies.
pub(crate) struct Holder {
    site: Site,
    passkey: VirtualPasskey,
    csrf: String,
}

impl Holder {
    /// Gets a one-time code for a card, as its letter has one, and registers with it. The passkey
    /// that is made by it confirms the card's purchases from then on.
    ///
    /// # Errors
    /// What the website said, in words.
    pub(crate) fn register(url: &str, operator_token: &str, back: &Back) -> Result<Holder, String> {
        let mut site = Site::new(url);
        let code = site.code(operator_token, &back.card)?;
        let typed = [("mok_id", &*back.mok_id), ("last_six", &*back.last_six), ("code", &*code)];
        let page = site.form("/register", &typed)?.expect(200)?;
        let enrolment = hidden(&page.body, "ceremony");
        let begun = site.form("/register/begin", &[("ceremony", &*enrolment)])?.expect(200)?.json();
        let mut passkey = VirtualPasskey::draw(url).ok_or("the draw was no key")?;
        let credential = passkey.create(&begun["publicKey"]).to_string();
        let ceremony = begun["ceremony"].as_str().unwrap_or_default();
        let made = [("ceremony", ceremony), ("credential", &*credential)];
        site.form("/register/finish", &made)?.expect(303)?;
        let csrf = hidden(&site.get("/devices")?.expect(200)?.body, "csrf");
        Ok(Holder { site, passkey, csrf })
    }

    /// Waits until they are asked about a purchase at this shop, and answers.
    ///
    /// # Errors
    /// What the website said, or that nothing was asked.
    pub(crate) fn answer(&mut self, payee: &str, answer: Answer) -> Result<(), String> {
        let id = self.waiting(payee)?;
        let of = |step: &str| format!("/v1/holder/confirmations/{id}/{step}");
        if answer == Answer::Refuse {
            self.site.json(&of("refuse"), &self.csrf, &json!({}))?.expect(200)?;
            return Ok(());
        }
        let begun = self.site.json(&of("approve/begin"), &self.csrf, &json!({}))?;
        let begun = begun.expect(200)?.json();
        let credential = self.passkey.get(&begun["publicKey"]);
        let signed = json!({"ceremony": begun["ceremony"], "credential": credential});
        self.site.json(&of("approve/finish"), &self.csrf, &signed)?.expect(200)?;
        Ok(())
    }

    /// The id of the purchase that waits for them.
    fn waiting(&mut self, payee: &str) -> Result<String, String> {
        let mut news = self.site.news("/v1/holder/confirmations/events")?;
        // The first comes at once: what came before is not missed.
        while news.any(|line| line == "event: confirmations-changed") {
            let list = self.site.get("/v1/holder/confirmations")?.expect(200)?.json();
            let mut waiting = list["data"].as_array().into_iter().flatten();
            let found = waiting.find(|one| one["payee"] == payee && one["state"] == "pending");
            if let Some(id) = found.and_then(|one| one["id"].as_str()) {
                return Ok(id.to_owned());
            }
        }
        Err(format!("the holder was not asked about a purchase at {payee}"))
    }
}

/// The website, as one browser sees it.
struct Site {
    agent: ureq::Agent,
    url: String,
    cookies: BTreeMap<String, String>,
}

/// What came back.
struct Reply {
    path: String,
    status: u16,
    body: String,
}

impl Reply {
    fn expect(self, status: u16) -> Result<Reply, String> {
        if self.status == status {
            return Ok(self);
        }
        let start: String = self.body.chars().take(300).collect();
        Err(format!("the website answers {} to {}: {start}", self.status, self.path))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Site {
    fn new(url: &str) -> Site {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Site { agent, url: url.to_owned(), cookies: BTreeMap::new() }
    }

    /// What an operator prints into a new card's letter.
    fn code(&mut self, operator_token: &str, card: &str) -> Result<String, String> {
        let path = format!("/v1/cards/{card}/enrolment_codes");
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("Authorization", format!("Bearer {operator_token}"));
        let reply = self.read(&path, request.send_json(json!({})))?.expect(200)?.json();
        Ok(reply["code"].as_str().ok_or("the answer has no code")?.to_owned())
    }

    fn get(&mut self, path: &str) -> Result<Reply, String> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let answer = request.header("Cookie", self.cookie_line()).call();
        self.read(path, answer)
    }

    fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Reply, String> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("Cookie", self.cookie_line()).header("Origin", &self.url);
        let answer = request.send_form(fields.iter().copied());
        self.read(path, answer)
    }

    fn json(&mut self, path: &str, csrf: &str, body: &Value) -> Result<Reply, String> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("Cookie", self.cookie_line()).header("Origin", &self.url);
        let answer = request.header("X-CSRF-Token", csrf).send_json(body);
        self.read(path, answer)
    }

    /// The lines of a stream of events, as they come.
    fn news(&self, path: &str) -> Result<impl Iterator<Item = String> + use<>, String> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = request.header("Accept", "text/event-stream");
        let answer = request.header("Cookie", self.cookie_line()).call();
        let answer = answer.map_err(|error| format!("{path}: {error}"))?;
        let lines = std::io::BufReader::new(answer.into_body().into_reader()).lines();
        Ok(lines.map_while(Result::ok))
    }

    fn cookie_line(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn read(
        &mut self,
        path: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Reply, String> {
        let mut answer = answer.map_err(|error| format!("{path}: {error}"))?;
        for line in answer.headers().get_all("set-cookie") {
            let pair = line.to_str().unwrap_or_default().split(';').next();
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_string();
        let body = body.map_err(|error| format!("{path}: {error}"))?;
        Ok(Reply { path: path.to_owned(), status, body })
    }
}

/// The value of a page's first hidden field of this name.
fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let value = page.split_once(&mark).and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

/// How long the website may take for an answer, and a purchase to come.
const PATIENCE: Duration = Duration::from_secs(30);
