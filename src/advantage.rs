//! The sample table of the advantage programme, for the sandbox and the tour.

use cekr_switch::config::Config;

/// Enrols the merchants of the sample where the settings enrol nobody.
///
/// # Errors
/// When the sample that is built in cannot be read: a fault of the build.
pub fn enrol_sample(config: &mut Config) -> Result<(), String> {
    if config.advantage.merchant.is_empty() {
        let sample = Config::parse(SAMPLE, "advantage.toml (built in)");
        config.advantage = sample.map_err(|error| error.to_string())?.advantage;
    }
    Ok(())
}

const SAMPLE: &str = include_str!("../advantage.toml");
