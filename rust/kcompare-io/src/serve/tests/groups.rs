//! Groups of one, and what is refused to them.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest, TransactionalId,
};

use super::super::wire_types::text;
use super::{Client, broker, fetched, name, store};

const GROUP: &str = "readers";

fn group() -> GroupId {
    GroupId(text(GROUP))
}

pub(super) fn find_coordinator(version: i16) -> FindCoordinatorRequest {
    if version < 4 {
        FindCoordinatorRequest::default().with_key(text(GROUP))
    } else {
        FindCoordinatorRequest::default().with_coordinator_keys(vec![text(GROUP)])
    }
}

pub(super) fn join(_version: i16) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"what I subscribe to"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(45_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

pub(super) fn sync(version: i16, member: &str, generation: i32) -> SyncGroupRequest {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(text(member))
        .with_assignment(Bytes::from_static(b"all of it"));
    let request = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(vec![assignment]);
    if version < 5 {
        return request;
    }
    request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
}

pub(super) fn heartbeat(_version: i16, member: &str, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(text(member))
}

pub(super) fn leave(version: i16, member: &str) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(group());
    if version < 3 {
        return request.with_member_id(text(member));
    }
    request.with_members(vec![MemberIdentity::default().with_member_id(text(member))])
}

pub(super) fn offset_fetch(version: i16) -> OffsetFetchRequest {
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default().with_name(name()).with_partition_indexes(vec![0, 1]);
        return OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]));
    }
    let topic = OffsetFetchRequestTopics::default().with_name(name()).with_partition_indexes(vec![0, 1]);
    let asked = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![topic]));
    OffsetFetchRequest::default().with_groups(vec![asked])
}

pub(super) fn offset_commit(_version: i16, member: &str, generation: i32) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(1).with_committed_offset(7);
    let topic = OffsetCommitRequestTopic::default().with_name(name()).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member))
        .with_topics(vec![topic])
}

#[test]
fn the_coordinator_is_this_broker_at_every_version() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    let here = (0, 1, "127.0.0.1".to_owned(), i32::from(broker.addr().port()));
    for version in 0..=4 {
        let response = client.call(version, &find_coordinator(version));
        let found = if version < 4 {
            (response.error_code, response.node_id.0, response.host.to_string(), response.port)
        } else {
            let one = &response.coordinators[0];
            assert_eq!((response.coordinators.len(), &*one.key), (1, GROUP));
            (one.error_code, one.node_id.0, one.host.to_string(), one.port)
        };
        assert_eq!(found, here, "version {version}");
    }
    for version in 1..=4 {
        let response = client.call(version, &find_coordinator(version).with_key_type(1));
        let code = response.coordinators.first().map_or(response.error_code, |one| one.error_code);
        assert_eq!(code, 53, "no producer has transactions here");
    }
}

#[test]
fn a_member_leads_its_group_and_assigns_itself_at_every_version() {
    let broker = broker(&store());
    for version in 0..=9 {
        let mut client = Client::new(&broker);
        let joined = client.call(version, &join(version));
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "version {version}");
        assert_eq!((&joined.leader, joined.members.len()), (&joined.member_id, 1));
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        assert_eq!(joined.members[0].metadata, &b"what I subscribe to"[..]);
        let member = joined.member_id.to_string();
        let synced = client.call(version.min(5), &sync(version.min(5), &member, 1));
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all of it"[..]));
        assert_eq!(client.call(version.min(4), &heartbeat(version, &member, 1)).error_code, 0);
        assert_eq!(client.call(version.min(4), &heartbeat(version, &member, 2)).error_code, 22);
        assert_eq!(client.call(version.min(4), &heartbeat(version, "nobody", 1)).error_code, 25);
        let left = client.call(version.min(5), &leave(version.min(5), &member));
        assert_eq!(left.error_code, 0);
        assert!(left.members.iter().all(|one| one.error_code == 0));
        assert_eq!(client.call(version.min(4), &heartbeat(version, &member, 1)).error_code, 25);
    }
}

#[test]
fn a_second_member_is_told_that_the_group_is_full() {
    let broker = broker(&store());
    let mut first = Client::new(&broker);
    assert_eq!(first.call(5, &join(5)).error_code, 0);
    let mut second = Client::new(&broker);
    assert_eq!(second.call(5, &join(5)).error_code, 81);
    // The group is free as soon as the connection of its member is seen to be gone.
    drop(first);
    let freed = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        second.call(5, &join(5)).error_code == 0
    });
    assert!(freed);
}

#[test]
fn nothing_was_committed_and_nothing_is() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    for version in 1..=9 {
        let response = client.call(version, &offset_fetch(version));
        let offsets: Vec<(i32, i64, i16)> = if version < 8 {
            let topic = &response.topics[0];
            topic
                .partitions
                .iter()
                .map(|one| (one.partition_index, one.committed_offset, one.error_code))
                .collect()
        } else {
            let topic = &response.groups[0].topics[0];
            topic
                .partitions
                .iter()
                .map(|one| (one.partition_index, one.committed_offset, one.error_code))
                .collect()
        };
        assert_eq!(offsets, [(0, -1, 0), (1, -1, 0)], "version {version}");
    }
    let member = client.call(5, &join(5)).member_id.to_string();
    for version in 2..=9 {
        let response = client.call(version, &offset_commit(version, &member, 1));
        let refused = &response.topics[0].partitions[0];
        assert_eq!((refused.partition_index, refused.error_code), (1, 30), "version {version}");
    }
}

#[test]
fn no_producer_gets_an_id() {
    let broker = broker(&store());
    let mut client = Client::new(&broker);
    for version in 0..=4 {
        let plain = client.call(version, &InitProducerIdRequest::default().with_transactional_id(None));
        assert_eq!((plain.error_code, plain.producer_id.0), (31, -1), "version {version}");
        let id = Some(TransactionalId(text("tx")));
        let transactional = client.call(version, &InitProducerIdRequest::default().with_transactional_id(id));
        assert_eq!((transactional.error_code, transactional.producer_id.0), (53, -1));
    }
    assert_eq!(fetched(&client.fetch(95)), [90]);
}
