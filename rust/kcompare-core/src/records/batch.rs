//! The records of a v2 batch.

use super::error::{Fault, Field, RecordErrorKind};
use super::header::{BatchHeader, V2_HEADER};
use super::record::{Headers, RecordView, invalid_length, take_bytes};
use super::varint::{read_varint, read_varlong};

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
        let view = match take_record(&mut rest, header.base_offset, times) {
            Ok(view) => view,
            Err(kind) => return Err(Fault::new(V2_HEADER + body.len() - here.len(), kind)),
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

#[inline]
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
