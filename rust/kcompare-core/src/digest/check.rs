//! What a check of one log keeps beside its digests: where timestamps go back.

use super::cell_builder::CellBuilder;
use super::cells::Gap;
use super::profile::Profile;
use super::reader::RecordConsumer;
use crate::records::RecordView;

/// Steps back that are kept with their place; all of them are counted.
pub const MAX_STEPS_BACK: usize = 64;

/// Two records that follow one another, the later one with the earlier timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBack {
    /// Offset of the later record.
    pub offset: i64,
    /// Timestamp of the record before it, in milliseconds.
    pub before: i64,
    /// Its own timestamp.
    pub timestamp: i64,
    /// Both timestamps are a broker's.
    pub broker: bool,
}

/// Whether timestamps ascend. Records without a timestamp (-1) are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeOrder {
    /// Timestamp of the first record, and whether it is the broker's.
    pub first: Option<(i64, bool)>,
    /// Offset of that record.
    pub first_offset: i64,
    /// Timestamp of the last record, and whether it is the broker's.
    pub last: Option<(i64, bool)>,
    /// The first [`MAX_STEPS_BACK`] steps back.
    pub steps: Vec<StepBack>,
    /// All steps back.
    pub total: u64,
    /// Those of them between two timestamps of a broker.
    pub broker_total: u64,
    /// The longest one, in milliseconds.
    pub largest_ms: u64,
}

impl TimeOrder {
    #[inline]
    fn see(&mut self, offset: i64, timestamp: i64, broker: bool) {
        if timestamp < 0 {
            return;
        }
        match self.last {
            None => {
                self.first = Some((timestamp, broker));
                self.first_offset = offset;
            }
            Some((before, of_broker)) if timestamp < before => {
                self.step(StepBack { offset, before, timestamp, broker: broker && of_broker });
            }
            Some(_) => (),
        }
        self.last = Some((timestamp, broker));
    }

    #[cold]
    fn step(&mut self, step: StepBack) {
        self.total += 1;
        self.broker_total += u64::from(step.broker);
        self.largest_ms = self.largest_ms.max(step.before.abs_diff(step.timestamp));
        if self.steps.len() < MAX_STEPS_BACK {
            self.steps.push(step);
        }
    }
}

/// Digests records like a [`CellBuilder`], and looks at the order of their timestamps.
#[derive(Debug)]
pub struct CheckBuilder<'p> {
    cells: CellBuilder<'p>,
    order: TimeOrder,
    log_append_time: bool,
}

impl<'p> CheckBuilder<'p> {
    /// A builder for the records from `start` on.
    pub fn new(profile: &'p Profile, start: i64) -> Self {
        Self {
            cells: CellBuilder::new(profile, start, &[]),
            order: TimeOrder::default(),
            log_append_time: false,
        }
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.cells.records()
    }

    /// The cell rows, and the order of the timestamps.
    pub fn finish(self) -> (Vec<u8>, TimeOrder) {
        (self.cells.finish().0, self.order)
    }
}

impl RecordConsumer for CheckBuilder<'_> {
    fn batch(&mut self, log_append_time: bool) {
        self.log_append_time = log_append_time;
        self.cells.batch(log_append_time);
    }

    #[inline]
    fn record(&mut self, record: &RecordView<'_>) {
        self.order.see(record.offset, record.timestamp, self.log_append_time);
        self.cells.record(record);
    }

    fn gap(&mut self, stop: i64, gap: Gap) {
        self.cells.gap(stop, gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{CellRow, IsolationLevel, SliceReader, SliceSpec, read_cells};
    use crate::records::{BatchBuilder, peek};

    fn batch(base: i64, timestamps: &[i64], log_append: Option<i64>) -> Vec<u8> {
        let mut builder = BatchBuilder::new(base);
        if let Some(time) = log_append {
            builder = builder.log_append_time(time);
        }
        for timestamp in timestamps {
            builder.append(*timestamp, None, Some(b"v")).unwrap();
        }
        builder.build().unwrap()
    }

    fn check(batches: &[Vec<u8>], stop: i64) -> (Vec<CellRow>, TimeOrder) {
        let profile = Profile::default();
        let spec = SliceSpec { start: 0, stop, isolation_level: IsolationLevel::ReadUncommitted };
        let mut reader = SliceReader::new(spec, CheckBuilder::new(&profile, 0), 1 << 20);
        for bytes in batches {
            reader.push(&peek(bytes, 0).unwrap().unwrap(), bytes).unwrap();
        }
        let (builder, _, _) = reader.finish();
        let (cells, order) = builder.finish();
        (read_cells(&cells).unwrap(), order)
    }

    #[test]
    fn rows_are_those_of_the_cell_builder() {
        let (cells, _) = check(&[batch(0, &[5, 6], None), batch(4, &[7], None)], 6);
        let (cell,) = (cells[0],);
        assert_eq!((cells.len(), cell.lanes.count, cell.gaps), (1, 3, [0, 0, 0, 2, 1]));
        assert_ne!(cell.lanes.content, 0);
    }

    #[test]
    fn every_step_back_is_counted_and_the_longest_is_kept() {
        let (_, order) = check(&[batch(0, &[10, 30, 20, 20], None), batch(4, &[5, 6, -1, 4], None)], 8);
        let places: Vec<i64> = order.steps.iter().map(|step| step.offset).collect();
        assert_eq!(places, [2, 4, 7]);
        assert_eq!((order.total, order.broker_total, order.largest_ms), (3, 0, 15));
        assert_eq!((order.first, order.first_offset, order.last), (Some((10, false)), 0, Some((4, false))));
    }

    #[test]
    fn only_two_timestamps_of_a_broker_make_its_clock_go_back() {
        let batches = [
            batch(0, &[1], Some(100)),
            batch(1, &[1], Some(90)),
            batch(2, &[50], None),
            batch(3, &[1], Some(40)),
        ];
        let (_, order) = check(&batches, 4);
        assert_eq!((order.total, order.broker_total), (3, 1));
        assert!(order.steps[0].broker && !order.steps[1].broker && !order.steps[2].broker);
    }

    #[test]
    fn no_time_is_in_order_with_any() {
        let (_, order) = check(&[batch(0, &[-1, 7, -1, 8, -1], None)], 5);
        assert_eq!((order.total, order.first_offset, order.last), (0, 1, Some((8, false))));
        assert_eq!(check(&[batch(0, &[-1], None)], 1).1, TimeOrder::default());
    }

    #[test]
    fn the_places_of_steps_are_bounded_in_number() {
        let timestamps: Vec<i64> = (0..200).rev().collect();
        let (_, order) = check(&[batch(0, &timestamps, None)], 200);
        assert_eq!((order.steps.len(), order.total), (MAX_STEPS_BACK, 199));
    }

    #[test]
    fn the_ends_of_time_are_far_apart_and_no_overflow() {
        let (_, order) = check(&[batch(0, &[0], None), batch(1, &[i64::MAX], None), batch(2, &[0], None)], 3);
        assert_eq!((order.total, order.largest_ms), (1, i64::MAX as u64));
    }
}
