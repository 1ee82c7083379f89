//! `ListOffsets` and `OffsetForLeaderEpoch`.

use std::sync::Arc;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{ListOffsetsRequest, OffsetForLeaderEpochRequest};
use kcompare_core::records::{BatchBuilder, Codec};

use super::super::EpochStart;
use super::super::memory::MemoryStore;
use super::{Client, TOPIC, batch, broker, name, store};

/// (error, offset, timestamp, leader epoch) of partition 0.
fn list(client: &mut Client, version: i16, timestamp: i64, isolation: i8) -> (i16, i64, i64, i32) {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name()).with_partitions(vec![partition]);
    let isolation = if version >= 2 { isolation } else { 0 };
    let request = ListOffsetsRequest::default().with_topics(vec![topic]).with_isolation_level(isolation);
    let response = client.call(version, &request);
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.offset, found.timestamp, found.leader_epoch)
}

#[test]
fn ends_at_every_version() {
    let store = store();
    store.set_log_start_offset(TOPIC, 0, 25).unwrap();
    store.set_high_watermark(TOPIC, 0, Some(90)).unwrap();
    store.set_last_stable_offset(TOPIC, 0, Some(60)).unwrap();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    for version in 1..=10 {
        let epoch = if version >= 4 { 0 } else { -1 };
        assert_eq!(list(&mut client, version, -2, 0), (0, 25, -1, epoch));
        assert_eq!(list(&mut client, version, -1, 0), (0, 90, -1, epoch));
        let committed = if version >= 2 { 60 } else { 90 };
        assert_eq!(list(&mut client, version, -1, 1), (0, committed, -1, epoch));
        // offset 89 has the largest timestamp, 1890 of what can be read; the log itself goes on to 1990
        assert_eq!(list(&mut client, version, -3, 0), (0, -1, -1, -1));
        assert_eq!(list(&mut client, version, -4, 0), (0, 25, -1, epoch));
        assert_eq!(list(&mut client, version, -5, 0), (0, -1, -1, -1));
        assert_eq!(list(&mut client, version, -9, 0).0, 35);
    }
    store.set_high_watermark(TOPIC, 0, None).unwrap();
    assert_eq!(list(&mut client, 7, -3, 0), (0, 99, 1990, 0));
}

#[test]
fn offsets_by_timestamp_agree_with_a_search_of_all_records() {
    let store = store();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    for timestamp in (0..2010).step_by(7) {
        let expected = (0..100).find(|offset| 1000 + 10 * offset >= timestamp);
        let expected = expected.map_or((0, -1, -1, -1), |offset| (0, offset, 1000 + 10 * offset, 0));
        assert_eq!(list(&mut client, 10, timestamp, 0), expected);
    }
    // Records below the log start are not found, though their batch is still there.
    store.set_log_start_offset(TOPIC, 0, 25).unwrap();
    assert_eq!(list(&mut client, 10, 1210, 0), (0, 25, 1250, 0));
    store.set_high_watermark(TOPIC, 0, Some(50)).unwrap();
    assert_eq!(list(&mut client, 10, 1490, 0), (0, 49, 1490, 0));
    assert_eq!(list(&mut client, 10, 1491, 0), (0, -1, -1, -1));
}

#[test]
fn timestamps_out_of_order_appended_by_the_broker_or_missing() {
    let store = Arc::new(MemoryStore::new());
    store.create_topic(TOPIC, super::ID, 1, std::collections::BTreeMap::new()).unwrap();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    assert_eq!(list(&mut client, 7, -3, 0), (0, -1, -1, -1));
    let mut late = BatchBuilder::new(0).codec(Codec::Lz4);
    for timestamp in [500, 900, 300] {
        late.append(timestamp, None, None).unwrap();
    }
    store.append(TOPIC, 0, late.build().unwrap()).unwrap();
    let mut none = BatchBuilder::new(3);
    none.append(-1, None, None).unwrap();
    store.append(TOPIC, 0, none.build().unwrap()).unwrap();
    let mut stamped = BatchBuilder::new(4).log_append_time(700);
    stamped.append(1, None, None).unwrap();
    store.append(TOPIC, 0, stamped.build().unwrap()).unwrap();
    assert_eq!(list(&mut client, 7, -3, 0), (0, 1, 900, -1));
    assert_eq!(list(&mut client, 7, 0, 0), (0, 0, 500, -1));
    assert_eq!(list(&mut client, 7, 501, 0), (0, 1, 900, -1));
    store.set_log_start_offset(TOPIC, 0, 3).unwrap();
    assert_eq!(list(&mut client, 7, 0, 0), (0, 4, 700, -1));
}

#[test]
fn a_damaged_batch_is_an_error_of_the_search() {
    let store = store();
    let mut bytes = batch(100, 10);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    store.append(TOPIC, 0, bytes).unwrap();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    assert_eq!(list(&mut client, 7, 2050, 0).0, 2);
    assert_eq!(list(&mut client, 7, 1990, 0), (0, 99, 1990, 0));
}

#[test]
fn leader_epochs_end_where_the_next_one_starts() {
    let store = store();
    let start = |leader_epoch, start_offset| EpochStart { leader_epoch, start_offset };
    store.set_leader_epochs(TOPIC, 0, vec![start(2, 10), start(5, 50), start(6, 80)]).unwrap();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    for version in 2..=4 {
        let mut end = |current, leader_epoch| {
            let partition = OffsetForLeaderPartition::default()
                .with_current_leader_epoch(current)
                .with_leader_epoch(leader_epoch);
            let topic = OffsetForLeaderTopic::default().with_topic(name()).with_partitions(vec![partition]);
            let response =
                client.call(version, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic]));
            let found = &response.topics[0].partitions[0];
            (found.error_code, found.leader_epoch, found.end_offset)
        };
        assert_eq!(end(-1, 6), (0, 6, 100));
        assert_eq!(end(6, 5), (0, 5, 80));
        assert_eq!(end(-1, 4), (0, 2, 50));
        assert_eq!(end(-1, 2), (0, 2, 50));
        // Below the first epoch the answer names the epoch asked for, as Kafka's LeaderEpochFileCache does.
        assert_eq!(end(-1, 1), (0, 1, 10));
        assert_eq!(end(-1, 7), (0, -1, -1));
        assert_eq!(end(-1, -1), (0, -1, -1));
        assert_eq!(end(5, 5).0, 74);
        assert_eq!(end(7, 5).0, 75);
    }
}
