//! A scripted broker: one topic, encoded with the protocol crate's broker side, with every misbehaviour on request.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, DescribeConfigsRequest, DescribeConfigsResponse, FetchRequest,
    FetchResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProducerId, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

pub const TOPIC: &str = "blogs";
pub const TOPIC_ID: [u8; 16] = [7; 16];

/// One v2 batch of `size` bytes that covers `[base, base + count)`. Its payload repeats `fill`.
pub fn batch(base: i64, count: i32, size: usize, fill: u8) -> Vec<u8> {
    assert!(size >= 61);
    let mut out = vec![fill; size];
    out[..61].fill(0);
    out[..8].copy_from_slice(&base.to_be_bytes());
    out[8..12].copy_from_slice(&(size as i32 - 12).to_be_bytes());
    out[16] = 2;
    out[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    out[57..61].copy_from_slice(&count.to_be_bytes());
    out
}

/// What one Fetch asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub broker: i32,
    pub number: usize,
    pub version: i16,
    pub partition: i32,
    pub offset: i64,
    pub max_bytes: i32,
    pub leader_epoch: i32,
    pub isolation_level: i8,
    pub max_wait_ms: i32,
    pub topic_id: [u8; 16],
}

/// What a hook wants instead of the usual answer.
#[derive(Debug, Clone)]
pub enum Reply {
    Code(i16),
    /// An error of the answer as a whole.
    TopCode(i16),
    /// The usual answer with these bytes as records.
    Records(Vec<u8>),
    /// The usual answer, throttled.
    Throttled(i32),
    /// No records, and go to this replica.
    Preferred(i32),
    /// The usual answer for another partition.
    WrongPartition,
    /// The usual answer with this log start offset.
    LogStart(i64),
    /// The usual answer, as if to another request.
    WrongCorrelation,
    /// These bytes, the length in front included.
    Raw(Vec<u8>),
    Close,
    Hang,
    /// The usual answer later.
    Late(Duration),
}

/// What to do with a connection.
#[derive(Debug, Clone)]
pub enum Action {
    Send(Vec<u8>),
    Close,
    Hang,
    SendLate(Duration, Vec<u8>),
}

pub struct Partition {
    pub leader: i32,
    pub leader_epoch: i32,
    pub log_start: i64,
    pub high_watermark: i64,
    pub last_stable: i64,
    /// Sorted by base offset, as (base, next, bytes).
    pub batches: Vec<(i64, i64, Vec<u8>)>,
    pub aborted: Vec<(i64, i64)>,
}

impl Partition {
    pub fn new(batches: Vec<Vec<u8>>) -> Self {
        let batches: Vec<(i64, i64, Vec<u8>)> = batches
            .into_iter()
            .map(|bytes| {
                let base = i64::from_be_bytes(bytes[..8].try_into().unwrap());
                let delta = i32::from_be_bytes(bytes[23..27].try_into().unwrap());
                (base, base + i64::from(delta) + 1, bytes)
            })
            .collect();
        let end = batches.last().map_or(0, |(_, next, _)| *next);
        Self {
            leader: 1,
            leader_epoch: 3,
            log_start: 0,
            high_watermark: end,
            last_stable: end,
            batches,
            aborted: Vec::new(),
        }
    }

    /// Whole batches from `offset` on, the last one cut at `max_bytes`; the first one is never cut (KIP-74).
    fn read(&self, offset: i64, max_bytes: i32, end: i64) -> Vec<u8> {
        let mut out = Vec::new();
        for (base, next, bytes) in &self.batches {
            if *next <= offset || *base >= end {
                continue;
            }
            let room = (max_bytes as usize).saturating_sub(out.len());
            if out.is_empty() || room >= bytes.len() {
                out.extend_from_slice(bytes);
            } else {
                out.extend_from_slice(&bytes[..room]);
                break;
            }
        }
        out
    }
}

type Hook = Box<dyn FnMut(&Ask) -> Option<Reply> + Send>;

/// What all brokers of the scripted cluster share.
pub struct World {
    pub partitions: Mutex<BTreeMap<i32, Partition>>,
    pub topic_id: Mutex<[u8; 16]>,
    pub brokers: Mutex<BTreeMap<i32, u16>>,
    pub asks: Mutex<Vec<Ask>>,
    pub hook: Mutex<Hook>,
    pub max_fetch_version: i16,
    pub api_versions_max: i16,
    pub config_code: i16,
    /// Requests of these APIs close the connection. Metadata (3): as a listener does that requires SASL.
    pub closes_on: Vec<i16>,
    pub connections: AtomicUsize,
    /// The keys of all requests, in order.
    pub keys: Mutex<Vec<i16>>,
}

impl World {
    pub fn new(batches: Vec<Vec<u8>>) -> Self {
        Self {
            partitions: Mutex::new(BTreeMap::from([(0, Partition::new(batches))])),
            topic_id: Mutex::new(TOPIC_ID),
            brokers: Mutex::default(),
            asks: Mutex::default(),
            hook: Mutex::new(Box::new(|_| None)),
            max_fetch_version: 17,
            api_versions_max: 4,
            config_code: 0,
            closes_on: Vec::new(),
            connections: AtomicUsize::new(0),
            keys: Mutex::default(),
        }
    }

    pub fn on_fetch(&self, hook: impl FnMut(&Ask) -> Option<Reply> + Send + 'static) {
        *self.hook.lock().unwrap() = Box::new(hook);
    }

    pub fn fetches(&self) -> Vec<Ask> {
        self.asks.lock().unwrap().clone()
    }

    /// Answers one request, without the length in front of it.
    pub fn answer(&self, broker: i32, frame: &[u8]) -> Action {
        let key = i16::from_be_bytes(frame[..2].try_into().unwrap());
        let version = i16::from_be_bytes(frame[2..4].try_into().unwrap());
        let correlation_id = i32::from_be_bytes(frame[4..8].try_into().unwrap());
        self.keys.lock().unwrap().push(key);
        let mut rest = Bytes::copy_from_slice(&frame[8..]);
        let client_id = rest.split_to(2 + i16::from_be_bytes(frame[8..10].try_into().unwrap()) as usize);
        assert_eq!(&client_id[2..], b"kcompare");
        match key {
            key if self.closes_on.contains(&key) => Action::Close,
            18 => self.api_versions(version, correlation_id),
            3 => {
                Action::Send(respond::<MetadataRequest>(version, correlation_id, rest, |r| self.metadata(r)))
            }
            2 => Action::Send(respond::<ListOffsetsRequest>(version, correlation_id, rest, |r| {
                self.list_offsets(r, version)
            })),
            23 => Action::Send(respond::<OffsetForLeaderEpochRequest>(version, correlation_id, rest, epochs)),
            32 => Action::Send(respond::<DescribeConfigsRequest>(version, correlation_id, rest, |r| {
                self.configs(r)
            })),
            1 => self.fetch(broker, version, correlation_id, rest),
            other => panic!("API key {other} must never be sent"),
        }
    }

    fn api_versions(&self, version: i16, correlation_id: i32) -> Action {
        let refused = version > self.api_versions_max;
        let range = |key, min, max| {
            ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max)
        };
        let keys = vec![
            range(1, 4, self.max_fetch_version),
            range(2, 1, 10),
            range(3, 0, 13),
            range(18, 0, self.api_versions_max),
            range(23, 2, 4),
            range(32, 1, 4),
        ];
        let response =
            ApiVersionsResponse::default().with_error_code(if refused { 35 } else { 0 }).with_api_keys(keys);
        Action::Send(framed(&response, if refused { 0 } else { version }, correlation_id))
    }

    fn metadata(&self, request: MetadataRequest) -> MetadataResponse {
        assert!(!request.allow_auto_topic_creation, "no topic may ever be created");
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let brokers = self.brokers.lock().unwrap();
        let brokers = brokers.iter().map(|(id, port)| {
            let broker = MetadataResponseBroker::default().with_node_id(BrokerId(*id));
            broker.with_host(text("127.0.0.1")).with_port(i32::from(*port))
        });
        let names: Vec<String> = match &request.topics {
            Some(topics) => topics.iter().map(|t| t.name.as_ref().unwrap().to_string()).collect(),
            None => vec![TOPIC.to_owned()],
        };
        let topics = names.iter().map(|name| {
            let topic = MetadataResponseTopic::default().with_name(Some(TopicName(text(name))));
            if name != TOPIC {
                return topic.with_error_code(3);
            }
            let partitions = self.partitions.lock().unwrap();
            let partitions = partitions.iter().map(|(number, partition)| {
                MetadataResponsePartition::default()
                    .with_partition_index(*number)
                    .with_leader_id(BrokerId(partition.leader))
                    .with_leader_epoch(partition.leader_epoch)
                    .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
                    .with_isr_nodes(vec![BrokerId(1)])
            });
            let mut topic = topic.with_partitions(partitions.collect());
            topic.topic_id = self.topic_id.lock().unwrap().to_vec().try_into().unwrap();
            topic
        });
        MetadataResponse::default()
            .with_cluster_id(Some(text("cluster-1")))
            .with_controller_id(BrokerId(1))
            .with_brokers(brokers.collect())
            .with_topics(topics.collect())
    }

    fn list_offsets(&self, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
        assert_eq!(request.replica_id.0, -1);
        let partitions = self.partitions.lock().unwrap();
        let topics = request.topics.into_iter().map(|topic| {
            let answers = topic.partitions.iter().map(|ask| {
                let answer =
                    ListOffsetsPartitionResponse::default().with_partition_index(ask.partition_index);
                let Some(partition) = partitions.get(&ask.partition_index) else {
                    return answer.with_error_code(3);
                };
                let offset = match (ask.timestamp, request.isolation_level) {
                    (-2, _) => partition.log_start,
                    (-1, 0) => partition.high_watermark,
                    (-1, _) => partition.last_stable,
                    (timestamp, _) => timestamp / 10,
                };
                answer.with_offset(offset).with_leader_epoch(if version >= 4 { 3 } else { -1 })
            });
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(answers.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    fn configs(&self, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
        let entry = DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str("cleanup.policy"))
            .with_value(Some(StrBytes::from_static_str("compact")));
        let result = DescribeConfigsResult::default()
            .with_error_code(self.config_code)
            .with_resource_type(2)
            .with_resource_name(request.resources[0].resource_name.clone())
            .with_configs(vec![entry]);
        DescribeConfigsResponse::default().with_results(vec![result])
    }

    fn fetch(&self, broker: i32, version: i16, correlation_id: i32, mut rest: Bytes) -> Action {
        if version >= 12 {
            assert_eq!(rest.split_to(1)[0], 0);
        }
        let request = FetchRequest::decode(&mut rest, version).unwrap();
        assert_eq!((request.replica_id.0, request.session_id, request.session_epoch), (-1, 0, -1));
        let mut reply = None;
        for asked in &request.topics[0].partitions {
            let mut asks = self.asks.lock().unwrap();
            let ask = Ask {
                broker,
                number: asks.len(),
                version,
                partition: asked.partition,
                offset: asked.fetch_offset,
                max_bytes: asked.partition_max_bytes,
                leader_epoch: asked.current_leader_epoch,
                isolation_level: request.isolation_level,
                max_wait_ms: request.max_wait_ms,
                topic_id: *request.topics[0].topic_id.as_bytes(),
            };
            asks.push(ask.clone());
            drop(asks);
            reply = (self.hook.lock().unwrap())(&ask);
        }
        match reply {
            Some(Reply::Raw(bytes)) => return Action::Send(bytes),
            Some(Reply::Close) => return Action::Close,
            Some(Reply::Hang) => return Action::Hang,
            _ => {}
        }
        let response = self.fetch_response(&request, version, reply.as_ref());
        let stray = matches!(reply, Some(Reply::WrongCorrelation));
        let bytes = framed(&response, version, if stray { correlation_id - 1 } else { correlation_id });
        match reply {
            Some(Reply::Late(delay)) => Action::SendLate(delay, bytes),
            _ => Action::Send(bytes),
        }
    }

    fn fetch_response(&self, request: &FetchRequest, version: i16, reply: Option<&Reply>) -> FetchResponse {
        let mut response = FetchResponse::default();
        if let Some(Reply::TopCode(code)) = reply {
            return response.with_error_code(*code);
        }
        if let Some(Reply::Throttled(throttle)) = reply {
            response.throttle_time_ms = *throttle;
        }
        let partitions = self.partitions.lock().unwrap();
        let mut topic = FetchableTopicResponse::default();
        if version >= 13 {
            topic.topic_id = request.topics[0].topic_id;
        } else {
            topic.topic = request.topics[0].topic.clone();
        }
        let known = *request.topics[0].topic_id.as_bytes() == *self.topic_id.lock().unwrap();
        for ask in &request.topics[0].partitions {
            let mut data = PartitionData::default().with_partition_index(ask.partition);
            if version >= 13 && !known {
                topic.partitions.push(data.with_error_code(100));
                continue;
            }
            let partition = &partitions[&ask.partition];
            let end =
                if request.isolation_level == 1 { partition.last_stable } else { partition.high_watermark };
            data.high_watermark = partition.high_watermark;
            data.last_stable_offset = partition.last_stable;
            data.log_start_offset = if version >= 5 { partition.log_start } else { -1 };
            let aborted = partition.aborted.iter().map(|(producer, first)| {
                AbortedTransaction::default()
                    .with_producer_id(ProducerId(*producer))
                    .with_first_offset(*first)
            });
            data.aborted_transactions = (request.isolation_level == 1).then(|| aborted.collect());
            let records = partition.read(ask.fetch_offset, ask.partition_max_bytes, end);
            data.records = Some(records.into());
            if ask.fetch_offset < partition.log_start || ask.fetch_offset > partition.high_watermark {
                data = PartitionData::default().with_partition_index(ask.partition).with_error_code(1);
            }
            match reply {
                Some(Reply::Code(code)) => {
                    data =
                        PartitionData::default().with_partition_index(ask.partition).with_error_code(*code);
                }
                Some(Reply::Records(bytes)) => data.records = Some(bytes.clone().into()),
                Some(Reply::Preferred(replica)) => {
                    data.preferred_read_replica = BrokerId(*replica);
                    data.records = None;
                }
                Some(Reply::WrongPartition) => data.partition_index += 1,
                Some(Reply::LogStart(offset)) => data.log_start_offset = *offset,
                _ => {}
            }
            topic.partitions.push(data);
        }
        response.responses.push(topic);
        response
    }
}

fn respond<R: Request>(
    version: i16,
    correlation_id: i32,
    mut rest: Bytes,
    answer: impl FnOnce(R) -> R::Response,
) -> Vec<u8> {
    if R::header_version(version) >= 2 {
        assert_eq!(rest.split_to(1)[0], 0, "no tagged fields in a request header");
    }
    let request = R::decode(&mut rest, version).unwrap();
    assert!(rest.is_empty(), "the request is used up");
    framed(&answer(request), version, correlation_id)
}

fn epochs(request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let ends = topic.partitions.iter().map(|ask| {
            EpochEndOffset::default()
                .with_partition(ask.partition)
                .with_leader_epoch(ask.leader_epoch)
                .with_end_offset(i64::from(ask.leader_epoch) * 100)
        });
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(ends.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn framed<M: Encodable + HeaderVersion>(message: &M, version: i16, correlation_id: i32) -> Vec<u8> {
    let mut body = BytesMut::new();
    body.extend_from_slice(&correlation_id.to_be_bytes());
    if M::header_version(version) >= 1 {
        body.extend_from_slice(&[0]);
    }
    message.encode(&mut body, version).unwrap();
    let mut out = (body.len() as i32).to_be_bytes().to_vec();
    out.extend_from_slice(&body);
    out
}

/// Listens as broker `id` of the world until the test ends.
pub fn listen(world: &Arc<World>, id: i32) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    world.brokers.lock().unwrap().insert(id, port);
    let world = Arc::clone(world);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (world, stream) = (Arc::clone(&world), stream.unwrap());
            std::thread::spawn(move || serve(&world, id, stream));
        }
    });
    port
}

fn serve(world: &World, id: i32, mut stream: TcpStream) {
    world.connections.fetch_add(1, Ordering::SeqCst);
    let mut length = [0; 4];
    while stream.read_exact(&mut length).is_ok() {
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).unwrap();
        let sent = match world.answer(id, &frame) {
            Action::Send(bytes) => stream.write_all(&bytes),
            Action::SendLate(delay, bytes) => {
                std::thread::sleep(delay);
                stream.write_all(&bytes)
            }
            Action::Close => return,
            Action::Hang => {
                std::thread::sleep(Duration::from_secs(30));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
