//! Hostile requests, and the end of a broker.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeConfigsRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader,
};
use kafka_protocol::protocol::{Encodable, Request};
use proptest::prelude::*;

use super::super::dispatch::SUPPORTED;
use super::super::wire_types::text;
use super::super::{Broker, BrokerConfig, Fault, FaultAction, bounded};
use super::{Client, broker, fetch_request, fetched, groups, store};

#[test]
fn stop_ends_open_connections_within_a_second() {
    let broker = broker(&store());
    let stall = FaultAction::Stall;
    broker.add_fault(Fault::new(2, stall));
    broker.add_fault(Fault::new(3, FaultAction::Delay(Duration::from_secs(60))));
    let idle = Client::new(&broker);
    let mut waiting = Client::new(&broker);
    waiting.send(12, &fetch_request(100).with_max_wait_ms(60_000));
    let mut stalled = Client::new(&broker);
    stalled.send(7, &ListOffsetsRequest::default());
    let mut delayed = Client::new(&broker);
    delayed.send(12, &MetadataRequest::default());
    let mut partial = Client::new(&broker);
    partial.stream.write_all(&[0, 0, 1]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    broker.stop();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    for mut client in [idle, stalled, partial] {
        assert!(client.is_closed(Duration::from_secs(1)));
    }
    assert!(TcpStream::connect(broker.addr()).is_err());
}

#[test]
fn stop_does_not_wait_for_a_reader_that_does_not_read() {
    let store = store();
    let big = vec![0_u8; 32 << 20];
    store.append_unchecked(super::TOPIC, 1, big, 1).unwrap();
    let broker = broker(&store);
    let mut client = Client::new(&broker);
    let mut request = fetch_request(0).with_max_bytes(i32::MAX);
    request.topics[0].partitions[0].partition = 1;
    client.send(12, &request);
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    broker.stop();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let config = BrokerConfig { max_connections: 2, ..BrokerConfig::default() };
    let broker = Broker::start(config, store()).unwrap();
    let mut first = Client::new(&broker);
    let mut second = Client::new(&broker);
    assert_eq!(first.call(0, &ApiVersionsRequest::default()).error_code, 0);
    assert_eq!(second.call(0, &ApiVersionsRequest::default()).error_code, 0);
    let mut third = Client::new(&broker);
    assert!(third.is_closed(Duration::from_secs(2)));
    drop(first);
    // The broker needs a moment to see that there is room again.
    let deadline = Instant::now() + Duration::from_secs(5);
    while Client::new(&broker).try_call(0, &ApiVersionsRequest::default()).is_err() {
        assert!(Instant::now() < deadline, "a connection has ended, and no other is taken");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn lengths_out_of_bounds_end_the_connection() {
    let broker = broker(&store());
    for length in [-1, i32::MIN, (1 << 20) + 1, i32::MAX, 0, 7] {
        let mut client = Client::new(&broker);
        client.stream.write_all(&i32::to_be_bytes(length)).unwrap();
        client.stream.write_all(&[0; 7]).unwrap();
        assert!(client.is_closed(Duration::from_secs(2)), "length {length}");
    }
    assert_eq!(fetched(&Client::new(&broker).fetch(95)), [90]);
}

/// An array of two thousand million elements in every request that has one: nothing is allocated for it.
#[test]
fn absurd_counts_end_the_connection() {
    let broker = broker(&store());
    for (api, oldest, newest) in SUPPORTED {
        for version in oldest..=newest {
            // Wherever an array stands in a request of these bytes, its count is absurd: 0x7f7f7f7f, or a varint of
            // four bytes.
            for filler in [0x7f, 0xff, 0x80, 0x01] {
                let mut frame = vec![0, 0, 0, 0];
                frame.extend_from_slice(&(api as i16).to_be_bytes());
                frame.extend_from_slice(&version.to_be_bytes());
                frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff, 0]);
                frame.extend_from_slice(&[filler; 400]);
                let length = (frame.len() - 4) as i32;
                frame[..4].copy_from_slice(&length.to_be_bytes());
                let mut client = Client::new(&broker);
                client.stream.write_all(&frame).unwrap();
                client.stream.shutdown(Shutdown::Write).unwrap();
                client.stream.read_to_end(&mut Vec::new()).unwrap_or_default();
            }
        }
    }
    assert_eq!(fetched(&Client::new(&broker).fetch(95)), [90]);
}

/// Bodies of requests, with their API and version.
type Bodies = Vec<(ApiKey, i16, Bytes)>;

/// Encodes a request at every version.
fn encoded<R: Request + Encodable + Clone>(request: &R, bodies: &mut Bodies) {
    encoded_at(bodies, |_| request.clone());
}

/// Encodes a request that is another one at other versions.
fn encoded_at<R: Request + Encodable>(bodies: &mut Bodies, request: impl Fn(i16) -> R) {
    let &(api, oldest, newest) =
        SUPPORTED.iter().find(|(api, ..)| *api as i16 == R::KEY).expect("a supported API");
    for version in oldest..=newest {
        let mut body = BytesMut::new();
        request(version).encode(&mut body, version).unwrap();
        bodies.push((api, version, body.freeze()));
    }
}

/// The bodies of requests about groups and producers.
fn for_groups(bodies: &mut Bodies) {
    encoded_at(bodies, groups::find_coordinator);
    encoded_at(bodies, groups::join);
    encoded_at(bodies, |version| groups::sync(version, "member", 1));
    encoded_at(bodies, |version| groups::heartbeat(version, "member", 1));
    encoded_at(bodies, |version| groups::leave(version, "member"));
    encoded_at(bodies, groups::offset_fetch);
    encoded_at(bodies, |version| groups::offset_commit(version, "member", 1));
    encoded(&InitProducerIdRequest::default(), bodies);
}

/// The body of every request that the tests can make, at every version.
fn bodies() -> Bodies {
    let mut bodies = Vec::new();
    encoded(&fetch_request(7), &mut bodies);
    let data = PartitionProduceData::default().with_records(Some(Bytes::from_static(b"records")));
    let topic = TopicProduceData::default().with_name(super::name()).with_partition_data(vec![data]);
    encoded(&ProduceRequest::default().with_acks(1).with_topic_data(vec![topic]), &mut bodies);
    let partition = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default().with_name(super::name()).with_partitions(vec![partition]);
    encoded(&ListOffsetsRequest::default().with_topics(vec![topic]), &mut bodies);
    let topic = MetadataRequestTopic::default().with_name(Some(super::name()));
    encoded(&MetadataRequest::default().with_topics(Some(vec![topic])), &mut bodies);
    let topic = OffsetForLeaderTopic::default()
        .with_topic(super::name())
        .with_partitions(vec![OffsetForLeaderPartition::default()]);
    encoded(&OffsetForLeaderEpochRequest::default().with_topics(vec![topic]), &mut bodies);
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("blogs"))
        .with_configuration_keys(Some(vec![text("retention.ms")]));
    encoded(&DescribeConfigsRequest::default().with_resources(vec![resource]), &mut bodies);
    for_groups(&mut bodies);
    encoded(&ApiVersionsRequest::default(), &mut bodies);
    encoded(&DescribeClusterRequest::default(), &mut bodies);
    bodies
}

#[test]
fn the_check_of_the_shape_takes_every_real_request_and_no_shorter_one() {
    for (api, version, body) in bodies() {
        assert_eq!(bounded::check(api, version, &body), Ok(()), "{api:?} {version}");
        if matches!(api, ApiKey::ApiVersions | ApiKey::DescribeCluster) {
            continue;
        }
        for length in 0..body.len() {
            assert_eq!(
                bounded::check(api, version, &body[..length]),
                Err(bounded::Malformed),
                "{api:?} {version}, {length} of {} bytes",
                body.len()
            );
        }
    }
}

fn hostile() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| broker(&store()))
}

fn survives(bytes: &[u8]) {
    let mut client = Client::new(hostile());
    client.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The broker may have closed the connection before it has taken all bytes.
    let _ = client.stream.write_all(bytes);
    let _ = client.stream.shutdown(Shutdown::Write);
    let _ = client.stream.read_to_end(&mut Vec::new());
    assert_eq!(fetched(&Client::new(hostile()).fetch(95)), [90]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_end_the_broker(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn random_bodies_never_end_the_broker(
        index in 0..SUPPORTED.len(),
        version in 0_i16..20,
        body in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(2), Just(0xff), any::<u8>()], 0..200),
    ) {
        let mut frame = BytesMut::from(&[0_u8; 4][..]);
        let (api, ..) = SUPPORTED[index];
        let header = RequestHeader::default().with_request_api_key(api as i16).with_request_api_version(version);
        header.encode(&mut frame, api.request_header_version(version)).unwrap();
        frame.extend_from_slice(&body);
        let length = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        survives(&frame);
    }

    #[test]
    fn changed_requests_never_end_the_broker(
        chosen in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let bodies = bodies();
        let (api, version, body) = chosen.get(&bodies);
        let mut frame = BytesMut::from(&[0_u8; 4][..]);
        let header = RequestHeader::default().with_request_api_key(*api as i16).with_request_api_version(*version);
        header.encode(&mut frame, api.request_header_version(*version)).unwrap();
        frame.extend_from_slice(body);
        let length = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        for (position, byte) in changes {
            // A long wait is what maxWaitMs asks for; it is not what is tested here.
            let position = position.index(frame.len());
            if !(10..40).contains(&position) {
                frame[position] = byte;
            }
        }
        survives(&frame);
    }
}

/// The decoder reads a tag that it knows by its type. Were its length another one, everything behind it would be read
/// at other positions than those that were checked.
#[test]
fn known_tags_have_the_length_of_their_type() {
    let mut body = BytesMut::new();
    fetch_request(0).encode(&mut body, 17).unwrap();
    // partition tags, topic tags, forgottenTopicsData, rackId, request tags: all of them empty
    assert_eq!(body[body.len() - 5..], [0, 0, 1, 1, 0]);
    let tagged = |tag, size: u8| {
        let mut changed = body[..body.len() - 5].to_vec();
        changed.extend_from_slice(&[1, tag, size]);
        changed.extend(std::iter::repeat_n(0x7f, size.into()));
        changed.extend_from_slice(&[0, 1, 1, 0]);
        bounded::check(ApiKey::Fetch, 17, &changed)
    };
    for (tag, size) in [(0, 16), (1, 8), (9, 0), (9, 77)] {
        assert_eq!(tagged(tag, size), Ok(()), "tag {tag} of {size} bytes");
    }
    for (tag, size) in [(0, 15), (0, 17), (0, 0), (1, 7), (1, 9)] {
        assert_eq!(tagged(tag, size), Err(bounded::Malformed), "tag {tag} of {size} bytes");
    }
}
