//! The records of a v2 batch.

use super::error::{Fault, Field, RecordErrorKind};
use super::header::{BatchHeader, V2_HEADER};
use super::record::{Headers, RecordView, invalid_length, take_bytes};
use super::varint::{Word, read_varint, read_varlong};

/// length, attributes, timestampDelta, offsetDelta, keyLength, valueLength, headersCount: one byte each at least.
const MIN_RECORD: usize = 7;

/// The offsets at which a batch's records lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Walk {
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub records: u32,
}

/// Refuses a count that the bytes cannot hold, before anything is looped over or decompressed for it.
pub(super) fn checked_count(header: &BatchHeader, available: usize) -> Result<u32, Fault> {
    let count = header.records_count;
    u32::try_from(count)
        .ok()
        .filter(|&count| count as usize <= available / MIN_RECORD)
        .ok_or_else(|| Fault::new(V2_HEADER, RecordErrorKind::InvalidRecordCount { count, available }))
}

/// Hands every record of `body`, which is decompressed, to `sink`.
pub(super) fn for_each_record<'a, F: FnMut(&RecordView<'a>)>(
    header: &BatchHeader,
    body: &'a [u8],
    mut sink: F,
) -> Result<Walk, Fault> {
    let records = checked_count(header, body.len())?;
    let times = Timestamps::of(header);
    let last_offset = header.last_offset();
    let mut previous = header.base_offset - 1;
    let mut first = None;
    let mut rest = body;
    for _ in 0..records {
        let here = rest;
        let view = match take_plain_record(&mut rest, header.base_offset, times) {
            Some(view) => view,
            None => match take_record(&mut rest, header.base_offset, times) {
                Ok(view) => view,
                Err(kind) => return Err(Fault::new(V2_HEADER + body.len() - here.len(), kind)),
            },
        };
        if view.offset <= previous || view.offset > last_offset {
            let at = V2_HEADER + body.len() - here.len();
            return Err(Fault::new(at, wrong_offset(previous, view.offset, last_offset)));
        }
        previous = view.offset;
        first = first.or(Some(previous));
        sink(&view);
    }
    if !rest.is_empty() {
        let at = V2_HEADER + body.len() - rest.len();
        return Err(Fault::new(at, RecordErrorKind::TrailingBytes(rest.len())));
    }
    Ok(Walk { first, last: first.map(|_| previous), records })
}

/// The first record alone, for the type of a control batch.
pub(super) fn first_record<'a>(header: &BatchHeader, body: &'a [u8]) -> Result<RecordView<'a>, Fault> {
    let mut rest = body;
    take_record(&mut rest, header.base_offset, Timestamps::of(header))
        .map_err(|kind| Fault::new(V2_HEADER, kind))
}

/// How a record's timestamp follows from its batch.
#[derive(Clone, Copy)]
enum Timestamps {
    Append(i64),
    Create { base: i64 },
}

impl Timestamps {
    fn of(header: &BatchHeader) -> Self {
        if header.is_log_append_time() {
            Self::Append(header.max_timestamp)
        } else {
            Self::Create { base: header.base_timestamp }
        }
    }

    #[inline]
    fn at(self, delta: i64) -> Result<i64, RecordErrorKind> {
        match self {
            Self::Append(timestamp) => Ok(timestamp),
            Self::Create { base } => {
                base.checked_add(delta).ok_or(RecordErrorKind::TimestampOverflow { base, delta })
            }
        }
    }
}

/// The record that nearly every record is: no headers, minimal varints, and none of more than two bytes. `None` is
/// anything else, faults too: `take_record` reads it from the start and says what it is.
#[expect(
    clippy::inline_always,
    reason = "a view that is built in place instead of copied twice: decoding took 27 ns a record and takes 19"
)]
#[inline(always)]
fn take_plain_record<'a>(rest: &mut &'a [u8], base_offset: i64, times: Timestamps) -> Option<RecordView<'a>> {
    let bytes = *rest;
    let mut word = Word::first(bytes)?;
    // length, attributes, timestampDelta, offsetDelta: seven bytes at most
    let length = usize::try_from(word.short()?).ok()?;
    let start = word.taken();
    word.skip();
    let timestamp = times.at(i64::from(word.short()?)).ok()?;
    let offset_delta = word.short()?;
    let front = word.taken();
    let (record, tail) = bytes.split_at_checked(start + length)?;
    let body = record.get(front..)?;
    let (key, after_key) = take_plain_bytes(body)?;
    let (value, after_value) = take_plain_bytes(after_key)?;
    if after_value != [0] {
        return None;
    }
    *rest = tail;
    let offset = base_offset.saturating_add(i64::from(offset_delta));
    Some(RecordView { offset, timestamp, key, value, headers: Headers::EMPTY, body, canonical: true })
}

/// A field of a plain record, null or not, and what follows it.
#[expect(clippy::inline_always, reason = "part of `take_plain_record`")]
#[inline(always)]
fn take_plain_bytes(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    // A word would reach past the end of short fields, and one varint needs no register of its own.
    let (length, at) = match *bytes {
        [first, ..] if first < 0x80 => (u32::from(first), 1),
        [first, second, ..] if second < 0x80 && second != 0 => {
            (u32::from(first & 0x7f) | u32::from(second) << 7, 2)
        }
        _ => return None,
    };
    if length == 1 {
        return Some((None, &bytes[at..]));
    }
    if length & 1 == 1 {
        return None;
    }
    let stop = at + (length >> 1) as usize;
    Some((Some(bytes.get(at..stop)?), bytes.get(stop..)?))
}

#[inline(never)]
fn take_record<'a>(
    rest: &mut &'a [u8],
    base_offset: i64,
    times: Timestamps,
) -> Result<RecordView<'a>, RecordErrorKind> {
    // Whether these fields are minimal is nobody's business: they are not part of the canonical form.
    let mut ignored = true;
    // length: VARINT
    let length = read_varint(rest, &mut ignored).ok_or(RecordErrorKind::InvalidVarint(Field::Length))?;
    let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (mut record, tail) = split.ok_or_else(|| invalid_length(Field::Length, length, rest.len()))?;
    *rest = tail;
    // attributes: INT8, unused
    record = record.get(1..).ok_or_else(|| invalid_length(Field::Attributes, 1, 0))?;
    // timestampDelta: VARLONG
    let delta = read_varlong(&mut record).ok_or(RecordErrorKind::InvalidVarint(Field::TimestampDelta))?;
    let timestamp = times.at(delta)?;
    // offsetDelta: VARINT
    let offset_delta =
        read_varint(&mut record, &mut ignored).ok_or(RecordErrorKind::InvalidVarint(Field::OffsetDelta))?;
    let body = record;
    let mut canonical = true;
    // keyLength: VARINT, key; valueLength: VARINT, value; headersCount: VARINT, headers
    let key = take_bytes(&mut record, &mut canonical, Field::KeyLength)?;
    let value = take_bytes(&mut record, &mut canonical, Field::ValueLength)?;
    let headers = Headers::take(&mut record, &mut canonical)?;
    if !record.is_empty() {
        return Err(RecordErrorKind::RecordNotFilled { unused: record.len() });
    }
    // A header's last offset fits 64 bits, so a sum that does not is past the end: saturating keeps it there.
    let offset = base_offset.saturating_add(i64::from(offset_delta));
    Ok(RecordView { offset, timestamp, key, value, headers, body, canonical })
}

#[cold]
fn wrong_offset(previous: i64, offset: i64, last_offset: i64) -> RecordErrorKind {
    if offset <= previous {
        RecordErrorKind::OffsetNotAscending { previous, offset }
    } else {
        RecordErrorKind::OffsetPastEnd { offset, last_offset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::varint::{write_varint, write_varlong};
    use proptest::prelude::*;

    type Bytes = Option<Vec<u8>>;

    /// A record with whatever lengths and deltas, which need not be right.
    fn encoded(delta: i64, offset: i32, key: &Bytes, value: &Bytes, headers: i32, extra: i32) -> Vec<u8> {
        let mut body = vec![0];
        write_varlong(&mut body, delta);
        write_varint(&mut body, offset);
        for field in [key, value] {
            match field {
                None => write_varint(&mut body, -1),
                Some(bytes) => {
                    write_varint(&mut body, bytes.len() as i32);
                    body.extend_from_slice(bytes);
                }
            }
        }
        write_varint(&mut body, headers);
        let mut record = Vec::new();
        write_varint(&mut record, body.len() as i32 + extra);
        record.extend_from_slice(&body);
        record
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        let length = prop_oneof![0..70_usize, 4090..8194_usize];
        proptest::option::of(length.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length)))
    }

    proptest! {
        /// The short way in gives what the long one gives, or nothing: also for bytes that are no record.
        #[test]
        fn a_plain_record_is_read_as_any_other(
            (delta, offset) in (prop_oneof![-70_i64..70, -9000_i64..9000, any::<i64>()], prop_oneof![-70_i32..9000, any::<i32>()]),
            (key, value) in (bytes(), bytes()),
            (headers, extra) in (prop_oneof![8 => Just(0), 1 => -2_i32..3], prop_oneof![8 => Just(0), 1 => -9_i32..9]),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
            append: bool,
        ) {
            let mut record = encoded(delta, offset, &key, &value, headers, extra);
            let front = record.len().min(14);
            for (index, byte) in flips {
                record[index.index(front)] = byte;
            }
            record.extend_from_slice(&[0x10; 9]);
            if let Some(cut) = cut {
                record.truncate(cut.index(record.len()));
            }
            let times = if append { Timestamps::Append(5) } else { Timestamps::Create { base: 1_700_000_000_000 } };
            let (mut short, mut long) = (&record[..], &record[..]);
            if let Some(found) = take_plain_record(&mut short, 40, times) {
                let expected = take_record(&mut long, 40, times);
                prop_assert_eq!(expected.as_ref().ok(), Some(&found));
                prop_assert_eq!(short, long);
            } else {
                prop_assert_eq!(short, &record[..]);
            }
        }

        #[test]
        fn ordinary_records_are_plain(delta in -8000_i64..8000, offset in 0_i32..8000, key in bytes(), value in bytes()) {
            let length = |field: &Bytes| field.as_ref().map_or(0, Vec::len);
            prop_assume!(length(&key) + length(&value) < 8150);
            let mut record = encoded(delta, offset, &key, &value, 0, 0);
            // The last record of a batch may be too short for a word, and goes the long way.
            record.push(0);
            let found = take_plain_record(&mut &record[..], 0, Timestamps::Create { base: 0 });
            prop_assert!(found.is_some());
        }
    }
}
