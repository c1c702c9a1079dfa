//! The same message through iso8583_rs, whose format is a file that an environment variable names.

use std::fmt::Write as _;
use std::process::{Command, ExitCode};
use std::{env, fs, process};

use iso8583_rs::iso8583::iso_spec::{IsoMsg, Spec, new_msg, spec};

use crate::{Read, Reply};

/// Whether the variable is there: it must be before the first look at a format.
pub(crate) fn has_format() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// Runs the bench once more, with the variable and the file that it names. To set a variable of
/// the own process is unsafe.
pub(crate) fn run_with_format() -> ExitCode {
    let path = env::temp_dir().join(format!("cekr-peers-{}.yaml", process::id()));
    fs::write(&path, format()).expect("room for temporary files");
    let program = env::current_exe().expect("the path of this program");
    let status = Command::new(program).args(env::args_os().skip(1)).env(VARIABLE, &path).status();
    fs::remove_file(&path).expect("the file of this run");
    if status.expect("a second process").success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The format of the file.
pub(crate) fn format_of_file() -> &'static Spec {
    spec("")
}

/// Its parser wants a vector that it may change; it does not.
pub(crate) fn parse(spec: &'static Spec, message: &mut Vec<u8>) -> IsoMsg {
    spec.parse(message).expect("a whole message")
}

pub(crate) fn read(message: &IsoMsg) -> Option<Read> {
    let value = |de| message.bmp_child_value(de).ok();
    let (pan, amount, stan, terminal) = (value(2)?, value(4)?, value(11)?, value(41)?);
    Read::of_ascii(pan.as_bytes(), amount.as_bytes(), stan.as_bytes(), terminal.as_bytes())
}

pub(crate) fn reply(request: &IsoMsg, reply: &Reply) -> Vec<u8> {
    let mut answer = new_msg(request.spec, request.msg);
    answer.set("message_type", "0110").expect("an element of the format");
    answer.echo_from(request, &reply.echo.map(u32::from)).expect("elements of the request");
    for (de, value) in reply.own {
        answer.set_on(u32::from(de), value).expect("an element of the format");
    }
    answer.assemble().expect("all values are there")
}

/// The elements of the bench's request and reply and no more: each is searched for in turn, so
/// that a whole table would be slower.
fn format() -> String {
    let mut yaml = String::from(HEAD);
    for (de, shape) in ELEMENTS {
        let (kind, len, prefix) = match shape {
            Shape::Fixed(len) => ("Fixed", len, ""),
            Shape::Ll => ("Variable", 2, ", len_encoding: ASCII"),
        };
        writeln!(
            yaml,
            "          - {{ name: de{de}, id: {de}, position: {de}, type: {kind}, len: {len}{prefix}, \
             data_encoding: ASCII }}"
        )
        .expect("a string takes everything");
    }
    yaml
}

enum Shape {
    Fixed(u8),
    Ll,
}

const VARIABLE: &str = "SPEC_FILE";

const HEAD: &str = "\
name: cekr87
id: 1
header_fields:
  - { name: header, id: 1, type: Fixed, len: 4, data_encoding: ASCII }
messages:
  - name: authorization
    id: 1
    selector: [\"0100\", \"0110\"]
    fields:
      - { name: message_type, id: 1, type: Fixed, len: 4, data_encoding: ASCII }
      - name: bitmap
        id: 2
        type: Bitmapped
        len: 0
        data_encoding: BINARY
        children:
";

const ELEMENTS: [(u8, Shape); 20] = [
    (2, Shape::Ll),
    (3, Shape::Fixed(6)),
    (4, Shape::Fixed(12)),
    (7, Shape::Fixed(10)),
    (11, Shape::Fixed(6)),
    (12, Shape::Fixed(6)),
    (13, Shape::Fixed(4)),
    (14, Shape::Fixed(4)),
    (18, Shape::Fixed(4)),
    (19, Shape::Fixed(3)),
    (22, Shape::Fixed(3)),
    (25, Shape::Fixed(2)),
    (32, Shape::Ll),
    (37, Shape::Fixed(12)),
    (38, Shape::Fixed(6)),
    (39, Shape::Fixed(2)),
    (41, Shape::Fixed(8)),
    (42, Shape::Fixed(15)),
    (43, Shape::Fixed(40)),
    (49, Shape::Fixed(3)),
];
