//! The wire client against scripted brokers.

// The helpers of the tests are tests too, which `allow-unwrap-in-tests` does not know; their closures take requests as
// they come.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod absence;
mod broker;
mod by_time;
mod cluster;
mod faults;
mod fetch;
mod memory;
mod rate;
mod sink;
