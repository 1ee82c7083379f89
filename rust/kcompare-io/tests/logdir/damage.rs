//! Every kind of damage at every place.

use std::fs;
use std::ops::ControlFlow;

use kcompare_core::digest::Gap;
use kcompare_core::records::{BatchBuilder, Codec, reseal};
use kcompare_io::cancel::CancelToken;
use kcompare_io::logdir::{DamageKind, EndReason, ReadEnd, WalkEnd, walk_batches};

use crate::support::*;

/// The records that a damaged log may still give: those that were written, at their offsets (which `read` checks), and
/// for every offset that is planned and has none, a word why.
fn hold(dir: &Dir, what: &str) -> Read {
    let log = dir.log();
    let bounds = log.bounds();
    let read = read_all(&log, ReadUncommitted);
    let mut next = bounds.log_start_offset;
    let mut accounted: Vec<(i64, i64)> =
        read.out.records.keys().map(|offset| (*offset, offset + 1)).collect();
    accounted.extend(read.out.gaps.iter().map(|(start, stop, _)| (*start, *stop)));
    accounted.sort_unstable();
    for (start, stop) in accounted {
        assert_eq!(start, next, "{what}: {read:?}");
        next = stop;
    }
    assert_eq!(next, bounds.log_end_offset.max(bounds.log_start_offset), "{what}: {read:?}");
    let missing = read.out.records.len() as i64 != bounds.log_end_offset - bounds.log_start_offset;
    if missing {
        let hole = read.out.gaps.iter().any(|(_, _, gap)| *gap == Gap::Unexplained);
        assert!(hole || !read.unread.is_empty() || read.reached < bounds.log_end_offset, "{what}: {read:?}");
    }
    read
}

#[test]
fn every_truncation() {
    let batches = [batch(0, 2), batch(2, 3), batch(5, 1)];
    let whole = batches.concat();
    let mut ends = vec![0];
    for one in &batches {
        ends.push(ends.last().unwrap() + one.len());
    }
    for length in 0..whole.len() {
        let dir = Dir::new();
        fs::write(dir.segment_path(0), &whole[..length]).unwrap();
        let read = hold(&dir, &format!("{length} bytes"));
        let kept = ends.iter().filter(|end| **end <= length).count() - 1;
        let expected = [0, 2, 5, 6][kept];
        let log = dir.log();
        assert_eq!(
            (log.bounds().log_end_offset, read.offsets().len() as i64),
            (expected, expected),
            "{length}"
        );
        // The first bytes of a batch at offset 0 are zeros.
        let zeros = whole[ends[kept]..length].iter().all(|byte| *byte == 0);
        let reason = match (ends.contains(&length), zeros) {
            (true, _) => EndReason::EndOfSegment,
            (false, true) => EndReason::ZeroTail,
            (false, false) => EndReason::TornTail,
        };
        assert_eq!(log.bounds().end_reason, reason, "{length}");
        // Below the recovery point the same is a loss.
        dir.recovery_point(6);
        let read = hold(&dir, &format!("{length} flushed bytes"));
        assert_eq!(dir.log().bounds().log_end_offset, 6);
        assert!(read.unread.iter().any(|unread| unread.start <= expected && unread.stop == 6), "{read:?}");
    }
}

#[test]
fn every_flipped_bit_before_the_end_is_damage_and_what_follows_is_read() {
    let batches = [batch(0, 2), batch(2, 3), batch(5, 1), batch(6, 4)];
    let whole = batches.concat();
    let last_two: Vec<i64> = (5..10).collect();
    for bit in batches[0].len() * 8..(batches[0].len() + batches[1].len()) * 8 {
        let dir = Dir::new();
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(dir.segment_path(0), &bytes).unwrap();
        let read = hold(&dir, &format!("bit {bit}"));
        let at = bit / 8 - batches[0].len();
        if (12..16).contains(&at) {
            // Nothing covers the leader epoch; one that is too high makes those behind it go back.
            continue;
        }
        assert!(!read.unread.is_empty(), "bit {bit}: {read:?}");
        assert!(
            read.offsets().starts_with(&[0, 1]) && read.offsets().ends_with(&last_two),
            "bit {bit}: {read:?}"
        );
        assert_eq!((dir.log().bounds().log_end_offset, read.end), (10, ReadEnd::Reached), "bit {bit}");
    }
}

#[test]
fn every_flipped_bit_at_the_end_ends_the_log_or_is_told() {
    let batches = [batch(0, 2), batch(2, 3)];
    let whole = batches.concat();
    for bit in batches[0].len() * 8..whole.len() * 8 {
        let dir = Dir::new();
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(dir.segment_path(0), &bytes).unwrap();
        let log = dir.log();
        let at = bit / 8 - batches[0].len();
        match at {
            // The CRC does not cover the base offset. One that is too low cannot be there, and its batch is sound: that is
            // no end. One that is too high leaves a hole, or is too high for the segment.
            0..8 => {
                let bounds = log.bounds();
                assert!(
                    bounds.log_end_offset > 5 || bounds.end_reason == EndReason::DamageBeforeEnd,
                    "bit {bit}: {bounds:?}"
                );
            }
            12..16 => assert_eq!(hold(&dir, "epoch").offsets().len(), 5, "bit {bit}"),
            _ => {
                hold(&dir, &format!("bit {bit}"));
                assert_eq!(log.bounds().log_end_offset, 2, "bit {bit}: {:?}", log.bounds());
                assert!(
                    matches!(log.bounds().end_reason, EndReason::CorruptTail | EndReason::TornTail),
                    "bit {bit}"
                );
            }
        }
    }
}

#[test]
fn every_truncation_of_a_segment_that_another_one_follows() {
    let whole = [batch(0, 2), batch(2, 3)].concat();
    for length in 0..whole.len() {
        let dir = Dir::new();
        fs::write(dir.segment_path(0), &whole[..length]).unwrap();
        dir.segment(5, &[batch(5, 5)]);
        let read = hold(&dir, &format!("{length} bytes"));
        assert!(read.offsets().ends_with(&[5, 6, 7, 8, 9]), "{length}: {read:?}");
        assert_eq!(read.unread.last().unwrap().stop, 5, "{length}: {read:?}");
        assert_eq!(read.unread.len(), 1, "{length}: {read:?}");
    }
}

#[test]
fn garbage_of_every_length_between_batches() {
    for length in 1..200 {
        let garbage: Vec<u8> = (0..length).map(|at: i32| (at * 37 + length) as u8).collect();
        let dir = Dir::new();
        dir.segment(0, &[batch(0, 5), garbage, batch(5, 5)]);
        let read = hold(&dir, &format!("{length} bytes"));
        assert_eq!(
            (read.offsets().len(), read.unread()),
            (10, vec![(5, 5, "damage_before_end")]),
            "{length}"
        );
    }
}

#[test]
fn a_lost_batch_between_sound_ones() {
    let dir = Dir::new();
    let mut zeros = batch(5, 5);
    zeros.fill(0);
    dir.segment(0, &[batch(0, 5), zeros, batch(10, 5)]);
    let log = dir.log();
    let read = hold(&dir, "zeros");
    assert_eq!(read.unread(), [(5, 10, "damage_before_end")]);
    assert_eq!(
        (log.damages()[0].from, log.damages()[0].to, log.damages()[0].kind),
        (5, Some(10), DamageKind::Corrupt)
    );
}

#[test]
fn a_base_offset_that_jumps_ahead_is_the_fault_of_its_batch() {
    let dir = Dir::new();
    let mut jumps = batch(5, 5);
    jumps[..8].copy_from_slice(&1_000_005_i64.to_be_bytes());
    dir.segment(0, &[batch(0, 5), jumps.clone(), batch(10, 5), batch(15, 5)]);
    let read = hold(&dir, "jump");
    assert_eq!(read.unread(), [(5, 10, "damage_before_end")]);
    // A marker that jumps ahead is known, and not waited for.
    let mut jumps = marker(8, 7, ABORT);
    jumps[..8].copy_from_slice(&1_000_008_i64.to_be_bytes());
    dir.segment(
        0,
        &[batch(0, 5), transactional(5, 3, 7), jumps, transactional(9, 1, 7), marker(10, 7, COMMIT)],
    );
    let read = read_all(&dir.log(), ReadCommitted);
    assert_eq!((read.offsets(), read.out.aborted.clone()), (vec![0, 1, 2, 3, 4, 9], vec![]));
    assert_eq!(read.unread(), [(5, 9, "damage_before_end")]);
}

#[test]
fn a_last_offset_delta_that_is_too_large_is_the_fault_of_its_batch() {
    let dir = Dir::new();
    let mut long = batch(5, 5);
    long[23..27].copy_from_slice(&1000_i32.to_be_bytes());
    dir.segment(0, &[batch(0, 5), long, batch(10, 5), batch(15, 5)]);
    assert_eq!(hold(&dir, "delta").unread(), [(5, 10, "damage_before_end")]);
}

#[test]
fn a_batch_that_says_it_reaches_to_the_end_of_the_file_hides_nothing() {
    // The others are in the same file, and in a later one that such a batch begins as well.
    let swallow = |batches: &[Vec<u8>]| {
        let mut bytes = batches.concat();
        let length = (bytes.len() - 12) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let dir = Dir::new();
    dir.segment(0, &[batch(0, 5), swallow(&[batch(5, 5), batch(10, 5), transactional(15, 5, 7)])]);
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (20, EndReason::EndOfSegment));
    assert_eq!((log.damages()[0].from, log.damages()[0].to), (5, Some(10)));
    assert_eq!(log.bounds().last_stable_offset, 15);
    assert_eq!(hold(&dir, "one").unread(), [(5, 10, "damage_before_end")]);
    dir.segment(20, &[swallow(&[batch(20, 5), batch(25, 5)])]);
    dir.segment(0, &[batch(0, 5), swallow(&[batch(5, 5), batch(10, 5)])]);
    let read = hold(&dir, "two");
    assert_eq!(read.offsets(), (0..5).chain(10..15).chain(25..30).collect::<Vec<_>>());
    assert_eq!(read.unread(), [(5, 10, "damage_before_end"), (15, 25, "missing_segment")]);
}

#[test]
fn files_with_wrong_names() {
    for name in [0, 2, 5, 9] {
        let dir = Dir::new();
        dir.segment(name, &[batch(5, 5), batch(10, 5)]);
        let read = hold(&dir, &format!("named {name}"));
        let expected: Vec<i64> = if name <= 5 { (5..15).collect() } else { (10..15).collect() };
        assert_eq!(read.offsets(), expected, "named {name}");
    }
}

#[test]
fn a_batch_inside_a_value_is_no_batch_of_the_log() {
    let inner = batch(12, 5);
    let mut builder = BatchBuilder::new(5);
    builder.append(0, None, Some(&inner)).unwrap();
    let mut outer = builder.build().unwrap();
    *outer.last_mut().unwrap() ^= 1;
    // Its length is right, so that the next batch is found behind it, not in it.
    let mut back = outer.clone();
    back[..8].copy_from_slice(&1_i64.to_be_bytes());
    for bad in [outer, back] {
        let dir = Dir::new();
        dir.segment(0, &[batch(0, 5), bad, batch(6, 5)]);
        let read = hold(&dir, "inner");
        assert_eq!(read.offsets(), (0..5).chain(6..11).collect::<Vec<_>>());
        assert_eq!(read.unread.len(), 1);
    }
}

#[test]
fn bytes_that_look_like_batches_end_a_search_that_costs_too_much() {
    // Every 61 bytes a header that claims the rest of the file and whose CRC is wrong.
    let count = 20_000_i32;
    let mut bytes = Vec::new();
    for at in 0..count {
        let mut header = BatchBuilder::new(20).build().unwrap();
        let rest = (count - at) * 61 - 12;
        header[8..12].copy_from_slice(&rest.to_be_bytes());
        header[17] ^= 1;
        bytes.extend(header);
    }
    // The first one is torn, so that the pass does not take it for a batch.
    bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    let dir = Dir::new();
    fs::write(dir.segment_path(0), [batch(0, 5), bytes].concat()).unwrap();
    let log = dir.log();
    assert_eq!((log.bounds().log_end_offset, log.bounds().end_reason), (6, EndReason::DamageBeforeEnd));
    assert!(log.bounds().end_detail.contains("given up"), "{}", log.bounds().end_detail);
}

#[test]
fn damage_without_end_is_bounded_in_number() {
    let mut batches = Vec::new();
    for at in 0..1000 {
        batches.push(batch(at, 1));
        batches.push(vec![5; 3]);
    }
    let dir = Dir::new();
    dir.segment(0, &batches);
    let read = hold(&dir, "many");
    let log = dir.log();
    assert!(log.damages().len() <= 300, "{}", log.damages().len());
    assert!(log.bounds().end_reason == EndReason::DamageBeforeEnd && !read.unread.is_empty());
}

#[test]
fn files_that_vanish_or_shrink_or_are_exchanged_after_the_pass() {
    let dir = Dir::new();
    for base in [0, 30, 60] {
        dir.segment(base, &thirty(base));
    }
    let log = dir.log();
    let middle = dir.segment_path(30);
    let bytes = fs::read(&middle).unwrap();
    let hurt = |what: &str| {
        let read = read_all(&log, ReadCommitted);
        assert_eq!(
            read.unread().last().unwrap(),
            &(read.unread[0].start, 60, "io_error"),
            "{what}: {read:?}"
        );
        assert!(read.offsets().len() >= 60 && read.offsets().ends_with(&[88, 89]), "{what}");
        read
    };
    fs::File::options().write(true).open(&middle).unwrap().set_len(bytes.len() as u64 - 10).unwrap();
    hurt("shorter");
    fs::write(&middle, vec![0; bytes.len()]).unwrap();
    let read = hurt("zeros");
    assert!(read.unread[0].detail.contains("no longer holds at byte"), "{read:?}");
    let other = dir.root.join("other");
    fs::write(&other, &bytes).unwrap();
    fs::rename(&other, &middle).unwrap();
    assert!(hurt("exchanged").unread[0].detail.contains("another file has taken its place"));
    fs::remove_file(&middle).unwrap();
    hurt("gone");
}

#[test]
fn a_batch_larger_than_a_share_waits_for_the_large_half_and_one_larger_than_that_is_told() {
    let dir = Dir::new();
    let value = vec![b'v'; 600_000];
    let big = |base: i64| {
        let mut builder = BatchBuilder::new(base);
        builder.append(0, None, Some(&value)).unwrap();
        builder.build().unwrap()
    };
    dir.segment(0, &[batch(0, 5), big(5), batch(6, 5)]);
    let log = dir.log();
    let spec = |total| kcompare_io::budget::MemoryBudget::new(total, 1);
    let count = |total| {
        let mut seen = Counter::default();
        let range = kcompare_io::logdir::ReadRange {
            start: 0,
            stop: 11,
            isolation_level: kcompare_io::wire::IsolationLevel::ReadUncommitted,
        };
        log.read(range, &mut seen, &spec(total), &CancelToken::new()).unwrap();
        (seen.batches, seen.too_large)
    };
    assert_eq!(count(2 << 20), (3, 0));
    assert_eq!(count(1 << 20), (2, 1));
}

#[derive(Default)]
struct Counter {
    batches: usize,
    too_large: usize,
    position: i64,
}

impl kcompare_io::wire::BatchSink for Counter {
    fn aborted_transactions(&mut self, _list: &[kcompare_core::records::AbortedTransaction]) {}

    fn batch(&mut self, frame: &kcompare_core::records::Frame, _bytes: &[u8]) {
        self.batches += 1;
        self.position = frame.header.next_offset();
    }

    fn unreadable(
        &mut self,
        frame: Option<&kcompare_core::records::Frame>,
        reason: kcompare_io::wire::Unreadable,
    ) {
        assert!(
            matches!(reason, kcompare_io::wire::Unreadable::BatchTooLarge { size: 600_000.., .. }),
            "{reason}"
        );
        self.too_large += 1;
        self.position = frame.unwrap().header.next_offset();
    }

    fn position(&self) -> i64 {
        self.position
    }
}

#[test]
fn a_bomb_stays_within_the_budget() {
    let dir = Dir::new();
    let value = vec![b'0'; 8 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut builder = BatchBuilder::new(5).codec(codec);
        builder.append(0, None, Some(&value)).unwrap();
        dir.segment(0, &[batch(0, 5), builder.build().unwrap(), batch(6, 5)]);
        let log = dir.log();
        let read =
            read_within(&log, 0, 11, ReadUncommitted, &kcompare_io::budget::MemoryBudget::new(4 << 20, 1));
        assert_eq!(read.unread(), [(5, 6, "batch_too_large")], "{codec:?}");
        assert_eq!(read.offsets().len(), 10);
    }
}

#[test]
fn a_walk_over_a_segment_sees_what_is_stored() {
    let dir = Dir::new();
    let mut bad = batch(5, 5);
    *bad.last_mut().unwrap() ^= 1;
    dir.segment(0, &[batch(0, 5), bad, batch(10, 5), vec![1, 2, 3]]);
    let log = dir.log();
    let segment = &log.segments()[0];
    let mut seen = Vec::new();
    let end = walk_batches(segment, 0, &budget(), &CancelToken::new(), &mut |position, frame, bytes| {
        assert_eq!(bytes.len(), frame.size);
        seen.push((position, frame.header.base_offset));
        ControlFlow::Continue(())
    });
    let length = batch(0, 5).len() as u64;
    let last = seen.last().unwrap().0;
    assert_eq!(seen.iter().map(|(_, base)| *base).collect::<Vec<_>>(), [0, 5, 10]);
    assert_eq!(end.unwrap(), WalkEnd::Damage { position: segment.size - 3, kind: DamageKind::Torn });
    let end =
        walk_batches(segment, length, &budget(), &CancelToken::new(), &mut |_, _, _| ControlFlow::Break(()));
    assert_eq!(end.unwrap(), WalkEnd::Stopped { position: last });
    let mut whole = batch(0, 5);
    reseal(&mut whole);
    dir.segment(20, &[whole]);
    let log = dir.log();
    let end = walk_batches(&log.segments()[1], 0, &budget(), &CancelToken::new(), &mut |_, _, _| {
        ControlFlow::Continue(())
    });
    assert_eq!(end.unwrap(), WalkEnd::EndOfFile);
}

#[test]
fn a_cancelled_run_reads_nothing() {
    let dir = Dir::new();
    dir.segment(0, &thirty(0));
    let log = dir.log();
    let cancel = CancelToken::new();
    cancel.cancel();
    assert!(dir.dirs().partition("t", 0, &cancel).is_err());
    let range = kcompare_io::logdir::ReadRange {
        start: 0,
        stop: 30,
        isolation_level: kcompare_io::wire::IsolationLevel::ReadCommitted,
    };
    let mut seen = Counter::default();
    assert!(log.read(range, &mut seen, &budget(), &cancel).is_err());
    assert_eq!(seen.batches, 0);
}
