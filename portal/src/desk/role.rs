//! What operators are there for, and the one table that says which role may do what.
//!
//! Nobody has all of it: who moves money does not touch keys, and who looks at everything changes
//! nothing. A new deed gets its line in [`Deed::roles`]; a page or a form asks by its deed and by
//! nothing else.

use serde::{Deserialize, Serialize};

/// What an operator is there for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything and changes nothing.
    Auditor,
    /// Takes cash at a branch.
    Branch,
    /// Money: suspense, statements, clearing, books.
    #[serde(alias = "reconciliation")]
    Finance,
    /// Blocks cards, has chips do things, reads what was changed by whom.
    Security,
    /// Helps holders: their cards, their limits, their way back in.
    Support,
}

impl Role {
    /// Every role, in alphabetical order.
    pub const ALL: [Self; 5] =
        [Self::Auditor, Self::Branch, Self::Finance, Self::Security, Self::Support];

    /// The word in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Branch => "branch",
            Self::Finance => "finance",
            Self::Security => "security",
            Self::Support => "support",
        }
    }

    /// The key of what it is called on a page.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Auditor => "desk-role-auditor",
            Self::Branch => "desk-role-branch",
            Self::Finance => "desk-role-finance",
            Self::Security => "desk-role-security",
            Self::Support => "desk-role-support",
        }
    }
}

/// Something that is done at a desk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    /// Lock a card or report it.
    BlockCard,
    /// Say that parked money is dealt with, or where it belongs.
    HandleParked,
    /// Hand out codes, and let a holder begin anew.
    HelpHolder,
    /// Import bank statements.
    ImportStatements,
    /// Send an event to a webhook again.
    ResendWebhook,
    /// Look at what was changed by whom.
    SeeAudit,
    /// Look at the accounts.
    SeeBooks,
    /// Look at a card and all that happened to it.
    SeeCards,
    /// Look at loads in cash.
    SeeCash,
    /// Look at clearing and at what it parked.
    SeeClearing,
    /// Look at the settings that the process was started with.
    SeeSettings,
    /// Look at statements and suspense.
    SeeSuspense,
    /// Look at traffic as it happens.
    SeeTraffic,
    /// Look at who is told what happens, and what came of it.
    SeeWebhooks,
    /// Have a card's chip do something.
    SendScript,
    /// Change a card's limits.
    SetLimits,
    /// Say where money in suspense belongs.
    SettleSuspense,
    /// Take cash and load it.
    TakeCash,
    /// Unlock a card.
    UnlockCard,
    /// Have a card's chip count PIN tries anew.
    UnblockPin,
}

/// Whether a deed changes something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It does.
    Changes,
    /// It does, and moves money or opens something: the proof of who does it must be fresh.
    ChangesWithProof,
    /// It does not.
    Looks,
}

impl Deed {
    /// Every deed, in alphabetical order.
    pub const ALL: [Self; 20] = [
        Self::BlockCard,
        Self::HandleParked,
        Self::HelpHolder,
        Self::ImportStatements,
        Self::ResendWebhook,
        Self::SeeAudit,
        Self::SeeBooks,
        Self::SeeCards,
        Self::SeeCash,
        Self::SeeClearing,
        Self::SeeSettings,
        Self::SeeSuspense,
        Self::SeeTraffic,
        Self::SeeWebhooks,
        Self::SendScript,
        Self::SetLimits,
        Self::SettleSuspense,
        Self::TakeCash,
        Self::UnlockCard,
        Self::UnblockPin,
    ];

    /// Who may do it.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Auditor, Branch, Finance, Security, Support};
        match self {
            Self::BlockCard | Self::UnblockPin | Self::UnlockCard => &[Security, Support],
            Self::HandleParked | Self::ImportStatements | Self::SettleSuspense => &[Finance],
            Self::HelpHolder | Self::SetLimits => &[Support],
            Self::SeeAudit | Self::SeeSettings => &[Auditor, Security],
            Self::SeeBooks | Self::SeeClearing | Self::SeeSuspense => &[Auditor, Finance],
            Self::SeeCards | Self::SeeTraffic => &[Auditor, Finance, Security, Support],
            Self::ResendWebhook => &[Security, Support],
            Self::SeeCash => &[Auditor, Branch],
            Self::SeeWebhooks => &[Auditor, Security, Support],
            Self::SendScript => &[Security],
            Self::TakeCash => &[Branch],
        }
    }

    /// Whether it changes something, and what that asks for.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            // What protects a card must be quick; what is told again moves nothing.
            Self::BlockCard | Self::ResendWebhook => Kind::Changes,
            Self::HandleParked
            | Self::HelpHolder
            | Self::ImportStatements
            | Self::SendScript
            | Self::SetLimits
            | Self::SettleSuspense
            | Self::TakeCash
            | Self::UnlockCard
            | Self::UnblockPin => Kind::ChangesWithProof,
            Self::SeeAudit
            | Self::SeeBooks
            | Self::SeeCards
            | Self::SeeCash
            | Self::SeeClearing
            | Self::SeeSettings
            | Self::SeeSuspense
            | Self::SeeTraffic
            | Self::SeeWebhooks => Kind::Looks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auditor_looks_at_everything_and_changes_nothing() {
        for deed in Deed::ALL {
            let theirs = deed.roles().contains(&Role::Auditor);
            assert_eq!(theirs, deed.kind() == Kind::Looks, "{deed:?}");
        }
    }

    #[test]
    fn each_deed_is_somebodys_and_each_role_has_one() {
        for deed in Deed::ALL {
            assert!(!deed.roles().is_empty(), "{deed:?}");
        }
        for role in Role::ALL {
            assert!(Deed::ALL.iter().any(|deed| deed.roles().contains(&role)), "{role:?}");
        }
    }

    #[test]
    fn who_moves_money_sends_nothing_to_chips() {
        for role in Role::ALL {
            let may = |deed: Deed| deed.roles().contains(&role);
            let moves = may(Deed::SettleSuspense) || may(Deed::TakeCash) || may(Deed::HandleParked);
            assert!(!(moves && (may(Deed::SendScript) || may(Deed::UnblockPin))), "{role:?}");
        }
    }
}
