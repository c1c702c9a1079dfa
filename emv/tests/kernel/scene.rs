//! Who stands around a kernel: a card, a cardholder with a PIN pad, and an issuer.

use cekr_emv::Pin;
use cekr_emv::crypto::pin_block;
use cekr_emv::oda::{Authority, development, offline_pin};
use cekr_emv::terminal::{
    Action, ActionCodes, Application, Config, Event, Interface, IssuerDecision, Kernel, Online,
    OnlineResult, Outcome, PinEntered, PinRequest, Text, Transaction,
};

/// Whatever answers commands; nothing at all when it is gone.
pub(crate) trait Card {
    fn answer(&mut self, apdu: &[u8]) -> Vec<u8>;
}

/// What the cardholder does at the PIN pad, one entry after the other; the last one again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Press {
    Bypass,
    Digits(&'static str),
    PadBroken,
}

/// What the issuer answers.
#[derive(Clone, Debug)]
pub(crate) enum Issuer {
    Answers(IssuerDecision, [u8; 2], Vec<u8>),
    Silent,
}

/// What went on until the end.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) apdus: Vec<Vec<u8>>,
    pub(crate) texts: Vec<Text>,
    pub(crate) pins: Vec<&'static str>,
    pub(crate) tries_left: Vec<Option<u8>>,
    pub(crate) offered: Vec<usize>,
    /// DE 55 of each request.
    pub(crate) requests: Vec<Vec<u8>>,
}

impl Seen {
    /// How often a command with this instruction was sent.
    pub(crate) fn count(&self, instruction: u8) -> usize {
        self.apdus.iter().filter(|apdu| apdu.get(1) == Some(&instruction)).count()
    }

    /// The parameters P1 of each GENERATE AC.
    pub(crate) fn asked(&self) -> Vec<u8> {
        self.apdus.iter().filter(|apdu| apdu[1] == 0xAE).map(|apdu| apdu[2]).collect()
    }
}

/// People and lines around a kernel.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) presses: Vec<Press>,
    pub(crate) issuer: Issuer,
    /// Which of the offered applications is taken.
    pub(crate) choice: Option<usize>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            presses: vec![Press::Digits("1234")],
            issuer: Issuer::Answers(IssuerDecision::Approve, *b"00", Vec::new()),
            choice: Some(0),
        }
    }
}

impl Scene {
    /// Plays a transaction to its end; `ask_issuer` sees DE 55, and may answer in the place of the
    /// scene's issuer.
    pub(crate) fn play_with(
        &self,
        config: &Config<'_>,
        transaction: Transaction,
        card: &mut dyn Card,
        ask_issuer: &mut dyn FnMut(&[u8]) -> Option<Issuer>,
    ) -> (Outcome, Seen) {
        let mut kernel = Kernel::new(config);
        let mut seen = Seen::default();
        let mut happened = Happened::Start(transaction);
        for _ in 0..2_000 {
            happened = match kernel.step(happened.event()) {
                Action::Apdu(apdu) => {
                    seen.apdus.push(apdu.to_vec());
                    Happened::Response(card.answer(apdu))
                }
                Action::Choose(candidates) => {
                    seen.offered.push(candidates.len());
                    Happened::Chosen(self.choice)
                }
                Action::Display(text) => {
                    seen.texts.push(text);
                    Happened::Displayed
                }
                Action::EnterPin(wanted) => self.enter(wanted, &mut seen),
                Action::GoOnline => {
                    let mut room = [0; 255];
                    let len = kernel.write_de55(&mut room).expect("255 octets are enough");
                    seen.requests.push(room[..len].to_vec());
                    let said = ask_issuer(&room[..len]);
                    Happened::Online(said.unwrap_or_else(|| self.issuer.clone()))
                }
                Action::Done(outcome) => {
                    let Action::Done(again) = kernel.step(Event::Displayed) else {
                        panic!("an end is an end")
                    };
                    assert_eq!(again, outcome);
                    return (outcome, seen);
                }
            };
        }
        panic!("a transaction without an end after {} commands", seen.apdus.len());
    }

    /// Plays a transaction to its end with the scene's own issuer.
    pub(crate) fn play(
        &self,
        config: &Config<'_>,
        transaction: Transaction,
        card: &mut dyn Card,
    ) -> (Outcome, Seen) {
        self.play_with(config, transaction, card, &mut |_| None)
    }

    fn enter(&self, wanted: PinRequest<'_>, seen: &mut Seen) -> Happened {
        let press = self.presses[seen.pins.len().min(self.presses.len() - 1)];
        let (kind, tries_left) = match wanted {
            PinRequest::Online => ("online", None),
            PinRequest::OfflinePlain { tries_left } => ("plain", tries_left),
            PinRequest::OfflineEnciphered { tries_left, .. } => ("enciphered", tries_left),
        };
        seen.pins.push(kind);
        seen.tries_left.push(tries_left);
        match (press, wanted) {
            (Press::Bypass, _) => Happened::Bypassed,
            (Press::PadBroken, _) => Happened::PadBroken,
            (Press::Digits(_), PinRequest::Online) => Happened::OnlinePin,
            (Press::Digits(digits), PinRequest::OfflinePlain { .. }) => {
                Happened::Plain(pin_block::encode_format2(&pin(digits)))
            }
            (Press::Digits(digits), PinRequest::OfflineEnciphered { challenge, key, .. }) => {
                let sealed = offline_pin::encipher(key, &pin(digits), challenge, [0x5A; 248]);
                Happened::Enciphered(sealed.expect("a key").octets().to_vec())
            }
        }
    }
}

/// An event that owns its octets.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    Bypassed,
    Chosen(Option<usize>),
    Displayed,
    Enciphered(Vec<u8>),
    Online(Issuer),
    OnlinePin,
    PadBroken,
    Plain([u8; 8]),
    Response(Vec<u8>),
    Start(Transaction),
}

impl Happened {
    pub(crate) fn event(&self) -> Event<'_> {
        match self {
            Self::Bypassed => Event::Pin(PinEntered::Bypassed),
            Self::Chosen(place) => Event::Chosen(*place),
            Self::Displayed => Event::Displayed,
            Self::Enciphered(block) => Event::Pin(PinEntered::Enciphered(block)),
            Self::Online(Issuer::Silent) => Event::Online(OnlineResult::Unable),
            Self::Online(Issuer::Answers(decision, response_code, chip_data)) => {
                Event::Online(OnlineResult::Answered {
                    decision: *decision,
                    response_code: *response_code,
                    chip_data,
                })
            }
            Self::OnlinePin => Event::Pin(PinEntered::OnlineDone),
            Self::PadBroken => Event::Pin(PinEntered::PadBroken),
            Self::Plain(block) => Event::Pin(PinEntered::Plain(*block)),
            Self::Response(octets) => Event::Response(octets),
            Self::Start(transaction) => Event::Start(*transaction),
        }
    }
}

/// A purchase of 24.90 in Kranj, by contact.
pub(crate) fn purchase() -> Transaction {
    Transaction {
        amount: 24_90,
        other: 0,
        kind: 0x00,
        date: [0x26, 0x11, 0x22],
        time: [0x10, 0x15, 0x00],
        sequence: 42,
        unpredictable_number: [0xC0, 0xDE, 0x00, 0x07],
        entropy: 49,
        interface: Interface::Contact,
        online: Online::ByRisk,
    }
}

/// 50.00 at a cashpoint.
pub(crate) fn withdrawal() -> Transaction {
    Transaction { amount: 50_00, kind: 0x01, ..purchase() }
}

/// The test authorities.
pub(crate) fn authorities() -> [Authority; 2] {
    development::authorities()
}

/// An application that approves small amounts by itself.
pub(crate) const OFFLINE: Application<'static> = Application {
    floor_limit: 100_00,
    action_codes: ActionCodes {
        denial: cekr_emv::data::Tvr::from_octets([0; 5]),
        online: cekr_emv::data::Tvr::from_octets([0xFF; 5]),
        default: cekr_emv::data::Tvr::from_octets([0; 5]),
    },
    ..Application::VISA
};

pub(crate) fn pin(digits: &str) -> Pin {
    Pin::parse(digits.as_bytes()).expect("a PIN")
}
