//! From the bytes of a request to the bytes of its response.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeConfigsRequest, FetchRequest,
    ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader,
    ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request};

use super::broker::{Node, Shared};
use super::fault::{FaultAction, Plan, Target};
use super::store::LogStore;
use super::{
    api_versions, bounded, describe_cluster, describe_configs, fetch, leader_epochs, list_offsets, metadata,
    produce, refuse,
};

/// The APIs of this broker with the oldest and the newest version that it speaks. None of them writes; why `Produce`
/// is there is told in its file.
pub(super) const SUPPORTED: [(ApiKey, i16, i16); 8] = [
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 17),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::DescribeCluster, 0, 1),
];

/// The oldest and newest version of an API after the limits of the configuration; `None` when it is not spoken.
pub(super) fn versions(api: ApiKey, limits: &BTreeMap<i16, i16>) -> Option<(i16, i16)> {
    let &(_, oldest, newest) = SUPPORTED.iter().find(|(supported, ..)| *supported == api)?;
    let newest = limits.get(&(api as i16)).map_or(newest, |&limit| newest.min(limit));
    (oldest <= newest).then_some((oldest, newest))
}

/// Why a request has no response; the connection is closed, as Kafka does it.
#[derive(Debug)]
pub(super) struct Unanswerable;

/// What is to be sent, and the faults that strike on the way out.
pub(super) struct Reply {
    /// The whole frame, the length prefix included.
    pub(super) frame: Bytes,
    /// What happens to the frame, in order.
    pub(super) faults: Vec<FaultAction>,
}

/// What the answer to one request needs.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) version: i16,
    pub(super) plan: &'a Plan,
}

impl Call<'_> {
    pub(super) fn store(&self) -> &dyn LogStore {
        &*self.shared.store
    }

    /// This broker.
    pub(super) fn node_id(&self) -> i32 {
        self.shared.config.node_id
    }

    /// All brokers of the cluster, this one included.
    pub(super) fn nodes(&self) -> Vec<Node> {
        self.shared.nodes()
    }

    /// The broker that says it is the controller: the one with the smallest id.
    pub(super) fn controller_id(&self) -> i32 {
        self.nodes().iter().map(|node| node.id).min().unwrap_or(-1)
    }
}

/// The fields that every request header starts with.
struct Prefix {
    api_key: i16,
    version: i16,
    correlation_id: i32,
}

/// Answers the request in `bytes`, which is a frame without its length prefix.
pub(super) fn answer(shared: &Shared, mut bytes: Bytes) -> Result<Reply, Unanswerable> {
    let mut start = bytes.get(..8).ok_or(Unanswerable)?;
    let prefix =
        Prefix { api_key: start.get_i16(), version: start.get_i16(), correlation_id: start.get_i32() };
    shared.count(prefix.api_key);
    let api = ApiKey::try_from(prefix.api_key).map_err(|()| Unanswerable)?;
    let supported = versions(api, &shared.config.max_versions);
    if !supported.is_some_and(|(oldest, newest)| (oldest..=newest).contains(&prefix.version)) {
        return unsupported(shared, api, &prefix);
    }
    RequestHeader::decode(&mut bytes, api.request_header_version(prefix.version))
        .map_err(|_| Unanswerable)?;
    bounded::check(api, prefix.version, &bytes).map_err(|_| Unanswerable)?;
    match api {
        ApiKey::Produce if produce::is_unacknowledged(&bytes, prefix.version) => Err(Unanswerable),
        ApiKey::Produce => {
            respond::<ProduceRequest>(shared, &prefix, bytes, produce::targets, produce::answer)
        }
        ApiKey::ApiVersions => {
            respond::<ApiVersionsRequest>(shared, &prefix, bytes, |_, _| Vec::new(), api_versions::answer)
        }
        ApiKey::Metadata => {
            respond::<MetadataRequest>(shared, &prefix, bytes, metadata::targets, metadata::answer)
        }
        ApiKey::ListOffsets => {
            respond::<ListOffsetsRequest>(shared, &prefix, bytes, list_offsets::targets, list_offsets::answer)
        }
        ApiKey::Fetch => respond::<FetchRequest>(shared, &prefix, bytes, fetch::targets, fetch::answer),
        ApiKey::OffsetForLeaderEpoch => respond::<OffsetForLeaderEpochRequest>(
            shared,
            &prefix,
            bytes,
            leader_epochs::targets,
            leader_epochs::answer,
        ),
        ApiKey::DescribeConfigs => respond::<DescribeConfigsRequest>(
            shared,
            &prefix,
            bytes,
            describe_configs::targets,
            describe_configs::answer,
        ),
        ApiKey::DescribeCluster => respond::<DescribeClusterRequest>(
            shared,
            &prefix,
            bytes,
            |_, _| Vec::new(),
            describe_cluster::answer,
        ),
        _ => Err(Unanswerable),
    }
}

/// What a request is about: topic, partition, offset. Nothing at all stands for everything.
pub(super) type Subject = (Option<String>, Option<i32>, Option<i64>);

fn respond<R: Request>(
    shared: &Shared,
    prefix: &Prefix,
    mut body: Bytes,
    subjects: impl FnOnce(&R, &dyn LogStore) -> Vec<Subject>,
    handler: impl FnOnce(&R, &Call<'_>) -> R::Response,
) -> Result<Reply, Unanswerable> {
    let request = R::decode(&mut body, prefix.version).map_err(|_| Unanswerable)?;
    let subjects = subjects(&request, &*shared.store);
    let mut targets: Vec<Target<'_>> = subjects
        .iter()
        .map(|(topic, partition, offset)| Target {
            topic: topic.as_deref(),
            partition: *partition,
            offset: *offset,
        })
        .collect();
    if targets.is_empty() {
        targets.push(Target::default());
    }
    let plan = shared.script.plan(prefix.api_key, &targets);
    move_leaders(&plan, &targets, &*shared.store);
    let response = handler(&request, &Call { shared, version: prefix.version, plan: &plan });
    let faults: Vec<_> = plan.transport().cloned().collect();
    let correlation_id = if faults.contains(&FaultAction::WrongCorrelationId) {
        prefix.correlation_id.wrapping_add(1)
    } else {
        prefix.correlation_id
    };
    Ok(Reply { frame: encode(&response, correlation_id, prefix.version)?, faults })
}

fn move_leaders(plan: &Plan, targets: &[Target<'_>], store: &dyn LogStore) {
    for target in targets {
        let (Some(topic), Some(partition)) = (target.topic, target.partition) else { continue };
        for action in plan.actions(target) {
            if let FaultAction::MoveLeader(node_id) = action {
                store.move_leader(topic, partition, *node_id);
            }
        }
    }
}

/// A response as a frame.
pub(super) fn encode<R: Encodable + HeaderVersion>(
    response: &R,
    correlation_id: i32,
    version: i16,
) -> Result<Bytes, Unanswerable> {
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    let header_version = R::header_version(version);
    let size = header
        .compute_size(header_version)
        .and_then(|header_size| response.compute_size(version).map(|body_size| header_size + body_size))
        .map_err(|_| Unanswerable)?;
    let mut frame = BytesMut::with_capacity(size + 4);
    frame.extend_from_slice(&i32::try_from(size).map_err(|_| Unanswerable)?.to_be_bytes());
    header.encode(&mut frame, header_version).map_err(|_| Unanswerable)?;
    response.encode(&mut frame, version).map_err(|_| Unanswerable)?;
    // The size is computed apart from the encoding; the prefix must say what is really there.
    let written = i32::try_from(frame.len() - 4).map_err(|_| Unanswerable)?;
    frame[..4].copy_from_slice(&written.to_be_bytes());
    Ok(frame.freeze())
}

/// The answer to a version or an API that is not spoken. Kafka itself answers `ApiVersions` only (KIP-511) and closes
/// the connection otherwise; to a client that asks to write, a response says better than a closed connection that it
/// need not try again.
fn unsupported(shared: &Shared, api: ApiKey, prefix: &Prefix) -> Result<Reply, Unanswerable> {
    let frame = if api == ApiKey::ApiVersions {
        encode(&api_versions::unsupported(shared), prefix.correlation_id, 0)?
    } else if versions(api, &BTreeMap::new()).is_some() {
        return Err(Unanswerable);
    } else {
        refuse::response(
            api,
            prefix.version,
            prefix.correlation_id,
            ResponseError::UnsupportedVersion.code(),
        )?
    };
    Ok(Reply { frame, faults: Vec::new() })
}
