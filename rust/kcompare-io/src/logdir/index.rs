//! The places in a log from which batches can be read, found by the header pass.

use super::segments::Segment;

/// Bytes between two places that are kept, in a small log.
const CLOSEST: u64 = 256 << 10;
/// Places kept beside those at the beginnings of runs.
const MOST: u64 = 1 << 16;

/// A stretch of a segment in which one whole batch follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The index of the segment.
    pub(super) segment: usize,
    /// Its first byte.
    pub(super) position: u64,
    /// Behind its last byte.
    pub(super) end_position: u64,
    /// The offset that the log had reached before it.
    pub(super) from: i64,
    /// One past its last offset.
    pub(super) to: i64,
    /// The base offset of its first batch.
    pub(super) first_offset: i64,
}

impl Run {
    pub(super) fn is_empty(&self) -> bool {
        self.position == self.end_position
    }
}

/// A batch from which reading can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The index of the segment.
    pub(super) segment: usize,
    /// Its first byte.
    pub(super) position: u64,
    /// The offset that the log had reached before it.
    pub(super) from: i64,
    /// The largest timestamp between this place and the next, by the headers.
    pub(super) max_timestamp: i64,
}

/// Places in ascending order. Every run begins with one.
#[derive(Debug)]
pub(super) struct Index {
    places: Vec<Place>,
    spacing: u64,
}

impl Index {
    pub(super) fn for_segments(segments: &[Segment]) -> Self {
        let bytes: u64 = segments.iter().map(|segment| segment.size).sum();
        Self { places: Vec::new(), spacing: CLOSEST.max(bytes / MOST) }
    }

    /// Notes a batch, which begins a run or not.
    pub(super) fn note(
        &mut self,
        begins_run: bool,
        segment: usize,
        position: u64,
        from: i64,
        timestamp: i64,
    ) {
        if let Some(last) = self.places.last_mut()
            && !begins_run
            && position - last.position < self.spacing
        {
            last.max_timestamp = last.max_timestamp.max(timestamp);
            return;
        }
        self.places.push(Place { segment, position, from, max_timestamp: timestamp });
    }

    /// Forgets the places from a position of a segment on.
    pub(super) fn forget_from(&mut self, segment: usize, position: u64) {
        while self.places.pop_if(|last| (last.segment, last.position) >= (segment, position)).is_some() {}
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The places within a run.
    pub(super) fn within(&self, run: &Run) -> &[Place] {
        let before = |at: u64| {
            self.places.partition_point(|place| (place.segment, place.position) < (run.segment, at))
        };
        &self.places[before(run.position)..before(run.end_position)]
    }

    /// Where to look for `offset` in a run: no batch before that place has it.
    pub(super) fn before(&self, run: &Run, offset: i64) -> (u64, i64) {
        let places = self.within(run);
        let after = places.partition_point(|place| place.from <= offset);
        places[..after].last().map_or((run.position, run.from), |place| (place.position, place.from))
    }
}
