//! The requests that are sent, and only these: reading a cluster must not change it.

use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeConfigsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest,
    OffsetForLeaderEpochRequest,
};
use kafka_protocol::protocol::Request;

use super::input::{Input, Slice};
use crate::error::WireError;

/// A request that changes nothing on a broker. The trait is implemented for six types, and a connection sends nothing
/// else.
pub(crate) trait ReadRequest: Request {
    const API: Api;
}

/// An API with the versions that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    /// The largest answer that is taken into memory as a whole, in bytes.
    pub(crate) largest_answer: usize,
}

/// KIP-511. Version 0 is the fallback that every broker must answer.
pub(crate) const API_VERSIONS: Api =
    Api { key: 18, name: "ApiVersions", min: 0, max: 3, largest_answer: 256 << 10 };
/// Below version 4 a broker may create the topic that is asked for (KIP-109).
pub(crate) const METADATA: Api = Api { key: 3, name: "Metadata", min: 4, max: 13, largest_answer: 64 << 20 };
/// Version 2 knows isolation levels, version 4 leader epochs.
pub(crate) const LIST_OFFSETS: Api =
    Api { key: 2, name: "ListOffsets", min: 1, max: 10, largest_answer: 16 << 20 };
/// Version 13 goes by topic id (KIP-516). Version 18 only adds what followers say.
pub(crate) const FETCH: Api = Api { key: 1, name: "Fetch", min: 4, max: 17, largest_answer: 64 << 20 };
/// Consumers may ask from version 2 on (KIP-320).
pub(crate) const EPOCHS: Api =
    Api { key: 23, name: "OffsetForLeaderEpoch", min: 2, max: 4, largest_answer: 16 << 20 };
pub(crate) const CONFIGS: Api =
    Api { key: 32, name: "DescribeConfigs", min: 1, max: 4, largest_answer: 16 << 20 };

impl ReadRequest for ApiVersionsRequest {
    const API: Api = API_VERSIONS;
}
impl ReadRequest for MetadataRequest {
    const API: Api = METADATA;
}
impl ReadRequest for ListOffsetsRequest {
    const API: Api = LIST_OFFSETS;
}
impl ReadRequest for FetchRequest {
    const API: Api = FETCH;
}
impl ReadRequest for OffsetForLeaderEpochRequest {
    const API: Api = EPOCHS;
}
impl ReadRequest for DescribeConfigsRequest {
    const API: Api = CONFIGS;
}

/// What a broker says that it speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ApiVersions(Vec<(i16, i16, i16)>);

impl ApiVersions {
    /// The advertised range of an API.
    pub(crate) fn range(&self, key: i16) -> Option<(i16, i16)> {
        self.0.iter().find(|(known, ..)| *known == key).map(|(_, min, max)| (*min, *max))
    }

    /// The newest version that both sides speak, not above `cap`.
    pub(crate) fn pick(&self, api: Api, cap: i16, endpoint: &str) -> Result<i16, WireError> {
        let unsupported =
            |detail| WireError::Unsupported { endpoint: endpoint.to_owned(), request: api.name, detail };
        let ours = api.max.min(cap);
        let Some((min, max)) = self.range(api.key) else {
            return Err(unsupported("the broker does not offer it".to_owned()));
        };
        let version = ours.min(max);
        if version < min || version < api.min {
            let min_ours = api.min;
            return Err(unsupported(format!(
                "the broker speaks versions {min} to {max}, this program {min_ours} to {ours}"
            )));
        }
        Ok(version)
    }
}

/// The error code and the list. An error keeps the list: with `UNSUPPORTED_VERSION` it says what is supported.
pub(crate) fn decode_api_versions(
    input: &mut Slice<'_>,
    version: i16,
) -> Result<(i16, ApiVersions), WireError> {
    let flexible = version >= 3;
    let error_code = input.i16("error_code")?;
    let list = input.elements(flexible, 6, "api_keys", |input| {
        let range = (input.i16("api_key")?, input.i16("min_version")?, input.i16("max_version")?);
        input.skip_tags(flexible)?;
        Ok(range)
    })?;
    // throttle_time_ms and the features follow; nothing here needs them, and brokers differ in what they append.
    Ok((error_code, ApiVersions(list)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_picked() {
        let versions = ApiVersions(vec![(1, 4, 18), (3, 0, 3), (2, 12, 14)]);
        assert_eq!(versions.pick(FETCH, i16::MAX, "b:1"), Ok(17));
        assert_eq!(versions.pick(FETCH, 12, "b:1"), Ok(12));
        assert!(versions.pick(METADATA, i16::MAX, "b:1").is_err());
        let error = versions.pick(LIST_OFFSETS, i16::MAX, "b:1").unwrap_err();
        assert!(error.to_string().contains("versions 12 to 14, this program 1 to 10"), "{error}");
        assert!(versions.pick(EPOCHS, i16::MAX, "b:1").is_err());
    }
}
