//! Batches as Kafka's own log walks over them: by offset, length and magic alone, until somebody asks for more.
//!
//! [`peek`](kcompare_core::records::peek) is stricter, and that is the point: a broker accepts what it refuses, such as
//! a magic above 2 or a negative offset, and this module has to see what a broker sees.

use kcompare_core::records::{BatchChecksum, BatchDecoder, reseal};

use super::Halt;
use super::pages::Pages;
use crate::logdir::LogDirError;

/// offset, length, and everything up to magic.
const UP_TO_MAGIC: u64 = 17;
/// offset and length.
pub(super) const LOG_OVERHEAD: u64 = 12;
/// The smallest length that Kafka takes for a batch: that of a message of magic 0.
const SMALLEST: i32 = 14;
/// A whole header of version 2.
const V2_HEADER: usize = 61;
/// Bytes of a damaged batch are checked in pieces of this size.
const PIECE: usize = 1 << 20;
/// The most that a compressed message set may take, which only its first offset is wanted from.
const SET_LIMIT: usize = 64 << 20;

/// A batch by its first 17 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Front {
    /// Where it begins, from the beginning of its segment.
    pub(super) position: u64,
    /// Bytes, offset and length included.
    pub(super) size: u64,
    /// baseOffset; that of the last message for a wrapper of magic 0 or 1.
    pub(super) offset: i64,
    /// magic.
    pub(super) magic: i8,
}

impl Front {
    /// Behind its last byte.
    pub(super) fn end(&self) -> u64 {
        self.position + self.size
    }
}

/// One step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A batch that is whole, if its length is right.
    Batch(Front),
    /// Too few bytes for another batch: an end, for Kafka.
    End,
    /// A length that no batch has: what Kafka throws a `CorruptRecordException` for.
    Corrupt {
        /// The length.
        length: i32,
    },
}

/// The fields of a header that a start looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// partitionLeaderEpoch; -1 before version 2.
    pub(super) leader_epoch: i32,
    /// Offset of the last record.
    pub(super) last_offset: i64,
    /// maxTimestamp; -1 in version 0.
    pub(super) max_timestamp: i64,
    /// producerId; -1 before version 2.
    pub(super) producer_id: i64,
    /// Whether it holds control records.
    pub(super) is_control: bool,
    /// recordsCount; 1 before version 2, where a wrapper does not say how many it holds.
    pub(super) records: i64,
    /// Whether it is compressed.
    pub(super) is_compressed: bool,
    crc: u32,
}

/// Looks for a batch at `position` of a segment that ends at `end`.
pub(super) fn step(pages: &mut Pages, position: u64, end: u64) -> Result<Step, LogDirError> {
    if position + UP_TO_MAGIC >= end {
        return Ok(Step::End);
    }
    let Some(front) = pages.bytes(position, UP_TO_MAGIC as usize)? else {
        return Ok(Step::End);
    };
    let (offset, length, magic) = (be_i64(front, 0), be_i32(front, 8), front[16] as i8);
    if length < SMALLEST {
        return Ok(Step::Corrupt { length });
    }
    let size = LOG_OVERHEAD + length as u64;
    if position + size > end {
        return Ok(Step::End);
    }
    Ok(Step::Batch(Front { position, size, offset, magic }))
}

/// The header of a batch; `None` where the file ends inside it, which no broker survives.
pub(super) fn header(pages: &mut Pages, front: &Front) -> Result<Option<Header>, LogDirError> {
    if front.magic < 2 {
        return legacy_header(pages, front);
    }
    let Some(fixed) = pages.bytes(front.position, V2_HEADER)? else {
        return Ok(None);
    };
    let attributes = be_i16(fixed, 21);
    Ok(Some(Header {
        leader_epoch: be_i32(fixed, 12),
        last_offset: front.offset.wrapping_add(i64::from(be_i32(fixed, 23))),
        max_timestamp: be_i64(fixed, 35),
        producer_id: be_i64(fixed, 43),
        is_control: attributes & 0x20 != 0,
        records: i64::from(be_i32(fixed, 57).max(0)),
        is_compressed: attributes & 0x07 != 0,
        crc: be_i32(fixed, 17) as u32,
    }))
}

fn legacy_header(pages: &mut Pages, front: &Front) -> Result<Option<Header>, LogDirError> {
    let length = if front.magic == 0 { 18 } else { 26 };
    let Some(fixed) = pages.bytes(front.position, length)? else {
        return Ok(None);
    };
    Ok(Some(Header {
        leader_epoch: -1,
        last_offset: front.offset,
        max_timestamp: if front.magic == 0 { -1 } else { be_i64(fixed, 18) },
        producer_id: -1,
        is_control: false,
        records: 1,
        is_compressed: fixed[17] & 0x07 != 0,
        crc: be_i32(fixed, 12) as u32,
    }))
}

/// The offset of the first record: what a broker goes by when it looks for an offset.
///
/// A compressed message set of magic 0 or 1 has to be decompressed for it, and a broker does not look at the CRC first.
pub(super) fn first_offset(pages: &mut Pages, front: &Front) -> Result<i64, Halt> {
    let compressed =
        front.magic < 2 && legacy_header(pages, front)?.is_some_and(|header| header.is_compressed);
    if !compressed || front.size as usize > SET_LIMIT {
        return Ok(front.offset);
    }
    let Some(bytes) = pages.bytes(front.position, front.size as usize)? else {
        return Ok(front.offset);
    };
    let mut sealed = bytes.to_vec();
    reseal(&mut sealed);
    let first = BatchDecoder::new(SET_LIMIT).decode(&sealed, front.position, |_| {}).ok();
    first.and_then(|summary| summary.first_offset).ok_or_else(|| {
        Halt::Refused(format!(
            "byte {} reads as a compressed message set of magic {} that cannot be decompressed, and a broker ends over it \
             where it only looks for an offset",
            front.position, front.magic,
        ))
    })
}

/// Whether the batch is as it was written: large enough to be one, and its CRC fits.
pub(super) fn is_sound(pages: &mut Pages, front: &Front) -> Result<bool, LogDirError> {
    if front.magic >= 2 && front.size < V2_HEADER as u64 {
        return Ok(false);
    }
    let Some(header) = header(pages, front)? else {
        return Ok(false);
    };
    let mut checksum = BatchChecksum::of_magic(front.magic);
    let mut position = front.position + checksum.covers_from() as u64;
    while position < front.end() {
        let length = (front.end() - position).min(PIECE as u64) as usize;
        let Some(bytes) = pages.bytes(position, length)? else {
            return Ok(false);
        };
        checksum.update(bytes);
        position += length as u64;
    }
    Ok(checksum.finish() == header.crc)
}

/// The records of a sound batch: its header says how many, only a compressed message set has to be decoded.
pub(super) fn count_records(pages: &mut Pages, front: &Front, header: &Header) -> Result<u64, LogDirError> {
    if header.is_control {
        return Ok(0);
    }
    if front.magic >= 2 || !header.is_compressed || front.size as usize > SET_LIMIT {
        return Ok(header.records as u64);
    }
    let Some(bytes) = pages.bytes(front.position, front.size as usize)? else {
        return Ok(0);
    };
    let decoded = BatchDecoder::new(SET_LIMIT).decode(bytes, front.position, |_| {});
    Ok(decoded.map_or(0, |summary| u64::from(summary.records)))
}

fn be_i64(bytes: &[u8], at: usize) -> i64 {
    (i64::from(be_i32(bytes, at)) << 32) | i64::from(be_i32(bytes, at + 4) as u32)
}

fn be_i32(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn be_i16(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}
