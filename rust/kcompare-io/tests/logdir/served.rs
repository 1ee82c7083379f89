//! A log directory as a broker serves it: stored bytes, and an error wherever there are none.

use std::fs;

use kcompare_io::cancel::CancelToken;
use kcompare_io::serve::{ConfigEntry, DirectoryStore, LogStore, StoreError, StoredPartition, TopicId};

use crate::support::*;

fn store(dir: &Dir) -> DirectoryStore {
    DirectoryStore::open(&dir.dirs(), &["t".to_owned()], &CancelToken::new()).unwrap()
}

fn partition(dir: &Dir) -> std::sync::Arc<dyn StoredPartition> {
    store(dir).topic_by_name("t").unwrap().partition(0).unwrap()
}

/// The bytes of a read, and where it says that the next one begins.
fn fetch(
    log: &dyn StoredPartition,
    offset: i64,
    stop: i64,
    max_bytes: usize,
) -> Result<(Vec<u8>, i64), StoreError> {
    let found = log.read(offset, stop, max_bytes)?;
    Ok((found.records.read()?.to_vec(), found.next_offset))
}

/// What a reader gets from `offset` on: base offsets of batches, and the offset at which it gets an error.
fn follow(
    log: &dyn StoredPartition,
    mut offset: i64,
    stop: i64,
    max_bytes: usize,
) -> (Vec<i64>, Option<i64>) {
    let mut bases = Vec::new();
    while offset < stop {
        match fetch(log, offset, stop, max_bytes) {
            Ok((bytes, next)) => {
                assert!(next > offset && !bytes.is_empty(), "a reader at {offset} gets on");
                let mut at = 0;
                while at < bytes.len() {
                    bases.push(i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap()));
                    at += 12 + i32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
                }
                assert_eq!(at, bytes.len(), "batches are whole");
                offset = next;
            }
            Err(StoreError::Unreadable { offset: asked, .. }) => {
                assert_eq!(asked, offset);
                return (bases, Some(offset));
            }
            Err(error) => panic!("{error}"),
        }
    }
    (bases, None)
}

#[test]
fn whole_batches_as_stored_at_every_offset_and_limit() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.segment(30, &thirty(30));
    let log = partition(&dir);
    let one = batch(20, 10).len();
    for limit in [0, one, 2 * one, 2 * one + 1, 1 << 20] {
        for offset in 0..60 {
            let (bases, error) = follow(&*log, offset, 60, limit);
            assert_eq!(bases, (offset / 10..6).map(|number| number * 10).collect::<Vec<i64>>());
            assert_eq!(error, None);
        }
    }
    assert_eq!(fetch(&*log, 5, 60, 2 * one).unwrap(), ([batch(0, 10), batch(10, 10)].concat(), 20));
    assert_eq!(fetch(&*log, 5, 11, 1 << 20).unwrap(), ([batch(0, 10), batch(10, 10)].concat(), 20));
    assert_eq!(fetch(&*log, 5, 10, 1 << 20).unwrap(), (batch(0, 10), 10));
    assert_eq!(fetch(&*log, 60, 60, 1 << 20).unwrap(), (Vec::new(), 60));
    for outside in [-1, 61] {
        assert!(matches!(log.read(outside, 60, 1 << 20), Err(StoreError::OutOfRange { .. })));
    }
}

/// Large logs have noted places, which a read may jump to.
#[test]
fn limits_are_kept_where_places_were_noted() {
    let dir = Dir::new();
    let batches: Vec<Vec<u8>> = (0..4_000).map(|number| batch(number * 10, 10)).collect();
    let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
    assert!(sizes.iter().sum::<usize>() > 3 * (256 << 10));
    dir.segment(0, &batches);
    let log = partition(&dir);
    for first in [0, 1, 1_333, 3_998] {
        for limit in [1, 100_000, 262_144, 300_000, 700_000, 1 << 30] {
            for stop in [10, 13_335, 40_000] {
                let (mut length, mut last) = (sizes[first], first + 1);
                while last < sizes.len() && (last as i64) * 10 < stop && length + sizes[last] <= limit {
                    length += sizes[last];
                    last += 1;
                }
                let first_offset = first as i64 * 10;
                let (bytes, next) = fetch(&*log, first_offset, stop, limit).unwrap();
                if first_offset >= stop {
                    assert_eq!((bytes.len(), next), (0, first_offset));
                } else {
                    assert_eq!((bytes.len(), next), (length, last as i64 * 10), "{first} {limit} {stop}");
                    assert_eq!(bytes, batches[first..last].concat());
                }
            }
        }
    }
}

#[test]
fn a_missing_segment_is_an_error_and_never_a_jump() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    dir.segment(60, &thirty(60));
    dir.recovery_point(90);
    let log = partition(&dir);
    assert_eq!(log.bounds().high_watermark, 90);
    assert_eq!(follow(&*log, 0, 90, 1 << 20), (vec![0, 10, 20], Some(30)));
    for offset in 30..60 {
        assert_eq!(follow(&*log, offset, 90, 1 << 20), (vec![], Some(offset)));
    }
    assert_eq!(follow(&*log, 60, 90, 1 << 20), (vec![60, 70, 80], None));
    let error = log.read(30, 90, 1 << 20).unwrap_err().to_string();
    assert!(
        error.contains("offset 30 cannot be served: no segment file holds the offsets between 30"),
        "{error}"
    );
}

#[test]
fn segments_that_are_gone_at_either_end_are_errors_too() {
    let dir = Dir::new();
    dir.segment(30, &thirty(30));
    dir.checkpoint("log-start", 10);
    dir.recovery_point(80);
    let log = partition(&dir);
    assert_eq!((log.bounds().log_start_offset, log.bounds().high_watermark), (10, 80));
    assert_eq!(follow(&*log, 10, 80, 1 << 20), (vec![], Some(10)));
    assert_eq!(follow(&*log, 30, 80, 1 << 20), (vec![30, 40, 50], Some(60)));
}

#[test]
fn bytes_that_are_no_batch_are_an_error_and_a_bad_checksum_is_the_readers_to_find() {
    let dir = Dir::new();
    let mut bad_crc = batch(10, 10);
    *bad_crc.last_mut().unwrap() ^= 1;
    dir.segment(0, &[batch(0, 10), bad_crc, batch(20, 10), vec![9; 100], batch(40, 10)]);
    dir.segment(50, &[batch(50, 10)]);
    dir.recovery_point(60);
    let log = partition(&dir);
    let (bases, error) = follow(&*log, 0, 60, 1 << 20);
    assert_eq!((bases, error), (vec![0, 10, 20], Some(30)));
    assert_eq!(follow(&*log, 40, 60, 1 << 20), (vec![40, 50], None));
}

#[test]
fn a_transaction_whose_marker_may_be_lost_is_not_certain() {
    let dir = Dir::new();
    dir.segment(0, &[batch(0, 10), transactional(10, 5, 7), batch(15, 5)]);
    dir.segment(40, &[transactional(40, 5, 7), marker(45, 7, ABORT), batch(46, 4)]);
    dir.recovery_point(50);
    let log = partition(&dir);
    assert_eq!(log.certain_until(0), 10);
    assert_eq!(log.certain_until(12), 12);
    assert_eq!(log.certain_until(40), i64::MAX);
    let aborted = log.aborted_transactions(40, 50);
    assert_eq!((aborted.len(), aborted[0].producer_id, aborted[0].first_offset), (1, 7, 40));
}

#[test]
fn a_file_that_changes_under_the_broker_is_an_error() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    let log = partition(&dir);
    let held = log.read(0, 30, 1 << 20).unwrap();
    fs::write(dir.root.join("other"), thirty(0).concat()).unwrap();
    fs::rename(dir.root.join("other"), dir.segment_path(0)).unwrap();
    assert!(held.records.read().is_err());
    assert!(matches!(log.read(0, 30, 1 << 20), Err(StoreError::Io(_))));
}

#[test]
fn what_is_known_of_a_topic() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    let policy = |value: &str, is_default| {
        vec![ConfigEntry { name: "cleanup.policy".to_owned(), value: value.to_owned(), is_default }]
    };
    assert_eq!(store(&dir).topics()[0].configs(), []);
    dir.write("cleaner-offset-checkpoint", "0\n0\n");
    assert_eq!(store(&dir).topics()[0].configs(), policy("delete", true));
    dir.checkpoint("cleaner", 20);
    dir.write("t-0/partition.metadata", "version: 0\ntopic_id: AQIDBAUGBwgJCgsMDQ4PEA\n");
    let store = store(&dir);
    let topic = &store.topics()[0];
    assert_eq!(topic.configs(), policy("compact", false));
    assert_eq!((topic.name(), topic.partition_ids()), ("t", vec![0]));
    let id = TopicId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert_eq!(topic.id(), id);
    assert!(store.topic_by_id(id).is_some() && store.topic_by_id(TopicId::ZERO).is_none());
    assert!(store.topic_by_name("other").is_none());
    let log = topic.partition(0).unwrap();
    assert_eq!(log.offset_for_timestamp(1015).unwrap().map(|found| found.offset), Some(15));
    assert_eq!(log.max_timestamp().unwrap().map(|found| (found.timestamp, found.offset)), Some((1029, 29)));
    assert_eq!((log.leader(), log.leader_epoch()), (None, -1));
}
