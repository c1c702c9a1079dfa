//! The terminal's side of a chip transaction: everything EMV asks of a terminal, without a reader.
//!
//! A [`Kernel`] is a machine of phases. [`step`](Kernel::step) takes what has happened and says
//! what to do next: send a command to the card, have a PIN entered, ask the issuer, show a text. It
//! opens nothing, waits for nothing and allocates nothing; the time, the random numbers and the
//! card's answers come in, so a whole transaction can be played again from them. Whatever a card
//! answers, and however short or wrong, a transaction ends in a defined [`Outcome`] within
//! [`COMMANDS_MAX`] commands.
//!
//! | phase | module | source |
//! |---|---|---|
//! | application selection | `selection` | EMV 4.3 Book 1, section 12; Book B for contactless |
//! | initiation, records | `records` | Book 3, sections 10.1 and 10.2 |
//! | offline data authentication | `authentication` | Book 3, section 10.3; Book 2, sections 5, 6 |
//! | processing restrictions | `restrictions` | Book 3, section 10.4 |
//! | cardholder verification | `cardholder` | Book 3, section 10.5; Book 4, section 6.3.4 |
//! | terminal risk management | `risk` | Book 3, section 10.6 |
//! | action analysis, first cryptogram | `action` | Book 3, sections 10.7 and 10.8 |
//! | issuer, scripts, second cryptogram | `completion` | Book 3, sections 10.9 to 10.11 |
//! | contactless, one cryptogram at once | `contactless` | EMV Contactless Book C-3 |
//!
//! What is not here: magnetic stripes, referrals, batches of offline approvals, and offline
//! approvals at the contactless reader, which always asks the issuer.
//!
//! ```
//! use cekr_emv::terminal::{
//!     Action, Application, Config, Decision, Event, Interface, Kernel, Online, Reason,
//!     Transaction,
//! };
//!
//! let applications = [Application::VISA];
//! let config = Config::cashpoint(&applications, &[]);
//! let mut kernel = Kernel::new(&config);
//! let withdrawal = Transaction {
//!     amount: 50_00,
//!     other: 0,
//!     kind: 0x01,
//!     date: [0x26, 0x11, 0x22],
//!     time: [0x10, 0x15, 0x00],
//!     sequence: 1,
//!     unpredictable_number: [1, 2, 3, 4],
//!     entropy: 5,
//!     interface: Interface::Contact,
//!     online: Online::ByRisk,
//! };
//! // The first command selects the card's directory of applications.
//! let Action::Apdu(select) = kernel.step(Event::Start(withdrawal)) else { panic!("a command") };
//! assert_eq!(&select[5..19], b"1PAY.SYS.DDF01");
//! // A card that says 6A81 is blocked.
//! let action = kernel.step(Event::Response(&[0x6A, 0x81]));
//! let Action::Done(outcome) = action else { panic!("an end") };
//! assert_eq!(outcome.decision, Decision::Terminated(Reason::CardBlocked));
//! ```

mod action;
mod apdu;
mod authentication;
mod cardholder;
mod completion;
mod config;
mod contactless;
pub mod fuzzing;
mod outcome;
mod records;
mod request;
mod restrictions;
mod risk;
mod selection;
mod store;

pub use config::{
    ActionCodes, Application, Choice, Config, ContactlessLimits, Interface, Kind, Matching, Online,
    RandomSelection, Reach, Transaction,
};
pub use outcome::{Cryptogram, Decision, Name, Outcome, Reason, Route, ScriptResults};
pub use request::{PAN_DIGITS_MAX, TRACK2_CHARACTERS_MAX};
pub use selection::{CANDIDATES_MAX, Candidate};

use crate::crypto::rsa::PublicKey;
use crate::data::{CryptogramType, CvmResults, Tsi, Tvr};

use apdu::{Answer, Apdu};
use authentication::Method;
use cardholder::{Verification, VerificationStep};
use completion::{IssuerSaid, ScriptPlace};
use selection::{Candidates, SelectionStep};
use store::{Octets, Store};

/// How many commands one transaction may take.
pub const COMMANDS_MAX: u16 = 300;

/// One transaction with one card.
pub struct Kernel<'c> {
    config: &'c Config<'c>,
    transaction: Transaction,
    phase: Phase,
    outgoing: Apdu,
    commands: u16,
    /// What came before a 61xx; put together with what comes next.
    partial: Octets<PARTIAL_OCTETS_MAX>,
    candidates: Candidates,
    /// The selected application: its place in the configuration, and its name on the card.
    application: usize,
    name: Name,
    label: Name,
    /// The card's objects: of the selection, of the initiation, of the records.
    card: Store<CARD_OCTETS_MAX>,
    /// Where the objects of the records begin.
    records_mark: usize,
    records: records::Reading,
    /// What static signatures cover: `None` once it cannot be told.
    signed: Option<Octets<SIGNED_OCTETS_MAX>>,
    method: Method,
    issuer_key: Option<PublicKey>,
    icc_key: Option<PublicKey>,
    /// The values sent for PDOL, CDOL1 and CDOL2.
    lists: [Octets<LIST_OCTETS_MAX>; 3],
    /// The values sent for DDOL.
    dynamic_values: Octets<LIST_OCTETS_MAX>,
    transaction_hash: Option<[u8; 20]>,
    verification: Verification,
    /// The kind of cryptogram that was asked for last.
    asked: CryptogramType,
    cvm: CvmResults,
    tvr: Tvr,
    tsi: Tsi,
    cryptogram: Option<Cryptogram>,
    issuer: IssuerSaid,
    scripts: ScriptResults,
    route: Route,
    response_code: [u8; 2],
    /// What the card's cryptogram has decided, once it has; what comes after cannot change it.
    decided: Option<Decision>,
    outcome: Option<Outcome>,
}

/// What has happened.
#[derive(Clone, Copy)]
pub enum Event<'e> {
    /// The card was torn out, or is silent. One that was only held to the reader may go once it has
    /// given its cryptogram: then the same is to be done as before.
    CardGone,
    /// The cardholder chose the candidate with this number, the first being 0; `None`: none.
    Chosen(Option<usize>),
    /// The text was shown.
    Displayed,
    /// The issuer has answered, or could not be asked.
    Online(OnlineResult<'e>),
    /// The PIN pad has done, or not, what was asked.
    Pin(PinEntered<'e>),
    /// The card answered: data and status word. Nothing at all counts as a card that is gone.
    Response(&'e [u8]),
    /// Begin.
    Start(Transaction),
}

/// What came of asking the issuer.
#[derive(Clone, Copy)]
pub enum OnlineResult<'e> {
    /// It approved or declined.
    Answered {
        /// What it said.
        decision: IssuerDecision,
        /// DE 39, two ASCII characters; the card sees them as tag 8A.
        response_code: [u8; 2],
        /// DE 55 of the answer: tags 91, 71 and 72, or nothing. What cannot be read is left out.
        chip_data: &'e [u8],
    },
    /// There is no answer, or none that can be believed.
    Unable,
}

/// What an issuer said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IssuerDecision {
    /// Yes.
    Approve,
    /// No.
    Decline,
}

/// What came of asking for a PIN.
#[derive(Clone, Copy)]
pub enum PinEntered<'e> {
    /// The cardholder pressed no digits, or the terminal let them go on without.
    Bypassed,
    /// Enciphered under the chip's key.
    Enciphered(&'e [u8]),
    /// Entered for the issuer; the block goes into the request, never through here.
    OnlineDone,
    /// The PIN pad does not work.
    PadBroken,
    /// A block of format 2.
    Plain([u8; 8]),
}

/// What is to be done; the next event says how it went.
pub enum Action<'k> {
    /// Send this command to the card: [`Event::Response`] or [`Event::CardGone`].
    Apdu(&'k [u8]),
    /// Let the cardholder choose among these: [`Event::Chosen`].
    Choose(&'k [Candidate]),
    /// Show this: [`Event::Displayed`].
    Display(Text),
    /// This is the end. Every further event but [`Event::Start`] gives the same.
    Done(Outcome),
    /// Have a PIN entered: [`Event::Pin`].
    EnterPin(PinRequest<'k>),
    /// Ask the issuer, with [`Kernel::write_de55`] and [`Kernel::track2`]: [`Event::Online`].
    GoOnline,
}

/// How a PIN is wanted.
#[derive(Clone, Copy)]
pub enum PinRequest<'k> {
    /// Enciphered for the chip.
    OfflineEnciphered {
        /// The chip's number, which goes into the block.
        challenge: [u8; 8],
        /// The key under which it is enciphered.
        key: &'k PublicKey,
        /// How many tries are left, if the card tells.
        tries_left: Option<u8>,
    },
    /// As a block of format 2.
    OfflinePlain {
        /// How many tries are left, if the card tells.
        tries_left: Option<u8>,
    },
    /// For the issuer.
    Online,
}

/// What a terminal shows (EMV 4.3 Book 4, section 11.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Text {
    /// The PIN was wrong.
    IncorrectPin,
    /// The PIN was right.
    PinOk,
    /// The application that was chosen does not work; another one may.
    TryAgain,
}

/// The commands that a terminal sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names of the standard say it")]
pub enum Command {
    ExternalAuthenticate,
    GenerateAc,
    GetChallenge,
    GetData,
    GetProcessingOptions,
    InternalAuthenticate,
    ReadRecord,
    Script,
    Select,
    Verify,
}

/// What the machine waits for.
#[derive(Clone, Copy)]
enum Phase {
    Idle,
    Selection(SelectionStep),
    Choosing,
    Displaying(AfterText),
    Initiation,
    Records,
    InternalAuthenticate,
    Verification(VerificationStep),
    Velocity(risk::VelocityStep),
    FirstCryptogram,
    ContactlessPin,
    Online,
    ExternalAuthenticate,
    Script(ScriptPlace),
    SecondCryptogram,
    Done,
}

/// What follows a text.
#[derive(Clone, Copy)]
enum AfterText {
    AskPinAgain,
    NextCandidate,
    PinVerified,
}

/// What a phase wants next, before it becomes an [`Action`].
enum Next {
    Choose,
    Display(Text),
    Done,
    EnterPin,
    GoOnline,
    Send,
}

/// A phase's result: what is next, or why the transaction ends here.
type Stepped = Result<Next, Reason>;

impl<'c> Kernel<'c> {
    /// A machine that waits for [`Event::Start`].
    pub fn new(config: &'c Config<'c>) -> Self {
        Self {
            config,
            transaction: NO_TRANSACTION,
            phase: Phase::Idle,
            outgoing: Apdu::NONE,
            commands: 0,
            partial: Octets::EMPTY,
            candidates: Candidates::NONE,
            application: 0,
            name: Name::EMPTY,
            label: Name::EMPTY,
            card: Store::EMPTY,
            records_mark: 0,
            records: records::Reading::START,
            signed: Some(Octets::EMPTY),
            method: Method::None,
            issuer_key: None,
            icc_key: None,
            lists: [Octets::EMPTY; 3],
            dynamic_values: Octets::EMPTY,
            transaction_hash: None,
            verification: Verification::START,
            asked: CryptogramType::Aac,
            cvm: CvmResults::NONE,
            tvr: Tvr::from_octets([0; 5]),
            tsi: Tsi::from_octets([0; 2]),
            cryptogram: None,
            issuer: IssuerSaid::NOTHING,
            scripts: ScriptResults::NONE,
            route: Route::Offline,
            response_code: [0; 2],
            decided: None,
            outcome: None,
        }
    }

    /// Takes what has happened and says what to do next.
    pub fn step(&mut self, event: Event<'_>) -> Action<'_> {
        // A PIN may stand in the last command.
        self.outgoing.wipe_if_secret();
        let next = match (event, self.phase) {
            (Event::Start(transaction), Phase::Idle | Phase::Done) => {
                *self = Self::new(self.config);
                self.transaction = transaction;
                self.begin()
            }
            (_, Phase::Done) => Ok(Next::Done),
            // A contactless card has done its part with its cryptogram.
            (Event::CardGone, Phase::ContactlessPin) => Ok(Next::EnterPin),
            (Event::CardGone, Phase::Online) if self.is_tap() => Ok(Next::GoOnline),
            (Event::CardGone, _) => Err(Reason::CardGone),
            (Event::Response(octets), _) if self.awaits_answer() => self.receive(octets),
            (Event::Chosen(choice), Phase::Choosing) => self.chosen(choice),
            (Event::Displayed, Phase::Displaying(AfterText::AskPinAgain)) => self.ask_pin_again(),
            (Event::Displayed, Phase::Displaying(AfterText::NextCandidate)) => self.choose(),
            (Event::Displayed, Phase::Displaying(AfterText::PinVerified)) => self.pin_verified(),
            (Event::Pin(entered), Phase::Verification(VerificationStep::Entry)) => {
                self.pin_entered(entered)
            }
            (Event::Pin(entered), Phase::ContactlessPin) => self.contactless_pin_entered(entered),
            (Event::Online(result), Phase::Online) => self.online_done(result),
            // What does not fit the phase is the device's fault.
            _ => Err(Reason::UnexpectedEvent),
        };
        let next = next.unwrap_or_else(|reason| {
            self.note_broken_script();
            self.end(Decision::Terminated(reason))
        });
        self.action(next)
    }

    /// What the phase wants, as the caller sees it.
    fn action(&mut self, next: Next) -> Action<'_> {
        match next {
            Next::Choose => Action::Choose(self.candidates.as_slice()),
            Next::Display(text) => Action::Display(text),
            Next::EnterPin if self.pin_request().is_some() => {
                self.pin_request().map_or(Action::GoOnline, Action::EnterPin)
            }
            Next::EnterPin | Next::Done => Action::Done(self.ended(Reason::UnexpectedEvent)),
            Next::GoOnline => Action::GoOnline,
            Next::Send => Action::Apdu(self.outgoing.octets()),
        }
    }

    /// Whether a command is under way.
    fn awaits_answer(&self) -> bool {
        match self.phase {
            Phase::Selection(_)
            | Phase::Initiation
            | Phase::Records
            | Phase::InternalAuthenticate
            | Phase::Velocity(_)
            | Phase::FirstCryptogram
            | Phase::ExternalAuthenticate
            | Phase::Script(_)
            | Phase::SecondCryptogram => true,
            Phase::Verification(step) => step.awaits_answer(),
            Phase::Idle
            | Phase::Choosing
            | Phase::Displaying(_)
            | Phase::ContactlessPin
            | Phase::Online
            | Phase::Done => false,
        }
    }

    /// Puts an answer together, and gives it to the phase that waits for it.
    fn receive(&mut self, octets: &[u8]) -> Stepped {
        let command = self.outgoing.command;
        if octets.is_empty() {
            return Err(Reason::CardGone);
        }
        let answer = Answer::parse(octets).ok_or(Reason::MalformedAnswer(command))?;
        match answer.status.to_be_bytes() {
            [0x61, len] => {
                let fits = self.partial.extend(answer.data);
                let more = self.outgoing.get_response(len).filter(|_| fits);
                self.send(more.ok_or(Reason::MalformedAnswer(command))?)
            }
            [0x6C, len] if self.outgoing.octets().last() != Some(&len) => {
                let again = self.outgoing.with_expected_len(len);
                self.send(again.ok_or(Reason::MalformedAnswer(command))?)
            }
            _ if self.partial.as_slice().is_empty() => self.answered(answer),
            _ => {
                if !self.partial.extend(answer.data) {
                    return Err(Reason::MalformedAnswer(command));
                }
                let whole = core::mem::replace(&mut self.partial, Octets::EMPTY);
                self.answered(Answer { data: whole.as_slice(), ..answer })
            }
        }
    }

    /// Hands a whole answer to the phase that waits for it.
    fn answered(&mut self, answer: Answer<'_>) -> Stepped {
        match self.phase {
            Phase::Selection(step) => self.selection_answered(step, answer),
            Phase::Initiation => self.initiated(answer),
            Phase::Records => self.record_read(answer),
            Phase::InternalAuthenticate => self.signature_given(answer),
            Phase::Verification(step) => self.verification_answered(step, answer),
            Phase::Velocity(step) => self.counter_read(step, answer),
            Phase::FirstCryptogram => self.first_cryptogram_given(answer),
            Phase::ExternalAuthenticate => self.issuer_authenticated(answer),
            Phase::Script(place) => self.script_answered(place, answer),
            Phase::SecondCryptogram => self.second_cryptogram_given(answer),
            Phase::Idle
            | Phase::Choosing
            | Phase::Displaying(_)
            | Phase::ContactlessPin
            | Phase::Online
            | Phase::Done => Err(Reason::UnexpectedEvent),
        }
    }

    /// Sends a command, unless there were too many.
    fn send(&mut self, apdu: Apdu) -> Stepped {
        self.commands += 1;
        if self.commands > COMMANDS_MAX {
            return Err(Reason::TooManyCommands);
        }
        self.outgoing = apdu;
        Ok(Next::Send)
    }

    /// Sends a command that was just made; one that could not be is too long for its data.
    fn send_made(&mut self, command: Command, apdu: Option<Apdu>) -> Stepped {
        let apdu = apdu.ok_or(Reason::CommandTooLong(command))?;
        self.send(apdu)
    }

    /// Whether the card is held to the reader.
    fn is_tap(&self) -> bool {
        self.transaction.interface == Interface::Contactless
    }

    /// The application's row in the configuration.
    fn row(&self) -> Option<&'c Application<'c>> {
        self.config.applications.get(self.application)
    }
}

impl Drop for Kernel<'_> {
    fn drop(&mut self) {
        // Card number, track and the last command.
        self.card.wipe();
        self.outgoing.wipe();
        self.partial.wipe();
        self.lists.iter_mut().for_each(Octets::wipe);
        if let Some(signed) = &mut self.signed {
            signed.wipe();
        }
    }
}

/// The values of a transaction that has not begun.
const NO_TRANSACTION: Transaction = Transaction {
    amount: 0,
    other: 0,
    kind: 0,
    date: [0; 3],
    time: [0; 3],
    sequence: 0,
    unpredictable_number: [0; 4],
    entropy: 0,
    interface: Interface::Contact,
    online: Online::ByRisk,
};

/// Octets of one answer that came in pieces.
const PARTIAL_OCTETS_MAX: usize = 512;
/// Octets of all of a card's objects.
const CARD_OCTETS_MAX: usize = 4096;
/// Octets that static signatures cover.
const SIGNED_OCTETS_MAX: usize = 2048;
/// Octets of the values for one list.
const LIST_OCTETS_MAX: usize = 255;
