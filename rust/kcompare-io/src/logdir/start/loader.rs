//! The steps of a start, in a broker's order, on segments in memory.
//!
//! References: `LogLoader` and `LogSegment.recover` of Kafka 4.3; KAFKA-6264 (splits), KAFKA-10471 (the marker).

use std::collections::{BTreeMap, BTreeSet};

use super::batches::{Step, first_offset, header, step};
use super::offset_index::OffsetIndex;
use super::producers::{Loaded, Progress, Snapshots};
use super::recover::{Stopped, recover};
use super::segment::{EVERYTHING, Segment};
use super::{Discard, Halt, RecoveredSegment, WhyRecovered};
use crate::cancel::CancelToken;

/// Bytes of an entry of a transaction index, and where its last offset stands.
const ABORTED: usize = 34;
const ABORTED_LAST: usize = 18;
/// A splitting broker may be led in a circle by hostile offsets; this is where the circle is called one.
const MOST_SPLITS: usize = 1000;

/// A log while it is loaded.
pub(super) struct Loader<'a> {
    pub(super) segments: BTreeMap<i64, Segment>,
    pub(super) snapshots: Snapshots,
    pub(super) clean_shutdown: bool,
    pub(super) recovery_point: i64,
    pub(super) log_start: i64,
    pub(super) cancel: &'a CancelToken,
    pub(super) recovered: Vec<RecoveredSegment>,
    /// Segments that are no longer part of the log, by their files, and why.
    pub(super) removed: Vec<(Segment, Discard)>,
    loaded: BTreeSet<i64>,
    splits: usize,
}

impl<'a> Loader<'a> {
    pub(super) fn new(
        segments: BTreeMap<i64, Segment>,
        snapshots: Snapshots,
        checkpoints: (bool, i64, i64),
        cancel: &'a CancelToken,
    ) -> Self {
        let (clean_shutdown, recovery_point, log_start) = checkpoints;
        let (recovered, removed, loaded) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self {
            segments,
            snapshots,
            clean_shutdown,
            recovery_point,
            log_start,
            cancel,
            recovered,
            removed,
            loaded,
            splits: 0,
        }
    }

    /// Loads the log. Returns its log start and its log end.
    pub(super) fn load(&mut self) -> Result<(i64, i64), Halt> {
        while let Some(overflowed) = self.load_segments()? {
            self.split(overflowed)?;
        }
        while let Some(overflowed) = self.recover_unflushed()? {
            self.split(overflowed)?;
        }
        let (end, progress) = self.log_end()?;
        let start = self.log_start.max(self.loaded.first().copied().unwrap_or(self.log_start));
        self.snapshots.remove_stray(&self.loaded);
        let loaded = Loaded { segments: &self.segments, bases: &self.loaded };
        self.snapshots.rebuild(progress, &loaded, start, end, self.clean_shutdown)?;
        Ok((start, end))
    }

    /// Takes every segment in; those without an offset index, or with a bad transaction index, are recovered already
    /// here. Returns one that has to be split.
    fn load_segments(&mut self) -> Result<Option<i64>, Halt> {
        self.loaded.clear();
        for base in self.segments.keys().copied().collect::<Vec<_>>() {
            let segment = &self.segments[&base];
            let why = if segment.index == OffsetIndex::Missing {
                Some(WhyRecovered::NoOffsetIndex)
            } else if has_bad_transaction_index(segment)? {
                Some(WhyRecovered::BadTransactionIndex)
            } else {
                None
            };
            if let Some(why) = why {
                match self.recover_segment(base, why) {
                    Ok(_) => {}
                    Err(Stopped::Overflow) => return Ok(Some(base)),
                    Err(Stopped::InvalidOffset(what)) => {
                        return Err(Halt::Refused(format!(
                            "{what}, and a broker that writes an index anew ends over it"
                        )));
                    }
                    Err(Stopped::Halt(halt)) => return Err(halt),
                }
            }
            self.loaded.insert(base);
        }
        Ok(None)
    }

    fn recover_segment(&mut self, base: i64, why: WhyRecovered) -> Result<u64, Stopped> {
        let loaded = Loaded { segments: &self.segments, bases: &self.loaded };
        let progress = self.snapshots.rebuild(Progress::default(), &loaded, self.log_start, base, false)?;
        let Some(segment) = self.segments.get_mut(&base) else {
            return Ok(0);
        };
        let recovered = recover(segment, self.cancel)?;
        self.snapshots.after_recovery(progress, recovered.producers_end);
        let (name, truncated_at) = (segment.name(), segment.length);
        self.recovered.push(RecoveredSegment {
            name,
            base_offset: base,
            why,
            truncated_at: (recovered.truncated > 0).then_some(truncated_at),
            truncated_bytes: recovered.truncated,
        });
        Ok(recovered.truncated)
    }

    /// Recovers what lies past the recovery point, up to the first damage; what lies behind that is deleted.
    fn recover_unflushed(&mut self) -> Result<Option<i64>, Halt> {
        if self.clean_shutdown {
            return Ok(None);
        }
        let loaded = Loaded { segments: &self.segments, bases: &self.loaded };
        let unflushed = loaded.between(self.recovery_point, i64::MAX);
        for (place, &base) in unflushed.iter().enumerate() {
            let truncated = match self.recover_segment(base, WhyRecovered::PastRecoveryPoint) {
                Ok(truncated) => truncated,
                Err(Stopped::Overflow) => return Ok(Some(base)),
                Err(Stopped::InvalidOffset(_)) => self.empty(base)?,
                Err(Stopped::Halt(halt)) => return Err(halt),
            };
            if truncated > 0 {
                for later in &unflushed[place + 1..] {
                    self.remove(*later, Discard::LaterSegment);
                }
                break;
            }
        }
        Ok(None)
    }

    /// A segment with offsets that do not ascend is emptied, if its base offset is found in it. Returns the bytes cut off.
    fn empty(&mut self, base: i64) -> Result<u64, Halt> {
        let Some(segment) = self.segments.get_mut(&base) else {
            return Ok(0);
        };
        let mut pages = segment.pages(EVERYTHING)?;
        let found = segment.translate(&mut pages, base)?;
        segment.index = OffsetIndex::Built(Vec::new());
        let kept = found.map_or(segment.length, |front| front.position);
        let truncated = segment.length - kept;
        segment.length = kept;
        self.recovered.push(RecoveredSegment {
            name: segment.name(),
            base_offset: base,
            why: WhyRecovered::OffsetsOutOfOrder,
            truncated_at: (truncated > 0).then_some(kept),
            truncated_bytes: truncated,
        });
        Ok(truncated)
    }

    fn remove(&mut self, base: i64, why: Discard) {
        self.loaded.remove(&base);
        self.snapshots.0.remove(&base);
        if let Some(segment) = self.segments.remove(&base) {
            self.removed.push((segment, why));
        }
    }

    /// Where the log ends. A log that ends below its log start is deleted as a whole.
    fn log_end(&mut self) -> Result<(i64, Progress), Halt> {
        let Some(last) = self.loaded.last().and_then(|base| self.segments.get(base)) else {
            return Ok((self.log_start, Progress::default()));
        };
        let end = last.next_offset()?;
        if end >= self.log_start {
            return Ok((end, Progress::default()));
        }
        for base in self.loaded.clone() {
            self.remove(base, Discard::BelowLogStart);
        }
        self.snapshots.0.clear();
        Ok((self.log_start, Progress { map_end: self.log_start, last_snapshot: 0 }))
    }

    /// Splits a segment in which an offset is too far from the base offset.
    fn split(&mut self, base: i64) -> Result<(), Halt> {
        let Some(segment) = self.segments.get(&base).cloned() else {
            return Ok(());
        };
        let next = segment.next_offset()?;
        self.splits += 1;
        if next <= base || segment.takes(next - 1) || self.splits > MOST_SPLITS {
            return Err(Halt::Refused(format!(
                "{} holds offsets that do not belong to its name, and a broker ends with \"Split operation is only \
                 permitted for segments with overflow\"",
                segment.name()
            )));
        }
        let parts = parts_of(&segment, self.cancel)?;
        let keeps_name = parts.first().is_some_and(|part| part.base_offset == base);
        if !keeps_name {
            self.segments.remove(&base);
        }
        for part in parts {
            let overwritten = self.segments.insert(part.base_offset, part);
            if let Some(other) = overwritten.filter(|other| other.path != segment.path) {
                self.removed.push((other, Discard::Overwritten));
            }
        }
        if !keeps_name {
            self.loaded.remove(&base);
        }
        self.loaded.extend(
            self.segments.values().filter(|part| part.path == segment.path).map(|part| part.base_offset),
        );
        Ok(())
    }
}

/// The segments that a split makes of one.
fn parts_of(segment: &Segment, cancel: &CancelToken) -> Result<Vec<Segment>, Halt> {
    let mut pages = segment.pages(EVERYTHING)?;
    let (mut parts, mut position) = (Vec::new(), 0);
    let cannot = |position: u64| {
        let name = segment.name();
        Halt::Refused(format!("a broker has to split {name} and ends over what it finds at byte {position}"))
    };
    while position < segment.length {
        cancel.check()?;
        let first = segment.next(&mut pages, position, segment.length)?.ok_or_else(|| cannot(position))?;
        let mut part = Segment {
            base_offset: first_offset(&mut pages, &first)?,
            from: segment.from + position,
            length: 0,
            index: OffsetIndex::Built(Vec::new()),
            transaction_index: None,
            ..segment.clone()
        };
        let (mut entries, mut since_entry) = (Vec::<(i32, i32)>::new(), 0);
        while let Some(front) = segment.next(&mut pages, position + part.length, segment.length)? {
            if !(0..=2).contains(&front.magic) {
                return Err(cannot(front.position));
            }
            let last_offset = segment.last_offset(&mut pages, &front)?;
            if !part.takes(last_offset) {
                break;
            }
            if since_entry > 4096 {
                let relative = (last_offset - part.base_offset) as i32;
                if entries.last().is_some_and(|&(last, _)| relative <= last) {
                    return Err(cannot(front.position));
                }
                entries.push((relative, part.length as i32));
                since_entry = 0;
            }
            since_entry += front.size;
            part.length += front.size;
        }
        if part.length == 0 {
            return Err(cannot(position));
        }
        position += part.length;
        part.index = OffsetIndex::Built(entries);
        parts.push(part);
    }
    Ok(parts)
}

/// Whether a transaction index names a transaction that ended before its segment begins.
fn has_bad_transaction_index(segment: &Segment) -> Result<bool, Halt> {
    let Some(path) = &segment.transaction_index else {
        return Ok(false);
    };
    let mut pages = super::pages::Pages::open(path, 0, 64 << 10)?;
    let mut position = 0;
    while let Some(entry) = pages.bytes(position, ABORTED)? {
        // A broker looks at the first byte of the two.
        let version = entry[0] as i8;
        if version > 0 {
            return Err(Halt::Refused(format!(
                "{} holds an entry of version {version}, and a broker ends over it",
                path.display()
            )));
        }
        let mut last = [0; 8];
        last.copy_from_slice(&entry[ABORTED_LAST..ABORTED_LAST + 8]);
        if i64::from_be_bytes(last) < segment.base_offset {
            return Ok(true);
        }
        position += ABORTED as u64;
    }
    Ok(false)
}

/// The base offset of a segment's first batch, if it has one.
pub(super) fn first_batch(segment: &Segment) -> Result<Option<(i64, i64)>, Halt> {
    let mut pages = segment.pages(4096)?;
    let Step::Batch(front) = step(&mut pages, 0, segment.length)? else {
        return Ok(None);
    };
    let first = match first_offset(&mut pages, &front) {
        Err(Halt::Refused(_)) => return Ok(None),
        first => first?,
    };
    Ok(header(&mut pages, &front)?.map(|header| (first, header.last_offset)))
}
