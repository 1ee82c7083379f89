//! Encodes v2 batches, for the demo broker, tests and benches.

use thiserror::Error;

use super::compress::{SnappyFraming, compress};
use super::compression::Codec;
use super::decoder::crc32c;
use super::header::{LEGACY_CRC_FROM, MAGIC_AT, PREFIX, V2_CRC_FROM, V2_HEADER};
use super::varint::{write_varint, write_varlong};

/// A batch that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An offset outside what the batch can express.
    #[error("offset {offset} is not within 32 bits above base offset {base_offset}")]
    Offset {
        /// The offset of the record.
        offset: i64,
        /// The base offset of the batch.
        base_offset: i64,
    },
    /// Something longer than a 32-bit length.
    #[error("{0} bytes or entries are more than a length field can say")]
    TooLarge(usize),
    /// Magic or codec that the format does not have.
    #[error("codec {codec} cannot be written with magic {magic}")]
    Format {
        /// The magic asked for.
        magic: i8,
        /// The codec asked for.
        codec: Codec,
    },
    /// The codec failed.
    #[error("{codec} cannot compress: {reason}")]
    Compression {
        /// The codec.
        codec: Codec,
        /// What it says.
        reason: String,
    },
}

/// A header to write: name and value.
type NewHeader<'a> = (&'a [u8], Option<&'a [u8]>);

/// A record to write.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// Absolute offset, at or above the base offset.
    pub offset: i64,
    /// Milliseconds.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [NewHeader<'a>],
}

/// Builds one v2 batch: settings first, then records, then [`BatchBuilder::build`].
///
/// It does not insist on what a valid batch needs (ascending offsets, for one): tests of hostile input use it too.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    base_offset: i64,
    leader_epoch: i32,
    attributes: i16,
    codec: Codec,
    framing: SnappyFraming,
    producer: (i64, i16, i32),
    base_timestamp: Option<i64>,
    append_timestamp: Option<i64>,
    max_timestamp: Option<i64>,
    next_delta: i32,
    last_offset_delta: Option<i32>,
    records_count: i32,
    body: Vec<u8>,
    record: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch at this offset: no codec, no producer, no timestamps (-1).
    pub fn new(base_offset: i64) -> Self {
        Self {
            base_offset,
            leader_epoch: -1,
            attributes: 0,
            codec: Codec::None,
            framing: SnappyFraming::default(),
            producer: (-1, -1, -1),
            base_timestamp: None,
            append_timestamp: None,
            max_timestamp: None,
            next_delta: 0,
            last_offset_delta: None,
            records_count: 0,
            body: Vec::new(),
            record: Vec::new(),
        }
    }

    /// Compresses the records.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Chooses how snappy is framed; xerial's framing is the default.
    #[must_use]
    pub fn snappy_framing(mut self, framing: SnappyFraming) -> Self {
        self.framing = framing;
        self
    }

    /// Names the producer: id, epoch, sequence of the first record.
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.producer = (id, epoch, base_sequence);
        self
    }

    /// Makes the batch part of its producer's transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes |= 0x10;
        self
    }

    /// Makes the records control records; their keys come from [`super::ControlRecordType::to_key`].
    #[must_use]
    pub fn control(mut self) -> Self {
        self.attributes |= 0x20;
        self
    }

    /// Gives every record the broker's timestamp. The records still carry their own deltas.
    #[must_use]
    pub fn log_append_time(mut self, timestamp: i64) -> Self {
        self.attributes |= 0x08;
        self.append_timestamp = Some(timestamp);
        self
    }

    /// Sets the delete horizon (KIP-534), which takes the place of baseTimestamp.
    #[must_use]
    pub fn delete_horizon(mut self, horizon_ms: i64) -> Self {
        self.attributes |= 0x40;
        self.base_timestamp(horizon_ms)
    }

    /// Sets baseTimestamp, which otherwise is the first record's timestamp.
    #[must_use]
    pub fn base_timestamp(mut self, timestamp: i64) -> Self {
        self.base_timestamp = Some(timestamp);
        self
    }

    /// Sets partitionLeaderEpoch.
    #[must_use]
    pub fn leader_epoch(mut self, epoch: i32) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Sets lastOffsetDelta, which otherwise is the last record's: compaction leaves such batches.
    #[must_use]
    pub fn last_offset_delta(mut self, delta: i32) -> Self {
        self.last_offset_delta = Some(delta);
        self
    }

    /// Adds a record without headers at the next free offset.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<&mut Self, BuildError> {
        let offset = self.base_offset.saturating_add(i64::from(self.next_delta));
        self.push(&NewRecord { offset, timestamp, key, value, headers: &[] })
    }

    /// Adds a record.
    pub fn push(&mut self, new: &NewRecord<'_>) -> Result<&mut Self, BuildError> {
        let delta = new.offset.checked_sub(self.base_offset).and_then(|delta| i32::try_from(delta).ok());
        let delta = delta.ok_or(BuildError::Offset { offset: new.offset, base_offset: self.base_offset })?;
        let base_timestamp = *self.base_timestamp.get_or_insert(new.timestamp);
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        // attributes: INT8, timestampDelta: VARLONG, offsetDelta: VARINT. A delta wraps as it does in Kafka's writer.
        record.push(0);
        write_varlong(&mut record, new.timestamp.wrapping_sub(base_timestamp));
        write_varint(&mut record, delta);
        encode_body(&mut record, new.key, new.value, new.headers.iter().copied())?;
        self.push_encoded(&record)?;
        self.record = record;
        self.max_timestamp = self.max_timestamp.max(Some(new.timestamp));
        self.next_delta = delta.saturating_add(1);
        Ok(self)
    }

    /// Adds a record that is encoded already, from attributes to headers; its length is put in front. Offsets and
    /// timestamps of the batch do not follow from it.
    pub fn push_encoded(&mut self, record: &[u8]) -> Result<&mut Self, BuildError> {
        write_varint(&mut self.body, length(record.len())?);
        self.body.extend_from_slice(record);
        self.records_count += 1;
        Ok(self)
    }

    /// Bytes of the records so far, not compressed.
    pub fn body_size(&self) -> usize {
        self.body.len()
    }

    /// Records so far.
    pub fn records_count(&self) -> i32 {
        self.records_count
    }

    /// The batch as it lies in a log.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let records = if self.body.is_empty() {
            Vec::new()
        } else {
            compress(self.codec, 2, self.framing, &self.body)?
        };
        let max_timestamp = self.append_timestamp.or(self.max_timestamp).unwrap_or(-1);
        let last_offset_delta = self.last_offset_delta.unwrap_or((self.next_delta - 1).max(0));
        let mut out = Vec::with_capacity(V2_HEADER + records.len());
        out.extend_from_slice(&self.base_offset.to_be_bytes());
        out.extend_from_slice(&length(V2_HEADER - PREFIX + records.len())?.to_be_bytes());
        out.extend_from_slice(&self.leader_epoch.to_be_bytes());
        // magic: INT8, crc: UINT32, filled in below
        out.extend_from_slice(&[2, 0, 0, 0, 0]);
        out.extend_from_slice(&(self.attributes | i16::from(self.codec.id())).to_be_bytes());
        out.extend_from_slice(&last_offset_delta.to_be_bytes());
        out.extend_from_slice(&self.base_timestamp.unwrap_or(-1).to_be_bytes());
        out.extend_from_slice(&max_timestamp.to_be_bytes());
        out.extend_from_slice(&self.producer.0.to_be_bytes());
        out.extend_from_slice(&self.producer.1.to_be_bytes());
        out.extend_from_slice(&self.producer.2.to_be_bytes());
        out.extend_from_slice(&self.records_count.to_be_bytes());
        out.extend_from_slice(&records);
        reseal(&mut out);
        Ok(out)
    }
}

/// Writes key, value and headers as a record has them, with minimal varints: the canonical form.
pub fn encode_body<'a>(
    out: &mut Vec<u8>,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = NewHeader<'a>>,
) -> Result<(), BuildError> {
    write_bytes(out, key)?;
    write_bytes(out, value)?;
    write_varint(out, length(headers.len())?);
    for (name, value) in headers {
        write_bytes(out, Some(name))?;
        write_bytes(out, value)?;
    }
    Ok(())
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) -> Result<(), BuildError> {
    match bytes {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varint(out, length(bytes.len())?);
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}

pub(super) fn length(length: usize) -> Result<i32, BuildError> {
    i32::try_from(length).map_err(|_| BuildError::TooLarge(length))
}

/// Computes the CRC of one batch or legacy entry again, after a test or a fault injector has changed it.
///
/// Bytes too short to hold a CRC are left alone.
pub fn reseal(batch: &mut [u8]) {
    let is_v2 = batch.get(MAGIC_AT) == Some(&2);
    let (crc_at, from) = if is_v2 { (V2_CRC_FROM - 4, V2_CRC_FROM) } else { (PREFIX, LEGACY_CRC_FROM) };
    if let Some((front, covered)) = batch.split_at_mut_checked(from) {
        let crc = if is_v2 { crc32c(covered) } else { crc32fast::hash(covered) };
        front[crc_at..crc_at + 4].copy_from_slice(&crc.to_be_bytes());
    }
}
