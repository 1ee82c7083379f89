//! Records are decoded as they were written, and everything else is a typed error.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod bombs;
mod golden;
mod hostile;
mod hostile_legacy;
mod roundtrip;
mod support;
