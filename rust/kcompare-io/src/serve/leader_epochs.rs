//! `OffsetForLeaderEpoch`: where a leader epoch ends (KIP-101, KIP-320).

use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::access;
use super::dispatch::{Call, Subject};
use super::fault::Target;
use super::store::{LogStore, StoredTopic, epoch_end};

pub(super) fn targets(request: &OffsetForLeaderEpochRequest, _store: &dyn LogStore) -> Vec<Subject> {
    let topics = request.topics.iter();
    topics
        .flat_map(|topic| {
            let name = topic.topic.to_string();
            topic
                .partitions
                .iter()
                .map(move |partition| (Some(name.clone()), Some(partition.partition), None))
        })
        .collect()
}

pub(super) fn answer(request: &OffsetForLeaderEpochRequest, call: &Call<'_>) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let stored = call.store().topic_by_name(&topic.topic);
        let partitions = topic
            .partitions
            .iter()
            .map(|partition| answer_partition(&topic.topic, stored.as_deref(), partition, call));
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic.clone())
            .with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default()
        .with_throttle_time_ms(call.plan.throttle_time_ms())
        .with_topics(topics.collect())
}

fn answer_partition(
    topic: &str,
    stored: Option<&dyn StoredTopic>,
    asked: &OffsetForLeaderPartition,
    call: &Call<'_>,
) -> EpochEndOffset {
    let response = EpochEndOffset::default().with_partition(asked.partition);
    if let Some(code) = call.plan.error_code(&Target::partition(topic, asked.partition)) {
        return response.with_error_code(code);
    }
    match access::open(stored, asked.partition, asked.current_leader_epoch, call) {
        Err(code) => response.with_error_code(code),
        Ok(partition) => {
            let (leader_epoch, end_offset) = epoch_end(&*partition, asked.leader_epoch);
            response.with_leader_epoch(leader_epoch).with_end_offset(end_offset)
        }
    }
}
