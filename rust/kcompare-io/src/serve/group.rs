//! Consumer groups of one member each, in memory: what a subscribing consumer needs before it may read.
//!
//! A group is the connection of its only member. The member leads the group, assigns all partitions to itself and
//! stays until it leaves, falls silent or its connection ends; a second one is told that the group is full. There is
//! nothing to rebalance and nothing to keep. `docs/decisions/0006-groups-of-one.md` says why.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;

/// So many groups at a time. Their names are as long as their clients make them.
const GROUP_LIMIT: usize = 1024;
/// The longest name of a group, which is longer than any topic's.
const NAME_LIMIT: usize = 1024;
/// What a session timeout may be: the bounds of Kafka's brokers, but for their lower one of six seconds.
const SESSION_TIMEOUTS_MS: std::ops::RangeInclusive<i32> = 1..=1_800_000;

/// A membership, as its member names it in every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Membership {
    /// The id that the member got when it joined.
    pub(super) member_id: String,
    /// The generation that it joined.
    pub(super) generation: i32,
}

struct Group {
    membership: Membership,
    /// The connection that the member joined on.
    connection: u64,
    session: Duration,
    expires: Instant,
}

impl Group {
    fn is_alive(&self) -> bool {
        Instant::now() < self.expires
    }
}

/// All groups of a broker.
#[derive(Default)]
pub(super) struct Groups {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: BTreeMap<String, Group>,
    members: u64,
}

impl Groups {
    /// Joins a group. `member_id` is empty for a member that has none yet.
    pub(super) fn join(
        &self,
        name: &str,
        member_id: &str,
        session_timeout_ms: i32,
        connection: u64,
    ) -> Result<Membership, ResponseError> {
        if name.is_empty() || name.len() > NAME_LIMIT {
            return Err(ResponseError::InvalidGroupId);
        }
        if !SESSION_TIMEOUTS_MS.contains(&session_timeout_ms) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.retain(|_, group| group.is_alive());
        let held = state.groups.get(name).map(|group| group.membership.clone());
        let generation = match held {
            Some(held) if held.member_id == member_id => held.generation.wrapping_add(1).max(1),
            _ if !member_id.is_empty() => return Err(ResponseError::UnknownMemberId),
            Some(_) => return Err(ResponseError::GroupMaxSizeReached),
            None if state.groups.len() >= GROUP_LIMIT => return Err(ResponseError::GroupMaxSizeReached),
            None => 1,
        };
        let member_id = if member_id.is_empty() {
            state.members += 1;
            format!("member-{}", state.members)
        } else {
            member_id.to_owned()
        };
        let membership = Membership { member_id, generation };
        let session = Duration::from_millis(u64::from(session_timeout_ms.unsigned_abs()));
        let expires = Instant::now() + session;
        let group = Group { membership: membership.clone(), connection, session, expires };
        state.groups.insert(name.to_owned(), group);
        Ok(membership)
    }

    /// Checks a membership, and keeps it alive.
    pub(super) fn renew(&self, name: &str, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let group = state.groups.get_mut(name).filter(|group| group.is_alive());
        let group = group
            .filter(|group| group.membership.member_id == member_id)
            .ok_or(ResponseError::UnknownMemberId)?;
        if group.membership.generation != generation {
            return Err(ResponseError::IllegalGeneration);
        }
        group.expires = Instant::now() + group.session;
        Ok(())
    }

    /// Ends a membership.
    pub(super) fn leave(&self, name: &str, member_id: &str) -> Result<(), ResponseError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held = state.groups.get(name).is_some_and(|group| group.membership.member_id == member_id);
        if !held {
            return Err(ResponseError::UnknownMemberId);
        }
        state.groups.remove(name);
        Ok(())
    }

    /// Ends the memberships of a connection that is gone.
    pub(super) fn leave_all(&self, connection: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.retain(|_, group| group.connection != connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION_MS: i32 = 60_000;

    #[test]
    fn a_group_has_one_member() {
        let groups = Groups::default();
        let first = groups.join("g", "", SESSION_MS, 1).unwrap();
        assert_eq!(groups.join("g", "", SESSION_MS, 2), Err(ResponseError::GroupMaxSizeReached));
        assert!(groups.join("other", "", SESSION_MS, 2).is_ok());
        assert_eq!(groups.renew("g", &first.member_id, first.generation), Ok(()));
        let again = groups.join("g", &first.member_id, SESSION_MS, 1).unwrap();
        assert_eq!(again, Membership { generation: first.generation + 1, ..first.clone() });
        let stale = groups.renew("g", &first.member_id, first.generation);
        assert_eq!(stale, Err(ResponseError::IllegalGeneration));
        assert_eq!(groups.leave("g", "stranger"), Err(ResponseError::UnknownMemberId));
        assert_eq!(groups.leave("g", &first.member_id), Ok(()));
        assert!(groups.join("g", "", SESSION_MS, 2).is_ok());
    }

    #[test]
    fn a_member_goes_with_its_connection_or_its_session() {
        let groups = Groups::default();
        let member = groups.join("g", "", SESSION_MS, 1).unwrap();
        groups.leave_all(2);
        assert_eq!(groups.renew("g", &member.member_id, 1), Ok(()));
        groups.leave_all(1);
        assert_eq!(groups.renew("g", &member.member_id, 1), Err(ResponseError::UnknownMemberId));
        let brief = groups.join("g", "", 1, 1).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(groups.renew("g", &brief.member_id, 1), Err(ResponseError::UnknownMemberId));
        assert!(groups.join("g", "", SESSION_MS, 2).is_ok());
    }

    #[test]
    fn what_no_client_says_is_refused() {
        let groups = Groups::default();
        let long = "g".repeat(NAME_LIMIT + 1);
        for name in ["", &long] {
            assert_eq!(groups.join(name, "", SESSION_MS, 1), Err(ResponseError::InvalidGroupId));
        }
        for timeout in [i32::MIN, -1, 0, i32::MAX] {
            assert_eq!(groups.join("g", "", timeout, 1), Err(ResponseError::InvalidSessionTimeout));
        }
        assert_eq!(groups.join("g", "stranger", SESSION_MS, 1), Err(ResponseError::UnknownMemberId));
        for number in 0..GROUP_LIMIT {
            groups.join(&number.to_string(), "", SESSION_MS, 1).unwrap();
        }
        assert_eq!(groups.join("g", "", SESSION_MS, 1), Err(ResponseError::GroupMaxSizeReached));
    }
}
