//! One row for each setting: its unit and what it is for. `cekr config` prints them.
//!
//! The default stands only in the struct; a test holds the rows against it, both ways.

use std::fmt::Write as _;

use serde_json::json;

use super::{Config, env_name};

/// A setting as `cekr config` explains it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Setting {
    /// The table of the file that it stands in.
    pub section: &'static str,
    /// Its key there.
    pub key: &'static str,
    /// What a number counts, or which words a text may be.
    pub unit: &'static str,
    /// What it is for, in one sentence without a full stop.
    pub about: &'static str,
}

/// Every setting, in the order of the file.
pub const SETTINGS: &[Setting] = &[
    row("data", "dir", "path", "directory of journal and operator token"),
    row("data", "durability", "sync | none", "sync: an answer waits for the disk; none: memory"),
    row("switch", "threads", "threads", "threads that serve terminals; 0: one fewer than cores"),
    row("switch", "busy_poll", "yes or no", "spin instead of sleeping: quicker, takes a core"),
    row("switch", "connections_max", "connections", "terminals at once; more are refused"),
    row("switch", "in_flight_max", "requests", "of one connection before reading pauses"),
    row("switch", "frame_octets_max", "octets", "longest message; a longer one closes"),
    row("switch", "write_timeout_ms", "milliseconds", "a terminal may leave answers unread"),
    row("switch", "drain_ms", "milliseconds", "a stop goes on answering busy terminals"),
    row("switch", "answers_max", "answers", "remembered for repeats, up to 24 hours"),
    row("switch", "answers_window_s", "seconds", "below this age none is forgotten: answer 91"),
    row("listener", "addr", "host:port", "where terminals connect; port 0: a free one"),
    row("listener", "spec", "cekr87 | iso87ascii | iso87binary", "dialect of the messages"),
    row("listener", "framing", "be2 | nac | ascii4", "how messages are told apart"),
    row("listener", "ordered", "yes or no", "answers leave in the order of the requests"),
    row("listener", "frame_timeout_ms", "milliseconds", "a frame that has begun must be whole"),
    row("listener", "idle_timeout_s", "seconds", "of silence, then the connection is closed"),
    row("listener", "echo_idle_s", "seconds", "of silence, then our own 0800/301; 0: never"),
    row("listener", "mac", "off | required", "of requests (DE 64, 128); replies then carry one"),
    row("http", "addr", "host:port", "control API; port 0: a free one"),
    row("http", "operator_token", "text", "bearer token; empty: DIR/operator.token is made"),
    row("http", "connections_max", "connections", "at once; idle ones give way to new ones"),
    row("http", "body_octets_max", "octets", "longest request body"),
    row("http", "header_timeout_s", "seconds", "a request's head may take to come"),
    row("http", "idle_timeout_s", "seconds", "of silence, then the connection is closed"),
    row("http", "idempotency_max", "answers", "kept by Idempotency-Key for 24 hours"),
    row("journal", "segment_octets", "octets", "of one journal file, a power of two"),
    row("journal", "recent_max", "entries", "in memory for repeats, history, events"),
    row("journal", "queue_max", "entries", "waiting for the disk; beyond it answer 91"),
    row("journal", "batch_max", "entries", "in one write to the disk"),
    row("journal", "reserve_octets", "octets", "on a full disk kept for locks and reversals"),
    row("journal", "checkpoint_entries", "entries", "between two checkpoints; 0: none"),
    row("journal", "spin_us", "microseconds", "the writer looks for work before it sleeps"),
    row("policy", "bins", "list of digits", "first digits of our cards"),
    row("policy", "cashpoint_requires", "chip_and_pin | any", "proof at a cashpoint"),
    row("policy", "pos_requires", "any | chip", "proof in a shop"),
    row("policy", "ecommerce_requires", "confirmation | tick", "proof in a web shop"),
    row("policy", "abroad_scope", "all | card_present", "purchases abroad that need the tick"),
    row("policy", "cashback_fee", "yes or no", "cash with a purchase bears the fee"),
    row("policy", "declines_per_card_hour", "entries", "of one card; further ones are counted"),
    row("holds", "ecommerce_days", "days", "a hold of a web shop lives"),
    row("holds", "estimated_days", "days", "a hold of an estimated amount lives"),
    row("holds", "present_days", "days", "a hold of a shop lives"),
    row("holds", "cashpoint_days", "days", "a hold of a cashpoint lives"),
    row("limits", "cash_day", "cents", "cash a day; 0: off"),
    row("limits", "cash_count_day", "withdrawals", "a day; 0: off"),
    row("limits", "pos_day", "cents", "purchases in shops a day; 0: off"),
    row("limits", "online_day", "cents", "purchases in web shops a day; 0: off"),
    row("limits", "contactless_max", "cents", "one over the air without a PIN; 0: off"),
    row("limits", "contactless_sum", "cents", "all such since the last PIN; 0: off"),
    row("limits", "contactless_count", "payments", "such since the last PIN; 0: off"),
    row("limits", "remote_max", "cents", "one in a web shop, unconfirmed; 0: none is"),
    row("limits", "remote_sum", "cents", "all such since the last confirmation; 0: off"),
    row("limits", "remote_count", "payments", "such since the last confirmation; 0: off"),
    row("limits", "remote_risk_max", "cents", "one whose acquirer analysed the risk; 0: none is"),
    row("limits", "load_day", "cents", "loads a day; 0: off"),
    row("limits", "load_month", "cents", "loads a month; 0: off"),
    row("limits", "balance_max", "cents", "largest balance after a load; 0: off"),
    row("abuse", "card_failures", "failures", "of one card within the window; 0: off"),
    row("abuse", "bin_failures", "failures", "below one BIN within the window; 0: off"),
    row("abuse", "terminal_failures", "failures", "of one terminal in the window; 0: off"),
    row("abuse", "window_s", "seconds", "in which failures count"),
    row("abuse", "stripe_cap", "cents", "largest purchase by a chip card's stripe; 0: off"),
    row("abuse", "dispense_faults", "faults", "the one in 30 days that is parked; 0: off"),
    row("abuse", "atc_jump_max", "transactions", "a chip may be ahead; 0: off"),
    row("advantage", "expiry_months", "months", "points are good after theirs; 0: for ever"),
    row("advantage", "silver_points", "points", "of twelve months for silver; 0: nobody"),
    row("advantage", "gold_points", "points", "of twelve months for gold; 0: nobody"),
    row("advantage", "merchant", "rows", "[[advantage.merchant]] of docs/advantage.md; none: off"),
    row("keys", "imk_ac", KEY_BLOCK, "cryptograms of chips (E0)"),
    row("keys", "imk_smi", KEY_BLOCK, "integrity of scripts (E2)"),
    row("keys", "imk_smc", KEY_BLOCK, "secrecy of scripts (E1)"),
    row("keys", "pvk", KEY_BLOCK, "PIN verification values (V2)"),
    row("keys", "cvk", KEY_BLOCK, "card verification values (C0)"),
    row("keys", "zpk", KEY_BLOCK, "PIN blocks of links, triple DES (P0)"),
    row("keys", "zpk_aes", KEY_BLOCK, "PIN blocks of format 4, AES (P0)"),
    row("keys", "bdk", KEY_BLOCK, "PIN pads, DUKPT over triple DES (B0)"),
    row("keys", "bdk_aes", KEY_BLOCK, "PIN pads, DUKPT over AES (B0)"),
    row("keys", "mak", KEY_BLOCK, "MACs of messages (M3)"),
    row("keys", "exchange", KEY_BLOCK, "links send working keys under it, AES (K1)"),
    row("portal", "database_url", "URL", "postgres://... or sqlite:FILE; empty: DIR/portal.db"),
    row("portal", "public_url", "URL", "what browsers ask for; empty: the control API's address"),
    row("portal", "ca_file", "path", "PEM of authorities that TLS believes; empty: built-in ones"),
    row(
        "portal",
        "private_targets",
        "yes or no",
        "webhooks and pushes may go to private addresses",
    ),
    row("portal", "results_url", "URL", "3-D Secure results go there; empty: to a local shop"),
    row("portal", "payee_name", "text", "who is paid by payment orders; at most 33 characters"),
    row("portal", "payee_street", "text", "their street and number"),
    row("portal", "payee_town", "text", "their post code and town"),
    row("portal", "load_purpose", "text", "what orders are for; at most 42 characters"),
    row("rekono", "issuer", "URL", "OpenID Connect provider; empty: passkeys alone"),
    row("rekono", "client_id", "text", "our name at the provider"),
    row("rekono", "client_secret", "text", "our secret there; empty: a public client"),
    row("rekono", "level_claim", "text", "the claim that tells the level of assurance"),
    row("rekono", "level_20", "text", "what stands there for level 20"),
    row("rekono", "level_30", "text", "what stands there for level 30"),
    row("rekono", "confirmations", "app | ciba", "where holders confirm online purchases"),
];

impl Setting {
    /// The variable of the environment that beats the file.
    #[must_use]
    pub fn env(&self) -> String {
        env_name(self.section, self.key)
    }
}

/// The settings as a file that can be kept and changed: TOML, a comment above each value.
#[must_use]
pub fn to_text(config: &Config) -> String {
    let mut text = String::new();
    let mut section = "";
    for (setting, value) in values(config) {
        if setting.section != section {
            section = setting.section;
            let line_between = if text.is_empty() { "" } else { "\n" };
            let (open, close) = if section == LISTENER { ("[[", "]]") } else { ("[", "]") };
            let _ = writeln!(text, "{line_between}{open}{section}{close}");
        }
        let Setting { unit, about, .. } = setting;
        let _ = writeln!(text, "# {unit}: {about} ({})", setting.env());
        let _ = writeln!(text, "{} = {value}", setting.key);
    }
    text
}

/// The settings as JSON, one object a line.
#[must_use]
pub fn to_json_lines(config: &Config) -> String {
    let mut text = String::new();
    for (setting, value) in values(config) {
        let line = json!({
            "section": setting.section,
            "key": setting.key,
            "default": json_of(&value),
            "unit": setting.unit,
            "about": setting.about,
            "env": setting.env(),
        });
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Each row with the value that the struct holds for it; listeners beyond the first are left out.
fn values(config: &Config) -> Vec<(Setting, toml::Value)> {
    let mut config = config.clone();
    // A database's address may hold a password.
    let secrets = [
        &mut config.http.operator_token,
        &mut config.portal.database_url,
        &mut config.rekono.client_secret,
    ];
    for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
        *secret = "***".to_owned();
    }
    let mut keys = toml::Table::try_from(&config.keys).unwrap_or_default();
    let told = keys.iter_mut().filter(|(_, block)| block.as_str().is_some_and(|b| !b.is_empty()));
    told.for_each(|(_, block)| *block = toml::Value::String("***".to_owned()));
    config.keys = keys.try_into().unwrap_or_default();
    let Ok(table) = toml::Table::try_from(&config) else { return Vec::new() };
    let find = |setting: &Setting| {
        let section = table.get(setting.section)?;
        let section = section.as_array().and_then(|all| all.first()).unwrap_or(section);
        section.get(setting.key).cloned()
    };
    SETTINGS.iter().filter_map(|setting| Some((*setting, find(setting)?))).collect()
}

fn json_of(value: &toml::Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

const fn row(
    section: &'static str,
    key: &'static str,
    unit: &'static str,
    about: &'static str,
) -> Setting {
    Setting { section, key, unit, about }
}

/// What a key is, in a file; an empty one is the published test key.
const KEY_BLOCK: &str = "TR-31 block under the start key";

/// The only section that may stand in a file more than once.
const LISTENER: &str = "listener";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_setting_has_a_row_and_each_row_a_setting() {
        let table = toml::Table::try_from(Config::default()).unwrap();
        let mut in_struct = Vec::new();
        for (section, keys) in &table {
            let keys = keys.as_array().map_or(keys, |all| all.first().unwrap());
            for key in keys.as_table().unwrap().keys() {
                in_struct.push((section.as_str(), key.as_str()));
            }
        }
        let mut in_rows: Vec<_> = SETTINGS.iter().map(|row| (row.section, row.key)).collect();
        in_struct.sort_unstable();
        in_rows.sort_unstable();
        assert_eq!(in_rows, in_struct);
    }

    #[test]
    fn what_is_printed_can_be_read_back() {
        let text = to_text(&Config::default());
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default());
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    }

    #[test]
    fn a_token_in_the_settings_is_never_printed() {
        let mut config = Config::default();
        config.http.operator_token = "word-that-must-not-show".to_owned();
        assert!(!to_text(&config).contains("must-not-show"));
        assert!(!to_json_lines(&config).contains("must-not-show"));
        assert!(!format!("{config:?}").contains("must-not-show"));
    }
}
