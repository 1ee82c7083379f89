//! Alignment by ordinal: the longest common prefix and the longest common suffix, at whatever offsets.
//!
//! Equality of prefixes of the same number of records is monotone: once they differ they differ for ever, but for a
//! collision. So a binary search over the ordinals at which both sides have a checkpoint finds the last that agrees.

use super::{Checkpoint, LogDigest, Selection};
use crate::digest::Base;

/// A place that both sides reach after, or before, the same number of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset on the left.
    pub left: i64,
    /// Offset on the right.
    pub right: i64,
    /// Records between the start, or the end, and here.
    pub records: u64,
}

/// Where two logs part from their starts, and from their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrdinalAlignment {
    /// Up to here the prefixes are proven equal.
    pub prefix: Place,
    /// The next place that both sides have a checkpoint for; up to there they are proven different.
    pub differs_before: Option<Place>,
    /// From here on the suffixes are proven equal; never before `prefix` on either side.
    pub suffix: Place,
}

/// Finds the last common checkpoint of the common prefix, and the first of the common suffix.
pub fn align_by_ordinal(
    left: &LogDigest,
    right: &LogDigest,
    selection: Selection,
    base: &Base,
) -> OrdinalAlignment {
    let pairs = common_ordinals(left.checkpoints().iter(), right.checkpoints().iter(), |at| at.lanes.count);
    let agree = pairs.partition_point(|(a, b)| selection.same(&a.lanes, &b.lanes));
    assert!(agree >= 1, "the empty prefix is equal");
    let prefix = Place {
        left: pairs[agree - 1].0.offset,
        right: pairs[agree - 1].1.offset,
        records: pairs[agree - 1].0.lanes.count,
    };
    let differs_before =
        pairs.get(agree).map(|(a, b)| Place { left: a.offset, right: b.offset, records: a.lanes.count });
    let (left_whole, right_whole) = (left.whole(), right.whole());
    // What the prefix took is not there for the suffix.
    let room = left_whole.count.min(right_whole.count) - prefix.records;
    let from_end = |whole: u64| move |at: &Checkpoint| whole - at.lanes.count;
    let ends = common_ordinals_by(
        left.checkpoints().iter().rev(),
        right.checkpoints().iter().rev(),
        from_end(left_whole.count),
        from_end(right_whole.count),
    );
    let fitting = ends.partition_point(|(a, _)| left_whole.count - a.lanes.count <= room);
    let agree = ends[..fitting].partition_point(|(a, b)| {
        selection.same(&left_whole.after(&a.lanes, base), &right_whole.after(&b.lanes, base))
    });
    let (a, b) = ends[agree.max(1) - 1];
    let suffix = Place { left: a.offset, right: b.offset, records: left_whole.count - a.lanes.count };
    OrdinalAlignment { prefix, differs_before, suffix }
}

type Pair<'a> = (&'a Checkpoint, &'a Checkpoint);

fn common_ordinals<'a>(
    left: impl Iterator<Item = &'a Checkpoint>,
    right: impl Iterator<Item = &'a Checkpoint>,
    ordinal: impl Fn(&Checkpoint) -> u64 + Copy,
) -> Vec<Pair<'a>> {
    common_ordinals_by(left, right, ordinal, ordinal)
}

/// Checkpoints of both sides with the same ordinal; of several with one ordinal, which have holes between them, the
/// first that comes.
fn common_ordinals_by<'a>(
    left: impl Iterator<Item = &'a Checkpoint>,
    right: impl Iterator<Item = &'a Checkpoint>,
    left_ordinal: impl Fn(&Checkpoint) -> u64,
    right_ordinal: impl Fn(&Checkpoint) -> u64,
) -> Vec<Pair<'a>> {
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    let mut right = right.peekable();
    let mut last = None;
    for a in left {
        let ordinal = left_ordinal(a);
        if last == Some(ordinal) {
            continue;
        }
        while right.next_if(|b| right_ordinal(b) < ordinal).is_some() {}
        if let Some(b) = right.peek().filter(|b| right_ordinal(b) == ordinal) {
            pairs.push((a, b));
            last = Some(ordinal);
        }
    }
    pairs
}
