//! The requests of the fetch loop: sessionless, one partition.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::super::api::FETCH;
use super::super::connection::Connection;
use super::super::fetch_response::TOPIC_IDS_FROM;
use super::types::IsolationLevel;
use crate::error::WireError;

/// What stays the same in all requests of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) topic: String,
    pub(crate) topic_id: [u8; 16],
    pub(crate) isolation_level: IsolationLevel,
    pub(crate) rack_id: Option<String>,
    pub(crate) max_wait_ms: u32,
}

/// One partition of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartitionAsk {
    pub(crate) partition: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
}

impl Template {
    /// The version to speak on a connection. A topic whose id is unknown can only be named, which ends at version 12.
    pub(crate) fn version(&self, connection: &Connection) -> Result<i16, WireError> {
        let cap = if self.topic_id == [0; 16] { TOPIC_IDS_FROM - 1 } else { FETCH.max };
        connection.version(FETCH, cap)
    }

    pub(crate) fn request(&self, version: i16, asks: &[PartitionAsk], max_bytes: i32) -> FetchRequest {
        let partitions = asks
            .iter()
            .map(|ask| {
                FetchPartition::default()
                    .with_partition(ask.partition)
                    .with_current_leader_epoch(ask.leader_epoch)
                    .with_fetch_offset(ask.offset)
                    .with_last_fetched_epoch(-1)
                    // Only followers have a log start offset to tell.
                    .with_log_start_offset(-1)
                    .with_partition_max_bytes(ask.max_bytes)
            })
            .collect();
        let mut topic = FetchTopic::default().with_partitions(partitions);
        if version >= TOPIC_IDS_FROM {
            // Sixteen bytes are a UUID, so the conversion cannot fail.
            topic.topic_id = self.topic_id.to_vec().try_into().unwrap_or_default();
        } else {
            topic.topic = TopicName(StrBytes::from_string(self.topic.clone()));
        }
        let rack_id = self.rack_id.clone().unwrap_or_default();
        FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(self.max_wait_ms).unwrap_or(i32::MAX))
            .with_min_bytes(1)
            .with_max_bytes(max_bytes)
            .with_isolation_level(i8::from(self.isolation_level == IsolationLevel::ReadCommitted))
            .with_session_id(0)
            .with_session_epoch(-1)
            .with_topics(vec![topic])
            .with_rack_id(StrBytes::from_string(rack_id))
    }
}
