//! Comparison held against slow, obvious oracles.

use super::*;
use crate::digest::{CellBuilder, Gap, Profile, ROW_BYTES, RecordConsumer, RowBuilder, read_rows};
use crate::records::{Headers, RecordView, write_varint};
use proptest::prelude::*;

/// A record of the model: offset, timestamp, value.
type Model = (i64, i64, u8);

fn body(value: u8) -> Vec<u8> {
    let mut body = Vec::new();
    write_varint(&mut body, -1);
    write_varint(&mut body, 1);
    body.push(value);
    write_varint(&mut body, 0);
    body
}

fn feed(records: &[Model], stop: i64, consumer: &mut impl RecordConsumer) {
    consumer.batch(false);
    for (offset, timestamp, value) in records {
        consumer.gap(*offset, Gap::Unexplained);
        let body = body(*value);
        consumer.record(&RecordView {
            offset: *offset,
            timestamp: *timestamp,
            key: None,
            value: Some(&[*value]),
            headers: Headers::EMPTY,
            body: &body,
            canonical: true,
        });
    }
    consumer.gap(stop, Gap::Unexplained);
}

fn log(profile: &Profile, records: &[Model], start: i64, stop: i64, checkpoints: &[i64]) -> LogDigest {
    let mut builder = CellBuilder::new(profile, start, checkpoints);
    feed(records, stop, &mut builder);
    let (cells, anchors) = builder.finish();
    LogDigest::new(&cells, &anchors, start, profile.base()).unwrap()
}

fn rows(profile: &Profile, records: &[Model]) -> Vec<RecordRow> {
    let start = records.first().map_or(0, |record| record.0);
    let mut builder = RowBuilder::new(profile, start, records.len());
    feed(records, records.last().map_or(0, |record| record.0 + 1), &mut builder);
    let bytes = builder.finish();
    assert_eq!(bytes.len(), records.len() * ROW_BYTES);
    read_rows(&bytes).unwrap()
}

/// Few values, so that repeats are common, and a history that is cut, edited and shifted.
fn logs() -> impl Strategy<Value = (Vec<Model>, Vec<Model>)> {
    let record = (1_i64..4, 0_i64..3, 0_u8..3);
    let side = prop::collection::vec(record, 0..60);
    (side.clone(), side, any::<prop::sample::Index>(), 0_i64..3, 0..4_u8).prop_map(
        |(left, other, cut, shift, how)| {
            let place = |steps: &[(i64, i64, u8)], from: i64| -> Vec<Model> {
                let mut offset = from;
                steps
                    .iter()
                    .map(|(step, timestamp, value)| {
                        offset += step;
                        (offset, *timestamp, *value)
                    })
                    .collect()
            };
            let at = cut.index(left.len() + 1);
            let mut right = left.clone();
            match how {
                0 => right.truncate(at),
                1 => drop(
                    right.splice(at.min(right.len())..right.len().min(at + 2), other.iter().copied().take(1)),
                ),
                2 => right.extend(other),
                _ => (),
            }
            (place(&left, 0), place(&right, shift))
        },
    )
}

fn same(left: &Model, right: &Model, selection: Selection) -> bool {
    left.2 == right.2
        && (!selection.timestamps || left.1 == right.1)
        && (!selection.offsets || left.0 == right.0)
}

proptest! {
    #[test]
    fn equal_digests_are_equal_records((left, right) in logs(), timestamps: bool, offsets: bool) {
        let (profile, selection) = (Profile::default(), Selection { timestamps, offsets });
        let whole = |records: &[Model]| log(&profile, records, 0, 500, &[]).whole();
        let equal = left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| same(a, b, selection));
        prop_assert_eq!(selection.same(&whole(&left), &whole(&right)), equal);
    }

    #[test]
    fn ordinals_bracket_the_common_prefix_and_suffix((left, right) in logs(), timestamps: bool, pins in prop::collection::vec(0_i64..150, 0..12)) {
        let (profile, selection) = (Profile::default(), Selection { timestamps, offsets: false });
        let (a, b) = (log(&profile, &left, 0, 500, &pins), log(&profile, &right, 0, 500, &pins));
        let found = align_by_ordinal(&a, &b, selection, profile.base());
        let prefix = left.iter().zip(&right).take_while(|(a, b)| same(a, b, selection)).count();
        let suffix = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| same(a, b, selection)).count();
        prop_assert!(found.prefix.records <= prefix as u64);
        prop_assert!(found.suffix.records <= suffix as u64);
        let shorter = left.len().min(right.len()) as u64;
        prop_assert!(found.prefix.records + found.suffix.records <= shorter);
        match found.differs_before {
            Some(place) => prop_assert!(place.records > prefix as u64),
            None => prop_assert!(found.prefix.records <= shorter),
        }
        let below = |records: &[Model], at: i64| records.iter().filter(|record| record.0 < at).count() as u64;
        prop_assert_eq!(below(&left, found.prefix.left), found.prefix.records);
        prop_assert_eq!(below(&right, found.prefix.right), found.prefix.records);
    }

    #[test]
    fn offsets_leave_exactly_the_differing_stretches_dirty((left, right) in logs(), pins in prop::collection::vec(0_i64..150, 0..12)) {
        let (profile, selection) = (Profile::default(), Selection { timestamps: true, offsets: false });
        let (a, b) = (log(&profile, &left, 0, 300, &pins), log(&profile, &right, 0, 300, &pins));
        let found = align_by_offset(&a, &b, selection, profile.base()).unwrap();
        let differs = |offset: i64| {
            left.iter().find(|record| record.0 == offset) != right.iter().find(|record| record.0 == offset)
        };
        for offset in 0..300 {
            let dirty = found.dirty.iter().any(|stretch| (stretch.left.0..stretch.left.1).contains(&offset));
            prop_assert!(dirty || !differs(offset), "offset {} differs and is not dirty", offset);
        }
        for stretch in &found.dirty {
            prop_assert!((stretch.left.0..stretch.left.1).any(differs));
        }
        let dirty: u64 = found.dirty.iter().map(|stretch| stretch.left_records).sum();
        prop_assert_eq!(found.matched + dirty, left.len() as u64);
    }

    #[test]
    fn an_edit_script_is_shortest_and_leads_from_left_to_right((left, right) in logs(), timestamps: bool) {
        let (profile, selection) = (Profile::default(), Selection { timestamps, offsets: false });
        let (a, b) = (rows(&profile, &left), rows(&profile, &right));
        let hunks = diff_by_content(&a, &b, selection, 1000, false).unwrap();
        let (mut i, mut j) = (0, 0);
        for hunk in &hunks {
            prop_assert_eq!(hunk.left.start - i, hunk.right.start - j);
            while i < hunk.left.start {
                prop_assert!(same(&left[i], &right[j], selection));
                (i, j) = (i + 1, j + 1);
            }
            (i, j) = (hunk.left.end, hunk.right.end);
        }
        prop_assert_eq!(left.len() - i, right.len() - j);
        prop_assert!((i..left.len()).zip(j..right.len()).all(|(i, j)| same(&left[i], &right[j], selection)));
        let edits: usize = hunks.iter().map(|hunk| hunk.left.len() + hunk.right.len()).sum();
        prop_assert_eq!(edits, left.len() + right.len() - 2 * longest_common(&left, &right, selection));
        let limited = diff_by_content(&a, &b, selection, edits.saturating_sub(1), false);
        prop_assert!(limited.is_none() || edits == 0 || hunks.len() == 1);
    }

    #[test]
    fn an_open_end_leaves_fewest_unmatched_and_costs_nothing((left, right) in logs(), timestamps: bool) {
        let (profile, selection) = (Profile::default(), Selection { timestamps, offsets: false });
        let (a, b) = (rows(&profile, &left), rows(&profile, &right));
        let hunks = diff_by_content(&a, &b, selection, 1000, true).unwrap();
        let (mut i, mut j) = (0, 0);
        for hunk in &hunks {
            prop_assert_eq!(hunk.left.start - i, hunk.right.start - j);
            prop_assert!((i..hunk.left.start).zip(j..hunk.right.start).all(|(i, j)| same(&left[i], &right[j], selection)));
            (i, j) = (hunk.left.end, hunk.right.end);
        }
        prop_assert_eq!(left.len() - i, right.len() - j);
        prop_assert!((i..left.len()).zip(j..right.len()).all(|(i, j)| same(&left[i], &right[j], selection)));
        let unmatched: usize = hunks.iter().map(|hunk| hunk.left.len() + hunk.right.len()).sum();
        prop_assert_eq!(unmatched, left.len() + right.len() - 2 * longest_common(&left, &right, selection));
        if left.len() < right.len() && left.iter().zip(&right).all(|(a, b)| same(a, b, selection)) {
            let cheap = diff_by_content(&a, &b, selection, 0, true).unwrap();
            prop_assert_eq!(cheap, [Hunk { left: left.len()..left.len(), right: left.len()..right.len() }]);
        }
    }

    #[test]
    fn a_join_by_offset_finds_every_offset_that_differs((left, right) in logs()) {
        let profile = Profile::default();
        let selection = Selection { timestamps: true, offsets: false };
        let (a, b) = (rows(&profile, &left), rows(&profile, &right));
        let hunks = diff_by_offset(&a, &b, selection);
        let mut unmatched: Vec<i64> = hunks
            .iter()
            .flat_map(|hunk| a[hunk.left.clone()].iter().chain(&b[hunk.right.clone()]).map(|row| row.offset))
            .collect();
        unmatched.sort_unstable();
        unmatched.dedup();
        let mut expected: Vec<i64> = left.iter().filter(|r| !right.contains(r)).chain(right.iter().filter(|r| !left.contains(r))).map(|r| r.0).collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(unmatched, expected);
    }

    #[test]
    fn a_constant_shift_is_proven_and_nothing_else((left, _) in logs(), shift in -5_i64..5, moved in any::<prop::sample::Index>()) {
        prop_assume!(!left.is_empty());
        let profile = Profile::default();
        let right: Vec<Model> = left.iter().map(|r| (r.0 + shift + 5, r.1, r.2)).collect();
        let lanes = |records: &[Model]| log(&profile, records, 0, 600, &[]).whole();
        let relate = |right: &[Model]| relate_offsets(&lanes(&left), left[0].0, &lanes(right), right[0].0, profile.base());
        let expected = if shift == -5 { Relation::Identical } else { Relation::Shifted(shift + 5) };
        prop_assert_eq!(relate(&right), expected);
        let at = moved.index(left.len());
        if at > 0 {
            let broken: Vec<Model> = right.iter().enumerate().map(|(i, r)| (r.0 + i64::from(i >= at), r.1, r.2)).collect();
            prop_assert_eq!(relate(&broken), Relation::Mapped);
        }
    }
}

fn longest_common(left: &[Model], right: &[Model], selection: Selection) -> usize {
    let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..left.len() {
        for j in 0..right.len() {
            table[i + 1][j + 1] = if same(&left[i], &right[j], selection) {
                table[i][j] + 1
            } else {
                table[i][j + 1].max(table[i + 1][j])
            };
        }
    }
    table[left.len()][right.len()]
}

fn named(left: &[Model], right: &[Model], by_offset: bool, to_the_end: bool) -> Vec<(RunKind, u64, u8)> {
    runs(left, right, by_offset, to_the_end, false)
        .into_iter()
        .map(|run| (run.kind, run.records, run.fields))
        .collect()
}

fn runs(left: &[Model], right: &[Model], by_offset: bool, to_the_end: bool, epoch_starts: bool) -> Vec<Run> {
    let profile = Profile::default();
    let selection = Selection { timestamps: true, offsets: false };
    let (a, b) = (rows(&profile, left), rows(&profile, right));
    let hunks = if by_offset {
        diff_by_offset(&a, &b, selection)
    } else {
        diff_by_content(&a, &b, selection, 1000, false).unwrap()
    };
    let tables = Tables { left: &a, right: &b, selection, by_offset, to_the_end, epoch_starts };
    classify(&tables, &hunks)
}

#[test]
fn a_hole_before_an_open_end_is_one_run_however_little_follows_it() {
    let profile = Profile::default();
    let selection = Selection { timestamps: true, offsets: false };
    let log: Vec<Model> = (0..9).map(|at| (at, 10 + at, at as u8)).collect();
    let holed = [log[0], log[1], log[2], log[7], log[8]];
    let (a, b) = (rows(&profile, &holed), rows(&profile, &log));
    for more in [0, 1] {
        let hunks = diff_by_content(&a[..a.len() - more], &b, selection, 1000, true).unwrap();
        let tail = Hunk { left: 5 - more..5 - more, right: 9 - more..9 };
        let hole = Hunk { left: 3..3, right: 3..7 };
        assert_eq!(hunks, [vec![hole], vec![tail; more]].concat());
    }
    // Past the limit the end comes first.
    let hunks = diff_by_content(&a, &b, selection, 3, true).unwrap();
    assert_eq!(hunks, [Hunk { left: 3..5, right: 3..9 }]);
}

#[test]
fn a_changed_last_record_before_a_tail_is_a_change_and_a_tail() {
    let log = [(0, 10, 1), (1, 11, 2), (2, 12, 3), (3, 13, 4), (4, 14, 5)];
    let tail =
        |records: &[Run]| records.iter().map(|run| (run.kind, run.records, run.alone)).collect::<Vec<_>>();
    for by_offset in [true, false] {
        let value = [log[0], (1, 11, 9)];
        let found = runs(&value, &log, by_offset, true, false);
        assert_eq!(tail(&found), [(RunKind::Changed, 1, false), (RunKind::OnlyRight, 3, true)]);
        assert_eq!((found[0].fields, found[1].right.clone()), (2, 2..5));
        let found = runs(&log, &value, by_offset, true, false);
        assert_eq!(tail(&found), [(RunKind::Changed, 1, false), (RunKind::OnlyLeft, 3, true)]);
        let time = runs(&[log[0], (1, 99, 2)], &log, by_offset, true, false);
        assert_eq!((time[0].kind, time[0].fields), (RunKind::Changed, 8));
        // Neither a field that says something in common, nor a place that is known, nor one history.
        let other = runs(&[log[0], (1, 99, 9)], &log, by_offset, true, false);
        assert_eq!(tail(&other), [(RunKind::OnlyLeft, 1, false), (RunKind::OnlyRight, 4, false)]);
        let epoch = runs(&value, &log, by_offset, true, true);
        assert_eq!(tail(&epoch), [(RunKind::Forked, 5, false)]);
        let two = runs(&[log[0], (1, 11, 8), (2, 12, 9)], &log, by_offset, true, false);
        assert_eq!(tail(&two), [(RunKind::Forked, 6, false)]);
        let inside = runs(&value, &log, by_offset, false, false);
        assert_eq!(inside[0].kind, RunKind::OnlyLeft);
    }
    let moved = runs(&[log[0], (2, 11, 9)], &log, true, true, false);
    assert_eq!(moved[0].kind, RunKind::OnlyLeft);
}

#[test]
fn kinds_are_named_in_their_order() {
    let log = [(0, 10, 1), (1, 11, 2), (2, 12, 3), (3, 13, 4), (4, 14, 5)];
    let with = |at: usize, record: Model| {
        let mut other = log;
        other[at] = record;
        other
    };
    assert_eq!(named(&log, &log, true, true), []);
    assert_eq!(named(&log, &with(2, (2, 12, 9)), true, true), [(RunKind::Changed, 1, 2)]);
    assert_eq!(named(&log, &with(2, (2, 99, 3)), true, true), [(RunKind::Changed, 1, 8)]);
    assert_eq!(named(&log, &with(4, (4, 14, 9)), true, true), [(RunKind::Changed, 1, 2)]);
    let swapped = [log[0], (1, 12, 3), (2, 11, 2), log[3], log[4]];
    assert_eq!(named(&log, &swapped, true, true), [(RunKind::Reordered, 2, 0)]);
    let lacking = [log[0], log[1], log[3], log[4]];
    assert_eq!(named(&log, &lacking, true, true), [(RunKind::OnlyLeft, 1, 0)]);
    let doubled = [log[0], log[1], (2, 11, 2), (3, 12, 3), (4, 13, 4), (5, 14, 5)];
    assert_eq!(named(&log, &doubled, false, true), [(RunKind::Duplicated, 1, 0)]);
}

#[test]
fn a_shift_by_offset_is_not_called_a_change() {
    let log = [(0, 10, 1), (1, 11, 2), (2, 12, 3), (3, 13, 4)];
    let shifted = [(0, 10, 1), (1, 99, 9), (2, 11, 2), (3, 12, 3), (4, 13, 4)];
    assert_eq!(named(&log, &shifted, true, true)[0].0, RunKind::Unclassified);
    assert_eq!(named(&log, &shifted, false, true), [(RunKind::OnlyRight, 1, 0)]);
}

#[test]
fn traffic_that_repeats_by_nature_is_not_duplicated() {
    let beats = |count: i64| (0..count).map(|offset| (offset, -1, 7)).collect::<Vec<Model>>();
    assert_eq!(named(&beats(10), &beats(12), false, true), [(RunKind::OnlyRight, 2, 0)]);
    assert_eq!(named(&beats(1), &beats(2), false, true), [(RunKind::Duplicated, 1, 0)]);
}

#[test]
fn a_fork_has_no_common_record_after_it_and_two_on_each_side() {
    let left = [(0, 10, 1), (1, 11, 2), (2, 12, 3)];
    let forked = [(0, 10, 1), (1, 21, 7), (2, 22, 8), (3, 23, 9)];
    assert_eq!(named(&left, &forked, false, true), [(RunKind::Forked, 5, 0)]);
    assert_eq!(named(&left, &forked, true, true), [(RunKind::Forked, 5, 0)]);
    // The same length, and not one field kept at a position whose headers alone agree is still a change.
    let short = [(0, 10, 1), (1, 11, 2), (2, 22, 8)];
    assert_eq!(named(&left, &short, true, true)[0].0, RunKind::Changed);
    // Not at the end: the same position, other bytes.
    assert_eq!(named(&left, &[(0, 10, 1), (1, 21, 7), (2, 12, 3)], true, false)[0].0, RunKind::Changed);
}
