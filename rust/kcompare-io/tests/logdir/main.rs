//! Log directories, written by the tests and read through the public interface.

mod bounds;
mod damage;
mod layout;
mod oracle;
mod stored;
mod support;
mod transactions;
