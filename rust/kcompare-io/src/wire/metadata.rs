//! Metadata: brokers, topics, leaders.
//!
//! # References
//! - <https://kafka.apache.org/protocol#The_Messages_Metadata>, KIP-516 for topic ids

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::api::METADATA;
use super::codes::{is_retriable, refused};
use super::connection::{Connection, Wait};
use super::input::{Input, Slice};
use crate::error::WireError;

/// What a broker knows about its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterMetadata {
    /// The id of the cluster, where the broker tells it.
    pub cluster_id: Option<String>,
    /// The id of the controller; -1 unknown.
    pub controller: i32,
    /// The brokers.
    pub brokers: Vec<BrokerInfo>,
    /// The topics that were asked for.
    pub topics: Vec<TopicInfo>,
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerInfo {
    /// node.id.
    pub id: i32,
    /// The advertised host.
    pub host: String,
    /// The advertised port.
    pub port: u16,
    /// broker.rack.
    pub rack: Option<String>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its id; all zero when the broker does not tell (before Kafka 2.8).
    pub topic_id: [u8; 16],
    /// 0, or why nothing is known about it.
    pub error_code: i16,
    /// Whether brokers made it for themselves.
    pub is_internal: bool,
    /// Its partitions, in order.
    pub partitions: Vec<PartitionInfo>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it; -1 none.
    pub leader: i32,
    /// The epoch of that leader; -1 unknown.
    pub leader_epoch: i32,
    /// 0, or why it cannot be read.
    pub error_code: i16,
    /// The brokers that hold it.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub isr: Vec<i32>,
}

/// Asks one broker; `None` asks for all topics.
pub(crate) fn ask(
    connection: &mut Connection,
    topics: Option<&[String]>,
    wait: &Wait<'_>,
) -> Result<ClusterMetadata, WireError> {
    let version = connection.version(METADATA, i16::MAX)?;
    let topics = topics.map(|names| {
        let topic = |name: &String| {
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.clone()))))
        };
        names.iter().map(topic).collect()
    });
    let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
    let body = connection.ask(version, &request, wait)?;
    let mut input = Slice::new(&body, connection.endpoint(), METADATA.name);
    let (metadata, code) = decode(&mut input, version)?;
    match code {
        0 => Ok(metadata),
        code if is_retriable(code) => Err(WireError::Unreachable {
            endpoint: connection.endpoint().to_owned(),
            detail: format!("it answered Metadata with {}", super::codes::broker_error(code)),
        }),
        code => Err(refused(connection.endpoint(), "Metadata".to_owned(), code)),
    }
}

/// The answer and its error code, which exists from version 13 on.
fn decode(input: &mut Slice<'_>, version: i16) -> Result<(ClusterMetadata, i16), WireError> {
    let flexible = version >= 9;
    // throttle_time_ms: INT32
    input.i32("throttle_time_ms")?;
    let brokers = input.elements(flexible, 11, "brokers", |input| decode_broker(input, flexible))?;
    let cluster_id = input.nullable_string(flexible, "cluster_id")?;
    let controller = input.i32("controller_id")?;
    let mut topics = input.elements(flexible, 7, "topics", |input| decode_topic(input, version))?;
    for topic in &mut topics {
        topic.partitions.sort_by_key(|partition| partition.partition);
    }
    if (8..=10).contains(&version) {
        input.i32("cluster_authorized_operations")?;
    }
    let code = if version >= 13 { input.i16("error_code")? } else { 0 };
    input.skip_tags(flexible)?;
    input.finish()?;
    Ok((ClusterMetadata { cluster_id, controller, brokers, topics }, code))
}

fn decode_broker(input: &mut Slice<'_>, flexible: bool) -> Result<BrokerInfo, WireError> {
    let id = input.i32("node_id")?;
    let host = input.string(flexible, "host")?;
    let port = input.i32("port")?;
    let port = u16::try_from(port).map_err(|_| input.malformed(format!("port of broker {id} is {port}")))?;
    let rack = input.nullable_string(flexible, "rack")?;
    input.skip_tags(flexible)?;
    Ok(BrokerInfo { id, host, port, rack })
}

fn decode_topic(input: &mut Slice<'_>, version: i16) -> Result<TopicInfo, WireError> {
    let flexible = version >= 9;
    let error_code = input.i16("topic error_code")?;
    // The name is null only for topics asked for by id, which is not done here.
    let name = input.nullable_string(flexible, "topic name")?.unwrap_or_default();
    let topic_id = if version >= 10 { input.uuid("topic_id")? } else { [0; 16] };
    let is_internal = input.i8("is_internal")? != 0;
    let partitions = input.elements(flexible, 13, "partitions", |input| decode_partition(input, version))?;
    if version >= 8 {
        input.i32("topic_authorized_operations")?;
    }
    input.skip_tags(flexible)?;
    Ok(TopicInfo { name, topic_id, error_code, is_internal, partitions })
}

fn decode_partition(input: &mut Slice<'_>, version: i16) -> Result<PartitionInfo, WireError> {
    let flexible = version >= 9;
    let error_code = input.i16("partition error_code")?;
    let partition = input.i32("partition_index")?;
    let leader = input.i32("leader_id")?;
    let leader_epoch = if version >= 7 { input.i32("leader_epoch")? } else { -1 };
    let replicas = input.elements(flexible, 4, "replica_nodes", |input| input.i32("replica"))?;
    let isr = input.elements(flexible, 4, "isr_nodes", |input| input.i32("replica"))?;
    if version >= 5 {
        input.elements(flexible, 4, "offline_replicas", |input| input.i32("replica"))?;
    }
    input.skip_tags(flexible)?;
    Ok(PartitionInfo { partition, leader, leader_epoch, error_code, replicas, isr })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use kafka_protocol::messages::{BrokerId, MetadataResponse};
    use kafka_protocol::protocol::Encodable;
    use proptest::prelude::*;

    fn encoded(version: i16) -> Vec<u8> {
        let text = |text: &'static str| StrBytes::from_static_str(text);
        let partition = MetadataResponsePartition::default()
            .with_partition_index(3)
            .with_leader_id(BrokerId(7))
            .with_leader_epoch(if version >= 7 { 9 } else { -1 })
            .with_replica_nodes(vec![BrokerId(7), BrokerId(8)])
            .with_isr_nodes(vec![BrokerId(7)]);
        let first = MetadataResponsePartition::default().with_partition_index(0).with_error_code(5);
        let mut topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(text("blogs"))))
            .with_is_internal(true)
            .with_partitions(vec![partition, first]);
        if version >= 10 {
            topic.topic_id = vec![4; 16].try_into().unwrap();
        }
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(7))
            .with_host(text("kafka-7.example"))
            .with_port(9092)
            .with_rack(Some(text("r1")));
        let response = MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_cluster_id(Some(text("cluster")))
            .with_controller_id(BrokerId(7))
            .with_topics(vec![topic]);
        let mut out = Vec::new();
        response.encode(&mut out, version).unwrap();
        out
    }

    #[test]
    fn every_version_is_decoded() {
        for version in METADATA.min..=METADATA.max {
            let bytes = encoded(version);
            let (metadata, code) = decode(&mut Slice::new(&bytes, "b:1", "Metadata"), version).unwrap();
            assert_eq!(code, 0);
            assert_eq!(metadata.cluster_id.as_deref(), Some("cluster"));
            assert_eq!((metadata.brokers[0].port, metadata.brokers[0].rack.as_deref()), (9092, Some("r1")));
            let topic = &metadata.topics[0];
            assert_eq!(topic.topic_id, if version >= 10 { [4; 16] } else { [0; 16] });
            assert!(topic.is_internal);
            assert_eq!((topic.partitions[0].partition, topic.partitions[0].error_code), (0, 5));
            let last = &topic.partitions[1];
            assert_eq!((last.partition, last.leader), (3, 7));
            assert_eq!(last.leader_epoch, if version >= 7 { 9 } else { -1 });
            assert_eq!((last.replicas.as_slice(), last.isr.as_slice()), ([7, 8].as_slice(), [7].as_slice()));
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = encoded(12);
        for end in 0..bytes.len() {
            assert!(decode(&mut Slice::new(&bytes[..end], "b:1", "Metadata"), 12).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 4i16..=13) {
            let _ = decode(&mut Slice::new(&bytes, "b:1", "Metadata"), version);
        }

        #[test]
        fn no_changed_byte_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), version in 4i16..=13) {
            let mut bytes = encoded(version);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode(&mut Slice::new(&bytes, "b:1", "Metadata"), version);
        }
    }
}
