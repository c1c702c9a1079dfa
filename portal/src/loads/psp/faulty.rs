//! A payment provider whose answers get lost, come late, come again, or tell another amount.
//!
//! It stands before a provider and does to its calls what networks and other people's programs do.
//! Which fault comes next is asked of a function, so that a test can draw faults from a seed.

use std::collections::HashMap;

use cekr_switch::sync::Mutex;
use tokio::sync::Notify;

use super::{Answer, NewPayment, NoAnswer, Payment, Psp};

/// What happens to a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It has its effect, and then nothing comes any more: the caller dies waiting.
    DiesAfter,
    /// Nothing comes any more, and it has no effect.
    DiesBefore,
    /// It has its effect, and the answer is lost.
    LostAfter,
    /// It is lost on its way.
    LostBefore,
    /// Nothing.
    None,
    /// A look is answered by what was so at the last look.
    Stale,
    /// It has its effect twice.
    Twice,
    /// A payment is opened with a cent more than was ordered.
    WrongAmount,
}

/// A provider with faults.
pub struct Faulty<P> {
    inner: P,
    draw: Mutex<Box<dyn FnMut() -> Fault + Send>>,
    looked: Mutex<HashMap<String, Option<Payment>>>,
    died: Notify,
}

impl<P: Psp> Faulty<P> {
    /// Stands before `inner`; `draw` says what happens to each call.
    pub fn new(inner: P, draw: impl FnMut() -> Fault + Send + 'static) -> Faulty<P> {
        let draw: Box<dyn FnMut() -> Fault + Send> = Box::new(draw);
        Faulty {
            inner,
            draw: Mutex::new(draw),
            looked: Mutex::new(HashMap::new()),
            died: Notify::new(),
        }
    }

    /// Waits until a caller waits in vain.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    /// The provider behind.
    pub const fn inner(&self) -> &P {
        &self.inner
    }

    fn next(&self) -> Fault {
        (self.draw.lock())()
    }

    /// What is told after the effects of a call.
    async fn told<T>(&self, fault: Fault, done: Option<T>) -> Result<T, NoAnswer> {
        match fault {
            Fault::DiesAfter | Fault::DiesBefore => {
                self.died.notify_one();
                std::future::pending().await
            }
            Fault::LostAfter | Fault::LostBefore => Err(NoAnswer),
            Fault::None | Fault::Stale | Fault::Twice | Fault::WrongAmount => done.ok_or(NoAnswer),
        }
    }
}

impl Fault {
    /// How often the call has its effect.
    const fn effects(self) -> usize {
        match self {
            Self::DiesBefore | Self::LostBefore => 0,
            Self::Twice => 2,
            Self::DiesAfter | Self::LostAfter | Self::None | Self::Stale | Self::WrongAmount => 1,
        }
    }
}

impl<P: Psp> Psp for Faulty<P> {
    fn open<'a>(&'a self, new: &'a NewPayment) -> Answer<'a, Payment> {
        Box::pin(async move {
            let (fault, mut done) = (self.next(), None);
            let mut sent = new.clone();
            if fault == Fault::WrongAmount {
                sent.amount = sent.amount.saturating_add(1);
            }
            for _ in 0..fault.effects() {
                done = Some(self.inner.open(&sent).await?);
            }
            self.told(fault, done).await
        })
    }

    fn find<'a>(&'a self, order: &'a str) -> Answer<'a, Option<Payment>> {
        Box::pin(async move {
            let fault = self.next();
            let last = self.looked.lock().get(order).cloned();
            if let (Fault::Stale, Some(last)) = (fault, last) {
                return Ok(last);
            }
            let found = self.inner.find(order).await?;
            let found = self.told(fault, Some(found)).await?;
            self.looked.lock().insert(order.to_owned(), found.clone());
            Ok(found)
        })
    }

    fn capture<'a>(&'a self, order: &'a str) -> Answer<'a, Payment> {
        Box::pin(async move {
            let (fault, mut done) = (self.next(), None);
            for _ in 0..fault.effects() {
                done = Some(self.inner.capture(order).await?);
            }
            self.told(fault, done).await
        })
    }

    fn cancel<'a>(&'a self, order: &'a str) -> Answer<'a, Payment> {
        Box::pin(async move {
            let (fault, mut done) = (self.next(), None);
            for _ in 0..fault.effects() {
                done = Some(self.inner.cancel(order).await?);
            }
            self.told(fault, done).await
        })
    }

    fn refund<'a>(&'a self, order: &'a str, name: &'a str, cents: u64) -> Answer<'a, Payment> {
        Box::pin(async move {
            let (fault, mut done) = (self.next(), None);
            for _ in 0..fault.effects() {
                done = Some(self.inner.refund(order, name, cents).await?);
            }
            self.told(fault, done).await
        })
    }

    fn page(&self, order: &str) -> String {
        self.inner.page(order)
    }
}
