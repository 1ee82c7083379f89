//! `DescribeCluster` (KIP-700).

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::dispatch::Call;
use super::fault::Target;
use super::wire_types::text;

pub(super) fn answer(_request: &DescribeClusterRequest, call: &Call<'_>) -> DescribeClusterResponse {
    let brokers = call.nodes().into_iter().map(|node| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(node.id))
            .with_host(text(&node.host))
            .with_port(i32::from(node.port))
    });
    DescribeClusterResponse::default()
        .with_throttle_time_ms(call.plan.throttle_time_ms())
        .with_error_code(call.plan.error_code(&Target::default()).unwrap_or(0))
        .with_cluster_id(text(&call.shared.config.cluster_id))
        .with_controller_id(BrokerId(call.controller_id()))
        .with_brokers(brokers.collect())
}
