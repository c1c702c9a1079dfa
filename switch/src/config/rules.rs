//! The settings in the words of those who follow them: the issuer's policy, the journal's sizes.

use cekr_issuer::money::Amount;
use cekr_issuer::policy::{self, Abuse, HoldDays, Limits, Policy};

use super::settings::{
    AbroadScope, CashpointRequires, Config, EcommerceRequires, MacWord, PosRequires,
};
use crate::engine::MacRule;
use crate::journal::{JournalConfig, JournalId};

impl Config {
    /// The rules that the issuer decides by.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let Config { policy, limits, abuse, holds, advantage, .. } = self;
        Policy {
            bins: policy.bins.iter().filter_map(|bin| policy::Bin::parse(bin.as_str())).collect(),
            cashpoint_requires: match policy.cashpoint_requires {
                CashpointRequires::Any => policy::CashpointRequires::Any,
                CashpointRequires::ChipAndPin => policy::CashpointRequires::ChipAndPin,
            },
            pos_requires: policy.pos_requires.into(),
            ecommerce_requires: match policy.ecommerce_requires {
                EcommerceRequires::Confirmation => policy::EcommerceRequires::Confirmation,
                EcommerceRequires::Tick => policy::EcommerceRequires::Tick,
            },
            abroad_scope: policy.abroad_scope.into(),
            cashback_fee: policy.cashback_fee,
            limits: Limits {
                cash_day: Amount::from_minor(limits.cash_day),
                cash_count_day: limits.cash_count_day,
                pos_day: Amount::from_minor(limits.pos_day),
                online_day: Amount::from_minor(limits.online_day),
                contactless_max: Amount::from_minor(limits.contactless_max),
                contactless_sum: Amount::from_minor(limits.contactless_sum),
                contactless_count: limits.contactless_count,
                remote_max: Amount::from_minor(limits.remote_max),
                remote_sum: Amount::from_minor(limits.remote_sum),
                remote_count: limits.remote_count,
                remote_risk_max: Amount::from_minor(limits.remote_risk_max),
                load_day: Amount::from_minor(limits.load_day),
                load_month: Amount::from_minor(limits.load_month),
                balance_max: Amount::from_minor(limits.balance_max),
            },
            abuse: Abuse {
                card_failures: abuse.card_failures,
                bin_failures: abuse.bin_failures,
                terminal_failures: abuse.terminal_failures,
                window_s: abuse.window_s,
                stripe_cap: Amount::from_minor(abuse.stripe_cap),
                dispense_faults: abuse.dispense_faults,
            },
            hold_days: HoldDays {
                ecommerce: holds.ecommerce_days,
                estimated: holds.estimated_days,
                present: holds.present_days,
                cashpoint: holds.cashpoint_days,
            },
            atc_jump_max: if abuse.atc_jump_max == 0 { u16::MAX } else { abuse.atc_jump_max },
            programme: advantage.programme(),
            declines_per_card_hour: policy.declines_per_card_hour,
        }
    }

    /// The sizes of a journal; its id comes from the data directory.
    #[must_use]
    pub fn journal(&self, journal_id: JournalId) -> JournalConfig {
        JournalConfig {
            journal_id,
            shard: 0,
            segment_octets: self.journal.segment_octets,
            queue_max: self.journal.queue_max,
            recent_max: self.journal.recent_max,
            batch_max: self.journal.batch_max,
            reserve_octets: self.journal.reserve_octets,
            spin_us: self.journal.spin_us,
        }
    }
}

impl From<PosRequires> for policy::PosRequires {
    fn from(word: PosRequires) -> Self {
        match word {
            PosRequires::Any => Self::Any,
            PosRequires::Chip => Self::Chip,
        }
    }
}

impl From<MacWord> for MacRule {
    fn from(word: MacWord) -> Self {
        match word {
            MacWord::Off => Self::Off,
            MacWord::Required => Self::Required,
        }
    }
}

impl From<AbroadScope> for policy::AbroadScope {
    fn from(word: AbroadScope) -> Self {
        match word {
            AbroadScope::All => Self::All,
            AbroadScope::CardPresent => Self::CardPresent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_settings_are_the_defaults_of_policy_and_journal() {
        let config = Config::default();
        let expected = Policy { programme: config.advantage.programme(), ..Policy::default() };
        assert_eq!(format!("{:?}", config.policy()), format!("{expected:?}"));
        assert_eq!(config.journal(JournalId::default()), JournalConfig::default());
    }

    #[test]
    fn a_policy_follows_its_settings() {
        let text = "[policy]\nbins = [\"4\", \"51\"]\nabroad_scope = \"card_present\"\n\
                    [limits]\ncash_day = 7\n[holds]\npresent_days = 9\n";
        let policy = Config::parse(text, "test").unwrap().policy();
        assert_eq!(policy.bins.len(), 2);
        assert_eq!(policy.abroad_scope, policy::AbroadScope::CardPresent);
        assert_eq!(policy.limits.cash_day.minor(), 7);
        assert_eq!(policy.hold_days.present, 9);
    }
}
