//! Payment orders (UPN) that load a card, as pages and pictures.

pub(super) mod pages;
