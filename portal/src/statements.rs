//! Bank statements: how payment orders, cash at a branch and instant payments arrive.

pub mod reference;
