//! Offsets by time: by the batch headers, then by the records of one batch.

use kcompare_core::records::{BatchDecoder, Frame};

use super::error::LogDirError;
use super::file::SegmentFile;
use super::index::Run;
use super::partition::{PartitionLog, Stretch};
use super::window::{Seen, Window};
use crate::cancel::CancelToken;
use crate::serve::TimestampOffset;

/// The largest batch that is searched, as stored and decompressed.
const LARGEST: usize = 64 << 20;

impl PartitionLog {
    /// The first record whose timestamp is `timestamp` or later: by the batch headers, then by the records of one batch.
    ///
    /// An error where it may be among what cannot be read.
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
        cancel: &CancelToken,
    ) -> Result<Option<TimestampOffset>, LogDirError> {
        cancel.check()?;
        self.first_record(cancel, |largest| largest >= timestamp, |time| time >= timestamp)
    }

    /// The first record with the largest timestamp.
    pub fn max_timestamp(&self, cancel: &CancelToken) -> Result<Option<TimestampOffset>, LogDirError> {
        cancel.check()?;
        let largest = self.index.places().iter().map(|place| place.max_timestamp).max();
        let Some(largest) = largest.filter(|largest| *largest >= 0) else {
            return Ok(None);
        };
        self.first_record(cancel, |batch| batch == largest, |time| time == largest)
    }

    fn first_record(
        &self,
        cancel: &CancelToken,
        may_hold: impl Fn(i64) -> bool,
        is_it: impl Fn(i64) -> bool,
    ) -> Result<Option<TimestampOffset>, LogDirError> {
        let start = self.bounds().log_start_offset;
        // Offsets that cannot be read, since the last batch that was too old.
        let mut doubtful = None;
        for stretch in self.stretches_from(start) {
            let run = match stretch {
                Stretch::Run(run) => run,
                Stretch::Lost(number) => {
                    let lost = &self.lost()[*number];
                    doubtful.get_or_insert((lost.start, lost.stop));
                    continue;
                }
            };
            let found = self.in_run(run, start, cancel, &may_hold, &is_it)?;
            match (found, doubtful) {
                (None, _) => doubtful = None,
                (Some(found), Some((from, to))) if found.first_of_run => {
                    let detail = format!(
                        "has no answer: offsets [{from}, {to}) cannot be read, and the record may be among them"
                    );
                    return Err(LogDirError::malformed(&self.dir().path, detail));
                }
                (Some(found), _) => return Ok(Some(found.record)),
            }
        }
        Ok(None)
    }

    fn in_run(
        &self,
        run: &Run,
        start: i64,
        cancel: &CancelToken,
        may_hold: &impl Fn(i64) -> bool,
        is_it: &impl Fn(i64) -> bool,
    ) -> Result<Option<FoundRecord>, LogDirError> {
        let segment = &self.segments()[run.segment];
        let mut window = Window::new(SegmentFile::open(segment, None, cancel)?);
        let places = self.index.within(run);
        for (number, place) in places.iter().enumerate().filter(|(_, place)| may_hold(place.max_timestamp)) {
            let stop = places.get(number + 1).map_or(run.end_position, |next| next.position);
            let mut position = place.position;
            while position < stop {
                let Seen::Batch(frame) = window.look(position)? else {
                    return Err(self.not_as_before(run, position));
                };
                if frame.header.next_offset() > start
                    && may_hold(frame.header.max_timestamp)
                    && let Some(mut found) = self.in_batch(&window, run, position, &frame, start, is_it)?
                {
                    found.first_of_run &= position == run.position;
                    return Ok(Some(found));
                }
                position += frame.size as u64;
            }
        }
        Ok(None)
    }

    fn in_batch(
        &self,
        window: &Window<'_>,
        run: &Run,
        position: u64,
        frame: &Frame,
        start: i64,
        is_it: &impl Fn(i64) -> bool,
    ) -> Result<Option<FoundRecord>, LogDirError> {
        let path = &self.segments()[run.segment].path;
        let refuse = |why: String| {
            let base_offset = frame.header.base_offset;
            let detail = format!(
                "has no answer: the record may be in the batch at offset {base_offset}, byte {position}: {why}"
            );
            LogDirError::malformed(path, detail)
        };
        if frame.size > LARGEST {
            return Err(refuse(format!("it has {} bytes, and at most {LARGEST} are searched", frame.size)));
        }
        let mut bytes = vec![0; frame.size];
        window.file().read(&mut bytes, position)?;
        let (mut first, mut found) = (true, None);
        BatchDecoder::new(LARGEST)
            .decode(&bytes, position, |record| {
                if record.offset < start || found.is_some() {
                    return;
                }
                if is_it(record.timestamp) {
                    let record = TimestampOffset { timestamp: record.timestamp, offset: record.offset };
                    found = Some(FoundRecord { record, first_of_run: first });
                }
                first = false;
            })
            .map_err(|error| refuse(error.kind.to_string()))?;
        Ok(found)
    }
}

/// A record that was searched for.
struct FoundRecord {
    record: TimestampOffset,
    /// It is the first one of its run, so that what lies before the run may have held an earlier one.
    first_of_run: bool,
}
