//! Offsets by time, from the broker that holds real records.

use std::collections::BTreeMap;
use std::sync::Arc;

use kcompare_core::records::BatchBuilder;
use kcompare_io::cancel::CancelToken;
use kcompare_io::serve::{Broker, BrokerConfig, Fault, FaultAction, MemoryStore, TopicId};
use kcompare_io::wire::{Cluster, ClusterSettings, TcpConnector};

/// One record each at these timestamps, from offset 0 on.
fn batch_of(timestamps: &[i64]) -> Vec<u8> {
    let mut batch = BatchBuilder::new(0);
    for timestamp in timestamps {
        batch.append(*timestamp, None, Some(b"v")).unwrap();
    }
    batch.build().unwrap()
}

fn start(store: &Arc<MemoryStore>) -> (Broker, Cluster) {
    let broker = Broker::start(BrokerConfig::default(), Arc::clone(store) as _).unwrap();
    let settings = ClusterSettings {
        bootstrap: vec![("127.0.0.1".to_owned(), broker.addr().port())],
        retries: 1,
        ..ClusterSettings::default()
    };
    let cluster = Cluster::connect(settings, Arc::new(TcpConnector), CancelToken::new()).unwrap();
    (broker, cluster)
}

/// (partition, offset), or the name of the error.
fn found(cluster: &Cluster, timestamp_ms: u64) -> Vec<(i32, Result<i64, &'static str>)> {
    let answers = cluster.offsets_at("blogs", timestamp_ms).unwrap();
    answers.into_iter().map(|(p, at)| (p, at.map(|at| at.offset).map_err(|error| error.name))).collect()
}

#[test]
fn the_first_record_that_is_young_enough_in_every_partition() {
    let store = Arc::new(MemoryStore::new());
    store.create_topic("blogs", TopicId([7; 16]), 4, BTreeMap::new()).unwrap();
    store.append("blogs", 0, batch_of(&[100, 200, 300])).unwrap();
    // Out of order: the first in the order of offsets counts, not the closest in time.
    store.append("blogs", 1, batch_of(&[500, 100, 200, 900])).unwrap();
    store.append("blogs", 2, batch_of(&[100, 200, 300])).unwrap();
    store.set_high_watermark("blogs", 2, Some(2)).unwrap();
    let (broker, cluster) = start(&store);
    for (timestamp, expected) in [
        (0, [0, 0, 0, -1]),
        (100, [0, 0, 0, -1]),
        (101, [1, 0, 1, -1]),
        (200, [1, 0, 1, -1]),
        // What readers cannot see yet is not found.
        (201, [2, 0, -1, -1]),
        (501, [-1, 3, -1, -1]),
        (901, [-1, -1, -1, -1]),
        (u64::MAX, [-1, -1, -1, -1]),
    ] {
        let expected: Vec<_> = expected.into_iter().enumerate().map(|(p, at)| (p as i32, Ok(at))).collect();
        assert_eq!(found(&cluster, timestamp), expected, "at {timestamp}");
    }
    broker.add_fault(Fault::new(2, FaultAction::ErrorCode(29)).on("blogs", 1));
    assert_eq!(found(&cluster, 101)[..2], [(0, Ok(1)), (1, Err("TOPIC_AUTHORIZATION_FAILED"))]);
    let error = cluster.offsets_at("typo", 5).unwrap_err();
    assert!(error.to_string().contains("UNKNOWN_TOPIC_OR_PARTITION (3) for topic typo"), "{error}");
}
