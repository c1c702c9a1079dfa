//! Messages that are about no money: links, acquirers' totals, the file of hot cards.

use cekr_iso8583::View;
use cekr_issuer::{
    About, Desk, Entry, Fact, FileAction, Network, NetworkAsk, Now, Reason, Reconciliation,
    RequestKey, Seq,
};

use super::{Engine, Forgotten, Given, Link, Tally, Ticket, Told};
use crate::hsm::ExchangeError;
use crate::journal::Full;

impl Engine {
    /// 08xx: nothing but a cutover leaves a trace.
    pub(super) fn manage_link(
        &self,
        network: &Network,
        (link, view): (&Link, &View<'_>),
        now: Now,
        tally: &mut Tally,
    ) -> Given {
        match network.ask {
            NetworkAsk::KeyExchange => self.take_key(link, view),
            NetworkAsk::Cutover => self.at_links(&network.key, now, tally, || network.cut_over()),
            NetworkAsk::Echo | NetworkAsk::SignOff | NetworkAsk::SignOn => {
                Given::now(Reason::Approved.into())
            }
        }
    }

    /// 0800 with 101 or 161: DE 120 is a key block, and behind it, where the sender wants to be
    /// sure, the key's check value in six digits. It lasts until the switch stops.
    fn take_key(&self, link: &Link, view: &View<'_>) -> Given {
        let Some(text) = view.field(120).and_then(|field| field.ascii()) else {
            return Given::now(Reason::FormatError.into());
        };
        // A block says its own length in its second to fifth character (X9.143).
        let len = text.get(1..5).and_then(|digits| std::str::from_utf8(digits).ok());
        let len = len.and_then(|digits| digits.parse::<usize>().ok());
        let Some((block, told)) = len.and_then(|len| text.split_at_checked(len)) else {
            return Given::now(Reason::KeyRefused.into());
        };
        match self.shard.hsm().import_key(link.id, block, told) {
            Ok(kcv) => Given { told: Told::KeyTaken(kcv), ticket: Ticket::Now, place: None },
            Err(ExchangeError::Unavailable(_)) => Given::now(Reason::Internal.into()),
            Err(ExchangeError::Block(_) | ExchangeError::CheckValue) => {
                Given::now(Reason::KeyRefused.into())
            }
        }
    }

    /// 05xx: the acquirer's totals against ours, over all entries up to now.
    pub(super) fn reconcile(&self, ask: &Reconciliation, now: Now, tally: &mut Tally) -> Given {
        self.at_links(&ask.key, now, tally, || ask.fact(self.shard.totals(ask.key.acquirer)))
    }

    /// Answers a message about a link, once.
    fn at_links(
        &self,
        key: &RequestKey,
        now: Now,
        tally: &mut Tally,
        fact: impl FnOnce() -> Fact,
    ) -> Given {
        let desks = self.shard.desks();
        let mut desk = desks.lock(Desk::Links);
        self.once(key, About::Desk(Desk::Links), now, tally, || {
            self.shard.commit_desk(Desk::Links, &mut desk, now, fact())
        })
    }

    /// 0302: a card is reported, or asked for.
    pub(super) fn act_on_file(&self, action: &FileAction, now: Now, tally: &mut Tally) -> Given {
        let Some(cell) = action.pan.ok().and_then(|pan| self.shard.cards().find(pan)) else {
            return Given::now(Reason::NoRecord.into());
        };
        let mut card = cell.lock();
        self.once(&action.key, About::Card(card.id()), now, tally, || {
            let entry = super::entry_of(&card, now, action.fact(&card));
            self.shard.commit(cell, &mut card, &entry).map(|seq| (seq, entry))
        })
    }

    /// Answers with what stands under `key`, or with the entry that `commit` makes; what it is
    /// about is locked by the caller.
    fn once(
        &self,
        key: &RequestKey,
        about: About,
        now: Now,
        tally: &mut Tally,
        commit: impl FnOnce() -> Result<(Seq, Entry), Full>,
    ) -> Given {
        let answers = self.shard.answers();
        let Some(mut held) = answers.hold(answers.mark(key)) else {
            return Given::now(Reason::Internal.into());
        };
        match self.entry_of(key, &held) {
            Ok(Some((seq, entry))) if entry.about == about => {
                tally.repeats += 1;
                return given(seq, &entry);
            }
            Ok(Some(_)) => return Given::now(Reason::KeyReused.into()),
            Err(Forgotten) => return Given::now(Reason::TryLater.into()),
            Ok(None) => {}
        }
        if !held.has_room(now.unix_ms) {
            return Given::now(Reason::TryLater.into());
        }
        let Ok((seq, entry)) = commit() else {
            return Given::now(Reason::TryLater.into());
        };
        held.remember(seq, now.unix_ms);
        given(seq, &entry)
    }
}

/// The answer that stands in an entry about no money.
fn given(seq: Seq, entry: &Entry) -> Given {
    let told = match (&entry.fact, entry.answered()) {
        (Fact::Reconciled(reconciled), _) => Told::Totals(Box::new(*reconciled)),
        (_, Some(answered)) => Told::Answer(answered.reason.into()),
        (_, None) => Told::Answer(Reason::Internal.into()),
    };
    Given { told, ticket: Ticket::After(seq), place: None }
}
