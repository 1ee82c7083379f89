//! `UNSUPPORTED_VERSION` for every API that this broker does not have, where the response has a place for an error.

use bytes::Bytes;
use kafka_protocol::messages::{
    AddOffsetsToTxnResponse, AlterPartitionReassignmentsResponse, ApiKey, ConsumerGroupHeartbeatResponse,
    CreateDelegationTokenResponse, DescribeAclsResponse, DescribeClientQuotasResponse,
    DescribeQuorumResponse, DescribeUserScramCredentialsResponse, ElectLeadersResponse, EndTxnResponse,
    GetTelemetrySubscriptionsResponse, ListGroupsResponse, ListPartitionReassignmentsResponse,
    ListTransactionsResponse, OffsetDeleteResponse, PushTelemetryResponse, SaslAuthenticateResponse,
    SaslHandshakeResponse, UnregisterBrokerResponse, UpdateFeaturesResponse,
};
use kafka_protocol::protocol::Message;

use super::dispatch::{Unanswerable, encode};

/// A response that holds nothing but an error code; an error when the API has none at the top, as `Produce`.
pub(super) fn response(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    error_code: i16,
) -> Result<Bytes, Unanswerable> {
    macro_rules! refuse {
        ($($key:ident => $response:ident),* $(,)?) => {
            match api {
                $(ApiKey::$key => {
                    let versions = $response::VERSIONS;
                    if !(versions.min..=versions.max).contains(&version) {
                        return Err(Unanswerable);
                    }
                    encode(&$response::default().with_error_code(error_code), correlation_id, version)
                })*
                _ => Err(Unanswerable),
            }
        };
    }
    refuse! {
        AddOffsetsToTxn => AddOffsetsToTxnResponse,
        AlterPartitionReassignments => AlterPartitionReassignmentsResponse,
        ConsumerGroupHeartbeat => ConsumerGroupHeartbeatResponse,
        CreateDelegationToken => CreateDelegationTokenResponse,
        DescribeAcls => DescribeAclsResponse,
        DescribeClientQuotas => DescribeClientQuotasResponse,
        DescribeQuorum => DescribeQuorumResponse,
        DescribeUserScramCredentials => DescribeUserScramCredentialsResponse,
        ElectLeaders => ElectLeadersResponse,
        EndTxn => EndTxnResponse,
        GetTelemetrySubscriptions => GetTelemetrySubscriptionsResponse,
        ListGroups => ListGroupsResponse,
        ListPartitionReassignments => ListPartitionReassignmentsResponse,
        ListTransactions => ListTransactionsResponse,
        OffsetDelete => OffsetDeleteResponse,
        PushTelemetry => PushTelemetryResponse,
        SaslAuthenticate => SaslAuthenticateResponse,
        SaslHandshake => SaslHandshakeResponse,
        UnregisterBroker => UnregisterBrokerResponse,
        UpdateFeatures => UpdateFeaturesResponse,
    }
}
