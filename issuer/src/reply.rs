//! The reply: what was decided, written into a copy of what the terminal sent.
//!
//! Elements that a terminal matches its reply by are copied octet for octet; added are the
//! response code (DE 39) and, where they apply, the fee (8), the approval code (38), the missing
//! ticks (44), the balances (54) and a partially approved amount (4).

use cekr_iso8583::FieldSet;
use cekr_iso8583::View;
use cekr_iso8583::{AuthCode, Mti};
use cekr_iso8583::{WriteError, Writer};

use crate::channel::Channels;
use crate::decide::{Decision, Decline, Effect};
use crate::entry::{Answered, Entry, Fact, Seq};
use crate::money::{Amount, Balance};
use crate::proof::ChipSeen;
use crate::reason::{Reason, missing_ticks};

/// What a reply says beyond the echo of its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Why, and with it DE 39.
    pub reason: Reason,
    /// DE 4, where less than asked was approved.
    pub approved: Option<Amount>,
    /// DE 8, in cents.
    pub fee: Option<Amount>,
    /// DE 38.
    pub auth_code: Option<AuthCode>,
    /// DE 44.
    pub missing: Channels,
    /// DE 54.
    pub amounts: Amounts,
    /// The cryptogram that DE 55 answers.
    pub chip: Option<ChipSeen>,
}

/// What DE 54 tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Amounts {
    /// Nothing.
    None,
    /// What was asked (type 57) and what is available (02), after a partial approval.
    Partial {
        /// What the terminal asked for.
        asked: Amount,
        /// What is available now.
        available: Balance,
    },
    /// The ledger balance (type 01) and what is available (02).
    Balances {
        /// Holds included.
        balance: Balance,
        /// Less holds.
        available: Balance,
    },
}

/// What a reply has besides, made outside the card's lock from the answer and keys.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Extra<'a> {
    /// The value of DE 55: empty where no chip is answered.
    pub chip_data: &'a [u8],
    /// The check value of a key that was taken (DE 120): empty where none was.
    pub check_value: &'a [u8],
    /// The element of the MAC, 64 or 128: zeros are written there, which its maker replaces.
    pub mac: Option<u8>,
}

/// In place of a MAC until it is known: it covers all that stands before it.
pub(crate) const NO_MAC: [u8; 8] = [0; 8];

/// Where working keys travel, and their check values back.
const KEY: u8 = 120;

impl From<Reason> for Answer {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            approved: None,
            fee: None,
            auth_code: None,
            missing: Channels::NONE,
            amounts: Amounts::None,
            chip: None,
        }
    }
}

impl Answer {
    /// The answer that stands in the entry `seq`: the first one and every repeat of it.
    #[must_use]
    pub fn of_entry(seq: Seq, entry: &Entry) -> Option<Self> {
        let answered = entry.answered()?;
        let mut answer = Self::from(answered.reason);
        answer.chip = answered.chip;
        match entry.fact {
            Fact::Authorized(_) => {
                answer.auth_code = Some(auth_code(seq));
                answer.fee = (answered.fee.minor() > 0).then_some(answered.fee);
                if answered.reason == Reason::Partial {
                    answer.approved = Some(answered.amount);
                    answer.amounts = Amounts::Partial {
                        asked: answered.transaction_amount,
                        available: answered.available,
                    };
                }
            }
            Fact::Inquired(_) => {
                answer.auth_code = Some(auth_code(seq));
                if answered.reason == Reason::Approved {
                    answer.amounts = balances(answered);
                }
            }
            Fact::Completed(_) => {
                answer.auth_code = Some(auth_code(seq));
                answer.fee = (answered.fee.minor() > 0).then_some(answered.fee);
            }
            Fact::PinChanged(_) | Fact::RefundPending(_) => {
                answer.auth_code = Some(auth_code(seq));
            }
            Fact::Declined(_) => answer.missing = answered.missing,
            Fact::Cleared(_)
            | Fact::Confirmation(_)
            | Fact::ControlsSet(_)
            | Fact::CutOver(_)
            | Fact::DeclinedElsewhere(_)
            | Fact::DeclinesCounted { .. }
            | Fact::FileActioned(_)
            | Fact::HoldExpired(_)
            | Fact::Issued(_)
            | Fact::LimitsSet(_)
            | Fact::LineParked(_)
            | Fact::LoadTakenBack(_)
            | Fact::Loaded(_)
            | Fact::Parked(_)
            | Fact::PointsExpired(_)
            | Fact::PointsTakenBack(_)
            | Fact::Reconciled(_)
            | Fact::ReversalRemembered(_)
            | Fact::Reversed(_)
            | Fact::ScriptAsked(_)
            | Fact::ScriptSettled(_)
            | Fact::SuspenseAssigned(_)
            | Fact::SuspenseHeld(_)
            | Fact::SuspenseReleased(_) => {}
        }
        Some(answer)
    }

    /// The answer of a decision that makes no entry.
    #[must_use]
    pub fn of_decision(decision: &Decision) -> Self {
        match decision {
            Decision::Approve(Effect::QuoteFee { fee }) => {
                Self { fee: Some(*fee), ..Self::from(Reason::Approved) }
            }
            Decision::Approve(Effect::Remember { reason, .. }) => Self::from(*reason),
            Decision::Approve(
                Effect::Authorize(_)
                | Effect::ChangePin { .. }
                | Effect::Complete(_)
                | Effect::DeclinedElsewhere
                | Effect::Inquire { .. }
                | Effect::Park { .. }
                | Effect::RefundPending { .. }
                | Effect::Reverse(_),
            ) => Self::from(Reason::Approved),
            Decision::Decline(Decline { reason, missing, chip, .. }) => {
                Self { missing: *missing, chip: *chip, ..Self::from(*reason) }
            }
            Decision::Need(_) => Self::from(Reason::Internal),
        }
    }

    /// Writes the reply to the message behind `view`, with what `extra` adds.
    ///
    /// # Errors
    /// When it does not fit `out`.
    pub fn write(
        &self,
        view: &View<'_>,
        mti: Mti,
        extra: Extra<'_>,
        out: &mut [u8],
    ) -> Result<usize, WriteError> {
        let Extra { chip_data, check_value, mac } = extra;
        let mut own = self.elements();
        if !chip_data.is_empty() {
            own = own.with(55);
        }
        if !check_value.is_empty() {
            own = own.with(KEY);
        }
        if let Some(element) = mac {
            own = own.with(element);
        }
        let mut writer = Writer::reply(view, mti, ECHOED.minus(own), own, out)?;
        if let Some(approved) = self.approved {
            writer.number(4, approved.minor())?;
        }
        if let Some(fee) = self.fee {
            writer.number(8, fee.minor())?;
        }
        if let Some(code) = self.auth_code {
            writer.text(38, code.octets())?;
        }
        writer.text(39, &self.reason.response_code())?;
        if !self.missing.is_empty() {
            let mut ticks = [0; 25];
            let len = missing_ticks(self.missing, &mut ticks);
            writer.text(44, ticks.get(..len).unwrap_or_default())?;
        }
        self.write_amounts(view, &mut writer)?;
        if !chip_data.is_empty() {
            writer.octets(55, chip_data)?;
        }
        if !check_value.is_empty() {
            writer.text(KEY, check_value)?;
        }
        if let Some(element) = mac {
            writer.octets(element, &NO_MAC)?;
        }
        writer.finish()
    }

    fn elements(&self) -> FieldSet {
        let mut own = ALWAYS;
        if self.approved.is_some() {
            own = own.with(4);
        }
        if self.fee.is_some() {
            own = own.with(8);
        }
        if self.auth_code.is_some() {
            own = own.with(38);
        }
        if !self.missing.is_empty() {
            own = own.with(44);
        }
        if self.amounts != Amounts::None {
            own = own.with(54);
        }
        own
    }

    fn write_amounts(
        &self,
        view: &View<'_>,
        writer: &mut Writer<'_, '_>,
    ) -> Result<(), WriteError> {
        let [(first_type, first), (second_type, second)] = match self.amounts {
            Amounts::None => return Ok(()),
            Amounts::Partial { asked, available } => {
                [(b"57", Balance::ZERO.plus(asked)), (b"02", available)]
            }
            Amounts::Balances { balance, available } => [(b"01", balance), (b"02", available)],
        };
        // The account type is the one that the terminal asked about, by DE 3.
        let account = view.processing_code().unwrap_or_default().account_from();
        let mut out = [0; 40];
        let (one, two) = out.split_at_mut(20);
        write_amount(one, account, first_type, first);
        write_amount(two, account, second_type, second);
        writer.text(54, &out)
    }
}

/// The approval code (DE 38) of an entry: its number in six letters and digits. Nothing is drawn
/// at random, and within a shard two approvals share a code only two thousand million apart.
#[must_use]
pub fn auth_code(seq: Seq) -> AuthCode {
    const LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut rest = seq.0;
    let mut octets = [b'0'; 6];
    for octet in octets.iter_mut().rev() {
        let digit = usize::try_from(rest % 36).unwrap_or_default();
        *octet = LETTERS.get(digit).copied().unwrap_or(b'0');
        rest /= 36;
    }
    AuthCode::new(octets)
}

/// The entry whose approval code this is, as long as no shard has more entries than there are
/// codes.
#[must_use]
pub fn seq_of(code: AuthCode) -> Option<Seq> {
    let digit = |octet: &u8| char::from(*octet).to_digit(36);
    let number = code.octets().iter().try_fold(0_u64, |sum, octet| {
        (!octet.is_ascii_lowercase()).then_some(())?;
        Some(sum * 36 + u64::from(digit(octet)?))
    })?;
    (number > 0).then_some(Seq(number))
}

const fn balances(answered: &Answered) -> Amounts {
    Amounts::Balances { balance: answered.balance, available: answered.available }
}

/// One part of DE 54: account type, amount type, currency, sign, twelve digits of cents.
fn write_amount(out: &mut [u8], account: u8, amount_type: &[u8; 2], value: Balance) {
    let sign = if value.minor() < 0 { b'D' } else { b'C' };
    let head = [b'0' + account / 10 % 10, b'0' + account % 10];
    let head = head.iter().chain(amount_type).chain(b"978").chain(core::iter::once(&sign));
    let mut rest = value.minor().unsigned_abs();
    for (octet, from) in out.iter_mut().zip(head) {
        *octet = *from;
    }
    for octet in out.iter_mut().skip(8).rev() {
        *octet = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

/// In every reply.
const ALWAYS: FieldSet = FieldSet::of(&[39]);

/// Copied from the request where they are present.
const ECHOED: FieldSet =
    FieldSet::of(&[2, 3, 4, 7, 11, 12, 13, 15, 28, 32, 33, 37, 41, 42, 49, 53, 62, 63, 70]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approval_codes_count_in_letters_and_digits() {
        assert_eq!(auth_code(Seq(1)).octets(), b"000001");
        assert_eq!(auth_code(Seq(36)).octets(), b"000010");
        assert_eq!(auth_code(Seq(36_u64.pow(6) - 1)).octets(), b"ZZZZZZ");
    }

    #[test]
    fn an_amount_of_de_54_has_its_sign_and_twelve_digits() {
        let mut out = [0; 20];
        write_amount(&mut out, 0, b"02", Balance::from_minor(-10_10));
        assert_eq!(&out, b"0002978D000000001010");
    }
}
