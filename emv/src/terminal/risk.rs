//! Terminal risk management: floor limit, random selection, velocity, exception file.
//!
//! Source: EMV 4.3 Book 3, section 10.6.

use crate::CardNumber;
use crate::data::{Aip, Tsi, Tvr};
use crate::tlv;

use super::apdu::{Answer, Apdu};
use super::{Command, Kernel, Online, PAN_DIGITS_MAX, Phase, RandomSelection, Stepped};

/// Which counter of the card is read.
#[derive(Clone, Copy)]
pub(super) enum VelocityStep {
    /// The transaction counter (9F36).
    Counter,
    /// Its value at the last online transaction (9F13), with the counter that was read.
    LastOnline(Option<u16>),
}

impl Kernel<'_> {
    /// Weighs the amount and asks the card how long it has been offline.
    pub(super) fn manage_risk(&mut self) -> Stepped {
        if self.transaction.online == Online::Forced {
            self.tvr = self.tvr.with(Tvr::MERCHANT_FORCED_ONLINE);
        }
        let mut digits = [0; PAN_DIGITS_MAX];
        let number = self.pan(&mut digits).and_then(CardNumber::parse);
        if number.is_some_and(|number| self.config.exceptions.contains(&number)) {
            self.tvr = self.tvr.with(Tvr::CARD_ON_EXCEPTION_FILE);
        }
        if !self.profile().has(Aip::TERMINAL_RISK_MANAGEMENT_WANTED) {
            return self.analyse();
        }
        let amount = self.transaction.amount;
        let row = self.row().map(|row| (row.floor_limit, row.random));
        let (floor, random) = row.unwrap_or_default();
        if amount >= floor {
            self.tvr = self.tvr.with(Tvr::TRANSACTION_EXCEEDS_FLOOR_LIMIT);
        } else if random.is_some_and(|random| random.selects(amount, floor, self.percent())) {
            self.tvr = self.tvr.with(Tvr::RANDOMLY_SELECTED);
        }
        self.tsi = self.tsi.with(Tsi::TERMINAL_RISK_MANAGEMENT_PERFORMED);
        if self.limits().is_none() {
            return self.analyse();
        }
        self.phase = Phase::Velocity(VelocityStep::Counter);
        self.send_made(Command::GetData, Apdu::get_data(0x9F36))
    }

    /// The card's limits of consecutive offline transactions: lower (9F14) and upper (9F23).
    fn limits(&self) -> Option<[u16; 2]> {
        match (self.card.value(0x9F14), self.card.value(0x9F23)) {
            (Some([lower]), Some([upper])) => Some([u16::from(*lower), u16::from(*upper)]),
            _ => None,
        }
    }

    /// A number of 1 to 99 from this transaction's entropy.
    fn percent(&self) -> u64 {
        self.transaction.entropy % 99 + 1
    }

    pub(super) fn counter_read(&mut self, step: VelocityStep, answer: Answer<'_>) -> Stepped {
        let read = |tag| {
            let value = tlv::value_of(answer.data, tag).filter(|_| answer.is_done())?;
            Some(u16::from_be_bytes(value.try_into().ok()?))
        };
        match step {
            VelocityStep::Counter => {
                self.phase = Phase::Velocity(VelocityStep::LastOnline(read(0x9F36)));
                self.send_made(Command::GetData, Apdu::get_data(0x9F13))
            }
            VelocityStep::LastOnline(counter) => {
                let last = read(0x9F13);
                self.judge_velocity(counter, last);
                self.analyse()
            }
        }
    }

    fn judge_velocity(&mut self, counter: Option<u16>, last: Option<u16>) {
        let both = Tvr::LOWER_LIMIT_EXCEEDED.with(Tvr::UPPER_LIMIT_EXCEEDED);
        if last == Some(0) {
            self.tvr = self.tvr.with(Tvr::NEW_CARD);
        }
        let since = counter.zip(last).and_then(|(counter, last)| counter.checked_sub(last));
        let found = match (since, self.limits()) {
            // Counters that cannot be read, or do not advance, count as over both.
            (None | Some(0), _) => both,
            (Some(_), None) => Tvr::default(),
            (Some(since), Some([_, upper])) if since > upper => both,
            (Some(since), Some([lower, _])) if since > lower => Tvr::LOWER_LIMIT_EXCEEDED,
            (Some(_), Some(_)) => Tvr::default(),
        };
        self.tvr = self.tvr.with(found);
    }
}

impl RandomSelection {
    /// Whether an amount below the floor limit goes online, with `percent` of 1 to 99 drawn.
    fn selects(self, amount: u64, floor: u64, percent: u64) -> bool {
        let target = u64::from(self.target_percent);
        let Some(above) = amount.checked_sub(self.threshold) else { return percent <= target };
        let growth = u64::from(self.target_percent_max).saturating_sub(target);
        // Amounts have twelve digits and percents two, so nothing can overflow.
        let chance = match floor.checked_sub(self.threshold) {
            None | Some(0) => target,
            Some(range) => target.saturating_add(growth.saturating_mul(above) / range),
        };
        percent <= chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_grows_from_the_threshold_to_the_floor_limit() {
        let random =
            RandomSelection { threshold: 20_00, target_percent: 10, target_percent_max: 60 };
        for (amount, chance) in [(0, 10), (19_99, 10), (20_00, 10), (60_00, 35), (99_99, 59)] {
            let selected = (1..=99).filter(|percent| random.selects(amount, 100_00, *percent));
            assert_eq!(selected.count(), chance, "{amount}");
        }
        assert!(!random.selects(30_00, 20_00, 11), "no range, no growth");
    }
}
