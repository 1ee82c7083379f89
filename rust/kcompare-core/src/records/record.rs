//! One record, borrowed.

use super::error::{Field, RecordErrorKind};
use super::varint::read_varint;

/// One record, borrowed from a batch or from the decoder's scratch buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Absolute offset.
    pub offset: i64,
    /// Milliseconds; maxTimestamp for `LogAppendTime` batches, -1 for none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order, with repeats.
    pub headers: Headers<'a>,
    /// v2: the wire bytes from keyLength to the end of the headers; legacy: empty.
    pub body: &'a [u8],
    /// Every varint inside `body` is minimal, so `body` is the canonical form of key, value and headers.
    ///
    /// Always false for legacy records: they have no body.
    pub canonical: bool,
}

/// The headers of a record as wire bytes: keyLength, key, valueLength, value, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    count: u32,
    raw: &'a [u8],
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const EMPTY: Headers<'static> = Headers { count: 0, raw: &[] };

    /// Headers from their count and wire bytes (without headersCount); `None` unless they fit each other exactly.
    pub fn from_wire(count: u32, raw: &'a [u8]) -> Option<Self> {
        let mut rest = raw;
        for _ in 0..count {
            take_bytes(&mut rest, &mut true, Field::HeaderKeyLength).ok()??;
            take_bytes(&mut rest, &mut true, Field::HeaderValueLength).ok()?;
        }
        rest.is_empty().then_some(Self { count, raw })
    }

    /// Headers whose wire bytes were just encoded, so that they need no second look.
    pub(super) fn of_encoded(count: u32, raw: &'a [u8]) -> Self {
        debug_assert_eq!(Self::from_wire(count, raw), Some(Self { count, raw }));
        Self { count, raw }
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The wire bytes, without headersCount.
    pub fn wire(&self) -> &'a [u8] {
        self.raw
    }

    /// Name and value of each header, in order. Names are bytes: nothing makes them UTF-8 on the wire.
    pub fn iter(&self) -> HeaderIter<'a> {
        HeaderIter { left: self.count, rest: self.raw }
    }

    /// Reads headersCount and the headers; they were checked once this returns, so iterating needs no errors.
    #[inline]
    pub(super) fn take(rest: &mut &'a [u8], canonical: &mut bool) -> Result<Self, RecordErrorKind> {
        // headersCount: VARINT
        let Some(count) = read_varint(rest, canonical) else {
            return Err(RecordErrorKind::InvalidVarint(Field::HeadersCount));
        };
        if count == 0 {
            return Ok(Self::EMPTY);
        }
        Self::take_some(count, rest, canonical)
    }

    #[inline(never)]
    fn take_some(count: i32, rest: &mut &'a [u8], canonical: &mut bool) -> Result<Self, RecordErrorKind> {
        let raw = *rest;
        // A header takes two bytes at least, so an absurd count is refused before it is counted down.
        let Some(count) = u32::try_from(count).ok().filter(|&count| count as usize <= raw.len() / 2) else {
            return Err(invalid_length(Field::HeadersCount, count, raw.len()));
        };
        for _ in 0..count {
            // headerKeyLength: VARINT, never null; headerKey; headerValueLength: VARINT, -1 null; value
            if take_bytes(rest, canonical, Field::HeaderKeyLength)?.is_none() {
                return Err(invalid_length(Field::HeaderKeyLength, -1, rest.len()));
            }
            take_bytes(rest, canonical, Field::HeaderValueLength)?;
        }
        Ok(Self { count, raw: &raw[..raw.len() - rest.len()] })
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

/// Iterates over headers.
#[derive(Debug, Clone)]
pub struct HeaderIter<'a> {
    left: u32,
    rest: &'a [u8],
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = take_bytes(&mut self.rest, &mut true, Field::HeaderKeyLength).ok()??;
        let value = take_bytes(&mut self.rest, &mut true, Field::HeaderValueLength).ok()?;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for HeaderIter<'_> {}

/// Takes a varint length and that many bytes; length -1 is null.
#[inline]
pub(super) fn take_bytes<'a>(
    rest: &mut &'a [u8],
    minimal: &mut bool,
    field: Field,
) -> Result<Option<&'a [u8]>, RecordErrorKind> {
    let Some(length) = read_varint(rest, minimal) else {
        return Err(RecordErrorKind::InvalidVarint(field));
    };
    if length == -1 {
        return Ok(None);
    }
    let Some((bytes, tail)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
    else {
        return Err(invalid_length(field, length, rest.len()));
    };
    *rest = tail;
    Ok(Some(bytes))
}

#[cold]
pub(super) fn invalid_length(field: Field, value: i32, available: usize) -> RecordErrorKind {
    RecordErrorKind::InvalidFieldLength { field, value: i64::from(value), available }
}
