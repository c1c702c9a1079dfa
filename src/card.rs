//! `cekr card`: the holder's and the operator's view of cards, over the API of a running switch.

use std::io::Write as _;
use std::process::ExitCode;

use cekr_terminal_sim::amount;
use serde_json::{Value, json};

use crate::api::{Api, ApiArgs, data};

/// Looks at cards and changes them, over the HTTP API of a running switch
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cekr card list
  cekr card set ana abroad=off
  cekr card load ana 200.00
  cekr card code ana
  cekr card history ana --json")]
pub struct CardArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// One JSON object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: CardCommand,
}

#[derive(clap::Subcommand)]
enum CardCommand {
    /// Put a card in use that was issued as not activated
    #[command(after_help = "Example:\n  cekr card activate gita")]
    Activate {
        /// The card's name
        name: String,
    },
    /// Make the one-time code with which its holder registers a card at the website
    #[command(after_help = "Example:\n  cekr card code ana")]
    Code {
        /// The card's name
        name: String,
    },
    /// What happened to a card, the newest first
    #[command(after_help = "Example:\n  cekr card history ana --limit 5")]
    History {
        /// The card's name
        name: String,
        /// Entries at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Issue a card
    #[command(after_help = "Example:
  cekr card issue iva --pan 4761730000000094 --expiry 2030-12 --mok-id 223456781 --pin 1234")]
    Issue(IssueArgs),
    /// Every card
    #[command(after_help = "Example:\n  cekr card list --json | jq .available")]
    List,
    /// Load money onto a card
    #[command(after_help = "Example:\n  cekr card load ana 200.00 --reference branch-17")]
    Load {
        /// The card's name
        name: String,
        /// Euros, as 200.00
        #[arg(value_parser = load_amount)]
        amount: u64,
        /// Posts once, however often it is sent; drawn when not given
        #[arg(long)]
        reference: Option<String>,
        /// Where the money comes from
        #[arg(long, default_value = "branch_cash")]
        source: String,
    },
    /// Lock a card: purchases and cash are declined, loads are taken
    #[command(after_help = "Example:\n  cekr card lock ana")]
    Lock {
        /// The card's name
        name: String,
    },
    /// Tick or untick channels
    #[command(after_help = "Example:\n  cekr card set ana abroad=off online=on")]
    Set {
        /// The card's name
        name: String,
        /// online=on|off, abroad=on|off, cashpoint=on|off
        #[arg(required = true, value_parser = parse_channel)]
        channels: Vec<(String, bool)>,
    },
    /// One card
    #[command(after_help = "Example:\n  cekr card show ana")]
    Show {
        /// The card's name
        name: String,
    },
    /// Unlock a locked card
    #[command(after_help = "Example:\n  cekr card unlock ana")]
    Unlock {
        /// The card's name
        name: String,
    },
}

#[derive(clap::Args)]
struct IssueArgs {
    /// A handle for people; unique
    name: String,
    /// Card number, below one of the switch's BINs
    #[arg(long)]
    pan: String,
    /// Last month of validity, as 2030-12
    #[arg(long)]
    expiry: String,
    /// Nine digits on the back of the card; unique
    #[arg(long)]
    mok_id: String,
    /// Opening balance in euros
    #[arg(long, default_value = "0.00", value_parser = amount::parse)]
    balance: u64,
    /// Ticked channels: online, abroad, cashpoint
    #[arg(long, value_delimiter = ',')]
    channels: Vec<String>,
    /// Test cards only: kept as a PVV, never as itself
    #[arg(long)]
    pin: Option<String>,
}

/// Runs the command.
pub fn run(args: &CardArgs) -> ExitCode {
    let api = Api::new(&args.api);
    match answer(&api, &args.command) {
        Ok(Answer::Card(card)) => print(&[card], args.json, show_card),
        Ok(Answer::Cards(cards)) => print(&cards, args.json, show_card_line),
        Ok(Answer::Code(code)) => print(&[code], args.json, show_code),
        Ok(Answer::Entries(entries)) => print(&entries, args.json, show_entry),
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

enum Answer {
    Card(Value),
    Cards(Vec<Value>),
    Code(Value),
    Entries(Vec<Value>),
}

fn answer(api: &Api, command: &CardCommand) -> Result<Answer, String> {
    let act = |name: &str, action: &str, body: &Value| {
        let path = format!("/v1/cards/{}/{action}", api.id_of(name)?);
        api.post(&path, body).map(Answer::Card)
    };
    match command {
        CardCommand::Activate { name } => act(name, "activate", &json!({})),
        CardCommand::Code { name } => {
            let card = api.find(name)?;
            let path = format!("/v1/cards/{}/enrolment_codes", text(&card, "id"));
            let made = api.post(&path, &json!({}))?;
            Ok(Answer::Code(json!({
                "name": name, "mok_id": text(&card, "mok_id"), "code": text(&made, "code"),
            })))
        }
        CardCommand::History { name, limit } => {
            let path = format!("/v1/cards/{}/transactions?limit={limit}", api.id_of(name)?);
            Ok(Answer::Entries(data(&api.get(&path)?)))
        }
        CardCommand::Issue(args) => api
            .post(
                "/v1/cards",
                &json!({
                    "name": args.name, "pan": args.pan, "expiry": args.expiry,
                    "mok_id": args.mok_id, "balance": args.balance, "channels": args.channels,
                    "pin": args.pin,
                }),
            )
            .map(Answer::Card),
        CardCommand::List => api.pages("/v1/cards").map(Answer::Cards),
        CardCommand::Load { name, amount, reference, source } => {
            let reference = reference.clone().unwrap_or_else(drawn_reference);
            let body = json!({"amount": amount, "source": source, "reference": reference});
            act(name, "loads", &body)
        }
        CardCommand::Lock { name } => act(name, "lock", &json!({})),
        CardCommand::Set { name, channels } => {
            let ticks: serde_json::Map<String, Value> =
                channels.iter().map(|(channel, on)| (channel.clone(), json!(on))).collect();
            let path = format!("/v1/cards/{}", api.id_of(name)?);
            api.patch(&path, &json!({ "channels": ticks })).map(Answer::Card)
        }
        CardCommand::Show { name } => api.find(name).map(Answer::Card),
        CardCommand::Unlock { name } => act(name, "unlock", &json!({})),
    }
}

/// Cents to load; a load of nothing is a slip of the pen.
fn load_amount(text: &str) -> Result<u64, String> {
    match amount::parse(text) {
        Ok(0) => Err("the amount must be above zero".to_owned()),
        Ok(cents) => Ok(cents),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_channel(text: &str) -> Result<(String, bool), String> {
    let fault = || "write online=on, abroad=off or cashpoint=on".to_owned();
    let (channel, state) = text.split_once('=').ok_or_else(fault)?;
    let known = ["abroad", "cashpoint", "online"].contains(&channel);
    match (known, state) {
        (true, "on") => Ok((channel.to_owned(), true)),
        (true, "off") => Ok((channel.to_owned(), false)),
        _ => Err(fault()),
    }
}

/// A reference that no other load has: the caller did not care to name one.
fn drawn_reference() -> String {
    let mut octets = [0; 8];
    cekr_switch::entropy::fill(&mut octets);
    format!("cli-{:016x}", u64::from_be_bytes(octets))
}

/// Prints each value on a line of its own, or in words.
fn print(values: &[Value], json: bool, show: fn(&Value) -> String) -> ExitCode {
    let mut out = std::io::stdout().lock();
    for value in values {
        let line = if json { value.to_string() } else { show(value) };
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn show_card(card: &Value) -> String {
    format!(
        "{}  {}  {}\n  balance    {:>12} EUR\n  available  {:>12} EUR\n  online {}  abroad {}  \
         cashpoint {}\n  MOK ID {}  id {}",
        text(card, "name"),
        text(card, "pan_masked"),
        text(card, "state"),
        euros(card, "balance"),
        euros(card, "available"),
        tick(card, "online"),
        tick(card, "abroad"),
        tick(card, "cashpoint"),
        text(card, "mok_id"),
        text(card, "id"),
    )
}

fn show_code(made: &Value) -> String {
    format!(
        "{}\n  code {} (shown once)\n  next: the holder opens /register and gives it with the MOK \
         ID {} and the last six digits of the card's number",
        text(made, "name"),
        text(made, "code"),
        text(made, "mok_id"),
    )
}

fn show_card_line(card: &Value) -> String {
    format!(
        "{:<10} {:<19} {:<13} available {:>10}  online {:<3} abroad {:<3} cashpoint {:<3}",
        text(card, "name"),
        text(card, "pan_masked"),
        text(card, "state"),
        euros(card, "available"),
        tick(card, "online"),
        tick(card, "abroad"),
        tick(card, "cashpoint"),
    )
}

fn show_entry(entry: &Value) -> String {
    let fee = entry["fee"].as_i64().filter(|fee| *fee != 0);
    let fee = fee.map_or(String::new(), |fee| format!(" + fee {}", signed(fee)));
    let reason = match (text(entry, "response_code"), text(entry, "reason")) {
        ("", _) => String::new(),
        (code, reason) => format!("  {code} {reason}"),
    };
    let line = format!(
        "{}  {:<12} {:>10}{fee}{reason}",
        text(entry, "at"),
        text(entry, "kind"),
        euros(entry, "amount"),
    );
    line.trim_end().to_owned()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("")
}

fn euros(value: &Value, key: &str) -> String {
    value[key].as_i64().map(signed).unwrap_or_default()
}

/// Cents for people, with a sign below zero: `-3.00`.
fn signed(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}", amount::text(cents.unsigned_abs()))
}

fn tick(card: &Value, channel: &str) -> &'static str {
    if card["channels"][channel].as_bool().unwrap_or(false) { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_ticked_by_name() {
        assert_eq!(parse_channel("abroad=off"), Ok(("abroad".to_owned(), false)));
        for wrong in ["abroad", "abroad=maybe", "shops=on", "=on"] {
            assert!(parse_channel(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_load_of_nothing_is_refused_before_it_is_sent() {
        assert_eq!(load_amount("200.00"), Ok(200_00));
        for wrong in ["0", "0.00", "-1", "1.001", "x"] {
            assert!(load_amount(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_below_zero_carry_their_sign() {
        assert_eq!(signed(-300), "-3.00");
        assert_eq!(signed(123_450), "1234.50");
    }
}
