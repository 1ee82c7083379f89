//! `OffsetForLeaderEpoch`: where the leader says that an epoch ended.
//!
//! # References
//! - <https://kafka.apache.org/protocol#The_Messages_OffsetForLeaderEpoch>, KIP-320

use std::collections::HashMap;

use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{BrokerId, OffsetForLeaderEpochRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::api::EPOCHS;
use super::cluster::{Answers, ByPartition, Cluster};
use super::input::{Input, Slice};
use crate::error::WireError;

/// The end of an epoch in the leader's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch that is not above the one asked for; -1 when there is none.
    pub leader_epoch: i32,
    /// The offset after the last record of that epoch; -1 when there is none.
    pub end_offset: i64,
}

impl Cluster {
    /// Asks where epochs ended, one epoch for each partition.
    pub fn epoch_ends(&self, topic: &str, epochs: &[(i32, i32)]) -> Result<ByPartition<EpochEnd>, WireError> {
        let wanted: HashMap<i32, i32> = epochs.iter().copied().collect();
        let partitions: Vec<i32> = epochs.iter().map(|(partition, _)| *partition).collect();
        self.by_leader(topic, &partitions, |connection, group, wait| {
            let version = connection.version(EPOCHS, i16::MAX)?;
            let partitions = group
                .iter()
                .map(|(partition, current)| {
                    OffsetForLeaderPartition::default()
                        .with_partition(*partition)
                        .with_current_leader_epoch(*current)
                        .with_leader_epoch(wanted.get(partition).copied().unwrap_or(-1))
                })
                .collect();
            let topic = OffsetForLeaderTopic::default()
                .with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
                .with_partitions(partitions);
            let request =
                OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
            let body = connection.ask(version, &request, wait)?;
            decode(&mut Slice::new(&body, connection.endpoint(), EPOCHS.name), version)
        })
    }
}

fn decode(input: &mut Slice<'_>, version: i16) -> Result<Answers<EpochEnd>, WireError> {
    let flexible = version >= 4;
    input.i32("throttle_time_ms")?;
    let topics = input.elements(flexible, 3, "topics", |input| {
        input.string(flexible, "topic name")?;
        let list = input.elements(flexible, 18, "partitions", |input| {
            let code = input.i16("error_code")?;
            let partition = input.i32("partition")?;
            let leader_epoch = input.i32("leader_epoch")?;
            let end_offset = input.i64("end_offset")?;
            input.skip_tags(flexible)?;
            let end = EpochEnd { leader_epoch, end_offset };
            Ok((partition, if code == 0 { Ok(end) } else { Err(code) }))
        })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::OffsetForLeaderEpochResponse;
    use kafka_protocol::messages::offset_for_leader_epoch_response::{
        EpochEndOffset, OffsetForLeaderTopicResult,
    };
    use kafka_protocol::protocol::Encodable;
    use proptest::prelude::*;

    #[test]
    fn every_version_is_decoded() {
        for version in EPOCHS.min..=EPOCHS.max {
            let end = EpochEndOffset::default().with_partition(4).with_leader_epoch(2).with_end_offset(900);
            let refused = EpochEndOffset::default().with_partition(5).with_error_code(74);
            let topic = OffsetForLeaderTopicResult::default()
                .with_topic(TopicName(StrBytes::from_static_str("blogs")))
                .with_partitions(vec![end, refused]);
            let mut bytes = Vec::new();
            let response = OffsetForLeaderEpochResponse::default().with_topics(vec![topic]);
            response.encode(&mut bytes, version).unwrap();
            let answers = decode(&mut Slice::new(&bytes, "b:1", EPOCHS.name), version).unwrap();
            assert_eq!(answers, [(4, Ok(EpochEnd { leader_epoch: 2, end_offset: 900 })), (5, Err(74))]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), version in 2i16..=4) {
            let _ = decode(&mut Slice::new(&bytes, "b:1", EPOCHS.name), version);
        }
    }
}
