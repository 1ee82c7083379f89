//! The records of one stretch, a row each: what a drill-down compares when digests have narrowed a difference down.

use super::cells::{Fields, Gap, LayoutError, rows_of};
use super::profile::Profile;
use super::reader::RecordConsumer;
use super::sequence::Lanes;
use crate::records::RecordView;

/// Size of a record row in bytes.
pub const ROW_BYTES: usize = 96;

/// One record without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds, -1 for none.
    pub timestamp: i64,
    /// Content digest.
    pub content: u128,
    /// Digest of the key.
    pub key: u128,
    /// Digest of the value.
    pub value: u128,
    /// Digest of the headers.
    pub headers: u128,
    /// Length of the key, -1 for null.
    pub key_bytes: i32,
    /// Length of the value, -1 for null.
    pub value_bytes: i32,
    /// Number of headers.
    pub header_count: i32,
    /// Bit 0: the timestamp is the broker's.
    pub flags: u32,
}

impl RecordRow {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.timestamp.to_le_bytes());
        for digest in [self.content, self.key, self.value, self.headers] {
            out.extend_from_slice(&digest.to_le_bytes());
        }
        for number in [self.key_bytes, self.value_bytes, self.header_count] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.flags.to_le_bytes());
    }

    fn read(row: &[u8]) -> Self {
        let mut fields = Fields(row);
        Self {
            offset: fields.int(),
            timestamp: fields.int(),
            content: fields.digest(),
            key: fields.digest(),
            value: fields.digest(),
            headers: fields.digest(),
            key_bytes: fields.small() as i32,
            value_bytes: fields.small() as i32,
            header_count: fields.small() as i32,
            flags: fields.small(),
        }
    }

    /// The lanes of this record alone.
    pub fn lanes(&self, profile: &Profile) -> Lanes {
        Lanes {
            count: 1,
            content: super::modular::reduce(self.content),
            timestamps: u128::from(self.timestamp as u64),
            offsets: u128::from(self.offset as u64),
            sum_content: self.content,
            sum_joint: profile.joint(self.content, self.timestamp),
        }
    }
}

/// Record rows from their bytes, ascending by offset.
pub fn read_rows(bytes: &[u8]) -> Result<Vec<RecordRow>, LayoutError> {
    let rows: Vec<RecordRow> = rows_of(bytes, ROW_BYTES)?.map(RecordRow::read).collect();
    match rows.windows(2).find(|pair| pair[0].offset >= pair[1].offset) {
        Some(pair) => {
            Err(LayoutError::Inconsistent { offset: pair[1].offset, what: "records do not ascend" })
        }
        None => Ok(rows),
    }
}

/// Makes rows out of records, up to a limit.
#[derive(Debug)]
pub struct RowBuilder<'p> {
    profile: &'p Profile,
    rows: Vec<u8>,
    scratch: Vec<u8>,
    limit: usize,
    log_append_time: bool,
    records: u64,
    uncovered: u64,
    position: i64,
}

impl<'p> RowBuilder<'p> {
    /// A builder for at most `limit` rows of the records from `start` on.
    pub fn new(profile: &'p Profile, start: i64, limit: usize) -> Self {
        Self {
            profile,
            rows: Vec::new(),
            scratch: Vec::new(),
            limit,
            log_append_time: false,
            records: 0,
            uncovered: 0,
            position: start,
        }
    }

    /// Records kept.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Offsets that could not be read.
    pub fn uncovered(&self) -> u64 {
        self.uncovered
    }

    /// The rows.
    pub fn finish(self) -> Vec<u8> {
        self.rows
    }
}

impl RecordConsumer for RowBuilder<'_> {
    fn batch(&mut self, log_append_time: bool) {
        self.log_append_time = log_append_time;
    }

    fn record(&mut self, record: &RecordView<'_>) {
        if self.is_full() {
            return;
        }
        self.records += 1;
        self.position = record.offset + 1;
        let content = self.profile.content(record, &mut self.scratch);
        let fields = self.profile.fields(record, &mut self.scratch);
        let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i32);
        let row = RecordRow {
            offset: record.offset,
            timestamp: record.timestamp,
            content,
            key: fields.key,
            value: fields.value,
            headers: fields.headers,
            key_bytes: length(record.key),
            value_bytes: length(record.value),
            header_count: record.headers.len() as i32,
            flags: u32::from(self.log_append_time),
        };
        row.write(&mut self.rows);
    }

    fn gap(&mut self, stop: i64, gap: Gap) {
        if gap == Gap::Uncovered && stop > self.position && !self.is_full() {
            self.uncovered += (stop - self.position) as u64;
        }
        self.position = self.position.max(stop);
    }

    fn is_full(&self) -> bool {
        self.records >= self.limit as u64
    }
}
