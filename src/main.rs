//! `cekr`: one binary for the switch, its terminals, and the tools around them.
//!
//! This is the composition root, the only place that knows all crates: it reads the command line,
//! starts what was asked for, and turns the outcome into an exit code.

mod advantage;
mod api;
mod bank;
mod calc;
mod card;
mod cards;
mod chip;
mod chip_counter;
mod clear;
mod config;
mod demo;
#[cfg(feature = "portal")]
mod holder;
mod journal;
mod keys;
mod load;
mod logs;
mod msg;
#[cfg(feature = "portal")]
mod portal;
mod serve;
mod shop;
mod simulate;
mod terminal;
#[cfg(feature = "portal")]
mod virtual_passkey;
#[cfg(feature = "portal")]
mod website;

use std::process::ExitCode;

use clap::Parser;

/// Issuer side of the CeKR prepaid card: a card-authorization switch, its terminals, its tools
#[derive(Parser)]
#[command(
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:
  cekr demo                                     the whole story in half a minute
  cekr serve                                    the switch on 127.0.0.1:8583 and :8080
  cekr pos purchase --card ana --amount 24.90   a purchase against it
  cekr card set ana abroad=off                  the holder's tick
  cekr msg view --spec cekr87 message.bin       what is in a message

Exit codes: 0 done, 1 failed, 2 wrong use, 3 refused to start, 99 a --fail-if threshold was broken.
Flags beat the environment (CEKR_*), which beats the settings file. Logs go to stderr (CEKR_LOG)."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(Box<serve::ServeArgs>),
    #[cfg(feature = "portal")]
    Portal(portal::PortalArgs),
    Pos(Box<terminal::PosArgs>),
    Atm(Box<terminal::AtmArgs>),
    Shop(Box<terminal::ShopArgs>),
    Bank(bank::BankArgs),
    Card(card::CardArgs),
    Chip(chip::ChipArgs),
    Calc(calc::CalcArgs),
    Clear(clear::ClearArgs),
    /// Shows, compares, redacts, builds and checks ISO 8583 messages
    #[command(after_help = "Examples:
  cekr msg view --spec iso87ascii message.bin
  cekr msg diff request.hex reply.hex")]
    Msg(msg::MsgArgs),
    Load(load::LoadArgs),
    Journal(journal::JournalArgs),
    Keys(keys::KeysArgs),
    Config(config::ConfigArgs),
}

fn main() -> ExitCode {
    // A usage error ends here with exit code 2, what is wrong, and the nearest right word.
    let cli = Cli::parse();
    if !matches!(cli.command, Command::Serve(_)) {
        logs::start("warn");
    }
    match cli.command {
        Command::Bank(args) => bank::run(&args),
        Command::Card(args) => card::run(&args),
        Command::Calc(args) => calc::run(&args),
        Command::Chip(args) => chip::run(&args),
        Command::Clear(args) => clear::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Msg(args) => msg::run(args),
        #[cfg(feature = "portal")]
        Command::Portal(args) => portal::run(&args),
        Command::Pos(args) => terminal::run_pos(*args),
        Command::Atm(args) => terminal::run_atm(*args),
        Command::Shop(args) => terminal::run_shop(*args),
        Command::Serve(args) => serve::run(&args),
    }
}

/// Exit code of a wrong use.
const WRONG_USE: u8 = 2;

/// Exit code of a start that is refused: damaged data, bad settings, directory taken.
const REFUSED: u8 = 3;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command, path: &str) {
            if command.get_name() != "help" {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("cekr "), "`{path}` has no example");
            }
            for sub in command.get_subcommands() {
                check(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        check(&Cli::command(), "cekr");
    }
}
