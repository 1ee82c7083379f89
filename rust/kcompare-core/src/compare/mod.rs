//! Digests become a comparison: where two logs agree, where they part, and what stands there.
//!
//! Pure functions over cells, anchors and rows. Two checkpoints, one a side, that lie at the same place of an alignment
//! are a *pair*; between two pairs the digests of both sides are equal, which proves the stretch, or it is *dirty* and
//! its records are read again. By offset, pairs lie at the same offset; by ordinal, at the same number of records from
//! the start, and from the end.

mod classify;
mod diff;
mod log;
mod ordinal;
mod stretches;

pub use classify::{Run, RunKind, Tables, classify};
pub use diff::{Hunk, diff_by_content, diff_by_offset};
pub use log::{Checkpoint, LogDigest};
pub use ordinal::{OrdinalAlignment, Place, align_by_ordinal};
pub use stretches::{OffsetAlignment, Stretch, align_by_offset};

use crate::digest::{Base, Lanes, RecordRow, add, mul, sub};

/// Which fields beside key, value and headers must agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Timestamps are compared.
    pub timestamps: bool,
    /// Offsets are compared.
    pub offsets: bool,
}

impl Selection {
    /// Whether two ranges hold the same records in the same order.
    pub fn same(self, left: &Lanes, right: &Lanes) -> bool {
        left.count == right.count
            && left.content == right.content
            && (!self.timestamps || left.timestamps == right.timestamps)
            && (!self.offsets || left.offsets == right.offsets)
    }

    /// The same, and at the same offsets.
    #[must_use]
    pub fn with_offsets(self) -> Self {
        Self { offsets: true, ..self }
    }

    /// Whether two records are the same in the compared fields.
    pub fn same_record(self, left: &RecordRow, right: &RecordRow) -> bool {
        left.content == right.content
            && (!self.timestamps || left.timestamp == right.timestamp)
            && (!self.offsets || left.offset == right.offset)
    }
}

/// How the offsets of two equal sequences relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Every offset is the same.
    Identical,
    /// Every right offset is the left one plus this.
    Shifted(i64),
    /// Neither.
    Mapped,
}

/// Relates the offsets of two sequences of the same length from their offset lanes and first offsets.
///
/// A constant shift `s` adds `s` at every position, so the lanes differ by `s * (r^0 + ... + r^(n-1))`, and two
/// sequences for which that holds differ by `s` everywhere but for a collision.
pub fn relate_offsets(
    left: &Lanes,
    left_first: i64,
    right: &Lanes,
    right_first: i64,
    base: &Base,
) -> Relation {
    assert_eq!(left.count, right.count, "only sequences of the same length relate");
    if left.offsets == right.offsets {
        return Relation::Identical;
    }
    let shift = right_first - left_first;
    let moved = mul(u128::from(shift.unsigned_abs()), base.geometric(left.count));
    let shifted = if shift < 0 { sub(left.offsets, moved) } else { add(left.offsets, moved) };
    if shifted == right.offsets { Relation::Shifted(shift) } else { Relation::Mapped }
}

#[cfg(test)]
mod tests;
