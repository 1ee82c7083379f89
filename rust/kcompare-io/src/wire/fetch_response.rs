//! The answer to a Fetch, field by field: everything but the records, which the caller streams or passes over.
//!
//! # References
//! - <https://kafka.apache.org/protocol#The_Messages_Fetch>
//! - KIP-98 (aborted transactions), KIP-392 (`preferred_read_replica`), KIP-516 (topic ids), KIP-482 (flexible from v12)

use kcompare_core::records::AbortedTransaction;

use super::input::Input;
use crate::error::WireError;

/// From this version on lengths are compact and structures end in tagged fields.
pub(crate) const FLEXIBLE_FROM: i16 = 12;
/// From this version on topics go by id.
pub(crate) const TOPIC_IDS_FROM: i16 = 13;

/// The fields before the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) throttle_ms: i32,
    pub(crate) error_code: i16,
    pub(crate) topics: u64,
}

/// How an answer names a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TopicKey {
    Name(String),
    Id([u8; 16]),
}

/// The fields of a partition before its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionHead {
    pub(crate) partition: i32,
    pub(crate) error_code: i16,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    /// -1 before version 5, and in errors.
    pub(crate) log_start_offset: i64,
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// -1 none.
    pub(crate) preferred_read_replica: i32,
    /// Bytes of records that follow.
    pub(crate) records: u64,
}

pub(crate) fn read_head<I: Input>(input: &mut I, version: i16) -> Result<Head, WireError> {
    let throttle_ms = input.i32("throttle_time_ms")?;
    let mut error_code = 0;
    if version >= 7 {
        error_code = input.i16("error_code")?;
        // Without a fetch session the id is 0; another value does no harm.
        input.i32("session_id")?;
    }
    let topics = input.count(version >= FLEXIBLE_FROM, 4, "responses")?.unwrap_or(0);
    Ok(Head { throttle_ms, error_code, topics })
}

/// A topic and the number of its partitions.
pub(crate) fn read_topic<I: Input>(input: &mut I, version: i16) -> Result<(TopicKey, u64), WireError> {
    let flexible = version >= FLEXIBLE_FROM;
    let key = if version >= TOPIC_IDS_FROM {
        TopicKey::Id(input.uuid("topic_id")?)
    } else {
        TopicKey::Name(input.string(flexible, "topic")?)
    };
    Ok((key, input.count(flexible, 23, "partitions")?.unwrap_or(0)))
}

/// Reads up to the records. A list of more than `aborted_limit` aborted transactions is refused.
pub(crate) fn read_partition<I: Input>(
    input: &mut I,
    version: i16,
    aborted_limit: usize,
) -> Result<PartitionHead, WireError> {
    let flexible = version >= FLEXIBLE_FROM;
    let partition = input.i32("partition_index")?;
    let error_code = input.i16("error_code")?;
    let high_watermark = input.i64("high_watermark")?;
    let last_stable_offset = input.i64("last_stable_offset")?;
    let log_start_offset = if version >= 5 { input.i64("log_start_offset")? } else { -1 };
    let aborted = read_aborted(input, flexible, aborted_limit)?;
    let preferred_read_replica = if version >= 11 { input.i32("preferred_read_replica")? } else { -1 };
    let records = input.length(flexible, "records")?.unwrap_or(0);
    Ok(PartitionHead {
        partition,
        error_code,
        high_watermark,
        last_stable_offset,
        log_start_offset,
        aborted,
        preferred_read_replica,
        records,
    })
}

fn read_aborted<I: Input>(
    input: &mut I,
    flexible: bool,
    limit: usize,
) -> Result<Vec<AbortedTransaction>, WireError> {
    let count = input.count(flexible, 16, "aborted_transactions")?.unwrap_or(0);
    if count > limit as u64 {
        return Err(
            input.malformed(format!("{count} aborted transactions came, the memory budget allows {limit}"))
        );
    }
    let mut list = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let producer_id = input.i64("producer_id")?;
        let first_offset = input.i64("first_offset")?;
        input.skip_tags(flexible)?;
        list.push(AbortedTransaction { producer_id, first_offset });
    }
    Ok(list)
}

/// What follows the records of the only partition: the ends of partition, topic and answer.
pub(crate) fn read_tail<I: Input>(input: &mut I, version: i16) -> Result<(), WireError> {
    for _ in 0..3 {
        input.skip_tags(version >= FLEXIBLE_FROM)?;
    }
    input.finish()
}

#[cfg(test)]
mod tests {
    use super::super::input::Slice;
    use super::*;
    use kafka_protocol::messages::fetch_response::{
        AbortedTransaction as WireAborted, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
        PartitionData,
    };
    use kafka_protocol::messages::{BrokerId, FetchResponse, ProducerId, TopicName};
    use kafka_protocol::protocol::{Encodable, StrBytes};
    use proptest::prelude::*;

    fn encoded(version: i16, aborted: i64) -> Vec<u8> {
        let list = (0..aborted)
            .map(|n| WireAborted::default().with_producer_id(ProducerId(n)).with_first_offset(n * 10))
            .collect();
        let mut partition = PartitionData::default()
            .with_partition_index(2)
            .with_high_watermark(100)
            .with_last_stable_offset(90)
            .with_log_start_offset(if version >= 5 { 5 } else { -1 })
            .with_aborted_transactions(Some(list))
            .with_records(Some(bytes::Bytes::from_static(b"records")));
        if version >= 11 {
            partition.preferred_read_replica = BrokerId(3);
        }
        if version >= 12 {
            partition.current_leader =
                LeaderIdAndEpoch::default().with_leader_id(BrokerId(1)).with_leader_epoch(4);
        }
        let mut topic = FetchableTopicResponse::default().with_partitions(vec![partition]);
        if version >= TOPIC_IDS_FROM {
            topic.topic_id = vec![7; 16].try_into().unwrap();
        } else {
            topic.topic = TopicName(StrBytes::from_static_str("blogs"));
        }
        let mut response = FetchResponse::default().with_throttle_time_ms(11).with_responses(vec![topic]);
        if version >= 16 {
            response.node_endpoints = vec![NodeEndpoint::default().with_host(StrBytes::from_static_str("h"))];
        }
        let mut out = Vec::new();
        response.encode(&mut out, version).unwrap();
        out
    }

    fn read_all(bytes: &[u8], version: i16) -> Result<(TopicKey, PartitionHead), WireError> {
        let mut input = Slice::new(bytes, "b:1", "Fetch");
        let head = read_head(&mut input, version)?;
        assert_eq!((head.throttle_ms, head.error_code, head.topics), (11, 0, 1));
        let (key, partitions) = read_topic(&mut input, version)?;
        assert_eq!(partitions, 1);
        let partition = read_partition(&mut input, version, 600)?;
        assert_eq!(input.take(7, "records")?, b"records");
        read_tail(&mut input, version)?;
        Ok((key, partition))
    }

    #[test]
    fn every_version_is_decoded() {
        for version in 4..=18 {
            let (key, partition) = read_all(&encoded(version, 600), version).unwrap();
            let expected_key = if version >= TOPIC_IDS_FROM {
                TopicKey::Id([7; 16])
            } else {
                TopicKey::Name("blogs".to_owned())
            };
            assert_eq!(key, expected_key);
            assert_eq!((partition.partition, partition.records), (2, 7));
            assert_eq!((partition.high_watermark, partition.last_stable_offset), (100, 90));
            assert_eq!(partition.log_start_offset, if version >= 5 { 5 } else { -1 });
            assert_eq!(partition.preferred_read_replica, if version >= 11 { 3 } else { -1 });
            assert_eq!(partition.aborted.len(), 600);
            assert_eq!(partition.aborted[599], AbortedTransaction { producer_id: 599, first_offset: 5990 });
        }
    }

    #[test]
    fn a_list_past_the_budget_is_refused() {
        let error = read_all(&encoded(17, 601), 17).unwrap_err();
        assert!(error.to_string().contains("601 aborted transactions came"), "{error}");
    }

    #[test]
    fn nothing_may_follow_the_end() {
        for version in 4..=18 {
            let mut bytes = encoded(version, 1);
            bytes.push(0);
            assert!(read_all(&bytes, version).is_err());
        }
    }

    fn walk(bytes: &[u8], version: i16) -> Result<(), WireError> {
        let mut input = Slice::new(bytes, "b:1", "Fetch");
        for _ in 0..read_head(&mut input, version)?.topics {
            for _ in 0..read_topic(&mut input, version)?.1 {
                let partition = read_partition(&mut input, version, 1000)?;
                input.skip(partition.records, "records")?;
            }
        }
        read_tail(&mut input, version)
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), version in 4i16..=17) {
            let _ = walk(&bytes, version);
        }

        #[test]
        fn no_changed_byte_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), version in 4i16..=17) {
            let mut bytes = encoded(version, 3);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = walk(&bytes, version);
        }
    }
}
