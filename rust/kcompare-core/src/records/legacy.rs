//! Message sets of magic 0 and 1.
//!
//! # References
//! - <https://kafka.apache.org/documentation/#messageset>
//! - KIP-31: the offsets inside a v1 wrapper are relative. KIP-32: timestamps, and wrappers that are `LogAppendTime`.

use super::batch::Walk;
use super::compression::{Codec, Decompressor};
use super::decoder::check_crc;
use super::error::{Fault, Field, RecordErrorKind};
use super::header::{BatchHeader, LEGACY_CRC_FROM, MAGIC_AT, PREFIX, peek};
use super::record::{Headers, RecordView, invalid_length};

/// Delivers the record of one entry, or those of a compressed wrapper; also gives the size of what was read.
///
/// The caller has checked the CRC of the entry itself.
pub(super) fn decode<F: FnMut(&RecordView<'_>)>(
    header: &BatchHeader,
    entry: &[u8],
    decompressor: &mut Decompressor,
    mut sink: F,
) -> Result<(Walk, usize), Fault> {
    let (key, value) = key_and_value(header, entry)?;
    let codec = header.codec().map_err(|kind| Fault::new(MAGIC_AT, kind))?;
    if codec == Codec::None {
        let offset = header.base_offset;
        sink(&record(offset, header.max_timestamp, key, value));
        let walk = Walk { first: Some(offset), last: Some(offset), records: 1 };
        return Ok((walk, entry.len() - PREFIX));
    }
    // Everything from here on lies in decompressed data: the wrapper's value is the nearest place in the stream.
    let at = entry.len() - value.map_or(0, <[u8]>::len);
    let locate = |kind| Fault::new(at, kind);
    if codec == Codec::Zstd {
        return Err(locate(RecordErrorKind::CodecNotAllowed { codec, magic: header.magic }));
    }
    let value = value.ok_or_else(|| locate(RecordErrorKind::EmptyWrapper))?;
    let inner = decompressor.decompress(codec, header.magic, value).map_err(locate)?;
    let shift = offset_shift(header, inner).map_err(locate)?;
    let walk = deliver(header, shift, inner, sink).map_err(locate)?;
    Ok((walk, inner.len()))
}

fn record<'a>(offset: i64, timestamp: i64, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> RecordView<'a> {
    RecordView { offset, timestamp, key, value, headers: Headers::EMPTY, body: &[], canonical: false }
}

/// What must be added to the offsets inside.
///
/// A v1 wrapper has the offset of its last message, whose own offset is relative; where an old broker left absolute
/// offsets the difference is 0, and that is right too. In v0 they are always absolute. Kafka's reader takes a v1 wrapper
/// of offset 0 as unassigned, which only a produce request can be: in a log it is a contradiction and refused.
fn offset_shift(header: &BatchHeader, inner: &[u8]) -> Result<i64, RecordErrorKind> {
    let mut rest = inner;
    let mut last = None;
    while let Some((entry, _)) = take_entry(&mut rest)? {
        last = Some(entry.base_offset);
    }
    let last = last.ok_or(RecordErrorKind::EmptyWrapper)?;
    let last_offset = header.base_offset;
    if last > last_offset {
        return Err(RecordErrorKind::OffsetPastEnd { offset: last, last_offset });
    }
    Ok(if header.magic == 0 { 0 } else { last_offset - last })
}

fn deliver<F: FnMut(&RecordView<'_>)>(
    wrapper: &BatchHeader,
    shift: i64,
    inner: &[u8],
    mut sink: F,
) -> Result<Walk, RecordErrorKind> {
    let mut walk = Walk::default();
    let mut rest = inner;
    while let Some((entry, bytes)) = take_entry(&mut rest)? {
        // Kafka's reader lets 0 and 1 mix: timestamps follow the message, offsets follow the wrapper.
        if entry.magic > 1 {
            return Err(RecordErrorKind::InnerMagic { wrapper: wrapper.magic, inner: entry.magic });
        }
        check_crc(entry.crc, crc32fast::hash(&bytes[LEGACY_CRC_FROM..]), 0).map_err(|fault| fault.kind)?;
        if entry.codec()? != Codec::None {
            return Err(RecordErrorKind::NestedCompression);
        }
        let (key, value) = key_and_value(&entry, bytes).map_err(|fault| fault.kind)?;
        let by_wrapper = entry.magic == 1 && wrapper.is_log_append_time();
        let timestamp = if by_wrapper { wrapper.max_timestamp } else { entry.max_timestamp };
        let offset = entry.base_offset.saturating_add(shift);
        if let Some(previous) = walk.last.filter(|&previous| offset <= previous) {
            return Err(RecordErrorKind::OffsetNotAscending { previous, offset });
        }
        walk.first = walk.first.or(Some(offset));
        walk.last = Some(offset);
        walk.records += 1;
        sink(&record(offset, timestamp, key, value));
    }
    Ok(walk)
}

/// Takes the next message of a set; `None` at the end. Part of a message is an error here: nothing was cut off, so
/// a reader that drops it would drop a record.
fn take_entry<'a>(rest: &mut &'a [u8]) -> Result<Option<(BatchHeader, &'a [u8])>, RecordErrorKind> {
    if rest.is_empty() {
        return Ok(None);
    }
    let Some(frame) = peek(rest, 0).map_err(|error| error.kind)? else {
        return Err(RecordErrorKind::TrailingBytes(rest.len()));
    };
    let Some((entry, tail)) = rest.split_at_checked(frame.size) else {
        return Err(invalid_length(Field::MessageSize, frame.header.batch_length, rest.len() - PREFIX));
    };
    *rest = tail;
    Ok(Some((frame.header, entry)))
}

type KeyAndValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn key_and_value<'a>(header: &BatchHeader, entry: &'a [u8]) -> Result<KeyAndValue<'a>, Fault> {
    let mut rest = &entry[if header.magic == 0 { 18 } else { 26 }..];
    let mut take = |field| {
        let at = entry.len() - rest.len();
        take_bytes(&mut rest, field).map_err(|kind| Fault::new(at, kind))
    };
    let key = take(Field::KeyLength)?;
    let value = take(Field::ValueLength)?;
    if rest.is_empty() {
        Ok((key, value))
    } else {
        let unused = rest.len();
        Err(Fault::new(entry.len() - unused, RecordErrorKind::RecordNotFilled { unused }))
    }
}

/// Takes an INT32 length, -1 for null, and that many bytes.
fn take_bytes<'a>(rest: &mut &'a [u8], field: Field) -> Result<Option<&'a [u8]>, RecordErrorKind> {
    let Some((length, tail)) = rest.split_first_chunk::<4>() else {
        return Err(invalid_length(field, 4, rest.len()));
    };
    let length = i32::from_be_bytes(*length);
    if length == -1 {
        *rest = tail;
        return Ok(None);
    }
    let split = usize::try_from(length).ok().and_then(|length| tail.split_at_checked(length));
    let (bytes, tail) = split.ok_or_else(|| invalid_length(field, length, tail.len()))?;
    *rest = tail;
    Ok(Some(bytes))
}
