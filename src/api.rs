//! The API of a running switch, as commands call it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Which switch, and by what right.
#[derive(clap::Args)]
pub struct ApiArgs {
    /// The running switch
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CEKR_API",
        default_value = "http://localhost:8080",
        value_parser = url
    )]
    api: String,
    /// Operator token; without it CEKR_OPERATOR_TOKEN, then ./cekr-data/operator.token
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<String>,
}

/// Calls of one switch.
pub struct Api {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

impl Api {
    /// Calls of the switch that the flags name.
    pub fn new(args: &ApiArgs) -> Api {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(CALL_TIMEOUT))
            .build();
        let base = args.api.trim_end_matches('/').to_owned();
        Api { agent: config.into(), base, token: token(args.token.as_deref()) }
    }

    pub fn get(&self, path: &str) -> Result<Value, String> {
        let mut request = self.agent.get(self.url(path));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.told(request.call())
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send(self.agent.post(self.url(path)), body)
    }

    pub fn patch(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send(self.agent.patch(self.url(path)), body)
    }

    fn send(
        &self,
        mut request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &Value,
    ) -> Result<Value, String> {
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.told(request.send_json(body))
    }

    /// Sends a file as it is. What becomes of it may take its time, and may be long to tell.
    pub fn upload(&self, path: &str, file: std::fs::File) -> Result<Value, String> {
        let request = self.agent.post(self.url(path)).config();
        let mut request = request.timeout_global(Some(UPLOAD_TIMEOUT)).build();
        request = request.header("Content-Type", "application/xml");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.told(request.send(file))
    }

    /// All pages of a list.
    pub fn pages(&self, path: &str) -> Result<Vec<Value>, String> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().and_then(|last| last["id"].as_str());
            let after = after.map_or(String::new(), |id| format!("&starting_after={id}"));
            let page = self.get(&format!("{path}?limit=100{after}"))?;
            let more = page["has_more"].as_bool().unwrap_or(false);
            let cards = data(&page);
            if cards.is_empty() {
                return Ok(all);
            }
            all.extend(cards);
            if !more {
                return Ok(all);
            }
        }
    }

    pub fn find(&self, name: &str) -> Result<Value, String> {
        let page = self.get(&format!("/v1/cards?name={}", escaped(name)))?;
        data(&page)
            .into_iter()
            .next()
            .ok_or_else(|| format!("no card is called `{name}`\nhelp: `cekr card list` names them"))
    }

    pub fn id_of(&self, name: &str) -> Result<String, String> {
        let card = self.find(name)?;
        card["id"].as_str().map(str::to_owned).ok_or_else(|| "the switch named no id".to_owned())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The body of a good answer, or what went wrong and what to do next.
    fn told(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, String> {
        let mut response = answer.map_err(|error| {
            format!(
                "no answer from {}: {error}\nhelp: is `cekr serve` running? \
                 `--api URL` names another address",
                self.base
            )
        })?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_OCTETS_MAX).read_json();
        let body: Value = match body {
            Ok(body) => body,
            Err(error) if status.is_success() => {
                return Err(format!("the answer of {} cannot be read: {error}", self.base));
            }
            Err(_) => Value::Null,
        };
        if status.is_success() {
            return Ok(body);
        }
        let message = body["error"]["message"].as_str().unwrap_or("no reason given");
        let help = if status.as_u16() == 401 {
            "\nhelp: `--token T` or CEKR_OPERATOR_TOKEN; `cekr serve` says where its token lies"
        } else {
            ""
        };
        Err(format!("{message} ({status}){help}"))
    }
}

/// The token of the flag, the environment, or a switch that was started in this directory.
fn token(flag: Option<&str>) -> Option<String> {
    let given = flag.map(str::to_owned).or_else(|| std::env::var("CEKR_OPERATOR_TOKEN").ok());
    given.filter(|token| !token.is_empty()).or_else(|| {
        let text = std::fs::read_to_string(Path::new("cekr-data/operator.token")).ok()?;
        Some(text.trim().to_owned())
    })
}

/// Where a switch's API is. Whoever needs TLS puts a proxy in front: nothing here speaks it.
fn url(text: &str) -> Result<String, String> {
    let fault = || "write http://HOST:PORT, for example http://localhost:8080".to_owned();
    let uri: ureq::http::Uri = text.parse().map_err(|_| fault())?;
    let is_whole = uri.scheme_str() == Some("http") && uri.host().is_some_and(|h| !h.is_empty());
    if is_whole { Ok(text.to_owned()) } else { Err(fault()) }
}

pub fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// The items of a page.
pub fn data(page: &Value) -> Vec<Value> {
    page["data"].as_array().cloned().unwrap_or_default()
}

/// A change waits for the disk; a switch that needs longer is in trouble.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A file of the largest size, over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// The report of the longest statement.
const ANSWER_OCTETS_MAX: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_scheme_and_host() {
        for text in ["http://localhost:8080", "http://127.0.0.1:1/", "http://[::1]:8080"] {
            assert_eq!(url(text).as_deref(), Ok(text));
        }
        for wrong in ["", "::", "localhost:8080", "https://switch:8080", "http://", "ftp://a"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_escaped_in_a_query() {
        assert_eq!(escaped("ana&limit=1 č"), "ana%26limit%3D1%20%C4%8D");
    }
}
