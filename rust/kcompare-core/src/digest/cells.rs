//! Cells and anchors: the checkpoints at which prefix digests are kept.
//!
//! A cell is the records whose offsets lie in `[k * 65536, (k + 1) * 65536)`: fixed offsets, so that any worker can do
//! any cell alone. An anchor is a place inside a cell that its content chose. Both leave this module as rows of fixed
//! size, little endian, which Python views without copying; `docs/formats.md` gives them byte by byte.

use super::modular::{add, mul};
use super::profile::Profile;
use super::reader::RecordConsumer;
use super::sequence::{Lanes, offset_run};
use crate::records::RecordView;
use thiserror::Error;

/// Offsets in a cell.
pub const CELL_OFFSETS: i64 = 65_536;
/// Size of a cell row in bytes.
pub const CELL_BYTES: usize = 208;
/// Size of an anchor row in bytes.
pub const ANCHOR_BYTES: usize = 104;

/// One record in 1024 is an anchor, on average.
const ANCHOR_MASK: u64 = 1023;
/// Anchors a cell may have.
const ANCHORS_PER_CELL: usize = 256;
/// How often a context may be an anchor in one cell; a hot payload would flood the list otherwise.
const CONTEXT_REPEATS: usize = 2;
/// Record digests that an anchor's context is made of. One alone is a bad choice, see `docs/algorithm.md`.
const CONTEXT_RECORDS: usize = 4;
/// The golden ratio in 64 bits, odd.
const CONTEXT_MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

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
    fn write(&self, out: &mut Vec<u8>) {
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
    fn write(&self, out: &mut Vec<u8>) {
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

/// Makes cells and anchors out of records that come in offset order.
#[derive(Debug)]
pub struct CellBuilder<'p> {
    profile: &'p Profile,
    /// Pinned offsets at which a row must end beside the cell borders; ascending, those behind are dropped.
    checkpoints: Vec<i64>,
    cells: Vec<u8>,
    anchors: Vec<u8>,
    scratch: Vec<u8>,
    row: CellRow,
    border: i64,
    position: i64,
    /// Offsets come in runs; `row.lanes.offsets` stands before the pending run.
    run_first: i64,
    run_count: u64,
    recent: [u64; CONTEXT_RECORDS],
    contexts: Vec<u64>,
    batch_is_new: bool,
    log_append_time: bool,
    records: u64,
}

impl<'p> CellBuilder<'p> {
    /// A builder for the records from `start` on; rows end at cell borders and at each of `checkpoints`.
    pub fn new(profile: &'p Profile, start: i64, checkpoints: &[i64]) -> Self {
        let mut checkpoints: Vec<i64> = checkpoints.iter().copied().filter(|at| *at > start).collect();
        checkpoints.sort_unstable_by(|a, b| b.cmp(a));
        checkpoints.dedup();
        let mut builder = Self {
            profile,
            checkpoints,
            cells: Vec::new(),
            anchors: Vec::new(),
            scratch: Vec::new(),
            row: CellRow::default(),
            border: start,
            position: start,
            run_first: 0,
            run_count: 0,
            recent: [0; CONTEXT_RECORDS],
            contexts: Vec::with_capacity(ANCHORS_PER_CELL),
            batch_is_new: true,
            log_append_time: false,
            records: 0,
        };
        builder.open(start);
        builder
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The finished rows: cells, then anchors.
    pub fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        if self.row.start < self.position {
            self.close();
        }
        (self.cells, self.anchors)
    }

    fn flush_run(&mut self) {
        if self.run_count != 0 {
            let (power, digest) = offset_run(self.profile.base(), self.run_first, self.run_count);
            self.row.lanes.offsets = add(mul(self.row.lanes.offsets, power), digest);
            self.run_count = 0;
        }
    }

    /// Writes the row that ends at the position.
    fn close(&mut self) {
        self.flush_run();
        self.row.stop = self.position;
        self.row.anchors = self.contexts.len() as u64;
        self.row.write(&mut self.cells);
    }

    /// Starts a row at the position; `upto` is how far it is known that no record comes, so that an empty stretch of
    /// a million cells is one row.
    fn open(&mut self, upto: i64) {
        let start = self.position;
        self.row = CellRow { start, first_offset: -1, last_offset: -1, ..CellRow::default() };
        self.contexts.clear();
        self.batch_is_new = true;
        while self.checkpoints.last().is_some_and(|at| *at <= start) {
            self.checkpoints.pop();
        }
        let next_cell = (start / CELL_OFFSETS).saturating_add(1).saturating_mul(CELL_OFFSETS);
        let empty_cells = upto / CELL_OFFSETS * CELL_OFFSETS;
        let border = next_cell.max(empty_cells);
        self.border = self.checkpoints.last().map_or(border, |at| border.min(*at));
    }

    fn anchor(&mut self, offset: i64) {
        let [a, b, c, d] = self.recent;
        let mixed = [b, c, d]
            .iter()
            .fold(a, |mix: u64, digest| mix.wrapping_mul(CONTEXT_MULTIPLIER).wrapping_add(*digest));
        let context = (mixed ^ (mixed >> 32)).wrapping_mul(CONTEXT_MULTIPLIER);
        // The high bits of a product are the well mixed ones.
        if (context >> 54) & ANCHOR_MASK != 0 || self.contexts.len() == ANCHORS_PER_CELL {
            return;
        }
        if self.contexts.iter().filter(|seen| **seen == context).count() >= CONTEXT_REPEATS {
            return;
        }
        self.contexts.push(context);
        self.flush_run();
        AnchorRow { offset, context, lanes: self.row.lanes }.write(&mut self.anchors);
    }
}

impl RecordConsumer for CellBuilder<'_> {
    fn batch(&mut self, log_append_time: bool) {
        self.batch_is_new = true;
        self.log_append_time = log_append_time;
    }

    #[inline]
    fn record(&mut self, record: &RecordView<'_>) {
        debug_assert_eq!(record.offset, self.position);
        if record.offset == self.border {
            self.close();
            self.open(record.offset);
        }
        let content = self.profile.content(record, &mut self.scratch);
        let r = self.profile.base().r();
        let row = &mut self.row;
        if row.lanes.count == 0 {
            row.first_offset = record.offset;
            row.min_timestamp = record.timestamp;
            row.max_timestamp = record.timestamp;
        }
        row.last_offset = record.offset;
        row.min_timestamp = row.min_timestamp.min(record.timestamp);
        row.max_timestamp = row.max_timestamp.max(record.timestamp);
        row.bytes += record.body.len() as u64;
        if self.batch_is_new {
            self.batch_is_new = false;
            row.batches += 1;
            row.log_append_batches += u32::from(self.log_append_time);
        }
        let lanes = &mut row.lanes;
        lanes.count += 1;
        lanes.content = add(mul(lanes.content, r), super::modular::reduce(content));
        lanes.timestamps = add(mul(lanes.timestamps, r), u128::from(record.timestamp as u64));
        lanes.sum_content = lanes.sum_content.wrapping_add(content);
        lanes.sum_joint = lanes.sum_joint.wrapping_add(self.profile.joint(content, record.timestamp));
        if self.run_count == 0 {
            self.run_first = record.offset;
        }
        self.run_count += 1;
        self.position = record.offset + 1;
        self.records += 1;
        self.recent = [content as u64, self.recent[0], self.recent[1], self.recent[2]];
        if self.row.lanes.count >= CONTEXT_RECORDS as u64 {
            self.anchor(record.offset);
        }
    }

    fn gap(&mut self, stop: i64, gap: Gap) {
        self.flush_run();
        while self.position < stop {
            if self.position == self.border {
                self.close();
                self.open(stop);
            }
            let to = stop.min(self.border);
            self.row.gaps[gap as usize] += (to - self.position) as u64;
            self.position = to;
        }
    }
}
