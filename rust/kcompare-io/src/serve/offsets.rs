//! `OffsetFetch`: no group has committed anything. `OffsetCommit`: none ever will.
//!
//! A commit that was kept in memory would be lost with the process, which the application that made it could not know.
//! So it is refused with the code of a group that one may not write to: clients report it, none tries again, and none
//! stops reading for it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};

use super::dispatch::Call;

/// What stands for an offset that was never committed.
const NONE: i64 = -1;

pub(super) fn fetch(request: &OffsetFetchRequest, call: &Call<'_>) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default().with_throttle_time_ms(if call.version >= 3 {
        call.plan.throttle_time_ms()
    } else {
        0
    });
    if call.version < 8 {
        let topics = request.topics.iter().flatten().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|&number| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(number)
                    .with_committed_offset(NONE)
                    .with_committed_leader_epoch(-1)
            });
            OffsetFetchResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        return response.with_topics(topics.collect());
    }
    let groups = request.groups.iter().map(|group| {
        let topics = group.topics.iter().flatten().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|&number| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(number)
                    .with_committed_offset(NONE)
                    .with_committed_leader_epoch(-1)
            });
            OffsetFetchResponseTopics::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        OffsetFetchResponseGroup::default()
            .with_group_id(group.group_id.clone())
            .with_topics(topics.collect())
    });
    response.with_groups(groups.collect())
}

pub(super) fn commit(request: &OffsetCommitRequest, call: &Call<'_>) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(ResponseError::GroupAuthorizationFailed.code())
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default()
        .with_throttle_time_ms(if call.version >= 3 { call.plan.throttle_time_ms() } else { 0 })
        .with_topics(topics.collect())
}
