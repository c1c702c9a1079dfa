//! `cekr clear`: sends the lines of a clearing file to a running switch, and says what became of
//! them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::api::{Api, ApiArgs, data};

/// Posts a clearing file: what the network settles, line by line
#[derive(clap::Args)]
#[command(after_help = "The file is CSV with this header:
  line,card,network_id,rrn,auth_code,amount,currency,merchant,mcc,date
  1,4761730000000011,,632610000001,00000B,24.90,EUR,KRANJ0000000001,5411,2026-11-22
card is an id of the API or a card number; amount is euros with a decimal point or cents without;
a negative amount is a refund or a chargeback. A line is posted once by file name and line number,
however often it is sent.

Example:
  cekr clear visa-2026-11-22.csv")]
pub struct ClearArgs {
    /// The clearing file
    file: PathBuf,
    /// The file's name for the switch, when it is not the one on this disk
    #[arg(long, value_name = "NAME")]
    file_id: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
    /// One JSON object a line, and a summary
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &ClearArgs) -> ExitCode {
    let lines = match read(&args.file) {
        Ok(lines) => lines,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(WRONG_USE);
        }
    };
    let name = args.file.file_name().unwrap_or(args.file.as_os_str()).to_string_lossy();
    let name = args.file_id.as_deref().unwrap_or(&name);
    match send(&Api::new(&args.api), name, &lines) {
        Ok(outcomes) => report(&outcomes, args.json),
        Err(message) => {
            eprintln!(
                "error: {message}\nhelp: send the file again: what was posted is not posted twice"
            );
            ExitCode::FAILURE
        }
    }
}

/// The lines as the API takes them.
fn read(path: &Path) -> Result<Vec<Value>, String> {
    let shown = path.display();
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| format!("{shown}: {error}"))?;
    let header = reader.headers().map_err(|error| format!("{shown}: {error}"))?;
    if !header.iter().eq(HEADER) {
        return Err(format!("{shown}: the header must be\n  {}", HEADER.join(",")));
    }
    let mut lines: Vec<Value> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{shown}: {error}"))?;
        let at = record.position().map_or(0, csv::Position::line);
        let line = line(&record).map_err(|why| format!("{shown}:{at}: {why}"))?;
        if lines.iter().any(|known| known["line"] == line["line"]) {
            return Err(format!("{shown}:{at}: line number {} is there twice", line["line"]));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn line(record: &csv::StringRecord) -> Result<Value, String> {
    let text = |place: usize| record.get(place).unwrap_or_default();
    let number: u32 = text(0).parse().map_err(|_| format!("`{}` is no line number", text(0)))?;
    let amount = cents(text(5))?;
    Ok(json!({
        "line": number, "card": text(1), "network_id": text(2), "rrn": text(3),
        "auth_code": text(4), "amount": amount, "currency": text(6), "merchant": text(7),
        "mcc": text(8), "date": text(9),
    }))
}

/// Cents: `2490`, or `24.90` euros; with a minus sign where money comes back.
fn cents(text: &str) -> Result<i64, String> {
    let fault = || format!("`{text}` is no amount; write 24.90, or 2490 cents");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let is_whole = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let minor: i64 = if is_whole {
        digits.parse().map_err(|_| fault())?
    } else {
        let cents = cekr_terminal_sim::amount::parse(digits).map_err(|_| fault())?;
        i64::try_from(cents).map_err(|_| fault())?
    };
    Ok(sign * minor)
}

fn send(api: &Api, file: &str, lines: &[Value]) -> Result<Vec<Value>, String> {
    let mut outcomes = Vec::with_capacity(lines.len());
    for some in lines.chunks(LINES_PER_CALL) {
        let answer = api.post("/v1/clearing", &json!({ "file": file, "lines": some }))?;
        outcomes.extend(data(&answer));
    }
    Ok(outcomes)
}

/// Says what became of the lines: those that wait for a person one by one, the others by number.
fn report(outcomes: &[Value], json: bool) -> ExitCode {
    let mut counts: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    let mut repeated = 0_u64;
    for outcome in outcomes {
        let name = outcome["outcome"].as_str().unwrap_or("unknown").to_owned();
        repeated += u64::from(outcome["repeated"] == true);
        if json {
            println!("{outcome}");
        } else if let Some(words) = trouble(outcome) {
            println!("line {}: {words}", outcome["line"]);
        }
        *counts.entry(name).or_default() += 1;
    }
    let is_conflict = counts.contains_key("conflict");
    let lines = outcomes.len();
    if json {
        let summary = json!({
            "event": "summary", "lines": lines, "repeated": repeated, "outcomes": counts,
        });
        println!("{summary}");
    } else {
        let parts: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
        println!("{lines} lines: {}; {repeated} of them were known before", parts.join(", "));
    }
    if is_conflict {
        eprintln!(
            "error: lines of another content came under this file's name before; nothing was done \
             for them\nhelp: give the file its own name, or `--file-id NAME`"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What a person has to look after, if anything.
fn trouble(outcome: &Value) -> Option<String> {
    let parked = outcome["parked"].as_i64().unwrap_or(0);
    match (outcome["outcome"].as_str()?, outcome["cause"].as_str()) {
        ("conflict", _) => Some("another content came under this number before".to_owned()),
        (_, Some(cause)) => Some(format!("parked, {cause}")),
        (name, None) if parked > 0 => {
            Some(format!("{name}, and {}.{:02} EUR of it parked", parked / 100, parked % 100))
        }
        ("forced", None) => Some("forced: it names nothing that is known".to_owned()),
        (_, None) => None,
    }
}

const HEADER: [&str; 10] = [
    "line",
    "card",
    "network_id",
    "rrn",
    "auth_code",
    "amount",
    "currency",
    "merchant",
    "mcc",
    "date",
];

/// As many as fit a body of the API by far.
const LINES_PER_CALL: usize = 100;

const WRONG_USE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_euros_with_a_point_and_cents_without() {
        assert_eq!(cents("24.90"), Ok(24_90));
        assert_eq!(cents("2490"), Ok(24_90));
        assert_eq!(cents("-5.00"), Ok(-5_00));
        for wrong in ["", "-", "1.2.3", "x", "24.901"] {
            assert!(cents(wrong).is_err(), "{wrong}");
        }
    }
}
