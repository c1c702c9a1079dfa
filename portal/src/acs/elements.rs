//! The elements of a message as a table: which must be there, and what each may hold.
//!
//! Source: EMV 3-D Secure Protocol and Core Functions Specification 2.1.0 and 2.2.0, table of data
//! elements. What is missing is told before what is wrong; elements that no row names are let be,
//! as the protocol asks.

use serde_json::Value;

use super::error_message::{ErrorCode, Fault};
use super::json::Members;
use super::uuid::Uuid;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    pub(super) needed: Needed,
}

/// What an element may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    /// An array of objects.
    Array,
    /// `true` or `false`.
    Bool,
    /// So many digits, from and to.
    Digits(usize, usize),
    /// So many characters at most, whatever they are.
    Name(usize),
    /// An object; what is in it is not ours to judge.
    Object,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of these in version 2.1.0, one of those in 2.2.0; 80 to 99 are the network's.
    OneOfByVersion(&'static [&'static str], &'static [&'static str]),
    /// So many characters, from and to, none of which is a control character.
    Text(usize, usize),
    /// A day and a moment, `YYYYMMDDHHMMSS`.
    Time,
    /// A UUID.
    Uuid,
    /// The address of something on the web, at most so long.
    WebAddress(usize),
    /// Minutes from UTC.
    Zone,
    /// `YYMM`.
    YearMonth,
}

/// When an element must be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Needed {
    /// Always.
    Always,
    /// From an app.
    App,
    /// From a browser.
    Browser,
    /// From a browser, since 2.2.0.
    BrowserNewer,
    /// From a browser that runs scripts, or in 2.1.0 any.
    BrowserScript,
    /// From a browser or an app.
    Buyer,
    /// It may be left out.
    No,
    /// With a payment.
    Payment,
    /// Where nobody is there.
    Requestor,
}

/// What decides which elements are needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) version: &'a str,
    pub(super) device_channel: &'a str,
    pub(super) message_category: &'a str,
    pub(super) runs_scripts: bool,
}

/// Holds a message against a table.
///
/// # Errors
/// 204, 201 or 203 with the names of all elements that it is about.
pub(super) fn check(
    members: &Members,
    elements: &[Element],
    context: Context<'_>,
) -> Result<(), Fault> {
    if !members.twice().is_empty() {
        return Err(Fault::new(ErrorCode::ElementTwice, members.twice().join(",")));
    }
    let names = |is_it: &dyn Fn(&Element) -> bool| -> String {
        let found = elements.iter().filter(|element| is_it(element)).map(|element| element.name);
        found.collect::<Vec<_>>().join(",")
    };
    let missing =
        names(&|element| context.needs(element.needed) && members.value(element.name).is_none());
    if !missing.is_empty() {
        return Err(Fault::new(ErrorCode::ElementMissing, missing));
    }
    let wrong = names(&|element| {
        let value = members.value(element.name);
        value.is_some_and(|value| !element.holds.takes(value, context.version))
    });
    if !wrong.is_empty() {
        return Err(Fault::new(ErrorCode::ElementInvalid, wrong));
    }
    Ok(())
}

impl Context<'_> {
    fn needs(self, needed: Needed) -> bool {
        let (is_app, is_browser) = (self.device_channel == "01", self.device_channel == "02");
        let is_newer = self.version != "2.1.0";
        match needed {
            Needed::Always => true,
            Needed::App => is_app,
            Needed::Browser => is_browser,
            Needed::BrowserNewer => is_browser && is_newer,
            Needed::BrowserScript => is_browser && (self.runs_scripts || !is_newer),
            Needed::Buyer => is_app || is_browser,
            Needed::No => false,
            Needed::Payment => self.message_category == "01",
            Needed::Requestor => !is_app && !is_browser,
        }
    }
}

impl Holds {
    fn takes(self, value: &Value, version: &str) -> bool {
        match self {
            Self::Array => value.as_array().is_some_and(|items| {
                items.len() <= ITEMS_MAX && items.iter().all(Value::is_object)
            }),
            Self::Bool => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Digits(..)
            | Self::Name(_)
            | Self::OneOf(_)
            | Self::OneOfByVersion(..)
            | Self::Text(..)
            | Self::Time
            | Self::Uuid
            | Self::WebAddress(_)
            | Self::Zone
            | Self::YearMonth => value.as_str().is_some_and(|text| self.takes_text(text, version)),
        }
    }

    fn takes_text(self, text: &str, version: &str) -> bool {
        match self {
            Self::Array | Self::Bool | Self::Object => false,
            Self::Digits(from, to) => is_digits(text) && (from..=to).contains(&text.len()),
            Self::Name(max) => (1..=max).contains(&text.chars().count()),
            Self::OneOf(all) => all.contains(&text),
            Self::OneOfByVersion(older, newer) => {
                let all = if version == "2.1.0" { older } else { newer };
                all.contains(&text) || is_of_network(text)
            }
            Self::Text(from, to) => {
                (from..=to).contains(&text.chars().count())
                    && !text.trim().is_empty()
                    && !text.chars().any(char::is_control)
            }
            Self::Time => is_time(text),
            Self::Uuid => Uuid::parse(text).is_some(),
            Self::WebAddress(max) => text.len() <= max && is_web_address(text),
            Self::Zone => {
                let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
                text.len() <= 5 && !digits.is_empty() && is_digits(digits)
            }
            Self::YearMonth => {
                is_digits(text)
                    && text.len() == 4
                    && text.get(2..).is_some_and(|month| ("01"..="12").contains(&month))
            }
        }
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_digit())
}

/// 80 to 99: meanings that a network gives.
fn is_of_network(text: &str) -> bool {
    text.len() == 2 && is_digits(text) && text.starts_with(['8', '9'])
}

fn is_time(text: &str) -> bool {
    if text.len() != 14 || !is_digits(text) {
        return false;
    }
    let part = |from: usize, to: usize| -> i8 {
        text.get(from..to).and_then(|part| part.parse().ok()).unwrap_or(-1)
    };
    let year = text.get(..4).and_then(|year| year.parse::<i16>().ok()).unwrap_or(-1);
    jiff::civil::DateTime::new(
        year,
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14),
        0,
    )
    .is_ok()
}

/// `http` or `https`, a host, and nothing that could end an attribute, a header or a policy.
pub(super) fn is_web_address(text: &str) -> bool {
    origin(text).is_some()
        && text.bytes().all(|octet| octet.is_ascii_graphic() && !b"\"'<>\\`{}|^".contains(&octet))
}

/// Scheme, host and port of an address, as a content security policy writes them.
pub(super) fn origin(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host_octets = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..host_octets)?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, behind) = inner.split_once(']')?;
            let is_host = !host.is_empty()
                && host.bytes().all(|octet| octet.is_ascii_hexdigit() || octet == b':');
            (is_host, behind)
        }
        None => {
            let (host, behind) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || b".-".contains(&octet);
            (!host.is_empty() && host.bytes().all(is_letter), behind)
        }
    };
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| is_digits(port) && port.parse::<u16>().is_ok_and(|port| port > 0));
    let origin_octets = text.len() - rest.len() + host_octets;
    (host && is_port).then(|| text.get(..origin_octets)).flatten()
}

/// Message extensions at most, as the protocol has it.
const ITEMS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_a_policy_writes_them() {
        for (text, wanted) in [
            ("https://shop.invalid/3ds", Some("https://shop.invalid")),
            ("http://127.0.0.1:8080?x", Some("http://127.0.0.1:8080")),
            ("https://[::1]:44/", Some("https://[::1]:44")),
            ("https://shop.invalid", Some("https://shop.invalid")),
            ("javascript:alert(1)", None),
            ("https://", None),
            ("https:///x", None),
            ("https://a b/", None),
            ("https://user@shop.invalid/", None),
            ("https://shop.invalid:99999/", None),
            ("https://shop.invalid:/", None),
            ("https://shop;script-src/", None),
            ("https://[evil]/", None),
        ] {
            assert_eq!(origin(text), wanted, "{text}");
        }
        assert!(!is_web_address("https://shop.invalid/\"onload=x"));
        assert!(!is_web_address("https://shop.invalid/č"));
    }

    #[test]
    fn each_kind_of_value_takes_what_it_should() {
        let takes = |holds: Holds, text: &str| holds.takes(&Value::from(text), "2.2.0");
        for (holds, right, wrong) in [
            (Holds::Digits(3, 4), vec!["123", "1234"], vec!["12", "12345", "12a", "１２３", ""]),
            (Holds::Time, vec!["20261122101500"], vec!["20261322101500", "20260230000000", "2026"]),
            (Holds::YearMonth, vec!["2812"], vec!["2813", "2800", "281", "28123"]),
            (Holds::Zone, vec!["-60", "0", "+120"], vec!["", "-", "--1", "123456", "6o"]),
            (Holds::Text(1, 4), vec!["abcd", "šđž"], vec!["", " ", "abcde", "a\nb", "a\0"]),
            (Holds::OneOfByVersion(&["01"], &["01", "05"]), vec!["05", "80"], vec!["06", "79"]),
        ] {
            assert!(right.iter().all(|text| takes(holds, text)), "{holds:?}");
            for text in wrong {
                assert!(!takes(holds, text), "{holds:?} {text}");
            }
        }
        assert!(!Holds::Text(1, 4).takes(&Value::from(12), "2.2.0"));
        assert!(!Holds::Bool.takes(&Value::from("true"), "2.2.0"));
        assert!(!Holds::OneOfByVersion(&["01"], &["05"]).takes(&Value::from("05"), "2.1.0"));
    }
}
