//! Replays the fuzz corpus: what was found once is met again by every `cargo test`.
//!
//! Each folder of `fuzz/corpus/` belongs to the fuzz target of its name, whose body is called here
//! with each file, without libFuzzer.

use std::fs;
use std::path::Path;

use cekr_iso8583::{CEKR87, ISO87ASCII, ISO87BINARY, Spec, fuzzing as messages};
use cekr_switch::fuzzing as switch;

/// The body of a fuzz target: it panics where a promise is broken.
type Body = fn(&[u8]);

/// Every fuzz target by name, in the order of the alphabet.
const TARGETS: [(&str, Body); 13] = [
    ("camt", cekr_bank::fuzzing::camt),
    ("chip", cekr_emv::chip::fuzzing::chip),
    ("chip_check", cekr_emv::issuer::fuzzing::chip_check),
    ("describe", messages::describe),
    ("engine", switch::engine),
    ("frame", messages::frame),
    ("kernel", cekr_emv::terminal::fuzzing::kernel),
    ("round_trip", |data| {
        for spec in Spec::built_in() {
            messages::round_trip(spec, data);
        }
    }),
    ("tlv", cekr_emv::tlv::fuzzing::tlv),
    ("tr31", cekr_emv::crypto::tr31::fuzzing::tr31),
    ("view_cekr87", |data| messages::view(&CEKR87, data)),
    ("view_iso87ascii", |data| messages::view(&ISO87ASCII, data)),
    ("view_iso87binary", |data| messages::view(&ISO87BINARY, data)),
];

#[test]
fn every_file_of_the_corpus_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let mut files = 0;
        for file in sorted_names(&corpus.join(name)) {
            println!("{name}/{file}");
            let octets = fs::read(corpus.join(name).join(&file)).unwrap();
            target(&octets);
            // Cut and flipped inputs are where readers go wrong; they cost nothing here.
            for len in 0..octets.len() {
                target(&octets[..len]);
            }
            files += 1;
        }
        assert_ne!(files, 0, "fuzz/corpus/{name} is empty");
    }
}

#[test]
fn every_target_and_every_corpus_has_its_counterpart() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    let programs: Vec<_> = names.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(sorted_names(&root.join("corpus")), names);
    assert_eq!(sorted_names(&root.join("fuzz_targets")), programs);
}

/// The names in a folder in alphabetical order, so that a failure is the same on every machine.
fn sorted_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
