//! Cards that answer anything: the kernel never panics, and always ends.

use std::sync::LazyLock;

use proptest::prelude::*;

use cekr_emv::terminal::{
    Application, Config, Decision, Interface, IssuerDecision, Kernel, Transaction,
};

use crate::chip::{Inserted, VERSIONS, inserted, profile};
use crate::scene::{Card, Issuer, OFFLINE, Press, Scene, authorities, purchase, withdrawal};

/// A card that answers from a list, then falls silent.
struct Listed(std::vec::IntoIter<Vec<u8>>);

impl Card for Listed {
    fn answer(&mut self, _: &[u8]) -> Vec<u8> {
        self.0.next().unwrap_or_default()
    }
}

/// Chips fresh from personalisation, which takes long.
static FRESH: LazyLock<[Inserted; 3]> =
    LazyLock::new(|| VERSIONS.map(|version| inserted(&profile(version))));

/// Our chip, some octets of whose answers are changed on the way.
struct Damaged {
    chip: Inserted,
    number: usize,
    at: Vec<(usize, usize, u8)>,
}

impl Card for Damaged {
    fn answer(&mut self, apdu: &[u8]) -> Vec<u8> {
        let mut answer = self.chip.answer(apdu);
        for (number, place, octet) in &self.at {
            if *number == self.number && !answer.is_empty() {
                let place = place % answer.len();
                answer[place] ^= octet;
            }
        }
        self.number += 1;
        answer
    }
}

fn scene(presses: u8, data: Vec<u8>) -> Scene {
    let press = match presses % 3 {
        0 => Press::Bypass,
        1 => Press::PadBroken,
        _ => Press::Digits("1234"),
    };
    let decision = if presses & 4 == 0 { IssuerDecision::Approve } else { IssuerDecision::Decline };
    let issuer =
        if presses & 8 == 0 { Issuer::Answers(decision, *b"00", data) } else { Issuer::Silent };
    Scene { presses: vec![press], issuer, choice: Some(usize::from(presses >> 6)) }
}

proptest! {
    #[test]
    fn any_answers_lead_to_an_end(
        answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..40),
        presses in any::<u8>(),
        data in prop::collection::vec(any::<u8>(), 0..80),
        is_tap in any::<bool>(),
    ) {
        let applications = [Application::VISA];
        let authorities = authorities();
        let config = Config::point_of_sale(&applications, &authorities);
        let interface = if is_tap { Interface::Contactless } else { Interface::Contact };
        let transaction = Transaction { interface, ..purchase() };
        let mut card = Listed(answers.into_iter());
        let (outcome, _) = scene(presses, data).play(&config, transaction, &mut card);
        prop_assert!(outcome.decision != Decision::Approved || outcome.cryptogram.is_some());
    }

    #[test]
    fn a_chip_whose_answers_are_damaged_leads_to_an_end(
        at in prop::collection::vec((0..25_usize, any::<usize>(), 1..=255_u8), 1..4),
        presses in any::<u8>(),
        version in 0..3_usize,
        is_cash in any::<bool>(),
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let applications = [OFFLINE];
        let authorities = authorities();
        let (config, transaction) = if is_cash {
            (Config::cashpoint(&applications, &authorities), withdrawal())
        } else {
            (Config::point_of_sale(&applications, &authorities), purchase())
        };
        let mut card = Damaged { chip: FRESH[version].clone(), number: 0, at };
        let (outcome, _) = scene(presses, data).play(&config, transaction, &mut card);
        prop_assert!(!outcome.needs_reversal || outcome.decision != Decision::Approved);
    }
}

#[test]
fn a_kernel_is_small_enough_for_a_stack() {
    assert!(size_of::<Kernel<'_>>() < 16 * 1024, "{}", size_of::<Kernel<'_>>());
}

#[test]
fn arbitrary_octets_lead_the_fuzz_bodies_to_an_end() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");
    let read = |name: &str| -> Vec<Vec<u8>> {
        let files = std::fs::read_dir(format!("{root}/{name}")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
    };
    type Body = fn(&[u8]);
    let kernel: Body = cekr_emv::terminal::fuzzing::kernel;
    let tlv: Body = cekr_emv::tlv::fuzzing::tlv;
    for (name, body) in [("kernel", kernel), ("tlv", tlv)] {
        for seed in read(name) {
            for _ in 0..200 {
                let mut data = seed.clone();
                for _ in 0..1 + draw() % 4 {
                    let place = draw() as usize % data.len();
                    data[place] = draw() as u8;
                }
                body(&data);
            }
        }
    }
}
