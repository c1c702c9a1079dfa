//! The way of a load by card: asks the provider how the payment stands, and does the next step.
//!
//! Whatever happens, a browser that comes back, a notification, a start after a crash or the sweep,
//! there is one thing to do: [`Flow::settle`]. It asks, decides ([`super::state::next`]) and does
//! one step after the other, each of which may be done again: captures, refunds and credits have
//! one effect by their names. The row in the database only says how far it has come; that money is
//! on the card is the journal's to say, by the load's name.

use cekr_issuer::entry::{LoadSource, Reference, TakeBackCause};
use cekr_issuer::policy::Bin;
use cekr_issuer::{Amount, CardId};
use cekr_switch::control::{ControlError, Durable};
use cekr_switch::statements::LoadNamed;
use cekr_switch::sync::Arc;
use tokio::sync::Mutex;

use super::psp::{NewPayment, NoAnswer, Payment, Psp, ReversalCause};
use super::state::{Failure, State, Step, next};
use super::store::{self, CardLoad, Consent, Moved};
use crate::db::Database;

/// What loads by card are made with. Cheap to clone.
#[derive(Clone)]
pub struct Flow {
    durable: Durable,
    database: Database,
    psp: Arc<dyn Psp>,
    /// One step at a time for each load.
    stripes: Arc<[Mutex<()>; STRIPES]>,
}

/// Why a load came no further now; the sweep takes it up again.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The switch takes no changes now.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The provider does not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

impl Flow {
    /// Loads that are paid at `psp`.
    #[must_use]
    pub fn new(durable: Durable, database: Database, psp: Arc<dyn Psp>) -> Flow {
        let stripes = Arc::new(std::array::from_fn(|_| Mutex::new(())));
        Flow { durable, database, psp, stripes }
    }

    /// Opens the payment of an order that was put down, and tells where the payer is to go.
    ///
    /// # Errors
    /// [`FlowError`]: the order stands, and opening it may be tried again.
    pub async fn open(
        &self,
        load: &CardLoad,
        back: String,
        token: Option<String>,
    ) -> Result<String, FlowError> {
        let _turn = self.stripe(&load.id).lock().await;
        let bins = &self.durable.control().policy().bins;
        let refused_bins = bins.iter().map(|bin| bin.prefix.to_string()).collect();
        let order = load.id.clone();
        let new = NewPayment { order, amount: load.amount, back, refused_bins, token };
        self.psp.open(&new).await?;
        Ok(self.psp.page(&load.id))
    }

    /// Where the payer of an order is to go.
    #[must_use]
    pub fn page(&self, id: &str) -> String {
        self.psp.page(id)
    }

    /// Does all that can be done for a load now; `None` for a name that no load has.
    ///
    /// # Errors
    /// [`FlowError`]: it stands where it came to.
    pub async fn settle(&self, id: &str) -> Result<Option<CardLoad>, FlowError> {
        let _turn = self.stripe(id).lock().await;
        let Some(mut load) = store::find(&self.database, id).await? else { return Ok(None) };
        for _ in 0..STEPS_MAX {
            if load.state.is_final() {
                break;
            }
            let payment = self.psp.find(id).await?;
            let step = self.decide(&load, payment.as_ref());
            if step == Step::Wait {
                store::set_due(&self.database, id, self.due_at(load.state)).await?;
                break;
            }
            self.act(&load, payment.as_ref(), step).await?;
            let Some(again) = store::find(&self.database, id).await? else { break };
            load = again;
        }
        Ok(Some(load))
    }

    /// Takes up what is due; tells how many loads came to no end because somebody did not answer.
    ///
    /// # Errors
    /// The database's.
    pub async fn sweep(&self) -> Result<usize, sqlx::Error> {
        let mut stuck = 0;
        for id in store::due(&self.database, self.now_ms()).await? {
            if let Err(error) = self.settle(&id).await {
                stuck += 1;
                tracing::warn!(%error, load = id, "a load by card waits for an answer");
                // Others are taken up first.
                let due_at = self.now_ms().saturating_add(RETRY_MS);
                store::set_due(&self.database, &id, due_at).await?;
            }
        }
        Ok(stuck)
    }

    /// Gives back `cents` of a credited load through the provider, and takes them off the card; the
    /// same `name` once.
    ///
    /// # Errors
    /// [`FlowError`].
    pub async fn refund(
        &self,
        id: &str,
        name: &str,
        cents: u64,
    ) -> Result<Option<CardLoad>, FlowError> {
        {
            let _turn = self.stripe(id).lock().await;
            let Some(load) = store::find(&self.database, id).await? else { return Ok(None) };
            if load.state != State::Credited {
                return Ok(Some(load));
            }
            self.psp.refund(id, name, cents).await?;
        }
        self.settle(id).await
    }

    /// Sweeps until the switch stops.
    pub async fn run(self) {
        let mut stopped = std::pin::pin!(self.durable.stopped());
        loop {
            if let Err(error) = self.sweep().await {
                tracing::error!(%error, "loads by card cannot be read");
            }
            tokio::select! {
                () = &mut stopped => return,
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
        }
    }

    fn decide(&self, load: &CardLoad, payment: Option<&Payment>) -> Step {
        let now = self.durable.now();
        let is_late = self.now_ms().saturating_sub(load.made_at) > EXPIRES_MS;
        let masked = payment.and_then(|payment| payment.means.as_ref()).map(|means| &means.masked);
        let bins = &self.durable.control().policy().bins;
        let is_own = masked.is_some_and(|masked| bins.iter().any(|bin| is_of(*bin, masked)));
        let amount = Amount::from_minor(load.amount);
        let card = self.durable.control().id(&load.card);
        let takes = |card| self.durable.control().takes_load(card, amount, now).is_ok();
        next(&load.known(is_late, is_own, card.is_some_and(takes)), payment)
    }

    async fn act(
        &self,
        load: &CardLoad,
        payment: Option<&Payment>,
        step: Step,
    ) -> Result<(), FlowError> {
        match step {
            Step::Wait => Ok(()),
            Step::Move(to) => self.advance(load, to, load.failure, payment).await,
            Step::Capture => self.psp.capture(&load.id).await.map(|_| ()).map_err(Into::into),
            Step::Cancel(failure) => {
                store::note(&self.database, &load.id, failure).await?;
                self.psp.cancel(&load.id).await.map(|_| ()).map_err(Into::into)
            }
            Step::Credit => self.credit(load, payment).await,
            Step::Return(failure) => self.give_back(load, payment, failure).await,
            Step::TakeBack => self.take_back(load, payment).await,
        }
    }

    async fn credit(&self, load: &CardLoad, payment: Option<&Payment>) -> Result<(), FlowError> {
        let Some((card, reference)) = self.named(load) else {
            return self.give_back(load, payment, Failure::NotTaken).await;
        };
        let amount = Amount::from_minor(load.amount);
        let control = self.durable.control();
        let done = control.load(card, amount, LoadSource::Card, reference, self.durable.now());
        match self.durable.told(done).await {
            Ok(_) => {
                let means = payment.and_then(|payment| payment.means.as_ref());
                if let (Consent::Keep, Some(means)) = (load.consent, means)
                    && !load.holder.is_empty()
                {
                    store::keep(&self.database, &load.id, load, means).await?;
                }
                self.advance(load, State::Credited, None, payment).await
            }
            Err(ControlError::Conflict(_) | ControlError::Limit(_) | ControlError::NotFound) => {
                self.give_back(load, payment, Failure::NotTaken).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives all of a payment back whose money is not on the card and will not be.
    async fn give_back(
        &self,
        load: &CardLoad,
        payment: Option<&Payment>,
        failure: Failure,
    ) -> Result<(), FlowError> {
        store::note(&self.database, &load.id, failure).await?;
        let left = payment.map_or(0, |payment| payment.amount.saturating_sub(payment.returned()));
        let name = format!("{}-return", load.id);
        self.psp.refund(&load.id, &name, left).await.map(|_| ()).map_err(Into::into)
    }

    /// Takes off the card what went back to the payer, at most what was loaded.
    async fn take_back(&self, load: &CardLoad, payment: Option<&Payment>) -> Result<(), FlowError> {
        let mut total = 0_u64;
        let reversals = payment.map_or(&[][..], |payment| &payment.reversals);
        for reversal in reversals {
            let cents = reversal.amount.min(load.amount.saturating_sub(total));
            let (Some((card, of)), Some(name)) = (self.named(load), Reference::new(&reversal.name))
            else {
                break;
            };
            if cents == 0 {
                continue;
            }
            let named = LoadNamed::Reference { card, source: LoadSource::Card, reference: of };
            let cause = match reversal.cause {
                ReversalCause::Chargeback => TakeBackCause::Chargeback,
                ReversalCause::Refund => TakeBackCause::Refund,
            };
            let (amount, now) = (Amount::from_minor(cents), self.durable.now());
            let done = self.durable.control().take_back(named, amount, cause, name, now);
            match self.durable.told(done).await {
                Ok(_) => {}
                // It never was on the card: there is nothing to take off.
                Err(ControlError::NoSuchLoad) if load.state == State::Captured => {}
                Err(error) => return Err(error.into()),
            }
            total = total.saturating_add(cents);
        }
        let whole = payment.is_some_and(|payment| payment.returned() >= payment.amount);
        let total = if whole { load.amount } else { total };
        store::taken_back(&self.database, &load.id, total).await.map_err(Into::into)
    }

    async fn advance(
        &self,
        load: &CardLoad,
        to: State,
        failure: Option<Failure>,
        payment: Option<&Payment>,
    ) -> Result<(), FlowError> {
        let failure = match to {
            // Whatever was to be ended, it was paid.
            State::Authenticating | State::Authorized | State::Captured | State::Credited => None,
            State::ChargedBack | State::Created | State::Refunded => failure,
            State::Expired => Some(Failure::Expired),
            State::Failed => failure.or_else(|| Some(failed(payment))),
        };
        let (now_ms, due_at) = (self.now_ms(), self.due_at(to));
        let moved = Moved { load, to, failure, payment, now_ms, due_at };
        if !store::advance(&self.database, moved).await? {
            tracing::error!(from = load.state.name(), to = to.name(), "a load cannot move so");
        }
        Ok(())
    }

    /// The card, and the load's name in the journal.
    fn named(&self, load: &CardLoad) -> Option<(CardId, Reference)> {
        Some((self.durable.control().id(&load.card)?, Reference::new(&load.id)?))
    }

    /// When a load that came to this state is looked at again.
    fn due_at(&self, state: State) -> i64 {
        let after = match state {
            State::ChargedBack | State::Expired | State::Failed | State::Refunded => {
                return i64::MAX;
            }
            // Chargebacks come by notification; one that was lost is seen within the day.
            State::Credited => DAY_MS,
            State::Authenticating | State::Authorized | State::Captured | State::Created => {
                RETRY_MS
            }
        };
        self.now_ms().saturating_add(after)
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.durable.now().unix_ms).unwrap_or(i64::MAX)
    }

    fn stripe(&self, id: &str) -> &Mutex<()> {
        let sum = id
            .bytes()
            .fold(0_usize, |sum, octet| sum.wrapping_mul(31).wrapping_add(usize::from(octet)));
        let [first, rest @ ..] = &*self.stripes;
        rest.get(sum % STRIPES).unwrap_or(first)
    }
}

/// What an ended payment is called that nobody here ended.
fn failed(payment: Option<&Payment>) -> Failure {
    use super::psp::PaymentStatus;
    match payment.map(|payment| payment.status) {
        Some(PaymentStatus::Declined) => Failure::Declined,
        Some(
            PaymentStatus::Authenticating
            | PaymentStatus::Authorized
            | PaymentStatus::Cancelled
            | PaymentStatus::Captured
            | PaymentStatus::Open,
        )
        | None => Failure::Cancelled,
    }
}

/// Whether a masked number can be of this range: as far as its digits are told.
fn is_of(bin: Bin, masked: &str) -> bool {
    let prefix = bin.prefix.to_string();
    let told = masked.bytes().take_while(u8::is_ascii_digit).count();
    let len = told.min(prefix.len());
    len > 0 && masked.get(..len) == prefix.get(..len)
}

/// Loads that are worked on at a time, about.
const STRIPES: usize = 64;
/// A load passes at most this many steps from its order to its end.
const STEPS_MAX: usize = 16;
/// How long a payer may take.
const EXPIRES_MS: i64 = 30 * 60 * 1_000;
/// When a payment is asked for again that has no news, or whose provider does not answer.
const RETRY_MS: i64 = 10_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
