//! What a broker would do to a partition directory if it were started on it, worked out without touching it.
//!
//! A start deletes temporary files, completes swaps, recovers what lies past the recovery point, cuts a segment off at the
//! first batch that is not valid and deletes all later ones, however sound they are; and with the mark of a clean
//! shutdown it checks nothing and believes the offset index of the last segment. None of that is told to the operator
//! before it has happened.
//!
//! The steps are those of Kafka 4.3 and are held to it by tests that start a broker on a copy. Not followed are: retention
//! and compaction, which begin after the start; tiered storage, where the log start is the checkpoint's; the state of
//! producers, but for where the log is read again to rebuild it; the topic's configuration, which a log directory does not
//! hold (`index.interval.bytes` is taken to be 4096).

mod batches;
mod evidence;
mod files;
mod loader;
mod lost;
mod offset_index;
mod pages;
mod producers;
mod recover;
mod segment;

use std::collections::BTreeMap;

use files::Files;
use loader::Loader;

use super::{LogDirError, PartitionDir};
use crate::cancel::{CancelToken, Cancelled};

pub use evidence::{Evidence, EvidenceKind, Found, evidence_of};

/// Why a start ended early.
#[derive(Debug)]
enum Halt {
    /// The broker ends, and this is why.
    Refused(String),
    /// This program cannot tell.
    Failed(LogDirError),
}

impl From<LogDirError> for Halt {
    fn from(error: LogDirError) -> Self {
        Self::Failed(error)
    }
}

impl From<Cancelled> for Halt {
    fn from(cancelled: Cancelled) -> Self {
        Self::Failed(cancelled.into())
    }
}

/// Why a file would be deleted that is not part of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyDeleted {
    /// `.deleted`: it had been removed from the log already.
    Deleted,
    /// `.cleaned`: a compaction or a split that was not finished.
    Cleaned,
    /// `.swap` beside a `.cleaned` file at or below it: a split that was not finished.
    UnfinishedSwap,
    /// A completed swap takes its place.
    Replaced,
    /// An index without a segment.
    Orphan,
}

impl WhyDeleted {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Cleaned => "cleaned",
            Self::UnfinishedSwap => "unfinished_swap",
            Self::Replaced => "replaced",
            Self::Orphan => "orphaned_index",
        }
    }
}

/// A file that would be deleted without any part of the log going with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedFile {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Why.
    pub why: WhyDeleted,
}

/// Why a segment would be recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyRecovered {
    /// It holds or follows the recovery point, and the shutdown was not clean.
    PastRecoveryPoint,
    /// Its `.index` file is not there.
    NoOffsetIndex,
    /// Its `.txnindex` names a transaction that ended before the segment begins.
    BadTransactionIndex,
    /// Its offsets do not ascend, so that a recovery empties it.
    OffsetsOutOfOrder,
}

impl WhyRecovered {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::PastRecoveryPoint => "past_recovery_point",
            Self::NoOffsetIndex => "no_offset_index",
            Self::BadTransactionIndex => "bad_transaction_index",
            Self::OffsetsOutOfOrder => "offsets_out_of_order",
        }
    }
}

/// A segment that would be recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredSegment {
    /// Its file.
    pub name: String,
    /// The offset in its name.
    pub base_offset: i64,
    /// Why.
    pub why: WhyRecovered,
    /// The byte at which it would be cut off; `None` where it is whole.
    pub truncated_at: Option<u64>,
    /// Bytes that would be cut off.
    pub truncated_bytes: u64,
}

/// Why sound batches would be lost, or out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// They, or bytes that are no batch, lie in a segment behind a batch that is not valid.
    BehindDamage,
    /// They are in a segment after the one that is cut off.
    LaterSegment,
    /// Their segment is emptied because offsets in it do not ascend.
    OffsetsOutOfOrder,
    /// The whole log ends below the log-start checkpoint.
    BelowLogStart,
    /// A split writes a segment of the same name over theirs.
    Overwritten,
    /// Kept, but above the log end that the broker works out: new records get their offsets again.
    AboveLogEnd,
    /// Kept where no fetch finds them: the name of their file does not cover their offsets, or an index or damage leads past
    /// them.
    Misplaced,
    /// The directory has no partition.metadata and is renamed to `-stray`.
    Stray,
}

impl Discard {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::BehindDamage => "behind_damage",
            Self::LaterSegment => "later_segment",
            Self::OffsetsOutOfOrder => "offsets_out_of_order",
            Self::BelowLogStart => "below_log_start",
            Self::Overwritten => "overwritten",
            Self::AboveLogEnd => "above_log_end",
            Self::Misplaced => "misplaced",
            Self::Stray => "stray",
        }
    }
}

/// A run of sound batches, one behind the other in a file, that a start takes out of the log; or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Why.
    pub cause: Discard,
    /// The file.
    pub file: String,
    /// The first byte.
    pub position: u64,
    /// Behind the last byte.
    pub end_position: u64,
    /// The first offset; 0 where there is no sound batch.
    pub start: i64,
    /// One past the last offset; the same as `start` where there is no sound batch.
    pub stop: i64,
    /// Sound batches.
    pub batches: u64,
    /// Records in them, control records left out, as the headers of the batches count them; compressed message sets of
    /// magic 0 and 1 are decoded, because their headers do not say.
    pub records: u64,
    /// Bytes at the front of the run that belong to no sound batch.
    pub damaged_bytes: u64,
}

/// What a start would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// Why the broker would not come up at all; then nothing else is known but the evidence.
    pub refused: Option<String>,
    /// The directory has no topic id: it would be renamed to `-stray`, and an empty log made in its place.
    pub stray: bool,
    /// The log start offset afterwards.
    pub log_start_offset: i64,
    /// The log end offset afterwards, at which the next record is appended.
    pub log_end_offset: i64,
    /// Files that go without any part of the log going with them.
    pub deleted_files: Vec<DeletedFile>,
    /// Segments that are recovered, in the order in which that happens.
    pub recovered: Vec<RecoveredSegment>,
    /// What is cut off or deleted.
    pub discarded: Vec<Loss>,
    /// What stays on disk and is not part of the log any more.
    pub hidden: Vec<Loss>,
    /// Offsets that would be given again to new records: from the log end up to what the directory held.
    pub reused: Option<(i64, i64)>,
}

/// Works out what a start would do to a partition directory.
pub fn start_of(dir: &PartitionDir, cancel: &CancelToken) -> Result<Start, LogDirError> {
    let mut start = Start { stray: dir.topic_id.is_none() && dir.problems.is_empty(), ..Start::default() };
    match run(dir, &mut start, cancel) {
        Ok(()) => Ok(start),
        Err(Halt::Refused(why)) => Ok(Start { refused: Some(why), ..Start::default() }),
        Err(Halt::Failed(error)) => Err(error),
    }
}

fn run(dir: &PartitionDir, start: &mut Start, cancel: &CancelToken) -> Result<(), Halt> {
    if let Some(problem) = dir.problems.first() {
        return Err(Halt::Refused(format!("{problem}, and a broker takes its whole log directory offline")));
    }
    let mut files = Files::list(&dir.path)?;
    start.deleted_files = files.settle()?;
    start.deleted_files.extend(files.orphans());
    let logs: BTreeMap<_, _> =
        files.logs().map(|(_, stored)| (stored.path.clone(), stored.clone())).collect();
    // A broker takes what it cannot read, and what is not listed, for 0.
    let recovery_point = dir.recovery_point.unwrap_or(0);
    let log_start = dir.log_start_checkpoint.unwrap_or(0);
    let checkpoints = (dir.clean_shutdown, recovery_point, log_start);
    let mut loader = Loader::new(files.segments()?, files.snapshots(), checkpoints, cancel);
    (start.log_start_offset, start.log_end_offset) = loader.load()?;
    start.discarded = lost::discarded(&logs, &loader)?;
    start.hidden = lost::hidden(&loader, start.log_end_offset)?;
    start.recovered = std::mem::take(&mut loader.recovered);
    let held = start.discarded.iter().chain(&start.hidden).map(|loss| loss.stop).max();
    start.reused = held.filter(|&stop| stop > start.log_end_offset).map(|stop| (start.log_end_offset, stop));
    if start.stray {
        start.hidden = lost::stray(&loader)?;
        start.reused = Some((0, start.log_end_offset)).filter(|&(from, to)| to > from);
        (start.log_start_offset, start.log_end_offset) = (0, 0);
    }
    Ok(())
}
