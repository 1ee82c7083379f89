//! `DescribeConfigs`: cleanup.policy, message.timestamp.type and their like.
//!
//! # References
//! - <https://kafka.apache.org/protocol#The_Messages_DescribeConfigs>, KIP-133

use std::collections::BTreeMap;

use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::protocol::StrBytes;

use super::api::CONFIGS;
use super::cluster::Cluster;
use super::codes::{broker_error, is_retriable, refused};
use super::connection::{Connection, Wait};
use super::input::{Input, Slice};
use crate::error::WireError;

/// The resource type of a topic.
const TOPIC: i8 = 2;

impl Cluster {
    /// The configuration of a topic by name. Entries without a value, which are sensitive ones, are left out. It needs
    /// `DescribeConfigs` on the topic; without it the error is `AuthorizationRefused`.
    pub fn topic_configs(&self, topic: &str) -> Result<BTreeMap<String, String>, WireError> {
        let limit = self.request_limit();
        let work = |connection: &mut Connection, wait: &Wait<'_>| ask(connection, topic, wait);
        self.retrying(|| self.at_any_broker(limit, self.cancel_token(), work))
    }
}

fn ask(
    connection: &mut Connection,
    topic: &str,
    wait: &Wait<'_>,
) -> Result<BTreeMap<String, String>, WireError> {
    let version = connection.version(CONFIGS, i16::MAX)?;
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let body =
        connection.ask(version, &DescribeConfigsRequest::default().with_resources(vec![resource]), wait)?;
    let mut input = Slice::new(&body, connection.endpoint(), CONFIGS.name);
    let (code, configs) = decode(&mut input, version)?;
    let endpoint = connection.endpoint();
    match code {
        0 => Ok(configs),
        // An unknown topic stays unknown; the other codes pass.
        code if is_retriable(code) && code != super::codes::UNKNOWN_TOPIC_OR_PARTITION => {
            let detail = format!("it answered DescribeConfigs with {}", broker_error(code));
            Err(WireError::Unreachable { endpoint: endpoint.to_owned(), detail })
        }
        code => Err(refused(endpoint, format!("the configuration of topic {topic}"), code)),
    }
}

fn decode(input: &mut Slice<'_>, version: i16) -> Result<(i16, BTreeMap<String, String>), WireError> {
    let flexible = version >= 4;
    input.i32("throttle_time_ms")?;
    let mut results = input.elements(flexible, 6, "results", |input| {
        let code = input.i16("error_code")?;
        input.nullable_string(flexible, "error_message")?;
        input.i8("resource_type")?;
        input.string(flexible, "resource_name")?;
        let configs = input.elements(flexible, 6, "configs", |input| decode_entry(input, version))?;
        input.skip_tags(flexible)?;
        Ok((code, configs))
    })?;
    input.skip_tags(flexible)?;
    input.finish()?;
    match (results.pop(), results.len()) {
        (Some((code, configs)), 0) => {
            let valued = configs.into_iter().filter_map(|(name, value)| Some((name, value?)));
            Ok((code, valued.collect()))
        }
        (_, others) => Err(input.malformed(format!("{} results came, one was asked for", others + 1))),
    }
}

fn decode_entry(input: &mut Slice<'_>, version: i16) -> Result<(String, Option<String>), WireError> {
    let flexible = version >= 4;
    let name = input.string(flexible, "config name")?;
    let value = input.nullable_string(flexible, "config value")?;
    input.i8("read_only")?;
    input.i8("config_source")?;
    input.i8("is_sensitive")?;
    input.elements(flexible, 3, "synonyms", |input| {
        input.string(flexible, "synonym name")?;
        input.nullable_string(flexible, "synonym value")?;
        input.i8("synonym source")?;
        input.skip_tags(flexible)
    })?;
    if version >= 3 {
        input.i8("config_type")?;
        input.nullable_string(flexible, "documentation")?;
    }
    input.skip_tags(flexible)?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::DescribeConfigsResponse;
    use kafka_protocol::messages::describe_configs_response::{
        DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
    };
    use kafka_protocol::protocol::Encodable;
    use proptest::prelude::*;

    fn encoded(version: i16) -> Vec<u8> {
        let text = |text: &'static str| StrBytes::from_static_str(text);
        let synonym = DescribeConfigsSynonym::default().with_name(text("log.cleanup.policy"));
        let policy = DescribeConfigsResourceResult::default()
            .with_name(text("cleanup.policy"))
            .with_value(Some(text("compact,delete")))
            .with_synonyms(vec![synonym]);
        let secret = DescribeConfigsResourceResult::default().with_name(text("secret")).with_value(None);
        let result = DescribeConfigsResult::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text("blogs"))
            .with_configs(vec![policy, secret]);
        let mut out = Vec::new();
        DescribeConfigsResponse::default().with_results(vec![result]).encode(&mut out, version).unwrap();
        out
    }

    #[test]
    fn every_version_is_decoded() {
        for version in CONFIGS.min..=CONFIGS.max {
            let bytes = encoded(version);
            let (code, configs) = decode(&mut Slice::new(&bytes, "b:1", CONFIGS.name), version).unwrap();
            assert_eq!(code, 0);
            assert_eq!(configs.len(), 1);
            assert_eq!(configs["cleanup.policy"], "compact,delete");
        }
    }

    #[test]
    fn an_answer_without_a_result_is_an_error() {
        let mut bytes = Vec::new();
        DescribeConfigsResponse::default().encode(&mut bytes, 4).unwrap();
        assert!(decode(&mut Slice::new(&bytes, "b:1", CONFIGS.name), 4).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), version in 1i16..=4) {
            let _ = decode(&mut Slice::new(&bytes, "b:1", CONFIGS.name), version);
        }
    }
}
