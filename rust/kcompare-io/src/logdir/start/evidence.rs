//! What the small files of a partition directory know that the segments do not show: a first or a last segment that went
//! missing, a hole between two files, a place where the log was taken up again.
//!
//! Nothing of this changes what a start does, and no tool of Kafka speaks of it.

use super::files::{Files, offset_in};
use super::loader::first_batch;
use super::offset_index::OffsetIndex;
use super::segment::Segment;
use super::{Halt, Start};
use crate::logdir::{LogDirError, PartitionDir};

/// What kind of thing was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceKind {
    /// A leader epoch begins here: the log ended here when a broker was started on it, or the leader changed.
    EpochStart,
    /// Something speaks of offsets below the first segment.
    FirstSegmentMissing,
    /// Something speaks of offsets above the end of the log.
    LastSegmentMissing,
    /// Two segment files do not follow one another.
    SegmentHole,
    /// The first batch of a file is not where the name of the file puts it.
    FirstBatchElsewhere,
    /// A segment without an offset index.
    IndexMissing,
    /// An offset index that cannot be right, where a start would believe it.
    IndexUnreliable,
    /// A segment that is marked as deleted, above the end of the log: an earlier start threw it away.
    DeletedAboveEnd,
}

impl EvidenceKind {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::EpochStart => "epoch_start",
            Self::FirstSegmentMissing => "first_segment_missing",
            Self::LastSegmentMissing => "last_segment_missing",
            Self::SegmentHole => "segment_hole",
            Self::FirstBatchElsewhere => "first_batch_elsewhere",
            Self::IndexMissing => "index_missing",
            Self::IndexUnreliable => "index_unreliable",
            Self::DeletedAboveEnd => "deleted_above_end",
        }
    }
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What.
    pub kind: EvidenceKind,
    /// The first offset that it speaks of.
    pub start: i64,
    /// One past the last one; the same as `start` where it is a place.
    pub stop: i64,
    /// As a sentence.
    pub detail: String,
}

/// What a pass over the batch headers has found, to which the small files are held.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// One past the last sound batch.
    pub readable_end: i64,
    /// Leader epochs of leader-epoch-checkpoint, and where each begins.
    pub checkpoint_epochs: &'a [(i32, i64)],
    /// Offsets between the last batch of a segment and the name of the next one.
    pub segment_holes: &'a [(i64, i64)],
}

/// Holds the small files of a partition directory to its segments.
pub fn evidence_of(
    dir: &PartitionDir,
    found: &Found<'_>,
    start: &Start,
) -> Result<Vec<Evidence>, LogDirError> {
    let files = Files::list(&dir.path)?;
    let mut all = Vec::new();
    // As the reader has them: a swap that a compaction left unfinished is a segment.
    let mut settled = Files::list(&dir.path)?;
    let segments: Vec<Segment> = match settled.settle().and_then(|_| settled.segments()) {
        Ok(segments) => segments.into_values().collect(),
        Err(Halt::Refused(_)) => Vec::new(),
        Err(Halt::Failed(error)) => return Err(error),
    };
    epochs(&mut all, dir, found, segments.first());
    checkpoints(&mut all, dir, found);
    snapshots(&mut all, &files, found);
    holes(&mut all, dir, found);
    for segment in &segments {
        match files_of(&mut all, dir, segment, start) {
            Ok(()) | Err(Halt::Refused(_)) => {}
            Err(Halt::Failed(error)) => return Err(error),
        }
    }
    deleted(&mut all, &files, found);
    Ok(all)
}

fn epochs(all: &mut Vec<Evidence>, dir: &PartitionDir, found: &Found<'_>, first: Option<&Segment>) {
    let first_offset = first.map_or(found.readable_end, |segment| segment.base_offset);
    let kept_from = first_offset.max(dir.log_start_checkpoint.unwrap_or(0));
    for (place, &(epoch, at)) in found.checkpoint_epochs.iter().enumerate() {
        let (kind, stop, detail) = if at < first_offset {
            let detail = format!(
                "leader-epoch-checkpoint lets epoch {epoch} begin at offset {at}, below the first segment at {first_offset}: \
                 what lay between was removed by retention moments before, or a file is missing"
            );
            (EvidenceKind::FirstSegmentMissing, first_offset, detail)
        } else if at > found.readable_end {
            let detail = format!(
                "leader-epoch-checkpoint lets epoch {epoch} begin at offset {at}, above the end of the log at {}: the log \
                 once reached that far",
                found.readable_end
            );
            all.push(Evidence {
                kind: EvidenceKind::LastSegmentMissing,
                start: found.readable_end,
                stop: at,
                detail,
            });
            continue;
        } else if place > 0 && at > kept_from {
            let detail = format!(
                "leader epoch {epoch} begins at offset {at}: that was the end of the log when a broker was started on \
                 it, after a restore or not, or when the leader changed"
            );
            (EvidenceKind::EpochStart, at, detail)
        } else {
            continue;
        };
        all.push(Evidence { kind, start: at, stop, detail });
    }
}

fn checkpoints(all: &mut Vec<Evidence>, dir: &PartitionDir, found: &Found<'_>) {
    let files = [
        ("recovery-point-offset-checkpoint", dir.recovery_point, "was flushed up to"),
        ("replication-offset-checkpoint", dir.high_watermark_checkpoint, "was replicated up to"),
        ("log-start-offset-checkpoint", dir.log_start_checkpoint, "began at"),
    ];
    for (file, offset, what) in files {
        above_end(all, found, offset, |offset| format!("{file} says that the log {what} offset {offset}"));
    }
}

fn snapshots(all: &mut Vec<Evidence>, files: &Files, found: &Found<'_>) {
    let newest = files.snapshots().0.last_key_value().map(|(&offset, _)| offset);
    above_end(all, found, newest, |offset| {
        format!("a snapshot of the producers' state was taken at offset {offset}")
    });
}

fn above_end(all: &mut Vec<Evidence>, found: &Found<'_>, offset: Option<i64>, what: impl Fn(i64) -> String) {
    let end = found.readable_end;
    if let Some(stop) = offset.filter(|&offset| offset > end) {
        let detail = format!("{}, and it ends at {end}: the end of it is missing", what(stop));
        all.push(Evidence { kind: EvidenceKind::LastSegmentMissing, start: end, stop, detail });
    }
}

fn holes(all: &mut Vec<Evidence>, dir: &PartitionDir, found: &Found<'_>) {
    let compacted = dir.cleaner_checkpoint.is_some();
    for &(start, stop) in found.segment_holes {
        let why = if compacted {
            "the topic is compacted, which may leave that"
        } else {
            "a file between them is missing, unless the topic was compacted"
        };
        let detail = format!("one segment ends at offset {start} and the next one begins at {stop}: {why}");
        all.push(Evidence { kind: EvidenceKind::SegmentHole, start, stop, detail });
    }
}

fn files_of(
    all: &mut Vec<Evidence>,
    dir: &PartitionDir,
    segment: &Segment,
    start: &Start,
) -> Result<(), Halt> {
    let (base, name) = (segment.base_offset, segment.name());
    if let Some((first, _)) = first_batch(segment)?.filter(|&(first, _)| first != base) {
        let compacted = if first > base && dir.cleaner_checkpoint.is_some() {
            ", which compaction may leave"
        } else {
            ", which neither an append nor a recovery leaves"
        };
        let detail = format!("the first batch of {name} has base offset {first}{compacted}");
        all.push(Evidence {
            kind: EvidenceKind::FirstBatchElsewhere,
            start: base.min(first),
            stop: base.max(first),
            detail,
        });
    }
    if segment.index == OffsetIndex::Missing {
        let detail =
            format!("{name} has no offset index: a start checks the whole segment and writes a new one");
        all.push(Evidence { kind: EvidenceKind::IndexMissing, start: base, stop: base, detail });
        return Ok(());
    }
    let rewritten = start.recovered.iter().any(|recovered| recovered.base_offset == base);
    if let Some(fault) = index_fault(segment)?.filter(|_| !rewritten) {
        let detail = format!("the offset index of {name} {fault}, and a start would believe it");
        all.push(Evidence { kind: EvidenceKind::IndexUnreliable, start: base, stop: base, detail });
    }
    Ok(())
}

/// What is wrong with an offset index. Zeros at its end are not: a broker preallocates it.
pub(super) fn index_fault(segment: &Segment) -> Result<Option<String>, Halt> {
    let OffsetIndex::File(path, size) = &segment.index else {
        return Ok(None);
    };
    if size % 8 != 0 {
        return Ok(Some(format!("has {size} bytes, which is no multiple of 8")));
    }
    let mut pages = super::pages::Pages::open(path, 0, 64 << 10)?;
    let (mut place, mut before) = (0, (0, -1));
    while let Some(entry) = pages.bytes(place, 8)? {
        let number = |at: usize| i32::from_be_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        let (relative, position) = (number(0), number(4));
        if (relative, position) == (0, 0) && place > 0 {
            return Ok(None);
        }
        let ascends = place == 0 || (relative > before.0 && position > before.1);
        if relative < 0 || position < 0 || position as u64 >= segment.length.max(1) || !ascends {
            return Ok(Some(format!(
                "says at byte {place} that offset {} is at byte {position}, of {}",
                segment.base_offset.wrapping_add(i64::from(relative)),
                segment.length,
            )));
        }
        before = (relative, position);
        place += 8;
    }
    Ok(None)
}

fn deleted(all: &mut Vec<Evidence>, files: &Files, found: &Found<'_>) {
    for (name, size) in files.names().filter(|(name, _)| name.ends_with(".log.deleted")) {
        if let Some(start) = offset_in(name).filter(|&offset| offset >= found.readable_end) {
            let detail = format!(
                "{name} with {size} bytes lies above the end of the log at {}: an earlier start threw it away less than a \
                 minute before this copy or crash, and the next start deletes it",
                found.readable_end
            );
            all.push(Evidence { kind: EvidenceKind::DeletedAboveEnd, start, stop: start, detail });
        }
    }
}
