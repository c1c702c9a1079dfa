//! `cekr keys`: a key's parts, each known to one person, become a key block for the settings.
//!
//! The parts come on standard input and nowhere else: neither a command line nor a file keeps them.

use std::io::{BufRead, Write as _};
use std::process::ExitCode;

use cekr_switch::entropy;
use cekr_switch::hsm::keys::{Components, SETTINGS};
use serde_json::json;

/// Makes a key block for the settings out of a key's parts, read from standard input
///
/// One part a line, in hexadecimal: 16 or 24 octets, of AES keys 16 or 32. The block is protected
/// by the start key (CEKR_START_KEY).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cekr keys --setting pvk                  then type two parts or more, and end with Ctrl-D
  cekr keys --setting zpk_aes --json       the same for a program")]
pub struct KeysArgs {
    /// The setting of `[keys]` that the block is for
    #[arg(long, value_name = "NAME")]
    setting: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &KeysArgs) -> ExitCode {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.name == args.setting) else {
        let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        eprintln!("error: no key is called `{}`; there are {}", args.setting, names.join(" "));
        return ExitCode::from(crate::WRONG_USE);
    };
    let start_key = match crate::serve::start_key() {
        Ok(start_key) => start_key,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(crate::WRONG_USE);
        }
    };
    if start_key.is_development() {
        eprintln!("warning: DEVELOPMENT START KEY: everybody can open this block");
    }
    let mut parts = Components::default();
    for (number, line) in (1..).zip(std::io::stdin().lock().lines()) {
        let Ok(line) = line else { break };
        if line.trim().is_empty() {
            continue;
        }
        match parts.add_hex(line, setting.algorithm) {
            Ok(kcv) => eprintln!("part {number}: check value {kcv}"),
            Err(error) => {
                eprintln!("error: part {number}: {error}");
                return ExitCode::from(crate::WRONG_USE);
            }
        }
    }
    let mut filler = [0; 64];
    entropy::fill(&mut filler);
    match parts.seal(&start_key, setting.usage, setting.algorithm, filler) {
        Ok((block, kcv)) => {
            let mut out = std::io::stdout().lock();
            let _ = if args.json {
                let kcv = kcv.to_string();
                writeln!(out, "{}", json!({ "setting": setting.name, "kcv": kcv, "block": block }))
            } else {
                writeln!(out, "# check value {kcv}\n{} = \"{block}\"", setting.name)
            };
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(crate::WRONG_USE)
        }
    }
}
