//! From the bytes of a request to the bytes of its response.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeConfigsRequest, FetchRequest,
    FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
    ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader, ResponseHeader, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request};

use super::broker::{Node, Shared};
use super::connection::Peer;
use super::fault::{FaultAction, Plan, Target};
use super::fetch_encode::FetchAnswer;
use super::piece::Piece;
use super::store::LogStore;
use super::{
    api_versions, bounded, coordinator, describe_cluster, describe_configs, fetch, fetch_encode,
    leader_epochs, list_offsets, metadata, offsets, produce, refuse,
};

/// The APIs of this broker with the oldest and the newest version that it speaks. None of them writes; `Produce`,
/// `InitProducerId` and `OffsetCommit` are there to be refused, and why is told in their files.
pub(super) const SUPPORTED: [(ApiKey, i16, i16); 16] = [
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 17),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::DescribeCluster, 0, 1),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::InitProducerId, 0, 4),
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
    pub(super) pieces: Vec<Piece>,
    /// What happens to the frame, in order.
    pub(super) faults: Vec<FaultAction>,
}

impl Reply {
    /// The frame in memory.
    pub(super) fn frame(&self) -> io::Result<Bytes> {
        let mut frame = BytesMut::new();
        for piece in &self.pieces {
            frame.extend_from_slice(&piece.read()?);
        }
        Ok(frame.freeze())
    }
}

/// What becomes a frame.
pub(super) trait Answer {
    /// The pieces of the frame, its length prefix included.
    fn into_pieces(self, correlation_id: i32, version: i16) -> Result<Vec<Piece>, Unanswerable>;
}

impl<R: Encodable + HeaderVersion> Answer for R {
    fn into_pieces(self, correlation_id: i32, version: i16) -> Result<Vec<Piece>, Unanswerable> {
        encode(&self, correlation_id, version).map(|frame| vec![frame.into()])
    }
}

impl Answer for FetchAnswer {
    fn into_pieces(self, correlation_id: i32, version: i16) -> Result<Vec<Piece>, Unanswerable> {
        fetch_encode::frame(self, correlation_id, version)
    }
}

/// What the answer to one request needs.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) peer: Peer,
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

    /// This broker, as the peer is told.
    pub(super) fn own(&self) -> Node {
        self.shared.own(self.peer)
    }

    /// All brokers of the cluster, this one included.
    pub(super) fn nodes(&self) -> Vec<Node> {
        self.shared.nodes(self.peer)
    }

    /// Sleeps for `pause` or to the deadline, and tells whether there is any point in looking again.
    pub(super) fn wait(&self, pause: Duration, deadline: Instant) -> bool {
        self.shared.wait(pause, deadline)
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
pub(super) fn answer(shared: &Shared, peer: Peer, mut bytes: Bytes) -> Result<Reply, Unanswerable> {
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
    if api == ApiKey::Produce && produce::is_unacknowledged(&bytes, prefix.version) {
        return Err(Unanswerable);
    }
    let asked = Asked { shared, peer, prefix, bytes };
    match api {
        ApiKey::Produce => asked.respond::<ProduceRequest, _>(produce::targets, produce::answer),
        ApiKey::ApiVersions => asked.respond::<ApiVersionsRequest, _>(nothing, api_versions::answer),
        ApiKey::Metadata => asked.respond::<MetadataRequest, _>(metadata::targets, metadata::answer),
        ApiKey::ListOffsets => {
            asked.respond::<ListOffsetsRequest, _>(list_offsets::targets, list_offsets::answer)
        }
        ApiKey::Fetch => asked.respond::<FetchRequest, _>(fetch::targets, fetch::answer),
        ApiKey::OffsetForLeaderEpoch => {
            asked.respond::<OffsetForLeaderEpochRequest, _>(leader_epochs::targets, leader_epochs::answer)
        }
        ApiKey::DescribeConfigs => {
            asked.respond::<DescribeConfigsRequest, _>(describe_configs::targets, describe_configs::answer)
        }
        ApiKey::DescribeCluster => {
            asked.respond::<DescribeClusterRequest, _>(nothing, describe_cluster::answer)
        }
        ApiKey::FindCoordinator => asked.respond::<FindCoordinatorRequest, _>(nothing, coordinator::find),
        ApiKey::JoinGroup => asked.respond::<JoinGroupRequest, _>(nothing, coordinator::join),
        ApiKey::SyncGroup => asked.respond::<SyncGroupRequest, _>(nothing, coordinator::sync),
        ApiKey::Heartbeat => asked.respond::<HeartbeatRequest, _>(nothing, coordinator::heartbeat),
        ApiKey::LeaveGroup => asked.respond::<LeaveGroupRequest, _>(nothing, coordinator::leave),
        ApiKey::OffsetFetch => asked.respond::<OffsetFetchRequest, _>(nothing, offsets::fetch),
        ApiKey::OffsetCommit => asked.respond::<OffsetCommitRequest, _>(nothing, offsets::commit),
        ApiKey::InitProducerId => {
            asked.respond::<InitProducerIdRequest, _>(nothing, produce::refuse_producer_id)
        }
        _ => Err(Unanswerable),
    }
}

/// What a request is about: topic, partition, offset. Nothing at all stands for everything.
pub(super) type Subject = (Option<String>, Option<i32>, Option<i64>);

/// The subjects of a request that is about no topic.
fn nothing<R>(_request: &R, _store: &dyn LogStore) -> Vec<Subject> {
    Vec::new()
}

/// A request that is about to be decoded.
struct Asked<'a> {
    shared: &'a Shared,
    peer: Peer,
    prefix: Prefix,
    bytes: Bytes,
}

impl Asked<'_> {
    fn respond<R: Request, A: Answer>(
        mut self,
        subjects: impl FnOnce(&R, &dyn LogStore) -> Vec<Subject>,
        handler: impl FnOnce(&R, &Call<'_>) -> A,
    ) -> Result<Reply, Unanswerable> {
        let (shared, version) = (self.shared, self.prefix.version);
        let request = R::decode(&mut self.bytes, version).map_err(|_| Unanswerable)?;
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
        let plan = shared.script.plan(self.prefix.api_key, &targets);
        move_leaders(&plan, &targets, &*shared.store);
        let answer = handler(&request, &Call { shared, peer: self.peer, version, plan: &plan });
        let faults: Vec<_> = plan.transport().cloned().collect();
        let correlation_id = if faults.contains(&FaultAction::WrongCorrelationId) {
            self.prefix.correlation_id.wrapping_add(1)
        } else {
            self.prefix.correlation_id
        };
        Ok(Reply { pieces: answer.into_pieces(correlation_id, version)?, faults })
    }
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
    Ok(Reply { pieces: vec![frame.into()], faults: Vec::new() })
}
