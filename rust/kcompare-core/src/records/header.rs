//! The fixed part in front of every batch.
//!
//! # References
//! - v2: <https://kafka.apache.org/documentation/#recordbatch> (KIP-98, KIP-534 for the delete horizon)
//! - v0, v1: <https://kafka.apache.org/documentation/#messageset> (KIP-31, KIP-32)

use super::compression::Codec;
use super::error::{RecordError, RecordErrorKind};

/// offset (8) and length (4): what stands in front of the bytes that the length counts.
pub(super) const PREFIX: usize = 12;
/// Where magic stands in every version.
pub(super) const MAGIC_AT: usize = 16;
/// Whole header of a v2 batch.
pub(super) const V2_HEADER: usize = 61;
/// Where the CRC-32C of a v2 batch begins to count: at attributes.
pub(super) const V2_CRC_FROM: usize = 21;
/// Where the CRC-32 of a legacy message begins to count: at magic.
pub(super) const LEGACY_CRC_FROM: usize = MAGIC_AT;

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;

/// The header of a v2 batch, or what stands for it in front of a legacy entry.
///
/// A legacy entry (magic 0 or 1) has `producer_id` -1, `records_count` -1, `partition_leader_epoch` -1 and
/// `last_offset_delta` 0: the offset of a compressed wrapper is that of its *last* message, so `next_offset` is right
/// and the messages inside may lie below `base_offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// baseOffset.
    pub base_offset: i64,
    /// batchLength: bytes after this field.
    pub batch_length: i32,
    /// partitionLeaderEpoch; -1 unknown.
    pub partition_leader_epoch: i32,
    /// magic: 0, 1 or 2.
    pub magic: i8,
    /// crc as stored.
    pub crc: u32,
    /// attributes.
    pub attributes: i16,
    /// lastOffsetDelta. Compaction keeps it when it removes the records at the end.
    pub last_offset_delta: i32,
    /// baseTimestamp; with the delete horizon bit (KIP-534) it is the delete horizon, and deltas still count from it.
    pub base_timestamp: i64,
    /// maxTimestamp.
    pub max_timestamp: i64,
    /// producerId; -1 none.
    pub producer_id: i64,
    /// producerEpoch; -1 none.
    pub producer_epoch: i16,
    /// baseSequence; -1 none.
    pub base_sequence: i32,
    /// recordsCount.
    pub records_count: i32,
}

impl BatchHeader {
    /// The codec of the records.
    pub fn codec(&self) -> Result<Codec, RecordErrorKind> {
        Codec::from_id((self.attributes & CODEC_BITS) as u8)
    }

    /// Whether the records are control records (transaction markers and the like), which are no data.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether every record's timestamp is the broker's (`max_timestamp`).
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// The delete horizon in milliseconds, if the log cleaner has set one (KIP-534).
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON_BIT != 0).then_some(self.base_timestamp)
    }

    /// The last offset that the batch covers, whether or not a record is still there.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Where the next batch may begin.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }
}

/// A batch as its header shows it; nothing is checked against the CRC yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The header.
    pub header: BatchHeader,
    /// Bytes of the whole batch, the 12 of offset and length included.
    pub size: usize,
}

/// Looks at the front of `bytes`, which lies at `position` of the caller's stream.
///
/// `Ok(None)`: not enough bytes yet to know. A response or segment that ends inside a batch is normal; `size` may also
/// be larger than `bytes`. Errors: a length, offset or magic that no batch can have.
pub fn peek(bytes: &[u8], position: u64) -> Result<Option<Frame>, RecordError> {
    let Some((front, _)) = bytes.split_first_chunk::<{ MAGIC_AT + 1 }>() else {
        return Ok(None);
    };
    // baseOffset: INT64, batchLength: INT32
    let base_offset = be_i64(front, 0);
    let batch_length = be_i32(front, 8);
    let magic = front[MAGIC_AT] as i8;
    let refuse = |kind| RecordError { base_offset, position, kind };
    let header_size = match magic {
        0 => 18,
        1 => 26,
        2 => V2_HEADER,
        _ => return Err(refuse(RecordErrorKind::UnknownMagic(magic))),
    };
    // A legacy message also has its keyLength and valueLength, four bytes each.
    let minimum = (header_size - PREFIX) as i32 + if magic < 2 { 8 } else { 0 };
    if batch_length < minimum {
        return Err(refuse(RecordErrorKind::InvalidLength { length: batch_length, minimum }));
    }
    let Some(fixed) = bytes.get(..header_size) else {
        return Ok(None);
    };
    let header = if magic == 2 { read_v2(fixed) } else { read_legacy(fixed) };
    let last_offset_delta = header.last_offset_delta;
    let end = base_offset.checked_add(i64::from(last_offset_delta)).and_then(|last| last.checked_add(1));
    if base_offset < 0 || last_offset_delta < 0 || end.is_none() {
        return Err(refuse(RecordErrorKind::InvalidOffset { offset: base_offset, last_offset_delta }));
    }
    Ok(Some(Frame { header, size: PREFIX + batch_length as usize }))
}

fn read_v2(fixed: &[u8]) -> BatchHeader {
    BatchHeader {
        base_offset: be_i64(fixed, 0),
        batch_length: be_i32(fixed, 8),
        partition_leader_epoch: be_i32(fixed, 12),
        magic: 2,
        crc: be_i32(fixed, 17) as u32,
        attributes: be_i16(fixed, 21),
        last_offset_delta: be_i32(fixed, 23),
        base_timestamp: be_i64(fixed, 27),
        max_timestamp: be_i64(fixed, 35),
        producer_id: be_i64(fixed, 43),
        producer_epoch: be_i16(fixed, 51),
        base_sequence: be_i32(fixed, 53),
        records_count: be_i32(fixed, 57),
    }
}

fn read_legacy(fixed: &[u8]) -> BatchHeader {
    let magic = fixed[MAGIC_AT] as i8;
    // attributes: INT8. The timestamp type exists from magic 1 on; all higher bits are unused.
    let known = if magic == 0 { CODEC_BITS } else { CODEC_BITS | LOG_APPEND_TIME_BIT };
    let timestamp = if magic == 0 { -1 } else { be_i64(fixed, 18) };
    BatchHeader {
        base_offset: be_i64(fixed, 0),
        batch_length: be_i32(fixed, 8),
        partition_leader_epoch: -1,
        magic,
        crc: be_i32(fixed, 12) as u32,
        attributes: i16::from(fixed[17]) & known,
        last_offset_delta: 0,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records_count: -1,
    }
}

pub(super) fn be_i64(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(array(bytes, at))
}

pub(super) fn be_i32(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(array(bytes, at))
}

pub(super) fn be_i16(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(array(bytes, at))
}

/// The bytes at a place that the caller knows to exist; anything else is a mistake here, not in the data.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
