//! Bytes become records, records become digests, digests become a comparison.
//!
//! Everything here is pure: no sockets, no files, no Python, no clock, no printing.

#![deny(unsafe_code)]

pub mod compare;
pub mod digest;
pub mod records;
