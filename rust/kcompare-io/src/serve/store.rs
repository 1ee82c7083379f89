//! What the broker serves: the seam between the protocol and the place where batches are kept.

use std::fmt;
use std::io;
use std::sync::Arc;

use kcompare_core::records::{AbortedTransaction, RecordError};
use thiserror::Error;

use super::piece::Piece;

/// The id of one incarnation of a topic (KIP-516): a topic that is deleted and created again gets another one.
///
/// All zeros means that the topic has no id, as on brokers before 2.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// The id of topics that have none.
    pub const ZERO: Self = Self([0; 16]);
}

impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The offsets between which a partition can be read, all from one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that can be fetched.
    pub log_start_offset: i64,
    /// Where a `read_committed` reader stops: the first offset of the earliest open transaction.
    pub last_stable_offset: i64,
    /// Where a `read_uncommitted` reader stops: one past the last replicated offset.
    pub high_watermark: i64,
    /// One past the last stored offset; fetching between the high watermark and it gives nothing, beyond it an error.
    pub log_end_offset: i64,
}

/// The first offset that was written in a leader epoch (KIP-101).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    /// The leader epoch.
    pub leader_epoch: i32,
    /// The first offset written in it.
    pub start_offset: i64,
}

/// The record that a search by timestamp has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The timestamp of the record, in milliseconds since 1970.
    pub timestamp: i64,
    /// The offset of the record.
    pub offset: i64,
}

/// Batches that a read has found.
#[derive(Debug, Clone, Default)]
pub struct StoredBatches {
    /// Whole batches as stored; empty when there are none.
    pub records: Piece,
    /// One past the last offset of the last batch; the offset that was asked for when there are none.
    pub next_offset: i64,
}

/// One configuration value of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The name, such as `cleanup.policy`.
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether nobody has set the value on the topic.
    pub is_default: bool,
}

/// Why a store could not do what it was asked for.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No such topic or partition.
    #[error("there is no partition {partition} of topic {topic:?} in this store")]
    UnknownPartition {
        /// The name of the topic.
        topic: String,
        /// The number of the partition.
        partition: i32,
    },
    /// A topic of that name is there already.
    #[error("topic {topic:?} exists already in this store")]
    TopicExists {
        /// The name of the topic.
        topic: String,
    },
    /// The offset is not in the log.
    #[error("offset {offset} is outside the log, which holds {log_start_offset} to {log_end_offset}")]
    OutOfRange {
        /// The offset that was asked for.
        offset: i64,
        /// The first offset of the log.
        log_start_offset: i64,
        /// One past the last offset of the log.
        log_end_offset: i64,
    },
    /// Bytes that are appended do not hold whole batches.
    #[error("byte {position} of the appended bytes starts a batch that is cut off")]
    PartialBatch {
        /// Where the batch that is cut off starts.
        position: usize,
    },
    /// A batch starts below the end of the log.
    #[error(
        "the batch starts at offset {base_offset}, which is below the end of the log at {log_end_offset}"
    )]
    OutOfOrder {
        /// The first offset of the batch.
        base_offset: i64,
        /// One past the last offset of the log.
        log_end_offset: i64,
    },
    /// A stored batch cannot be decoded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Offsets within the log whose records are gone or cannot be trusted.
    #[error("offset {offset} cannot be served: {detail}")]
    Unreadable {
        /// The offset that was asked for.
        offset: i64,
        /// What is there instead, as a sentence.
        detail: String,
    },
    /// The bytes could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Topics that can be read.
///
/// Nothing here changes a log. The broker holds a topic by handle while it answers, so that a topic that is created
/// again in the meantime never lends its records to the id of the old one.
pub trait LogStore: Send + Sync {
    /// All topics in the order of their names.
    fn topics(&self) -> Vec<Arc<dyn StoredTopic>>;

    /// The topic that has this name now.
    fn topic_by_name(&self, name: &str) -> Option<Arc<dyn StoredTopic>>;

    /// The topic that has this id.
    fn topic_by_id(&self, id: TopicId) -> Option<Arc<dyn StoredTopic>>;

    /// Lets another node lead a partition. Only scripted faults ask for it; a store with fixed leaders ignores it.
    fn move_leader(&self, _topic: &str, _partition: i32, _node_id: i32) {}
}

/// One incarnation of a topic.
pub trait StoredTopic: Send + Sync {
    /// The name.
    fn name(&self) -> &str;

    /// The id, or [`TopicId::ZERO`].
    fn id(&self) -> TopicId;

    /// The numbers of the partitions in this store, in order; there may be holes.
    fn partition_ids(&self) -> Vec<i32>;

    /// One partition.
    fn partition(&self, partition: i32) -> Option<Arc<dyn StoredPartition>>;

    /// What is known of the topic's configuration. A store that knows nothing returns nothing.
    fn configs(&self) -> Vec<ConfigEntry>;
}

/// The log of one partition.
pub trait StoredPartition: Send + Sync {
    /// The offsets between which the log can be read now.
    fn bounds(&self) -> Bounds;

    /// The node that leads the partition; `None` when it is whichever broker is asked.
    fn leader(&self) -> Option<i32>;

    /// The epoch of the current leader.
    fn leader_epoch(&self) -> i32;

    /// The leader epochs of the log, in ascending order.
    fn leader_epochs(&self) -> Vec<EpochStart>;

    /// Up to where the list of aborted transactions is complete for a reader at `offset`; `offset` itself where it is
    /// not. What lies behind it may be of a transaction whose marker is lost.
    fn certain_until(&self, _offset: i64) -> i64 {
        i64::MAX
    }

    /// The aborted transactions that have records in `start..stop`.
    fn aborted_transactions(&self, start: i64, stop: i64) -> Vec<AbortedTransaction>;

    /// Whole batches as stored, from the one that contains `offset` (or the first one after it).
    ///
    /// Only batches whose base offset is below `stop` are returned, and no more than `max_bytes` of them, but always
    /// at least one if there is any: otherwise a reader would be stuck before a batch that is larger than its limit.
    fn read(&self, offset: i64, stop: i64, max_bytes: usize) -> Result<StoredBatches, StoreError>;

    /// The first record whose timestamp is `timestamp` or later.
    fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, StoreError>;

    /// The first record with the largest timestamp of the log (KIP-734).
    fn max_timestamp(&self) -> Result<Option<TimestampOffset>, StoreError>;
}

/// The end of a leader epoch, as `OffsetForLeaderEpoch` defines it: the largest epoch that is not above
/// `leader_epoch`, and the offset where the next one starts. `(-1, -1)` when it is not known.
pub fn epoch_end(partition: &dyn StoredPartition, leader_epoch: i32) -> (i32, i64) {
    if leader_epoch >= 0 && leader_epoch == partition.leader_epoch() {
        return (leader_epoch, partition.bounds().log_end_offset);
    }
    let epochs = partition.leader_epochs();
    let next = epochs.iter().position(|epoch| epoch.leader_epoch > leader_epoch);
    let Some(next) = next.filter(|_| leader_epoch >= 0) else { return (-1, -1) };
    let found = next.checked_sub(1).map_or(leader_epoch, |floor| epochs[floor].leader_epoch);
    (found, epochs[next].start_offset)
}

/// The leader epoch in which `offset` was written; -1 when it is not known.
pub fn epoch_of(partition: &dyn StoredPartition, offset: i64) -> i32 {
    let epochs = partition.leader_epochs();
    epochs.iter().rev().find(|epoch| epoch.start_offset <= offset).map_or(-1, |epoch| epoch.leader_epoch)
}
