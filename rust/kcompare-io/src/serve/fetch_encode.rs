//! The bytes of a fetch response around the records, which stay where they are until they are sent.
//!
//! `kafka-protocol` encodes a response into one buffer, records included: a second copy of all that is fetched. Here it
//! encodes everything else, and the records are put in between as pieces of their own.
//!
//! # References
//! * <https://kafka.apache.org/protocol.html#The_Messages_Fetch>: `records` is the last field of a partition, before its
//!   tagged fields; `responses` is the last field of the response, before its tagged fields.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchResponse, ResponseHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion};

use super::dispatch::Unanswerable;
use super::piece::Piece;

/// The first version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;
/// The first version that names topics by id.
const BY_ID: i16 = 13;

/// A fetch response whose records are apart: those of the partitions in order, topic by topic.
pub(super) struct FetchAnswer {
    pub(super) response: FetchResponse,
    pub(super) records: Vec<Piece>,
}

/// Bytes that are being written, and the pieces before them.
struct Writer {
    pieces: Vec<Piece>,
    open: BytesMut,
    version: i16,
}

impl Writer {
    fn encode(&mut self, value: &impl Encodable) -> Result<(), Unanswerable> {
        value.encode(&mut self.open, self.version).map_err(|_| Unanswerable)
    }

    /// The length of an array or of bytes.
    fn length(&mut self, length: usize) -> Result<(), Unanswerable> {
        if self.version >= FLEXIBLE {
            let mut rest = u32::try_from(length + 1).map_err(|_| Unanswerable)?;
            while rest >= 0x80 {
                self.open.put_u8((rest as u8 & 0x7f) | 0x80);
                rest >>= 7;
            }
            self.open.put_u8(rest as u8);
        } else {
            self.open.put_i32(i32::try_from(length).map_err(|_| Unanswerable)?);
        }
        Ok(())
    }

    /// The tagged fields of a structure that has none.
    fn no_tags(&mut self) {
        if self.version >= FLEXIBLE {
            self.open.put_u8(0);
        }
    }

    /// Takes the encoded empty length, and the empty tags if there are any, off the end again.
    fn take_back_empty(&mut self) {
        let size = if self.version >= FLEXIBLE { 2 } else { 4 };
        let kept = self.open.len().saturating_sub(size);
        debug_assert!(self.open[kept..].iter().sum::<u8>() <= 1, "an empty field ends here");
        self.open.truncate(kept);
    }

    fn piece(&mut self, piece: Piece) {
        let before = self.open.split().freeze();
        self.pieces.extend([before.into(), piece]);
    }

    fn partition(&mut self, data: &PartitionData, records: Piece) -> Result<(), Unanswerable> {
        self.encode(data)?;
        if !records.is_empty() {
            self.take_back_empty();
            self.length(records.len())?;
            self.piece(records);
            self.no_tags();
        }
        Ok(())
    }

    fn topic(
        &mut self,
        topic: &FetchableTopicResponse,
        records: &mut impl Iterator<Item = Piece>,
    ) -> Result<(), Unanswerable> {
        if self.version >= BY_ID {
            self.open.put_slice(topic.topic_id.as_ref());
        } else if self.version >= FLEXIBLE {
            self.length(topic.topic.len())?;
            self.open.put_slice(topic.topic.as_bytes());
        } else {
            self.open.put_i16(i16::try_from(topic.topic.len()).map_err(|_| Unanswerable)?);
            self.open.put_slice(topic.topic.as_bytes());
        }
        self.length(topic.partitions.len())?;
        for data in &topic.partitions {
            self.partition(data, records.next().unwrap_or_default())?;
        }
        self.no_tags();
        Ok(())
    }
}

/// The frame of a response, its length prefix included, in the order in which its pieces are sent.
pub(super) fn frame(
    mut answer: FetchAnswer,
    correlation_id: i32,
    version: i16,
) -> Result<Vec<Piece>, Unanswerable> {
    let topics = std::mem::take(&mut answer.response.responses);
    let mut writer = Writer { pieces: Vec::new(), open: BytesMut::new(), version };
    ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .encode(&mut writer.open, FetchResponse::header_version(version))
        .map_err(|_| Unanswerable)?;
    let start = writer.open.len();
    writer.encode(&answer.response)?;
    // throttleTimeMs, then from version 7 on errorCode and sessionId, then the array, then the tagged fields.
    let array = start + if version >= 7 { 10 } else { 4 };
    let after = writer.open.split_off(array + if version >= FLEXIBLE { 1 } else { 4 });
    writer.open.truncate(array);
    writer.length(topics.len())?;
    let mut records = answer.records.into_iter();
    for topic in &topics {
        writer.topic(topic, &mut records)?;
    }
    writer.open.put_slice(&after);
    writer.pieces.push(writer.open.freeze().into());
    let length: usize = writer.pieces.iter().map(Piece::len).sum();
    let prefix = i32::try_from(length).map_err(|_| Unanswerable)?.to_be_bytes();
    let first = match writer.pieces.first() {
        Some(Piece::Memory(bytes)) => bytes.clone(),
        _ => return Err(Unanswerable),
    };
    let mut head = BytesMut::with_capacity(4 + first.len());
    head.put_slice(&prefix);
    head.put_slice(&first);
    writer.pieces[0] = head.freeze().into();
    Ok(writer.pieces)
}
