//! The snapshots of the producers' state: from which one a start reads the log again, and what it stumbles over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use kcompare_core::records::BatchChecksum;

use super::Halt;
use super::segment::Segment;

/// Batches are looked at by their headers.
const PIECE: usize = 64 << 10;
/// The only version of the file, and where its checksum begins to count.
const VERSION: i16 = 1;
const COVERED: usize = 6;
/// Room for a million producers; a broker with more than that has other troubles.
const LARGEST: u64 = 64 << 20;

/// The `.snapshot` files of a partition directory; `None` for one that the start itself has written.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshots(pub(super) BTreeMap<i64, Option<PathBuf>>);

/// How far the producers' state has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// The end of what it covers.
    pub(super) map_end: i64,
    /// The last snapshot.
    pub(super) last_snapshot: i64,
}

/// The segments that a start has loaded so far.
pub(super) struct Loaded<'a> {
    pub(super) segments: &'a BTreeMap<i64, Segment>,
    pub(super) bases: &'a BTreeSet<i64>,
}

impl Loaded<'_> {
    /// The segments from the one that holds `from` up to those that begin below `to`.
    pub(super) fn between(&self, from: i64, to: i64) -> Vec<i64> {
        let first = self.bases.range(..=from).next_back().copied().unwrap_or(i64::MIN);
        if first >= to { Vec::new() } else { self.bases.range(first..to).copied().collect() }
    }
}

impl Snapshots {
    fn newest_readable(&mut self) -> Option<i64> {
        while let Some(entry) = self.0.last_entry() {
            match entry.get() {
                Some(path) if !is_readable(path) => {
                    entry.remove();
                }
                _ => return Some(*entry.key()),
            }
        }
        None
    }

    fn take(&mut self, progress: &mut Progress) {
        if progress.map_end > progress.last_snapshot {
            self.0.insert(progress.map_end, None);
            progress.last_snapshot = progress.map_end;
        }
    }

    /// Takes a snapshot at the end of a recovered segment.
    pub(super) fn after_recovery(&mut self, mut progress: Progress, end: Option<i64>) {
        progress.map_end = end.unwrap_or(progress.map_end);
        self.take(&mut progress);
    }

    /// Removes what belongs to no segment, except for the newest one behind the last segment.
    pub(super) fn remove_stray(&mut self, bases: &BTreeSet<i64>) {
        let stray: Vec<i64> = self.0.keys().copied().filter(|offset| !bases.contains(offset)).collect();
        let last = bases.last().copied().unwrap_or(i64::MAX);
        for (place, offset) in stray.iter().enumerate() {
            if place + 1 < stray.len() || *offset < last {
                self.0.remove(offset);
            }
        }
    }

    /// Rebuilds the state up to `end`, which reads the log from the newest snapshot on.
    pub(super) fn rebuild(
        &mut self,
        mut progress: Progress,
        loaded: &Loaded<'_>,
        log_start: i64,
        end: i64,
        after_clean_shutdown: bool,
    ) -> Result<Progress, Halt> {
        let mut wanted: Vec<i64> = loaded.bases.iter().rev().take(2).copied().collect();
        wanted.push(end);
        if self.0.is_empty() && after_clean_shutdown {
            wanted.sort_unstable();
            for offset in wanted {
                progress.map_end = offset;
                self.take(&mut progress);
            }
            return Ok(progress);
        }
        let nothing_before = progress.map_end >= end;
        self.truncate_and_reload(&mut progress, log_start, end);
        if end > progress.map_end && !nothing_before {
            for base in loaded.between(progress.map_end, end) {
                progress.map_end = base.max(progress.map_end).max(log_start);
                if wanted.contains(&base) {
                    self.take(&mut progress);
                }
                let is_last = loaded.bases.range(..=end).next_back() == Some(&base);
                if let Some(segment) = loaded.segments.get(&base) {
                    read_through(segment, progress.map_end, is_last.then_some(end))?;
                }
            }
        }
        progress.map_end = end;
        self.take(&mut progress);
        Ok(progress)
    }

    fn truncate_and_reload(&mut self, progress: &mut Progress, log_start: i64, end: i64) {
        self.0.retain(|&offset, _| offset <= end && offset > log_start);
        if end == progress.map_end {
            progress.map_end = progress.map_end.max(log_start);
            progress.last_snapshot = self.0.last_key_value().map_or(log_start, |(&offset, _)| offset);
        } else {
            let newest = self.newest_readable().unwrap_or(log_start);
            *progress = Progress { map_end: newest, last_snapshot: newest };
        }
    }
}

/// Reads the headers of a segment from an offset on, and everything that can go wrong with that ends the broker.
fn read_through(segment: &Segment, start: i64, end: Option<i64>) -> Result<(), Halt> {
    let mut pages = segment.pages(PIECE)?;
    let stop = match end {
        Some(end) => segment.translate(&mut pages, end)?.map_or(segment.length, |front| front.position),
        None => segment.length,
    };
    let Some(first) = segment.translate(&mut pages, start)? else {
        return Ok(());
    };
    if first.position > stop {
        return Err(Halt::Refused(format!(
            "the offsets of {} are out of order: a broker looks for offset {start} behind the end of its log",
            segment.name()
        )));
    }
    let mut position = first.position;
    while let Some(front) = segment.next(&mut pages, position, stop)? {
        segment.last_offset(&mut pages, &front)?;
        position = front.end();
    }
    Ok(())
}

/// Whether a snapshot says what was written: anything else is deleted, and an older one is taken.
fn is_readable(path: &PathBuf) -> bool {
    // A file that cannot be read ends a broker; this run has then no answer either, and says so elsewhere.
    let small = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= LARGEST);
    let Ok(bytes) = (if small { std::fs::read(path) } else { Ok(Vec::new()) }) else {
        return false;
    };
    let Some((front, covered)) = bytes.split_first_chunk::<COVERED>() else {
        return false;
    };
    let mut checksum = BatchChecksum::of_magic(2);
    checksum.update(covered);
    i16::from_be_bytes([front[0], front[1]]) == VERSION
        && checksum.finish() == u32::from_be_bytes([front[2], front[3], front[4], front[5]])
}
