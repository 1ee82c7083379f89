//! `Produce`: advertised, and always refused.
//!
//! librdkafka enables the record batches of Kafka 0.11 only for a broker that advertises `Produce` 3 and `Fetch` 4
//! (`MsgVer2` in `rdkafka_feature.c`). Without them a consumer of librdkafka 2.16.0 gets no record and no error.
//! KAFKA-18659 is the same story at Kafka's own broker. So the version is there, and every partition of every request
//! answers that nobody may write.
//!
//! An idempotent producer, which most are by default, asks for its id first. It gets the answer there already.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId,
};
use kafka_protocol::protocol::Decodable;

use super::dispatch::{Call, Subject};
use super::store::LogStore;
use super::wire_types::text;

/// Whether the producer waits for no response (`acks` 0). It learns of the refusal by the end of its connection.
pub(super) fn is_unacknowledged(body: &Bytes, version: i16) -> bool {
    ProduceRequest::decode(&mut body.clone(), version).is_ok_and(|request| request.acks == 0)
}

pub(super) fn targets(request: &ProduceRequest, _store: &dyn LogStore) -> Vec<Subject> {
    request.topic_data.iter().map(|topic| (Some(topic.name.to_string()), None, None)).collect()
}

pub(super) fn answer(request: &ProduceRequest, call: &Call<'_>) -> ProduceResponse {
    let refused = |index| {
        let response = PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(ResponseError::TopicAuthorizationFailed.code())
            .with_base_offset(-1);
        if call.version < 8 {
            return response;
        }
        response.with_error_message(Some(text("this broker is read-only")))
    };
    let topics = request.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter().map(|partition| refused(partition.index));
        TopicProduceResponse::default()
            .with_name(topic.name.clone())
            .with_partition_responses(partitions.collect())
    });
    ProduceResponse::default()
        .with_throttle_time_ms(call.plan.throttle_time_ms())
        .with_responses(topics.collect())
}

/// `InitProducerId`: nobody gets one.
pub(super) fn refuse_producer_id(request: &InitProducerIdRequest, call: &Call<'_>) -> InitProducerIdResponse {
    let error = if request.transactional_id.is_some() {
        ResponseError::TransactionalIdAuthorizationFailed
    } else {
        ResponseError::ClusterAuthorizationFailed
    };
    InitProducerIdResponse::default()
        .with_throttle_time_ms(call.plan.throttle_time_ms())
        .with_error_code(error.code())
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}
