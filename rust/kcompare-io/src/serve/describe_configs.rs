//! `DescribeConfigs`: what the store knows of a topic's configuration.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::dispatch::{Call, Subject};
use super::fault::Target;
use super::store::{ConfigEntry, LogStore};
use super::wire_types::text;

/// The resource type of a topic.
const TOPIC: i8 = 2;
/// The resource type of a broker.
const BROKER: i8 = 4;
/// The source of a value that is set on the topic.
const DYNAMIC_TOPIC_CONFIG: i8 = 1;
/// The source of a value that nobody has set.
const DEFAULT_CONFIG: i8 = 5;
/// The type of a configuration value whose type is not known.
const STRING: i8 = 2;

pub(super) fn targets(request: &DescribeConfigsRequest, _store: &dyn LogStore) -> Vec<Subject> {
    request.resources.iter().map(|resource| (Some(resource.resource_name.to_string()), None, None)).collect()
}

pub(super) fn answer(request: &DescribeConfigsRequest, call: &Call<'_>) -> DescribeConfigsResponse {
    // A resource that is named many times is described once: the answer is no larger than all there is.
    let mut seen = BTreeSet::new();
    let once = request.resources.iter().filter(|resource| {
        seen.insert((resource.resource_type, &resource.resource_name, &resource.configuration_keys))
    });
    let results = once.map(|resource| describe(resource, call));
    DescribeConfigsResponse::default()
        .with_throttle_time_ms(call.plan.throttle_time_ms())
        .with_results(results.collect())
}

fn describe(resource: &DescribeConfigsResource, call: &Call<'_>) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    if let Some(code) = call.plan.error_code(&Target::topic(&resource.resource_name)) {
        return result.with_error_code(code);
    }
    let known = match resource.resource_type {
        TOPIC => call
            .store()
            .topic_by_name(&resource.resource_name)
            .map(|topic| topic.configs())
            .ok_or(ResponseError::UnknownTopicOrPartition),
        // Nothing is configured at the broker that a reader could ask for.
        BROKER if *resource.resource_name == *call.node_id().to_string() => Ok(Vec::new()),
        _ => Err(ResponseError::InvalidRequest),
    };
    match known {
        Err(error) => result.with_error_code(error.code()).with_error_message(Some(text(&format!(
            "no resource of type {} is named {:?}",
            resource.resource_type,
            resource.resource_name.as_str()
        )))),
        Ok(entries) => {
            let asked = resource.configuration_keys.as_ref();
            let wanted = entries
                .iter()
                .filter(|entry| asked.is_none_or(|keys| keys.iter().any(|key| **key == *entry.name)));
            result.with_configs(wanted.map(|entry| value(entry, call.version)).collect())
        }
    }
}

fn value(entry: &ConfigEntry, version: i16) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(text(&entry.name))
        .with_value(Some(text(&entry.value)))
        .with_config_source(if entry.is_default { DEFAULT_CONFIG } else { DYNAMIC_TOPIC_CONFIG })
        .with_config_type(if version >= 3 { STRING } else { 0 })
}
