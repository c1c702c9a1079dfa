//! A till around the peer's kernel: its settings, the holder's fingers, and the line to the switch.
//! The kernel selects, reads, authenticates, verifies, weighs and asks for cryptograms itself.

use cekr_emv::oda::development;
use emv::config::{AidsConfig, TerminalConfig, assemble_terminal};
use emv::contact::issuer_script::ScriptTag;
use emv::contact::online_processing::{OnlineAuthorisationOutcome, OnlineAuthorisationResponse};
use emv::contact::terminal::Terminal;
use emv::contact::transaction::TransactionInputs;
use emv::contact::transaction_driver::Transaction;
use emv::contact::transaction_flow::{
    self as flow, HostMediated, PinRequirement, TransactionFlowStep as Step,
};
use emv::core::application_cryptogram_type::ApplicationCryptogramType as Wish;
use emv::core::dol::{Dol, ValueFormat};
use emv::core::generate_ac::{GenerateAcResponse, SignatureRequest};
use emv::core::oda::CaPublicKey;
use emv::core::tag_store::{Source, TagStore};
use emv::core::tags;
use emv::core::tlv::Tlv;
use emv::de::authorisation_response_code::AuthorisationResponseCode;
use emv::de::cryptogram_information_data::ApplicationCryptogramType as Kind;

use crate::issuer::{Answer, CASH, Switch, chip_data};
use crate::reader::Inserted;

type Transact<'t, 'c> = Transaction<'t, &'c mut Inserted, HostMediated>;

/// How a purchase ended, and what the kernel noted.
#[derive(Debug)]
pub struct Ended {
    pub end: End,
    /// Terminal verification results (95) when it was over.
    pub tvr: [u8; 5],
    /// Transaction status information (9B).
    pub tsi: [u8; 2],
    /// Cardholder verification results (9F34).
    pub cvm: Vec<u8>,
    /// DE 39, if the switch was asked.
    pub code: Option<String>,
    /// Scripts that were carried out, each with its result as 9F5B has it.
    pub scripts: Vec<[u8; 5]>,
}

/// The last word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The chip made a TC.
    Approved,
    /// The chip made an AAC, or its signature was wrong.
    Declined,
    /// No application takes part.
    NoApplication,
}

/// What a terminal's settings differ in.
#[derive(Clone, Copy, Debug)]
pub struct Till {
    /// Second and third octet of 9F33: ways to verify the holder, ways to authenticate the card.
    pub capabilities: &'static str,
    /// Whether the issuer's answer is changed on its way.
    pub line: Line,
    pub place: Place,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// A machine in a wall.
    Cashpoint,
    /// A shop with somebody in it.
    Shop,
}

/// The line between till and switch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line {
    /// Brings what was sent.
    Honest,
    /// Says approved whatever was said, and has no proof of it.
    Forging,
    /// Brings nothing.
    Down,
}

impl Till {
    fn terminal(self) -> Terminal {
        let (kind, can, category) = match self.place {
            Place::Cashpoint => ("14", "8000F0A001", "6011"),
            Place::Shop => ("22", "6000F0A001", "5411"),
        };
        let settings = TERMINAL.replace("CAPABILITIES", self.capabilities);
        let settings = settings.replace("KIND", kind).replace("CAN", can);
        let applications = APPLICATIONS.replace("CATEGORY", category);
        let settings = TerminalConfig::parse(&settings).unwrap();
        assemble_terminal(&settings, &AidsConfig::parse(&applications).unwrap()).unwrap()
    }

    /// One purchase, or cash at a cashpoint, from the selection to the last script.
    pub fn sell(self, chip: &mut Inserted, switch: &mut Switch, pin: &[u8], number: u32) -> Ended {
        let terminal = self.terminal();
        let inputs = TransactionInputs {
            amount_authorised: AMOUNT,
            amount_other: 0,
            transaction_currency_code: 978,
            transaction_currency_exponent: 2,
            transaction_date: [0x26, 0x11, 0x23],
            transaction_time: [0x12, 0x00, 0x00],
            transaction_type: if self.place == Place::Cashpoint { CASH } else { 0x00 },
            transaction_sequence_counter: number,
            unpredictable_number: (number ^ 0x5EED_C0DE).to_be_bytes(),
        };
        chip.reset();
        let mut tx = Transaction::new(chip, &terminal, inputs, HostMediated);
        let (mut code, mut online_pin) = (None, None);
        let mut step = flow::start(&mut tx, &authorities(), &[], &[], Some(50)).unwrap();
        let end = loop {
            step = match step {
                Step::CardholderVerification { requirement } => {
                    online_pin = (requirement == PinRequirement::OnlinePin).then_some(pin);
                    flow::submit_pin(&mut tx, &authorities(), Some(50), pin, |padding| {
                        padding.fill(0xA5);
                        true
                    })
                    .unwrap()
                }
                Step::OnlineRequest { first_generate_ac: first } => {
                    let answer = (self.line != Line::Down)
                        .then(|| switch.ask(&tx.ctx, &chip_data(&tx.ctx, &first), online_pin));
                    code = answer.as_ref().map(|got| String::from_utf8_lossy(&got.code).into());
                    self.complete(&mut tx, &first, answer.as_ref())
                }
                Step::Approved { .. } => break End::Approved,
                Step::Declined { .. } => break End::Declined,
                Step::Terminated { .. } => break End::NoApplication,
                Step::SelectApplication { candidates } => panic!("one application: {candidates:?}"),
            };
        };
        Ended {
            end,
            tvr: tx.ctx.tvr.to_bytes(),
            tsi: tx.ctx.tsi.to_bytes(),
            cvm: tx.ctx.tag_store.get(tags::CVM_RESULTS).unwrap_or_default().to_vec(),
            code,
            scripts: tx.ctx.issuer_script_results.iter().map(|result| result.to_bytes()).collect(),
        }
    }

    /// The issuer's answer goes to the chip, and the chip has the last word.
    fn complete(
        self,
        tx: &mut Transact<'_, '_>,
        first: &GenerateAcResponse,
        answer: Option<&Answer>,
    ) -> Step {
        // The kernel stores each signature's number and cryptogram once a transaction: the second
        // signature needs the places of the first.
        tx.ctx.tag_store = without_signature(&tx.ctx.tag_store);
        let Some(answer) = answer else {
            return flow::submit_unable_to_go_online(tx, first).unwrap();
        };
        let mut response = response(answer);
        if self.line == Line::Forging {
            response.authorisation_response_code = AuthorisationResponseCode(*b"00");
            response.issuer_authentication_data = Some(vec![0x5A; 8]);
        }
        let outcome = match &response.authorisation_response_code.0 {
            b"00" => OnlineAuthorisationOutcome::Approved,
            _ => OnlineAuthorisationOutcome::Declined,
        };
        let list = tx.ctx.tag_store.get(tags::CDOL2).unwrap();
        let list = Dol::parse(list).unwrap();
        if list.0.iter().all(|entry| entry.tag != tags::ISSUER_AUTHENTICATION_DATA) {
            return flow::submit_authorisation_response(tx, first, &response, outcome).unwrap();
        }
        self.complete_with_answer(tx, &list, &response, outcome)
    }

    /// As the flow does it, for a card that wants the issuer's answer (91) among the values of the
    /// second GENERATE AC: the flow fills zeros there.
    fn complete_with_answer(
        self,
        tx: &mut Transact<'_, '_>,
        list: &Dol,
        response: &OnlineAuthorisationResponse,
        outcome: OnlineAuthorisationOutcome,
    ) -> Step {
        assert_eq!(tx.online_card_authentication(response).unwrap(), None, "not by a command");
        tx.process_issuer_scripts(&response.issuer_scripts, ScriptTag::BeforeFinalGenerateAc)
            .unwrap();
        let wish = match outcome {
            OnlineAuthorisationOutcome::Approved => Wish::Tc,
            OnlineAuthorisationOutcome::Declined => Wish::Aac,
        };
        let signature = match (&tx.ctx.cda, wish) {
            (Some(_), Wish::Tc) => SignatureRequest::Cda,
            _ => SignatureRequest::None,
        };
        let values = list.build(|tag| {
            use emv::contact::dol_resolve::DolResolveExt as _;
            let entry = list.0.iter().find(|entry| entry.tag == tag)?;
            Some((
                ValueFormat::Other,
                match tag {
                    tags::ISSUER_AUTHENTICATION_DATA => {
                        response.issuer_authentication_data.clone()?
                    }
                    tags::AUTHORISATION_RESPONSE_CODE => {
                        response.authorisation_response_code.0.into()
                    }
                    _ => Dol(vec![*entry]).resolve(&tx.ctx),
                },
            ))
        });
        let second = tx.second_generate_ac(wish, signature, values).unwrap();
        let is_approval = second.cid.cryptogram_type == Kind::Tc;
        if is_approval && signature == SignatureRequest::Cda {
            tx.verify_cda_second_generate_ac(&second).unwrap();
        }
        tx.process_issuer_scripts(&response.issuer_scripts, ScriptTag::AfterFinalGenerateAc)
            .unwrap();
        match is_approval {
            true => Step::Approved { generate_ac: second },
            false => Step::Declined { generate_ac: second },
        }
    }
}

fn response(answer: &Answer) -> OnlineAuthorisationResponse {
    let mut response = OnlineAuthorisationResponse {
        authorisation_response_code: AuthorisationResponseCode(answer.code),
        issuer_authentication_data: None,
        issuer_scripts: vec![],
    };
    for object in Tlv::parse_all(&answer.chip).unwrap() {
        match object.tag() {
            tags::ISSUER_AUTHENTICATION_DATA => {
                response.issuer_authentication_data =
                    object.value().as_primitive().map(<[u8]>::to_vec);
            }
            tags::ISSUER_SCRIPT_TEMPLATE_1 | tags::ISSUER_SCRIPT_TEMPLATE_2 => {
                response.issuer_scripts.push(object);
            }
            other => panic!("an answer has no {other:?}"),
        }
    }
    response
}

fn without_signature(store: &TagStore) -> TagStore {
    let mut kept = TagStore::new();
    for (tag, element) in store.iter() {
        if tag != tags::ICC_DYNAMIC_NUMBER && tag != tags::APPLICATION_CRYPTOGRAM {
            kept.insert_primitive(tag, element.value.clone(), Source::TerminalGenerated).unwrap();
        }
    }
    kept
}

/// The authorities of our test cards, as the kernel keeps them.
fn authorities() -> Vec<CaPublicKey> {
    let known = development::authorities();
    let key = |authority: &cekr_emv::oda::Authority| CaPublicKey {
        rid: authority.rid,
        index: authority.index,
        modulus: authority.key.modulus().to_vec(),
        exponent: authority.key.exponent().to_vec(),
    };
    known.iter().map(key).collect()
}

/// Cents of each transaction.
pub const AMOUNT: u64 = 24_90;

/// A terminal in Slovenia.
const TERMINAL: &str = r#"
ifd_serial_number = "PEERTILL"
terminal_country_code = 705
terminal_type = "KIND"
terminal_capabilities = "E0CAPABILITIES"
additional_terminal_capabilities = "CAN"
"#;

/// Every purchase goes online; the card's own codes say the rest.
const APPLICATIONS: &str = r#"
[defaults]
merchant_category_code = CATEGORY
merchant_identifier = "PEER TERMINAL01"
merchant_name_and_location = "Peer, Kranj"
terminal_identification = "PEER0001"
partial_match_allowed = true
default_ddol = "9F3704"
terminal_floor_limit = 0
tac_denial = "0010000000"
tac_online = "DC4004F800"
tac_default = "DC4000A800"

[[aids]]
aid = "A000000003"
application_version_number = "0096"
"#;
