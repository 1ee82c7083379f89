//! Where a log starts and ends, and why.

use std::fs;

use kcompare_io::logdir::{DamageKind, EndReason};

use crate::support::*;

fn lost(log: &kcompare_io::logdir::PartitionLog) -> Vec<(i64, i64, &'static str)> {
    log.lost().iter().map(|lost| (lost.start, lost.stop, lost.reason.name())).collect()
}

#[test]
fn a_log_over_two_segments() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.segment(30, &thirty(30));
    let log = dir.log();
    let bounds = log.bounds();
    assert_eq!((bounds.log_start_offset, bounds.log_end_offset, bounds.last_stable_offset), (0, 60, 60));
    assert_eq!((bounds.readable_end_offset, bounds.end_reason), (60, EndReason::EndOfSegment));
    assert_eq!((lost(&log), log.segment_holes(), log.damages()), (vec![], &[][..], &[][..]));
    let read = read_all(&log, ReadCommitted);
    assert_eq!(read.offsets(), (0..60).collect::<Vec<_>>());
    assert_eq!((read.unread(), read.reached), (vec![], 60));
}

#[test]
fn every_slice_of_a_log_has_its_records() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.segment(30, &thirty(30));
    let log = dir.log();
    for start in 0..60 {
        for stop in start..=60 {
            let read = read(&log, start, stop, ReadUncommitted);
            assert_eq!(read.offsets(), (start..stop).collect::<Vec<_>>(), "{start} to {stop}");
            assert_eq!((read.unread(), read.reached), (vec![], stop));
        }
    }
}

#[test]
fn a_missing_middle_segment_is_lost() {
    let dir = Dir::new();
    for base in [0, 30, 60] {
        dir.segment(base, &thirty(base));
    }
    fs::remove_file(dir.segment_path(30)).unwrap();
    let log = dir.log();
    assert_eq!(lost(&log), [(30, 60, "missing_segment")]);
    assert_eq!(log.segment_holes(), [(30, 60)]);
    let read = read_all(&log, ReadUncommitted);
    assert_eq!(read.unread(), [(30, 60, "missing_segment")]);
    assert_eq!(read.offsets(), (0..30).chain(60..90).collect::<Vec<_>>());
}

#[test]
fn the_cleaner_explains_a_hole_that_it_has_passed() {
    let dir = Dir::new();
    for base in [0, 60] {
        dir.segment(base, &thirty(base));
    }
    dir.checkpoint("cleaner", 60);
    let log = dir.log();
    assert_eq!((lost(&log), log.segment_holes()), (vec![], &[(30, 60)][..]));
    let read = read_all(&log, ReadUncommitted);
    assert_eq!((read.unread(), read.reached), (vec![], 90));
    // What it has not passed yet has no holes.
    dir.checkpoint("cleaner", 59);
    assert_eq!(lost(&dir.log()), [(30, 60, "missing_segment")]);
}

#[test]
fn a_missing_first_segment_shows_by_the_log_start_checkpoint() {
    let dir = Dir::new();
    dir.segment(30, &thirty(30));
    dir.checkpoint("log-start", 5);
    let log = dir.log();
    assert_eq!(log.bounds().log_start_offset, 5);
    assert_eq!(lost(&log), [(5, 30, "missing_segment")]);
    let read = read_all(&log, ReadUncommitted);
    assert_eq!(read.unread(), [(5, 30, "missing_segment")]);
    fs::create_dir(dir.root.join("remote-log-index-cache")).unwrap();
    assert_eq!(lost(&dir.log()), [(5, 30, "remote_only")]);
}

#[test]
fn a_log_start_within_a_segment_hides_what_lies_below() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.checkpoint("log-start", 13);
    let log = dir.log();
    assert_eq!((log.bounds().log_start_offset, lost(&log)), (13, vec![]));
    assert_eq!(read_all(&log, ReadUncommitted).offsets(), (13..30).collect::<Vec<_>>());
}

#[test]
fn flushed_offsets_that_are_gone_are_planned() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.recovery_point(45);
    let log = dir.log();
    let bounds = log.bounds();
    assert_eq!((bounds.log_end_offset, bounds.readable_end_offset), (45, 30));
    assert_eq!(bounds.end_reason, EndReason::RecoveryPoint);
    assert_eq!(lost(&log), [(30, 45, "missing_segment")]);
    let read = read_all(&log, ReadCommitted);
    assert_eq!((read.unread(), read.reached), (vec![(30, 45, "missing_segment")], 45));
}

#[test]
fn a_torn_tail_is_an_end_past_the_recovery_point_only() {
    let dir = Dir::new();
    let mut bytes = thirty(0).concat();
    bytes.truncate(bytes.len() - 37);
    fs::write(dir.segment_path(0), &bytes).unwrap();
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (20, EndReason::TornTail));
    assert_eq!((log.damages().len(), log.damages()[0].kind, lost(&log)), (1, DamageKind::Torn, vec![]));
    dir.recovery_point(21);
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (21, EndReason::DamageBeforeEnd));
    assert_eq!(lost(&log), [(20, 21, "damage_before_end")]);
    assert_eq!(read_all(&log, ReadUncommitted).unread(), [(20, 21, "damage_before_end")]);
}

#[test]
fn after_a_clean_shutdown_without_a_recovery_point_damage_is_no_end() {
    let dir = Dir::new();
    let mut bytes = thirty(0).concat();
    bytes.truncate(bytes.len() - 1);
    fs::write(dir.segment_path(0), &bytes).unwrap();
    dir.clean_shutdown();
    assert_eq!(dir.log().bounds().end_reason, EndReason::TornTail);
    dir.write("recovery-point-offset-checkpoint", "0\n0\n");
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (21, EndReason::DamageBeforeEnd));
}

#[test]
fn without_a_recovery_point_file_damage_is_no_end() {
    let dir = Dir::new();
    fs::write(dir.segment_path(0), [thirty(0).concat(), vec![0; 500]].concat()).unwrap();
    assert_eq!(dir.log().bounds().end_reason, EndReason::ZeroTail);
    for text in [None, Some("1\n0\n"), Some("0\n2\nt 0 0\n"), Some("0\n1\nt 0 -1\n")] {
        match text {
            None => fs::remove_file(dir.root.join("recovery-point-offset-checkpoint")).unwrap(),
            Some(text) => dir.write("recovery-point-offset-checkpoint", text),
        }
        assert_eq!(dir.dirs().roots()[0].problems.len(), 1);
        let log = dir.log();
        assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (31, EndReason::DamageBeforeEnd));
    }
}

#[test]
fn a_zero_tail_however_long() {
    for zeros in [1, 16, 17, 61, 1000, 700_000] {
        let dir = Dir::new();
        fs::write(dir.segment_path(0), [thirty(0).concat(), vec![0; zeros]].concat()).unwrap();
        let log = dir.log();
        assert_eq!(
            (log.bounds().log_end_offset, log.bounds().end_reason),
            (30, EndReason::ZeroTail),
            "{zeros}"
        );
        assert_eq!(log.damages()[0].kind, DamageKind::Zeros);
    }
}

#[test]
fn bad_checksums_at_the_end_are_cut_off_up_to_the_last_sound_batch() {
    let dir = Dir::new();
    let mut batches = thirty(0);
    for damaged in &mut batches[1..] {
        *damaged.last_mut().unwrap() ^= 1;
    }
    dir.segment(0, &batches);
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (10, EndReason::CorruptTail));
    assert_eq!((log.damages()[0].kind, log.damages()[0].from), (DamageKind::BadCrc, 10));
    // Below the recovery point nothing is cut off.
    dir.recovery_point(20);
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (20, EndReason::CorruptTail));
    let read = read_all(&log, ReadUncommitted);
    assert_eq!((read.offsets().len(), read.reached), (10, 20));
    assert_eq!(read.unread(), [(10, 20, "corrupt_batch")]);
}

#[test]
fn damage_with_a_sound_batch_behind_it_is_no_end() {
    let dir = Dir::new();
    dir.segment(0, &[thirty(0), vec![vec![7; 100]], thirty(30)].concat());
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (60, EndReason::EndOfSegment));
    assert_eq!(lost(&log), [(30, 30, "damage_before_end")]);
    assert_eq!((log.damages()[0].from, log.damages()[0].to), (30, Some(30)));
    let read = read_all(&log, ReadUncommitted);
    assert_eq!((read.offsets().len(), read.unread()), (60, vec![(30, 30, "damage_before_end")]));
    // It belongs to one slice of two.
    assert_eq!(crate::support::read(&log, 0, 30, ReadUncommitted).unread(), []);
    assert_eq!(crate::support::read(&log, 30, 60, ReadUncommitted).unread(), [(30, 30, "damage_before_end")]);
}

#[test]
fn damage_at_the_end_of_a_segment_is_no_end_where_another_one_follows() {
    let dir = Dir::new();
    let bytes = thirty(0).concat();
    fs::write(dir.segment_path(0), &bytes[..bytes.len() - 20]).unwrap();
    dir.segment(30, &thirty(30));
    let log = dir.log();
    assert_eq!(log.bounds().log_end_offset, 60);
    assert_eq!(lost(&log), [(20, 30, "damage_before_end")]);
    let read = read_all(&log, ReadUncommitted);
    assert_eq!(read.unread(), [(20, 30, "damage_before_end")]);
    assert_eq!(read.offsets(), (0..20).chain(30..60).collect::<Vec<_>>());
    // Where the later one holds nothing sound, the log ends at the damage, as a broker makes it end there.
    fs::write(dir.segment_path(30), vec![0; 4096]).unwrap();
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (20, EndReason::TornTail));
    assert_eq!(log.damages().len(), 2);
    fs::write(dir.segment_path(30), vec![]).unwrap();
    assert_eq!(dir.log().bounds().log_end_offset, 20);
}

#[test]
fn an_empty_last_segment_says_how_far_the_log_came() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.segment(40, &[]);
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().readable_end_offset), (40, 30));
    assert_eq!(lost(&log), [(30, 40, "missing_segment")]);
    assert_eq!(read_all(&log, ReadUncommitted).unread(), [(30, 40, "missing_segment")]);
    dir.segment(30, &[]);
    fs::remove_file(dir.segment_path(40)).unwrap();
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, lost(&log)), (30, vec![]));
}

#[test]
fn swapped_segments_hold_nothing_that_belongs_to_them() {
    let dir = Dir::new();
    dir.segment(0, &thirty(30));
    dir.segment(30, &thirty(0));
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (31, EndReason::DamageBeforeEnd));
    let read = read_all(&log, ReadUncommitted);
    assert_eq!((read.offsets(), read.unread()), (vec![], vec![(0, 31, "damage_before_end")]));
}

#[test]
fn a_partition_without_a_segment_file_has_lost_something() {
    let dir = Dir::new();
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (1, EndReason::RecoveryPoint));
    assert_eq!(read_all(&log, ReadUncommitted).unread(), [(0, 1, "missing_segment")]);
    // One that is empty has lost nothing.
    dir.segment(0, &[]);
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (0, EndReason::EndOfSegment));
}

#[test]
fn a_log_that_ends_below_its_start_is_empty_and_says_so() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.checkpoint("log-start", 50);
    let log = dir.log();
    let bounds = log.bounds();
    assert_eq!((bounds.log_start_offset, bounds.log_end_offset, bounds.last_stable_offset), (50, 50, 50));
    assert_eq!(bounds.end_reason, EndReason::RecoveryPoint);
}
