//! `cekr portal`: what is done to the website's database while no switch runs.

use std::path::PathBuf;
use std::process::ExitCode;

use cekr_portal::statements::projection;
use cekr_switch::clock::Clock;
use cekr_switch::config::{Address, Config, Listeners};
use cekr_switch::server::{ClockBehind, Options, Server, Signals};
use serde_json::json;

/// Looks after the website's database, while no switch runs on the directory
#[derive(clap::Args)]
#[command(after_help = "Example:
  cekr portal rebuild --data cekr-data")]
pub struct PortalArgs {
    /// Settings file; `cekr config` prints one with every default
    #[arg(long, global = true, value_name = "FILE", env = "CEKR_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of journal and keys [default: ./cekr-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// One JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: PortalCommand,
}

#[derive(clap::Subcommand)]
enum PortalCommand {
    /// Make the rows of loads and suspense anew from the journal
    #[command(after_help = "Example:
  cekr portal rebuild --data cekr-data
The rows are the same as those that a running switch has written, as far as the journal goes back.")]
    Rebuild,
}

/// Runs the command.
pub fn run(args: &PortalArgs) -> ExitCode {
    let PortalCommand::Rebuild = args.command;
    let (server, config) = match opened(args) {
        Ok(opened) => opened,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(crate::REFUSED);
        }
    };
    let rebuilt = crate::website::portal(&server, &config, false).and_then(|portal| {
        let rebuilt = server.block_on(projection::rebuild(&portal));
        rebuilt.map_err(|error| format!("the website's database failed: {error}"))
    });
    match rebuilt {
        Ok(projection::Rebuilt { seq, loads, suspense }) => {
            if args.json {
                let seq = seq.0;
                println!(
                    "{}",
                    json!({ "event": "rebuilt", "seq": seq, "loads": loads, "suspense": suspense })
                );
            } else {
                println!("{loads} loads and {suspense} items of suspense, up to entry {}", seq.0);
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The directory's switch, which serves nobody.
fn opened(args: &PortalArgs) -> Result<(Server, Config), String> {
    let mut config = Config::load(args.config.as_deref(), std::env::vars())
        .map_err(|error| error.to_string())?;
    if let Some(dir) = &args.data {
        config.data.dir.clone_from(dir);
    }
    let dir = std::path::Path::new(&config.data.dir);
    if !dir.join("journal").is_dir() {
        return Err(format!(
            "{} has no journal\nhelp: `--data DIR` names the directory of a switch",
            dir.display()
        ));
    }
    let unused = Address::parse("127.0.0.1:0").map_err(|error| error.to_string())?;
    config.listener = Listeners::default();
    config.listener.first_mut().addr = unused.clone();
    config.http.addr = unused;
    let options = Options {
        start_key: crate::serve::start_key()?,
        clock: Clock::system().map_err(|error| error.to_string())?,
        signals: Signals::Leave,
        clock_behind: ClockBehind::Refuse,
    };
    let server = Server::bind(config.clone(), options).map_err(|error| error.to_string())?;
    Ok((server, config))
}
