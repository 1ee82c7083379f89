//! Whether compaction explains a hole in the offsets of a log.
//!
//! Only the log cleaner leaves holes. It writes down how far it has come, and it leaves batches that lack records behind; a
//! hole that neither of the two explains is a segment file that is missing.

/// How near a batch that lacks records must be, in offsets.
pub(super) const NEAR: i64 = 1 << 16;

/// Offsets between two segments that no batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) start: i64,
    pub(super) stop: i64,
    /// Whether compaction explains it.
    pub(super) explained: bool,
}

/// What is known of the cleaner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// From `cleaner-offset-checkpoint`: the cleaner has been over everything below.
    cleaned_to: Option<i64>,
    /// One past the last batch that lacks records.
    last_sparse: Option<i64>,
}

impl Evidence {
    pub(super) fn new(cleaned_to: Option<i64>) -> Self {
        Self { cleaned_to, last_sparse: None }
    }

    /// A hole, as far as it can be judged by what lies before it.
    pub(super) fn hole(&self, start: i64, stop: i64) -> Hole {
        let cleaned = self.cleaned_to.is_some_and(|cleaned_to| stop <= cleaned_to);
        let near = self.last_sparse.is_some_and(|last| start.saturating_sub(last) <= NEAR);
        Hole { start, stop, explained: cleaned || near }
    }

    /// A batch that lacks records ends at `next_offset`.
    pub(super) fn sparse(&mut self, next_offset: i64) {
        self.last_sparse = Some(next_offset);
    }
}
