//! The records of a dirty stretch, compared one by one.

use super::Selection;
use crate::digest::RecordRow;
use std::collections::HashMap;
use std::ops::Range;

/// Records between two matches: indices into the rows of each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Rows on the left without a match.
    pub left: Range<usize>,
    /// Rows on the right without a match.
    pub right: Range<usize>,
}

/// Joins two stretches by offset: a record matches the one at the same offset if it is the same.
pub fn diff_by_offset(left: &[RecordRow], right: &[RecordRow], selection: Selection) -> Vec<Hunk> {
    let mut hunks = Vec::new();
    let (mut i, mut j) = (0, 0);
    let mut open = Hunk { left: 0..0, right: 0..0 };
    while i < left.len() || j < right.len() {
        let matched = match (left.get(i), right.get(j)) {
            (Some(a), Some(b)) if a.offset == b.offset => Some(selection.same_record(a, b)),
            _ => None,
        };
        if matched == Some(true) {
            open.left.end = i;
            open.right.end = j;
            push(&mut hunks, &open);
            (i, j) = (i + 1, j + 1);
            open = Hunk { left: i..i, right: j..j };
        } else {
            let left_is_next = right.get(j).is_none_or(|b| left.get(i).is_some_and(|a| a.offset <= b.offset));
            let right_is_next =
                left.get(i).is_none_or(|a| right.get(j).is_some_and(|b| b.offset <= a.offset));
            i += usize::from(left_is_next);
            j += usize::from(right_is_next);
        }
    }
    open.left.end = left.len();
    open.right.end = right.len();
    push(&mut hunks, &open);
    hunks
}

fn push(hunks: &mut Vec<Hunk>, hunk: &Hunk) {
    if !hunk.left.is_empty() || !hunk.right.is_empty() {
        hunks.push(hunk.clone());
    }
}

/// An edit script by content (Myers, "An O(ND) Difference Algorithm", 1986); None past `limit` edits.
///
/// With `open_end` the script ends where one side does: what the other has left is its tail, whatever its length. Of all
/// such scripts within the limit it is one that leaves fewest records unmatched, and of those the shortest. Without it
/// the script is a shortest one. Memory is of the order of `limit` squared, so the limit stays in the low thousands. Two
/// sides without a common record are one hunk at any size.
pub fn diff_by_content(
    left: &[RecordRow],
    right: &[RecordRow],
    selection: Selection,
    limit: usize,
    open_end: bool,
) -> Option<Vec<Hunk>> {
    let same = |i: usize, j: usize| selection.same_record(&left[i], &right[j]);
    let (n, m) = (left.len(), right.len());
    let prefix = (0..n.min(m)).take_while(|at| same(*at, *at)).count();
    if are_disjoint(&left[prefix..], &right[prefix..], selection) {
        let rest = Hunk { left: prefix..n, right: prefix..m };
        return Some(if prefix == n && prefix == m { Vec::new() } else { vec![rest] });
    }
    if !open_end && n.abs_diff(m) > limit {
        return None;
    }
    let (trace, ends) = furthest_reaching(n, m, limit, open_end, same)?;
    Some(hunks_of(&trace, ends, (n, m)))
}

/// Whether no record of one side is also on the other.
pub(super) fn are_disjoint(left: &[RecordRow], right: &[RecordRow], selection: Selection) -> bool {
    let known = multiset(left.iter(), selection);
    !multiset(right.iter(), selection).keys().any(|record| known.contains_key(record))
}

/// For every number of edits the furthest `i` on each diagonal `k = i - j`, at index `k + edits`.
type Trace = Vec<Vec<usize>>;

/// Adds edits until both ends are reached; with `open_end` until one of them is, and on from there while another end
/// might match more records. Also where that was.
fn furthest_reaching(
    n: usize,
    m: usize,
    limit: usize,
    open_end: bool,
    same: impl Fn(usize, usize) -> bool,
) -> Option<(Trace, (usize, usize))> {
    let mut trace: Trace = Vec::new();
    let mut best: Option<End> = None;
    for edits in 0..=limit.min(n + m) {
        let mut reach = vec![0; 2 * edits + 1];
        for slot in (0..=2 * edits).step_by(2) {
            let mut i = trace.last().map_or(0, |before| step(before, edits, slot));
            // j = i - k with k = slot - edits.
            let Some(mut j) = (i + edits).checked_sub(slot) else { continue };
            while i < n && j < m && same(i, j) {
                (i, j) = (i + 1, j + 1);
            }
            reach[slot] = i;
            if (i >= n && j >= m) || (open_end && ((i == n && j <= m) || (j == m && i <= n))) {
                let end = End { edits, matched: (i + j - edits) / 2, at: (i, j) };
                // The first of those that match as many has fewest edits.
                if best.as_ref().is_none_or(|best| end.matched > best.matched) {
                    best = Some(end);
                }
            }
        }
        trace.push(reach);
        // A side of which every record is matched leaves nothing to gain.
        if best.as_ref().is_some_and(|best| !open_end || best.matched == n.min(m)) {
            break;
        }
    }
    best.map(|best| {
        trace.truncate(best.edits + 1);
        (trace, best.at)
    })
}

/// A place where a script may end.
struct End {
    edits: usize,
    matched: usize,
    at: (usize, usize),
}

/// Where one more edit leads to on the diagonal of `slot`: down from the diagonal above, or right from the one below.
fn step(before: &[usize], edits: usize, slot: usize) -> usize {
    // `before` has `2 * edits - 1` slots; diagonal k sits one slot lower there.
    let from_above = before.get(slot).copied();
    let from_below = slot.checked_sub(2).map(|below| before[below] + 1);
    debug_assert!(edits > 0);
    match (from_above, from_below) {
        (Some(above), Some(below)) => above.max(below),
        (Some(i), None) | (None, Some(i)) => i,
        (None, None) => 0,
    }
}

fn hunks_of(trace: &[Vec<usize>], ends: (usize, usize), lengths: (usize, usize)) -> Vec<Hunk> {
    let (mut i, mut j) = ends;
    // What an open end left on one side.
    let mut edits_at: Vec<(Range<usize>, Range<usize>)> = vec![(i..lengths.0, j..lengths.1)];
    for edits in (1..trace.len()).rev() {
        let slot = i + edits - j;
        let before = &trace[edits - 1];
        let from_above = before.get(slot).copied();
        let from_below = slot.checked_sub(2).map(|below| before[below] + 1);
        // The same choice as `step`: an insertion unless the deletion reached strictly further.
        let deletion = match (from_above, from_below) {
            (Some(above), Some(below)) => below > above,
            (above, _) => above.is_none(),
        };
        let reached = if deletion { from_below } else { from_above }.unwrap_or(0);
        let reached_j = reached + edits - slot;
        if deletion {
            edits_at.push((reached - 1..reached, reached_j..reached_j));
            (i, j) = (reached - 1, reached_j);
        } else {
            edits_at.push((reached..reached, reached_j - 1..reached_j));
            (i, j) = (reached, reached_j - 1);
        }
    }
    edits_at.reverse();
    let mut hunks: Vec<Hunk> = Vec::new();
    for (left, right) in edits_at.into_iter().filter(|(left, right)| !left.is_empty() || !right.is_empty()) {
        match hunks.last_mut().filter(|hunk| hunk.left.end == left.start && hunk.right.end == right.start) {
            Some(hunk) => {
                hunk.left.end = left.end;
                hunk.right.end = right.end;
            }
            None => hunks.push(Hunk { left, right }),
        }
    }
    hunks
}

/// How often each record occurs, by the fields that are compared.
pub(super) fn multiset<'a>(
    rows: impl Iterator<Item = &'a RecordRow>,
    selection: Selection,
) -> HashMap<(u128, i64), usize> {
    let mut counts = HashMap::new();
    for row in rows {
        *counts.entry((row.content, if selection.timestamps { row.timestamp } else { 0 })).or_insert(0) += 1;
    }
    counts
}
