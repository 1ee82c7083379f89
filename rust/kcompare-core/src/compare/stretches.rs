//! Alignment by offset: the same offset, the same record.

use super::{LogDigest, Selection};
use crate::digest::{Base, Lanes};

/// A range of offsets on each side whose records are not proven equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// `[start, stop)` on the left.
    pub left: (i64, i64),
    /// `[start, stop)` on the right.
    pub right: (i64, i64),
    /// Records on the left.
    pub left_records: u64,
    /// Records on the right.
    pub right_records: u64,
}

/// What two logs have in common at the same offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetAlignment {
    /// The offsets that both sides planned, `[start, stop)`.
    pub common: (i64, i64),
    /// Left records below the common range, in it, and past it.
    pub left_records: [u64; 3],
    /// Right records, likewise.
    pub right_records: [u64; 3],
    /// Records proven equal, at the same offsets.
    pub matched: u64,
    /// Where they are not, ascending; neighbours are joined.
    pub dirty: Vec<Stretch>,
}

/// Aligns by offset over the range that both sides have; None where there is no such range, or where a side has no
/// checkpoint at one of its ends.
pub fn align_by_offset(
    left: &LogDigest,
    right: &LogDigest,
    selection: Selection,
    base: &Base,
) -> Option<OffsetAlignment> {
    let (start, stop) = (left.start().max(right.start()), left.stop().min(right.stop()));
    if start >= stop {
        return None;
    }
    let ends = |log: &LogDigest| Some((log.at_offset(start)?.lanes, log.at_offset(stop)?.lanes));
    let (left_ends, right_ends) = (ends(left)?, ends(right)?);
    let pairs = common_offsets(left, right, start, stop);
    // A sub-range is compared with its offsets: two logs with holes at different places would otherwise agree,
    // disagree and agree again along the offsets, and a search finds some border, not the first.
    let selection = selection.with_offsets();
    let first = pairs.partition_point(|(a, b)| {
        selection.same(&a.1.after(&left_ends.0, base), &b.1.after(&right_ends.0, base))
    });
    let last = pairs.partition_point(|(a, b)| {
        !selection.same(&left_ends.1.after(&a.1, base), &right_ends.1.after(&b.1, base))
    });
    // Equal at the start of the search, and the whole is equal exactly if the search ran through.
    assert!(first >= 1, "the empty prefix is equal");
    let mut dirty: Vec<Stretch> = Vec::new();
    for index in first..=last.min(pairs.len() - 1) {
        let ((a0, b0), (a1, b1)) = (pairs[index - 1], pairs[index]);
        let (in_left, in_right) = (a1.1.after(&a0.1, base), b1.1.after(&b0.1, base));
        if selection.same(&in_left, &in_right) {
            continue;
        }
        match dirty.last_mut().filter(|before| before.left.1 == a0.0) {
            Some(before) => {
                before.left.1 = a1.0;
                before.right.1 = b1.0;
                before.left_records += in_left.count;
                before.right_records += in_right.count;
            }
            None => dirty.push(Stretch {
                left: (a0.0, a1.0),
                right: (b0.0, b1.0),
                left_records: in_left.count,
                right_records: in_right.count,
            }),
        }
    }
    let thirds = |whole: &Lanes, ends: &(Lanes, Lanes)| {
        [ends.0.count, ends.1.count - ends.0.count, whole.count - ends.1.count]
    };
    let left_records = thirds(&left.whole(), &left_ends);
    Some(OffsetAlignment {
        common: (start, stop),
        left_records,
        right_records: thirds(&right.whole(), &right_ends),
        matched: left_records[1] - dirty.iter().map(|stretch| stretch.left_records).sum::<u64>(),
        dirty,
    })
}

type At = (i64, Lanes);

/// Checkpoints of both sides at the same offsets, from `start` to `stop`.
fn common_offsets(left: &LogDigest, right: &LogDigest, start: i64, stop: i64) -> Vec<(At, At)> {
    let mut pairs = Vec::new();
    let mut others = right.checkpoints().iter().peekable();
    for checkpoint in left.checkpoints().iter().filter(|at| (start..=stop).contains(&at.offset)) {
        while others.next_if(|other| other.offset < checkpoint.offset).is_some() {}
        if let Some(other) = others.peek().filter(|other| other.offset == checkpoint.offset) {
            pairs.push(((checkpoint.offset, checkpoint.lanes), (other.offset, other.lanes)));
        }
    }
    pairs
}
