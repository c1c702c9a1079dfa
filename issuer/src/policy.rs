//! The settings of the decision, with their units and defaults; the shell fills them from its file.

use alloc::vec;
use alloc::vec::Vec;

use cekr_iso8583::Pan;

use crate::money::Amount;
use crate::points::Programme;

/// Everything that may be set about the decision.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The ranges of card numbers that are ours.
    pub bins: Vec<Bin>,
    /// What a withdrawal must bring.
    pub cashpoint_requires: CashpointRequires,
    /// What a purchase in a shop must bring.
    pub pos_requires: PosRequires,
    /// What a purchase in a web shop must bring.
    pub ecommerce_requires: EcommerceRequires,
    /// Which foreign purchases need the ABROAD tick.
    pub abroad_scope: AbroadScope,
    /// Whether the cash part of a purchase with cashback costs the cashpoint fee.
    pub cashback_fee: bool,
    /// Daily and monthly limits.
    pub limits: Limits,
    /// Bounds on abuse.
    pub abuse: Abuse,
    /// How long a hold lives, by what made it.
    pub hold_days: HoldDays,
    /// How far ahead of its last counter a chip may be; the largest number is no bound.
    pub atc_jump_max: u16,
    /// Who is enrolled in the advantage programme. No decision reads it.
    pub programme: Programme,
    /// How many declines of one card are entries of their own within an hour.
    pub declines_per_card_hour: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            bins: vec![Bin { prefix: 476_173, digits: 6 }],
            cashpoint_requires: CashpointRequires::ChipAndPin,
            pos_requires: PosRequires::Any,
            ecommerce_requires: EcommerceRequires::Confirmation,
            abroad_scope: AbroadScope::All,
            cashback_fee: false,
            limits: Limits::default(),
            abuse: Abuse::default(),
            hold_days: HoldDays::default(),
            atc_jump_max: u16::MAX,
            programme: Programme::default(),
            declines_per_card_hour: 1_000,
        }
    }
}

impl Policy {
    /// Whether `pan` lies in one of our ranges.
    #[must_use]
    pub fn is_ours(&self, pan: Pan) -> bool {
        self.bins.iter().any(|bin| bin.holds(pan))
    }
}

/// A range of card numbers: those that begin with these digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bin {
    /// The leading digits as a number.
    pub prefix: u64,
    /// How many they are, 1 to 12.
    pub digits: u8,
}

impl Bin {
    /// Reads `476173`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let in_bounds = (1..=12).contains(&text.len()) && !text.starts_with('0');
        if !in_bounds || !text.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        Some(Self { prefix: text.parse().ok()?, digits: u8::try_from(text.len()).ok()? })
    }

    /// Whether `pan` begins with these digits.
    #[must_use]
    pub fn holds(self, pan: Pan) -> bool {
        pan.bin(usize::from(self.digits)) == self.prefix
    }
}

/// What a withdrawal must bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CashpointRequires {
    /// Whatever comes is judged, nothing must.
    Any,
    /// A chip's cryptogram and a PIN.
    ChipAndPin,
}

/// What a purchase in a shop must bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PosRequires {
    /// Whatever comes is judged, nothing must.
    Any,
    /// A chip's cryptogram.
    Chip,
}

/// What a purchase in a web shop must bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EcommerceRequires {
    /// The holder's confirmation, or an exemption.
    Confirmation,
    /// The ONLINE tick alone.
    Tick,
}

/// Which foreign purchases need the ABROAD tick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AbroadScope {
    /// All of them.
    All,
    /// Only those with the card present.
    CardPresent,
}

/// Limits in cents without fees, or counts; zero switches one off.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Cash a day.
    pub cash_day: Amount,
    /// Withdrawals a day.
    pub cash_count_day: u32,
    /// Purchases in shops a day.
    pub pos_day: Amount,
    /// Purchases without the card a day.
    pub online_day: Amount,
    /// One purchase over the air without a PIN.
    pub contactless_max: Amount,
    /// All such purchases since the last PIN.
    pub contactless_sum: Amount,
    /// How many such purchases.
    pub contactless_count: u32,
    /// One purchase without the card and without a confirmation; zero lets none be.
    pub remote_max: Amount,
    /// All such purchases since the last confirmation.
    pub remote_sum: Amount,
    /// How many such purchases.
    pub remote_count: u32,
    /// One purchase without the card whose acquirer claims to have analysed the risk; zero takes no
    /// such claim.
    pub remote_risk_max: Amount,
    /// Loads a day.
    pub load_day: Amount,
    /// Loads a month.
    pub load_month: Amount,
    /// The highest balance that a load may reach.
    pub balance_max: Amount,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cash_day: Amount::from_minor(1_000_00),
            cash_count_day: 3,
            pos_day: Amount::from_minor(2_000_00),
            online_day: Amount::from_minor(1_000_00),
            contactless_max: Amount::from_minor(50_00),
            contactless_sum: Amount::from_minor(150_00),
            contactless_count: 0,
            remote_max: Amount::from_minor(30_00),
            remote_sum: Amount::from_minor(100_00),
            remote_count: 0,
            remote_risk_max: Amount::from_minor(100_00),
            load_day: Amount::from_minor(1_000_00),
            load_month: Amount::from_minor(5_000_00),
            balance_max: Amount::from_minor(5_000_00),
        }
    }
}

/// Bounds on abuse; zero switches one off.
#[derive(Clone, Copy, Debug)]
pub struct Abuse {
    /// Failures of one card within the window.
    pub card_failures: u32,
    /// Failures within one range of cards, whatever the merchant.
    pub bin_failures: u32,
    /// Failures at one terminal.
    pub terminal_failures: u32,
    /// The window, in seconds.
    pub window_s: u32,
    /// The most that a stripe fallback may ask for, in cents.
    pub stripe_cap: Amount,
    /// Dispense faults of one card in 30 days from which reversals are parked.
    pub dispense_faults: u32,
}

impl Default for Abuse {
    fn default() -> Self {
        Self {
            card_failures: 10,
            bin_failures: 1_000,
            terminal_failures: 100,
            window_s: 600,
            stripe_cap: Amount::from_minor(50_00),
            dispense_faults: 3,
        }
    }
}

/// The life of a hold in days, by what made it.
#[derive(Clone, Copy, Debug)]
pub struct HoldDays {
    /// A purchase in a web shop.
    pub ecommerce: u32,
    /// An estimated amount (DE 25 = 06).
    pub estimated: u32,
    /// A purchase with the card present, or begun by the merchant.
    pub present: u32,
    /// A withdrawal.
    pub cashpoint: u32,
}

impl Default for HoldDays {
    fn default() -> Self {
        Self { ecommerce: 10, estimated: 30, present: 5, cashpoint: 2 }
    }
}
