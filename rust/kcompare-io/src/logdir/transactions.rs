//! Which transactions were aborted, which are open, and of which nothing certain can be said.
//!
//! A marker may be hidden wherever bytes are damaged or offsets are missing. To give the records before such a place to the
//! next marker behind it could make aborted records of committed ones, and a difference of two equal logs. So what was open
//! there is *doubtful*, and its records are not read under `read_committed`; behind it the next marker decides again.

use std::collections::HashMap;

use kcompare_core::digest::UnreadReason;
use kcompare_core::records::{AbortedTransaction, ControlRecordType};

/// Transactions of one partition that are kept, of each kind.
const MOST: usize = 1 << 20;

/// An aborted transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Aborted {
    producer_id: i64,
    first_offset: i64,
    /// The offset of its marker.
    marker: i64,
}

/// Offsets of a producer whose marker may have been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubt {
    producer_id: i64,
    first_offset: i64,
    /// One past the last offset of which it is not known what became of it.
    until: i64,
    /// What may hide the marker.
    pub(super) reason: UnreadReason,
}

/// The transactions of one partition.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// Producers with an open transaction, and the first offset of it.
    open: HashMap<i64, i64>,
    /// Ascending by marker.
    aborted: Vec<Aborted>,
    /// Ascending by producer, then by offset, once [`Self::settle`] was called.
    doubts: Vec<Doubt>,
    /// Transactions from here on were too many to keep.
    overflow: Option<i64>,
}

impl Transactions {
    /// A data batch of a transaction.
    pub(super) fn data(&mut self, producer_id: i64, base_offset: i64) {
        if producer_id < 0 || self.open.contains_key(&producer_id) {
            return;
        }
        if self.open.len() < MOST {
            self.open.insert(producer_id, base_offset);
        } else {
            self.overflow_at(base_offset);
        }
    }

    /// A sound control batch.
    pub(super) fn marker(&mut self, producer_id: i64, base_offset: i64, kind: ControlRecordType) {
        let (Some(first_offset), aborted) = (match kind {
            ControlRecordType::Abort => (self.open.remove(&producer_id), true),
            ControlRecordType::Commit => (self.open.remove(&producer_id), false),
            ControlRecordType::Other(_) => (None, false),
        }) else {
            return;
        };
        if aborted && self.aborted.len() < MOST {
            self.aborted.push(Aborted { producer_id, first_offset, marker: base_offset });
        } else if aborted {
            self.overflow_at(first_offset);
        }
    }

    /// Something at `offset` may hide markers.
    pub(super) fn doubt(&mut self, offset: i64, reason: UnreadReason) {
        for (producer_id, first_offset) in std::mem::take(&mut self.open) {
            if self.doubts.len() < MOST {
                self.doubts.push(Doubt { producer_id, first_offset, until: offset, reason });
            } else {
                self.overflow_at(first_offset);
            }
        }
    }

    /// What was said of offsets from `offset` on is not to be believed: what a marker there ended is doubtful, what began
    /// there did not.
    pub(super) fn rewind(&mut self, offset: i64, reason: UnreadReason) {
        while let Some(last) = self.aborted.pop_if(|last| last.marker >= offset) {
            let Aborted { producer_id, first_offset, .. } = last;
            self.doubts.push(Doubt { producer_id, first_offset, until: offset, reason });
        }
        self.open.retain(|_, first_offset| *first_offset < offset);
        self.doubts.retain_mut(|doubt| {
            if doubt.until >= offset {
                (doubt.until, doubt.reason) = (offset, reason);
            }
            doubt.first_offset < offset
        });
    }

    fn overflow_at(&mut self, offset: i64) {
        self.overflow = Some(self.overflow.map_or(offset, |first| first.min(offset)));
    }

    /// At `end` the log ends and hides nothing: what seemed doubtful there is open.
    pub(super) fn reopen(&mut self, end: i64) {
        for doubt in self.doubts.extract_if(.., |doubt| doubt.until >= end) {
            let first = self.open.entry(doubt.producer_id).or_insert(doubt.first_offset);
            *first = doubt.first_offset.min(*first);
        }
    }

    /// The log ends at `end`: transactions that begin behind it are none.
    pub(super) fn settle(&mut self, end: i64) {
        self.open.retain(|_, first_offset| *first_offset < end);
        self.doubts.sort_by_key(|doubt| (doubt.producer_id, doubt.first_offset));
    }

    /// The first offset of the earliest open transaction.
    pub(super) fn first_open(&self) -> Option<i64> {
        self.open.values().copied().min()
    }

    /// The aborted transactions that have records in `[start, stop)` and whose markers do not lie below `start`.
    pub(super) fn aborted_in(&self, start: i64, stop: i64) -> Vec<AbortedTransaction> {
        let from = self.aborted.partition_point(|aborted| aborted.marker < start);
        let overlapping = self.aborted[from..].iter().filter(|aborted| aborted.first_offset < stop);
        overlapping
            .map(|aborted| AbortedTransaction {
                producer_id: aborted.producer_id,
                first_offset: aborted.first_offset,
            })
            .collect()
    }

    /// Whether every transaction is known for what it is.
    #[cfg(test)]
    fn are_certain(&self) -> bool {
        self.doubts.is_empty() && self.overflow.is_none()
    }

    /// The first offset from `offset` on of which nobody can tell whether a batch of a transaction there counts.
    pub(super) fn certain_until(&self, offset: i64) -> i64 {
        let doubtful =
            self.doubts.iter().filter(|doubt| doubt.until > offset).map(|doubt| doubt.first_offset);
        doubtful.chain(self.overflow).min().map_or(i64::MAX, |first| first.max(offset))
    }

    /// Why nobody can tell whether a data batch of a transaction counts.
    pub(super) fn doubt_about(&self, producer_id: i64, base_offset: i64) -> Option<(UnreadReason, String)> {
        if self.overflow.is_some_and(|first| base_offset >= first) {
            let detail = format!(
                "offset {base_offset} is in a transaction, and more than {MOST} of them are not kept apart; read \
                 with --isolation read_uncommitted"
            );
            return Some((UnreadReason::BatchTooLarge, detail));
        }
        let after = self
            .doubts
            .partition_point(|doubt| (doubt.producer_id, doubt.first_offset) <= (producer_id, base_offset));
        let doubt = self.doubts[..after]
            .last()
            .filter(|doubt| doubt.producer_id == producer_id && base_offset < doubt.until)?;
        let detail = format!(
            "offset {base_offset} is in a transaction of producer {producer_id} that began at offset {}, and its \
             marker may be among what cannot be read at offset {}",
            doubt.first_offset, doubt.until
        );
        Some((doubt.reason, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABORT: ControlRecordType = ControlRecordType::Abort;
    const COMMIT: ControlRecordType = ControlRecordType::Commit;

    fn aborted(producer_id: i64, first_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset }
    }

    #[test]
    fn a_marker_ends_what_its_producer_began() {
        let mut all = Transactions::default();
        all.data(7, 10);
        all.data(7, 12);
        all.data(8, 11);
        all.marker(7, 15, ABORT);
        all.marker(8, 16, COMMIT);
        all.marker(9, 17, ABORT);
        all.data(7, 18);
        all.data(-1, 19);
        all.settle(20);
        assert_eq!(all.aborted_in(0, 20), [aborted(7, 10)]);
        assert_eq!(all.first_open(), Some(18));
        assert!(all.are_certain());
    }

    #[test]
    fn a_list_names_no_transaction_that_ended_before_it_or_begins_behind_it() {
        let mut all = Transactions::default();
        for first in [10, 20, 30] {
            all.data(7, first);
            all.marker(7, first + 5, ABORT);
        }
        assert_eq!(all.aborted_in(15, 30), [aborted(7, 10), aborted(7, 20)]);
        assert_eq!(all.aborted_in(16, 31), [aborted(7, 20), aborted(7, 30)]);
        assert_eq!(all.aborted_in(36, 100), []);
    }

    #[test]
    fn what_is_open_where_a_marker_may_hide_is_doubtful_up_to_there() {
        let mut all = Transactions::default();
        all.data(7, 10);
        all.doubt(20, UnreadReason::DamageBeforeEnd);
        all.data(7, 30);
        all.marker(7, 40, ABORT);
        all.settle(50);
        assert!(!all.are_certain());
        assert_eq!(all.aborted_in(0, 50), [aborted(7, 30)]);
        assert_eq!(all.first_open(), None);
        let doubtful = |offset| all.doubt_about(7, offset).map(|(reason, _)| reason);
        assert_eq!([9, 20, 30].map(doubtful), [None; 3]);
        assert_eq!([10, 19].map(doubtful), [Some(UnreadReason::DamageBeforeEnd); 2]);
        assert_eq!(all.doubt_about(8, 15), None);
        assert_eq!(
            [0, 9, 10, 19, 20, 30].map(|offset| all.certain_until(offset)),
            [10, 10, 10, 19, i64::MAX, i64::MAX]
        );
    }

    #[test]
    fn a_marker_that_is_not_where_it_says_ends_nothing() {
        let mut all = Transactions::default();
        all.data(7, 10);
        all.marker(7, 900, ABORT);
        all.rewind(20, UnreadReason::DamageBeforeEnd);
        all.settle(50);
        assert_eq!(all.aborted_in(0, 50), []);
        assert!(all.doubt_about(7, 12).is_some() && all.doubt_about(7, 20).is_none());
    }

    #[test]
    fn what_begins_behind_the_end_was_never_begun() {
        let mut all = Transactions::default();
        all.data(7, 10);
        all.settle(10);
        assert_eq!(all.first_open(), None);
    }
}
