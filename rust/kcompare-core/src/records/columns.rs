//! Records that another client has decoded, packed as columns: one entry a record in each, byte strings back to back.
//!
//! Whoever packs them is not trusted: every length is checked before the first record is handed out, so that columns
//! that do not fit together give nothing at all.

use thiserror::Error;

use super::builder::encode_body;
use super::record::{Headers, RecordView};

/// Byte strings back to back, with their lengths beside them; length -1 is null.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByteColumn<'a> {
    /// One length an entry.
    pub lengths: &'a [i32],
    /// The bytes of all entries.
    pub payload: &'a [u8],
}

/// A run of records as columns. `offsets`, `timestamps`, `log_append_times`, `keys`, `values` and `header_counts` have
/// one entry a record, `header_names` and `header_values` one a header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    /// Absolute offsets, ascending.
    pub offsets: &'a [i64],
    /// Milliseconds; -1 for none.
    pub timestamps: &'a [i64],
    /// Whether the broker wrote the timestamp.
    pub log_append_times: &'a [bool],
    /// The keys.
    pub keys: ByteColumn<'a>,
    /// The values.
    pub values: ByteColumn<'a>,
    /// How many headers each record has.
    pub header_counts: &'a [u32],
    /// Names of all headers; none is null.
    pub header_names: ByteColumn<'a>,
    /// Values of all headers.
    pub header_values: ByteColumn<'a>,
}

/// Columns that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ColumnsError {
    /// A column has more or fewer entries than there are records, or headers.
    #[error("column {column} has {entries} entries, not {expected}")]
    EntryCount {
        /// The column.
        column: &'static str,
        /// Its entries.
        entries: usize,
        /// Records, or headers.
        expected: usize,
    },
    /// A length that is neither -1 nor a length, or null where nothing may be null.
    #[error("column {column} has length {length} at entry {entry}")]
    InvalidLength {
        /// The column.
        column: &'static str,
        /// Index of the entry.
        entry: usize,
        /// Its length.
        length: i32,
    },
    /// The lengths add up to something else than the bytes that are there.
    #[error("column {column} has {available} bytes where its lengths add up to {needed}")]
    PayloadSize {
        /// The column.
        column: &'static str,
        /// The sum of its lengths.
        needed: u64,
        /// Its bytes.
        available: usize,
    },
    /// Offsets must ascend, from the position of the reader on, and none is negative.
    #[error("offset {offset} comes where {expected} or a later one is due")]
    OffsetNotAscending {
        /// The offset.
        offset: i64,
        /// The smallest that could come here.
        expected: i64,
    },
}

impl<'a> ByteColumn<'a> {
    fn check(&self, column: &'static str, expected: usize, nullable: bool) -> Result<(), ColumnsError> {
        check_entries(column, self.lengths.len(), expected)?;
        let least = if nullable { -1 } else { 0 };
        let mut needed = 0_u64;
        for (entry, &length) in self.lengths.iter().enumerate() {
            if length < least {
                return Err(ColumnsError::InvalidLength { column, entry, length });
            }
            needed += u64::from(length.max(0).unsigned_abs());
        }
        let available = self.payload.len();
        if needed != available as u64 {
            return Err(ColumnsError::PayloadSize { column, needed, available });
        }
        Ok(())
    }

    /// The entries, of columns that were checked.
    fn entries(&self) -> Entries<'a> {
        Entries { lengths: self.lengths.iter(), rest: self.payload }
    }
}

/// Iterates over a column that was checked.
struct Entries<'a> {
    lengths: std::slice::Iter<'a, i32>,
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Ok(length) = usize::try_from(*self.lengths.next()?) else { return Some(None) };
        let (entry, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Some(entry))
    }
}

fn check_entries(column: &'static str, entries: usize, expected: usize) -> Result<(), ColumnsError> {
    if entries == expected { Ok(()) } else { Err(ColumnsError::EntryCount { column, entries, expected }) }
}

impl Columns<'_> {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Checks that the columns fit together and that offsets ascend from `position` on.
    pub fn check(&self, position: i64) -> Result<(), ColumnsError> {
        let records = self.len();
        check_entries("timestamps", self.timestamps.len(), records)?;
        check_entries("log_append_times", self.log_append_times.len(), records)?;
        check_entries("header_counts", self.header_counts.len(), records)?;
        self.keys.check("keys", records, true)?;
        self.values.check("values", records, true)?;
        let headers = self.header_counts.iter().map(|&count| count as usize).sum();
        self.header_names.check("header_names", headers, false)?;
        self.header_values.check("header_values", headers, true)?;
        let mut expected = position.max(0);
        for &offset in self.offsets {
            // The largest offset of all has no next one.
            if offset < expected || offset == i64::MAX {
                return Err(ColumnsError::OffsetNotAscending { offset, expected });
            }
            expected = offset + 1;
        }
        Ok(())
    }

    /// Hands every record to `sink`, with whether the broker wrote its timestamp, after [`Self::check`]. Each is
    /// encoded into `scratch` as a v2 record with minimal varints, so its digest is that of the record on the wire.
    pub fn for_each<F: FnMut(&RecordView<'_>, bool)>(
        &self,
        position: i64,
        scratch: &mut Vec<u8>,
        mut sink: F,
    ) -> Result<(), ColumnsError> {
        self.check(position)?;
        let (mut keys, mut values) = (self.keys.entries(), self.values.entries());
        let (mut names, mut contents) = (self.header_names.entries(), self.header_values.entries());
        let mut headers: Vec<(&[u8], Option<&[u8]>)> = Vec::new();
        for (at, &offset) in self.offsets.iter().enumerate() {
            let (Some(key), Some(value)) = (keys.next(), values.next()) else { break };
            let count = self.header_counts[at];
            headers.clear();
            headers.extend(
                names
                    .by_ref()
                    .zip(contents.by_ref())
                    .take(count as usize)
                    .map(|(n, v)| (n.unwrap_or_default(), v)),
            );
            scratch.clear();
            encode_body(scratch, key, value, headers.iter().copied())
                .expect("lengths that came from 32-bit fields fit them");
            let size: usize = headers
                .iter()
                .map(|(name, value)| sized(name.len()) + value.map_or(1, |v| sized(v.len())))
                .sum();
            let record = RecordView {
                offset,
                timestamp: self.timestamps[at],
                key,
                value,
                headers: Headers::of_encoded(count, &scratch[scratch.len() - size..]),
                body: scratch,
                canonical: true,
            };
            sink(&record, self.log_append_times[at]);
        }
        Ok(())
    }
}

/// Bytes of a byte string behind its length, a zigzag varint of seven bits a byte.
fn sized(length: usize) -> usize {
    let bits = usize::BITS - (length << 1 | 1).leading_zeros();
    length + bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<'a>(lengths: &'a [i32], payload: &'a [u8]) -> ByteColumn<'a> {
        ByteColumn { lengths, payload }
    }

    /// Two records, the second of them with two headers.
    fn two() -> Columns<'static> {
        Columns {
            offsets: &[7, 9],
            timestamps: &[-1, 5],
            log_append_times: &[false, true],
            keys: bytes(&[-1, 0], b""),
            values: bytes(&[2, -1], b"ab"),
            header_counts: &[0, 2],
            header_names: bytes(&[1, 0], b"h"),
            header_values: bytes(&[-1, 3], b"xyz"),
        }
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut found = Vec::new();
        two()
            .for_each(0, &mut Vec::new(), |record, stamped| {
                let headers: Vec<_> =
                    record.headers.iter().map(|(n, v)| (n.to_vec(), v.map(<[u8]>::to_vec))).collect();
                let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                found.push((record.offset, record.timestamp, stamped, key, value, headers));
            })
            .unwrap();
        let headers = vec![(b"h".to_vec(), None), (Vec::new(), Some(b"xyz".to_vec()))];
        assert_eq!(
            found,
            [
                (7, -1, false, None, Some(b"ab".to_vec()), Vec::new()),
                (9, 5, true, Some(Vec::new()), None, headers)
            ]
        );
    }

    #[test]
    fn columns_that_do_not_fit_are_refused_before_any_record() {
        let entries = |column, entries, expected| ColumnsError::EntryCount { column, entries, expected };
        let length = |column, entry, length| ColumnsError::InvalidLength { column, entry, length };
        let size = |column, needed, available| ColumnsError::PayloadSize { column, needed, available };
        let order = |offset, expected| ColumnsError::OffsetNotAscending { offset, expected };
        let cases = [
            (Columns { timestamps: &[1], ..two() }, entries("timestamps", 1, 2)),
            (Columns { log_append_times: &[true; 3], ..two() }, entries("log_append_times", 3, 2)),
            (Columns { header_counts: &[2], ..two() }, entries("header_counts", 1, 2)),
            (Columns { header_counts: &[0, 3], ..two() }, entries("header_names", 2, 3)),
            (Columns { header_counts: &[u32::MAX; 2], ..two() }, entries("header_names", 2, 0x1_ffff_fffe)),
            (Columns { header_values: bytes(&[3], b"xyz"), ..two() }, entries("header_values", 1, 2)),
            (Columns { keys: bytes(&[0], b""), ..two() }, entries("keys", 1, 2)),
            (Columns { keys: bytes(&[0, -2], b""), ..two() }, length("keys", 1, -2)),
            (Columns { values: bytes(&[i32::MIN, 2], b"ab"), ..two() }, length("values", 0, i32::MIN)),
            (Columns { header_names: bytes(&[1, -1], b"h"), ..two() }, length("header_names", 1, -1)),
            (Columns { values: bytes(&[3, -1], b"ab"), ..two() }, size("values", 3, 2)),
            (Columns { values: bytes(&[1, -1], b"ab"), ..two() }, size("values", 1, 2)),
            (Columns { values: bytes(&[i32::MAX; 2], b"ab"), ..two() }, size("values", 0xffff_fffe, 2)),
            (Columns { offsets: &[9, 7], ..two() }, order(7, 10)),
            (Columns { offsets: &[9, 9], ..two() }, order(9, 10)),
            (Columns { offsets: &[-1, 9], ..two() }, order(-1, 3)),
            (Columns { offsets: &[2, 9], ..two() }, order(2, 3)),
            (Columns { offsets: &[3, i64::MAX], ..two() }, order(i64::MAX, 4)),
        ];
        for (columns, error) in cases {
            let mut seen = 0;
            assert_eq!(columns.for_each(3, &mut Vec::new(), |_, _| seen += 1), Err(error));
            assert_eq!(seen, 0);
        }
    }

    #[test]
    fn the_size_of_a_byte_string_is_that_of_its_encoding() {
        for length in [0, 1, 63, 64, 8191, 8192, 1_048_575, 1_048_576] {
            let mut out = Vec::new();
            encode_body(&mut out, Some(&vec![0; length]), None, std::iter::empty()).unwrap();
            assert_eq!(sized(length), out.len() - 2, "of {length} bytes");
        }
    }
}
