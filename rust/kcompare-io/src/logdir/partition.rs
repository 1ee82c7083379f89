//! One partition's log: its segments, where it starts and ends, and why.

use std::sync::Arc;

use kcompare_core::digest::UnreadReason;

use super::damage::Damage;
use super::ending::ending_of;
use super::error::LogDirError;
use super::index::{Index, Run};
use super::layout::PartitionDir;
use super::scan::{Item, Scan, Scanned};
use super::segments::{Segment, SegmentList};
use super::transactions::Transactions;
use crate::cancel::CancelToken;
use crate::rate::RateLimit;
use crate::serve::EpochStart;
use crate::wire::Buffers;

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

/// One part of a log after another: batches, or offsets that are lost (the index of the range).
#[derive(Debug, Clone, Copy)]
pub(super) enum Stretch {
    Run(Run),
    Lost(usize),
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
    pub(super) stretches: Vec<Stretch>,
    pub(super) index: Index,
    pub(super) transactions: Transactions,
    pub(super) epochs: Vec<EpochStart>,
    pub(super) checkpoint_epochs: Vec<EpochStart>,
    pub(super) rate: Option<Arc<RateLimit>>,
    pub(super) buffers: Buffers,
}

impl PartitionLog {
    /// Lists the directory and goes over the batch headers.
    pub(super) fn scan(
        dir: PartitionDir,
        checkpoint_epochs: Vec<EpochStart>,
        rate: Option<Arc<RateLimit>>,
        cancel: &CancelToken,
    ) -> Result<Self, LogDirError> {
        let list = SegmentList::of(&dir.path)?;
        let segments = &list.segments;
        let limit = rate.as_deref();
        let scan = Scan::new(segments, dir.cleaner_checkpoint, limit, cancel);
        let (scanned, tail) = scan.run(dir.recovery_point.unwrap_or(0))?;
        let ending = ending_of(&dir, segments, &tail, scanned.reached);
        let first_base = segments.first().map_or(0, |segment| segment.base_offset);
        let log_start_offset = dir.log_start_checkpoint.unwrap_or(first_base);
        let mut parts = Parts { log_start_offset, ..Parts::default() };
        parts.head(&dir, segments.first());
        parts.items(&scanned);
        parts.damages.extend(tail.iter().map(|spot| spot.damage.clone()));
        let readable_end_offset = parts.readable_end.unwrap_or(first_base);
        let log_end_offset = ending.log_end_offset.max(log_start_offset);
        let Scanned { index, mut transactions, mut epochs, .. } = scanned;
        if let (Some(first), None) = (tail.first(), &ending.lost) {
            transactions.reopen(first.damage.from);
        }
        if let Some(lost) = ending.lost {
            parts.lose(lost);
        }
        let end_of_batches = tail.first().map_or(i64::MAX, |first| first.damage.from);
        transactions.settle(end_of_batches);
        epochs.retain(|epoch| epoch.start_offset < end_of_batches);
        let stable = transactions.first_open().unwrap_or(log_end_offset);
        let last_epoch = epochs.last().or(checkpoint_epochs.last());
        let bounds = LogBounds {
            log_start_offset,
            log_end_offset,
            last_stable_offset: stable.max(log_start_offset).min(log_end_offset),
            readable_end_offset,
            end_reason: ending.reason,
            end_detail: ending.detail,
            leader_epoch: last_epoch.map_or(-1, |epoch| epoch.leader_epoch),
        };
        let Parts { stretches, lost, damages, holes, .. } = parts;
        Ok(Self {
            dir,
            list,
            bounds,
            damages,
            lost,
            holes,
            stretches,
            index,
            transactions,
            epochs,
            checkpoint_epochs,
            rate,
            buffers: Buffers::default(),
        })
    }

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

/// A log as it is put together.
#[derive(Debug, Default)]
struct Parts {
    log_start_offset: i64,
    stretches: Vec<Stretch>,
    lost: Vec<LostRange>,
    damages: Vec<Damage>,
    holes: Vec<(i64, i64)>,
    readable_end: Option<i64>,
}

impl Parts {
    /// Notes a lost range; what lies below the log start is nobody's loss.
    fn lose(&mut self, mut range: LostRange) {
        let first = self.log_start_offset;
        if range.stop < first || (range.stop == first && range.start < first) {
            return;
        }
        range.start = range.start.max(first);
        self.stretches.push(Stretch::Lost(self.lost.len()));
        self.lost.push(range);
    }

    /// What lies between the log-start checkpoint and the first segment.
    fn head(&mut self, dir: &PartitionDir, first: Option<&Segment>) {
        let (Some(start), Some(first)) = (dir.log_start_checkpoint, first) else { return };
        if start >= first.base_offset {
            return;
        }
        let (reason, whose) = if dir.tiered {
            (UnreadReason::RemoteOnly, "a broker keeps them in remote storage")
        } else {
            (UnreadReason::MissingSegment, "no segment file holds them")
        };
        let detail = format!(
            "the log-start checkpoint says offset {start}, and the first segment begins at offset {}: {whose}",
            first.base_offset
        );
        self.lose(LostRange { start, stop: first.base_offset, reason, detail });
    }

    fn items(&mut self, scanned: &Scanned) {
        let items = &scanned.items;
        for (item, place) in items.iter().zip(1..) {
            let mut behind = items.range(place..);
            match item {
                Item::Run(run) => {
                    self.readable_end = Some(run.to);
                    self.stretches.push(Stretch::Run(*run));
                }
                Item::Hole(hole) => {
                    self.holes.push((hole.start, hole.stop));
                    if !hole.explained {
                        let detail = format!(
                            "no segment file holds the offsets between {} and the segment that begins at {}",
                            hole.start, hole.stop
                        );
                        let reason = UnreadReason::MissingSegment;
                        self.lose(LostRange { start: hole.start, stop: hole.stop, reason, detail });
                    }
                }
                Item::Spot(spot) => {
                    let mut damage = spot.damage.clone();
                    let stop = behind.clone().next().map_or(damage.from, |next| match next {
                        Item::Run(run) => run.from,
                        Item::Spot(next) => next.damage.from,
                        Item::Hole(hole) => hole.start,
                    });
                    damage.to = behind.find_map(|next| match next {
                        Item::Run(run) => Some(run.first_offset),
                        _ => None,
                    });
                    let range = LostRange {
                        start: damage.from,
                        stop,
                        reason: spot.reason,
                        detail: damage.detail.clone(),
                    };
                    self.lose(range);
                    self.damages.push(damage);
                }
            }
        }
    }
}
