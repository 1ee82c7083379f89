//! Bytes of a segment that are no sound batches.

use kcompare_core::digest::UnreadReason;

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

/// Damage while it is judged.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) damage: Damage,
    /// Why it cannot be the end of a log, whatever follows.
    pub(super) never_end: Option<String>,
    /// The word of the report where it is no end.
    pub(super) reason: UnreadReason,
}
