//! How a transaction ended, for receipts, JSON lines and reversals.

use cekr_emv::terminal::Reason;
use cekr_iso8583::ResponseCode;
use cekr_iso8583::response::Language;

use crate::form::{self, Cause, Original};
use crate::link::Refusal;
use crate::message::Message;
use crate::reply::Reply;

/// The end of a transaction.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What came of it.
    pub ending: Ending,
    /// Cents that were asked for; 0 where no money was asked for.
    pub asked: u64,
    /// Cents that count: approved, completed or dispensed; 0 after a decline.
    pub amount: u64,
    /// The issuer's fee in cents (DE 8).
    pub fee: u64,
    /// DE 38.
    pub auth_code: Option<[u8; 6]>,
    /// Available cents (DE 54 type 02), when the host told.
    pub available: Option<i64>,
    /// Ledger cents (DE 54 type 01), when the host told.
    pub ledger: Option<i64>,
    /// DE 44: missing ticks and other remarks; empty when there are none.
    pub remark: String,
    /// Notes that came out, in cents; `None` where no cash was to come.
    pub dispensed: Option<u64>,
    /// The request as it went out, for a reversal; `None` when nothing was sent.
    pub sent: Option<Message>,
    /// Why it was taken back at once, if it was.
    pub reversed: Option<Cause>,
    /// From before the write to the answer read, in nanoseconds; 0 until a client fills it in.
    pub round_trip_ns: u64,
}

/// What came of a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The host answered with this code (DE 39); a decline is an answer too.
    Answered([u8; 2]),
    /// The person at the terminal gave up, for instance at the sight of the fee.
    Cancelled,
    /// The card's chip could not be brought to an end.
    CardFault(Reason),
    /// The card's chip refused; what the issuer had approved is being taken back.
    CardRefused,
    /// The machine cannot pay this amount with its notes.
    NoNotes,
    /// The line refused to send it.
    Refused(Refusal),
    /// No answer in time; what could have moved money is being reversed.
    TimedOut,
}

impl Outcome {
    /// An ending without an answer.
    #[must_use]
    pub fn unanswered(ending: Ending, asked: u64, sent: Option<Message>) -> Self {
        Self {
            ending,
            asked,
            amount: 0,
            fee: 0,
            auth_code: None,
            available: None,
            ledger: None,
            remark: String::new(),
            dispensed: None,
            sent,
            reversed: None,
            round_trip_ns: 0,
        }
    }

    /// An ending by the host's answer.
    #[must_use]
    pub fn answered(reply: &Reply, asked: u64, sent: Option<Message>) -> Self {
        let code = reply.response_code.unwrap_or(*b"??");
        let is_approval = ResponseCode::new(code).is_approval();
        Self {
            amount: if is_approval { reply.amount.unwrap_or(asked) } else { 0 },
            fee: reply.fee.filter(|_| is_approval).unwrap_or(0),
            auth_code: reply.auth_code,
            available: reply.available(),
            ledger: reply.ledger(),
            remark: reply.remark.clone(),
            ..Self::unanswered(Ending::Answered(code), asked, sent)
        }
    }

    /// DE 39, when there was an answer.
    #[must_use]
    pub const fn response_code(&self) -> Option<[u8; 2]> {
        match self.ending {
            Ending::Answered(code) => Some(code),
            Ending::Cancelled
            | Ending::CardFault(_)
            | Ending::CardRefused
            | Ending::NoNotes
            | Ending::Refused(_)
            | Ending::TimedOut => None,
        }
    }

    /// The same transaction, on which the card has the last word: nothing came of it.
    #[must_use]
    pub fn refused_by_card(self, ending: Ending) -> Self {
        Self { ending, amount: 0, fee: 0, reversed: Some(Cause::Cancelled), ..self }
    }

    /// DE 39 as text; a dash when there was no answer.
    #[must_use]
    pub fn response_code_text(&self) -> String {
        self.response_code().map_or_else(|| "-".to_owned(), |code| ascii(&code))
    }

    /// True when the host approved it.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.response_code().is_some_and(|code| ResponseCode::new(code).is_approval())
    }

    /// How it ended, in words for a person.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        match (self.ending, language) {
            (Ending::Answered(code), language) => {
                let unknown = match language {
                    Language::En => "Unknown answer",
                    Language::Sl => "Neznan odgovor",
                };
                ResponseCode::new(code).words(language).unwrap_or(unknown).to_owned()
            }
            (Ending::Cancelled, Language::En) => "Cancelled".to_owned(),
            (Ending::Cancelled, Language::Sl) => "Preklicano".to_owned(),
            (Ending::CardFault(Reason::UseContact), Language::En) => "Insert the card".to_owned(),
            (Ending::CardFault(Reason::UseContact), Language::Sl) => "Vstavite kartico".to_owned(),
            (Ending::CardFault(why), Language::En) => format!("Card cannot be used: {why}"),
            (Ending::CardFault(_), Language::Sl) => "Kartice ni mogoče uporabiti".to_owned(),
            (Ending::CardRefused, Language::En) => "Refused by the card".to_owned(),
            (Ending::CardRefused, Language::Sl) => "Kartica je zavrnila".to_owned(),
            (Ending::NoNotes, Language::En) => "No notes for this amount".to_owned(),
            (Ending::NoNotes, Language::Sl) => "Za ta znesek ni bankovcev".to_owned(),
            (Ending::Refused(why), _) => why.to_string(),
            (Ending::TimedOut, Language::En) => "No answer in time".to_owned(),
            (Ending::TimedOut, Language::Sl) => "Odgovora ni bilo pravočasno".to_owned(),
        }
    }

    /// DE 11 of the request.
    #[must_use]
    pub fn stan(&self) -> Option<u32> {
        u32::try_from(self.sent.as_ref()?.as_number(11)?).ok()
    }

    /// DE 37 of the request.
    #[must_use]
    pub fn rrn(&self) -> Option<String> {
        Some(ascii(self.sent.as_ref()?.as_text(37)?))
    }

    /// DE 38 as text.
    #[must_use]
    pub fn auth_code_text(&self) -> Option<String> {
        self.auth_code.map(|code| ascii(&code))
    }

    /// How a completion, a refund or a reversal refers to this transaction.
    #[must_use]
    pub fn original(&self) -> Original {
        let sent = self.sent.as_ref();
        Original {
            sent: sent.and_then(form::sent_of),
            rrn: sent.and_then(|message| message.as_text(37)?.try_into().ok()),
            auth_code: self.auth_code,
        }
    }
}

fn ascii(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).trim_end().to_owned()
}
