//! Fetch: which batches come, which do not, and when.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kcompare_core::records::{BatchBuilder, Codec, LegacyRecord, LegacySet, legacy_message_set};

use super::super::wire_types::{from_wire_id, wire_id};
use super::super::{Broker, BrokerConfig, EpochStart, TopicId};
use super::{Client, ID, NONE, TOPIC, batch, broker, fetch_request, fetched, store};

fn limited(offset: i64, max_bytes: usize, partition_max_bytes: usize) -> FetchRequest {
    let mut request = fetch_request(offset).with_max_bytes(max_bytes as i32);
    request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes as i32;
    request
}

#[test]
fn fetch_at_every_version() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    for version in 4..=17 {
        let response = client.call(version, &fetch_request(35));
        assert_eq!((response.error_code, response.session_id), (0, 0));
        let topic = &response.responses[0];
        let by_id = version >= 13;
        assert_eq!(topic.topic.is_empty(), by_id);
        assert_eq!(from_wire_id(&topic.topic_id), if by_id { ID } else { TopicId::ZERO });
        let data = &topic.partitions[0];
        assert_eq!((data.high_watermark, data.last_stable_offset), (100, 100));
        assert_eq!(data.log_start_offset, if version >= 5 { 0 } else { -1 });
        assert_eq!(data.aborted_transactions, None);
        assert_eq!(fetched(data), [30, 40, 50, 60, 70, 80, 90]);
    }
}

#[test]
fn every_offset_gives_the_batch_that_holds_it_as_stored() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    for offset in 0..100 {
        let base = offset / 10 * 10;
        let response = client.call(12, &limited(offset, 1, 1));
        assert_eq!(response.responses[0].partitions[0].records.as_deref(), Some(&batch(base, 10)[..]));
    }
    assert_eq!(fetched(&client.fetch(100)), NONE);
    assert_eq!(client.fetch(101).error_code, 1);
    assert_eq!(client.fetch(-1).error_code, 1);
}

#[test]
fn limits_hold_but_for_one_batch() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    let size = batch(50, 10).len();
    let mut count = |max_bytes, partition_max_bytes| {
        let response = client.call(12, &limited(50, max_bytes, partition_max_bytes));
        fetched(&response.responses[0].partitions[0]).len()
    };
    assert_eq!(count(0, 0), 1);
    assert_eq!(count(size - 1, 1 << 20), 1);
    assert_eq!(count(2 * size - 1, 1 << 20), 1);
    assert_eq!(count(2 * size, 1 << 20), 2);
    assert_eq!(count(1 << 20, 3 * size), 3);
    assert_eq!(count(1 << 20, 1 << 20), 5);
}

#[test]
fn only_the_first_partition_may_exceed_the_limit() {
    let store = store();
    store.append(TOPIC, 1, batch(0, 10)).unwrap();
    let broker = broker(&store);
    let size = batch(0, 10).len();
    let mut request = limited(0, size + 1, 1 << 20);
    request.topics[0]
        .partitions
        .push(FetchPartition::default().with_partition(1).with_partition_max_bytes(1 << 20));
    let response = Client::new(&broker).call(12, &request);
    assert_eq!(fetched(&response.responses[0].partitions[0]), [0]);
    assert_eq!(fetched(&response.responses[0].partitions[1]), NONE);
    // The second partition is the first one with records when the first has none.
    request.topics[0].partitions[0].fetch_offset = 100;
    request.max_bytes = 1;
    let response = Client::new(&broker).call(12, &request);
    assert_eq!(fetched(&response.responses[0].partitions[1]), [0]);
}

#[test]
fn isolation_levels_see_different_ends_and_aborted_transactions() {
    let store = store();
    store.set_high_watermark(TOPIC, 0, Some(90)).unwrap();
    store.set_last_stable_offset(TOPIC, 0, Some(60)).unwrap();
    store.add_aborted(TOPIC, 0, 11, 5, 12).unwrap();
    store.add_aborted(TOPIC, 0, 12, 41, 47).unwrap();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    for version in 4..=17 {
        let data = client.call(version, &fetch_request(50)).responses[0].partitions[0].clone();
        assert_eq!(fetched(&data), [50, 60, 70, 80]);
        assert_eq!((data.high_watermark, data.last_stable_offset), (90, 60));
        assert_eq!(data.aborted_transactions, None);
        let mut aborted = |offset, bytes| {
            let request = limited(offset, bytes, bytes).with_isolation_level(1);
            let data = client.call(version, &request).responses[0].partitions[0].clone();
            let listed: Vec<_> = data
                .aborted_transactions
                .iter()
                .flatten()
                .map(|one| (one.producer_id.0, one.first_offset))
                .collect();
            (fetched(&data), listed)
        };
        assert_eq!(aborted(0, 1 << 20), (vec![0, 10, 20, 30, 40, 50], vec![(11, 5), (12, 41)]));
        assert_eq!(aborted(12, 1), (vec![10], vec![(11, 5)]));
        assert_eq!(aborted(13, 1), (vec![10], vec![]));
        assert_eq!(aborted(60, 1), (vec![], vec![]));
    }
    // Beyond the high watermark and within the log there is nothing, and no error.
    assert_eq!(fetched(&client.fetch(95)), NONE);
}

#[test]
fn a_fetch_waits_for_records() {
    let store = store();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    let started = Instant::now();
    client.call(12, &fetch_request(100).with_max_wait_ms(150));
    assert!(started.elapsed() >= Duration::from_millis(150));

    let writer = Arc::clone(&store);
    let appended = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        writer.append(TOPIC, 0, batch(100, 10)).unwrap();
    });
    let started = Instant::now();
    let response = client.call(12, &fetch_request(100).with_max_wait_ms(4000));
    assert_eq!(fetched(&response.responses[0].partitions[0]), [100]);
    assert!(started.elapsed() < Duration::from_secs(2));
    appended.join().unwrap();

    // There are records, but too few; and an error does not wait.
    let started = Instant::now();
    client.call(12, &fetch_request(100).with_max_wait_ms(150).with_min_bytes(1 << 20));
    assert!(started.elapsed() >= Duration::from_millis(150));
    let started = Instant::now();
    client.call(12, &fetch_request(1000).with_max_wait_ms(4000));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn sessions_are_not_given_out() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    let response = client.call(12, &fetch_request(0).with_session_epoch(0));
    assert_eq!((response.error_code, response.session_id), (0, 0));
    let response = client.call(12, &fetch_request(0).with_session_id(77).with_session_epoch(1));
    assert_eq!((response.error_code, response.responses.len()), (70, 0));
}

#[test]
fn retention_and_recreation_are_seen_at_once() {
    let store = store();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    store.set_log_start_offset(TOPIC, 0, 25).unwrap();
    assert_eq!(client.fetch(24).error_code, 1);
    let data = client.fetch(25);
    assert_eq!((data.log_start_offset, fetched(&data)[0]), (25, 20));
    store.recreate_topic(TOPIC, TopicId([8; 16])).unwrap();
    store.append(TOPIC, 0, batch(0, 40)).unwrap();
    // By name the new topic's records come without an error; by the old id nothing does.
    assert_eq!(fetched(&client.fetch(25)), [0]);
    let response = client.call(13, &fetch_request(25));
    assert_eq!(response.responses[0].partitions[0].error_code, 100);
    assert!(store.delete_topic(TOPIC));
    assert_eq!(client.fetch(25).error_code, 3);
}

#[test]
fn leaders_and_epochs_are_checked() {
    let store = store();
    let epochs = vec![
        EpochStart { leader_epoch: 2, start_offset: 0 },
        EpochStart { leader_epoch: 5, start_offset: 50 },
    ];
    store.set_leader_epochs(TOPIC, 0, epochs).unwrap();
    let broker = broker(&store);
    let other = BrokerConfig { node_id: 2, ..BrokerConfig::default() };
    let other = Broker::start(other, Arc::<super::MemoryStore>::clone(&store)).unwrap();
    broker.set_peers(vec![other.node()]);
    let mut client = Client::new(&broker);
    for (epoch, code) in [(-1, 0), (4, 74), (5, 0), (6, 75)] {
        let mut request = fetch_request(0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let response = client.call(12, &request);
        assert_eq!(response.responses[0].partitions[0].error_code, code);
    }
    store.set_leader(TOPIC, 0, Some(2)).unwrap();
    for version in 4..=17 {
        let response = client.call(version, &fetch_request(0));
        let data = &response.responses[0].partitions[0];
        assert_eq!(data.error_code, 6);
        assert_eq!(data.current_leader.leader_id.0, if version >= 12 { 2 } else { -1 });
        let ports: Vec<_> = response.node_endpoints.iter().map(|node| node.port).collect();
        let expected = if version >= 16 { vec![i32::from(other.addr().port())] } else { vec![] };
        assert_eq!(ports, expected);
    }
    assert_eq!(fetched(&Client::new(&other).fetch(95)), [90]);
}

#[test]
fn legacy_wrappers_holes_and_damaged_bytes_are_served_as_they_are() {
    let store = store();
    let record = |offset| LegacyRecord { offset, timestamp: 5, key: None, value: Some(b"old") };
    let records: Vec<_> = (0..10).map(record).collect();
    let wrapper = legacy_message_set(&LegacySet::new(1, Codec::Gzip), &records).unwrap();
    store.append(TOPIC, 1, wrapper.clone()).unwrap();
    store.append(TOPIC, 1, batch(30, 5)).unwrap();
    store.append_unchecked(TOPIC, 1, &b"no batch at all"[..], 45).unwrap();
    let mut hollow = BatchBuilder::new(45).last_offset_delta(9);
    hollow.append(1, None, None).unwrap();
    store.append(TOPIC, 1, hollow.build().unwrap()).unwrap();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    let mut records = |offset| {
        let mut request = limited(offset, 1, 1);
        request.topics[0].partitions[0].partition = 1;
        request.topics[0].topic_id = wire_id(ID);
        client.call(12, &request).responses[0].partitions[0].records.clone().unwrap()
    };
    assert_eq!(records(0), wrapper);
    assert_eq!(records(9), wrapper);
    assert_eq!(records(10), batch(30, 5));
    assert_eq!(records(29), batch(30, 5));
    assert_eq!(records(35), &b"no batch at all"[..]);
    assert_eq!(records(54), hollow.build().unwrap());
    assert_eq!(records(55), &b""[..]);
}

#[test]
fn appends_are_whole_and_in_order_or_change_nothing() {
    let store = store();
    let two: Vec<u8> = [batch(100, 10), batch(105, 10)].concat();
    let error = store.append(TOPIC, 0, two).unwrap_err();
    assert_eq!(error.to_string(), "the batch starts at offset 105, which is below the end of the log at 110");
    let cut: Vec<u8> = [batch(100, 10), batch(110, 10)[..70].to_vec()].concat();
    let error = store.append(TOPIC, 0, cut).unwrap_err();
    let position = batch(100, 10).len();
    assert_eq!(
        error.to_string(),
        format!("byte {position} of the appended bytes starts a batch that is cut off")
    );
    assert!(store.append(TOPIC, 2, batch(0, 1)).is_err());
    assert!(store.append("typo", 0, batch(0, 1)).is_err());
    assert!(store.append_unchecked(TOPIC, 0, vec![1], 100).is_err());
    let broker = broker(&store);
    assert_eq!(Client::new(&broker).fetch(0).high_watermark, 100);
}
