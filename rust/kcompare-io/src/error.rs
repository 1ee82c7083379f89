//! What can go wrong between this program and a cluster.

use std::time::Duration;

use crate::cancel::Cancelled;

/// An error code that a broker sent, with its name in Kafka's own list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} ({code})")]
pub struct BrokerError {
    /// The code on the wire.
    pub code: i16,
    /// Its name, such as `NOT_LEADER_OR_FOLLOWER`; `UNKNOWN_ERROR_CODE` for one that is not in the list.
    pub name: &'static str,
}

/// What a caller decides on: exit codes and whether a resume makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection, or connections that break again and again.
    Unreachable,
    /// A broker accepted a request and did not answer in time.
    TimedOut,
    /// The broker does not know who we are.
    AuthenticationRefused,
    /// The broker knows who we are and forbids it.
    AuthorizationRefused,
    /// Bytes that are not what Kafka's protocol prescribes.
    Protocol,
    /// The run was cancelled.
    Cancelled,
    /// The broker speaks no version of a request that we speak.
    Unsupported,
    /// The broker refused a request with another error code, such as one for an unknown topic.
    Broker,
}

/// A request to a cluster failed, after the retries that it deserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No connection could be made.
    #[error("cannot reach {endpoint}: {detail}")]
    Unreachable {
        /// Host and port, or several of them.
        endpoint: String,
        /// The operating system's words.
        detail: String,
    },
    /// The connection was closed or reset in the middle of a conversation.
    #[error("{endpoint} closed the connection while it owed an answer to {request}{hint}")]
    Closed {
        /// Host and port.
        endpoint: String,
        /// The API whose answer was due.
        request: &'static str,
        /// What the moment of closing makes likely; empty when nothing.
        hint: &'static str,
    },
    /// No byte came for too long.
    #[error("{endpoint} sent nothing for {after:?} while it owed an answer to {request}")]
    TimedOut {
        /// Host and port.
        endpoint: String,
        /// The API whose answer was due.
        request: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The other end speaks some other protocol.
    #[error("{endpoint} does not answer as a Kafka listener without TLS would: {looks_like}")]
    WrongProtocol {
        /// Host and port.
        endpoint: String,
        /// What the first bytes look like.
        looks_like: &'static str,
    },
    /// The listener wants credentials, or other ones.
    #[error("{endpoint} refused the authentication: {detail}")]
    AuthenticationRefused {
        /// Host and port.
        endpoint: String,
        /// The broker's words, without any secret.
        detail: String,
    },
    /// An access control list forbids it.
    #[error("{endpoint} refused {what}: {error}")]
    AuthorizationRefused {
        /// Host and port.
        endpoint: String,
        /// What was asked for.
        what: String,
        /// The broker's code.
        error: BrokerError,
    },
    /// A request was refused with an error code.
    #[error("{endpoint} answered {error} for {what}")]
    Broker {
        /// Host and port.
        endpoint: String,
        /// What was asked for.
        what: String,
        /// The broker's code.
        error: BrokerError,
    },
    /// Bytes that break the protocol.
    #[error("{endpoint} broke Kafka's protocol in its answer to {request}: {detail}")]
    Protocol {
        /// Host and port.
        endpoint: String,
        /// The API that was answered.
        request: &'static str,
        /// What is wrong, with the value.
        detail: String,
    },
    /// No common version of a request.
    #[error("{endpoint} cannot serve {request}: {detail}")]
    Unsupported {
        /// Host and port.
        endpoint: String,
        /// The API in question.
        request: &'static str,
        /// Both version ranges.
        detail: String,
    },
    /// The cancel token was set.
    #[error("the work was cancelled")]
    Cancelled,
}

impl WireError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            // A listener with SASL answers ApiVersions and then closes on the first real request.
            Self::Closed { hint, .. } if !hint.is_empty() => ErrorKind::AuthenticationRefused,
            Self::Unreachable { .. } | Self::Closed { .. } => ErrorKind::Unreachable,
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::AuthenticationRefused { .. } => ErrorKind::AuthenticationRefused,
            Self::AuthorizationRefused { .. } => ErrorKind::AuthorizationRefused,
            Self::WrongProtocol { .. } | Self::Protocol { .. } => ErrorKind::Protocol,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Broker { .. } => ErrorKind::Broker,
        }
    }

    /// Whether another try, on a new connection or at another broker, may go better.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Closed { .. } | Self::TimedOut { .. })
    }
}

impl From<Cancelled> for WireError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
