//! `cekr chip serve`: a card's chip in a virtual reader, for any program that speaks PC/SC.
//!
//! The reader is Debian's vsmartcard-vpcd, which waits for a card on a TCP port; the chip connects
//! to it and stays until the reader goes or the program is stopped. What the chip keeps lives as
//! long as the program.

mod wire;

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;

use cekr_emv::chip::profile::{OptionsList, Profile, Version};
use cekr_emv::chip::{Chip, Protocol};
use cekr_emv::{CardNumber, Pin};
use cekr_switch::entropy;
use clap::ValueEnum;
use serde_json::json;

use crate::cards::{self, CardRecord};
use crate::{chip_counter, terminal};
use wire::CardSide;

/// The simulated chip of a test card
#[derive(clap::Args)]
#[command(after_help = "Example:
  cekr chip serve --vpcd 127.0.0.1:35963 --card ana")]
pub struct ChipArgs {
    #[command(subcommand)]
    command: ChipCommand,
}

#[derive(clap::Subcommand)]
enum ChipCommand {
    Serve(ServeArgs),
}

/// Puts a card's chip into a virtual reader, for any program that speaks PC/SC
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sudo apt install vsmartcard-vpcd pcscd opensc
  cekr chip serve --vpcd 127.0.0.1:35963 --card ana
  opensc-tool -c default -s 00A404000E315041592E5359532E4444463031

The reader (vpcd, a driver of pcscd) waits on port 35963 of every address: keep it in a network
namespace of its own, or behind a firewall. Keys of the chip are published test keys; terminals
find the authority's in the project under the indices F0 and F1 of A000000003. The chip stays until
the reader goes (exit 0) or Ctrl-C.")]
struct ServeArgs {
    /// Where vpcd waits for a card
    #[arg(long, value_name = "ADDR", env = "CEKR_VPCD", default_value = "127.0.0.1:35963")]
    vpcd: String,
    /// Whose chip it is
    #[arg(long, value_name = "NAME")]
    card: String,
    /// Card file; without it the built-in set
    #[arg(long, value_name = "F")]
    cards: Option<PathBuf>,
    /// Version of its cryptograms
    #[arg(long, value_name = "N", default_value = "18")]
    cvn: VersionName,
    /// Counter that it has come to; without it the next one of this machine, as at our terminals
    #[arg(long, value_name = "N")]
    atc: Option<u16>,
    /// What it asks of the terminal before it begins
    #[arg(long, value_name = "LIST", default_value = "terminal")]
    pdol: ListName,
    /// How it speaks to the reader
    #[arg(long, value_name = "P", default_value = "t1")]
    protocol: ProtocolName,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionName {
    /// Issuer authentication by EXTERNAL AUTHENTICATE
    #[value(name = "10")]
    Ten,
    /// Session keys, answered with the second cryptogram
    #[value(name = "18")]
    Eighteen,
    /// As 18, with issuer application data of format 2
    #[value(name = "22")]
    TwentyTwo,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ListName {
    /// Nothing, for terminals that fill no list
    None,
    /// Capabilities, country and type
    Terminal,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolName {
    /// Octets: long answers wait to be fetched
    T0,
    /// Blocks: whole commands, whole answers
    T1,
}

/// Runs the command.
pub fn run(args: &ChipArgs) -> ExitCode {
    let ChipCommand::Serve(args) = &args.command;
    let card = match chip_of(args) {
        Ok(chip) => CardSide::new(chip),
        Err(fault) => {
            eprintln!("cekr chip: {fault}");
            return ExitCode::from(2);
        }
    };
    match serve(args, card) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("cekr chip: {fault}");
            ExitCode::from(1)
        }
    }
}

/// The chip of the card that was named.
fn chip_of(args: &ServeArgs) -> Result<Chip, String> {
    let records =
        cards::read_or_built_in(args.cards.as_deref()).map_err(|error| error.to_string())?;
    let record = records.iter().find(|record| record.name == args.card);
    let record = record.ok_or_else(|| {
        let names: Vec<_> = records.iter().map(|record| record.name.as_str()).collect();
        format!("no card is named {}; there are {}", args.card, names.join(", "))
    })?;
    let pin = record.pin.as_ref().ok_or_else(|| {
        format!("{} has no PIN for its chip to compare; write one into the card file", record.name)
    })?;
    let version = match args.cvn {
        VersionName::Ten => Version::Ten,
        VersionName::Eighteen => Version::Eighteen,
        VersionName::TwentyTwo => Version::TwentyTwo,
    };
    let options = match args.pdol {
        ListName::None => OptionsList::Nothing,
        ListName::Terminal => OptionsList::Terminal,
    };
    let mut chip = personalised(record, pin, version, options)
        .ok_or_else(|| format!("the number or the month of {} is none for a chip", record.name))?;
    // Whoever saw the card yesterday takes no counter from before.
    let atc = args.atc.unwrap_or_else(|| chip_counter::take(USES, terminal::clock().as_secs()));
    chip.restore(chip.kept().clone().with_atc(atc));
    chip.speak(match args.protocol {
        ProtocolName::T0 => Protocol::T0,
        ProtocolName::T1 => Protocol::T1,
    });
    Ok(chip)
}

fn personalised(
    record: &CardRecord,
    pin: &Pin,
    version: Version,
    options: OptionsList,
) -> Option<Chip> {
    let number = CardNumber::from_number(record.pan.expose())?;
    let profile = Profile::development(number, SEQUENCE, record.expiry, pin, version)?;
    Some(Chip::new(&Profile { options, ..profile }))
}

/// The sequence number of every test card.
const SEQUENCE: u8 = 0x01;
/// Counters for the time that the chip is served.
const USES: u16 = 256;

/// Connects and answers until the reader closes.
fn serve(args: &ServeArgs, mut card: CardSide) -> Result<(), String> {
    let mut stream = TcpStream::connect(&args.vpcd).map_err(|error| {
        format!(
            "no reader at {}: {error}; start pcscd with vsmartcard-vpcd, or say where it waits \
             with --vpcd ADDR",
            args.vpcd
        )
    })?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    say_ready(args, card.atr());
    let lost = |error: io::Error| format!("the reader at {} was lost: {error}", args.vpcd);
    let (mut room, mut answers) = ([0; 4096], Vec::new());
    loop {
        acknowledge_at_once(&stream);
        let len = match stream.read(&mut room) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A reader that ends while commands wait resets the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => return Err(lost(error)),
        };
        answers.clear();
        card.receive(room.get(..len).unwrap_or_default(), &mut drawn, &mut answers);
        if !answers.is_empty() {
            stream.write_all(&answers).map_err(lost)?;
        }
    }
    if args.json {
        say(&json!({"event": "closed", "commands": card.commands}).to_string());
    }
    Ok(())
}

/// Fresh octets for one session of the chip.
fn drawn() -> [u8; 32] {
    let mut octets = [0; 32];
    entropy::fill(&mut octets);
    octets
}

/// The reader sends length and command in two pieces and waits for the first to be acknowledged;
/// Linux would put that off by 40 ms, and forgets after some time that it was told not to.
#[cfg(target_os = "linux")]
fn acknowledge_at_once(stream: &TcpStream) {
    use std::os::linux::net::TcpStreamExt as _;
    // Without it the chip is slow, not wrong.
    let _ = stream.set_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_at_once(_: &TcpStream) {}

/// One line when programs can find the card.
fn say_ready(args: &ServeArgs, atr: &[u8]) {
    let atr: String = atr.iter().map(|octet| format!("{octet:02X}")).collect();
    if args.json {
        let line = json!({"event": "ready", "vpcd": args.vpcd, "card": args.card, "atr": atr});
        say(&line.to_string());
    } else {
        say(&format!("{}'s chip is in the reader at {}; ATR {atr}", args.card, args.vpcd));
    }
}

/// A closed standard output stops nothing.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
