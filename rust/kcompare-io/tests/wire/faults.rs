//! What a fetch makes of refusals, waits and nonsense, without sockets.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::broker::{Reply, World, batch};
use crate::fetch::{connect, fetch, memory, range, settings, three};
use crate::sink::Recorder;
use kcompare_io::budget::MemoryBudget;
use kcompare_io::cancel::CancelToken;
use kcompare_io::error::ErrorKind;
use kcompare_io::wire::{ClusterSettings, FetchEnd, FetchRange, IsolationLevel};

#[test]
fn another_partition_is_never_taken_for_ours() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    memory.world.on_fetch(|_| Some(Reply::WrongPartition));
    let mut sink = Recorder::default();
    let error = fetch(&cluster, &range(0, 15), &mut sink).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("partition 1 came, 0 was asked for"), "{error}");
    assert!(sink.bases.is_empty());
}

#[test]
fn an_answer_to_another_request_is_never_taken() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    memory.world.on_fetch(|_| Some(Reply::WrongCorrelation));
    let mut sink = Recorder::default();
    let error = fetch(&cluster, &range(0, 15), &mut sink).unwrap_err();
    assert!(error.to_string().contains("was due"), "{error}");
    assert!(sink.bases.is_empty());
}

#[test]
fn a_throttled_client_waits_and_asks_nothing_meanwhile() {
    let batches: Vec<Vec<u8>> = (0..10).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, ClusterSettings { max_fetch_bytes: 64 << 10, ..settings() });
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&asked);
    memory.world.on_fetch(move |ask| {
        times.lock().unwrap().push(Instant::now());
        (ask.number == 0).then_some(Reply::Throttled(400))
    });
    let mut sink = Recorder::default();
    let outcome = fetch(&cluster, &range(0, 100), &mut sink).unwrap();
    // Longer than the stall timeout: being told to wait is no stall.
    assert_eq!((outcome.end, outcome.throttle_ms), (FetchEnd::Reached, 400));
    let times = asked.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_millis(395), "{:?}", times[1] - times[0]);
}

#[test]
fn every_retriable_code_is_tried_again() {
    for code in [3, 5, 6, 9, 13, 56, 74, 75, 78, 100] {
        let memory = memory(World::new(three()));
        let cluster = connect(&memory, settings());
        memory.world.on_fetch(move |ask| (ask.number < 2).then_some(Reply::Code(code)));
        let mut sink = Recorder::default();
        let outcome = fetch(&cluster, &range(0, 15), &mut sink).unwrap();
        assert_eq!((outcome.end, outcome.requests), (FetchEnd::Reached, 3), "code {code}");
        assert_eq!(sink.bases, [0, 5, 10]);
    }
}

#[test]
fn codes_that_stay_end_the_fetch_by_name() {
    let cases = [
        (6, FetchEnd::Failed(6, "NOT_LEADER_OR_FOLLOWER")),
        (29, FetchEnd::Refused(29, "TOPIC_AUTHORIZATION_FAILED")),
        (76, FetchEnd::Failed(76, "UNSUPPORTED_COMPRESSION_TYPE")),
        (100, FetchEnd::TopicRecreated),
        (103, FetchEnd::TopicRecreated),
        (4711, FetchEnd::Failed(4711, "UNKNOWN_ERROR_CODE")),
    ];
    for (code, end) in cases {
        for reply in [Reply::Code(code), Reply::TopCode(code)] {
            let memory = memory(World::new(three()));
            let cluster = connect(&memory, settings());
            memory.world.on_fetch(move |_| Some(reply.clone()));
            let outcome = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap();
            assert_eq!(outcome.end, end);
            assert_eq!(outcome.position, 0);
        }
    }
}

#[test]
fn progress_starts_the_count_of_retries_again() {
    let batches: Vec<Vec<u8>> = (0..6).map(|n| batch(n * 10, 10, 100, n as u8)).collect();
    let memory = memory(World::new(batches.clone()));
    let cluster = connect(&memory, settings());
    // Twelve refusals in all with three retries, but never more than two without a batch between them.
    memory.world.on_fetch(move |ask| {
        Some(if ask.number % 3 < 2 {
            Reply::Code(6)
        } else {
            Reply::Records(batches[(ask.offset / 10) as usize].clone())
        })
    });
    let mut sink = Recorder::default();
    let mut range = range(0, 60);
    range.bytes_per_offset = 1;
    assert_eq!(fetch(&cluster, &range, &mut sink).unwrap().end, FetchEnd::Reached);
    assert_eq!(sink.bases, [0, 10, 20, 30, 40, 50]);
}

#[test]
fn retention_and_truncation_are_told_apart() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    memory.world.partitions.lock().unwrap().get_mut(&0).unwrap().log_start = 5;
    let outcome = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap();
    assert_eq!(outcome.end, FetchEnd::LostToRetention { log_start_offset: 5 });
    let outcome = fetch(&cluster, &range(20, 30), &mut Recorder::at(20)).unwrap();
    assert_eq!(outcome.end, FetchEnd::OffsetOutOfRange);
    memory.world.on_fetch(|_| Some(Reply::LogStart(9)));
    let mut sink = Recorder::at(5);
    let outcome = fetch(&cluster, &range(5, 15), &mut sink).unwrap();
    assert_eq!(outcome.end, FetchEnd::LostToRetention { log_start_offset: 9 });
    assert!(sink.bases.is_empty());
}

#[test]
fn an_open_transaction_gets_its_settling_time() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    memory.world.partitions.lock().unwrap().get_mut(&0).unwrap().last_stable = 10;
    let committed = FetchRange { isolation_level: IsolationLevel::ReadCommitted, ..range(0, 15) };
    let started = Instant::now();
    let mut sink = Recorder::default();
    let outcome = fetch(&cluster, &committed, &mut sink).unwrap();
    assert_eq!((outcome.end, outcome.position), (FetchEnd::OpenTransaction, 10));
    assert_eq!((outcome.last_stable_offset, outcome.high_watermark), (10, 15));
    assert!(started.elapsed() >= Duration::from_millis(100));
    // Settled in time: the settling time is longer than the stall timeout, and that is no stall.
    let world = Arc::clone(&memory.world);
    let settles = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        world.partitions.lock().unwrap().get_mut(&0).unwrap().last_stable = 15;
    });
    let patient = FetchRange { settle: Duration::from_secs(10), ..committed };
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &patient, &mut sink).unwrap().end, FetchEnd::Reached);
    assert_eq!(sink.bases, [0, 5, 10]);
    settles.join().unwrap();
}

#[test]
fn every_answer_begins_with_its_whole_list_of_aborted_transactions() {
    let batches: Vec<Vec<u8>> = (0..10).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, ClusterSettings { max_fetch_bytes: 64 << 10, ..settings() });
    let list: Vec<(i64, i64)> = (0..1000).map(|n| (n, n * 2)).collect();
    memory.world.partitions.lock().unwrap().get_mut(&0).unwrap().aborted.clone_from(&list);
    let committed = FetchRange { isolation_level: IsolationLevel::ReadCommitted, ..range(0, 100) };
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &committed, &mut sink).unwrap().end, FetchEnd::Reached);
    assert_eq!(sink.aborted, [list.clone(), list]);
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &range(0, 100), &mut sink).unwrap().end, FetchEnd::Reached);
    assert_eq!(sink.aborted, [vec![], vec![]]);
}

#[test]
fn an_empty_answer_is_no_end_and_no_progress_is_a_stall() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    memory.world.on_fetch(|ask| (ask.number < 2).then(|| Reply::Records(Vec::new())));
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
    memory.world.on_fetch(|_| Some(Reply::Records(Vec::new())));
    let started = Instant::now();
    let outcome = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap();
    assert!(matches!(outcome.end, FetchEnd::Stalled { .. }));
    assert!((300..1300).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[test]
fn the_last_request_asks_for_little_more_than_it_needs() {
    let batches: Vec<Vec<u8>> = (0..400).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, ClusterSettings { max_fetch_bytes: 1 << 20, ..settings() });
    let outcome = fetch(&cluster, &range(0, 1100), &mut Recorder::default()).unwrap();
    assert_eq!(outcome.end, FetchEnd::Reached);
    assert!(outcome.bytes < 1_100_000 + 140_000, "{} bytes for 1,100,000", outcome.bytes);
    assert!(outcome.requests <= 3);
}

#[test]
fn garbage_lengths_and_ids_are_protocol_errors() {
    let frames: [&[u8]; 5] = [
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        &[0, 0, 0, 3, 0, 0, 0],
        &[0, 0, 0, 8, 0x7f, 0, 0, 0, 0, 0, 0, 0],
        &[0x80, 0, 0, 0],
        &[0, 0, 0, 4, 0, 0, 0, 2],
    ];
    for frame in frames {
        let memory = memory(World::new(three()));
        let cluster = connect(&memory, settings());
        memory.world.on_fetch(move |_| Some(Reply::Raw(frame.to_vec())));
        let error = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    }
}

/// A whole answer as the broker would send it for correlation id 3: the connection has asked for versions and metadata.
fn real_answer(version: i16) -> Vec<u8> {
    let mut world = World::new(three());
    world.max_fetch_version = version;
    let memory = memory(world);
    let cluster = connect(&memory, settings());
    fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap();
    memory.sent.lock().unwrap().pop().unwrap()
}

fn survives(answer: Vec<u8>, version: i16) {
    let mut world = World::new(three());
    world.max_fetch_version = version;
    let memory = memory(world);
    let quick = ClusterSettings {
        request_timeout: Duration::from_millis(4),
        stall_timeout: Duration::from_millis(8),
        retries: 1,
        ..settings()
    };
    let cluster =
        connect(&memory, ClusterSettings { request_timeout: Duration::from_secs(5), ..quick.clone() });
    drop(cluster);
    let cluster = connect(&memory, quick);
    memory.world.on_fetch(move |_| Some(Reply::Raw(answer.clone())));
    // A changed throttle time may be minutes, which are honoured.
    let cancel = CancelToken::new();
    let other = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(40));
        other.cancel();
    });
    let _ = cluster.fetch(&range(0, 15), &mut Recorder::default(), &MemoryBudget::new(1 << 20, 1), &cancel);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 4i16..=17) {
        survives(bytes, version);
    }

    #[test]
    fn arbitrary_bytes_behind_a_good_head_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        keep in any::<prop::sample::Index>(),
        version in 4i16..=17,
    ) {
        let real = real_answer(version);
        let keep = 8 + keep.index(real.len() - 8);
        let mut answer = real[..keep].to_vec();
        answer.extend_from_slice(&bytes);
        let length = answer.len() as i32 - 4;
        answer[..4].copy_from_slice(&length.to_be_bytes());
        survives(answer, version);
    }

    #[test]
    fn an_answer_with_changed_bytes_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        version in 4i16..=17,
    ) {
        let mut answer = real_answer(version);
        for (at, byte) in changes {
            let at = at.index(answer.len());
            answer[at] = byte;
        }
        survives(answer, version);
    }
}
