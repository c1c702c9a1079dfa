//! A terminal's kernel with its reader: one chip transaction, from the first command to the last.
//!
//! The kernel ([`cekr_emv::terminal`]) says which command comes next, the reader carries it;
//! between them and the rest of the terminal there are three pauses: a PIN is wanted, the issuer
//! is to be asked, it is over. What a till and a cashpoint can do with a cardholder follows from
//! the place: PINs go to the issuer; a till without a PIN pad takes a signature. Every transaction
//! goes online.
//!
//! Where the issuer's answer brings no chip data, [`IssuerProof`] decides: a real issuer proves
//! itself in tag 91 and the chip refuses an approval without it; a host that does not know chips
//! may be taken at its word, as with terminals that let the card go before the answer is there.

use core::fmt;
use std::sync::LazyLock;

use cekr_emv::crypto::rsa::PublicKey;
use cekr_emv::data::TerminalCapabilities;
use cekr_emv::oda::{Authority, development};
use cekr_emv::terminal::{
    Action, Application, Config, Decision, Event, Interface, IssuerDecision, Kernel, Online,
    OnlineResult, PinEntered, PinRequest, Reach, Reason, TRACK2_CHARACTERS_MAX, Text, Transaction,
};
use cekr_emv::tlv::Writer;

use crate::device::reader::{ANSWER_OCTETS_MAX, ATR_OCTETS_MAX, CardReader};
use crate::form::{ChipData, Entry, PinPad, Tender, Track2};
use crate::moment::Moment;
use crate::outcome::Ending;
use crate::place::Place;
use crate::random::Random;
use crate::reply::Reply;

/// What a transaction is about, as the chip is told it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ask {
    /// Cents, cashback included; 0 where no money is asked for.
    pub amount: u64,
    /// Cents of it in cash back.
    pub cashback: u64,
    /// The first two digits of DE 3, packed: 00 purchase, 01 cash, 09 with cashback, 31 balance.
    pub kind: u8,
    /// How the card is read.
    pub interface: Interface,
}

impl Ask {
    /// What a tender's chip is told; `None` where no chip takes part.
    #[must_use]
    pub fn of(tender: &Tender, kind: u8, amount: u64, cashback: u64) -> Option<Self> {
        let interface = match tender.entry {
            Entry::Chip => Interface::Contact,
            Entry::Contactless => Interface::Contactless,
            Entry::Ecommerce | Entry::Key | Entry::Stripe => return None,
        };
        Some(Self { amount, cashback, kind, interface })
    }
}

/// Where a transaction stands still.
#[derive(Clone, Debug)]
pub enum Pause {
    /// It is over.
    Ended(End),
    /// The issuer is to be asked: [`ChipSession::data`], then [`ChipSession::answered`].
    Online,
    /// A PIN is wanted: [`ChipSession::pin`].
    Pin(PinWanted),
}

/// Which PIN is wanted.
#[derive(Clone, Debug)]
pub enum PinWanted {
    /// Enciphered for the chip: its number and its key.
    Chip([u8; 8], Box<PublicKey>),
    /// For the issuer.
    Issuer,
    /// A kind that no pad of ours lets out: in clear.
    Never,
}

/// What became of a PIN.
#[derive(Clone, Copy, Debug)]
pub enum PinGiven<'p> {
    /// The pad does not work.
    Broken,
    /// The holder went on without.
    Bypassed,
    /// A block for the chip.
    ForChip(&'p [u8]),
    /// A block for the issuer, which travels in the request.
    ForIssuer,
}

/// How a chip transaction ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// What card and terminal decided.
    pub decision: Decision,
    /// Whether what the issuer approved must be taken back.
    pub needs_reversal: bool,
    /// Whether the receipt wants a signature.
    pub wants_signature: bool,
}

/// Who verifies a PIN at a till; at a cashpoint it is the issuer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PinBy {
    /// The chip where it can, else the issuer. The issuer then counts no tries: the chip does.
    ChipFirst,
    /// The issuer.
    #[default]
    Issuer,
}

/// What a terminal makes of an answer without chip data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IssuerProof {
    /// The chip is asked all the same, and refuses.
    Required,
    /// The answer is believed.
    WhereGiven,
}

/// The kernel and the reader of one terminal.
pub struct ChipSession<R> {
    /// The reader.
    pub reader: R,
    config: &'static Config<'static>,
    kernel: Kernel<'static>,
    proof: IssuerProof,
    pad: PinPad,
    pin_by: PinBy,
    is_cashpoint: bool,
    random: Random,
    sequence: u32,
    /// What became of the scripts of the last transaction: its card's next request tells it.
    scripts: Option<Scripts>,
}

/// What became of scripts, and the track 2 of the card that they were for.
struct Scripts {
    track2: Track2,
    results: Vec<u8>,
}

impl<R: CardReader> ChipSession<R> {
    /// A kernel for this place. Its settings are kept for as long as the program runs: places are
    /// few. `seed` decides the unpredictable numbers.
    #[must_use]
    pub fn new(reader: R, place: &Place, pad: PinPad, proof: IssuerProof, seed: u64) -> Self {
        let (random, is_cashpoint) = (Random::new(seed), place.mcc == CASHPOINT_MCC);
        let pin_by = PinBy::Issuer;
        let config = kept(config(place, pad, pin_by));
        let kernel = Kernel::new(config);
        Self {
            reader,
            config,
            kernel,
            proof,
            pad,
            pin_by,
            is_cashpoint,
            random,
            sequence: 0,
            scripts: None,
        }
    }

    /// The same at this place, with PINs verified so.
    #[must_use]
    pub fn with_pin_by(self, place: &Place, pin_by: PinBy) -> Self {
        Self { config: kept(config(place, self.pad, pin_by)), pin_by, ..self }
    }

    /// Moves the terminal: the next transaction happens there.
    pub fn relocate(&mut self, place: &Place) {
        self.config = kept(config(place, self.pad, self.pin_by));
        self.is_cashpoint = place.mcc == CASHPOINT_MCC;
    }

    /// Begins with the card that is at the reader.
    pub fn begin(&mut self, ask: Ask, now: Moment) -> Pause {
        // What was left in the middle is over, whoever left it.
        self.kernel = Kernel::new(self.config);
        if self.reader.power_on(&mut [0; ATR_OCTETS_MAX]).is_err() {
            return Pause::Ended(End::of_reader());
        }
        self.sequence += 1;
        let [a, b, c, d, ..] = self.random.next().to_be_bytes();
        let transaction = Transaction {
            amount: ask.amount,
            other: ask.cashback,
            kind: ask.kind,
            date: now.packed_date(),
            time: now.packed_time(),
            sequence: self.sequence,
            unpredictable_number: [a, b, c, d],
            entropy: self.random.next(),
            interface: ask.interface,
            online: Online::Forced,
        };
        self.run(Event::Start(transaction))
    }

    /// Goes on after a PIN.
    pub fn pin(&mut self, given: PinGiven<'_>) -> Pause {
        self.run(Event::Pin(match given {
            PinGiven::Broken => PinEntered::PadBroken,
            PinGiven::Bypassed => PinEntered::Bypassed,
            PinGiven::ForChip(block) => PinEntered::Enciphered(block),
            PinGiven::ForIssuer => PinEntered::OnlineDone,
        }))
    }

    /// Goes on with the issuer's answer.
    pub fn answered(&mut self, reply: &Reply) -> End {
        // Whoever answered was told.
        self.scripts = None;
        let is_approval = reply.is_approval();
        if reply.chip_data.is_empty() && self.proof == IssuerProof::WhereGiven {
            self.reader.power_off();
            let decision = if is_approval { Decision::Approved } else { Decision::Declined };
            return End { decision, needs_reversal: false, wants_signature: false };
        }
        let decision = if is_approval { IssuerDecision::Approve } else { IssuerDecision::Decline };
        let response_code = reply.response_code.unwrap_or(*b"96");
        let chip_data = &reply.chip_data;
        self.ended(Event::Online(OnlineResult::Answered { decision, response_code, chip_data }))
    }

    /// Goes on without an answer.
    pub fn unanswered(&mut self) -> End {
        self.ended(Event::Online(OnlineResult::Unable))
    }

    /// Gives up, the card goes.
    pub fn abandon(&mut self) {
        self.reader.power_off();
        self.kernel = Kernel::new(self.config);
    }

    /// Goes on until the issuer is to be asked, with the PIN that stands in the tender or without
    /// one, and puts the chip's part of the request into it. `Err` when the card ends it first.
    ///
    /// # Errors
    /// How it ended; nothing was sent.
    pub fn go_online(&mut self, mut pause: Pause, tender: &mut Tender) -> Result<(), End> {
        loop {
            let given = match (pause, &tender.pin) {
                (Pause::Ended(end), _) => return Err(end),
                (Pause::Online, _) => {
                    tender.chip = Some(self.data());
                    return Ok(());
                }
                (Pause::Pin(PinWanted::Issuer), Some(_)) => PinGiven::ForIssuer,
                // No cashpoint goes on without a PIN: one that is told none leaves DE 52 out, and
                // it is the issuer that asks for it.
                (Pause::Pin(PinWanted::Issuer), None) if self.is_cashpoint => PinGiven::ForIssuer,
                (Pause::Pin(_), _) => PinGiven::Bypassed,
            };
            pause = self.pin(given);
        }
    }

    /// The chip's part of the request, while [`Pause::Online`] stands.
    #[must_use]
    pub fn data(&self) -> ChipData {
        let mut room = [0; DE55_OCTETS_MAX];
        let len = self.kernel.write_de55(&mut room).unwrap_or(0);
        let mut data = room.get(..len).unwrap_or_default().to_vec();
        let track2 = self.track2();
        if let Some(scripts) = self.scripts.as_ref().filter(|scripts| scripts.track2 == track2) {
            let mut told = [0; SCRIPT_RESULTS_OCTETS_MAX];
            let mut writer = Writer::new(&mut told);
            if writer.put(SCRIPT_RESULTS, &scripts.results).is_ok() {
                data.extend_from_slice(writer.written());
            }
        }
        ChipData { data, sequence: self.kernel.sequence(), track2 }
    }

    fn track2(&self) -> Track2 {
        let mut track = [0; TRACK2_CHARACTERS_MAX];
        Track2(self.kernel.track2(&mut track).unwrap_or_default().to_vec())
    }

    /// Runs commands until something else is wanted.
    fn run(&mut self, first: Event<'_>) -> Pause {
        let mut answer = [0; ANSWER_OCTETS_MAX];
        let mut todo = Todo::of(&self.kernel.step(first));
        loop {
            todo = match todo {
                Todo::Pause(pause) => {
                    if let Pause::Ended(_) = pause {
                        self.reader.power_off();
                        self.note_scripts();
                    }
                    return pause;
                }
                // One of our cards has one application; of a foreign card the first one is taken.
                Todo::Choose => Todo::of(&self.kernel.step(Event::Chosen(Some(0)))),
                Todo::Displayed => Todo::of(&self.kernel.step(Event::Displayed)),
                Todo::Send(command) => {
                    let event = match self.reader.transmit(&command, &mut answer) {
                        Ok(len) => Event::Response(answer.get(..len).unwrap_or_default()),
                        Err(_) => Event::CardGone,
                    };
                    Todo::of(&self.kernel.step(event))
                }
            };
        }
    }

    fn note_scripts(&mut self) {
        let results = self.kernel.script_results().to_vec();
        if !results.is_empty() {
            self.scripts = Some(Scripts { track2: self.track2(), results });
        }
    }

    /// As [`ChipSession::run`], where nothing but the end can follow.
    fn ended(&mut self, event: Event<'_>) -> End {
        match self.run(event) {
            Pause::Ended(end) => end,
            Pause::Online | Pause::Pin(_) => End::of_reader(),
        }
    }
}

impl End {
    /// How a terminal tells it, when the card has the last word.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        match self.decision {
            Decision::Approved | Decision::Declined => Ending::CardRefused,
            Decision::Terminated(reason) => Ending::CardFault(reason),
        }
    }

    /// The card could not be reached at all.
    const fn of_reader() -> Self {
        let decision = Decision::Terminated(Reason::CardGone);
        Self { decision, needs_reversal: false, wants_signature: false }
    }
}

impl<R> fmt::Debug for ChipSession<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChipSession").field("proof", &self.proof).finish_non_exhaustive()
    }
}

/// What the kernel wants, without what it lends.
enum Todo {
    Choose,
    Displayed,
    Pause(Pause),
    Send(Vec<u8>),
}

impl Todo {
    fn of(action: &Action<'_>) -> Self {
        match action {
            Action::Apdu(command) => Self::Send(command.to_vec()),
            Action::Choose(_) => Self::Choose,
            Action::Display(Text::IncorrectPin | Text::PinOk | Text::TryAgain) => Self::Displayed,
            Action::Done(outcome) => Self::Pause(Pause::Ended(End {
                decision: outcome.decision,
                needs_reversal: outcome.needs_reversal,
                wants_signature: outcome.wants_signature(),
            })),
            Action::EnterPin(PinRequest::OfflineEnciphered { challenge, key, .. }) => {
                Self::Pause(Pause::Pin(PinWanted::Chip(*challenge, Box::new(**key))))
            }
            Action::EnterPin(PinRequest::OfflinePlain { .. }) => {
                Self::Pause(Pause::Pin(PinWanted::Never))
            }
            Action::EnterPin(PinRequest::Online) => Self::Pause(Pause::Pin(PinWanted::Issuer)),
            Action::GoOnline => Self::Pause(Pause::Online),
        }
    }
}

fn kept(config: Config<'static>) -> &'static Config<'static> {
    Box::leak(Box::new(config))
}

/// The kernel's settings for a place.
fn config(place: &Place, pad: PinPad, pin_by: PinBy) -> Config<'static> {
    let base = if place.mcc == CASHPOINT_MCC {
        Config::cashpoint(&APPLICATIONS, &*AUTHORITIES)
    } else {
        // Signature and none, and the PIN where there are keys for it; never in clear.
        let methods = match (pad, pin_by) {
            (PinPad::Absent, _) => 0x28,
            (PinPad::Present, PinBy::Issuer) => 0x68,
            (PinPad::Present, PinBy::ChipFirst) => 0x78,
        };
        Config {
            capabilities: TerminalCapabilities::from_octets([0xE0, methods, 0xC8]),
            reach: Reach::OnlineOnly,
            terminal_type: 0x21,
            ..Config::point_of_sale(&APPLICATIONS, &*AUTHORITIES)
        }
    };
    Config {
        country: place.country_number().map_or([0, 0], packed),
        category: packed(place.mcc),
        serial: place.terminal,
        terminal: place.terminal,
        merchant: place.merchant,
        merchant_name: b"CeKR",
        ..base
    }
}

/// Four digits in two octets.
fn packed(number: u16) -> [u8; 2] {
    let pair = |pair: u16| u8::try_from(pair / 10 % 10 * 16 + pair % 10).unwrap_or(0);
    [pair(number / 100), pair(number)]
}

/// Whose certificates our terminals believe: the published test authorities.
static AUTHORITIES: LazyLock<[Authority; 2]> = LazyLock::new(development::authorities);
/// What our terminals take.
static APPLICATIONS: [Application<'static>; 1] = [Application::VISA];

/// Tag 9C of what our terminals do: DE 3's first two digits, packed.
pub mod kind {
    /// Sale.
    pub const PURCHASE: u8 = 0x00;
    /// Cash.
    pub const CASH: u8 = 0x01;
    /// Sale with cash on top.
    pub const CASHBACK: u8 = 0x09;
    /// How much is there?
    pub const BALANCE: u8 = 0x31;
    /// Another PIN.
    pub const PIN_CHANGE: u8 = 0x92;
}

/// Cash machines, ISO 18245.
const CASHPOINT_MCC: u16 = 6011;
/// What became of scripts (EMV 4.3 Book 4, Annex A5).
const SCRIPT_RESULTS: u32 = 0x9F5B;
/// Its tag and length, and five octets for each of a few scripts.
const SCRIPT_RESULTS_OCTETS_MAX: usize = 4 + 5 * 16;
/// What a request's chip data need at most.
const DE55_OCTETS_MAX: usize = 255;
