//! `ListOffsets`.
//!
//! # References
//! - <https://kafka.apache.org/protocol#The_Messages_ListOffsets>, KIP-79 for offsets by time

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::api::LIST_OFFSETS;
use super::cluster::{Answers, ByPartition, Cluster, PartitionAtEpoch};
use super::connection::{Connection, Wait};
use super::input::{Input, Slice};
use crate::error::WireError;

/// Which offset to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The log start offset.
    Earliest,
    /// The high watermark.
    Latest,
    /// The last stable offset: the first offset of the oldest open transaction, or else the high watermark.
    LastStable,
    /// The first record whose timestamp is at least this, in milliseconds since 1970.
    Timestamp(i64),
}

/// An offset that was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetAt {
    /// The offset; -1 when no record is that young.
    pub offset: i64,
    /// The record's timestamp for a look-up by time; -1 otherwise.
    pub timestamp: i64,
    /// The leader epoch of the record, or of the log's end; -1 unknown.
    pub leader_epoch: i32,
}

impl Cluster {
    /// Looks up one offset in each partition, in order; partitions with a common leader share a request.
    pub fn offsets(
        &self,
        topic: &str,
        partitions: &[i32],
        at: At,
    ) -> Result<ByPartition<OffsetAt>, WireError> {
        self.by_leader(topic, partitions, |connection, group, wait| ask(connection, topic, group, at, wait))
    }

    /// For every partition of a topic the first offset whose timestamp is at least `timestamp_ms`, in milliseconds
    /// since 1970; -1 where no record that readers see is that young. It is the first one in the order of offsets:
    /// later records may be older. Transaction markers count as records here, as brokers have them.
    ///
    /// A topic that does not exist is an error. Times before 1970 have no form on the wire, where negative numbers
    /// name the ends of the log.
    pub fn offsets_at(&self, topic: &str, timestamp_ms: u64) -> Result<ByPartition<OffsetAt>, WireError> {
        let info = self.topic(topic)?;
        let every: Vec<i32> = info.partitions.iter().map(|partition| partition.partition).collect();
        self.offsets(topic, &every, At::Timestamp(i64::try_from(timestamp_ms).unwrap_or(i64::MAX)))
    }
}

/// Asks one leader.
pub(crate) fn ask(
    connection: &mut Connection,
    topic: &str,
    group: &[PartitionAtEpoch],
    at: At,
    wait: &Wait<'_>,
) -> Result<Answers<OffsetAt>, WireError> {
    let version = connection.version(LIST_OFFSETS, i16::MAX)?;
    let (timestamp, isolation_level) = match at {
        At::Earliest => (-2, 0),
        At::Latest => (-1, 0),
        At::LastStable => (-1, 1),
        At::Timestamp(timestamp) => (timestamp, 0),
    };
    let partitions = group
        .iter()
        .map(|(partition, epoch)| {
            ListOffsetsPartition::default()
                .with_partition_index(*partition)
                .with_current_leader_epoch(*epoch)
                .with_timestamp(timestamp)
        })
        .collect();
    let topic = ListOffsetsTopic::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partitions(partitions);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation_level)
        .with_timeout_ms(i32::try_from(wait.limit.as_millis()).unwrap_or(i32::MAX))
        .with_topics(vec![topic]);
    let body = connection.ask(version, &request, wait)?;
    decode(&mut Slice::new(&body, connection.endpoint(), LIST_OFFSETS.name), version)
}

fn decode(input: &mut Slice<'_>, version: i16) -> Result<Answers<OffsetAt>, WireError> {
    let flexible = version >= 6;
    if version >= 2 {
        input.i32("throttle_time_ms")?;
    }
    let topics = input.elements(flexible, 3, "topics", |input| {
        // One topic is asked for, so its name says nothing new.
        input.string(flexible, "topic name")?;
        let list = input.elements(flexible, 22, "partitions", |input| decode_partition(input, version))?;
        input.skip_tags(flexible)?;
        Ok(list)
    })?;
    input.skip_tags(flexible)?;
    input.finish()?;
    if topics.len() > 1 {
        return Err(input.malformed(format!("{} topics came, one was asked for", topics.len())));
    }
    Ok(topics.into_iter().flatten().collect())
}

fn decode_partition(input: &mut Slice<'_>, version: i16) -> Result<(i32, Result<OffsetAt, i16>), WireError> {
    let partition = input.i32("partition_index")?;
    let code = input.i16("error_code")?;
    let timestamp = input.i64("timestamp")?;
    let offset = input.i64("offset")?;
    let leader_epoch = if version >= 4 { input.i32("leader_epoch")? } else { -1 };
    input.skip_tags(version >= 6)?;
    let found = OffsetAt { offset, timestamp, leader_epoch };
    Ok((partition, if code == 0 { Ok(found) } else { Err(code) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::ListOffsetsResponse;
    use kafka_protocol::messages::list_offsets_response::{
        ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
    };
    use kafka_protocol::protocol::Encodable;
    use proptest::prelude::*;

    fn encoded(version: i16) -> Vec<u8> {
        let found = ListOffsetsPartitionResponse::default()
            .with_partition_index(1)
            .with_timestamp(5)
            .with_offset(77)
            .with_leader_epoch(if version >= 4 { 3 } else { -1 });
        let refused = ListOffsetsPartitionResponse::default().with_partition_index(2).with_error_code(6);
        let topic = ListOffsetsTopicResponse::default()
            .with_name(TopicName(StrBytes::from_static_str("blogs")))
            .with_partitions(vec![found, refused]);
        let mut out = Vec::new();
        ListOffsetsResponse::default().with_topics(vec![topic]).encode(&mut out, version).unwrap();
        out
    }

    #[test]
    fn every_version_is_decoded() {
        for version in LIST_OFFSETS.min..=LIST_OFFSETS.max {
            let bytes = encoded(version);
            let answers = decode(&mut Slice::new(&bytes, "b:1", "ListOffsets"), version).unwrap();
            let leader_epoch = if version >= 4 { 3 } else { -1 };
            assert_eq!(answers, [(1, Ok(OffsetAt { offset: 77, timestamp: 5, leader_epoch })), (2, Err(6))]);
            for end in 0..bytes.len() {
                assert!(decode(&mut Slice::new(&bytes[..end], "b:1", "ListOffsets"), version).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), version in 1i16..=10) {
            let _ = decode(&mut Slice::new(&bytes, "b:1", "ListOffsets"), version);
        }
    }
}
