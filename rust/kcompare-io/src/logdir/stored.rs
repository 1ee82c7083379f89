//! What a broker is asked about a log: batches as stored, aborted transactions, epochs, offsets by time.

use kcompare_core::records::AbortedTransaction;

use super::error::LogDirError;
use super::partition::PartitionLog;
use crate::cancel::CancelToken;
use crate::serve::{EpochStart, StoredBatches, TimestampOffset};

impl PartitionLog {
    /// Whole batches as stored, damaged ones included, from the one that contains `offset` (or the first after it): those
    /// with a base offset below `stop`, at most `max_bytes` of them, but one at least if there is any.
    pub fn stored_batches(
        &self,
        offset: i64,
        _stop: i64,
        _max_bytes: usize,
    ) -> Result<StoredBatches, LogDirError> {
        Ok(StoredBatches { next_offset: offset, ..StoredBatches::default() })
    }

    /// The aborted transactions that have records in `[start, stop)` and whose markers do not lie below `start`.
    pub fn aborted_transactions(&self, _start: i64, _stop: i64) -> Vec<AbortedTransaction> {
        Vec::new()
    }

    /// Leader epochs with the base offset of the first batch of each, ascending, as the batches have them.
    pub fn leader_epochs(&self) -> &[EpochStart] {
        &[]
    }

    /// The entries of leader-epoch-checkpoint, which a broker writes when it becomes leader: earlier restores show here.
    pub fn checkpoint_epochs(&self) -> &[EpochStart] {
        &[]
    }

    /// The end of a leader epoch as `OffsetForLeaderEpoch` defines it: the largest epoch that is not above
    /// `leader_epoch`, and where the next one starts. `(-1, -1)` unknown.
    pub fn epoch_end(&self, _leader_epoch: i32) -> (i32, i64) {
        (-1, -1)
    }

    /// The first record whose timestamp is `timestamp` or later: by the batch headers, then by the records of one batch.
    pub fn offset_for_timestamp(
        &self,
        _timestamp: i64,
        cancel: &CancelToken,
    ) -> Result<Option<TimestampOffset>, LogDirError> {
        cancel.check()?;
        Ok(None)
    }

    /// The first record with the largest timestamp.
    pub fn max_timestamp(&self, cancel: &CancelToken) -> Result<Option<TimestampOffset>, LogDirError> {
        cancel.check()?;
        Ok(None)
    }
}
