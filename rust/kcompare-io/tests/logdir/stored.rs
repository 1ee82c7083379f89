//! What a broker is asked about a log: stored batches, epochs, offsets by time.

use std::fs;

use kcompare_core::records::{BatchBuilder, Codec};
use kcompare_io::cancel::CancelToken;
use kcompare_io::serve::{EpochStart, TimestampOffset};

use crate::support::*;

fn at(log: &kcompare_io::logdir::PartitionLog, timestamp: i64) -> Option<i64> {
    log.offset_for_timestamp(timestamp, &CancelToken::new()).unwrap().map(|found| found.offset)
}

#[test]
fn batches_are_given_as_they_are_stored() {
    let dir = Dir::new();
    let (first, second) = (thirty(0), thirty(30));
    dir.segment(0, &first);
    dir.segment(30, &second);
    let log = dir.log();
    let stored = |offset, stop, max_bytes| {
        let found = log.stored_batches(offset, stop, max_bytes).unwrap();
        (found.bytes.to_vec(), found.next_offset)
    };
    assert_eq!(stored(0, 60, 1 << 20), (first.concat(), 30));
    assert_eq!(stored(15, 60, 1 << 20), (first[1..].concat(), 30));
    assert_eq!(stored(15, 20, 1 << 20), (first[1].clone(), 20));
    assert_eq!(stored(15, 60, 1), (first[1].clone(), 20));
    assert_eq!(stored(15, 60, first[1].len() + first[2].len() - 1), (first[1].clone(), 20));
    assert_eq!(stored(30, 60, 1 << 20), (second.concat(), 60));
    assert_eq!(stored(60, 100, 1 << 20), (vec![], 60));
    let extent = log.stored_extent(15, 60, 1 << 20).unwrap().unwrap();
    let file = fs::read(&log.segments()[extent.segment].path).unwrap();
    let bytes = &file[extent.position as usize..][..extent.length];
    assert_eq!((bytes, extent.next_offset), (&first[1..].concat()[..], 30));
}

#[test]
fn stored_batches_pass_over_what_is_none_and_keep_what_has_a_bad_checksum() {
    let dir = Dir::new();
    let mut bad = batch(5, 5);
    *bad.last_mut().unwrap() ^= 1;
    dir.segment(0, &[batch(0, 5), bad.clone(), batch(10, 5), vec![9; 70], batch(15, 5)]);
    let log = dir.log();
    let found = log.stored_batches(5, 100, 1 << 20).unwrap();
    assert_eq!((found.bytes.to_vec(), found.next_offset), ([bad, batch(10, 5)].concat(), 15));
    let found = log.stored_batches(15, 100, 1 << 20).unwrap();
    assert_eq!((found.bytes.to_vec(), found.next_offset), (batch(15, 5), 20));
}

#[test]
fn every_offset_of_a_large_segment_is_found() {
    let dir = Dir::new();
    // More than one place of the index, with batches below and above the size of a hop.
    let value = vec![b'v'; 7000];
    let batches: Vec<Vec<u8>> = (0..200)
        .map(|number| {
            let mut builder = BatchBuilder::new(number * 3);
            let value = if number % 5 == 0 { &value[..] } else { b"v" };
            for _ in 0..3 {
                builder.append(number, None, Some(value)).unwrap();
            }
            builder.build().unwrap()
        })
        .collect();
    dir.segment(0, &batches);
    let log = dir.log();
    assert!(log.segments()[0].size > 512 << 10);
    for (offset, number) in (0..600).zip((0..200).flat_map(|number| [number; 3])) {
        let found = log.stored_batches(offset, 600, 1).unwrap();
        assert_eq!(found.bytes.to_vec(), batches[number as usize], "{offset}");
        assert_eq!(at(&log, number), Some(number * 3));
    }
}

#[test]
fn epochs_by_batches_and_by_the_checkpoint() {
    let dir = Dir::new();
    let of = |base, epoch| with(BatchBuilder::new(base).leader_epoch(epoch), base, 5);
    dir.segment(0, &[of(0, 2), of(5, 2), of(10, 5)]);
    dir.segment(15, &[of(15, 5), of(20, 9)]);
    dir.write("t-0/leader-epoch-checkpoint", "0\n3\n2 0\n5 10\n9 20\n");
    let log = dir.log();
    let epoch = |leader_epoch, start_offset| EpochStart { leader_epoch, start_offset };
    assert_eq!(log.leader_epochs(), [epoch(2, 0), epoch(5, 10), epoch(9, 20)]);
    assert_eq!(log.checkpoint_epochs(), log.leader_epochs());
    assert_eq!(log.bounds().leader_epoch, 9);
    let ends: Vec<_> = [-1, 0, 2, 3, 5, 8, 9, 10].map(|epoch| log.epoch_end(epoch)).into();
    assert_eq!(ends, [(-1, -1), (0, 0), (2, 10), (2, 10), (5, 20), (5, 20), (9, 25), (-1, -1)]);
}

#[test]
fn the_checkpoint_has_the_epoch_of_a_log_without_one() {
    let dir = Dir::new();
    dir.segment(0, &[]);
    dir.write("t-0/leader-epoch-checkpoint", "0\n1\n4 0\n");
    assert_eq!(dir.log().bounds().leader_epoch, 4);
    fs::remove_file(dir.root.join("t-0/leader-epoch-checkpoint")).unwrap();
    assert_eq!(dir.log().bounds().leader_epoch, -1);
}

#[test]
fn offsets_by_time() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.segment(30, &[with(BatchBuilder::new(30).codec(Codec::Zstd), 30, 10)]);
    let log = dir.log();
    assert_eq!([0, 1000, 1001, 1029, 1030, 1039].map(|time| at(&log, time)), [0, 0, 1, 29, 30, 39].map(Some));
    assert_eq!(at(&log, 1040), None);
    let youngest = log.max_timestamp(&CancelToken::new()).unwrap();
    assert_eq!(youngest, Some(TimestampOffset { timestamp: 1039, offset: 39 }));
    dir.checkpoint("log-start", 5);
    assert_eq!(at(&dir.log(), 0), Some(5));
    dir.segment(0, &[]);
    fs::remove_file(dir.segment_path(30)).unwrap();
    let log = dir.log();
    assert_eq!((at(&log, 0), log.max_timestamp(&CancelToken::new()).unwrap()), (None, None));
}

#[test]
fn there_is_no_answer_where_the_record_may_be_among_what_cannot_be_read() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.segment(60, &thirty(60));
    let log = dir.log();
    assert_eq!([1005, 1065].map(|time| at(&log, time)), [5, 65].map(Some));
    let error = log.offset_for_timestamp(1030, &CancelToken::new()).unwrap_err().to_string();
    assert!(error.contains("offsets [30, 60) cannot be read"), "{error}");
    let mut bad = batch(10, 10);
    *bad.last_mut().unwrap() ^= 1;
    dir.segment(0, &[batch(0, 10), bad, batch(20, 10)]);
    let log = dir.log();
    let error = log.offset_for_timestamp(1015, &CancelToken::new()).unwrap_err().to_string();
    assert!(error.contains("the batch at offset 10"), "{error}");
    assert_eq!(at(&log, 1025), Some(25));
}
