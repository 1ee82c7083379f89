//! Between the types of this crate and those of `kafka-protocol`.

use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;

use super::store::TopicId;

/// A string of the protocol.
pub(super) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// A topic name of the protocol.
pub(super) fn topic_name(value: &str) -> TopicName {
    TopicName(text(value))
}

/// A topic id of the protocol. `kafka-protocol` does not export its `Uuid`, so it is only met as the type that can be
/// made of sixteen bytes.
pub(super) fn wire_id<U: TryFrom<Vec<u8>> + Default>(id: TopicId) -> U {
    U::try_from(id.0.to_vec()).unwrap_or_default()
}

/// A topic id of the protocol as ours.
pub(super) fn from_wire_id(id: &impl AsRef<[u8]>) -> TopicId {
    <[u8; 16]>::try_from(id.as_ref()).map_or(TopicId::ZERO, TopicId)
}
