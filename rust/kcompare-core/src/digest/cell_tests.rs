//! Cells and anchors against one record after the other.

use super::cells::{AnchorRow, CELL_OFFSETS, CellRow, Gap, read_anchors, read_cells};
use super::sequence::GROUP;
use super::{CellBuilder, Profile, RecordConsumer, RecordRow};
use crate::records::{Headers, RecordView};

/// The golden ratio in 64 bits, odd.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Every record by itself, as the documents say it: no groups, no runs.
struct Slow<'p> {
    profile: &'p Profile,
    row: CellRow,
    rows: Vec<CellRow>,
    anchors: Vec<AnchorRow>,
    recent: Vec<u64>,
    contexts: Vec<u64>,
}

impl Slow<'_> {
    fn record(&mut self, record: &RecordView<'_>) {
        let content = self.profile.content(record, &mut Vec::new());
        let (offset, timestamp) = (record.offset, record.timestamp);
        let row = &mut self.row;
        if row.lanes.count == 0 {
            row.batches = 1;
            (row.first_offset, row.min_timestamp, row.max_timestamp) = (offset, timestamp, timestamp);
        }
        row.last_offset = offset;
        row.min_timestamp = row.min_timestamp.min(timestamp);
        row.max_timestamp = row.max_timestamp.max(timestamp);
        row.bytes += record.body.len() as u64;
        let one = RecordRow {
            offset,
            timestamp,
            content,
            key: 0,
            value: 0,
            headers: 0,
            key_bytes: -1,
            value_bytes: -1,
            header_count: 0,
            flags: 0,
        };
        row.lanes = row.lanes.concat(&one.lanes(self.profile), self.profile.base());
        self.recent.insert(0, content as u64);
        self.recent.truncate(4);
        if row.lanes.count < 4 {
            return;
        }
        let mix =
            self.recent.iter().fold(0_u64, |mix, half| mix.wrapping_mul(MULTIPLIER).wrapping_add(*half));
        let context = (mix ^ (mix >> 32)).wrapping_mul(MULTIPLIER);
        let seen = self.contexts.iter().filter(|other| **other == context).count();
        if context >> 54 == 0 && seen < 2 && self.contexts.len() < 256 {
            self.contexts.push(context);
            self.anchors.push(AnchorRow { offset, context, lanes: row.lanes });
        }
    }

    fn close(&mut self, stop: i64) {
        self.row.stop = stop;
        self.row.anchors = self.contexts.len() as u64;
        self.rows.push(self.row);
        self.row = CellRow { start: stop, first_offset: -1, last_offset: -1, ..CellRow::default() };
        self.contexts.clear();
    }
}

/// Anchors are rare, so this takes many records: of which some repeat, with holes and with timestamps of both signs.
/// Beside groups of every length that a hole makes, an anchor has to be met at every place of a group.
#[test]
fn cells_and_anchors_are_those_of_one_record_after_the_other() {
    let profile = Profile::default();
    let (start, stop) = (40_000, 180_000);
    // So many short rows that a context which crosses their border would make an anchor.
    let checkpoints: Vec<i64> = std::iter::once(70_001).chain((140_000..stop).step_by(16)).collect();
    let is_border = |offset: i64| offset % CELL_OFFSETS == 0 || checkpoints.contains(&offset);
    let mut builder = CellBuilder::new(&profile, start, &checkpoints);
    let row = CellRow { start, first_offset: -1, last_offset: -1, ..CellRow::default() };
    let mut slow = Slow {
        profile: &profile,
        row,
        rows: Vec::new(),
        anchors: Vec::new(),
        recent: Vec::new(),
        contexts: Vec::new(),
    };
    let mut places = std::collections::BTreeSet::new();
    let (mut in_group, mut anchored) = (0, 0);
    builder.batch(false);
    for offset in start..stop {
        if is_border(offset) {
            slow.close(offset);
            in_group = 0;
        }
        if offset % 701 == 0 || (offset / 50) % 97 == 0 {
            builder.gap(offset + 1, Gap::Compacted);
            slow.row.gaps[Gap::Compacted as usize] += 1;
            in_group = 0;
            continue;
        }
        // The second cell repeats itself; the others do not.
        let id = if (70_001..131_072).contains(&offset) { offset % 3001 } else { offset };
        let body = id.to_le_bytes();
        let timestamp = if offset % 1_213 < 3 { -1 } else { 1_700_000_000_000 + offset * 7919 % 4001 };
        let record = RecordView {
            offset,
            timestamp,
            key: None,
            value: None,
            headers: Headers::EMPTY,
            body: &body[..],
            canonical: true,
        };
        builder.record(&record);
        slow.record(&record);
        if slow.anchors.len() > anchored {
            anchored = slow.anchors.len();
            places.insert(in_group);
        }
        in_group = (in_group + 1) % GROUP;
    }
    slow.close(stop);
    assert_eq!(builder.records(), slow.rows.iter().map(|row| row.lanes.count).sum::<u64>());
    let (cells, anchors) = builder.finish();
    assert_eq!(read_cells(&cells).unwrap(), slow.rows);
    assert_eq!(read_anchors(&anchors).unwrap(), slow.anchors);
    assert!(places.len() > GROUP * 3 / 4, "anchors at {places:?} of their groups");
    assert!(slow.rows[..4].iter().all(|row| row.anchors != 0), "{:?}", &slow.rows[..4]);
}
