//! What a broker is asked about a log: batches as stored, aborted transactions, epochs.

use kcompare_core::records::AbortedTransaction;

use super::error::LogDirError;
use super::file::SegmentFile;
use super::index::{Place, Run};
use super::partition::{LostRange, PartitionLog, Stretch};
use super::window::{Seen, Window};
use crate::cancel::CancelToken;
use crate::serve::EpochStart;

/// Whole batches that lie one behind the other in a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredExtent {
    /// The index of the segment in [`PartitionLog::segments`].
    pub segment: usize,
    /// The first byte.
    pub position: u64,
    /// How many bytes.
    pub length: usize,
    /// One past the last offset of the last batch.
    pub next_offset: i64,
}

impl PartitionLog {
    /// Where whole batches are stored, from the one that contains `offset` (or the first after it): those with a base
    /// offset below `stop`, at most `max_bytes` of them, but one at least if there is any. Those with a bad CRC are among
    /// them; bytes that are no batch are passed over.
    pub fn stored_extent(
        &self,
        offset: i64,
        stop: i64,
        max_bytes: usize,
    ) -> Result<Option<StoredExtent>, LogDirError> {
        let cancel = CancelToken::new();
        for stretch in self.stretches_from(offset) {
            let Stretch::Run(run) = stretch else { continue };
            let (position, _) = self.locate(run, offset, &cancel)?;
            let mut window = Window::new(SegmentFile::open(&self.segments()[run.segment], None, &cancel)?);
            let mut extent = StoredExtent { segment: run.segment, position, length: 0, next_offset: offset };
            // The batches before a noted place need no look: where it lies says how long they are.
            let within = |place: &&Place| {
                place.from <= stop
                    && place.position > position
                    && place.position - position <= max_bytes as u64
            };
            if let Some(place) = self.index.within(run).iter().rev().find(within) {
                extent.length = usize::try_from(place.position - position).unwrap_or(usize::MAX);
                extent.next_offset = place.from;
            }
            let mut at = position + extent.length as u64;
            while at < run.end_position {
                let Seen::Batch(frame) = window.look(at)? else {
                    return Err(self.not_as_before(run, at));
                };
                let begin =
                    if frame.header.magic >= 2 { frame.header.base_offset } else { extent.next_offset };
                let fits = extent.length == 0 || extent.length + frame.size <= max_bytes;
                if begin >= stop || !fits {
                    break;
                }
                extent.length += frame.size;
                extent.next_offset = frame.header.next_offset();
                at += frame.size as u64;
            }
            return Ok((extent.length > 0).then_some(extent));
        }
        Ok(None)
    }

    /// The offsets that are lost and lie before every batch at or behind `offset`, if they begin below `stop`.
    pub fn lost_at(&self, offset: i64, stop: i64) -> Option<&LostRange> {
        match self.stretches_from(offset).first()? {
            Stretch::Lost(number) => Some(&self.lost()[*number]).filter(|lost| lost.start < stop),
            Stretch::Run(_) => None,
        }
    }

    /// Up to where it is known which transactions were aborted, for a reader at `offset`; `offset` where it is not.
    pub fn certain_until(&self, offset: i64) -> i64 {
        self.transactions.certain_until(offset)
    }

    /// The position of the first batch of a run that ends after `offset`, and the offset that the log had reached before
    /// it; the end of the run where there is none.
    pub(super) fn locate(
        &self,
        run: &Run,
        offset: i64,
        cancel: &CancelToken,
    ) -> Result<(u64, i64), LogDirError> {
        let (mut position, mut reached) = self.index.before(run, offset);
        if reached >= offset {
            return Ok((position, reached));
        }
        let segment = &self.segments()[run.segment];
        let mut window = Window::new(SegmentFile::open(segment, self.rate.as_deref(), cancel)?);
        while position < run.end_position {
            let Seen::Batch(frame) = window.look(position)? else {
                return Err(self.not_as_before(run, position));
            };
            if frame.header.next_offset() > offset {
                break;
            }
            reached = frame.header.next_offset();
            position += frame.size as u64;
        }
        Ok((position, reached))
    }

    /// A file says something else than it did during the header pass.
    pub(super) fn not_as_before(&self, run: &Run, position: u64) -> LogDirError {
        let path = &self.segments()[run.segment].path;
        let detail =
            format!("no longer holds at byte {position} what it held before: something writes to it");
        LogDirError::malformed(path, detail)
    }

    /// The aborted transactions that have records in `[start, stop)` and whose markers do not lie below `start`.
    pub fn aborted_transactions(&self, start: i64, stop: i64) -> Vec<AbortedTransaction> {
        self.transactions.aborted_in(start, stop)
    }

    /// Leader epochs with the base offset of the first batch of each, ascending, as the batches have them.
    pub fn leader_epochs(&self) -> &[EpochStart] {
        &self.epochs
    }

    /// The entries of leader-epoch-checkpoint, which a broker writes when it becomes leader: earlier restores show here.
    pub fn checkpoint_epochs(&self) -> &[EpochStart] {
        &self.checkpoint_epochs
    }

    /// The end of a leader epoch as `OffsetForLeaderEpoch` defines it: the largest epoch that is not above
    /// `leader_epoch`, and where the next one starts. `(-1, -1)` unknown.
    pub fn epoch_end(&self, leader_epoch: i32) -> (i32, i64) {
        let bounds = self.bounds();
        if leader_epoch >= 0 && leader_epoch == bounds.leader_epoch {
            return (leader_epoch, bounds.log_end_offset);
        }
        let next = self.epochs.partition_point(|epoch| epoch.leader_epoch <= leader_epoch);
        match self.epochs.get(next).filter(|_| leader_epoch >= 0) {
            None => (-1, -1),
            Some(following) => {
                let floor = next.checked_sub(1).map_or(leader_epoch, |floor| self.epochs[floor].leader_epoch);
                (floor, following.start_offset)
            }
        }
    }
}
