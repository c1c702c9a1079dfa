//! Loads: how money comes to a card, as its holder or anybody else sees it.

pub mod upn;
