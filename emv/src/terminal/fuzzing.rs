//! What must hold of the kernel for arbitrary card answers: the body of the fuzz target `kernel`,
//! which tests run as well.

use crate::data::CryptogramType;
use crate::oda::development;

use super::{
    Action, Application, COMMANDS_MAX, Config, Decision, Event, Interface, IssuerDecision, Kernel,
    Online, OnlineResult, Outcome, PAN_DIGITS_MAX, PinEntered, PinRequest, Reach,
    TRACK2_CHARACTERS_MAX, Transaction,
};

/// A transaction whose card answers out of arbitrary octets, each answer preceded by its length.
///
/// The first octet chooses terminal and reader, the second what cardholder and issuer do; when the
/// octets run out, the card is gone. It must end, within the bound on commands, and an approval
/// must have the cryptogram that makes it one.
///
/// # Panics
///
/// Where the kernel breaks one of these promises.
pub fn kernel(data: &[u8]) {
    let [choice, people, answers @ ..] = data else { return };
    let applications = [Application::VISA];
    let authorities = development::authorities();
    let till = Config::point_of_sale(&applications, &authorities);
    let config = match choice % 4 {
        0 => till,
        1 => Config::unattended(&applications, &authorities),
        2 => Config::cashpoint(&applications, &authorities),
        _ => Config { reach: Reach::OfflineOnly, ..till },
    };
    let is_tap = choice & 0x80 != 0;
    let interface = if is_tap { Interface::Contactless } else { Interface::Contact };
    let outcome = play(&config, interface, *people, answers);
    assert!(outcome.is_some(), "a transaction ends");
    let Some(outcome) = outcome else { return };
    let kind = outcome.cryptogram.and_then(|cryptogram| cryptogram.information.cryptogram());
    if outcome.decision == Decision::Approved {
        let expected = if is_tap { CryptogramType::Arqc } else { CryptogramType::Tc };
        assert_eq!(kind, Some(expected), "an approval has its cryptogram");
        assert!(!outcome.needs_reversal, "an approval is not taken back");
    }
}

fn play(
    config: &Config<'_>,
    interface: Interface,
    people: u8,
    mut answers: &[u8],
) -> Option<Outcome> {
    let mut kernel = Kernel::new(config);
    let mut event = Event::Start(Transaction { interface, ..PURCHASE });
    let mut commands = 0;
    // Each command can be followed by a text, a choice or a PIN, and these by one another once.
    for _ in 0..4 * u32::from(COMMANDS_MAX) + 10 {
        event = match kernel.step(event) {
            Action::Apdu(apdu) => {
                assert!((4..=261).contains(&apdu.len()), "a command has its header");
                commands += 1;
                take(&mut answers).map_or(Event::CardGone, Event::Response)
            }
            Action::Choose(candidates) => {
                assert!(!candidates.is_empty(), "nothing to choose from");
                Event::Chosen(Some(usize::from(people % 3)))
            }
            Action::Display(_) => Event::Displayed,
            Action::EnterPin(wanted) => Event::Pin(entered(people, wanted)),
            Action::GoOnline => {
                check_request(&kernel);
                online(people, take(&mut answers).unwrap_or_default())
            }
            Action::Done(outcome) => {
                assert!(commands <= COMMANDS_MAX, "no card gets more commands");
                return Some(outcome);
            }
        };
    }
    None
}

/// What leaves for the issuer can be written, whatever the card gave.
fn check_request(kernel: &Kernel<'_>) {
    let len = kernel.write_de55(&mut [0; 255]);
    assert!(len.is_ok_and(|len| len > 0), "255 octets are enough");
    let digits = kernel.pan(&mut [0; PAN_DIGITS_MAX]).map(<[u8]>::len);
    assert!(digits.is_some_and(|digits| digits >= 12), "a card has a number");
    let _ = kernel.track2(&mut [0; TRACK2_CHARACTERS_MAX]);
}

fn entered(people: u8, wanted: PinRequest<'_>) -> PinEntered<'static> {
    match (people >> 2 & 0x03, wanted) {
        (0, _) => PinEntered::Bypassed,
        (1, _) => PinEntered::PadBroken,
        (_, PinRequest::Online) => PinEntered::OnlineDone,
        (_, PinRequest::OfflinePlain { .. }) => PinEntered::Plain([0x24; 8]),
        (_, PinRequest::OfflineEnciphered { .. }) => PinEntered::Enciphered(&[0x24; 128]),
    }
}

fn online(people: u8, chip_data: &[u8]) -> Event<'_> {
    let decision = match people >> 4 & 0x03 {
        0 => return Event::Online(OnlineResult::Unable),
        1 => IssuerDecision::Decline,
        _ => IssuerDecision::Approve,
    };
    Event::Online(OnlineResult::Answered { decision, response_code: *b"00", chip_data })
}

/// The next octets, preceded by how many they are; `None` when there are no more.
fn take<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = data.split_first()?;
    let (taken, rest) = rest.split_at(usize::from(*len).min(rest.len()));
    *data = rest;
    Some(taken)
}

/// A purchase of 24.90.
const PURCHASE: Transaction = Transaction {
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
};
