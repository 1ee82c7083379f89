//! Kafka's error codes: names, and which of them a later try may not see again.
//!
//! Source: <https://kafka.apache.org/protocol#protocol_error_codes>

use crate::error::{BrokerError, WireError};

pub(crate) const UNKNOWN_SERVER_ERROR: i16 = -1;
pub(crate) const OFFSET_OUT_OF_RANGE: i16 = 1;
pub(crate) const CORRUPT_MESSAGE: i16 = 2;
pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
pub(crate) const LEADER_NOT_AVAILABLE: i16 = 5;
pub(crate) const UNSUPPORTED_VERSION: i16 = 35;
pub(crate) const UNKNOWN_TOPIC_ID: i16 = 100;
pub(crate) const INCONSISTENT_TOPIC_ID: i16 = 103;

/// The codes that a reader can meet; the rest of the list belongs to groups, transactions and administration.
const NAMES: &[(i16, &str)] = &[
    (-1, "UNKNOWN_SERVER_ERROR"),
    (0, "NONE"),
    (1, "OFFSET_OUT_OF_RANGE"),
    (2, "CORRUPT_MESSAGE"),
    (3, "UNKNOWN_TOPIC_OR_PARTITION"),
    (4, "INVALID_FETCH_SIZE"),
    (5, "LEADER_NOT_AVAILABLE"),
    (6, "NOT_LEADER_OR_FOLLOWER"),
    (7, "REQUEST_TIMED_OUT"),
    (8, "BROKER_NOT_AVAILABLE"),
    (9, "REPLICA_NOT_AVAILABLE"),
    (10, "MESSAGE_TOO_LARGE"),
    (13, "NETWORK_EXCEPTION"),
    (17, "INVALID_TOPIC_EXCEPTION"),
    (29, "TOPIC_AUTHORIZATION_FAILED"),
    (30, "GROUP_AUTHORIZATION_FAILED"),
    (31, "CLUSTER_AUTHORIZATION_FAILED"),
    (33, "UNSUPPORTED_SASL_MECHANISM"),
    (34, "ILLEGAL_SASL_STATE"),
    (35, "UNSUPPORTED_VERSION"),
    (40, "INVALID_CONFIG"),
    (41, "NOT_CONTROLLER"),
    (42, "INVALID_REQUEST"),
    (43, "UNSUPPORTED_FOR_MESSAGE_FORMAT"),
    (44, "POLICY_VIOLATION"),
    (54, "SECURITY_DISABLED"),
    (56, "KAFKA_STORAGE_ERROR"),
    (57, "LOG_DIR_NOT_FOUND"),
    (58, "SASL_AUTHENTICATION_FAILED"),
    (66, "DELEGATION_TOKEN_EXPIRED"),
    (70, "FETCH_SESSION_ID_NOT_FOUND"),
    (71, "INVALID_FETCH_SESSION_EPOCH"),
    (72, "LISTENER_NOT_FOUND"),
    (74, "FENCED_LEADER_EPOCH"),
    (75, "UNKNOWN_LEADER_EPOCH"),
    (76, "UNSUPPORTED_COMPRESSION_TYPE"),
    (77, "STALE_BROKER_EPOCH"),
    (78, "OFFSET_NOT_AVAILABLE"),
    (80, "PREFERRED_LEADER_NOT_AVAILABLE"),
    (83, "ELIGIBLE_LEADERS_NOT_AVAILABLE"),
    (87, "INVALID_RECORD"),
    (89, "THROTTLING_QUOTA_EXCEEDED"),
    (99, "POSITION_OUT_OF_RANGE"),
    (100, "UNKNOWN_TOPIC_ID"),
    (103, "INCONSISTENT_TOPIC_ID"),
    (104, "INCONSISTENT_CLUSTER_ID"),
    (106, "FETCH_SESSION_TOPIC_ID_ERROR"),
    (109, "OFFSET_MOVED_TO_TIERED_STORAGE"),
    (129, "REBOOTSTRAP_REQUIRED"),
];

/// The code with its name.
pub fn broker_error(code: i16) -> BrokerError {
    let name = NAMES.iter().find(|(known, _)| *known == code).map_or("UNKNOWN_ERROR_CODE", |(_, name)| *name);
    BrokerError { code, name }
}

/// Whether the same request may succeed later, perhaps at another broker.
pub fn is_retriable(code: i16) -> bool {
    matches!(code, -1 | 2 | 3 | 5..=9 | 13 | 56 | 72 | 74 | 75 | 77 | 78 | 80 | 83 | 89 | 100 | 103 | 129)
}

/// Whether the partition has no leader here and now: it restarts, another one is elected, or the cluster has not heard
/// of that yet. Such things pass, in their own time. A topic that is unknown has most likely been deleted.
pub(crate) fn leader_is_away(code: i16) -> bool {
    matches!(code, 5..=9 | 13 | 56 | 72 | 74 | 75 | 77 | 78 | 80 | 83)
}

/// Whether an access control list or a failed login is the reason.
pub fn is_refusal(code: i16) -> bool {
    matches!(code, 29..=31 | 54 | 58)
}

/// The error of a request as a whole.
pub(crate) fn refused(endpoint: &str, what: String, code: i16) -> WireError {
    let (endpoint, error) = (endpoint.to_owned(), broker_error(code));
    match code {
        33 | 34 | 58 | 66 => WireError::AuthenticationRefused { endpoint, detail: error.to_string() },
        code if is_refusal(code) => WireError::AuthorizationRefused { endpoint, what, error },
        _ => WireError::Broker { endpoint, what, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::ResponseError;

    /// `NotLeaderOrFollower` as `NOT_LEADER_OR_FOLLOWER`.
    fn screaming(name: &str) -> String {
        let mut out = String::new();
        for c in name.chars() {
            if c.is_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.extend(c.to_uppercase());
        }
        out
    }

    #[test]
    fn names_agree_with_the_protocol_crate() {
        for (code, name) in NAMES.iter().filter(|(code, _)| *code != 0) {
            let theirs = ResponseError::try_from_code(*code).unwrap().to_string();
            let theirs = screaming(&theirs);
            // The crate shortens the names of the two oldest codes.
            assert!(name.starts_with(&theirs) || theirs.starts_with(name), "{code}: {name} against {theirs}");
        }
    }

    #[test]
    fn an_unknown_code_keeps_its_number() {
        assert_eq!(broker_error(4711).to_string(), "UNKNOWN_ERROR_CODE (4711)");
    }
}
