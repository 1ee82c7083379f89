//! `ListOffsets`: the ends of a partition, and offsets by timestamp.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::access;
use super::dispatch::{Call, Subject};
use super::fault::{FaultAction, Target};
use super::store::{LogStore, StoredPartition, StoredTopic, TimestampOffset, epoch_of};

/// The end of the log for the isolation level of the request.
const LATEST: i64 = -1;
/// The start of the log.
const EARLIEST: i64 = -2;
/// The record with the largest timestamp (KIP-734, version 7).
const MAX_TIMESTAMP: i64 = -3;
/// The start of what is stored locally (KIP-405, version 8). There is no other storage here.
const EARLIEST_LOCAL: i64 = -4;
/// The end of what is stored remotely (KIP-1005, version 9): nothing.
const LATEST_TIERED: i64 = -5;
/// What stands for a timestamp or an offset that there is not.
const NONE: TimestampOffset = TimestampOffset { timestamp: -1, offset: -1 };

pub(super) fn targets(request: &ListOffsetsRequest, _store: &dyn LogStore) -> Vec<Subject> {
    let topics = request.topics.iter();
    topics
        .flat_map(|topic| {
            let name = topic.name.to_string();
            topic
                .partitions
                .iter()
                .map(move |partition| (Some(name.clone()), Some(partition.partition_index), None))
        })
        .collect()
}

pub(super) fn answer(request: &ListOffsetsRequest, call: &Call<'_>) -> ListOffsetsResponse {
    let committed = request.isolation_level == 1;
    let topics = request.topics.iter().map(|topic| {
        let stored = call.store().topic_by_name(&topic.name);
        let partitions = topic
            .partitions
            .iter()
            .map(|partition| answer_partition(&topic.name, stored.as_deref(), partition, committed, call));
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default()
        .with_throttle_time_ms(call.plan.throttle_time_ms())
        .with_topics(topics.collect())
}

fn answer_partition(
    topic: &str,
    stored: Option<&dyn StoredTopic>,
    asked: &ListOffsetsPartition,
    committed: bool,
    call: &Call<'_>,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    let target = Target::partition(topic, asked.partition_index);
    if let Some(code) = call.plan.error_code(&target) {
        return response.with_error_code(code);
    }
    let partition = match access::open(stored, asked.partition_index, asked.current_leader_epoch, call) {
        Ok(partition) => partition,
        Err(code) => return response.with_error_code(code),
    };
    match find(&*partition, asked.timestamp, committed) {
        Err(code) => response.with_error_code(code),
        Ok(found) => {
            let offset = lied(&target, asked.timestamp, call).unwrap_or(found.offset);
            let epoch = if found == NONE { -1 } else { epoch_of(&*partition, offset) };
            response
                .with_timestamp(found.timestamp)
                .with_offset(offset)
                .with_leader_epoch(if call.version >= 4 { epoch } else { -1 })
        }
    }
}

fn find(partition: &dyn StoredPartition, timestamp: i64, committed: bool) -> Result<TimestampOffset, i16> {
    let bounds = partition.bounds();
    let end = if committed { bounds.last_stable_offset } else { bounds.high_watermark };
    let at = |offset| TimestampOffset { timestamp: -1, offset };
    let found = match timestamp {
        LATEST => return Ok(at(end)),
        EARLIEST | EARLIEST_LOCAL => return Ok(at(bounds.log_start_offset)),
        LATEST_TIERED => return Ok(NONE),
        MAX_TIMESTAMP => partition.max_timestamp(),
        0.. => partition.offset_for_timestamp(timestamp),
        _ => return Err(ResponseError::UnsupportedVersion.code()),
    };
    // A record that a fetch would not show yet is not found either.
    let found = found.map_err(|error| access::error_code(&error))?;
    Ok(found.filter(|found| found.offset < end).unwrap_or(NONE))
}

/// The offset that a scripted fault puts in the place of an end.
fn lied(target: &Target<'_>, timestamp: i64, call: &Call<'_>) -> Option<i64> {
    call.plan.actions(target).find_map(|action| match action {
        FaultAction::LieHighWatermark(offset) if timestamp == LATEST => Some(*offset),
        FaultAction::LieLogStart(offset) if timestamp == EARLIEST => Some(*offset),
        _ => None,
    })
}
