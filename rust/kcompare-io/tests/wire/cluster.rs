//! The wire client over real sockets: brokers that move, hang, close, and things that are no brokers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::broker::{Partition, Reply, TOPIC, TOPIC_ID, World, batch, listen};
use crate::sink::Recorder;
use kcompare_io::budget::MemoryBudget;
use kcompare_io::cancel::CancelToken;
use kcompare_io::error::{ErrorKind, WireError};
use kcompare_io::wire::{
    At, Cluster, ClusterSettings, EpochEnd, FetchEnd, FetchOutcome, FetchRange, IsolationLevel, TcpConnector,
};

fn settings(port: u16) -> ClusterSettings {
    ClusterSettings {
        bootstrap: vec![("127.0.0.1".to_owned(), port)],
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_millis(300),
        stall_timeout: Duration::from_millis(900),
        retries: 3,
        retry_backoff: Duration::from_millis(10),
        max_wait_ms: 50,
        ..ClusterSettings::default()
    }
}

fn connect(settings: ClusterSettings) -> Result<Cluster, WireError> {
    Cluster::connect(settings, Arc::new(TcpConnector), CancelToken::new())
}

fn start(world: World) -> (Arc<World>, Cluster) {
    let world = Arc::new(world);
    let port = listen(&world, 1);
    let cluster = connect(settings(port)).unwrap();
    (world, cluster)
}

fn range(partition: i32, stop: i64) -> FetchRange {
    FetchRange {
        topic: TOPIC.to_owned(),
        topic_id: TOPIC_ID,
        partition,
        start: 0,
        stop,
        isolation_level: IsolationLevel::ReadUncommitted,
        settle: Duration::from_millis(100),
        bytes_per_offset: 0,
    }
}

fn fetch(cluster: &Cluster, range: &FetchRange, sink: &mut Recorder) -> Result<FetchOutcome, WireError> {
    cluster.fetch(range, sink, &MemoryBudget::new(4 << 20, 2), &CancelToken::new())
}

fn three() -> Vec<Vec<u8>> {
    vec![batch(0, 5, 100, 1), batch(5, 5, 61, 2), batch(10, 5, 230, 3)]
}

#[test]
fn a_cluster_is_read_and_nothing_is_asked_that_could_change_it() {
    let (world, cluster) = start(World::new(three()));
    world.partitions.lock().unwrap().insert(1, Partition::new(vec![batch(0, 7, 100, 9)]));
    assert_eq!(cluster.cluster_id(), Some("cluster-1"));
    let metadata = cluster.metadata(None).unwrap();
    assert_eq!((metadata.topics[0].topic_id, metadata.topics[0].partitions.len()), (TOPIC_ID, 2));
    let bounds = cluster.bounds(TOPIC).unwrap();
    assert_eq!(bounds.len(), 2);
    assert_eq!((bounds[0].log_start_offset, bounds[0].high_watermark, bounds[0].error), (0, 15, None));
    assert_eq!((bounds[1].partition, bounds[1].listed_end, bounds[1].fetched_end), (1, 7, 7));
    assert_eq!(cluster.topic_configs(TOPIC).unwrap()["cleanup.policy"], "compact");
    let ends = cluster.epoch_ends(TOPIC, &[(1, 4), (0, 2)]).unwrap();
    let end = |leader_epoch, end_offset| Ok(EpochEnd { leader_epoch, end_offset });
    assert_eq!(ends, [(0, end(2, 200)), (1, end(4, 400))]);
    let found = cluster.offsets(TOPIC, &[0, 1, 9], At::Timestamp(70)).unwrap();
    assert_eq!(found[0].1.unwrap().offset, 7);
    assert_eq!(found[2].1.unwrap_err().name, "UNKNOWN_TOPIC_OR_PARTITION");
    for partition in 0..2 {
        let mut sink = Recorder::default();
        let outcome =
            fetch(&cluster, &range(partition, if partition == 0 { 15 } else { 7 }), &mut sink).unwrap();
        assert_eq!(outcome.end, FetchEnd::Reached);
        assert!(sink.bytes.contains(&if partition == 0 { 3 } else { 9 }));
        assert!(!sink.bytes.contains(&if partition == 0 { 9 } else { 3 }));
    }
    let keys = world.keys.lock().unwrap();
    assert!(keys.iter().all(|key| [18, 3, 2, 1, 23, 32].contains(key)), "{keys:?}");
    // One user at a time, one connection.
    assert_eq!(world.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thousand_partitions_take_a_few_requests() {
    let world = World::new(three());
    for number in 1..1000 {
        world.partitions.lock().unwrap().insert(number, Partition::new(three()));
    }
    let (world, cluster) = start(world);
    let before = world.keys.lock().unwrap().len();
    let bounds = cluster.bounds(TOPIC).unwrap();
    assert_eq!(bounds.len(), 1000);
    assert!(bounds.iter().all(|bounds| bounds.high_watermark == 15 && bounds.error.is_none()));
    assert!(world.keys.lock().unwrap().len() - before <= 6);
}

#[test]
fn a_topic_that_does_not_exist_is_told_and_not_created() {
    let (_world, cluster) = start(World::new(three()));
    let error = cluster.bounds("typo").unwrap_err();
    assert!(error.to_string().contains("UNKNOWN_TOPIC_OR_PARTITION (3) for topic typo"), "{error}");
}

#[test]
fn refused_configs_are_an_error_of_their_own() {
    let mut world = World::new(three());
    world.config_code = 29;
    let (_world, cluster) = start(world);
    assert_eq!(cluster.topic_configs(TOPIC).unwrap_err().kind(), ErrorKind::AuthorizationRefused);
}

#[test]
fn an_old_broker_gets_the_oldest_handshake() {
    let mut world = World::new(three());
    world.api_versions_max = 0;
    world.max_fetch_version = 4;
    let (_world, cluster) = start(world);
    assert_eq!(fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap().end, FetchEnd::Reached);
}

#[test]
fn a_moved_leader_is_followed() {
    let world = Arc::new(World::new(three()));
    let port = listen(&world, 1);
    listen(&world, 2);
    let cluster = connect(settings(port)).unwrap();
    cluster.bounds(TOPIC).unwrap();
    world.asks.lock().unwrap().clear();
    {
        let mut partitions = world.partitions.lock().unwrap();
        let partition = partitions.get_mut(&0).unwrap();
        (partition.leader, partition.leader_epoch) = (2, 4);
    }
    world.on_fetch(|ask| (ask.broker == 1).then_some(Reply::Code(6)));
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
    let asks: Vec<(i32, i32)> = world.fetches().iter().map(|ask| (ask.broker, ask.leader_epoch)).collect();
    assert_eq!(asks, [(1, 3), (2, 4)]);
}

#[test]
fn a_follower_is_read_only_if_a_rack_is_set_and_left_when_it_fails() {
    for rack in [None, Some("r1".to_owned())] {
        let world = Arc::new(World::new(three()));
        let port = listen(&world, 1);
        listen(&world, 2);
        let cluster = connect(ClusterSettings { rack_id: rack.clone(), ..settings(port) }).unwrap();
        world.on_fetch(move |ask| match (ask.broker, ask.number) {
            (1, 0) => Some(Reply::Preferred(2)),
            (2, _) => Some(Reply::Code(78)),
            _ => None,
        });
        let mut sink = Recorder::default();
        assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
        let brokers: Vec<i32> = world.fetches().iter().map(|ask| ask.broker).collect();
        let expected: &[i32] = if rack.is_some() { &[1, 2, 1] } else { &[1, 1] };
        assert_eq!(brokers, expected);
    }
}

#[test]
fn a_recreated_topic_is_never_read() {
    for max in [17, 12] {
        let mut world = World::new(three());
        world.max_fetch_version = max;
        let (world, cluster) = start(world);
        cluster.bounds(TOPIC).unwrap();
        *world.topic_id.lock().unwrap() = [8; 16];
        // By name the new topic would answer; the refusal makes the client look at the id again.
        world.on_fetch(|ask| (ask.number < 2).then_some(Reply::Code(6)));
        let mut sink = Recorder::default();
        let outcome = fetch(&cluster, &range(0, 15), &mut sink).unwrap();
        assert_eq!(outcome.end, FetchEnd::TopicRecreated, "Fetch version {max}");
        assert!(sink.bases.is_empty());
    }
}

#[test]
fn a_deleted_topic_id_ends_the_fetch() {
    let (world, cluster) = start(World::new(three()));
    cluster.bounds(TOPIC).unwrap();
    *world.topic_id.lock().unwrap() = [8; 16];
    let outcome = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap();
    assert_eq!(outcome.end, FetchEnd::TopicRecreated);
}

#[test]
fn a_closed_connection_is_made_again() {
    let (world, cluster) = start(World::new(three()));
    world.on_fetch(|ask| (ask.number < 2).then_some(Reply::Close));
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
    assert_eq!(sink.bases, [0, 5, 10]);
    world.on_fetch(|_| Some(Reply::Close));
    let started = Instant::now();
    let error = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap_err();
    assert!(matches!(error, WireError::Closed { .. }), "{error}");
    assert!((900..2900).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[test]
fn a_half_open_socket_is_left_and_at_last_a_stall() {
    let (world, cluster) = start(World::new(three()));
    world.on_fetch(|ask| (ask.number == 0).then_some(Reply::Hang));
    let started = Instant::now();
    let mut sink = Recorder::default();
    assert_eq!(fetch(&cluster, &range(0, 15), &mut sink).unwrap().end, FetchEnd::Reached);
    assert!(started.elapsed() < Duration::from_millis(800));
    world.on_fetch(|_| Some(Reply::Hang));
    let started = Instant::now();
    let outcome = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap();
    assert!(matches!(outcome.end, FetchEnd::Stalled { .. }), "{:?}", outcome.end);
    assert!((900..1900).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[test]
fn a_set_token_stops_a_fetch_within_two_tenths_of_a_second() {
    let (world, cluster) = start(World::new(three()));
    world.on_fetch(|_| Some(Reply::Hang));
    let cancel = CancelToken::new();
    let other = cancel.clone();
    let setter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(60));
        other.cancel();
        Instant::now()
    });
    let budget = MemoryBudget::new(4 << 20, 2);
    let patient = FetchRange { settle: Duration::from_secs(9), ..range(0, 15) };
    let error = cluster.fetch(&patient, &mut Recorder::default(), &budget, &cancel).unwrap_err();
    let took = setter.join().unwrap().elapsed();
    assert_eq!(error, WireError::Cancelled);
    assert!(took < Duration::from_millis(200), "{took:?}");
}

#[test]
fn many_threads_share_a_cluster() {
    let world = World::new(three());
    for number in 1..8 {
        world.partitions.lock().unwrap().insert(number, Partition::new(three()));
    }
    let (world, cluster) = start(world);
    std::thread::scope(|scope| {
        for partition in 0..8 {
            let cluster = &cluster;
            scope.spawn(move || {
                for _ in 0..20 {
                    let mut sink = Recorder::default();
                    let outcome = fetch(cluster, &range(partition, 15), &mut sink).unwrap();
                    assert_eq!((outcome.end, sink.bytes), (FetchEnd::Reached, three().concat()));
                }
            });
        }
    });
    assert!(world.connections.load(Ordering::SeqCst) <= 8);
}

/// Something that answers every connection with the same bytes, or just closes it.
fn stranger(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer);
        }
    });
    port
}

#[test]
fn strangers_are_told_by_what_they_look_like() {
    let cases: [(&[u8], ErrorKind, &str); 4] = [
        (&[0x15, 3, 1, 0, 2, 2, 0x46], ErrorKind::Protocol, "TLS listener"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ErrorKind::Protocol, "HTTP server"),
        (&[9; 64], ErrorKind::Protocol, "claims 151587081 bytes"),
        (&[], ErrorKind::Unreachable, "TLS listener"),
    ];
    for (answer, kind, words) in cases {
        let error = connect(settings(stranger(answer))).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_listener_that_wants_credentials_is_recognised() {
    let world = Arc::new(World { closes_on: vec![3], ..World::new(three()) });
    let port = listen(&world, 1);
    let error = connect(settings(port)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthenticationRefused);
    assert!(error.to_string().contains("requires SASL"), "{error}");
}

#[test]
fn a_broker_that_has_answered_before_does_not_close_for_want_of_credentials() {
    let (_world, cluster) = start(World { closes_on: vec![2, 32], ..World::new(three()) });
    for error in [cluster.topic_configs(TOPIC).unwrap_err(), cluster.bounds(TOPIC).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(!error.to_string().contains("SASL"), "{error}");
    }
}

#[test]
fn a_cluster_that_is_not_there_is_told_with_host_and_port() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = connect(settings(port)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    let unknown =
        ClusterSettings { bootstrap: vec![("no-such-host.invalid".to_owned(), 9092)], ..settings(port) };
    let error = connect(unknown).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("no-such-host.invalid:9092"), "{error}");
    assert!(error.to_string().contains("does not resolve"), "{error}");
}

#[test]
fn bootstrap_goes_on_to_the_next_server() {
    let world = Arc::new(World::new(three()));
    let port = listen(&world, 1);
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut settings = settings(dead);
    settings.bootstrap.push(("127.0.0.1".to_owned(), port));
    assert_eq!(connect(settings).unwrap().cluster_id(), Some("cluster-1"));
}

#[test]
fn a_late_answer_within_the_time_limit_is_taken() {
    let (world, cluster) = start(World::new(three()));
    world.on_fetch(|ask| (ask.number == 0).then_some(Reply::Late(Duration::from_millis(200))));
    let outcome = fetch(&cluster, &range(0, 15), &mut Recorder::default()).unwrap();
    assert_eq!((outcome.end, outcome.requests), (FetchEnd::Reached, 1));
}
