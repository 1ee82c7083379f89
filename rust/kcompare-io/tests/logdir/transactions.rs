//! Aborted and open transactions, by the control batches of the log.

use kcompare_core::digest::Gap;
use kcompare_core::records::{BatchBuilder, ControlRecordType};
use kcompare_io::logdir::ReadEnd;

use crate::support::*;

#[test]
fn aborted_records_are_none_and_committed_ones_are() {
    let dir = Dir::new();
    dir.segment(
        0,
        &[transactional(0, 3, 7), transactional(3, 3, 8), marker(6, 7, ABORT), transactional(7, 2, 7)],
    );
    dir.segment(9, &[marker(9, 8, COMMIT), marker(10, 7, COMMIT), batch(11, 2)]);
    let log = dir.log();
    assert_eq!(log.bounds().last_stable_offset, 13);
    let read = read_all(&log, ReadCommitted);
    assert_eq!((read.offsets(), read.out.aborted.clone()), (vec![3, 4, 5, 7, 8, 11, 12], vec![0, 1, 2]));
    assert_eq!(read.out.gaps, [(6, 7, Gap::Control), (9, 10, Gap::Control), (10, 11, Gap::Control)]);
    let read = read_all(&log, ReadUncommitted);
    assert_eq!(read.offsets(), [0, 1, 2, 3, 4, 5, 7, 8, 11, 12]);
    // A marker that lies in a later slice, in another file, is known.
    assert_eq!(crate::support::read(&log, 1, 3, ReadCommitted).out.aborted, [1, 2]);
    assert_eq!(log.aborted_transactions(0, 3).len(), 1);
    assert_eq!(log.aborted_transactions(7, 13).len(), 0);
}

#[test]
fn an_open_transaction_ends_what_is_stable() {
    let dir = Dir::new();
    dir.segment(0, &[batch(0, 5), transactional(5, 3, 7), batch(8, 2)]);
    let log = dir.log();
    assert_eq!((log.bounds().last_stable_offset, log.bounds().log_end_offset), (5, 10));
    let read = read_all(&log, ReadCommitted);
    assert_eq!(
        (read.offsets(), read.end, read.position, read.reached),
        (vec![0, 1, 2, 3, 4], ReadEnd::OpenTransaction, 5, 5)
    );
    assert_eq!(read_all(&log, ReadUncommitted).offsets().len(), 10);
    assert_eq!(crate::support::read(&log, 7, 10, ReadCommitted).end, ReadEnd::OpenTransaction);
}

#[test]
fn a_torn_tail_hides_no_marker_but_leaves_the_transaction_open() {
    let dir = Dir::new();
    let mut end = batch(8, 5);
    end.truncate(40);
    dir.segment(0, &[batch(0, 5), transactional(5, 3, 7), end]);
    let log = dir.log();
    assert_eq!((log.bounds().last_stable_offset, log.bounds().log_end_offset), (5, 8));
    assert_eq!(read_all(&log, ReadCommitted).end, ReadEnd::OpenTransaction);
}

#[test]
fn a_transaction_in_the_tail_that_is_cut_off_was_never_begun() {
    let dir = Dir::new();
    let mut end = transactional(5, 3, 7);
    *end.last_mut().unwrap() ^= 1;
    dir.segment(0, &[batch(0, 5), end]);
    let log = dir.log();
    assert_eq!((log.bounds().last_stable_offset, log.bounds().log_end_offset), (5, 5));
    assert_eq!(read_all(&log, ReadCommitted).end, ReadEnd::Reached);
}

/// The records of producer 7 at 0..3, something that may hide its marker, and then an aborted transaction of it.
fn hidden(between: Vec<Vec<u8>>, at: i64) -> (Dir, Read) {
    let dir = Dir::new();
    let behind = vec![transactional(at, 3, 7), marker(at + 3, 7, ABORT), batch(at + 4, 1)];
    dir.segment(0, &[vec![transactional(0, 3, 7)], between, behind].concat());
    let read = read_all(&dir.log(), ReadCommitted);
    (dir, read)
}

#[test]
fn what_a_lost_marker_may_have_ended_is_not_given_to_the_next_one() {
    let (_dir, sound) = hidden(vec![marker(3, 7, COMMIT)], 4);
    assert_eq!((sound.offsets(), sound.out.aborted), (vec![0, 1, 2, 8], vec![4, 5, 6]));
    let mut bits = 0;
    let good = marker(3, 7, COMMIT);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let (_dir, read) = hidden(vec![bad], 4);
        if bit / 8 >= 12 && bit / 8 < 16 {
            // The leader epoch says nothing of transactions, and is no part of the CRC.
            continue;
        }
        assert!(!read.out.aborted.contains(&0), "bit {bit}: {read:?}");
        assert!(!read.unread.is_empty(), "bit {bit}: {read:?}");
        assert_eq!(read.out.aborted.clone(), [4, 5, 6], "bit {bit}: {read:?}");
        bits += 1;
    }
    assert_eq!(bits, good.len() * 8 - 32);
}

#[test]
fn a_hole_may_hide_a_marker_where_nothing_was_compacted() {
    let (dir, read) = hidden(vec![], 4);
    assert_eq!((read.offsets(), read.out.aborted.clone()), (vec![8], vec![4, 5, 6]));
    assert_eq!(read.unread(), [(0, 4, "missing_segment")]);
    dir.checkpoint("cleaner", 9);
    let read = read_all(&dir.log(), ReadCommitted);
    assert_eq!((read.out.aborted.clone(), read.unread()), (vec![0, 1, 2, 4, 5, 6], vec![]));
}

#[test]
fn a_missing_segment_may_hide_a_marker() {
    let dir = Dir::new();
    dir.segment(0, &[transactional(0, 3, 7), batch(3, 1)]);
    dir.segment(10, &[marker(10, 7, ABORT), batch(11, 1)]);
    let read = read_all(&dir.log(), ReadCommitted);
    assert_eq!((read.offsets(), read.out.aborted.clone()), (vec![3, 11], vec![]));
    assert_eq!(read.unread(), [(0, 3, "missing_segment"), (4, 10, "missing_segment")]);
}

#[test]
fn an_empty_batch_that_the_cleaner_kept_opens_nothing() {
    let dir = Dir::new();
    let kept = BatchBuilder::new(0).producer(7, 0, 0).transactional().last_offset_delta(4).build().unwrap();
    dir.segment(0, &[kept, batch(5, 2)]);
    assert_eq!(dir.log().bounds().last_stable_offset, 7);
}

#[test]
fn a_control_batch_that_cannot_be_understood_makes_what_is_open_doubtful() {
    let odd = {
        let mut builder = BatchBuilder::new(3).producer(7, 0, -1).transactional().control();
        builder.append(0, Some(&[0]), None).unwrap();
        builder.build().unwrap()
    };
    let (_dir, read) = hidden(vec![odd], 4);
    assert_eq!((read.out.aborted.clone(), read.offsets()), (vec![4, 5, 6], vec![8]));
    assert_eq!(read.unread(), [(0, 4, "damage_before_end")]);
    let (_dir, read) = hidden(vec![marker(3, 7, ControlRecordType::Other(5))], 4);
    assert_eq!(read.out.aborted.clone(), [0, 1, 2, 4, 5, 6]);
}
