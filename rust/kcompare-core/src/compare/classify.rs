//! Hunks become runs with a kind. The kinds are tried in the order of `docs/semantics.md`; what a run does to the
//! verdict is decided elsewhere.

use super::Selection;
use super::diff::{Hunk, are_disjoint, multiset};
use crate::digest::RecordRow;
use std::collections::HashSet;
use std::ops::Range;

/// What a run is, as far as the records of the stretch tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// One side repeats what stands right beside it.
    Duplicated,
    /// The same records in another order.
    Reordered,
    /// The same position, other bytes.
    Changed,
    /// Two histories from here on.
    Forked,
    /// The right side lacks them.
    OnlyLeft,
    /// The left side lacks them.
    OnlyRight,
    /// Matched by offset to the end of the log, but the same records stand at other offsets: they were moved, and by
    /// offset nothing more can be said.
    Unclassified,
}

/// A run of records on one side or both: indices into the rows that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What it is.
    pub kind: RunKind,
    /// Rows on the left.
    pub left: Range<usize>,
    /// Rows on the right.
    pub right: Range<usize>,
    /// Records it is about.
    pub records: u64,
    /// For changed runs, the fields that differ in any of its records: key 1, value 2, headers 4, timestamp 8,
    /// offset 16.
    pub fields: u8,
    /// The other side has no unmatched record at this place.
    pub alone: bool,
}

/// The rows of a stretch and what is known of its place.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// Rows on the left; those before the first hunk are context.
    pub left: &'a [RecordRow],
    /// Rows on the right.
    pub right: &'a [RecordRow],
    /// What is compared.
    pub selection: Selection,
    /// Records at the same offset are at the same position.
    pub by_offset: bool,
    /// The rows go on to the end of both logs.
    pub to_the_end: bool,
    /// A leader epoch begins, on one side, at the first unmatched record.
    pub epoch_starts: bool,
}

impl Tables<'_> {
    fn fields(&self, left: &RecordRow, right: &RecordRow) -> u8 {
        let bit = |differs: bool, value: u8| if differs { value } else { 0 };
        bit((left.key_bytes, left.key) != (right.key_bytes, right.key), 1)
            | bit((left.value_bytes, left.value) != (right.value_bytes, right.value), 2)
            | bit((left.header_count, left.headers) != (right.header_count, right.headers), 4)
            | bit(self.selection.timestamps && left.timestamp != right.timestamp, 8)
            | bit(self.selection.offsets && left.offset != right.offset, 16)
    }

    /// Whether a field that two records seldom share by chance is the same in both.
    fn shares_a_field(&self, left: &RecordRow, right: &RecordRow) -> bool {
        let differing = self.fields(left, right);
        let same = |bit: u8, says_something: bool| says_something && differing & bit == 0;
        same(1, left.key_bytes > 0)
            || same(2, left.value_bytes > 0)
            || same(4, left.header_count > 0)
            || same(8, self.selection.timestamps && left.timestamp >= 0)
    }

    fn every_field(&self) -> u8 {
        7 | if self.selection.timestamps { 8 } else { 0 } | if self.selection.offsets { 16 } else { 0 }
    }

    /// Whether the hunk is the last thing on both sides.
    fn is_last(&self, hunk: &Hunk) -> bool {
        self.to_the_end && hunk.left.end == self.left.len() && hunk.right.end == self.right.len()
    }
}

/// Records of a run that are looked for elsewhere, to tell a repetition from traffic that repeats by nature.
const SPECIAL_RECORDS: usize = 16;

/// Names each hunk. Changed records of a hunk are joined into runs as long as the same fields differ.
pub fn classify(tables: &Tables<'_>, hunks: &[Hunk]) -> Vec<Run> {
    if let Some(run) = reordered(tables, hunks) {
        return vec![run];
    }
    let mut runs = Vec::new();
    for hunk in hunks {
        if let Some(run) = duplicated(tables, hunk) {
            runs.push(run);
        } else if is_shifted(tables, hunk) {
            let records = (hunk.left.len() + hunk.right.len()) as u64;
            runs.push(run(RunKind::Unclassified, hunk.left.clone(), hunk.right.clone(), records));
        } else if let Some(changed) = changed(tables, hunk) {
            runs.extend(changed);
        } else if let Some(parts) = changed_before_a_tail(tables, hunk) {
            runs.extend(parts);
        } else if is_forked(tables, hunk) {
            let records = (hunk.left.len() + hunk.right.len()) as u64;
            runs.push(run(RunKind::Forked, hunk.left.clone(), hunk.right.clone(), records));
        } else {
            one_sided(hunk, &mut runs);
        }
    }
    runs
}

fn run(kind: RunKind, left: Range<usize>, right: Range<usize>, records: u64) -> Run {
    Run { kind, left, right, records, fields: 0, alone: false }
}

/// The unmatched records of all hunks together are the same on both sides.
fn reordered(tables: &Tables<'_>, hunks: &[Hunk]) -> Option<Run> {
    let (first, last) = (hunks.first()?, hunks.last()?);
    let left: Vec<&RecordRow> = hunks.iter().flat_map(|hunk| &tables.left[hunk.left.clone()]).collect();
    let right: Vec<&RecordRow> = hunks.iter().flat_map(|hunk| &tables.right[hunk.right.clone()]).collect();
    // With offsets compared, a moved record is another record.
    if left.len() != right.len() || left.is_empty() || tables.selection.offsets {
        return None;
    }
    let count = |rows: &[&RecordRow]| multiset(rows.iter().copied(), tables.selection);
    let records = left.len() as u64;
    (count(&left) == count(&right)).then(|| {
        run(RunKind::Reordered, first.left.start..last.left.end, first.right.start..last.right.end, records)
    })
}

/// A one-sided run that repeats, in content and timestamp, as many records right before or behind it. One of its
/// records must occur nowhere else around: a run of what comes again and again (heartbeats) is no repetition.
fn duplicated(tables: &Tables<'_>, hunk: &Hunk) -> Option<Run> {
    let (rows, here) = match (hunk.left.is_empty(), hunk.right.is_empty()) {
        (false, true) => (tables.left, &hunk.left),
        (true, false) => (tables.right, &hunk.right),
        _ => return None,
    };
    let length = here.len();
    let same = |other: &[RecordRow]| {
        rows[here.clone()]
            .iter()
            .zip(other)
            .all(|(a, b)| (a.content, a.timestamp) == (b.content, b.timestamp))
    };
    let key = |row: &RecordRow| (row.content, row.timestamp);
    let elsewhere = |wanted: &RecordRow| {
        rows.iter().enumerate().filter(|(at, row)| !here.contains(at) && key(row) == key(wanted)).count()
    };
    // Looked at only where the neighbours are the same already, which ordinary records never are.
    let is_special = || rows[here.clone()].iter().take(SPECIAL_RECORDS).any(|row| elsewhere(row) == 1);
    let before = here.start.checked_sub(length).is_some_and(|start| same(&rows[start..here.start]));
    let behind = rows.get(here.end..here.end + length).is_some_and(same);
    ((before || behind) && is_special())
        .then(|| run(RunKind::Duplicated, hunk.left.clone(), hunk.right.clone(), length as u64))
}

/// As many records on both sides, at the same positions. To the end of the log too, where each position must keep a
/// field: otherwise two histories of the same length would pass as one that was changed.
fn changed(tables: &Tables<'_>, hunk: &Hunk) -> Option<Vec<Run>> {
    if hunk.left.is_empty() || hunk.left.len() != hunk.right.len() {
        return None;
    }
    let pairs = || hunk.left.clone().zip(hunk.right.clone());
    let moved = |(i, j): (usize, usize)| tables.by_offset && tables.left[i].offset != tables.right[j].offset;
    if pairs().any(moved) {
        return None;
    }
    let differing: Vec<u8> = pairs().map(|(i, j)| tables.fields(&tables.left[i], &tables.right[j])).collect();
    if tables.is_last(hunk) && differing.iter().any(|fields| *fields == tables.every_field()) {
        return None;
    }
    let mut runs: Vec<Run> = Vec::new();
    for ((i, j), fields) in pairs().zip(differing) {
        match runs.last_mut().filter(|run| run.fields == fields) {
            Some(run) => {
                run.left.end = i + 1;
                run.right.end = j + 1;
                run.records += 1;
            }
            None => runs.push(Run {
                kind: RunKind::Changed,
                left: i..i + 1,
                right: j..j + 1,
                records: 1,
                fields,
                alone: false,
            }),
        }
    }
    Some(runs)
}

/// The last record of one side against a record that more follow on the other: changed, and the rest is a tail.
///
/// Two histories would look alike, so a field that tells records apart has to be the same in both, and no more than one
/// record may differ: of two there may be a fork.
fn changed_before_a_tail(tables: &Tables<'_>, hunk: &Hunk) -> Option<[Run; 2]> {
    let (left, right) = (&tables.left[hunk.left.clone()], &tables.right[hunk.right.clone()]);
    if !tables.is_last(hunk) || tables.epoch_starts || left.len().min(right.len()) != 1 {
        return None;
    }
    let (a, b) = (left.first()?, right.first()?);
    let keeps_its_place = !tables.by_offset || a.offset == b.offset;
    if !keeps_its_place || !tables.shares_a_field(a, b) || !are_disjoint(left, right, tables.selection) {
        return None;
    }
    let (i, j) = (hunk.left.start, hunk.right.start);
    let changed = Run { fields: tables.fields(a, b), ..run(RunKind::Changed, i..i + 1, j..j + 1, 1) };
    let (kind, more) = if left.len() > 1 {
        (RunKind::OnlyLeft, left.len() - 1)
    } else {
        (RunKind::OnlyRight, right.len() - 1)
    };
    let rest = run(kind, i + 1..hunk.left.end, j + 1..hunk.right.end, more as u64);
    Some([changed, Run { alone: true, ..rest }])
}

/// Two records of one side that follow each other follow each other on the other side too, at other offsets. One
/// alone may be a value that simply comes again.
fn is_shifted(tables: &Tables<'_>, hunk: &Hunk) -> bool {
    if !tables.by_offset || !tables.is_last(hunk) || tables.selection.offsets {
        return false;
    }
    let record = |row: &RecordRow| (row.content, if tables.selection.timestamps { row.timestamp } else { 0 });
    let pairs = |rows: &[RecordRow]| -> HashSet<_> {
        rows.windows(2).map(|pair| (record(&pair[0]), record(&pair[1]))).collect()
    };
    let left = pairs(&tables.left[hunk.left.clone()]);
    pairs(&tables.right[hunk.right.clone()]).iter().any(|pair| left.contains(pair))
}

fn is_forked(tables: &Tables<'_>, hunk: &Hunk) -> bool {
    if !tables.is_last(hunk) || hunk.left.is_empty() || hunk.right.is_empty() {
        return false;
    }
    let (left, right) = (&tables.left[hunk.left.clone()], &tables.right[hunk.right.clone()]);
    tables.epoch_starts
        || (left.len() >= 2 && right.len() >= 2 && are_disjoint(left, right, tables.selection))
}

fn one_sided(hunk: &Hunk, runs: &mut Vec<Run>) {
    let alone = hunk.left.is_empty() || hunk.right.is_empty();
    if !hunk.left.is_empty() {
        let (right, records) = (hunk.right.start..hunk.right.start, hunk.left.len() as u64);
        runs.push(Run { alone, ..run(RunKind::OnlyLeft, hunk.left.clone(), right, records) });
    }
    if !hunk.right.is_empty() {
        let (left, records) = (hunk.left.end..hunk.left.end, hunk.right.len() as u64);
        runs.push(Run { alone, ..run(RunKind::OnlyRight, left, hunk.right.clone(), records) });
    }
}
