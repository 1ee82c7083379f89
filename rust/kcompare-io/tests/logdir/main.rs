//! Log directories, written by the tests and read through the public interface.

#![allow(clippy::unwrap_used, reason = "helpers of tests, not only tests")]

mod bounds;
mod damage;
mod layout;
mod oracle;
mod stored;
mod support;
mod transactions;
