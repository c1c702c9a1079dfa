//! `cekr config`: every setting with its default and unit, or the check of a file.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use cekr_switch::config::{Config, to_json_lines, to_text};
use serde_json::json;

/// Prints every setting with its default and unit, or checks a settings file
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cekr config > switch.toml          every setting with its default, ready to change
  cekr config --check switch.toml    is this file good? (exit 0, else 3)
  cekr config --json | head -3       one setting a line")]
pub struct ConfigArgs {
    /// Check this file (and CEKR_* of the environment) instead of printing the defaults
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &ConfigArgs) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let Some(file) = &args.check else {
        let config = Config::default();
        let text = if args.json { to_json_lines(&config) } else { to_text(&config) };
        let _ = out.write_all(text.as_bytes());
        return ExitCode::SUCCESS;
    };
    match Config::load(Some(file), std::env::vars()) {
        Ok(_) => {
            let name = file.display().to_string();
            let _ = if args.json {
                writeln!(out, "{}", json!({"event": "config", "file": name, "ok": true}))
            } else {
                writeln!(out, "{name}: good")
            };
            ExitCode::SUCCESS
        }
        Err(error) => {
            if args.json {
                let name = file.display().to_string();
                let line = json!({
                    "event": "config", "file": name, "ok": false, "error": error.to_string(),
                });
                let _ = writeln!(out, "{line}");
            }
            eprintln!("error: {error}");
            ExitCode::from(crate::REFUSED)
        }
    }
}
