//! `cekr bank`: sends the bank's statements to a running switch, and says what became of each line.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::api::{Api, ApiArgs};

/// Statements of the bank (ISO 20022 camt.052, camt.053, camt.054), over the HTTP API of a running
/// switch
#[derive(clap::Args)]
#[command(after_help = "Example:
  cekr bank import 2026-11-20.xml")]
pub struct BankArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// One JSON object a line, and a summary
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: BankCommand,
}

#[derive(clap::Subcommand)]
enum BankCommand {
    /// Post the lines of statements: each once, whatever file brings it and however often
    #[command(after_help = "What is booked to the programme's account loads the card that its \
reference names;
what matches no card waits in suspense with its reason. A file that cannot be read to its end posts
nothing. Files may overlap, come again, and come in any order.

Examples:
  cekr bank import 2026-11-20.xml
  cekr bank import *.xml --json | jq 'select(.outcome == \"suspense\")'")]
    Import {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Runs the command.
pub fn run(args: &BankArgs) -> ExitCode {
    let BankCommand::Import { files } = &args.command;
    let api = Api::new(&args.api);
    let mut opened = Vec::with_capacity(files.len());
    // All of them first: a name that is mistyped is a wrong use, and nothing was sent.
    for path in files {
        match open(path) {
            Ok(file) => opened.push((path, file)),
            Err(message) => {
                eprintln!("error: {message}");
                return ExitCode::from(WRONG_USE);
            }
        }
    }
    let mut sums = Sums::default();
    let mut is_whole = true;
    for (path, file) in opened {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        match api.upload(&format!("/v1/statements?file={}", crate::api::escaped(&name)), file) {
            Ok(report) => {
                sums.add(&report);
                show(&report, args.json);
            }
            Err(message) => {
                eprintln!("error: {}: {message}", path.display());
                is_whole = false;
            }
        }
    }
    sums.show(args.json, is_whole);
    if is_whole {
        return ExitCode::SUCCESS;
    }
    eprintln!("help: send the files again: what was posted is not posted twice");
    ExitCode::FAILURE
}

fn open(path: &Path) -> Result<File, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    if is_file { Ok(file) } else { Err(format!("{} is no file", path.display())) }
}

/// Says what became of a file: its lines on standard output, what is odd on standard error.
fn show(report: &Value, json: bool) {
    let file = report["file"].as_str().unwrap_or_default();
    if json {
        let mut head = report.clone();
        if let Some(head) = head.as_object_mut() {
            head.remove("lines");
            head.insert("event".to_owned(), "file".into());
        }
        println!("{head}");
    } else if report["already_imported"] == true {
        println!("{file}: imported before, nothing to post");
    } else {
        println!("{file}:");
    }
    for line in list(&report["lines"]) {
        if json {
            let mut line = line.clone();
            if let Some(line) = line.as_object_mut() {
                line.insert("event".to_owned(), "line".into());
                line.insert("file".to_owned(), file.into());
            }
            println!("{line}");
        } else if report["already_imported"] != true {
            println!("  {}", words(&line));
        }
    }
    for alarm in list(&report["alarms"]) {
        eprintln!("alarm: {file}: {}", alarm["message"].as_str().unwrap_or_default());
    }
}

/// A line for people.
fn words(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let place = match line["transaction"].as_u64() {
        Some(0) | None => format!("{}", line["entry"]),
        Some(part) => format!("{}.{part}", line["entry"]),
    };
    let amount = line["amount"].as_u64().unwrap_or_default();
    let amount = format!("{}.{:02} {}", amount / 100, amount % 100, text("currency"));
    let outcome = match (text("outcome"), text("reason")) {
        ("posted", _) => format!("posted to card {}", text("mok_id")),
        (outcome, "") => outcome.to_owned(),
        (outcome, reason) => format!("{outcome}: {reason}"),
    };
    let repeated = if line["repeated"] == true { " (posted before)" } else { "" };
    let name = text("bank_reference");
    format!("{place:>6}  {amount:>14}  {outcome}{repeated}  {name}").trim_end().to_owned()
}

/// What all files come to.
#[derive(Default)]
struct Sums {
    files: u64,
    lines: u64,
    repeated: u64,
    alarms: u64,
    /// Count and cents by outcome.
    outcomes: std::collections::BTreeMap<String, (u64, u64)>,
}

impl Sums {
    fn add(&mut self, report: &Value) {
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let totals = &report["totals"];
        self.files += 1;
        self.lines += number(&totals["lines"]);
        self.repeated += number(&totals["repeated"]);
        self.alarms += list(&report["alarms"]).len() as u64;
        for (name, total) in totals.as_object().into_iter().flatten() {
            if total.is_object() {
                let sum = self.outcomes.entry(name.clone()).or_default();
                sum.0 += number(&total["count"]);
                sum.1 = sum.1.saturating_add(number(&total["amount"]));
            }
        }
    }

    fn show(&self, json: bool, is_whole: bool) {
        let Self { files, lines, repeated, alarms, outcomes } = self;
        if json {
            let outcomes: serde_json::Map<String, Value> = outcomes
                .iter()
                .map(|(name, (count, cents))| {
                    (name.clone(), json!({ "count": count, "amount": cents }))
                })
                .collect();
            let summary = json!({
                "event": "summary", "ok": is_whole, "files": files, "lines": lines,
                "repeated": repeated, "alarms": alarms, "outcomes": outcomes, "currency": "EUR",
            });
            println!("{summary}");
            return;
        }
        let mut parts: Vec<String> = outcomes
            .iter()
            .map(|(name, (count, cents))| {
                format!("{count} {name} ({}.{:02} EUR)", cents / 100, cents % 100)
            })
            .collect();
        if *repeated > 0 {
            parts.push(format!("{repeated} posted before"));
        }
        let parts = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
        println!("{files} files, {lines} lines: {parts}");
        if outcomes.contains_key("suspense") {
            eprintln!("help: what waits in suspense is shown by GET /v1/suspense");
        }
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

const WRONG_USE: u8 = 2;
