//! `FindCoordinator`, `JoinGroup`, `SyncGroup`, `Heartbeat`, `LeaveGroup`: groups of one, see `group.rs`.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};

use super::dispatch::Call;
use super::fault::Target;
use super::group::Membership;
use super::wire_types::text;

/// The key type of a consumer group.
const GROUP: i8 = 0;
/// The key type of a transactional id, which only producers have.
const TRANSACTION: i8 = 1;

/// The code that a scripted fault, or else the answer itself, puts into a response.
fn code(result: Result<(), ResponseError>, call: &Call<'_>) -> i16 {
    call.plan
        .error_code(&Target::default())
        .unwrap_or_else(|| result.map_or_else(|error| error.code(), |()| 0))
}

pub(super) fn find(request: &FindCoordinatorRequest, call: &Call<'_>) -> FindCoordinatorResponse {
    let coordinated = match request.key_type {
        GROUP => Ok(()),
        TRANSACTION => Err(ResponseError::TransactionalIdAuthorizationFailed),
        _ => Err(ResponseError::InvalidRequest),
    };
    let (code, node) = (code(coordinated, call), call.own());
    let response = FindCoordinatorResponse::default().with_throttle_time_ms(call.plan.throttle_time_ms());
    if call.version < 4 {
        if code != 0 {
            return response.with_error_code(code).with_node_id(BrokerId(-1)).with_port(-1);
        }
        let response = response.with_node_id(BrokerId(node.id)).with_host(text(&node.host));
        return response.with_port(i32::from(node.port));
    }
    let found = request.coordinator_keys.iter().map(|key| {
        let coordinator = Coordinator::default().with_key(key.clone()).with_error_code(code);
        if code != 0 {
            return coordinator.with_node_id(BrokerId(-1)).with_port(-1);
        }
        let coordinator = coordinator.with_node_id(BrokerId(node.id)).with_host(text(&node.host));
        coordinator.with_port(i32::from(node.port))
    });
    response.with_coordinators(found.collect())
}

pub(super) fn join(request: &JoinGroupRequest, call: &Call<'_>) -> JoinGroupResponse {
    let response = JoinGroupResponse::default()
        .with_throttle_time_ms(if call.version >= 2 { call.plan.throttle_time_ms() } else { 0 })
        .with_member_id(request.member_id.clone())
        .with_generation_id(-1);
    // Before version 7 the name of the protocol cannot be null.
    let response = response.with_protocol_name((call.version < 7).then(|| text("")));
    let Some(protocol) = request.protocols.first() else {
        return response.with_error_code(ResponseError::InconsistentGroupProtocol.code());
    };
    let joined = match call.plan.error_code(&Target::default()) {
        Some(code) => Err(code),
        None => call
            .shared
            .groups
            .join(&request.group_id, &request.member_id, request.session_timeout_ms, call.peer.id)
            .map_err(|error| error.code()),
    };
    let Membership { member_id, generation } = match joined {
        Ok(membership) => membership,
        Err(code) => return response.with_error_code(code),
    };
    let member = JoinGroupResponseMember::default()
        .with_member_id(text(&member_id))
        .with_group_instance_id(request.group_instance_id.clone())
        .with_metadata(protocol.metadata.clone());
    response
        .with_generation_id(generation)
        .with_protocol_type((call.version >= 7).then(|| request.protocol_type.clone()))
        .with_protocol_name(Some(protocol.name.clone()))
        .with_leader(text(&member_id))
        .with_member_id(text(&member_id))
        .with_members(vec![member])
}

/// The only member has made its own assignment, and gets it back.
pub(super) fn sync(request: &SyncGroupRequest, call: &Call<'_>) -> SyncGroupResponse {
    let result = call.shared.groups.renew(&request.group_id, &request.member_id, request.generation_id);
    let code = code(result, call);
    let response = SyncGroupResponse::default()
        .with_throttle_time_ms(if call.version >= 1 { call.plan.throttle_time_ms() } else { 0 })
        .with_error_code(code);
    if code != 0 {
        return response;
    }
    let own = request.assignments.iter().find(|assigned| assigned.member_id == request.member_id);
    let response = response.with_assignment(own.map(|own| own.assignment.clone()).unwrap_or_default());
    if call.version < 5 {
        return response;
    }
    response
        .with_protocol_type(request.protocol_type.clone())
        .with_protocol_name(request.protocol_name.clone())
}

pub(super) fn heartbeat(request: &HeartbeatRequest, call: &Call<'_>) -> HeartbeatResponse {
    let result = call.shared.groups.renew(&request.group_id, &request.member_id, request.generation_id);
    HeartbeatResponse::default()
        .with_throttle_time_ms(if call.version >= 1 { call.plan.throttle_time_ms() } else { 0 })
        .with_error_code(code(result, call))
}

pub(super) fn leave(request: &LeaveGroupRequest, call: &Call<'_>) -> LeaveGroupResponse {
    let response = LeaveGroupResponse::default().with_throttle_time_ms(if call.version >= 1 {
        call.plan.throttle_time_ms()
    } else {
        0
    });
    if call.version < 3 {
        let result = call.shared.groups.leave(&request.group_id, &request.member_id);
        return response.with_error_code(code(result, call));
    }
    let members = request.members.iter().map(|member| {
        let result = call.shared.groups.leave(&request.group_id, &member.member_id);
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(code(result, call))
    });
    response.with_members(members.collect())
}
