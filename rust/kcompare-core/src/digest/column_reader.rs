//! From columns of records to the records of a slice, with every offset accounted for.
//!
//! Another client has decoded these records, and it does not say why an offset has none: control records, aborted
//! records and compacted ones all look like a segment that is missing. So every hole here is one without a cause.

use super::cells::Gap;
use super::reader::{RecordConsumer, StreamStats, note_unexplained};
use crate::records::{Columns, ColumnsError};

/// Reads a slice out of columns.
#[derive(Debug)]
pub struct ColumnReader<C> {
    start: i64,
    stop: i64,
    /// Next offset that the consumer has no account of.
    position: i64,
    consumer: C,
    stats: StreamStats,
    scratch: Vec<u8>,
}

impl<C: RecordConsumer> ColumnReader<C> {
    /// A reader at the start of `[start, stop)`.
    pub fn new(start: i64, stop: i64, consumer: C) -> Self {
        assert!(start <= stop, "slice [{start}, {stop}) ends before it starts");
        Self { start, stop, position: start, consumer, stats: StreamStats::default(), scratch: Vec::new() }
    }

    /// Next offset that is not accounted for; the stop once no further record is wanted.
    pub fn position(&self) -> i64 {
        if self.consumer.is_full() { self.stop } else { self.position }
    }

    /// First offset of the slice.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// What takes the records.
    pub fn consumer(&self) -> &C {
        &self.consumer
    }

    /// Takes records, and that no other ones lie before and between them. Records at or past the stop only say that
    /// nothing comes before. After an error nothing was taken.
    pub fn push(&mut self, columns: &Columns<'_>) -> Result<(), ColumnsError> {
        let Self { stop, position, consumer, stats, scratch, .. } = self;
        let mut log_append_time = None;
        columns.for_each(*position, scratch, |record, stamped| {
            skip_to(position, record.offset.min(*stop), consumer, stats);
            if record.offset >= *stop || consumer.is_full() {
                return;
            }
            if log_append_time != Some(stamped) {
                // The nearest thing to a batch that columns have.
                log_append_time = Some(stamped);
                consumer.batch(stamped);
            }
            stats.bytes += record.body.len() as u64;
            consumer.record(record);
            *position = record.offset + 1;
        })
    }

    /// Takes that no further record lies before `offset`: the end of a partition.
    pub fn skip_to(&mut self, offset: i64) {
        skip_to(&mut self.position, offset.min(self.stop), &mut self.consumer, &mut self.stats);
    }

    /// Ends the slice: what is left up to the stop was not read, unless no more was wanted.
    pub fn finish(mut self) -> (C, StreamStats, i64) {
        let reached = self.position();
        if !self.consumer.is_full() {
            self.consumer.gap(self.stop, Gap::Uncovered);
        }
        (self.consumer, self.stats, reached)
    }
}

fn skip_to<C: RecordConsumer>(position: &mut i64, offset: i64, consumer: &mut C, stats: &mut StreamStats) {
    if offset > *position && !consumer.is_full() {
        note_unexplained(stats, (*position, offset));
        consumer.gap(offset, Gap::Unexplained);
        *position = offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{CellBuilder, CellRow, Profile, RowBuilder, read_cells, read_rows};
    use crate::records::ByteColumn;

    fn with_offsets(offsets: &[i64], check: impl FnOnce(&Columns<'_>)) {
        let count = offsets.len();
        let nulls = vec![-1; count];
        let column = ByteColumn { lengths: &nulls, payload: b"" };
        check(&Columns {
            offsets,
            timestamps: &vec![1; count],
            log_append_times: &vec![false; count],
            keys: column,
            values: column,
            header_counts: &vec![0; count],
            ..Columns::default()
        });
    }

    fn cells(reader: ColumnReader<CellBuilder<'_>>) -> (Vec<CellRow>, StreamStats, i64) {
        let (builder, stats, position) = reader.finish();
        (read_cells(&builder.finish().0).unwrap(), stats, position)
    }

    #[test]
    fn every_offset_of_a_slice_is_in_one_place() {
        let profile = Profile::default();
        let mut reader = ColumnReader::new(10, 30, CellBuilder::new(&profile, 10, &[]));
        with_offsets(&[12, 13, 17], |columns| reader.push(columns).unwrap());
        reader.skip_to(20);
        reader.skip_to(15);
        assert_eq!(reader.position(), 20);
        with_offsets(&[20, 21], |columns| reader.push(columns).unwrap());
        let (rows, stats, position) = cells(reader);
        assert_eq!(position, 22);
        let [row] = rows.as_slice() else { panic!("one cell, not {}", rows.len()) };
        assert_eq!((row.start, row.stop, row.lanes.count), (10, 30, 5));
        assert_eq!(row.gaps, [0, 0, 0, 7, 8]);
        assert_eq!(stats.unexplained, [(10, 12), (14, 17), (18, 20)]);
        assert_eq!(stats.unexplained_total, 3);
    }

    #[test]
    fn a_record_past_the_stop_ends_the_slice_and_is_not_taken() {
        let profile = Profile::default();
        let mut reader = ColumnReader::new(10, 15, CellBuilder::new(&profile, 10, &[]));
        with_offsets(&[10, 11, 15, 90], |columns| reader.push(columns).unwrap());
        let (rows, stats, position) = cells(reader);
        assert_eq!((position, rows[0].lanes.count, rows[0].gaps), (15, 2, [0, 0, 0, 3, 0]));
        assert_eq!(stats.unexplained, [(12, 15)]);
    }

    #[test]
    fn offsets_that_come_again_are_refused_whole() {
        let profile = Profile::default();
        let mut reader = ColumnReader::new(0, 9, CellBuilder::new(&profile, 0, &[]));
        with_offsets(&[0, 1], |columns| reader.push(columns).unwrap());
        with_offsets(&[1, 2], |columns| {
            let error = ColumnsError::OffsetNotAscending { offset: 1, expected: 2 };
            assert_eq!(reader.push(columns), Err(error));
        });
        let (rows, _, position) = cells(reader);
        assert_eq!((position, rows[0].lanes.count, rows[0].gaps), (2, 2, [0, 0, 0, 0, 7]));
    }

    #[test]
    fn a_full_table_is_the_whole_answer() {
        let profile = Profile::default();
        let mut reader = ColumnReader::new(0, 100, RowBuilder::new(&profile, 0, 2));
        with_offsets(&[3, 4, 8], |columns| reader.push(columns).unwrap());
        let (builder, _, position) = reader.finish();
        assert_eq!(position, 100);
        let offsets: Vec<i64> = read_rows(&builder.finish()).unwrap().iter().map(|row| row.offset).collect();
        assert_eq!(offsets, [3, 4]);
    }
}
