//! `cekr msg`: shows, compares, redacts, builds and checks ISO 8583 messages.
//!
//! Reads octets from `--hex`, a file or standard input; a file that is all hexadecimal digits is
//! taken for hexadecimal. A damaged message is shown up to its fault.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cekr_iso8583::{Damaged, Show, Spec, View};
use serde_json::{Value, json};

use build::{BuildArgs, build};
use chip::ChipData;
use input::{Dialect, Frame, Frames, Source, read};

mod build;
mod chip;
mod input;

/// Options of `cekr msg`.
#[derive(Debug, clap::Args)]
pub struct MsgArgs {
    #[command(subcommand)]
    command: MsgCommand,
}

#[derive(Debug, clap::Subcommand)]
enum MsgCommand {
    /// Show messages field by field.
    #[command(after_help = "Example:\n  cekr msg view --spec iso87ascii --hex 30383030...\n  \
                            cekr msg view --framing be2 --json capture.bin")]
    View(ViewArgs),
    /// Compare two messages field by field.
    #[command(after_help = "Example:\n  cekr msg diff request.hex reply.hex")]
    Diff(DiffArgs),
    /// Print the message with card numbers, tracks, PIN blocks and CVV2 overwritten.
    #[command(after_help = "Example:\n  cekr msg redact capture.bin > safe-to-send.hex\n\n\
                            The result still parses; a MAC in it is no longer right.")]
    Redact(RedactArgs),
    /// Make a message from JSON and print it in hexadecimal.
    #[command(after_help = "Example:\n  echo '{\"mti\":\"0800\",\"fields\":{\"7\":\"1122101500\",\
                            \"11\":\"000123\",\"70\":\"301\"}}' | cekr msg build\n\n\
                            What `cekr msg view --json --unsafe` prints is taken as well.")]
    Build(BuildArgs),
    /// Say whether messages follow the spec; exit 1 if not.
    #[command(
        after_help = "Example:\n  cekr msg check --spec iso87binary --framing nac capture.bin"
    )]
    Check(CheckArgs),
}

/// How results are shown.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Output {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Show card numbers, tracks, PIN blocks and CVV2 in full.
    #[arg(long = "unsafe")]
    in_full: bool,
}

#[derive(Debug, clap::Args)]
struct ViewArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    dialect: Dialect,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    /// A message in hexadecimal; may be given twice. Comes before files.
    #[arg(long, value_name = "H")]
    hex: Vec<String>,
    /// Files with one message each; `-` is standard input.
    #[arg(value_name = "FILE", num_args = 0..=2)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    dialect: Dialect,
    #[command(flatten)]
    output: Output,
    /// Exit 1 if the messages differ.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, clap::Args)]
struct RedactArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    dialect: Dialect,
    /// One JSON object a line: {"hex":"..."}.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    dialect: Dialect,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Why a command ends otherwise than well.
#[derive(Debug)]
enum Failure {
    /// The thing failed: exit 1.
    Failed(String),
    /// Wrong use: exit 2.
    Usage(String),
    /// Nobody reads the output any more: exit 0, as other filters do.
    Closed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Failed(format!("cannot write the output: {error}")),
        }
    }
}

/// Runs the command and says how it ended.
pub fn run(args: MsgArgs) -> ExitCode {
    let mut out = io::stdout().lock();
    let ended = execute(args, &mut out).and_then(|()| Ok(out.flush()?));
    let (text, code) = match ended {
        Ok(()) | Err(Failure::Closed) => return ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => (text, 1),
        Err(Failure::Usage(text)) => (text, 2),
    };
    // Nothing can be done if standard error is closed too.
    let _ = writeln!(io::stderr(), "cekr msg: {text}");
    ExitCode::from(code)
}

fn execute(args: MsgArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match args.command {
        MsgCommand::View(args) => {
            let octets = args.source.octets(args.dialect)?;
            view(&octets, args.dialect, args.output, out)
        }
        MsgCommand::Diff(args) => diff_sources(args, out),
        MsgCommand::Redact(args) => {
            let octets = args.source.octets(args.dialect)?;
            redact(&octets, args.dialect, args.json, out)
        }
        MsgCommand::Build(args) => {
            let file = args.file.as_deref().unwrap_or(Path::new("-"));
            let text = String::from_utf8(read(file)?).map_err(|error| {
                Failure::Usage(format!("{}: not UTF-8 text ({error})", file.display()))
            })?;
            build(&text, &args, out)
        }
        MsgCommand::Check(args) => {
            let octets = args.source.octets(args.dialect)?;
            check(&octets, args.dialect, args.json, out)
        }
    }
}

fn view(
    octets: &[u8],
    dialect: Dialect,
    output: Output,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut fault = None;
    for frame in Frames::new(dialect.framing, octets) {
        let frame = frame?;
        let read = frame.parse(dialect.spec);
        let (view, description) = match &read {
            Ok(view) => (view, view.describe(output.show())),
            Err(damaged) => (&damaged.read, damaged.describe(output.show())),
        };
        match (ChipData::of(view, output.show()), output.json) {
            (Some(chip), true) => writeln!(out, "{}", chip.json(description))?,
            (Some(chip), false) => writeln!(out, "{}", chip.display(description))?,
            (None, true) => writeln!(out, "{}", description.json())?,
            (None, false) => writeln!(out, "{description}")?,
        }
        if let Err(damaged) = read {
            fault.get_or_insert_with(|| damaged_text(&damaged, &frame));
        }
    }
    fault.map_or(Ok(()), |text| Err(Failure::Failed(text)))
}

fn redact(
    octets: &[u8],
    dialect: Dialect,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    for frame in Frames::new(dialect.framing, octets) {
        let frame = frame?;
        let view = frame.parse(dialect.spec).map_err(|damaged| {
            let text = damaged_text(&damaged, &frame);
            Failure::Failed(format!("{text}; nobody can say what its rest hides"))
        })?;
        let mut redacted = frame.head.to_vec();
        let mut message = vec![0; frame.message.len()];
        redacted.extend(view.redact(&mut message).unwrap_or_default());
        print_hex(&redacted, as_json, out)?;
    }
    Ok(())
}

fn check(
    octets: &[u8],
    dialect: Dialect,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut fault = None;
    for frame in Frames::new(dialect.framing, octets) {
        let frame = frame?;
        match frame.parse(dialect.spec) {
            Ok(view) => {
                let notes = notes(&view);
                let (mti, count) = (view.mti().to_string(), view.present().len());
                if as_json {
                    let line = json!({"ok": true, "mti": mti, "fields": count,
                        "octets": frame.message.len(), "notes": notes, "error": null});
                    writeln!(out, "{line}")?;
                    continue;
                }
                let len = frame.message.len();
                writeln!(out, "ok: {mti}, {count} fields, {len} octets, {}", dialect.spec.name())?;
                for note in notes {
                    writeln!(out, "note: {note}")?;
                }
            }
            Err(damaged) => {
                let error = damaged.error;
                if as_json {
                    let line = json!({"ok": false, "mti": damaged.mti().map(|mti| mti.to_string()),
                        "fields": damaged.read.present().len(), "octets": frame.message.len(),
                        "notes": [], "error": {"field": error.field, "offset": error.offset,
                        "need": error.need, "have": error.have, "kind": error.kind.as_str()}});
                    writeln!(out, "{line}")?;
                } else {
                    writeln!(out, "fault: {error}")?;
                }
                fault.get_or_insert_with(|| damaged_text(&damaged, &frame));
            }
        }
    }
    fault.map_or(Ok(()), |text| Err(Failure::Failed(text)))
}

/// What a spec lets pass and an issuer would refuse.
fn notes(view: &View<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(Err(error)) = view.pan() {
        notes.push(format!("DE 2: {error}"));
    }
    match view.track2() {
        Some(Err(error)) => notes.push(format!("DE 35: {error}")),
        Some(Ok(track)) if track.pan.is_err() => {
            notes.extend(track.pan.err().map(|error| format!("DE 35: {error}")));
        }
        Some(Ok(track)) if view.pan().is_some_and(|pan| pan != track.pan) => {
            notes.push("DE 35: its card number is not that of DE 2".to_owned());
        }
        Some(Ok(_)) | None => {}
    }
    if view.private().is_some_and(|private| !private.is_well_formed()) {
        notes.push("DE 48: not a sequence of id, length and value".to_owned());
    }
    if view.additional_amounts().is_some_and(|mut amounts| amounts.any(|amount| amount.is_err())) {
        notes.push("DE 54: not a sequence of amounts of 20 characters".to_owned());
    }
    if view.has(90) && view.original_data().is_none() {
        notes.push("DE 90: cannot be read".to_owned());
    }
    if view.replacement_amounts().is_some_and(|amounts| amounts.is_err()) {
        notes.push("DE 95: cannot be read".to_owned());
    }
    notes
}

fn diff_sources(args: DiffArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let from_hex = args.hex.into_iter().map(|hex| Source { hex: Some(hex), file: None });
    let from_files = args.files.into_iter().map(|file| Source { hex: None, file: Some(file) });
    let sources: Vec<Source> = from_hex.chain(from_files).collect();
    let [a, b] = sources.as_slice() else {
        let text = "two messages are compared: give two FILEs, or --hex twice, or one of each";
        return Err(Failure::Usage(text.to_owned()));
    };
    let (a, b) = (a.octets(args.dialect)?, b.octets(args.dialect)?);
    let differences = diff(&a, &b, args.dialect, args.output, out)?;
    if args.exit_code && differences > 0 {
        return Err(Failure::Failed(format!("{differences} fields differ")));
    }
    Ok(())
}

/// Prints what differs and counts it.
fn diff(
    a: &[u8],
    b: &[u8],
    dialect: Dialect,
    output: Output,
    out: &mut dyn Write,
) -> Result<usize, Failure> {
    let (a, b) = (only_message(a, dialect, "first")?, only_message(b, dialect, "second")?);
    let mut rows = Vec::new();
    if a.mti() != b.mti() {
        rows.push((0, "Message type", Some(a.mti().to_string()), Some(b.mti().to_string())));
    }
    for de in a.present().union(b.present()) {
        let value = |view: &View<'_>| view.describe(output.show()).value(de).map(|v| v.to_string());
        if a.raw(de) != b.raw(de) {
            let name = dialect.spec.field_name(de).unwrap_or_default();
            rows.push((de, name, value(&a), value(&b)));
        }
    }
    if output.json {
        let differences: Vec<Value> = rows
            .iter()
            .map(|(de, name, a, b)| json!({"field": de, "name": name, "a": a, "b": b}))
            .collect();
        let line = json!({"equal": rows.is_empty(), "differences": differences});
        writeln!(out, "{line}")?;
        return Ok(rows.len());
    }
    for (de, name, a, b) in &rows {
        let label = if *de == 0 { "MTI".to_owned() } else { format!("DE {de}") };
        writeln!(out, "{label:<6} {name}")?;
        for (sign, value) in [('-', a), ('+', b)] {
            writeln!(out, "  {sign} {}", value.as_deref().unwrap_or("(absent)"))?;
        }
        if a == b {
            writeln!(out, "    (they differ where they are hidden; --unsafe shows it)")?;
        }
    }
    if rows.is_empty() {
        writeln!(out, "equal: {} fields", a.present().len())?;
    }
    Ok(rows.len())
}

fn only_message<'a>(octets: &'a [u8], dialect: Dialect, which: &str) -> Result<View<'a>, Failure> {
    let mut frames = Frames::new(dialect.framing, octets);
    let frame = frames.next().unwrap_or(Err(Failure::Failed("no message".to_owned())))?;
    if frames.next().is_some() {
        return Err(Failure::Failed(format!("{which}: there is more than one message")));
    }
    frame.parse(dialect.spec).map_err(|damaged| {
        Failure::Failed(format!("{which} message: {}", damaged_text(&damaged, &frame)))
    })
}

fn print_hex(octets: &[u8], as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let hex: String = octets.iter().map(|octet| format!("{octet:02X}")).collect();
    if as_json {
        writeln!(out, "{}", json!({"hex": hex, "octets": octets.len()}))?;
    } else {
        writeln!(out, "{hex}")?;
    }
    Ok(())
}

/// Says where a message is damaged, and which spec would read it.
fn damaged_text(damaged: &Damaged<'_>, frame: &Frame<'_>) -> String {
    let name = damaged.read.spec().name();
    let mut text = format!("the message is damaged for spec {name}: {}", damaged.error);
    if frame.missing > 0 {
        text.push_str(&format!("; the frame announces {} octets more", frame.missing));
    }
    let better = Spec::built_in().into_iter().find(|spec| frame.parse(spec).is_ok());
    if let Some(spec) = better {
        text.push_str(&format!("; --spec {} reads it", spec.name()));
    }
    text
}

impl Output {
    fn show(self) -> Show {
        if self.in_full { Show::Everything } else { Show::Masked }
    }
}

#[cfg(test)]
mod tests {
    use cekr_iso8583::Framing;
    use clap::Parser;

    use super::input::unhex;
    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: MsgArgs,
    }

    const ECHO: &str = "3038303082200000000000000400000000000000\
                        31313232313031353030303030313233333031";
    const PURCHASE: &str = "303230307000000000000000313634373631373330303030303030303131\
                            303030303030303030303030303032343930";

    fn run_on(line: &[&str]) -> (Result<(), Failure>, String) {
        let command = Command::try_parse_from(["msg"].iter().chain(line)).unwrap();
        let mut out = Vec::new();
        let ended = execute(command.args, &mut out);
        (ended, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_message_is_shown_as_json_with_its_card_number_masked() {
        let (ended, text) = run_on(&["view", "--json", "--hex", PURCHASE]);
        assert!(ended.is_ok(), "{ended:?} {text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["mti"], "0200");
        assert_eq!(value["spec"], "cekr87");
        assert_eq!(value["fields"]["2"]["value"], "476173******0011");
        assert_eq!(value["fields"]["4"]["value"], "000000002490");
        assert_eq!(value["error"], Value::Null);
        let (_, open) = run_on(&["view", "--json", "--unsafe", "--hex", PURCHASE]);
        assert!(open.contains("4761730000000011"));
    }

    #[test]
    fn a_damaged_message_is_shown_up_to_its_fault() {
        let (ended, text) = run_on(&["view", "--json", "--hex", &ECHO[..ECHO.len() - 2]]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["fields"]["11"]["value"], "000123");
        assert_eq!(
            value["error"],
            json!({"field": 70, "offset": 36, "need": 3, "have": 2, "kind": "truncated"})
        );
        assert!(matches!(ended, Err(Failure::Failed(text)) if text.contains("DE 70")));
    }

    #[test]
    fn the_spec_that_reads_a_message_is_named() {
        let binary = "080082200000000000000400000000000000112210150000012303 01";
        let (ended, _) = run_on(&["check", "--hex", binary]);
        assert!(
            matches!(ended, Err(Failure::Failed(text)) if text.contains("--spec iso87binary reads it"))
        );
    }

    #[test]
    fn what_is_built_is_what_is_viewed() {
        let (_, json) = run_on(&["view", "--json", "--unsafe", "--hex", ECHO]);
        let args = BuildArgs { file: None, spec: None, framing: Framing::Be2, json: false };
        let mut out = Vec::new();
        build(&json, &args, &mut out).unwrap();
        let hex = String::from_utf8(out).unwrap();
        assert_eq!(hex.trim_end(), format!("0027{ECHO}"));
        let (ended, again) =
            run_on(&["view", "--json", "--unsafe", "--framing", "be2", "--hex", hex.trim_end()]);
        assert!(ended.is_ok());
        assert_eq!(again, json);
    }

    #[test]
    fn subfields_are_put_together() {
        let args = BuildArgs { file: None, spec: None, framing: Framing::None, json: false };
        let mut out = Vec::new();
        let text = r#"{"mti":"0100","fields":{"48":{"42":"05","92":{"value":"123"}}}}"#;
        build(text, &args, &mut out).unwrap();
        let octets = unhex(&String::from_utf8(out).unwrap()).unwrap();
        assert!(octets.ends_with(b"0134202059203123"));
    }

    #[test]
    fn bad_input_for_build_is_wrong_use_and_says_why() {
        let args = BuildArgs { file: None, spec: None, framing: Framing::None, json: false };
        for (text, reason) in [
            ("{", "no JSON"),
            ("{}", "four digits"),
            (r#"{"mti":"0200","fields":[]}"#, "object"),
            (r#"{"mti":"0200","fields":{"1":"x"}}"#, "2 to 128"),
            (r#"{"mti":"0200","fields":{"4":2490}}"#, "leading zeros"),
            (r#"{"mti":"0200","fields":{"2":"476173******0011"}}"#, "--unsafe"),
            (r#"{"mti":"0200","fields":{"52":"xyz"}}"#, "hexadecimal"),
            (r#"{"mti":"0200","spec":"nope"}"#, "no spec"),
        ] {
            let ended = build(text, &args, &mut Vec::new());
            assert!(
                matches!(&ended, Err(Failure::Usage(said)) if said.contains(reason)),
                "{text}: {ended:?}"
            );
        }
    }

    #[test]
    fn a_redacted_message_reads_and_its_card_number_is_gone() {
        let (ended, text) = run_on(&["redact", "--hex", PURCHASE]);
        assert!(ended.is_ok());
        let (_, json) = run_on(&["view", "--json", "--unsafe", "--hex", text.trim_end()]);
        let value: Value = serde_json::from_str(&json).unwrap();
        let number = value["fields"]["2"]["value"].as_str().unwrap();
        assert!(number.starts_with("476173") && number.ends_with("0011"));
        assert_ne!(number, "4761730000000011");
        assert_eq!(value["fields"]["4"]["value"], "000000002490");
    }

    #[test]
    fn two_messages_are_compared_field_by_field() {
        let other = ECHO.replace("3031353030", "3031363030");
        let (ended, text) = run_on(&["diff", "--json", "--hex", ECHO, "--hex", &other]);
        assert!(ended.is_ok());
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["equal"], false);
        assert_eq!(value["differences"][0]["field"], 7);
        let (ended, _) = run_on(&["diff", "--exit-code", "--hex", ECHO, "--hex", &other]);
        assert!(matches!(ended, Err(Failure::Failed(_))));
        let (ended, text) = run_on(&["diff", "--exit-code", "--hex", ECHO, "--hex", ECHO]);
        assert!(ended.is_ok() && text.starts_with("equal"));
        let (ended, _) = run_on(&["diff", "--hex", ECHO]);
        assert!(matches!(ended, Err(Failure::Usage(_))));
    }

    #[test]
    fn frames_are_taken_apart_and_a_cut_one_is_shown() {
        let framed = format!("0000 0027{ECHO} 0027{ECHO}");
        let (ended, text) = run_on(&["check", "--framing", "be2", "--hex", &framed]);
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(text.lines().count(), 2);
        let (ended, text) = run_on(&["view", "--framing", "be2", "--hex", &framed[..41]]);
        assert!(ended.is_err() && text.contains("fault:"), "{text}");
        let (ended, _) = run_on(&["check", "--framing", "ascii4", "--hex", &framed]);
        assert!(matches!(ended, Err(Failure::Failed(text)) if text.contains("ascii4")));
    }

    #[test]
    fn a_whole_message_in_a_frame_that_announces_more_is_damaged() {
        let len = unhex(ECHO).unwrap().len();
        let more = len + 5;
        let ascii: String = format!("{more:04}").bytes().map(|b| format!("{b:02X}")).collect();
        let tpdu = "6000120034";
        for (framing, head) in [
            ("be2", format!("{more:04X}")),
            ("nac", format!("{:04X}{tpdu}", more + 5)),
            ("ascii4", ascii),
        ] {
            let framed = format!("{head}{ECHO}");
            let (ended, text) = run_on(&["view", "--json", "--framing", framing, "--hex", &framed]);
            assert!(matches!(ended, Err(Failure::Failed(why)) if why.contains("5 octets more")));
            let shown: Value = serde_json::from_str(&text).unwrap();
            let fault =
                json!({"field": 70, "offset": len, "need": 5, "have": 0, "kind": "truncated"});
            assert_eq!(shown["error"], fault, "{framing}");
            assert_eq!(shown["fields"]["70"]["value"], "301", "{framing}");
            for command in ["check", "redact"] {
                let (ended, _) = run_on(&[command, "--framing", framing, "--hex", &framed]);
                assert!(ended.is_err(), "{command} {framing}");
            }
        }
    }

    #[test]
    fn odd_or_foreign_characters_are_no_hexadecimal() {
        let (ended, _) = run_on(&["view", "--hex", "303"]);
        assert!(matches!(ended, Err(Failure::Usage(_))));
        let (ended, _) = run_on(&["view", "--hex", "zz"]);
        assert!(matches!(ended, Err(Failure::Usage(_))));
        let known = Command::try_parse_from(["msg", "view", "--spec", "nope", "--hex", "00"]);
        assert!(known.err().is_some_and(|error| error.to_string().contains("iso87binary")));
    }
}
