//! What every request about a partition checks first: is it here, is it led here, is the reader's epoch the leader's.

use std::sync::Arc;

use kafka_protocol::ResponseError;

use super::dispatch::Call;
use super::store::{StoreError, StoredPartition, StoredTopic};

/// The partition, or the error code that a reader gets instead. `expected_epoch` is the `currentLeaderEpoch` of the
/// request, -1 when the reader knows none (KIP-320).
pub(super) fn open(
    topic: Option<&dyn StoredTopic>,
    number: i32,
    expected_epoch: i32,
    call: &Call<'_>,
) -> Result<Arc<dyn StoredPartition>, i16> {
    let partition = topic
        .and_then(|topic| topic.partition(number))
        .ok_or(ResponseError::UnknownTopicOrPartition.code())?;
    if partition.leader().is_some_and(|leader| leader != call.node_id()) {
        return Err(ResponseError::NotLeaderOrFollower.code());
    }
    let leader_epoch = partition.leader_epoch();
    if expected_epoch >= 0 && expected_epoch < leader_epoch {
        return Err(ResponseError::FencedLeaderEpoch.code());
    }
    if expected_epoch > leader_epoch {
        return Err(ResponseError::UnknownLeaderEpoch.code());
    }
    Ok(partition)
}

/// The error code for what a store could not do.
pub(super) fn error_code(error: &StoreError) -> i16 {
    match error {
        StoreError::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
        StoreError::Record(_) | StoreError::Unreadable { .. } => ResponseError::CorruptMessage,
        StoreError::UnknownPartition { .. } => ResponseError::UnknownTopicOrPartition,
        _ => ResponseError::KafkaStorageError,
    }
    .code()
}
