//! Each scripted fault does what it says, to the requests that it is for and to no others.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, FetchRequest, ListOffsetsRequest, MetadataRequest,
    OffsetForLeaderEpochRequest,
};

use super::super::{Broker, BrokerConfig, Fault, FaultAction, MemoryStore};
use super::{Client, NONE, TOPIC, api, batch, broker, fetch_request, fetched, name, store};

const FETCH: i16 = ApiKey::Fetch as i16;

fn with_fault(fault: Fault) -> (Broker, Client) {
    let broker = broker(&store());
    broker.add_fault(fault);
    let client = Client::new(&broker);
    (broker, client)
}

#[test]
fn filters_choose_the_requests() {
    let broker = broker(&store());
    let fault = Fault::new(FETCH, FaultAction::ErrorCode(56)).on(TOPIC, 0).from_offset(40).skip(1).times(2);
    let number = broker.add_fault(fault);
    let mut client = Client::new(&broker);
    let codes: Vec<_> =
        [0, 40, 39, 40, 50, 40, 40].map(|offset| client.fetch(offset).error_code).into_iter().collect();
    assert_eq!(codes, [0, 0, 0, 56, 56, 0, 0]);
    assert_eq!(broker.fault_count(number), 2);
    let other = broker.add_fault(Fault::new(FETCH, FaultAction::ErrorCode(5)).on("other", 0));
    let partition = broker.add_fault(Fault::new(FETCH, FaultAction::ErrorCode(6)).on(TOPIC, 1));
    assert_eq!(client.fetch(0).error_code, 0);
    assert_eq!((broker.fault_count(other), broker.fault_count(partition)), (0, 0));
    let all = broker.add_fault(Fault::new(FETCH, FaultAction::ErrorCode(7)));
    assert_eq!(client.fetch(0).error_code, 7);
    // A topic that is fetched by id is the same topic.
    assert_eq!(client.call(13, &fetch_request(0)).responses[0].partitions[0].error_code, 7);
    broker.clear_faults();
    assert_eq!(client.fetch(0).error_code, 0);
    assert_eq!(broker.fault_count(all), 2);
}

#[test]
fn error_codes_reach_every_api() {
    let broker = broker(&store());
    for key in [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::ListOffsets, ApiKey::DescribeCluster] {
        broker.add_fault(Fault::new(api(key), FaultAction::ErrorCode(29)));
        broker.add_fault(Fault::new(api(key), FaultAction::Throttle(250)));
    }
    let mut client = Client::new(&broker);
    let versions = client.call(3, &ApiVersionsRequest::default());
    assert_eq!((versions.error_code, versions.throttle_time_ms), (29, 250));
    let metadata = client.call(12, &MetadataRequest::default().with_topics(None));
    assert_eq!((metadata.topics[0].error_code, metadata.throttle_time_ms), (29, 250));
    assert_eq!(client.call(1, &DescribeClusterRequest::default()).error_code, 29);
    let offsets = client.call(7, &latest());
    assert_eq!((offsets.topics[0].partitions[0].error_code, offsets.throttle_time_ms), (29, 250));
    assert_eq!(client.call(4, &OffsetForLeaderEpochRequest::default()).throttle_time_ms, 0);

    broker.clear_faults();
    broker.add_fault(Fault::new(api(ApiKey::Metadata), FaultAction::ErrorCode(5)).on(TOPIC, 1));
    let metadata = client.call(12, &MetadataRequest::default().with_topics(None));
    let codes: Vec<_> = metadata.topics[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!((metadata.topics[0].error_code, codes), (0, vec![0, 5]));
}

fn latest() -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name()).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_topics(vec![topic])
}

#[test]
fn delay_and_throttle() {
    let (_broker, mut client) =
        with_fault(Fault::new(FETCH, FaultAction::Delay(Duration::from_millis(200))).times(1));
    let started = Instant::now();
    assert_eq!(fetched(&client.fetch(90)), [90]);
    assert!(started.elapsed() >= Duration::from_millis(200));
    let (_broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::Throttle(300)));
    let response = client.call(12, &fetch_request(90));
    assert_eq!((response.throttle_time_ms, fetched(&response.responses[0].partitions[0])), (300, vec![90]));
}

#[test]
fn close_and_close_in_the_middle() {
    let (broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::Close).times(1));
    client.send(12, &fetch_request(0));
    assert!(client.is_closed(Duration::from_secs(2)));
    assert_eq!(fetched(&Client::new(&broker).fetch(90)), [90]);

    let (_broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::CloseMidResponse(100)).times(1));
    client.send(12, &fetch_request(0));
    let mut received = Vec::new();
    client.stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 100);
}

#[test]
fn stall_keeps_the_connection_open_and_silent() {
    let (broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::Stall).times(1));
    client.send(12, &fetch_request(0));
    client.send(3, &ApiVersionsRequest::default());
    assert!(!client.is_closed(Duration::from_millis(400)));
    assert_eq!(fetched(&Client::new(&broker).fetch(90)), [90]);
    broker.stop();
    assert!(client.is_closed(Duration::from_secs(1)));
}

#[test]
fn records_are_emptied_replaced_flipped_or_cut() {
    let (_broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::Empty).times(1));
    let data = client.fetch(0);
    assert_eq!((fetched(&data), data.high_watermark), (vec![], 100));
    assert_eq!(fetched(&client.fetch(90)), [90]);

    let other = Bytes::from(batch(1000, 1));
    let (_broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::ReplaceRecords(other.clone())));
    assert_eq!(client.fetch(0).records, Some(other));

    let flip = FaultAction::FlipByte { position_in_records: 70, mask: 0x81 };
    let (_broker, mut client) = with_fault(Fault::new(FETCH, flip).times(1));
    // A response without records does not use the fault up.
    assert_eq!(fetched(&client.fetch(100)), NONE);
    let mut expected = batch(90, 10);
    expected[70] ^= 0x81;
    assert_eq!(client.fetch(90).records.as_deref(), Some(&expected[..]));
    assert_eq!(client.fetch(90).records.as_deref(), Some(&batch(90, 10)[..]));

    let (_broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::TruncateRecords(65)).times(1));
    assert_eq!(client.fetch(90).records.as_deref(), Some(&batch(90, 10)[..65]));
}

#[test]
fn lies_about_the_ends() {
    let (broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::LieHighWatermark(55)));
    broker.add_fault(Fault::new(FETCH, FaultAction::LieLogStart(44)));
    broker.add_fault(Fault::new(api(ApiKey::ListOffsets), FaultAction::LieHighWatermark(66)));
    let data = client.fetch(90);
    assert_eq!((data.high_watermark, data.log_start_offset, fetched(&data)), (55, 44, vec![90]));
    assert_eq!(client.call(7, &latest()).topics[0].partitions[0].offset, 66);
}

#[test]
fn slow_garbled_and_misnumbered_responses() {
    let slow = FaultAction::SlowBytes { chunk: 100, pause: Duration::from_millis(30) };
    let (_broker, mut client) = with_fault(Fault::new(FETCH, slow).times(1));
    let started = Instant::now();
    assert_eq!(fetched(&client.fetch(90)), [90]);
    assert!(started.elapsed() >= Duration::from_millis(60));

    let garbage = Bytes::from_static(b"\0\0\0\x05HTTP/");
    let (_broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::Garbage(garbage)).times(1));
    client.send(12, &fetch_request(0));
    assert_eq!(client.frame().unwrap(), &b"HTTP/"[..]);
    assert_eq!(fetched(&client.fetch(90)), [90]);

    let (_broker, mut client) = with_fault(Fault::new(FETCH, FaultAction::WrongCorrelationId).times(1));
    client.send(12, &fetch_request(90));
    client.correlation_id += 1;
    assert!(client.receive::<FetchRequest>(12).is_ok());
}

#[test]
fn a_leader_that_moves() {
    let store = store();
    let first = broker(&store);
    let second = BrokerConfig { node_id: 2, ..BrokerConfig::default() };
    let second = Broker::start(second, Arc::<MemoryStore>::clone(&store)).unwrap();
    first.set_peers(vec![second.node()]);
    second.set_peers(vec![first.node()]);
    first.add_fault(Fault::new(FETCH, FaultAction::MoveLeader(2)).on(TOPIC, 0).from_offset(50).times(1));
    let mut client = Client::new(&first);
    assert_eq!(client.fetch(49).error_code, 0);
    let data = client.fetch(50);
    assert_eq!(
        (data.error_code, data.current_leader.leader_id.0, data.current_leader.leader_epoch),
        (6, 2, 1)
    );
    let metadata = client.call(12, &MetadataRequest::default().with_topics(None));
    let leaders: Vec<_> = metadata.topics[0]
        .partitions
        .iter()
        .map(|partition| (partition.leader_id.0, partition.leader_epoch))
        .collect();
    assert_eq!(leaders, [(2, 1), (1, 0)]);
    assert_eq!(fetched(&Client::new(&second).fetch(95)), [90]);
}
