//! Cells and anchors: the checkpoints at which prefix digests are kept.
//!
//! A cell is the records whose offsets lie in `[k * 65536, (k + 1) * 65536)`: fixed offsets, so that any worker can do
//! any cell alone. An anchor is a place inside a cell that its content chose. Both leave this module as rows of fixed
//! size, little endian, which Python views without copying; `docs/formats.md` gives them byte by byte.

use super::sequence::Lanes;
use thiserror::Error;

/// Offsets in a cell.
pub const CELL_OFFSETS: i64 = 65_536;
/// Size of a cell row in bytes.
pub const CELL_BYTES: usize = 208;
/// Size of an anchor row in bytes.
pub const ANCHOR_BYTES: usize = 104;

/// Why an offset has no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// A control record.
    Control,
    /// A record of an aborted transaction, under `read_committed`.
    Aborted,
    /// A record that compaction removed from inside a batch.
    Compacted,
    /// Nothing said why.
    Unexplained,
    /// It could not be read.
    Uncovered,
}

/// What is known of the records at offsets `[start, stop)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellRow {
    /// First offset of the range.
    pub start: i64,
    /// One past the last offset of the range.
    pub stop: i64,
    /// Offset of the first record, -1 without one.
    pub first_offset: i64,
    /// Offset of the last record, -1 without one.
    pub last_offset: i64,
    /// Smallest timestamp; 0 without a record.
    pub min_timestamp: i64,
    /// Largest timestamp; 0 without a record.
    pub max_timestamp: i64,
    /// Bytes of keys, values and headers as stored.
    pub bytes: u64,
    /// Batches with a record here.
    pub batches: u32,
    /// Those of them whose timestamps the broker wrote.
    pub log_append_batches: u32,
    /// Offsets without a record, by [`Gap`] in its order.
    pub gaps: [u64; 5],
    /// Anchors of this row.
    pub anchors: u64,
    /// The lanes of the records here.
    pub lanes: Lanes,
}

/// A place chosen by content: the lanes of its cell up to and including the record at `offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnchorRow {
    /// Offset of the record.
    pub offset: i64,
    /// A mix of the digests of this record and the three before it.
    pub context: u64,
    /// The lanes of the cell up to and including the record; its ordinal in the cell is `lanes.count - 1`.
    pub lanes: Lanes,
}

/// Rows whose bytes are no rows.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LayoutError {
    /// Not a whole number of rows.
    #[error("{bytes} bytes are no whole number of rows of {row} bytes")]
    Length {
        /// Bytes given.
        bytes: usize,
        /// Size of a row.
        row: usize,
    },
    /// Rows that contradict each other.
    #[error("cell rows are inconsistent at offset {offset}: {what}")]
    Inconsistent {
        /// Where.
        offset: i64,
        /// What.
        what: &'static str,
    },
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn lanes(&mut self, lanes: &Lanes) {
        self.0.extend_from_slice(&lanes.count.to_le_bytes());
        for lane in [lanes.content, lanes.timestamps, lanes.offsets, lanes.sum_content, lanes.sum_joint] {
            self.0.extend_from_slice(&lane.to_le_bytes());
        }
    }
}

/// Reads fixed-size fields off the front of a row whose length was checked.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let (front, rest) = self.0.split_at(N);
        self.0 = rest;
        let mut array = [0; N];
        array.copy_from_slice(front);
        array
    }
    pub(super) fn int(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }
    pub(super) fn count(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
    pub(super) fn small(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }
    pub(super) fn digest(&mut self) -> u128 {
        u128::from_le_bytes(self.array())
    }
    fn lanes(&mut self) -> Lanes {
        Lanes {
            count: self.count(),
            content: self.digest(),
            timestamps: self.digest(),
            offsets: self.digest(),
            sum_content: self.digest(),
            sum_joint: self.digest(),
        }
    }
}

impl CellRow {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for value in [
            self.start,
            self.stop,
            self.first_offset,
            self.last_offset,
            self.min_timestamp,
            self.max_timestamp,
        ] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.batches.to_le_bytes());
        out.extend_from_slice(&self.log_append_batches.to_le_bytes());
        for gap in self.gaps {
            out.extend_from_slice(&gap.to_le_bytes());
        }
        out.extend_from_slice(&self.anchors.to_le_bytes());
        Writer(out).lanes(&self.lanes);
        // Room to make the row a multiple of 16, so that digests stay aligned when rows are stored.
        out.extend_from_slice(&[0; 8]);
    }

    fn read(row: &[u8]) -> Self {
        let mut fields = Fields(row);
        Self {
            start: fields.int(),
            stop: fields.int(),
            first_offset: fields.int(),
            last_offset: fields.int(),
            min_timestamp: fields.int(),
            max_timestamp: fields.int(),
            bytes: fields.count(),
            batches: fields.small(),
            log_append_batches: fields.small(),
            gaps: [fields.count(), fields.count(), fields.count(), fields.count(), fields.count()],
            anchors: fields.count(),
            lanes: fields.lanes(),
        }
    }
}

impl AnchorRow {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.context.to_le_bytes());
        Writer(out).lanes(&self.lanes);
    }

    fn read(row: &[u8]) -> Self {
        let mut fields = Fields(row);
        Self { offset: fields.int(), context: fields.count(), lanes: fields.lanes() }
    }
}

pub(super) fn rows_of(bytes: &[u8], row: usize) -> Result<std::slice::ChunksExact<'_, u8>, LayoutError> {
    let rows = bytes.chunks_exact(row);
    if rows.remainder().is_empty() { Ok(rows) } else { Err(LayoutError::Length { bytes: bytes.len(), row }) }
}

/// Cell rows from their bytes. They must be contiguous, and each must account for every one of its offsets.
pub fn read_cells(bytes: &[u8]) -> Result<Vec<CellRow>, LayoutError> {
    let mut cells: Vec<CellRow> = Vec::with_capacity(bytes.len() / CELL_BYTES);
    for row in rows_of(bytes, CELL_BYTES)? {
        let cell = CellRow::read(row);
        let inconsistent = |what| Err(LayoutError::Inconsistent { offset: cell.start, what });
        let accounted = cell.gaps.iter().fold(cell.lanes.count, |sum, gap| sum.saturating_add(*gap));
        if cell.stop < cell.start || accounted != (cell.stop - cell.start) as u64 {
            return inconsistent("records and gaps do not add up to the offsets");
        }
        if cells.last().is_some_and(|before| before.stop != cell.start) {
            return inconsistent("the row does not start where the one before ends");
        }
        cells.push(cell);
    }
    Ok(cells)
}

/// Anchor rows from their bytes, ascending by offset.
pub fn read_anchors(bytes: &[u8]) -> Result<Vec<AnchorRow>, LayoutError> {
    let anchors: Vec<AnchorRow> = rows_of(bytes, ANCHOR_BYTES)?.map(AnchorRow::read).collect();
    match anchors.windows(2).find(|pair| pair[0].offset >= pair[1].offset) {
        Some(pair) => {
            Err(LayoutError::Inconsistent { offset: pair[1].offset, what: "anchors do not ascend" })
        }
        None => Ok(anchors),
    }
}
