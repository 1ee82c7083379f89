//! Log directories, written by the tests and read through the public interface.

mod bounds;
mod damage;
mod layout;
mod served;
mod support;
mod transactions;
