//! Fetches that keep to a rate: clocks are asked for lower bounds only.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::broker::{Reply, World, batch};
use crate::fetch::{budget, connect, fetch, memory, range, settings, three};
use crate::sink::Recorder;
use kcompare_io::cancel::CancelToken;
use kcompare_io::error::WireError;
use kcompare_io::rate::RateLimit;
use kcompare_io::wire::{ClusterSettings, FetchEnd};

fn limit(bytes_per_second: u64) -> Arc<RateLimit> {
    Arc::new(RateLimit::new(NonZeroU64::new(bytes_per_second).unwrap()))
}

fn limited(limit: &Arc<RateLimit>) -> ClusterSettings {
    ClusterSettings { rate_limit: Some(Arc::clone(limit)), ..settings() }
}

#[test]
fn two_clusters_share_one_rate_and_waiting_for_it_is_no_stall() {
    let batches: Vec<Vec<u8>> = (0..20).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let limit = limit(256_000);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (batches, limit) = (batches.clone(), &limit);
            scope.spawn(move || {
                let cluster = connect(&memory(World::new(batches)), limited(limit));
                let mut sink = Recorder::default();
                let outcome = fetch(&cluster, &range(0, 200), &mut sink).unwrap();
                assert_eq!((outcome.end, sink.bases.len()), (FetchEnd::Reached, 20));
            });
        }
    });
    // 400,000 bytes of which 64,000 are the burst; the stall timeout is 0.3 s.
    assert!(started.elapsed() >= Duration::from_millis(1300), "{:?}", started.elapsed());
}

#[test]
fn a_request_asks_for_a_share_of_the_rate_and_only_when_the_last_one_is_answered() {
    let batches: Vec<Vec<u8>> = (0..100).map(|n| batch(n * 10, 10, 10_000, n as u8)).collect();
    let memory = memory(World::new(batches));
    let cluster = connect(&memory, limited(&limit(2_000_000)));
    let world = Arc::clone(&memory.world);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let on_batch = Box::new(move |base| seen.lock().unwrap().push((base, world.fetches().len())));
    let mut sink = Recorder { on_batch: Some(on_batch), ..Recorder::default() };
    assert_eq!(fetch(&cluster, &range(0, 1000), &mut sink).unwrap().end, FetchEnd::Reached);
    // An eighth of a second's bytes hold 25 batches.
    assert!(memory.world.fetches().iter().all(|ask| ask.max_bytes <= 250_000));
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|(base, requests)| *requests == 1 + (base / 250) as usize), "{asked:?}");
}

#[test]
fn what_was_not_read_is_handed_back_also_when_nothing_came() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, limited(&limit(64_000)));
    let started = Instant::now();
    // Each fetch takes 65,536 bytes, a second's worth, and reads 500 of them; every other request is in vain.
    memory.world.on_fetch(|ask| match ask.number % 4 {
        0 => Some(Reply::Code(6)),
        2 => Some(Reply::Close),
        _ => None,
    });
    for _ in 0..20 {
        assert_eq!(fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap().end, FetchEnd::Reached);
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[test]
fn a_set_token_ends_the_wait_for_the_rate() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, limited(&limit(1)));
    let cancel = CancelToken::new();
    let other = cancel.clone();
    let setter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        other.cancel();
        Instant::now()
    });
    let error = cluster.fetch(&range(0, 15), &mut Recorder::default(), &budget(), &cancel).unwrap_err();
    let took = setter.join().unwrap().elapsed();
    assert_eq!(error, WireError::Cancelled);
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(memory.world.fetches().is_empty(), "nothing is asked for before it is paid for");
}
