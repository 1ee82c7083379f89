//! One partition's log: its segments, where it starts and ends, and why.

use kcompare_core::digest::UnreadReason;

use super::layout::PartitionDir;
use super::scan::Damage;
use super::segments::{Segment, SegmentList};

/// Why a log ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The broker was shut down cleanly and the last batch is whole.
    CleanShutdown,
    /// The last batch is whole and nothing follows it.
    EndOfSegment,
    /// The file ends inside a batch.
    TornTail,
    /// Nothing but zeros follows the last batch.
    ZeroTail,
    /// What follows the last sound batch is no sound batch.
    CorruptTail,
    /// The log reaches less far than what was flushed: it is planned up to the recovery point.
    RecoveryPoint,
    /// The log ends in damage that cannot be the end of what was written; the first offset of it is planned.
    DamageBeforeEnd,
}

impl EndReason {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::CleanShutdown => "clean_shutdown",
            Self::EndOfSegment => "end_of_segment",
            Self::TornTail => "torn_tail",
            Self::ZeroTail => "zero_tail",
            Self::CorruptTail => "corrupt_tail",
            Self::RecoveryPoint => "recovery_point",
            Self::DamageBeforeEnd => "damage_before_end",
        }
    }
}

/// Where a log starts and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBounds {
    /// The log-start checkpoint, or the base offset of the first segment.
    pub log_start_offset: i64,
    /// One past the last offset that is planned.
    pub log_end_offset: i64,
    /// The first offset of the earliest open transaction, or the end of the log.
    pub last_stable_offset: i64,
    /// One past the last offset of the last sound batch: below the end of the log where flushed data is gone.
    pub readable_end_offset: i64,
    /// Why the log ends there.
    pub end_reason: EndReason,
    /// The same as a sentence, with file and position.
    pub end_detail: String,
    /// The epoch of the last batch, or of the last entry of leader-epoch-checkpoint; -1 unknown.
    pub leader_epoch: i32,
}

/// Offsets between log start and log end that are known not to be readable before anything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostRange {
    /// The first offset.
    pub start: i64,
    /// One past the last offset; the same where bytes are damaged and no offset is missing.
    pub stop: i64,
    /// Why, as a word of the report.
    pub reason: UnreadReason,
    /// Why, as a sentence.
    pub detail: String,
}

/// The log of one partition after its header pass. Holds no file open.
#[derive(Debug)]
pub struct PartitionLog {
    dir: PartitionDir,
    list: SegmentList,
    bounds: LogBounds,
    damages: Vec<Damage>,
    lost: Vec<LostRange>,
    holes: Vec<(i64, i64)>,
}

impl PartitionLog {
    /// Its directory and what the checkpoints say.
    pub fn dir(&self) -> &PartitionDir {
        &self.dir
    }

    /// The segments, ascending.
    pub fn segments(&self) -> &[Segment] {
        &self.list.segments
    }

    /// The segments, and the files that a broker would delete when it starts.
    pub fn files(&self) -> &SegmentList {
        &self.list
    }

    /// Where the log starts and ends.
    pub fn bounds(&self) -> &LogBounds {
        &self.bounds
    }

    /// Structural damage in the order of the log, that at the end included.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// Offsets that are planned and known to be lost.
    pub fn lost(&self) -> &[LostRange] {
        &self.lost
    }

    /// Offsets between the last batch of a segment and the name of the next one, which only compaction leaves.
    pub fn segment_holes(&self) -> &[(i64, i64)] {
        &self.holes
    }
}
