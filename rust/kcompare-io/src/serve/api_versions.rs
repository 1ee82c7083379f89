//! `ApiVersions`: what this broker speaks.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::broker::Shared;
use super::dispatch::{Call, SUPPORTED, versions};
use super::fault::Target;

fn spoken(shared: &Shared) -> Vec<ApiVersion> {
    let limited = SUPPORTED.iter().filter_map(|&(api, ..)| {
        let (oldest, newest) = versions(api, &shared.config.max_versions)?;
        Some(ApiVersion::default().with_api_key(api as i16).with_min_version(oldest).with_max_version(newest))
    });
    limited.collect()
}

pub(super) fn answer(_request: &ApiVersionsRequest, call: &Call<'_>) -> ApiVersionsResponse {
    ApiVersionsResponse::default()
        .with_error_code(call.plan.error_code(&Target::default()).unwrap_or(0))
        .with_api_keys(spoken(call.shared))
        .with_throttle_time_ms(call.plan.throttle_time_ms())
}

/// The answer to a version that is too new, in version 0, with the versions of `ApiVersions` itself (KIP-511).
pub(super) fn unsupported(shared: &Shared) -> ApiVersionsResponse {
    let mut own = spoken(shared);
    own.retain(|spoken| spoken.api_key == ApiKey::ApiVersions as i16);
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own)
}
