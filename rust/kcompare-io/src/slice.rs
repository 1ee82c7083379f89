//! A slice of a partition on its way from a fetch to its records: the seam between the wire and the digests.

use crate::budget::MemoryBudget;
use crate::cancel::CancelToken;
use crate::wire::{BatchSink, Unreadable};
use kcompare_core::digest::{RecordConsumer, SliceReader, StreamStats, UnreadReason};
use kcompare_core::records::{AbortedTransaction, Frame, RecordErrorKind};

/// Hands batches to a [`SliceReader`] and lends it the large half of the budget for those that need it.
pub struct SliceSink<'a, C, F> {
    reader: SliceReader<C>,
    output_limit: usize,
    budget: &'a MemoryBudget,
    cancel: &'a CancelToken,
    /// Called after every batch with the reader, for progress.
    after: F,
}

/// What a batch may decompress to without the large half: a worker's share without its wire buffer.
pub fn output_share(budget: &MemoryBudget) -> usize {
    budget.base_share() / 2
}

impl<'a, C: RecordConsumer, F: FnMut(&SliceReader<C>)> SliceSink<'a, C, F> {
    /// A sink for `reader`, which must have been made with [`output_share`] as its limit.
    pub fn new(reader: SliceReader<C>, budget: &'a MemoryBudget, cancel: &'a CancelToken, after: F) -> Self {
        Self { reader, output_limit: output_share(budget), budget, cancel, after }
    }

    /// The reader's end: the consumer, what the stream looked like, and the first offset that no batch accounted for.
    pub fn finish(self) -> (C, StreamStats, i64) {
        self.reader.finish()
    }

    /// A batch that needs more than a worker's share. One worker at a time has the large half.
    fn push_large(&mut self, frame: &Frame, bytes: &[u8]) {
        let Ok(mut share) = self.budget.acquire_large(self.cancel) else {
            // The fetch stops at its next look at the token; the batch stays unread.
            let detail = "the run was interrupted while the batch waited for memory".to_owned();
            return self.reader.unreadable(Some(frame), UnreadReason::BatchTooLarge, detail);
        };
        let limit = share.available();
        share.reserve(limit);
        self.reader.set_output_limit(limit);
        if self.reader.push(frame, bytes).is_err() {
            let detail = format!(
                "the batch at offset {} decompresses to more than the {limit} bytes that the memory budget allows; \
                 raise --budget",
                frame.header.base_offset
            );
            self.reader.unreadable(Some(frame), UnreadReason::BatchTooLarge, detail);
        }
        self.reader.set_output_limit(self.output_limit);
    }
}

impl<C: RecordConsumer, F: FnMut(&SliceReader<C>)> BatchSink for SliceSink<'_, C, F> {
    fn aborted_transactions(&mut self, list: &[AbortedTransaction]) {
        self.reader.begin_response(list);
    }

    fn batch(&mut self, frame: &Frame, bytes: &[u8]) {
        if let Err(error) = self.reader.push(frame, bytes) {
            debug_assert!(matches!(error.kind, RecordErrorKind::OutputLimit { .. }));
            self.push_large(frame, bytes);
        }
        (self.after)(&self.reader);
    }

    fn unreadable(&mut self, frame: Option<&Frame>, reason: Unreadable) {
        let detail = match (&reason, frame) {
            (Unreadable::BatchTooLarge { .. }, Some(frame)) => {
                format!("at offset {}: {reason}; raise --budget", frame.header.base_offset)
            }
            _ => reason.to_string(),
        };
        match reason {
            Unreadable::BatchTooLarge { .. } => {
                self.reader.unreadable(frame, UnreadReason::BatchTooLarge, detail);
            }
            Unreadable::Damaged { to, .. } => {
                self.reader.unreadable_to(to, UnreadReason::CorruptBatch, detail);
            }
            Unreadable::Lost { to, reason, .. } => self.reader.unreadable_to(to, reason, detail),
            // The offset that such a batch claims leads nowhere: the log goes on where it was.
            Unreadable::OutOfOrder { .. } | Unreadable::BeyondEnd { .. } => {
                let here = self.reader.position();
                self.reader.unreadable_to(here, UnreadReason::CorruptBatch, detail);
            }
        }
    }

    fn position(&self) -> i64 {
        self.reader.position()
    }
}
