//! What a person lends and must get back at every end: given back once, at the drop or at a panic.
//!
//! A release build aborts on a panic and drops nothing, so the panic hook gives back, before
//! anybody reads the panic's words. What was the hook before is the hook again afterwards: a panic
//! that comes later must not touch what is not ours any more.

use std::io;
use std::panic::{self, PanicHookInfo};

use cekr_switch::sync::{Arc, AtomicBool, Ordering};

/// The loan; dropped, what was lent is given back.
pub(super) struct Lent {
    inner: Arc<Inner>,
    before: Arc<Hook>,
}

struct Inner {
    is_out: AtomicBool,
    give_back: Box<dyn Fn() + Send + Sync>,
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

impl Lent {
    /// Takes it; what was taken in part is given back too.
    pub(super) fn take(
        take: impl FnOnce() -> io::Result<()>,
        give_back: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let is_out = AtomicBool::new(true);
        let inner = Arc::new(Inner { is_out, give_back: Box::new(give_back) });
        let before = Arc::new(panic::take_hook());
        let lent = Self { inner: Arc::clone(&inner), before: Arc::clone(&before) };
        panic::set_hook(Box::new(move |panic| {
            inner.give_back();
            before(panic);
        }));
        take()?;
        Ok(lent)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.inner.give_back();
        // While a panic unwinds, hooks cannot be changed; this one has nothing left to give back.
        if !std::thread::panicking() {
            drop(panic::take_hook());
            let before = Arc::clone(&self.before);
            panic::set_hook(Box::new(move |panic| before(panic)));
        }
    }
}

impl Inner {
    fn give_back(&self) {
        if self.is_out.swap(false, Ordering::AcqRel) {
            (self.give_back)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

    use cekr_switch::sync::{Arc, Mutex};

    use super::Lent;

    /// What happened, in order.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<&'static str>>>);

    impl Seen {
        fn note(&self, what: &'static str) {
            self.0.lock().push(what);
        }

        fn drain(&self) -> Vec<&'static str> {
            std::mem::take(&mut *self.0.lock())
        }
    }

    // One test, because the hook is one for the whole process.
    #[test]
    fn it_is_given_back_once_at_every_end_and_before_a_panic_is_told() {
        let seen = Seen::default();
        let usual = take_hook();
        let teller = seen.clone();
        set_hook(Box::new(move |_| teller.note("told")));
        let lend = |outcome: io::Result<()>| {
            let (taker, giver) = (seen.clone(), seen.clone());
            let take = move || {
                taker.note("taken");
                outcome
            };
            Lent::take(take, move || giver.note("given back"))
        };

        drop(lend(Ok(())));
        assert_eq!(seen.drain(), ["taken", "given back"]);
        assert!(lend(Err(io::ErrorKind::BrokenPipe.into())).is_err());
        assert_eq!(seen.drain(), ["taken", "given back"], "though it was taken in part only");

        let in_the_middle = catch_unwind(AssertUnwindSafe(|| {
            let _lent = lend(Ok(()));
            panic!("in the middle");
        }));
        assert!(in_the_middle.is_err());
        assert_eq!(seen.drain(), ["taken", "given back", "told"]);

        let elsewhere = lend(Ok(())).unwrap();
        assert!(std::thread::spawn(|| panic!("on another thread")).join().is_err());
        assert_eq!(seen.drain(), ["taken", "given back", "told"]);
        drop(elsewhere);
        assert_eq!(seen.drain(), [""; 0], "it was given back already");

        assert!(catch_unwind(|| panic!("afterwards")).is_err());
        assert_eq!(seen.drain(), ["told"], "and is nobody's business any more");
        set_hook(usual);
    }
}
