//! What goes into a fetch and what comes out of it.

use std::time::Duration;

use kcompare_core::digest::UnreadReason;
use kcompare_core::records::{AbortedTransaction, Frame, RecordError};

/// Whose records a reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IsolationLevel {
    /// Everything up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset; the broker lists aborted transactions beside the batches.
    #[default]
    ReadCommitted,
}

/// The offsets of one partition to read.
#[derive(Debug, Clone)]
pub struct FetchRange {
    /// The topic.
    pub topic: String,
    /// Its id as pinned when the run started; all zero when the cluster does not tell.
    pub topic_id: [u8; 16],
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The offset after the last one.
    pub stop: i64,
    /// Which records the broker returns.
    pub isolation_level: IsolationLevel,
    /// How long the last stable offset may stay below `stop` before the rest counts as an open transaction.
    pub settle: Duration,
    /// Bytes an offset takes on the wire, as far as known; 0 unknown. Only a hint for the size of requests.
    pub bytes_per_offset: u32,
}

/// Why bytes were passed over. Nothing of them counts as read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The batch is larger than the memory budget allows. The sink moves its position behind it.
    #[error("the batch has {size} bytes, the memory budget allows {limit}")]
    BatchTooLarge {
        /// Bytes of the batch.
        size: usize,
        /// The most that the budget allows.
        limit: usize,
    },
    /// The batch lies below a position that the same log had already passed. The base offset is not covered by the CRC
    /// of a batch.
    #[error("the batch lies below offset {expected}, which the log had reached before it")]
    OutOfOrder {
        /// Where the log had got to.
        expected: i64,
    },
    /// The batch says that it lies at or above the high watermark and does not follow what came before.
    #[error("the batch lies at or above the high watermark {high_watermark}, where no reader can be")]
    BeyondEnd {
        /// The high watermark of the same answer.
        high_watermark: i64,
    },
    /// No batch can be made out. Reading went on where one could be again: `[from, to)` is lost.
    #[error("no record batch can be made out from offset {from} to {to}: {error}")]
    Damaged {
        /// The first offset that could not be read.
        from: i64,
        /// The first offset that can be read again, or the end of the range.
        to: i64,
        /// What is wrong with the first bytes.
        error: RecordError,
    },
    /// From the position up to `to` nothing can be read or trusted, for a reason that only the source knows.
    #[error("{detail}")]
    Lost {
        /// The first offset that can be read again, or the end of the range.
        to: i64,
        /// Why, as a word.
        reason: UnreadReason,
        /// Why, as a sentence.
        detail: String,
    },
}

/// Who gets the batches. All calls come in the order of the log.
pub trait BatchSink {
    /// An answer with records begins. The list has every aborted transaction that overlaps them, as the broker sent
    /// it, and takes the place of the one before; it is empty under `ReadUncommitted`.
    fn aborted_transactions(&mut self, list: &[AbortedTransaction]);

    /// One whole batch, or one legacy entry, as on the wire. Only its header has been looked at: the CRC and everything
    /// behind the header are the sink's to check. The first batch may begin below the range and the last one end
    /// behind it. One batch may lie behind it as a whole: where the range ends in a hole, which only a sound batch behind
    /// it proves, and where a compressed legacy wrapper tells only its last offset.
    fn batch(&mut self, frame: &Frame, bytes: &[u8]);

    /// A batch, or a stretch without recognisable batches, that was passed over. The sink records the range.
    fn unreadable(&mut self, frame: Option<&Frame>, reason: Unreadable);

    /// The next offset that the sink needs. After a batch that is `frame.header.next_offset()`, or less when the sink
    /// wants the batch once more: a fetch goes on here, and gives up when it does not move.
    fn position(&self) -> i64;
}

/// How a fetch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchEnd {
    /// Everything up to `stop` was handed on.
    Reached,
    /// The last stable offset stayed below `stop` for the settling time.
    OpenTransaction,
    /// Retention has removed records that were still to be read.
    LostToRetention {
        /// Where the log starts now.
        log_start_offset: i64,
    },
    /// The log ends below the position: it was truncated.
    OffsetOutOfRange,
    /// The topic was deleted, and perhaps created again under another id.
    TopicRecreated,
    /// Not authorized: the code and its name.
    Refused(i16, &'static str),
    /// No progress for the stall timeout, or none in spite of answers.
    Stalled {
        /// How long there was no progress.
        after: Duration,
    },
    /// Another error code, after the retries.
    Failed(i16, &'static str),
}

/// What a fetch has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOutcome {
    /// Up to where the range was read. `Reached` makes it `stop` at least, also when the last offsets have no batch.
    pub position: i64,
    /// How it ended.
    pub end: FetchEnd,
    /// The last one seen; -1 none.
    pub high_watermark: i64,
    /// The last one seen; -1 none.
    pub last_stable_offset: i64,
    /// The last one seen; -1 none (brokers tell it from Fetch version 5 on).
    pub log_start_offset: i64,
    /// Bytes of records received.
    pub bytes: u64,
    /// Fetch requests sent.
    pub requests: u64,
    /// Throttle time that brokers have imposed, in milliseconds.
    pub throttle_ms: u64,
}
