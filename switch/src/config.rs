//! The settings of a switch: one TOML file, every key with a default, the environment above it.
//!
//! It reads and checks; it opens no socket and no journal. A flag beats the environment, which
//! beats the file: the command line changes the [`Config`] after [`Config::load`].
//!
//! ```
//! use cekr_switch::config::Config;
//!
//! let config = Config::parse("[limits]\ncash_day = 50000\n", "switch.toml").unwrap();
//! assert_eq!(config.limits.cash_day, 500_00);
//! assert_eq!(config.limits.cash_count_day, 3); // what is not named keeps its default
//! let error = Config::parse("[limits]\ncash_dya = 1\n", "switch.toml").unwrap_err();
//! assert!(error.to_string().contains("line 2"));
//! ```

mod advantage;
mod rules;
pub mod settings;
pub mod table;

use std::path::{Path, PathBuf};

use serde::Deserialize as _;

pub use advantage::{AdvantageConfig, EnrolledRow, RowError};
pub use settings::{
    AbroadScope, AbuseConfig, Address, Bin, CashpointRequires, Config, Confirmations, DataConfig,
    Durability, EcommerceRequires, FramingName, HoldsConfig, HttpConfig, JournalSettings,
    KeysConfig, LimitsConfig, ListenerConfig, Listeners, MacWord, PolicyConfig, PortalConfig,
    PosRequires, RekonoConfig, SettingError, SpecName, SwitchConfig,
};
pub use table::{SETTINGS, Setting, to_json_lines, to_text};

/// Why the settings could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable of the environment holds what its setting cannot be.
    #[error("environment variable {name}: {message}\nhelp: `cekr config` prints every setting")]
    Environment {
        /// The variable's name.
        name: String,
        /// What is wrong with its value; the value itself may be a secret.
        message: String,
    },
    /// The file says something that no setting can be.
    #[error("{origin}: {message}\nhelp: `cekr config` prints every setting with its default")]
    Parse {
        /// The file's name.
        origin: String,
        /// Line, column, the line itself with a caret below it, and the reason.
        message: String,
    },
    /// The file cannot be read.
    #[error("{}: {cause}\nhelp: `--config FILE` names the settings file", path.display())]
    Read {
        /// The file's name.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}

impl Config {
    /// The defaults, then the file if there is one, then the environment.
    ///
    /// `environment` is usually `std::env::vars()`; only names that belong to a setting are used.
    ///
    /// # Errors
    /// If the file cannot be read, or file or environment hold what no setting can be.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let mut table = toml::Table::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
            let origin = path.display().to_string();
            // Read once with places, so that a fault shows its line; the environment has none.
            Config::parse(&text, &origin)?;
            table = toml::from_str(&text).map_err(|error| parse_error(&origin, &error))?;
        }
        overlay(table, environment)
    }

    /// Reads settings from a text; `origin` names it in errors.
    ///
    /// # Errors
    /// If a key is unknown or a value cannot be its setting's.
    pub fn parse(text: &str, origin: &str) -> Result<Config, ConfigError> {
        toml::from_str(text).map_err(|error| parse_error(origin, &error))
    }
}

/// The variable of the environment that beats a setting of the file.
#[must_use]
pub fn env_name(section: &str, key: &str) -> String {
    match (section, key) {
        // Those that have a flag of their own are called as the flag is.
        ("data", "dir") => "CEKR_DATA".to_owned(),
        ("data", "durability") => "CEKR_DURABILITY".to_owned(),
        ("listener", "addr") => "CEKR_LISTEN".to_owned(),
        ("http", "addr") => "CEKR_HTTP".to_owned(),
        ("http", "operator_token") => "CEKR_OPERATOR_TOKEN".to_owned(),
        _ => format!("CEKR_{section}_{key}").to_ascii_uppercase(),
    }
}

/// Puts the environment's values over the file's, one at a time so that an error names its own.
fn overlay(
    mut table: toml::Table,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let defaults = toml::Table::try_from(Config::default()).unwrap_or_default();
    for (name, text) in environment {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.env() == name) else {
            continue;
        };
        let fault = |message: String| ConfigError::Environment { name: name.clone(), message };
        let shape = entry_of(&defaults, setting).and_then(|section| section.get(setting.key));
        let value = typed(&text, shape).map_err(&fault)?;
        place(&mut table, setting, value);
        Config::deserialize(table.clone()).map_err(|error| fault(error.message().to_owned()))?;
    }
    Config::deserialize(table).map_err(|error| ConfigError::Parse {
        origin: "settings".into(),
        message: error.to_string(),
    })
}

/// The setting's section; of the listeners, the first.
fn entry_of<'t>(table: &'t toml::Table, setting: &Setting) -> Option<&'t toml::Table> {
    let section = table.get(setting.section)?;
    section.as_array().and_then(|all| all.first()).unwrap_or(section).as_table()
}

fn place(table: &mut toml::Table, setting: &Setting, value: toml::Value) {
    let empty = || toml::Value::Table(toml::Table::new());
    let entry = table.entry(setting.section).or_insert_with(|| {
        if setting.section == "listener" { toml::Value::Array(vec![empty()]) } else { empty() }
    });
    let entry = if entry.is_array() {
        entry.as_array_mut().and_then(|all| all.first_mut())
    } else {
        Some(entry)
    };
    if let Some(section) = entry.and_then(toml::Value::as_table_mut) {
        section.insert(setting.key.to_owned(), value);
    }
}

/// A variable's text as the kind of value that the setting's default has.
fn typed(text: &str, shape: Option<&toml::Value>) -> Result<toml::Value, String> {
    match shape {
        Some(toml::Value::Integer(_)) => {
            text.parse().map(toml::Value::Integer).map_err(|_| "a whole number is needed".into())
        }
        Some(toml::Value::Boolean(_)) => {
            text.parse().map(toml::Value::Boolean).map_err(|_| "`true` or `false` is needed".into())
        }
        Some(toml::Value::Array(_)) => {
            let parts = text.split(',').map(|part| part.trim().to_owned());
            Ok(toml::Value::Array(parts.map(toml::Value::String).collect()))
        }
        _ => Ok(toml::Value::String(text.to_owned())),
    }
}

fn parse_error(origin: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::Parse {
        origin: origin.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refused(text: &str) -> String {
        Config::parse(text, "switch.toml").unwrap_err().to_string()
    }

    fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(None, pairs)
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let config = Config::parse("", "switch.toml").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.listener.first().addr.as_str(), "127.0.0.1:8583");
        assert_eq!(config.abuse.stripe_cap, 5_000);
    }

    #[test]
    fn an_unknown_key_is_shown_with_file_line_and_caret() {
        let message = refused("[limits]\ncash_day = 1\ncash_dya = 2\n");
        assert!(message.starts_with("switch.toml: "), "{message}");
        assert!(message.contains("line 3, column 1"), "{message}");
        assert!(message.contains("^^^^^^^^"), "{message}");
        assert!(message.contains("cash_day"), "{message}");
        assert!(message.contains("cekr config"), "{message}");
    }

    #[test]
    fn an_unknown_section_is_refused() {
        assert!(refused("[limit]\n").contains("unknown field `limit`"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_shown_at_its_place() {
        let message = refused("[limits]\ncash_day = \"much\"\n");
        assert!(message.contains("line 2, column 12"), "{message}");
        assert!(message.contains('^'), "{message}");
    }

    #[test]
    fn a_value_out_of_bounds_is_shown_with_its_bounds_and_place() {
        for (text, bounds) in [
            ("[switch]\nframe_octets_max = 1\n", "from 128 to 32768"),
            ("[switch]\nconnections_max = -1\n", "from 1 to 1000000"),
            ("[[listener]]\nframe_timeout_ms = 0\n", "from 1 to 3600000"),
        ] {
            let message = refused(text);
            assert!(message.contains(bounds), "{message}");
            assert!(message.contains("line 2"), "{message}");
        }
    }

    #[test]
    fn words_that_are_no_choice_are_refused_with_the_choices() {
        let message = refused("[[listener]]\nframing = \"be4\"\n");
        assert!(message.contains("be2") && message.contains("nac"), "{message}");
        let message = refused("[[listener]]\nspec = \"iso93\"\n");
        assert!(message.contains("iso87binary") && message.contains("line 2"), "{message}");
        let message = refused("[policy]\nbins = [\"476173\", \"04\"]\n");
        assert!(message.contains("BIN") && message.contains("line 2"), "{message}");
    }

    #[test]
    fn an_address_needs_host_and_port() {
        for good in ["127.0.0.1:0", "localhost:8583", "[::1]:8583", "0.0.0.0:65535"] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for bad in ["127.0.0.1", ":8583", "host:", "host:65536", "::1:80", "a:b:1", ""] {
            assert_eq!(Address::parse(bad), Err(SettingError::Address), "{bad}");
        }
    }

    #[test]
    fn a_switch_without_a_listener_is_refused() {
        assert!(refused("listener = []\n").contains("at least one listener"));
    }

    #[test]
    fn several_listeners_keep_their_order() {
        let text =
            "[[listener]]\naddr = \"h:1\"\n[[listener]]\naddr = \"h:2\"\nspec = \"iso87binary\"\n";
        let config = Config::parse(text, "switch.toml").unwrap();
        let all: Vec<_> = config.listener.iter().map(|listener| listener.addr.as_str()).collect();
        assert_eq!(all, ["h:1", "h:2"]);
    }

    #[test]
    fn the_environment_beats_the_file() {
        let config = from_environment(&[
            ("CEKR_LISTEN", "127.0.0.1:0"),
            ("CEKR_LIMITS_CASH_DAY", "0"),
            ("CEKR_POLICY_BINS", "476173, 512345"),
            ("CEKR_SWITCH_BUSY_POLL", "true"),
            ("CEKR_OPERATOR_TOKEN", "12345"),
            ("CEKR_UNRELATED", "x"),
        ])
        .unwrap();
        assert_eq!(config.listener.first().addr.as_str(), "127.0.0.1:0");
        assert_eq!(config.limits.cash_day, 0);
        assert_eq!(config.policy.bins.len(), 2);
        assert!(config.switch.busy_poll);
        assert_eq!(config.http.operator_token, "12345");
    }

    #[test]
    fn a_bad_variable_is_named_and_its_value_is_not() {
        let error = from_environment(&[("CEKR_LIMITS_CASH_DAY", "lots")]).unwrap_err();
        assert!(error.to_string().contains("CEKR_LIMITS_CASH_DAY"), "{error}");
        assert!(!error.to_string().contains("lots"), "{error}");
        let error = from_environment(&[("CEKR_LISTEN", "nowhere")]).unwrap_err();
        assert!(error.to_string().contains("host:port"), "{error}");
    }

    #[test]
    fn no_two_settings_share_a_variable() {
        let mut names: Vec<_> = SETTINGS.iter().map(Setting::env).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len());
    }
}
