//! One partition's log in memory.

use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::{Bytes, BytesMut};
use kcompare_core::records::{AbortedTransaction, BatchDecoder, BatchHeader, peek};

use super::piece::Piece;
use super::store::{Bounds, EpochStart, StoreError, StoredBatches, StoredPartition, TimestampOffset};

/// How much one batch may decompress to while a timestamp is searched.
const DECODE_LIMIT: usize = 256 << 20;

/// The log of one partition.
#[derive(Default)]
pub(super) struct MemoryLog {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// What was appended; batches of one append lie behind each other in one blob.
    blobs: Vec<Bytes>,
    /// The batches in order of offsets.
    entries: Vec<Entry>,
    log_start_offset: i64,
    log_end_offset: i64,
    high_watermark: Option<i64>,
    last_stable_offset: Option<i64>,
    aborted: Vec<Aborted>,
    epochs: Vec<EpochStart>,
    leader: Option<i32>,
}

/// A batch in a blob.
struct Entry {
    base_offset: i64,
    next_offset: i64,
    /// -1 when the batch holds no timestamp or was never looked at.
    max_timestamp: i64,
    blob: usize,
    range: Range<usize>,
}

struct Aborted {
    transaction: AbortedTransaction,
    /// The offset of the abort marker.
    last_offset: i64,
}

impl State {
    fn bounds(&self) -> Bounds {
        let high_watermark = self.high_watermark.unwrap_or(self.log_end_offset);
        Bounds {
            log_start_offset: self.log_start_offset,
            last_stable_offset: self.last_stable_offset.unwrap_or(high_watermark).min(high_watermark),
            high_watermark,
            log_end_offset: self.log_end_offset,
        }
    }

    fn current_epoch(&self) -> i32 {
        self.epochs.last().map_or(0, |epoch| epoch.leader_epoch)
    }

    /// The index of the first batch that ends after `offset`. A legacy wrapper carries its last offset, not its first
    /// one, so the end of a batch is the only thing to search by.
    fn first_after(&self, offset: i64) -> usize {
        self.entries.partition_point(|entry| entry.next_offset <= offset)
    }

    fn bytes(&self, entry: &Entry) -> Bytes {
        self.blobs[entry.blob].slice(entry.range.clone())
    }

    /// Adds a batch; `header` is missing when the bytes are served unseen.
    fn push(&mut self, blob: usize, range: Range<usize>, next_offset: i64, header: Option<&BatchHeader>) {
        let base_offset = header.map_or(self.log_end_offset, |header| header.base_offset);
        if let Some(header) = header {
            let leader_epoch = header.partition_leader_epoch;
            if leader_epoch > self.epochs.last().map_or(-1, |epoch| epoch.leader_epoch) {
                self.epochs.push(EpochStart { leader_epoch, start_offset: base_offset });
            }
        }
        let max_timestamp = header.map_or(-1, |header| header.max_timestamp);
        self.entries.push(Entry { base_offset, next_offset, max_timestamp, blob, range });
        self.log_end_offset = next_offset;
    }

    /// The first record of one batch for which `wanted` holds for (offset, timestamp).
    fn find_in(
        &self,
        entry: &Entry,
        wanted: impl Fn(i64, i64) -> bool,
    ) -> Result<Option<TimestampOffset>, StoreError> {
        let mut found = None;
        BatchDecoder::new(DECODE_LIMIT).decode(&self.bytes(entry), entry.range.start as u64, |record| {
            if found.is_none() && wanted(record.offset, record.timestamp) {
                found = Some(TimestampOffset { timestamp: record.timestamp, offset: record.offset });
            }
        })?;
        Ok(found)
    }
}

impl MemoryLog {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn append(&self, batches: Bytes) -> Result<(), StoreError> {
        let mut state = self.state_mut();
        let mut frames = Vec::new();
        let (mut position, mut end) = (0, state.log_end_offset);
        // All frames are checked before one is stored, so that a bad append changes nothing.
        while position < batches.len() {
            let frame =
                peek(&batches[position..], position as u64)?.ok_or(StoreError::PartialBatch { position })?;
            let stop = position + frame.size;
            if stop > batches.len() {
                return Err(StoreError::PartialBatch { position });
            }
            let base_offset = frame.header.base_offset;
            if base_offset < end {
                return Err(StoreError::OutOfOrder { base_offset, log_end_offset: end });
            }
            end = frame.header.next_offset();
            frames.push((position..stop, end, frame.header));
            position = stop;
        }
        let blob = state.blobs.len();
        state.blobs.push(batches);
        for (range, next_offset, header) in frames {
            state.push(blob, range, next_offset, Some(&header));
        }
        Ok(())
    }

    pub(super) fn append_unchecked(&self, bytes: Bytes, next_offset: i64) -> Result<(), StoreError> {
        let mut state = self.state_mut();
        if next_offset <= state.log_end_offset {
            return Err(StoreError::OutOfOrder {
                base_offset: next_offset,
                log_end_offset: state.log_end_offset,
            });
        }
        let (blob, range) = (state.blobs.len(), 0..bytes.len());
        state.blobs.push(bytes);
        state.push(blob, range, next_offset, None);
        Ok(())
    }

    pub(super) fn set_log_start_offset(&self, offset: i64) {
        let mut state = self.state_mut();
        let gone = state.first_after(offset);
        state.entries.drain(..gone);
        // A blob stays at its index, because entries point at it; its bytes go with its last batch.
        let first_blob = state.entries.first().map_or(state.blobs.len(), |entry| entry.blob);
        state.blobs[..first_blob].fill(Bytes::new());
        state.log_start_offset = offset;
        state.log_end_offset = state.log_end_offset.max(offset);
    }

    pub(super) fn set_high_watermark(&self, offset: Option<i64>) {
        self.state_mut().high_watermark = offset;
    }

    pub(super) fn set_last_stable_offset(&self, offset: Option<i64>) {
        self.state_mut().last_stable_offset = offset;
    }

    pub(super) fn add_aborted(&self, producer_id: i64, first_offset: i64, last_offset: i64) {
        let transaction = AbortedTransaction { producer_id, first_offset };
        self.state_mut().aborted.push(Aborted { transaction, last_offset });
    }

    pub(super) fn set_leader_epochs(&self, epochs: Vec<EpochStart>) {
        self.state_mut().epochs = epochs;
    }

    pub(super) fn set_leader(&self, node_id: Option<i32>) {
        self.state_mut().leader = node_id;
    }

    /// Another leader starts another epoch at the log end, even before it writes anything. Epochs without records
    /// leave the list, as they do in `leader-epoch-checkpoint`.
    pub(super) fn move_leader(&self, node_id: i32) {
        let mut state = self.state_mut();
        if state.leader == Some(node_id) {
            return;
        }
        state.leader = Some(node_id);
        let (start_offset, leader_epoch) = (state.log_end_offset, state.current_epoch() + 1);
        state.epochs.retain(|epoch| epoch.start_offset < start_offset);
        state.epochs.push(EpochStart { leader_epoch, start_offset });
    }
}

impl StoredPartition for MemoryLog {
    fn bounds(&self) -> Bounds {
        self.state().bounds()
    }

    fn leader(&self) -> Option<i32> {
        self.state().leader
    }

    fn leader_epoch(&self) -> i32 {
        self.state().current_epoch()
    }

    fn leader_epochs(&self) -> Vec<EpochStart> {
        self.state().epochs.clone()
    }

    fn aborted_transactions(&self, start: i64, stop: i64) -> Vec<AbortedTransaction> {
        let state = self.state();
        let overlapping = state
            .aborted
            .iter()
            .filter(|aborted| aborted.last_offset >= start && aborted.transaction.first_offset < stop);
        overlapping
            .map(|aborted| AbortedTransaction {
                producer_id: aborted.transaction.producer_id,
                first_offset: aborted.transaction.first_offset,
            })
            .collect()
    }

    fn read(&self, offset: i64, stop: i64, max_bytes: usize) -> Result<StoredBatches, StoreError> {
        let state = self.state();
        if offset < state.log_start_offset || offset > state.log_end_offset {
            let (log_start_offset, log_end_offset) = (state.log_start_offset, state.log_end_offset);
            return Err(StoreError::OutOfRange { offset, log_start_offset, log_end_offset });
        }
        let first = state.first_after(offset);
        let mut size = 0;
        let wanted: Vec<&Entry> = state.entries[first..]
            .iter()
            .take_while(|entry| {
                size += entry.range.len();
                entry.base_offset < stop && (size == entry.range.len() || size <= max_bytes)
            })
            .collect();
        let (Some(head), Some(tail)) = (wanted.first(), wanted.last()) else {
            return Ok(StoredBatches { records: Piece::default(), next_offset: offset });
        };
        let next_offset = tail.next_offset;
        if head.blob == tail.blob {
            let bytes = state.blobs[head.blob].slice(head.range.start..tail.range.end);
            return Ok(StoredBatches { records: bytes.into(), next_offset });
        }
        let mut joined = BytesMut::with_capacity(wanted.iter().map(|entry| entry.range.len()).sum());
        for entry in wanted {
            joined.extend_from_slice(&state.blobs[entry.blob][entry.range.clone()]);
        }
        Ok(StoredBatches { records: joined.freeze().into(), next_offset })
    }

    fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, StoreError> {
        let state = self.state();
        let start = state.log_start_offset;
        for entry in state.entries.iter().filter(|entry| entry.max_timestamp >= timestamp) {
            let found = state.find_in(entry, |offset, time| offset >= start && time >= timestamp)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn max_timestamp(&self) -> Result<Option<TimestampOffset>, StoreError> {
        let state = self.state();
        let Some(largest) = state.entries.iter().map(|entry| entry.max_timestamp).max() else {
            return Ok(None);
        };
        let entry = state.entries.iter().find(|entry| entry.max_timestamp == largest && largest >= 0);
        entry.map_or(Ok(None), |entry| state.find_in(entry, |_, timestamp| timestamp == largest))
    }
}
