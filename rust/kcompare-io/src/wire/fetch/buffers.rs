//! Read buffers that outlive one fetch, so that a slice of work does not start with fresh pages.

use std::sync::{Mutex, PoisonError};

use crate::budget::MemoryBudget;

const SMALLEST: usize = 64 << 10;
const LARGEST: usize = 2 << 20;
/// Buffers kept; more than any sensible number of workers.
const MAX_KEPT: usize = 64;

/// The part of a worker's share that its wire buffer takes: a quarter. Another quarter is for lists of aborted transactions, and the
/// decoder's scratch space has the rest.
pub(crate) fn wire_share(budget: &MemoryBudget) -> usize {
    (budget.base_share() / 4).clamp(SMALLEST, LARGEST)
}

/// How many aborted transactions one answer may list: 16 bytes each, in a second part of the same size.
pub(crate) fn aborted_limit(budget: &MemoryBudget) -> usize {
    wire_share(budget) / 16
}

/// Buffers that are not in use.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    pub(crate) fn take(&self, size: usize) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|buffer| buffer.len() == size);
        let found = found.map(|index| kept.swap_remove(index));
        drop(kept);
        found.unwrap_or_else(|| vec![0; size])
    }

    pub(crate) fn put(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.push(buffer);
        }
    }
}
