//! Confirmations of purchases without the card: what the holder agreed to, and what became of it.
//!
//! One record a purchase, known by the transaction id of the access control server, is kept by its
//! card: `Created -> Pending -> Approved -> Sealed -> Consumed | Denied | Expired | Cancelled`.
//! A sealed record stands behind an authentication value (CAVV) and is honoured once: by the shop
//! that the holder saw, in the currency and up to the amount that the holder saw.
//!
//! Sources: Regulation (EU) 2018/389, articles 4 (five failures), 5 (amount and payee bind); Visa's
//! rule that a CAVV is valid for ninety days from the authentication.
//!
//! ```
//! use cekr_issuer::confirmation::NameKey;
//!
//! // A shop's name as the browser knows it, and as a message writes it in 25 characters.
//! assert_eq!(NameKey::of("Knjigarna Čriček, d.o.o."), NameKey::of("KNJIGARNA CRICEK D.O.O.  "));
//! assert_eq!(NameKey::of(" - "), None);
//! ```

use core::fmt;

use cekr_iso8583::{CurrencyCode, MerchantId};

use crate::entry::{NO_MERCHANT, Seq};
use crate::money::Amount;

/// Confirmations of one card that may be open: created, pending or approved.
pub const OPEN_MAX: usize = 5;

/// Sealed confirmations of one card that wait for their purchase; at the bound the oldest is
/// honoured no more.
pub const SEALED_MAX: usize = 32;

/// Confirmations that a card remembers after their end; the oldest is forgotten first.
pub const ENDED_KEPT_MAX: usize = 16;

/// Failed proofs one after the other, after which a card's confirmations are blocked.
pub const FAILURES_MAX: u8 = 5;

/// How long confirmations stay blocked, in milliseconds: a day, unless somebody unblocks them.
pub const BLOCKED_MS: u64 = DAY_MS;

/// How long a created or an approved confirmation waits for its next step, in milliseconds: as long
/// as the conversation with the shop may take.
pub const STEP_MS: u64 = 10 * 60 * 1_000;

/// How long the holder has to answer, in milliseconds.
pub const PENDING_MS: u64 = 300 * 1_000;

/// How long a sealed confirmation is honoured, in milliseconds.
pub const SEALED_MS: u64 = 90 * DAY_MS;

/// The electronic commerce indicator of an authenticated purchase.
pub const ECI_AUTHENTICATED: u8 = 5;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What names a confirmation: the transaction id of the access control server, a UUID that is
/// drawn by who asks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConfirmationId(pub [u8; 16]);

impl ConfirmationId {
    /// Reads a UUID: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let has_dashes = [8, 13, 18, 23].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        if bytes.len() != 36 || !has_dashes {
            return None;
        }
        let mut digits = bytes.iter().filter(|c| **c != b'-').map(|c| char::from(*c).to_digit(16));
        let mut octets = [0; 16];
        for octet in &mut octets {
            let (high, low) = (digits.next()??, digits.next()??);
            *octet = u8::try_from(high << 4 | low).ok()?;
        }
        digits.next().is_none().then_some(Self(octets))
    }
}

impl fmt::Display for ConfirmationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{octet:02x}")?;
        }
        Ok(())
    }
}

/// The number of an authentication (ATN), sixteen packed digits: by it a purchase names the sealed
/// record. It is drawn by the shell. `Debug` shows the last four digits: whoever knows the rest
/// has most of the value that a shop gets.
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct ConfirmationNumber([u8; 8]);

impl ConfirmationNumber {
    /// The number with these packed digits.
    #[must_use]
    pub fn from_packed(octets: [u8; 8]) -> Option<Self> {
        let is_packed = octets.iter().all(|octet| octet >> 4 <= 9 && octet & 0x0F <= 9);
        is_packed.then_some(Self(octets))
    }

    /// The sixteen digits that eight octets of entropy make: their number's last sixteen.
    #[must_use]
    pub fn of_entropy(octets: [u8; 8]) -> Self {
        let mut number = u64::from_be_bytes(octets);
        let mut packed = [0; 8];
        for pair in packed.iter_mut().rev() {
            let two = u8::try_from(number % 100).unwrap_or_default();
            *pair = ((two / 10) << 4) | (two % 10);
            number /= 100;
        }
        Self(packed)
    }

    /// The packed digits.
    #[must_use]
    pub const fn packed(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for ConfirmationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [.., high, low] = self.0;
        write!(f, "************{high:02x}{low:02x}")
    }
}

impl fmt::Debug for ConfirmationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfirmationNumber({self})")
    }
}

/// Who is paid.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Payee {
    /// By the acquirer's number of the shop (`acquirerMerchantID`, DE 42).
    Merchant(MerchantId),
    /// By its name (`merchantName`, DE 43), where the shop told no number.
    Name(NameKey),
}

impl Payee {
    /// The payee of a shop: its number where it has one that DE 42 can tell, else its name; none
    /// where neither tells anything.
    #[must_use]
    pub fn of(merchant_id: &str, name: &str) -> Option<Self> {
        let id = merchant_id.trim();
        let fits =
            (1..=15).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_graphic() || c == b' ');
        if !fits {
            return NameKey::of(name).map(Self::Name);
        }
        let mut octets = [b' '; 15];
        octets.iter_mut().zip(id.bytes()).for_each(|(to, from)| *to = from);
        Some(Self::Merchant(MerchantId::new(octets)))
    }

    /// Whether a purchase at the shop with this DE 42 and this name is at this payee.
    #[must_use]
    pub fn is(&self, merchant: Option<MerchantId>, name: Option<NameKey>) -> bool {
        match self {
            Self::Merchant(own) => {
                let is_told = |merchant: &MerchantId| *merchant != NO_MERCHANT;
                merchant.filter(is_told).is_some_and(|merchant| trimmed(&merchant) == trimmed(own))
            }
            Self::Name(own) => name == Some(*own),
        }
    }
}

fn trimmed(merchant: &MerchantId) -> &[u8] {
    merchant.octets().trim_ascii()
}

/// A shop's name as far as two spellings of it must agree: the first 24 letters and digits of its
/// first 25 characters (those that DE 43 has room for), packed. Nothing is told of it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct NameKey([u8; 16]);

impl NameKey {
    /// The key of a name; none where no letter and no digit is in it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let mut packed = 0_u128;
        let mut left = KEY_CHARACTERS;
        for digit in name.trim().chars().take(NAME_CHARACTERS).filter_map(base_37) {
            if left == 0 {
                break;
            }
            packed = packed * 37 + digit;
            left -= 1;
        }
        (packed > 0).then_some(Self(packed.to_be_bytes()))
    }

    /// The key in octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        self.0
    }

    pub(crate) const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey(..)")
    }
}

/// 37 to the power of 24 is just below 2 to the power of 126.
const KEY_CHARACTERS: u32 = 24;

/// What DE 43 has room for.
const NAME_CHARACTERS: usize = 25;

/// 1 to 36 for digits and letters, whatever their case and their marks; nothing for the rest.
fn base_37(c: char) -> Option<u128> {
    let plain = match c {
        'Á' | 'À' | 'Â' | 'Ä' | 'Ã' | 'Å' | 'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' => 'A',
        'Č' | 'Ć' | 'Ç' | 'č' | 'ć' | 'ç' => 'C',
        'Đ' | 'đ' => 'D',
        'É' | 'È' | 'Ê' | 'Ë' | 'é' | 'è' | 'ê' | 'ë' => 'E',
        'Í' | 'Ì' | 'Î' | 'Ï' | 'í' | 'ì' | 'î' | 'ï' => 'I',
        'Ñ' | 'ñ' => 'N',
        'Ó' | 'Ò' | 'Ô' | 'Ö' | 'Õ' | 'ó' | 'ò' | 'ô' | 'ö' | 'õ' => 'O',
        'Š' | 'š' => 'S',
        'Ú' | 'Ù' | 'Û' | 'Ü' | 'ú' | 'ù' | 'û' | 'ü' => 'U',
        'Ž' | 'ž' => 'Z',
        plain => plain,
    };
    plain.to_digit(36).map(|digit| u128::from(digit) + 1)
}

/// How far a confirmation has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum ConfirmationState {
    /// Asked for; nobody was told yet.
    Created = 1,
    /// The holder was asked.
    Pending = 2,
    /// The holder agreed.
    Approved = 3,
    /// Its value may leave: a purchase is honoured.
    Sealed = 4,
    /// A purchase was honoured.
    Consumed = 5,
    /// The holder refused, or failed too often.
    Denied = 6,
    /// Nobody answered in time, or no purchase came.
    Expired = 7,
    /// The shop gave up, or the holder took it back.
    Cancelled = 8,
}

impl ConfirmationState {
    const ALL: [Self; 8] = [
        Self::Created,
        Self::Pending,
        Self::Approved,
        Self::Sealed,
        Self::Consumed,
        Self::Denied,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Sealed => "sealed",
            Self::Consumed => "consumed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether somebody has still to do something before a value leaves.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Pending | Self::Approved)
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Consumed | Self::Denied | Self::Expired | Self::Cancelled)
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == number)
    }
}

/// How a confirmation ends without a purchase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ConfirmationEnd {
    /// The shop gave up, or the holder took it back: from every state before the purchase.
    Cancelled = 1,
    /// The holder refused: before an approval.
    Denied = 2,
    /// Nobody answered in time: before an approval.
    Expired = 3,
}

impl ConfirmationEnd {
    pub(crate) const ALL: [Self; 3] = [Self::Cancelled, Self::Denied, Self::Expired];

    /// The state that it leads to.
    #[must_use]
    pub const fn state(self) -> ConfirmationState {
        match self {
            Self::Cancelled => ConfirmationState::Cancelled,
            Self::Denied => ConfirmationState::Denied,
            Self::Expired => ConfirmationState::Expired,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|end| *end as u8 == number)
    }
}

/// By what the holder was known: the second octet of the value (Visa's CAVV, usage 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum SecondFactor {
    /// A password that stays.
    StaticPassword = 1,
    /// A code by message.
    MessageCode = 2,
    /// A code of a device.
    DeviceCode = 3,
    /// A code of an app.
    AppCode = 4,
    /// Another code.
    OtherCode = 5,
    /// A question that only the holder can answer.
    Knowledge = 6,
    /// Fingerprint or face, in an app outside the shop's page.
    OutOfBandBiometric = 7,
    /// A sign-in outside the shop's page.
    OutOfBandLogin = 8,
    /// Something else outside the shop's page.
    OutOfBandOther = 9,
    /// Something else.
    Other = 10,
    /// Nothing was asked of the holder.
    Frictionless = 97,
}

impl SecondFactor {
    pub(crate) const ALL: [Self; 11] = [
        Self::StaticPassword,
        Self::MessageCode,
        Self::DeviceCode,
        Self::AppCode,
        Self::OtherCode,
        Self::Knowledge,
        Self::OutOfBandBiometric,
        Self::OutOfBandLogin,
        Self::OutOfBandOther,
        Self::Other,
        Self::Frictionless,
    ];

    /// The two digits in the value.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| factor.number() == number)
    }
}

/// Why a purchase needs no confirmation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exemption {
    /// A fare or parking at a machine that nobody attends.
    Fare = 1,
    /// A small amount, and a small sum since the last confirmation.
    LowValue = 2,
    /// The acquirer has analysed the risk, and the amount is within what that may cover.
    RiskAnalysis = 3,
}

impl Exemption {
    pub(crate) const ALL: [Self; 3] = [Self::Fare, Self::LowValue, Self::RiskAnalysis];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fare => "fare",
            Self::LowValue => "low_value",
            Self::RiskAnalysis => "risk_analysis",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exemption| *exemption as u8 == number)
    }
}

/// A purchase that is to be confirmed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewConfirmation {
    /// What names it.
    pub id: ConfirmationId,
    /// In minor units of the currency.
    pub amount: Amount,
    /// In which it is paid.
    pub currency: CurrencyCode,
    /// Who is paid.
    pub payee: Payee,
}

/// One record: what the holder was, or will be, asked, and how far it has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Confirmation {
    /// What names it.
    pub id: ConfirmationId,
    /// How far it has come.
    pub state: ConfirmationState,
    /// In minor units of the currency: the most that a purchase may ask.
    pub amount: Amount,
    /// In which it is paid.
    pub currency: CurrencyCode,
    /// Who is paid.
    pub payee: Payee,
    /// When it was asked for, ms since 1970.
    pub created_at: u64,
    /// When it falls due where nothing happens before, ms since 1970.
    pub expires_at: u64,
    /// By what the holder was known, as soon as it is sealed.
    pub factor: Option<SecondFactor>,
    /// Why the holder was not asked, where that is so.
    pub exemption: Option<Exemption>,
    /// By what a purchase names it, as soon as it is sealed; zeros before.
    pub number: ConfirmationNumber,
    /// Proofs that failed.
    pub tries: u8,
    /// The entry of the purchase that was honoured, or none.
    pub consumed_by: Seq,
}

impl Confirmation {
    /// The record of what is asked for at `at`, ms since 1970.
    pub(crate) fn asked(new: &NewConfirmation, at: u64) -> Self {
        let NewConfirmation { id, amount, currency, payee } = *new;
        Self {
            id,
            state: ConfirmationState::Created,
            amount,
            currency,
            payee,
            created_at: at,
            expires_at: at.saturating_add(STEP_MS),
            factor: None,
            exemption: None,
            number: ConfirmationNumber::default(),
            tries: 0,
            consumed_by: Seq::NONE,
        }
    }

    /// What it was asked for.
    #[must_use]
    pub const fn purchase(&self) -> NewConfirmation {
        let Self { id, amount, currency, payee, .. } = *self;
        NewConfirmation { id, amount, currency, payee }
    }
}

/// What happened to a confirmation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConfirmationStep {
    /// The holder agreed.
    Approved(ConfirmationId),
    /// It was asked for.
    Asked(NewConfirmation),
    /// It came to its end without a purchase.
    Ended(ConfirmationId, ConfirmationEnd),
    /// A proof failed.
    Failed(ConfirmationId),
    /// The holder was asked.
    Pushed(ConfirmationId),
    /// A purchase is honoured from now on. The whole stands here: where nothing is asked of the
    /// holder, it is the first step as well.
    Sealed(Sealed),
    /// Somebody lets the card's confirmations go on after too many failures.
    Unblocked,
}

/// What a sealed record stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// What was confirmed.
    pub purchase: NewConfirmation,
    /// By what the holder was known.
    pub factor: SecondFactor,
    /// Why the holder was not asked, where that is so.
    pub exemption: Option<Exemption>,
    /// By what a purchase names it.
    pub number: ConfirmationNumber,
}

/// Why a step of a confirmation is not taken; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConfirmationRefused {
    /// Five proofs failed one after the other.
    Blocked {
        /// When the card's confirmations go on, ms since 1970.
        until: u64,
    },
    /// This id names another purchase.
    Differs,
    /// As many are open as may be.
    Full,
    /// Nothing is known by this id.
    NotFound,
    /// It is in this state, from which the step does not lead.
    Wrong(ConfirmationState),
}

impl fmt::Display for ConfirmationRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked { .. } => write!(
                f,
                "{FAILURES_MAX} proofs failed one after the other; the card's confirmations are \
                 blocked for a day"
            ),
            Self::Differs => f.write_str("a confirmation with this id is about another purchase"),
            Self::Full => write!(f, "{OPEN_MAX} confirmations are open; let one come to its end"),
            Self::NotFound => f.write_str("no such confirmation"),
            Self::Wrong(state) => write!(f, "the confirmation is {}", state.name()),
        }
    }
}

impl core::error::Error for ConfirmationRefused {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn payee(id: &str, name: &str) -> Payee {
        Payee::of(id, name).unwrap()
    }

    #[test]
    fn an_id_comes_back_from_its_text_and_nothing_else_is_one() {
        let text = "8a880dc0-d2d2-4067-bcb1-b08d1690b26e";
        let id = ConfirmationId::parse(text).unwrap();
        assert_eq!(alloc::format!("{id}"), text);
        for wrong in [
            "",
            "8a880dc0d2d24067bcb1b08d1690b26e",
            "8a880dc0-d2d2-4067-bcb1-b08d1690b26",
            "8a880dc0-d2d2-4067-bcb1-b08d1690b26g",
            "8a880dc0-d2d2-4067-bcb1b-08d1690b26e",
        ] {
            assert_eq!(ConfirmationId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_shop_with_a_number_is_known_by_it_whatever_its_name() {
        let own = payee("SHOP0001", "Knjigarna");
        let merchant = |text: &[u8; 15]| Some(MerchantId::new(*text));
        assert!(own.is(merchant(b"SHOP0001       "), None));
        assert!(own.is(merchant(b"  SHOP0001     "), NameKey::of("another")));
        assert!(!own.is(merchant(b"SHOP0002       "), NameKey::of("Knjigarna")));
        assert!(!own.is(None, NameKey::of("Knjigarna")));
    }

    #[test]
    fn a_shop_without_a_number_is_known_by_its_name_however_it_is_written() {
        let own = payee("", "Čebelarstvo Žnidaršič & sinovi, s.p.");
        assert!(own.is(None, NameKey::of("CEBELARSTVO ZNIDARSIC & S")));
        assert!(!own.is(None, NameKey::of("CEBELARSTVO ZNIDARSIC & T")));
        assert!(!own.is(None, None));
        // A number that DE 42 has no room for is none.
        assert_eq!(payee("1234567890123456", "a shop"), payee("", "A SHOP"));
        assert_eq!(Payee::of("", "***"), None);
    }

    #[test]
    fn names_that_differ_have_keys_that_differ() {
        let names = ["a", "aa", "0", "00", "0a", "a0", "shop", "shop 1", "shop 11", "1 shop"];
        for (at, one) in names.iter().enumerate() {
            for other in names.iter().skip(at + 1) {
                assert_ne!(NameKey::of(one), NameKey::of(other), "{one}, {other}");
            }
        }
        let long = "Z".repeat(24);
        assert!(NameKey::of(&long).is_some());
        assert_eq!(NameKey::of(&long), NameKey::of(&"Z".repeat(25)));
    }

    #[test]
    fn a_number_has_sixteen_digits_and_shows_four() {
        let number = ConfirmationNumber::of_entropy(91_234_567_890_123_456_u64.to_be_bytes());
        assert_eq!(number.packed(), [0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56]);
        assert_eq!(ConfirmationNumber::from_packed(number.packed()), Some(number));
        assert_eq!(ConfirmationNumber::from_packed([0x1A; 8]), None);
        assert_eq!(alloc::format!("{number}"), "************3456");
    }
}
