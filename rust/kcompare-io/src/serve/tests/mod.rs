//! A client for the tests, made of `kafka-protocol` alone, and the logs that the tests read.

mod apis;
mod faults;
mod fetching;
mod groups;
mod offsets;
mod patience;
mod robust;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{ApiKey, FetchRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kcompare_core::records::{BatchBuilder, peek};

use super::wire_types::{topic_name, wire_id};
use super::{Broker, BrokerConfig, MemoryStore, TopicId};

const TOPIC: &str = "blogs";
const ID: TopicId = TopicId([7; 16]);
/// No batches.
const NONE: [i64; 0] = [];

/// A connection that sends one request at a time.
struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    fn new(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { stream, correlation_id: 40 }
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.try_send(version, request).unwrap();
    }

    fn try_send<R: Request>(&mut self, version: i16, request: &R) -> std::io::Result<()> {
        self.correlation_id += 1;
        let mut frame = BytesMut::from(&[0_u8; 4][..]);
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("test")))
            .encode(&mut frame, R::header_version(version))
            .unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)
    }

    /// The next frame without its length, or the error that the connection ends with.
    fn frame(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    fn receive<R: Request>(&mut self, version: i16) -> std::io::Result<R::Response> {
        let mut frame = self.frame()?;
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "{} bytes are left behind the response", frame.len());
        Ok(response)
    }

    fn try_call<R: Request>(&mut self, version: i16, request: &R) -> std::io::Result<R::Response> {
        self.try_send(version, request)?;
        self.receive::<R>(version)
    }

    fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.try_call(version, request).unwrap()
    }

    /// Fetches from partition 0 by name and returns its part of the response.
    fn fetch(&mut self, offset: i64) -> PartitionData {
        let response = self.call(12, &fetch_request(offset));
        assert_eq!(response.error_code, 0);
        response.responses[0].partitions[0].clone()
    }

    /// What the connection ends with: true when the peer has closed it, false when nothing came in time.
    fn is_closed(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        match self.stream.read(&mut [0]) {
            Ok(0) => true,
            Ok(_) => panic!("a byte came where none was expected"),
            Err(error) => {
                !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            }
        }
    }
}

fn name() -> TopicName {
    topic_name(TOPIC)
}

/// A fetch by name and by id at once; each version encodes what it has.
fn fetch_request(offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic =
        FetchTopic::default().with_topic(name()).with_topic_id(wire_id(ID)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_min_bytes(1)
        .with_max_wait_ms(0)
        .with_topics(vec![topic])
}

/// A batch of `count` records, a millisecond apart, starting at 1000 + 10 * offset.
fn batch(base_offset: i64, count: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(base_offset).leader_epoch(0);
    for index in 0..count as i64 {
        let offset = base_offset + index;
        builder.append(1000 + 10 * offset, None, Some(format!("value {offset}").as_bytes())).unwrap();
    }
    builder.build().unwrap()
}

/// Ten batches of ten records, the first six in one append.
fn store() -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    store.create_topic(TOPIC, ID, 2, BTreeMap::from([("retention.ms".into(), "604800000".into())])).unwrap();
    store.append(TOPIC, 0, (0..6).flat_map(|index| batch(index * 10, 10)).collect::<Vec<u8>>()).unwrap();
    (6..10).for_each(|index| store.append(TOPIC, 0, batch(index * 10, 10)).unwrap());
    Arc::new(store)
}

fn broker(store: &Arc<MemoryStore>) -> Broker {
    Broker::start(BrokerConfig::default(), Arc::<MemoryStore>::clone(store)).unwrap()
}

/// The base offsets of the batches in `records`, which must be whole.
fn base_offsets(records: &[u8]) -> Vec<i64> {
    let (mut position, mut offsets) = (0, Vec::new());
    while position < records.len() {
        let frame = peek(&records[position..], position as u64).unwrap().expect("a whole header");
        offsets.push(frame.header.base_offset);
        position += frame.size;
    }
    assert_eq!(position, records.len(), "the last batch is cut off");
    offsets
}

/// The base offsets of the batches that a fetch has brought.
fn fetched(data: &PartitionData) -> Vec<i64> {
    assert_eq!(data.error_code, 0);
    base_offsets(data.records.as_deref().unwrap_or_default())
}

fn api(api: ApiKey) -> i16 {
    api as i16
}
