//! Every API at every version that is advertised, and the APIs that there are not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ConsumerGroupHeartbeatRequest, DescribeClusterRequest,
    DescribeConfigsRequest, EndTxnRequest, MetadataRequest, ProduceRequest,
};

use super::super::wire_types::{from_wire_id, text, topic_name, wire_id};
use super::super::{Broker, BrokerConfig, MemoryStore, Node, TopicId};
use super::{Client, ID, TOPIC, api, batch, broker, fetch_request, name, store};

fn configured(config: BrokerConfig) -> Broker {
    Broker::start(config, Arc::<MemoryStore>::clone(&store())).unwrap()
}

#[test]
fn api_versions_at_every_version() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    for version in 0..=4 {
        let response = client.call(version, &ApiVersionsRequest::default());
        assert_eq!(response.error_code, 0);
        let spoken: Vec<_> =
            response.api_keys.iter().map(|one| (one.api_key, one.min_version, one.max_version)).collect();
        let reading =
            [(0, 3, 9), (1, 4, 17), (2, 1, 10), (3, 0, 13), (18, 0, 4), (23, 2, 4), (32, 1, 4), (60, 0, 1)];
        let groups =
            [(10, 0, 4), (11, 0, 9), (14, 0, 5), (12, 0, 4), (13, 0, 5), (9, 1, 9), (8, 2, 9), (22, 0, 4)];
        assert_eq!(spoken, [reading, groups].concat());
    }
    assert_eq!(broker.requests(), BTreeMap::from([(18, 5)]));
}

#[test]
fn api_versions_too_new_is_answered_in_version_0() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    client.correlation_id = 9;
    // A header of version 2 with client id and no tagged fields, and a body that nobody knows.
    let frame = [0, 0, 0, 14, 0, 18, 0, 99, 0, 0, 0, 9, 0, 1, b'x', 0, 1, 1_u8];
    std::io::Write::write_all(&mut client.stream, &frame).unwrap();
    let response = client.receive::<ApiVersionsRequest>(0).unwrap();
    assert_eq!(response.error_code, 35);
    assert_eq!(response.api_keys.len(), 1);
    assert_eq!((response.api_keys[0].api_key, response.api_keys[0].max_version), (18, 4));
    // The connection goes on.
    assert_eq!(client.call(3, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn metadata_at_every_version() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    for version in 0..=13 {
        let topics = if version == 0 { Some(Vec::new()) } else { None };
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(true);
        let response = client.call(version, &request);
        assert_eq!(response.brokers.len(), 1);
        assert_eq!(response.brokers[0].port, i32::from(broker.addr().port()));
        assert_eq!(*response.brokers[0].host, *"127.0.0.1");
        let topic = &response.topics[0];
        assert_eq!((topic.error_code, &topic.name), (0, &Some(name())));
        assert_eq!(from_wire_id(&topic.topic_id), if version >= 10 { ID } else { TopicId::ZERO });
        assert_eq!(topic.partitions.len(), 2);
        assert_eq!(topic.partitions[1].leader_id.0, 1);
        assert_eq!(topic.partitions[1].leader_epoch, if version >= 7 { 0 } else { -1 });
        if version >= 2 {
            assert_eq!(response.cluster_id.as_deref(), Some("kcompare"));
        }
    }
}

#[test]
fn metadata_of_topics_that_are_not_there_creates_none() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    for version in 0..=13 {
        let asked = MetadataRequestTopic::default().with_name(Some(topic_name("typo")));
        let request =
            MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(true);
        let response = client.call(version, &request);
        assert_eq!(response.topics[0].error_code, 3);
    }
    for version in 12..=13 {
        let by_id = |id| MetadataRequestTopic::default().with_name(None).with_topic_id(wire_id(id));
        let asked = Some(vec![by_id(ID), by_id(TopicId([9; 16]))]);
        let response = client.call(version, &MetadataRequest::default().with_topics(asked));
        assert_eq!((response.topics[0].error_code, &response.topics[0].name), (0, &Some(name())));
        assert_eq!((response.topics[1].error_code, &response.topics[1].name), (100, &None));
    }
    for version in 1..=13 {
        let response = client.call(version, &MetadataRequest::default().with_topics(Some(Vec::new())));
        assert_eq!(response.topics, []);
    }
    let all = client.call(12, &MetadataRequest::default().with_topics(None));
    assert_eq!(all.topics.len(), 1);
}

#[test]
fn describe_configs_at_every_version() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    let resource = |kind, name| {
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(None)
    };
    for version in 1..=4 {
        let wanted = resource(2, TOPIC).with_configuration_keys(Some(vec![text("retention.ms")]));
        let resources =
            vec![resource(2, TOPIC), wanted, resource(2, "typo"), resource(4, "1"), resource(4, "2")];
        let response = client.call(version, &DescribeConfigsRequest::default().with_resources(resources));
        let codes: Vec<_> = response.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [0, 0, 3, 0, 42]);
        let all = &response.results[0].configs;
        let policy = all.iter().find(|entry| *entry.name == *"cleanup.policy").unwrap();
        assert_eq!((policy.value.as_deref(), policy.config_source), (Some("delete"), 5));
        let only = &response.results[1].configs;
        assert_eq!(only.len(), 1);
        assert_eq!((only[0].value.as_deref(), only[0].config_source), (Some("604800000"), 1));
    }
}

#[test]
fn describe_cluster_names_all_brokers() {
    let node = |id: i32, port| Node { id, host: "broker".into(), port };
    let config = BrokerConfig {
        node_id: 2,
        advertised: Some(("example".into(), 9092)),
        peers: vec![node(3, 9093)],
        ..BrokerConfig::default()
    };
    let broker = configured(config);
    let mut client = Client::new(&broker);
    for version in 0..=1 {
        let response = client.call(version, &DescribeClusterRequest::default());
        let nodes: Vec<_> = response
            .brokers
            .iter()
            .map(|node| (node.broker_id.0, node.host.to_string(), node.port))
            .collect();
        assert_eq!(nodes, [(2, "example".to_owned(), 9092), (3, "broker".to_owned(), 9093)]);
        assert_eq!((response.controller_id.0, &*response.cluster_id), (2, "kcompare"));
    }
    broker.set_peers(vec![node(1, 9091)]);
    let response = client.call(1, &DescribeClusterRequest::default());
    assert_eq!(response.controller_id.0, 1);
}

#[test]
fn an_older_broker_speaks_older_versions_only() {
    let max_versions = BTreeMap::from([(1, 12), (3, 9), (60, -1)]);
    let broker = configured(BrokerConfig { max_versions, ..BrokerConfig::default() });
    let mut client = Client::new(&broker);
    let response = client.call(3, &ApiVersionsRequest::default());
    let newest: BTreeMap<_, _> = response.api_keys.iter().map(|one| (one.api_key, one.max_version)).collect();
    assert_eq!((newest.get(&1), newest.get(&3), newest.get(&60)), (Some(&12), Some(&9), None));
    assert_eq!(client.call(12, &fetch_request(0)).responses.len(), 1);
    client.send(13, &fetch_request(0));
    assert!(client.is_closed(Duration::from_secs(2)));
}

#[test]
fn what_is_not_spoken_is_refused_or_closed() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    assert_eq!(client.call(0, &EndTxnRequest::default()).error_code, 35);
    assert_eq!(client.call(0, &ConsumerGroupHeartbeatRequest::default()).error_code, 35);
    client.send(10, &ProduceRequest::default());
    assert!(client.is_closed(Duration::from_secs(2)));
    let mut client = Client::new(&broker);
    std::io::Write::write_all(&mut client.stream, &[0, 0, 0, 8, 0x7f, 0xff, 0, 0, 0, 0, 0, 1]).unwrap();
    assert!(client.is_closed(Duration::from_secs(2)));
    let expected = BTreeMap::from([(api(ApiKey::Produce), 1), (26, 1), (68, 1), (i16::MAX, 1)]);
    assert_eq!(broker.requests(), expected);
}

#[test]
fn nobody_may_write() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    let data = PartitionProduceData::default().with_records(Some(batch(100, 1).into()));
    let topic = TopicProduceData::default().with_name(name()).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]);
    for version in 3..=9 {
        let response = client.call(version, &request);
        let refused = &response.responses[0].partition_responses[0];
        assert_eq!((refused.error_code, refused.base_offset), (29, -1));
    }
    assert_eq!(client.fetch(0).high_watermark, 100);
    // Without acknowledgement there is no response that could say so.
    client.send(9, &request.with_acks(0));
    assert!(client.is_closed(Duration::from_secs(2)));
    assert_eq!(Client::new(&broker).fetch(0).high_watermark, 100);
}
