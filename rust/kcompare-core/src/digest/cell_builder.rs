//! Records become cells and anchors: every lane of every record, in one pass.

use super::cells::{AnchorRow, CELL_OFFSETS, CellRow, Gap};
use super::modular::{add, mul};
use super::profile::Profile;
use super::reader::RecordConsumer;
use super::sequence::{GROUP, offset_run};
use crate::records::RecordView;

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
    /// Records that are in no lane yet: content digests and timestamps of a group.
    contents: [u128; GROUP],
    timestamps: [i64; GROUP],
    pending: usize,
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
            contents: [0; GROUP],
            timestamps: [0; GROUP],
            pending: 0,
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

    /// Brings every lane up to the position.
    fn flush(&mut self) {
        self.flush_group();
        if self.run_count != 0 {
            let (power, digest) = offset_run(self.profile.base(), self.run_first, self.run_count);
            self.row.lanes.offsets = add(mul(self.row.lanes.offsets, power), digest);
            self.run_count = 0;
        }
    }

    /// Brings the lanes that need every record up to the position.
    #[inline]
    fn flush_group(&mut self) {
        let (contents, timestamps) = (&self.contents[..self.pending], &self.timestamps[..self.pending]);
        let row = &mut self.row;
        let (mut sum_content, mut sum_joint) = (row.lanes.sum_content, row.lanes.sum_joint);
        let (mut earliest, mut latest) = (row.min_timestamp, row.max_timestamp);
        for (content, timestamp) in contents.iter().zip(timestamps) {
            sum_content = sum_content.wrapping_add(*content);
            sum_joint = sum_joint.wrapping_add(self.profile.joint(*content, *timestamp));
            earliest = earliest.min(*timestamp);
            latest = latest.max(*timestamp);
        }
        (row.lanes.sum_content, row.lanes.sum_joint) = (sum_content, sum_joint);
        (row.min_timestamp, row.max_timestamp) = (earliest, latest);
        row.lanes.extend(contents, timestamps, self.profile.base());
        self.pending = 0;
    }

    /// Writes the row that ends at the position.
    fn close(&mut self) {
        self.flush();
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
        self.flush();
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
        let row = &mut self.row;
        if row.first_offset < 0 {
            row.first_offset = record.offset;
            row.min_timestamp = record.timestamp;
            row.max_timestamp = record.timestamp;
        }
        row.last_offset = record.offset;
        row.bytes += record.body.len() as u64;
        if self.batch_is_new {
            self.batch_is_new = false;
            row.batches += 1;
            row.log_append_batches += u32::from(self.log_append_time);
        }
        if self.pending == GROUP {
            self.flush_group();
        }
        self.contents[self.pending] = content;
        self.timestamps[self.pending] = record.timestamp;
        self.pending += 1;
        if self.run_count == 0 {
            self.run_first = record.offset;
        }
        self.run_count += 1;
        self.position = record.offset + 1;
        self.records += 1;
        self.recent = [content as u64, self.recent[0], self.recent[1], self.recent[2]];
        if self.row.lanes.count + self.pending as u64 >= CONTEXT_RECORDS as u64 {
            self.anchor(record.offset);
        }
    }

    fn gap(&mut self, stop: i64, gap: Gap) {
        self.flush();
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
