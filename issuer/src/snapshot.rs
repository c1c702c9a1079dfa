//! A card's state as octets, for checkpoints: what [`Card::apply`](crate::Card::apply) has made of
//! its entries.
//!
//! [`encode`] and [`decode`] are each other's inverse for every card that entries can make. The
//! first octet is the version of the layout; numbers are little-endian and of fixed length. What
//! stands twice in a card is written once: the open holds are found again among its transactions.
//!
//! ```
//! use cekr_issuer::{Card, snapshot};
//!
//! let mut octets = Vec::new();
//! snapshot::encode(&Card::unknown(), &mut octets);
//! assert_eq!(snapshot::decode(&octets), Ok(Card::unknown()));
//! ```

use alloc::vec::Vec;
use core::fmt;

use cekr_iso8583::{CurrencyCode, MerchantId, Rrn, TerminalId};

use crate::card::Card;
use crate::entry::{Place, Seq, Sum};
use crate::key::RequestKey;
use crate::money::{Amount, Balance};
use crate::time::LocalDate;
use crate::transaction::{Counted, Money, Transaction};

/// The layout that this code writes.
pub const SNAPSHOT_VERSION: u8 = 7;

/// Why octets are no card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SnapshotError {
    /// A field holds what no version of this layout writes.
    BadField,
    /// The octets end within a field, or go on behind the last one.
    BadLength,
    /// Written by a newer version.
    UnknownVersion(u8),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadField => f.write_str("a field of the card's state holds no value of its kind"),
            Self::BadLength => f.write_str("the card's state is not as long as its fields"),
            Self::UnknownVersion(version) => write!(
                f,
                "card state of version {version} was written by a newer cekr; this one reads up \
                 to {SNAPSHOT_VERSION}"
            ),
        }
    }
}

impl core::error::Error for SnapshotError {}

/// Adds the octets of `card` to `out`.
pub fn encode(card: &Card, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.put([SNAPSHOT_VERSION]);
    card.write_state(&mut writer);
}

/// The card that these octets are the state of.
///
/// # Errors
/// [`SnapshotError`].
pub fn decode(octets: &[u8]) -> Result<Card, SnapshotError> {
    let mut reader = Reader(octets);
    let [version] = reader.take()?;
    if version == 0 {
        return Err(SnapshotError::BadField);
    }
    if version > SNAPSHOT_VERSION {
        return Err(SnapshotError::UnknownVersion(version));
    }
    let card = Card::read_state(&mut reader, version)?;
    if reader.0.is_empty() { Ok(card) } else { Err(SnapshotError::BadLength) }
}

/// Puts fields one behind the other.
pub(crate) struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn put<const N: usize>(&mut self, octets: [u8; N]) {
        self.0.extend_from_slice(&octets);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.put(number.to_le_bytes());
    }

    pub(crate) fn small(&mut self, number: u32) {
        self.put(number.to_le_bytes());
    }

    pub(crate) fn amount(&mut self, amount: Amount) {
        self.number(amount.minor());
    }

    pub(crate) fn balance(&mut self, balance: Balance) {
        self.put(balance.minor().to_le_bytes());
    }

    /// As many as there are, then each.
    pub(crate) fn all<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut put: impl FnMut(&mut Self, T),
    ) {
        // The bounds of what a card remembers are far below.
        self.small(u32::try_from(items.len()).unwrap_or(u32::MAX));
        items.for_each(|item| put(self, item));
    }

    pub(crate) fn key(&mut self, key: &RequestKey) {
        self.number(key.acquirer);
        self.put(*key.terminal.octets());
        self.small(key.when);
        self.small(key.stan);
        self.put([key.class]);
    }

    pub(crate) fn transaction(&mut self, transaction: &Transaction) {
        let Transaction {
            seq,
            at,
            date,
            key,
            rrn,
            merchant,
            transaction_amount,
            currency,
            amount,
            billed,
            cash,
            fee,
            amount_left,
            fee_left,
            refunded,
            place,
            sum,
            is_cleared,
            is_faulted,
            unasked,
            money,
        } = transaction;
        self.number(seq.0);
        self.number(*at);
        self.small(date.packed());
        self.key(key);
        self.put(*rrn.octets());
        self.put(*merchant.octets());
        self.put(currency.number().to_le_bytes());
        let amounts =
            [transaction_amount, amount, billed, cash, fee, amount_left, fee_left, refunded];
        amounts.into_iter().for_each(|amount| self.amount(*amount));
        let (sum, first) = match sum {
            Sum::AddsTo(first) => (1, *first),
            Sum::Estimated => (2, Seq::NONE),
            Sum::Exact => (3, Seq::NONE),
        };
        let (money, of) = match money {
            Money::Completed { by } => (1, by.0),
            Money::Held { expires_at } => (2, *expires_at),
            Money::Posted => (3, 0),
            Money::RefundPending { of } => (4, of.0),
            Money::Released => (5, 0),
        };
        self.put([*place as u8, u8::from(*is_cleared), u8::from(*is_faulted), sum, money]);
        self.number(first.0);
        self.number(of);
        let (unasked, epoch) = match unasked {
            None => (0, 0),
            Some(Counted::Contactless { epoch }) => (1, *epoch),
            Some(Counted::Remote { epoch }) => (2, *epoch),
        };
        self.put([unasked]);
        self.put(epoch.to_le_bytes());
    }
}

/// Takes fields one after the other.
pub(crate) struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(SnapshotError::BadLength)?;
        self.0 = rest;
        Ok(*field)
    }

    pub(crate) fn number(&mut self) -> Result<u64, SnapshotError> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn small(&mut self) -> Result<u32, SnapshotError> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, SnapshotError> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(SnapshotError::BadField),
        }
    }

    pub(crate) fn amount(&mut self) -> Result<Amount, SnapshotError> {
        self.number().map(Amount::from_minor)
    }

    pub(crate) fn balance(&mut self) -> Result<Balance, SnapshotError> {
        self.take().map(|octets| Balance::from_minor(i64::from_le_bytes(octets)))
    }

    /// The items that [`Writer::all`] put there. Nothing grows by a number that is only told.
    pub(crate) fn all<T, C: Default + Extend<T>>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Result<T, SnapshotError>,
    ) -> Result<C, SnapshotError> {
        let mut items = C::default();
        for _ in 0..self.small()? {
            items.extend([take(self)?]);
        }
        Ok(items)
    }

    pub(crate) fn key(&mut self) -> Result<RequestKey, SnapshotError> {
        Ok(RequestKey {
            acquirer: self.number()?,
            terminal: TerminalId::new(self.take()?),
            when: self.small()?,
            stan: self.small()?,
            class: self.take().map(|[class]| class)?,
        })
    }

    /// A transaction as layouts of this version have it.
    pub(crate) fn transaction(&mut self, version: u8) -> Result<Transaction, SnapshotError> {
        let seq = Seq(self.number()?);
        let at = self.number()?;
        let date = LocalDate::from_packed(self.small()?);
        let key = self.key()?;
        let rrn = Rrn::new(self.take()?);
        let merchant = MerchantId::new(self.take()?);
        let currency = CurrencyCode::new(u16::from_le_bytes(self.take()?));
        let transaction_amount = self.amount()?;
        let amount = self.amount()?;
        let billed = self.amount()?;
        let cash = self.amount()?;
        let fee = self.amount()?;
        let amount_left = self.amount()?;
        let fee_left = self.amount()?;
        let refunded = self.amount()?;
        let place = Place::from_number(self.take().map(|[place]| place)?);
        let is_cleared = self.flag()?;
        let is_faulted = self.flag()?;
        let [sum, money] = self.take()?;
        let first = Seq(self.number()?);
        let of = self.number()?;
        let (unasked, epoch) = match version {
            ..6 => ([0], 0),
            _ => (self.take()?, u16::from_le_bytes(self.take()?)),
        };
        let unasked = match unasked {
            [0] if epoch == 0 => None,
            [1] => Some(Counted::Contactless { epoch }),
            [2] => Some(Counted::Remote { epoch }),
            [_] => return Err(SnapshotError::BadField),
        };
        let sum = match sum {
            1 => Sum::AddsTo(first),
            2 => Sum::Estimated,
            3 => Sum::Exact,
            _ => return Err(SnapshotError::BadField),
        };
        let money = match money {
            1 => Money::Completed { by: Seq(of) },
            2 => Money::Held { expires_at: of },
            3 => Money::Posted,
            4 => Money::RefundPending { of: Seq(of) },
            5 => Money::Released,
            _ => return Err(SnapshotError::BadField),
        };
        Ok(Transaction {
            seq,
            at,
            date,
            key,
            rrn,
            merchant,
            transaction_amount,
            currency: currency.ok_or(SnapshotError::BadField)?,
            amount,
            billed,
            cash,
            fee,
            amount_left,
            fee_left,
            refunded,
            place: place.ok_or(SnapshotError::BadField)?,
            sum,
            is_cleared,
            is_faulted,
            unasked,
            money,
        })
    }
}
