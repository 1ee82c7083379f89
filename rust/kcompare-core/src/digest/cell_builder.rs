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

// A group's candidates are the bits of a `u32`.
const _: () = assert!(GROUP <= u32::BITS as usize);

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
    /// The record at which more is to do than to keep it: the first of a batch, of a group or behind the border.
    attention: i64,
    /// Offsets come in runs; `row.lanes.offsets` stands before the pending run.
    run_first: i64,
    run_count: u64,
    /// Halves of the digests of the last records before the group, the newest first.
    recent: [u64; CONTEXT_RECORDS - 1],
    contexts: Vec<u64>,
    batch_is_new: bool,
    log_append_time: bool,
    /// Records in the lanes of this row and of those before.
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
            attention: i64::MIN,
            run_first: 0,
            run_count: 0,
            recent: [0; CONTEXT_RECORDS - 1],
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
        self.records + self.pending as u64
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
        self.flush_run();
    }

    /// Brings the offset lane up to the others.
    fn flush_run(&mut self) {
        if self.run_count != 0 {
            let (power, digest) = offset_run(self.profile.base(), self.run_first, self.run_count);
            self.row.lanes.offsets = add(mul(self.row.lanes.offsets, power), digest);
            self.run_count = 0;
        }
    }

    /// Brings the lanes that need every record up to the position, and finds the anchors on the way.
    fn flush_group(&mut self) {
        let mut from = 0;
        let mut candidates = self.candidates();
        while candidates != 0 {
            let at = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            let context = self.context(at);
            if self.takes_anchor(context) {
                self.contexts.push(context);
                // Its lanes are those of the row up to this record.
                let offset = self.position - (self.pending - at) as i64;
                self.fold(from, at + 1);
                self.flush_run();
                AnchorRow { offset, context, lanes: self.row.lanes }.write(&mut self.anchors);
                from = at + 1;
            }
        }
        self.fold(from, self.pending);
        self.recent = std::array::from_fn(|back| self.half_before(self.pending, back + 1));
        self.pending = 0;
    }

    /// Takes the records `from..to` of the group into the lanes. They have contiguous offsets up to the position: a gap
    /// ends a group.
    #[inline]
    fn fold(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let first = self.position - (self.pending - from) as i64;
        let count = (to - from) as u64;
        let (contents, timestamps) = (&self.contents[from..to], &self.timestamps[from..to]);
        let row = &mut self.row;
        let (mut sum_content, mut sum_joint) = (row.lanes.sum_content, row.lanes.sum_joint);
        for (content, timestamp) in contents.iter().zip(timestamps) {
            sum_content = sum_content.wrapping_add(*content);
            sum_joint = sum_joint.wrapping_add(self.profile.joint(*content, *timestamp));
        }
        (row.lanes.sum_content, row.lanes.sum_joint) = (sum_content, sum_joint);
        let (earliest, latest) = row.lanes.extend(contents, timestamps, self.profile.base());
        if row.first_offset < 0 {
            row.first_offset = first;
            (row.min_timestamp, row.max_timestamp) = (earliest, latest);
        }
        row.min_timestamp = row.min_timestamp.min(earliest);
        row.max_timestamp = row.max_timestamp.max(latest);
        row.last_offset = first + count as i64 - 1;
        if self.run_count == 0 {
            self.run_first = first;
        }
        self.run_count += count;
        self.records += count;
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

    /// The records of the group whose context makes them an anchor, a bit each.
    #[inline]
    fn candidates(&self) -> u32 {
        let mut candidates = 0;
        let [mut b, mut c, mut d] = self.recent;
        for (at, content) in self.contents[..self.pending].iter().enumerate() {
            let a = *content as u64;
            candidates |= u32::from(is_anchor(mixed([a, b, c, d]))) << at;
            (b, c, d) = (a, b, c);
        }
        // A context lies wholly inside its row.
        let before = (CONTEXT_RECORDS as u64 - 1).saturating_sub(self.row.lanes.count);
        candidates & u32::MAX << before
    }

    /// The context of the record at `at` of the group.
    fn context(&self, at: usize) -> u64 {
        mixed(std::array::from_fn(|back| self.half_before(at + 1, back + 1)))
    }

    /// Half of the digest of the record that is `back` before the one at `at`.
    fn half_before(&self, at: usize, back: usize) -> u64 {
        match at.checked_sub(back) {
            Some(at) => self.contents[at] as u64,
            None => self.recent[back - at - 1],
        }
    }

    fn takes_anchor(&self, context: u64) -> bool {
        self.contexts.len() < ANCHORS_PER_CELL
            && self.contexts.iter().filter(|seen| **seen == context).count() < CONTEXT_REPEATS
    }

    /// Does what is due before the record at the position is kept.
    #[inline(never)]
    fn attend(&mut self) {
        if self.position == self.border {
            self.close();
            self.open(self.position);
        }
        if self.pending == GROUP {
            self.flush_group();
        }
        if self.batch_is_new {
            self.batch_is_new = false;
            self.row.batches += 1;
            self.row.log_append_batches += u32::from(self.log_append_time);
        }
        self.attention = self.border.min(self.position.saturating_add((GROUP - self.pending) as i64));
    }
}

/// What an anchor is known by: the halves of the digests of the last records, the newest first.
#[inline]
fn mixed([a, b, c, d]: [u64; CONTEXT_RECORDS]) -> u64 {
    let mixed = [b, c, d]
        .iter()
        .fold(a, |mix: u64, digest| mix.wrapping_mul(CONTEXT_MULTIPLIER).wrapping_add(*digest));
    (mixed ^ (mixed >> 32)).wrapping_mul(CONTEXT_MULTIPLIER)
}

#[inline]
fn is_anchor(context: u64) -> bool {
    // The high bits of a product are the well mixed ones.
    (context >> 54) & ANCHOR_MASK == 0
}

impl RecordConsumer for CellBuilder<'_> {
    fn batch(&mut self, log_append_time: bool) {
        self.batch_is_new = true;
        self.log_append_time = log_append_time;
        self.attention = i64::MIN;
    }

    #[inline]
    fn record(&mut self, record: &RecordView<'_>) {
        debug_assert_eq!(record.offset, self.position);
        if record.offset >= self.attention {
            self.attend();
        }
        let content = self.profile.content(record, &mut self.scratch);
        self.row.bytes += record.body.len() as u64;
        self.contents[self.pending] = content;
        self.timestamps[self.pending] = record.timestamp;
        self.pending += 1;
        self.position = record.offset + 1;
    }

    fn gap(&mut self, stop: i64, gap: Gap) {
        self.flush();
        self.attention = i64::MIN;
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
