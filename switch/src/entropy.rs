//! The one place that draws random bytes: the operating system's generator.
//!
//! Everything else takes bytes through an argument, so that a seeded world can hand in its own.

/// Fills `out` with bytes from the operating system.
///
/// # Panics
/// When the system has no generator to offer: keys made without one would be worse than no start.
#[expect(clippy::panic, reason = "a key must never be made of anything but entropy")]
pub fn fill(out: &mut [u8]) {
    if let Err(error) = getrandom::fill(out) {
        panic!("the operating system gives no random bytes: {error}");
    }
}
