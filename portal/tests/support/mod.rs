//! The website on a free port with cards, browsers without a screen, and a passkey's device.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

pub mod authenticator;
pub mod operator;
pub mod provider;
pub mod receiver;
pub mod shop;
pub mod tls;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use cekr_bank::upn::Payee;
use cekr_iso8583::{Expiry, Pan};
use cekr_issuer::entry::Name;
use cekr_issuer::{Amount, CardStatus, Channels, Controls};
use cekr_portal::Portal;
use cekr_portal::outbound::{OutboundSettings, Reach};
use cekr_portal::settings::{DatabasePlace, Settings};
use cekr_switch::clock::{Clock, ManualClock};
use cekr_switch::config::{Address, Config, Durability};
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Running, Server, Signals};
use cekr_switch::shard::NewCard;
use serde_json::Value;

use authenticator::Authenticator;

pub const TOKEN: &str = "a-token-for-tests";
/// The built-in cards' code with `--sandbox`.
pub const CODE: &str = "KRANJ-40000";
/// Name, number, MOK ID: as `cards.toml` has them; `nika` is no built-in card.
pub const CARDS: [(&str, &str, u32); 4] = [
    ("ana", "4761730000000011", 123_456_782),
    ("bor", "4761730000000029", 534_640_974),
    ("cilka", "4761730000000037", 302_466_339),
    ("nika", "4761730000000094", 700_000_009),
];
const START_MS: u64 = 1_795_341_600_000;

/// A switch in memory with the website.
pub struct Site {
    pub portal: Portal,
    pub clock: ManualClock,
    /// The address that browsers know.
    pub url: String,
    /// Where terminals connect.
    pub iso8583: std::net::SocketAddr,
    address: String,
    agent: ureq::Agent,
    // Last: it stops the switch when it goes.
    _running: Running,
}

impl Site {
    pub fn start() -> Site {
        Site::with(|_| {})
    }

    /// The same with a last word on the website's settings.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Site {
        let sample = include_str!("../../../advantage.toml");
        let mut config = Config::parse(sample, "test").unwrap();
        let free = Address::parse("127.0.0.1:0").unwrap();
        config.listener.first_mut().addr = free.clone();
        config.http.addr = free;
        config.http.operator_token = TOKEN.to_owned();
        config.data.durability = Durability::None;
        config.switch.threads = 1;
        let (clock, hand) = Clock::manual(START_MS);
        let options = Options {
            start_key: StartKey::development(),
            clock,
            signals: Signals::Leave,
            clock_behind: ClockBehind::Refuse,
        };
        let mut server = Server::bind(config, options).unwrap();
        for (name, pan, mok_id) in CARDS {
            issue(&server, name, pan, mok_id);
        }
        server.settle().unwrap();
        let url = server.http_url().unwrap();
        let mut settings = Settings {
            audit_head: None,
            database: DatabasePlace::Memory,
            public_url: url.clone(),
            sandbox: true,
            rekono: None,
            results_url: String::new(),
            payee: Payee::default(),
            outbound: OutboundSettings { ca_file: None, reach: Reach::Anywhere },
        };
        change(&mut settings);
        let portal = server.block_on(Portal::open(server.durable().clone(), settings)).unwrap();
        server.extend(portal.extension());
        let running = server.start().unwrap();
        let address = format!("http://{}", running.http_addr);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        let iso8583 = *running.iso_addrs.first().unwrap();
        Site { portal, clock: hand, url, iso8583, address, agent, _running: running }
    }

    /// A browser that has never been here.
    pub fn browser(&self) -> Browser<'_> {
        Browser {
            site: self,
            cookies: RefCell::default(),
            origin: RefCell::new(Some(self.url.clone())),
        }
    }

    /// A call with the operator's token.
    pub fn operator(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let address = format!("{}{path}", self.address);
        let bearer = format!("Bearer {TOKEN}");
        let answer = match method {
            "GET" => self.agent.get(address).header("Authorization", bearer).call(),
            "DELETE" => self.agent.delete(address).header("Authorization", bearer).call(),
            _ => self.agent.post(address).header("Authorization", bearer).send_json(body),
        };
        let mut answer = answer.unwrap();
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// A message of somebody who is no browser, with no token.
    pub fn send(&self, path: &str, kind: &str, body: &[u8]) -> Reply {
        let request = self.agent.post(format!("{}{path}", self.address));
        self.browser().told(request.header("Content-Type", kind).send(body))
    }

    /// The opaque id of a card.
    pub fn card(&self, name: &str) -> String {
        let (_, page) = self.operator("GET", &format!("/v1/cards?name={name}"), &Value::Null);
        page["data"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Somebody who has registered with a card's published code and is signed in.
    pub fn registered(&self, name: &str) -> (Browser<'_>, Authenticator) {
        let (browser, mut device) = (self.browser(), Authenticator::new(&self.url));
        let done = browser.register(&mut device, name, CODE);
        assert_eq!(done.status, 303, "{}", done.body);
        (browser, device)
    }
}

/// Back of a built-in card: MOK ID and last six digits.
pub fn back(name: &str) -> (String, String) {
    let (_, pan, mok_id) = CARDS.into_iter().find(|card| card.0 == name).unwrap();
    (format!("{mok_id:09}"), pan[pan.len() - 6..].to_owned())
}

/// A browser: cookies, and the `Origin` that it would send. It follows no redirect.
pub struct Browser<'a> {
    pub site: &'a Site,
    pub cookies: RefCell<BTreeMap<String, String>>,
    /// What it says it posts from; `None` sends no such header.
    pub origin: RefCell<Option<String>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Where it leads to, or nothing.
    pub location: String,
    pub body: String,
    pub headers: BTreeMap<String, String>,
}

impl Reply {
    /// The value of the page's first hidden field of this name.
    pub fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&mark).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once('"'))
            .map(|(value, _)| value.to_owned())
            .unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Browser<'_> {
    pub fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.site.agent.get(format!("{}{path}", self.site.address));
        request = request.header("Cookie", self.cookie_line()).header("User-Agent", AGENT);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.told(request.call())
    }

    /// A stream's lines, as they come.
    pub fn stream(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> impl Iterator<Item = String> + use<> {
        use std::io::BufRead as _;
        let mut request = self.site.agent.get(format!("{}{path}", self.site.address));
        request =
            request.header("Cookie", self.cookie_line()).header("Accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let lines = std::io::BufReader::new(answer.into_body().into_reader()).lines();
        lines.map_while(Result::ok).filter(|line| !line.is_empty() && !line.starts_with(':'))
    }

    /// A call of the holder's API.
    pub fn api(&self, method: &str, path: &str, token: &str, body: &Value) -> Reply {
        let address = format!("{}{path}", self.site.address);
        if method == "DELETE" {
            let mut request = self.site.agent.delete(address);
            request = request.header("Cookie", self.cookie_line()).header("X-CSRF-Token", token);
            if let Some(origin) = &*self.origin.borrow() {
                request = request.header("Origin", origin.as_str());
            }
            return self.told(request.call());
        }
        let request = match method {
            "PATCH" => self.site.agent.patch(address),
            _ => self.site.agent.post(address),
        };
        let mut request =
            request.header("Cookie", self.cookie_line()).header("X-CSRF-Token", token);
        if let Some(origin) = &*self.origin.borrow() {
            request = request.header("Origin", origin.as_str());
        }
        self.told(request.send_json(body))
    }

    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.post_with(path, fields, &[])
    }

    pub fn post_with(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.site.agent.post(format!("{}{path}", self.site.address));
        request = request.header("Cookie", self.cookie_line()).header("User-Agent", AGENT);
        if let Some(origin) = &*self.origin.borrow() {
            request = request.header("Origin", origin.as_str());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let form = "application/x-www-form-urlencoded";
        self.told(request.header("Content-Type", form).send(body.join("&")))
    }

    /// Posts a body of another kind than a form's.
    pub fn post_body(&self, path: &str, kind: &str, body: String) -> Reply {
        let mut request = self.site.agent.post(format!("{}{path}", self.site.address));
        request = request.header("Cookie", self.cookie_line()).header("User-Agent", AGENT);
        if let Some(origin) = &*self.origin.borrow() {
            request = request.header("Origin", origin.as_str());
        }
        self.told(request.header("Content-Type", kind).send(body))
    }

    /// Registers with a card's back and a code; what `/register/finish` says, or what stopped it.
    pub fn register(&self, device: &mut Authenticator, name: &str, code: &str) -> Reply {
        let (mok_id, last_six) = back(name);
        let csrf = self.csrf();
        let fields =
            [("csrf", &*csrf), ("mok_id", &*mok_id), ("last_six", &*last_six), ("code", code)];
        let judged = self.post("/register", &fields);
        if judged.status != 200 {
            return judged;
        }
        let enrolment = judged.field("ceremony");
        let begun = self.post("/register/begin", &[("csrf", &*csrf), ("ceremony", &*enrolment)]);
        if begun.status != 200 {
            return begun;
        }
        self.finish("/register/finish", device.create(&begun.json()["publicKey"]), &begun)
    }

    /// Signs in with a device; what `/sign-in/finish` says.
    pub fn sign_in(&self, device: &mut Authenticator) -> Reply {
        let begun = self.begin("/sign-in/begin");
        self.finish("/sign-in/finish", device.get(&begun.json()["publicKey"]), &begun)
    }

    /// Proves anew who is signed in; what `/prove/finish` says.
    pub fn prove(&self, device: &mut Authenticator) -> Reply {
        let begun = self.begin("/prove/begin");
        self.finish("/prove/finish", device.get(&begun.json()["publicKey"]), &begun)
    }

    /// What a ceremony asks.
    pub fn begin(&self, path: &str) -> Reply {
        let csrf = self.csrf();
        let begun = self.post_with(path, &[], &[("X-CSRF-Token", &*csrf)]);
        assert_eq!(begun.status, 200, "{}", begun.body);
        begun
    }

    /// Sends a device's answer to a ceremony.
    pub fn finish(&self, path: &str, credential: Value, begun: &Reply) -> Reply {
        let ceremony = begun.json()["ceremony"].as_str().unwrap().to_owned();
        let (csrf, credential) = (self.csrf(), credential.to_string());
        let fields = [("csrf", &*csrf), ("ceremony", &*ceremony), ("credential", &*credential)];
        self.post(path, &fields)
    }

    /// The session's token, empty when nobody is signed in.
    pub fn csrf(&self) -> String {
        self.get("/prove").field("csrf")
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    pub fn is_signed_in(&self) -> bool {
        self.get("/devices").status == 200
    }

    fn cookie_line(&self) -> String {
        let cookies = self.cookies.borrow();
        let pairs: Vec<String> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn told(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
        let mut answer = answer.unwrap();
        for line in answer.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.set_cookie(name, value);
            }
        }
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers: BTreeMap<String, String> =
            answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Reply {
            status: answer.status().as_u16(),
            location: headers.get("location").cloned().unwrap_or_default(),
            body: answer.body_mut().read_to_string().unwrap_or_default(),
            headers,
        }
    }
}

fn encoded(value: &str) -> String {
    value.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

fn issue(server: &Server, name: &str, pan: &str, mok_id: u32) {
    let card = NewCard {
        pan: Pan::parse(pan.as_bytes()).unwrap(),
        name: Name::new(name).unwrap(),
        mok_id,
        controls: Controls {
            status: CardStatus::Active,
            ticks: Channels::ALL,
            expiry: Expiry::new(3012).unwrap(),
            version: 1,
        },
        pin: None,
        limited: true,
        balance: Amount::from_minor(100_00),
    };
    server.control().shard().issue(card, server.clock().now()).unwrap();
}

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
