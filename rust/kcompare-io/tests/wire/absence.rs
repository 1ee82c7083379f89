//! Leaders that go away, and for how long they are waited for.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::{Reply, World, listen};
use crate::fetch::{connect, fetch, memory, range, settings, three};
use crate::sink::Recorder;
use kcompare_io::cancel::CancelToken;
use kcompare_io::error::{ErrorKind, WireError};
use kcompare_io::wire::{Cluster, ClusterSettings, FetchEnd, TcpConnector};

/// A stall timeout that is much longer than what a fixed number of tries would take.
fn patient() -> ClusterSettings {
    ClusterSettings {
        stall_timeout: Duration::from_millis(1500),
        retries: 2,
        retry_backoff_max: Duration::from_millis(20),
        ..settings()
    }
}

/// Two brokers of which the second leads the partition and listens nowhere.
fn leader_refuses(settings: ClusterSettings) -> (Arc<World>, Cluster) {
    let world = Arc::new(World::new(three()));
    let port = listen(&world, 1);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.brokers.lock().unwrap().insert(2, nobody);
    world.partitions.lock().unwrap().get_mut(&0).unwrap().leader = 2;
    let settings = ClusterSettings { bootstrap: vec![("127.0.0.1".to_owned(), port)], ..settings };
    let cluster = Cluster::connect(settings, Arc::new(TcpConnector), CancelToken::new()).unwrap();
    (world, cluster)
}

#[test]
fn a_leader_that_comes_back_within_the_stall_timeout_is_read() {
    for reply in [Reply::Close, Reply::Code(5), Reply::Code(6), Reply::Code(74), Reply::Code(75)] {
        let memory = memory(World::new(three()));
        let cluster = connect(&memory, patient());
        let until = Instant::now() + Duration::from_millis(300);
        memory.world.on_fetch(move |_| (Instant::now() < until).then(|| reply.clone()));
        let mut sink = Recorder::default();
        let outcome = fetch(&cluster, &range(0, 15), &mut sink).unwrap();
        assert_eq!((outcome.end, sink.bases.as_slice()), (FetchEnd::Reached, [0, 5, 10].as_slice()));
        // More tries than the number that bounds what time does not mend.
        assert!(memory.world.fetches().len() > 4, "{}", memory.world.fetches().len());
    }
}

#[test]
fn an_election_is_waited_for() {
    let (world, cluster) = leader_refuses(patient());
    world.partitions.lock().unwrap().get_mut(&0).unwrap().leader = -1;
    let elected = Arc::clone(&world);
    let election = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        elected.partitions.lock().unwrap().get_mut(&0).unwrap().leader = 1;
    });
    assert_eq!(fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap().end, FetchEnd::Reached);
    election.join().unwrap();
}

#[test]
fn a_leader_that_stays_away_ends_the_fetch_with_the_stall_timeout() {
    let (_world, cluster) = leader_refuses(patient());
    let started = Instant::now();
    let error = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap_err();
    let took = started.elapsed();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("refused"), "{error}");
    assert!((1500..3500).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn the_next_fetch_does_not_wait_as_long_again_for_the_same_broker() {
    let settings = ClusterSettings { stall_timeout: Duration::from_secs(3), ..patient() };
    let (world, cluster) = leader_refuses(settings);
    fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap_err();
    let started = Instant::now();
    fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap_err();
    // One try of a second.
    assert!((900..2500).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    let started = Instant::now();
    assert_eq!(cluster.bounds(crate::broker::TOPIC).unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // And one that is back is read, whatever was before.
    world.partitions.lock().unwrap().get_mut(&0).unwrap().leader = 1;
    assert_eq!(fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap().end, FetchEnd::Reached);
}

#[test]
fn the_bounds_of_a_broker_that_has_had_its_time_take_one_try() {
    for reply in [Reply::Hang, Reply::Code(6)] {
        let settings = ClusterSettings {
            request_timeout: Duration::from_secs(4),
            stall_timeout: Duration::from_secs(4),
            retries: 1000,
            ..patient()
        };
        let memory = memory(World::new(three()));
        let cluster = connect(&memory, settings);
        memory.world.on_fetch(move |_| Some(reply.clone()));
        let _ = fetch(&cluster, &range(0, 15), &mut Recorder::default());
        let started = Instant::now();
        // By ListOffsets, which answers, and by a Fetch, which does not.
        let bounds = cluster.bounds(crate::broker::TOPIC);
        assert!(bounds.is_err() || bounds.unwrap()[0].error.is_some());
        assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
    }
}

#[test]
fn a_topic_that_is_gone_is_told_before_the_stall_timeout() {
    for code in [3, 100, 103] {
        let memory = memory(World::new(three()));
        let cluster =
            connect(&memory, ClusterSettings { stall_timeout: Duration::from_secs(60), ..patient() });
        memory.world.on_fetch(move |_| Some(Reply::Code(code)));
        let end = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap().end;
        let gone = FetchEnd::Failed(3, "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(end, if code == 3 { gone } else { FetchEnd::TopicRecreated });
        assert_eq!(memory.world.fetches().len(), 3);
    }
}

#[test]
fn a_broker_that_hangs_leaves_time_for_one_that_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = Arc::new(World::new(three()));
    let port = listen(&world, 1);
    let hanging = silent.local_addr().unwrap().port();
    let bootstrap = vec![("127.0.0.1".to_owned(), hanging), ("127.0.0.1".to_owned(), port)];
    let settings = ClusterSettings { bootstrap, ..settings() };
    let cluster = Cluster::connect(settings, Arc::new(TcpConnector), CancelToken::new()).unwrap();
    assert_eq!(cluster.cluster_id(), Some("cluster-1"));
}

#[test]
fn a_throttle_of_minutes_ends_with_the_token() {
    let memory = memory(World::new(three()));
    let cluster = connect(&memory, settings());
    memory.world.on_fetch(|_| Some(Reply::Throttled(240_000)));
    let cancel = CancelToken::new();
    let other = cancel.clone();
    let setter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        other.cancel();
        Instant::now()
    });
    let budget = crate::fetch::budget();
    let error = cluster.fetch(&range(0, 15), &mut Recorder::default(), &budget, &cancel).unwrap_err();
    // Past the stall timeout of 0.3 s: the throttle is served, and only the token ends it.
    assert_eq!(error, WireError::Cancelled);
    assert!(setter.join().unwrap().elapsed() < Duration::from_millis(500));
}
