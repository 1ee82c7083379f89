//! The fetch loop against a scripted broker without sockets: what is handed on and asked for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::broker::{Reply, TOPIC, TOPIC_ID, World, batch};
use crate::memory::{Memory, Segments};
use crate::sink::Recorder;
use kcompare_io::budget::MemoryBudget;
use kcompare_io::cancel::CancelToken;
use kcompare_io::error::WireError;
use kcompare_io::wire::{
    Cluster, ClusterSettings, FetchEnd, FetchOutcome, FetchRange, IsolationLevel, Unreadable,
};

pub fn settings() -> ClusterSettings {
    ClusterSettings {
        bootstrap: vec![("memory".to_owned(), 1)],
        request_timeout: Duration::from_millis(300),
        stall_timeout: Duration::from_millis(300),
        retries: 3,
        retry_backoff: Duration::from_millis(5),
        max_wait_ms: 20,
        ..ClusterSettings::default()
    }
}

pub fn memory(world: World) -> Memory {
    world.brokers.lock().unwrap().insert(1, 1);
    let segments = Arc::new(Mutex::new(Segments::Of(usize::MAX)));
    Memory { world: Arc::new(world), segments, sent: Arc::default() }
}

pub fn connect(memory: &Memory, settings: ClusterSettings) -> Cluster {
    Cluster::connect(settings, Arc::new(memory.clone()), CancelToken::new()).unwrap()
}

pub fn range(start: i64, stop: i64) -> FetchRange {
    FetchRange {
        topic: TOPIC.to_owned(),
        topic_id: TOPIC_ID,
        partition: 0,
        start,
        stop,
        isolation_level: IsolationLevel::ReadUncommitted,
        settle: Duration::from_millis(100),
        bytes_per_offset: 0,
    }
}

pub fn budget() -> MemoryBudget {
    MemoryBudget::new(1 << 20, 1)
}

pub fn fetch(cluster: &Cluster, range: &FetchRange, sink: &mut Recorder) -> Result<FetchOutcome, WireError> {
    cluster.fetch(range, sink, &budget(), &CancelToken::new())
}

/// Three batches of 5 offsets and unequal sizes.
pub fn three() -> Vec<Vec<u8>> {
    vec![batch(0, 5, 100, 1), batch(5, 5, 61, 2), batch(10, 5, 230, 3)]
}

#[test]
fn every_split_of_an_answer_gives_the_same_batches() {
    for version in [4, 11, 12, 17] {
        let mut world = World::new(three());
        world.max_fetch_version = version;
        let memory = memory(world);
        let cluster = connect(&memory, settings());
        let whole = three().concat();
        for cut in 0..whole.len() + 120 {
            *memory.segments.lock().unwrap() = Segments::CutAt(cut);
            let mut sink = Recorder::default();
            let outcome = fetch(&cluster, &range(0, 15), &mut sink).unwrap();
            assert_eq!(outcome.end, FetchEnd::Reached, "version {version}, cut at {cut}");
            assert_eq!((outcome.position, outcome.requests, outcome.bytes), (15, 1, whole.len() as u64));
            assert_eq!(sink.bases, [0, 5, 10]);
            assert_eq!(sink.bytes, whole);
        }
        for size in [1, 2, 7, 61] {
            *memory.segments.lock().unwrap() = Segments::Of(size);
            let mut sink = Recorder::default();
            assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
            assert_eq!(sink.bytes, whole, "segments of {size}");
        }
    }
}

#[test]
fn the_topic_goes_by_id_where_the_broker_can_and_by_name_otherwise() {
    for (max, topic_id, expected) in
        [(17, TOPIC_ID, 17), (13, TOPIC_ID, 13), (12, TOPIC_ID, 12), (17, [0; 16], 12)]
    {
        let mut world = World::new(three());
        world.max_fetch_version = max;
        let memory = memory(world);
        let cluster = connect(&memory, settings());
        let range = FetchRange { topic_id, ..range(0, 15) };
        assert_eq!(fetch(&cluster, &range, &mut Recorder::default()).unwrap().end, FetchEnd::Reached);
        let ask = &memory.world.fetches()[0];
        assert_eq!(ask.version, expected);
        assert_eq!(ask.topic_id, if expected >= 13 { TOPIC_ID } else { [0; 16] });
        assert_eq!(ask.leader_epoch, if expected >= 9 { 3 } else { -1 });
    }
}

#[test]
fn a_cut_batch_at_the_end_is_asked_for_again() {
    let batches: Vec<Vec<u8>> = (0..40).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let whole = batches.concat();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, ClusterSettings { max_fetch_bytes: 64 << 10, ..settings() });
    let mut sink = Recorder::default();
    let outcome = fetch(&cluster, &range(0, 400), &mut sink).unwrap();
    assert_eq!(outcome.end, FetchEnd::Reached);
    assert_eq!(sink.bytes, whole);
    // 65,536 bytes hold six whole batches and a piece of the seventh.
    let offsets: Vec<i64> = memory.world.fetches().iter().map(|ask| ask.offset).collect();
    assert_eq!(offsets, [0, 60, 120, 180, 240, 300, 360]);
    assert_eq!(outcome.requests, 7);
}

#[test]
fn the_next_request_is_sent_before_the_last_batches_are_handed_on() {
    let batches: Vec<Vec<u8>> = (0..40).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, ClusterSettings { max_fetch_bytes: 64 << 10, ..settings() });
    let world = Arc::clone(&memory.world);
    let asked_at_first_batch = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&asked_at_first_batch);
    let on_batch = Box::new(move |base| {
        if base == 0 {
            *seen.lock().unwrap() = world.fetches().len();
        }
    });
    let mut sink = Recorder { on_batch: Some(on_batch), ..Recorder::default() };
    assert_eq!(fetch(&cluster, &range(0, 400), &mut sink).unwrap().end, FetchEnd::Reached);
    assert_eq!(*asked_at_first_batch.lock().unwrap(), 2);
}

#[test]
fn a_fetch_inside_a_batch_gets_the_whole_batch() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    let mut sink = Recorder::at(7);
    let outcome = fetch(&cluster, &range(7, 12), &mut sink).unwrap();
    assert_eq!((outcome.end, outcome.position), (FetchEnd::Reached, 15));
    assert_eq!(sink.bases, [5, 10]);
}

#[test]
fn batches_behind_the_range_are_not_handed_on() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    let mut sink = Recorder::default();
    let outcome = fetch(&cluster, &range(0, 10), &mut sink).unwrap();
    assert_eq!((outcome.end, outcome.position, outcome.requests), (FetchEnd::Reached, 10, 1));
    assert_eq!(sink.bases, [0, 5]);
}

#[test]
fn a_hole_before_the_end_of_the_range_is_proven_by_the_batch_behind_it() {
    let memory = memory(World::new(vec![batch(0, 5, 100, 1), batch(20, 5, 100, 2)]));
    let cluster = connect(&memory, settings());
    let mut sink = Recorder::default();
    let outcome = fetch(&cluster, &range(0, 12), &mut sink).unwrap();
    assert_eq!((outcome.end, outcome.position, outcome.requests), (FetchEnd::Reached, 25, 1));
    assert_eq!((sink.bases.as_slice(), sink.position), ([0, 20].as_slice(), 25));
}

#[test]
fn a_large_rest_behind_the_range_is_not_waited_for() {
    let mut batches = vec![batch(0, 5, 100, 1)];
    batches.extend((1..40).map(|n| batch(n * 5, 5, 100_000, 2)));
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, settings());
    let range = FetchRange { bytes_per_offset: 10_000_000, ..range(0, 5) };
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &range, &mut sink).unwrap().end, FetchEnd::Reached);
    assert_eq!(sink.bases, [0]);
    // The connection with the rest on it is not used again.
    assert_eq!(fetch(&cluster, &range, &mut Recorder::default()).unwrap().end, FetchEnd::Reached);
}

#[test]
fn a_refused_batch_is_asked_for_again_and_the_answer_on_its_way_is_thrown_away() {
    let batches: Vec<Vec<u8>> = (0..20).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let whole = batches.concat();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, ClusterSettings { max_fetch_bytes: 64 << 10, ..settings() });
    let mut sink = Recorder { refuse: vec![30], ..Recorder::default() };
    let outcome = fetch(&cluster, &range(0, 200), &mut sink).unwrap();
    assert_eq!(outcome.end, FetchEnd::Reached);
    assert_eq!(sink.bytes, whole);
    let offsets: Vec<i64> = memory.world.fetches().iter().map(|ask| ask.offset).collect();
    assert_eq!(offsets, [0, 60, 30, 90, 150]);
}

#[test]
fn a_batch_that_is_refused_for_ever_ends_the_fetch() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    let mut sink = Recorder { refuse: vec![5; 100], ..Recorder::default() };
    let outcome = fetch(&cluster, &range(0, 15), &mut sink).unwrap();
    assert!(matches!(outcome.end, FetchEnd::Stalled { .. }), "{:?}", outcome.end);
    assert_eq!(outcome.position, 5);
    assert!(outcome.requests < 20);
}

#[test]
fn a_batch_larger_than_the_buffer_uses_the_large_share() {
    let batches = vec![batch(0, 5, 100, 1), batch(5, 5, 400_000, 2), batch(10, 5, 100, 3)];
    let whole = batches.concat();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, settings());
    for size in [1000, usize::MAX] {
        *memory.segments.lock().unwrap() = Segments::Of(size);
        let mut sink = Recorder::default();
        assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
        assert_eq!(sink.bytes, whole);
        assert!(sink.unreadable.is_empty());
    }
}

#[test]
fn a_batch_larger_than_the_budget_is_reported_and_passed_over() {
    let batches = vec![batch(0, 5, 100, 1), batch(5, 5, 600_000, 2), batch(10, 5, 100, 3)];
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, settings());
    for size in [1000, usize::MAX] {
        *memory.segments.lock().unwrap() = Segments::Of(size);
        let mut sink = Recorder::default();
        assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
        assert_eq!(sink.bases, [0, 10]);
        let reason = Unreadable::BatchTooLarge { size: 600_000, limit: 512 << 10 };
        assert_eq!(sink.unreadable, [(Some(5), reason)]);
    }
}

#[test]
fn an_old_broker_that_cuts_the_first_batch_is_asked_for_more() {
    let large = batch(0, 5, 300_000, 1);
    let memory = memory(World::new(vec![large.clone(), batch(5, 5, 100, 2)]));
    let cluster = connect(&memory, ClusterSettings { max_fetch_bytes: 64 << 10, ..settings() });
    let cut = large.clone();
    for known in [10, 61] {
        let cut = cut.clone();
        memory.world.on_fetch(move |ask| {
            (ask.offset == 0 && (ask.max_bytes as usize) < cut.len())
                .then(|| Reply::Records(cut[..known].to_vec()))
        });
        let mut sink = Recorder::default();
        let outcome = fetch(&cluster, &range(0, 10), &mut sink).unwrap();
        assert_eq!((outcome.end, sink.bases.as_slice()), (FetchEnd::Reached, [0, 5].as_slice()));
    }
}

#[test]
fn bytes_that_are_no_batch_are_passed_over_to_the_next_one_that_is() {
    let mut batches = three();
    batches[1][16] = 9;
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, settings());
    let mut sink = Recorder::default();
    let outcome = fetch(&cluster, &range(0, 15), &mut sink).unwrap();
    assert_eq!(outcome.end, FetchEnd::Reached);
    assert_eq!(sink.bases, [0, 10]);
    assert!(
        matches!(sink.unreadable.as_slice(), [(None, Unreadable::Damaged { from: 5, to: 10, .. })]),
        "{:?}",
        sink.unreadable
    );
}

#[test]
fn bytes_that_are_no_batch_up_to_the_end_are_lost_up_to_the_end() {
    let mut batches = three();
    batches[2][8] = 0xff;
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, settings());
    let mut sink = Recorder::default();
    let outcome = fetch(&cluster, &range(0, 15), &mut sink).unwrap();
    assert_eq!((outcome.end, outcome.position), (FetchEnd::Reached, 15));
    assert!(matches!(sink.unreadable.as_slice(), [(None, Unreadable::Damaged { from: 10, to: 15, .. })]));
}

#[test]
fn a_batch_in_the_wrong_place_is_reported() {
    let backwards =
        [batch(0, 5, 100, 1), batch(5, 5, 100, 2), batch(2, 1, 100, 9), batch(10, 5, 100, 3)].concat();
    let beyond =
        [batch(0, 5, 100, 1), batch(5000, 5, 100, 9), batch(5, 5, 100, 2), batch(10, 5, 100, 3)].concat();
    let early = [batch(-0, 3, 100, 9), batch(4, 5, 100, 1), batch(9, 6, 100, 2)].concat();
    let cases = [
        (backwards, 0, vec![(Some(2), Unreadable::OutOfOrder { expected: 10 })], vec![0, 5, 10]),
        (beyond, 0, vec![(Some(5000), Unreadable::BeyondEnd { high_watermark: 15 })], vec![0, 5, 10]),
        // A broker may begin early: nothing is missing at offset 4, so nothing is wrong.
        (early.clone(), 4, vec![], vec![4, 9]),
        (early, 3, vec![(Some(0), Unreadable::OutOfOrder { expected: 3 })], vec![4, 9]),
    ];
    for (records, start, unreadable, bases) in cases {
        let memory = memory(World::new(three()));
        let cluster = connect(&memory, settings());
        memory.world.on_fetch(move |_| Some(Reply::Records(records.clone())));
        let mut sink = Recorder::at(start);
        assert_eq!(fetch(&cluster, &range(start, 15), &mut sink).unwrap().end, FetchEnd::Reached);
        assert_eq!((sink.unreadable, sink.bases), (unreadable, bases));
    }
}
