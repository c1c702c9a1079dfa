//! Benches live in this crate's `benches/` targets.
