//! `Metadata`: brokers, topics, partitions and their leaders. Topics are never created by asking for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};

use super::dispatch::{Call, Subject};
use super::fault::Target;
use super::store::{LogStore, StoredPartition, StoredTopic, TopicId};
use super::wire_types::{from_wire_id, text, topic_name, wire_id};

/// The topics that a request asks for; `None` is all of them.
fn asked(request: &MetadataRequest, version: i16) -> Option<&[MetadataRequestTopic]> {
    // Version 0 has no null; the empty list means all topics there.
    request.topics.as_deref().filter(|topics| version > 0 || !topics.is_empty())
}

fn find(store: &dyn LogStore, topic: &MetadataRequestTopic) -> Option<Arc<dyn StoredTopic>> {
    let id = from_wire_id(&topic.topic_id);
    if id == TopicId::ZERO {
        topic.name.as_ref().and_then(|name| store.topic_by_name(name))
    } else {
        store.topic_by_id(id)
    }
}

pub(super) fn targets(request: &MetadataRequest, store: &dyn LogStore) -> Vec<Subject> {
    // A topic that is not there can be the subject of a fault too.
    let name = |topic: &MetadataRequestTopic| match (find(store, topic), &topic.name) {
        (Some(found), _) => found.name().to_owned(),
        (None, Some(asked)) => asked.as_str().to_owned(),
        (None, None) => String::new(),
    };
    request.topics.iter().flatten().map(|topic| (Some(name(topic)), None, None)).collect()
}

pub(super) fn answer(request: &MetadataRequest, call: &Call<'_>) -> MetadataResponse {
    let topics = match asked(request, call.version) {
        None => call.store().topics().iter().map(|topic| describe(&**topic, call)).collect(),
        Some(topics) => {
            // A topic that is named many times is described once, as Kafka does it: the answer is no larger than all.
            let mut seen = BTreeSet::new();
            let once =
                topics.iter().filter(|topic| seen.insert((from_wire_id(&topic.topic_id), &topic.name)));
            once.map(|topic| {
                find(call.store(), topic)
                    .map_or_else(|| missing(topic, call.version), |topic| describe(&*topic, call))
            })
            .collect()
        }
    };
    let brokers = call.nodes().into_iter().map(|node| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(node.id))
            .with_host(text(&node.host))
            .with_port(i32::from(node.port))
    });
    MetadataResponse::default()
        .with_throttle_time_ms(call.plan.throttle_time_ms())
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(text(&call.shared.config.cluster_id)))
        .with_controller_id(BrokerId(call.controller_id()))
        .with_topics(topics)
}

fn missing(topic: &MetadataRequestTopic, version: i16) -> MetadataResponseTopic {
    let by_id = from_wire_id(&topic.topic_id) != TopicId::ZERO;
    let error = if by_id { ResponseError::UnknownTopicId } else { ResponseError::UnknownTopicOrPartition };
    // The name is nullable from version 12 on; before, a topic that is asked for by id has the empty one.
    let name = topic.name.clone().or_else(|| (version < 12).then(|| topic_name("")));
    MetadataResponseTopic::default()
        .with_error_code(error.code())
        .with_name(name)
        .with_topic_id(topic.topic_id)
}

fn describe(topic: &dyn StoredTopic, call: &Call<'_>) -> MetadataResponseTopic {
    let partitions = topic.partition_ids().into_iter().filter_map(|number| {
        let partition = topic.partition(number)?;
        Some(describe_partition(topic.name(), number, &*partition, call))
    });
    MetadataResponseTopic::default()
        .with_error_code(call.plan.topic_error_code(topic.name()).unwrap_or(0))
        .with_name(Some(topic_name(topic.name())))
        .with_topic_id(wire_id(topic.id()))
        .with_is_internal(matches!(topic.name(), "__consumer_offsets" | "__transaction_state"))
        .with_partitions(partitions.collect())
}

fn describe_partition(
    topic: &str,
    number: i32,
    partition: &dyn StoredPartition,
    call: &Call<'_>,
) -> MetadataResponsePartition {
    let leader = BrokerId(partition.leader().unwrap_or(call.node_id()));
    let scripted = call.plan.error_code(&Target::partition(topic, number));
    let error = scripted.filter(|_| call.plan.topic_error_code(topic).is_none());
    MetadataResponsePartition::default()
        .with_error_code(error.unwrap_or(0))
        .with_partition_index(number)
        .with_leader_id(leader)
        .with_leader_epoch(partition.leader_epoch())
        .with_replica_nodes(vec![leader])
        .with_isr_nodes(vec![leader])
}
