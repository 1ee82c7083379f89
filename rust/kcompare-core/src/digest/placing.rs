//! The records of one data batch on their way to what takes them, with every offset between them accounted for.

use super::cells::Gap;
use super::reader::RecordConsumer;
use crate::records::{BatchHeader, RecordView};
use std::ops::Range;

/// What became of a batch.
pub(super) struct Placed {
    /// Next offset that the consumer has no account of.
    pub(super) expected: i64,
    /// Where the batch says that it begins, if it had no record that counts.
    pub(super) begins_at: Option<i64>,
    /// The hole before the batch.
    pub(super) hole: Option<(i64, i64)>,
    /// A legacy batch held records below the start.
    pub(super) repeats: bool,
}

/// Gives the records of one data batch to the consumer, with the gaps between them.
pub(super) struct Placing<'a, C> {
    consumer: &'a mut C,
    header: &'a BatchHeader,
    /// Where the slice stood before the batch.
    start: i64,
    /// The stop of the slice.
    stop: i64,
    /// Below it a record at the expected offset is only to be handed on.
    plain_below: i64,
    /// No record of the batch was handed on.
    is_new: bool,
    is_aborted: bool,
    placed: Placed,
}

impl<'a, C: RecordConsumer> Placing<'a, C> {
    /// A batch of a slice of which `left` is not accounted for.
    pub(super) fn new(
        consumer: &'a mut C,
        header: &'a BatchHeader,
        left: Range<i64>,
        is_aborted: bool,
    ) -> Self {
        // A legacy wrapper does not say where it begins.
        let begins_at = Some(header.base_offset).filter(|_| header.magic >= 2);
        Self {
            consumer,
            header,
            start: left.start,
            stop: left.end,
            plain_below: i64::MIN,
            is_new: true,
            is_aborted,
            placed: Placed { expected: left.start, begins_at, hole: None, repeats: false },
        }
    }

    pub(super) fn finish(self) -> Placed {
        self.placed
    }

    #[inline]
    pub(super) fn take(&mut self, record: &RecordView<'_>) {
        if record.offset == self.placed.expected && record.offset < self.plain_below {
            self.consumer.record(record);
            self.placed.expected = record.offset + 1;
        } else {
            self.take_any(record);
        }
    }

    /// A record of which nothing is known.
    #[inline(never)]
    fn take_any(&mut self, record: &RecordView<'_>) {
        if record.offset < self.placed.expected || record.offset >= self.stop {
            // A legacy wrapper does not say where it begins, so only its records show that it repeats offsets.
            self.placed.repeats |= record.offset < self.start && self.header.magic < 2;
            return;
        }
        if self.is_new {
            self.is_new = false;
            self.consumer.batch(self.header.is_log_append_time());
            let from = self.placed.begins_at.take().unwrap_or(record.offset);
            if from > self.placed.expected {
                self.placed.hole = Some((self.placed.expected, from));
                self.consumer.gap(from, Gap::Unexplained);
                self.placed.expected = from;
            }
            if !self.is_aborted {
                self.plain_below = self.stop;
            }
        }
        if record.offset > self.placed.expected {
            self.consumer.gap(record.offset, Gap::Compacted);
        }
        if self.is_aborted {
            self.consumer.aborted(record);
        } else {
            self.consumer.record(record);
        }
        self.placed.expected = record.offset + 1;
    }
}
