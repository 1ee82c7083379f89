//! Which data batches belong to aborted transactions.

use std::collections::{BTreeSet, HashMap};

use super::control::ControlRecordType;
use super::header::BatchHeader;

/// An aborted transaction as a Fetch response or a transaction index names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// Where the transaction's first batch begins.
    pub first_offset: i64,
}

/// Flags the batches of aborted transactions while a log is read in the order of its offsets.
///
/// A transactional data batch is aborted from the `first_offset` of an entry of its producer on, until that producer's
/// ABORT marker. The list may be unsorted and may name a transaction twice; consecutive Fetch responses do. It must not
/// name a transaction whose marker lies before the first batch observed: nothing here could tell that it is over.
#[derive(Debug, Clone, Default)]
pub struct AbortedFilter {
    producers: HashMap<i64, Producer>,
}

#[derive(Debug, Clone, Default)]
struct Producer {
    /// First offsets of the transactions whose ABORT marker was not seen yet.
    open: BTreeSet<i64>,
    /// Where this producer's last ABORT marker was seen: transactions that began before it are over.
    last_abort: Option<i64>,
}

impl AbortedFilter {
    /// A filter that knows these transactions.
    pub fn new(aborted: impl IntoIterator<Item = AbortedTransaction>) -> Self {
        let mut filter = Self::default();
        filter.extend(aborted);
        filter
    }

    /// Whether this control batch commits a transaction that the list calls aborted: one of the two is wrong.
    pub fn contradicts(&self, header: &BatchHeader, control: Option<ControlRecordType>) -> bool {
        let began =
            |producer: &Producer| producer.open.first().is_some_and(|&first| first < header.base_offset);
        header.is_control()
            && control == Some(ControlRecordType::Commit)
            && self.producers.get(&header.producer_id).is_some_and(began)
    }

    /// Looks at the next batch of the log; true when it is a data batch of an aborted transaction.
    ///
    /// `control` is what [`super::BatchSummary`] says of a control batch.
    pub fn observe(&mut self, header: &BatchHeader, control: Option<ControlRecordType>) -> bool {
        let Some(producer) = self.producers.get_mut(&header.producer_id) else {
            return false;
        };
        if header.is_control() {
            if control == Some(ControlRecordType::Abort) {
                producer.end_at(header.base_offset);
            }
            return false;
        }
        // A transaction begins at a batch's base offset, and compaction keeps that; Kafka's consumer compares with the
        // last offset all the same, so a rewritten base offset does not matter.
        let began = producer.open.first().is_some_and(|&first| first <= header.last_offset());
        header.is_transactional() && began
    }
}

impl Extend<AbortedTransaction> for AbortedFilter {
    fn extend<I: IntoIterator<Item = AbortedTransaction>>(&mut self, aborted: I) {
        for AbortedTransaction { producer_id, first_offset } in aborted {
            // Legacy entries and plain batches carry producer -1, which is never part of a transaction.
            if producer_id < 0 {
                continue;
            }
            let producer = self.producers.entry(producer_id).or_default();
            if producer.last_abort.is_none_or(|marker| first_offset > marker) {
                producer.open.insert(first_offset);
            }
        }
    }
}

impl Producer {
    fn end_at(&mut self, marker: i64) {
        self.last_abort = self.last_abort.max(Some(marker));
        self.open = self.open.split_off(&marker.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, peek};

    fn header(offset: i64, producer: i64, control: bool) -> BatchHeader {
        let mut builder = BatchBuilder::new(offset).producer(producer, 0, 0).transactional();
        if control {
            builder = builder.control();
        }
        let bytes = builder.last_offset_delta(4).build().unwrap();
        peek(&bytes, 0).unwrap().unwrap().header
    }

    fn aborted(producer_id: i64, first_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset }
    }

    #[test]
    fn from_the_first_offset_to_the_marker() {
        let mut filter = AbortedFilter::new([aborted(7, 100), aborted(7, 20), aborted(7, 20)]);
        assert!(!filter.observe(&header(10, 7, false), None), "before it begins");
        assert!(filter.observe(&header(20, 7, false), None));
        assert!(!filter.observe(&header(25, 8, false), None), "another producer");
        assert!(!filter.observe(&header(30, 8, true), Some(ControlRecordType::Abort)), "another's marker");
        assert!(filter.observe(&header(35, 7, false), None));
        assert!(
            !filter.observe(&header(40, 7, true), Some(ControlRecordType::Abort)),
            "the marker is no data"
        );
        assert!(!filter.observe(&header(45, 7, false), None), "after the marker");
        assert!(filter.observe(&header(100, 7, false), None), "the next transaction");
        filter.observe(&header(110, 7, true), Some(ControlRecordType::Abort));
        assert!(!filter.observe(&header(120, 7, false), None));
    }

    #[test]
    fn a_transaction_named_again_after_its_marker_stays_over() {
        let mut filter = AbortedFilter::new([aborted(7, 20)]);
        assert!(filter.observe(&header(20, 7, false), None));
        filter.observe(&header(40, 7, true), Some(ControlRecordType::Abort));
        filter.extend([aborted(7, 20), aborted(7, 60)]);
        assert!(!filter.observe(&header(45, 7, false), None));
        assert!(filter.observe(&header(60, 7, false), None));
    }

    #[test]
    fn commits_and_plain_batches_of_the_producer_change_nothing() {
        let mut filter = AbortedFilter::new([aborted(7, 20), aborted(-1, 0)]);
        assert!(!filter.observe(&header(10, 7, true), Some(ControlRecordType::Commit)));
        let plain = BatchBuilder::new(21).producer(7, 0, 0).build().unwrap();
        assert!(!filter.observe(&peek(&plain, 0).unwrap().unwrap().header, None));
        let nobody = BatchBuilder::new(21).transactional().build().unwrap();
        assert!(!filter.observe(&peek(&nobody, 0).unwrap().unwrap().header, None));
        assert!(filter.observe(&header(22, 7, false), None));
    }

    #[test]
    fn reading_may_begin_inside_the_transaction() {
        let mut filter = AbortedFilter::new([aborted(7, 20)]);
        assert!(filter.observe(&header(500, 7, false), None));
    }
}
