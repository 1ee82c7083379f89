//! Where the bytes of a log come from: the Kafka wire client, log directories, and the small read-only broker.

#![deny(unsafe_code)]

pub mod budget;
pub mod cancel;
pub mod error;
pub mod logdir;
pub mod rate;
pub mod serve;
pub mod slice;
pub mod wire;
