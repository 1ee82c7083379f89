//! `Fetch`: whole batches as stored.
//!
//! There are no fetch sessions (KIP-227): a request that opens one is answered in full with session id 0, which tells
//! the client that it got none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_protocol::messages::{ApiKey, BrokerId, FetchRequest, FetchResponse, ProducerId};

use super::access;
use super::dispatch::{Call, Subject};
use super::fault::{FaultAction, Target};
use super::fetch_encode::FetchAnswer;
use super::piece::Piece;
use super::store::{LogStore, StoredPartition, StoredTopic, TopicId};
use super::wire_types::{from_wire_id, text};

/// The most that one response carries, whatever is asked for: `fetch.max.bytes` of Kafka's brokers.
const RESPONSE_LIMIT: usize = 55 << 20;
/// The longest that a fetch waits, whatever is asked for, so that a client that is gone does not hold its thread.
const WAIT_LIMIT: Duration = Duration::from_secs(60);
/// How often a fetch that waits for records looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// By name up to version 12, by id from then on (KIP-516); the other field is empty.
fn find(store: &dyn LogStore, topic: &FetchTopic) -> Option<Arc<dyn StoredTopic>> {
    match from_wire_id(&topic.topic_id) {
        TopicId::ZERO => store.topic_by_name(&topic.topic),
        id => store.topic_by_id(id),
    }
}

pub(super) fn targets(request: &FetchRequest, store: &dyn LogStore) -> Vec<Subject> {
    let topics = request.topics.iter();
    topics
        .flat_map(|topic| {
            let name =
                find(store, topic).map_or_else(|| topic.topic.to_string(), |found| found.name().to_owned());
            topic.partitions.iter().map(move |partition| {
                (Some(name.clone()), Some(partition.partition), Some(partition.fetch_offset))
            })
        })
        .collect()
}

pub(super) fn answer(request: &FetchRequest, call: &Call<'_>) -> FetchAnswer {
    let response = FetchResponse::default().with_throttle_time_ms(call.plan.throttle_time_ms());
    if request.session_id != 0 {
        let response = response.with_error_code(ResponseError::FetchSessionIdNotFound.code());
        return FetchAnswer { response, records: Vec::new() };
    }
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + max_wait.min(WAIT_LIMIT);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut gathered = gather(request, call);
    while gathered.bytes < min_bytes && !gathered.settled && call.wait(POLL_INTERVAL, deadline) {
        gathered = gather(request, call);
    }
    damage(&mut gathered, request, call);
    let endpoints = if call.version >= 16 { endpoints(&gathered.topics, call) } else { Vec::new() };
    let response = response.with_responses(gathered.topics).with_node_endpoints(endpoints);
    FetchAnswer { response, records: gathered.records }
}

/// What is there for a request at one moment.
struct Gathered {
    topics: Vec<FetchableTopicResponse>,
    /// The records of all partitions in order.
    records: Vec<Piece>,
    bytes: usize,
    /// Waiting would not help: something failed, or nothing was asked for.
    settled: bool,
    /// What the response may still carry.
    budget: usize,
}

fn gather(request: &FetchRequest, call: &Call<'_>) -> Gathered {
    let budget = usize::try_from(request.max_bytes).unwrap_or(0).min(RESPONSE_LIMIT);
    let settled = request.topics.is_empty();
    let mut gathered = Gathered { topics: Vec::new(), records: Vec::new(), bytes: 0, settled, budget };
    for topic in &request.topics {
        let stored = find(call.store(), topic);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let (data, records) =
                read(stored.as_deref(), asked, request.isolation_level == 1, &gathered, call);
            gathered.bytes += records.len();
            gathered.budget = gathered.budget.saturating_sub(records.len());
            gathered.settled |= data.error_code != 0;
            gathered.records.push(records);
            partitions.push(data);
        }
        let response = FetchableTopicResponse::default().with_topic(topic.topic.clone());
        gathered.topics.push(response.with_topic_id(topic.topic_id).with_partitions(partitions));
    }
    gathered
}

fn failed(number: i32, error_code: i16) -> PartitionData {
    PartitionData::default()
        .with_partition_index(number)
        .with_error_code(error_code)
        .with_high_watermark(-1)
        .with_records(Some(Bytes::new()))
}

fn read(
    topic: Option<&dyn StoredTopic>,
    asked: &FetchPartition,
    committed: bool,
    so_far: &Gathered,
    call: &Call<'_>,
) -> (PartitionData, Piece) {
    let number = asked.partition;
    let Some(topic) = topic else {
        let error = if call.version >= 13 {
            ResponseError::UnknownTopicId
        } else {
            ResponseError::UnknownTopicOrPartition
        };
        return (failed(number, error.code()), Piece::default());
    };
    let target = Target { offset: Some(asked.fetch_offset), ..Target::partition(topic.name(), number) };
    if let Some(code) = call.plan.error_code(&target) {
        return (failed(number, code), Piece::default());
    }
    let opened = access::open(Some(topic), number, asked.current_leader_epoch, call);
    let read = opened.and_then(|partition| read_open(&*partition, asked, committed, so_far, &target, call));
    read.unwrap_or_else(|code| {
        let leader = topic.partition(number).filter(|_| call.version >= 12 && leader_has_moved(code));
        let leader = leader.map_or_else(LeaderIdAndEpoch::default, |partition| {
            LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(partition.leader().unwrap_or(call.node_id())))
                .with_leader_epoch(partition.leader_epoch())
        });
        (failed(number, code).with_current_leader(leader), Piece::default())
    })
}

fn read_open(
    partition: &dyn StoredPartition,
    asked: &FetchPartition,
    committed: bool,
    so_far: &Gathered,
    target: &Target<'_>,
    call: &Call<'_>,
) -> Result<(PartitionData, Piece), i16> {
    let bounds = partition.bounds();
    let mut stop = if committed { bounds.last_stable_offset } else { bounds.high_watermark };
    if committed {
        let certain = partition.certain_until(asked.fetch_offset);
        if certain <= asked.fetch_offset && asked.fetch_offset < stop {
            return Err(ResponseError::CorruptMessage.code());
        }
        stop = stop.min(certain);
    }
    let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(so_far.budget);
    let batches =
        partition.read(asked.fetch_offset, stop, limit).map_err(|error| access::error_code(&error))?;
    // The first batch of the whole response is sent whatever its size, so that a reader always gets on (KIP-74); the
    // other partitions keep to what is left.
    let fits = so_far.bytes == 0 || batches.records.len() <= limit;
    let records = if fits { batches.records } else { Piece::default() };
    let aborted = committed.then(|| {
        let listed = partition.aborted_transactions(asked.fetch_offset, batches.next_offset.min(stop));
        let listed = listed.iter().filter(|_| !records.is_empty());
        listed
            .map(|aborted| {
                AbortedTransaction::default()
                    .with_producer_id(ProducerId(aborted.producer_id))
                    .with_first_offset(aborted.first_offset)
            })
            .collect()
    });
    let data = PartitionData::default()
        .with_partition_index(asked.partition)
        .with_high_watermark(bounds.high_watermark)
        .with_last_stable_offset(bounds.last_stable_offset)
        .with_log_start_offset(bounds.log_start_offset)
        .with_aborted_transactions(aborted)
        .with_records(Some(Bytes::new()));
    Ok(call.plan.actions(target).fold((data, records), |(data, records), action| match action {
        FaultAction::Empty => (data, Piece::default()),
        FaultAction::ReplaceRecords(bytes) => (data, bytes.clone().into()),
        FaultAction::LieHighWatermark(offset) => (data.with_high_watermark(*offset), records),
        FaultAction::LieLogStart(offset) => (data.with_log_start_offset(*offset), records),
        _ => (data, records),
    }))
}

/// Lets the faults that change records strike, once for a response.
fn damage(gathered: &mut Gathered, request: &FetchRequest, call: &Call<'_>) {
    let script = &call.shared.script;
    if !script.damages() {
        return;
    }
    let mut records = gathered.records.iter_mut();
    for asked in &request.topics {
        let stored = find(call.store(), asked);
        for (asked, records) in asked.partitions.iter().zip(&mut records) {
            let (Some(stored), Ok(bytes)) = (&stored, records.read()) else { continue };
            let target = Target {
                offset: Some(asked.fetch_offset),
                ..Target::partition(stored.name(), asked.partition)
            };
            *records = script.damage(ApiKey::Fetch as i16, &target, bytes).into();
        }
    }
}

fn leader_has_moved(error_code: i16) -> bool {
    [ResponseError::NotLeaderOrFollower, ResponseError::FencedLeaderEpoch]
        .iter()
        .any(|error| error.code() == error_code)
}

/// Where the leaders are that the partitions of the response name (KIP-951).
fn endpoints(topics: &[FetchableTopicResponse], call: &Call<'_>) -> Vec<NodeEndpoint> {
    let named = |id| {
        topics.iter().any(|topic| topic.partitions.iter().any(|data| data.current_leader.leader_id == id))
    };
    let nodes = call.nodes().into_iter().filter(|node| named(BrokerId(node.id)));
    nodes
        .map(|node| {
            NodeEndpoint::default()
                .with_node_id(BrokerId(node.id))
                .with_host(text(&node.host))
                .with_port(i32::from(node.port))
        })
        .collect()
}
