//! What a start costs: sound batches that are on disk and will not be in the log, counted one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::batches::{Front, Header, Step, count_records, first_offset, header, is_sound, step};
use super::evidence::index_fault;
use super::files::Stored;
use super::loader::Loader;
use super::pages::Pages;
use super::segment::{EVERYTHING, HEADERS, Segment};
use super::{Discard, Halt, Loss};
use crate::cancel::CancelToken;

/// How many runs of batches are told apart; further ones are added to the last.
const MOST_LOSSES: usize = 1000;
/// The header of a batch, which a search for the next sound one needs to see.
const V2_HEADER: u64 = 61;

/// What is discarded: bytes that are cut off, and files that go.
pub(super) fn discarded(logs: &BTreeMap<PathBuf, Stored>, loader: &Loader<'_>) -> Result<Vec<Loss>, Halt> {
    let mut losses = Losses::default();
    for stored in logs.values() {
        let mut kept: Vec<(u64, u64)> = loader
            .segments
            .values()
            .filter(|segment| segment.path == stored.path)
            .map(|segment| (segment.from, segment.from + segment.length))
            .collect();
        kept.sort_unstable();
        let removed = loader.removed.iter().find(|(segment, _)| segment.path == stored.path);
        let cause = removed.map_or(Discard::BehindDamage, |(_, cause)| *cause);
        let out_of_order = loader.recovered.iter().any(|recovered| {
            recovered.why == super::WhyRecovered::OffsetsOutOfOrder && stored.path.ends_with(&recovered.name)
        });
        let cause = if out_of_order { Discard::OffsetsOutOfOrder } else { cause };
        let mut position = 0;
        for (from, to) in kept.into_iter().chain([(stored.size, stored.size)]) {
            if from > position {
                losses.scan(&stored.path, (position, from), cause, loader.cancel)?;
            }
            position = position.max(to);
        }
    }
    Ok(losses.found)
}

/// What is kept and cannot be reached: behind the end of the log, in a file with another name, or where an index or damage
/// leads a fetch past it.
pub(super) fn hidden(loader: &Loader<'_>, log_end: i64) -> Result<Vec<Loss>, Halt> {
    let mut losses = Losses::default();
    let reach = Reach { loader, log_end };
    let mut bases = loader.segments.keys().copied().skip(1);
    for segment in loader.segments.values() {
        let upper = bases.next().unwrap_or(log_end).min(log_end);
        if is_suspicious(segment, upper, loader.cancel)? {
            losses.hide(segment, &reach, loader.cancel)?;
        }
    }
    Ok(losses.found)
}

/// Everything that is kept, in a directory that is renamed.
pub(super) fn stray(loader: &Loader<'_>) -> Result<Vec<Loss>, Halt> {
    let mut losses = Losses::default();
    for segment in loader.segments.values() {
        losses.set_aside(segment, loader.cancel)?;
    }
    Ok(losses.found)
}

/// Whether anything in a segment can lead a fetch astray: its index, bytes that are no batch, offsets that do not ascend,
/// or that its name does not cover. Only the headers are read for that.
fn is_suspicious(segment: &Segment, upper: i64, cancel: &CancelToken) -> Result<bool, Halt> {
    if index_fault(segment)?.is_some() {
        return Ok(true);
    }
    let mut pages = segment.pages(HEADERS)?;
    let mut index = segment.index.open(segment.base_offset)?;
    let (mut position, mut expected, mut slot) = (0, segment.base_offset, 0);
    while position < segment.length {
        cancel.check()?;
        let Step::Batch(front) = step(&mut pages, position, segment.length)? else {
            return Ok(true);
        };
        let Some(header) = header(&mut pages, &front)? else {
            return Ok(true);
        };
        // A wrapper of magic 0 or 1 has the offset of its last message.
        if front.offset < expected || header.last_offset < front.offset || header.last_offset >= upper {
            return Ok(true);
        }
        // An entry leads to a batch that begins at or below its offset, and entries ascend.
        if let Some(entry) = index.written(slot)?.filter(|entry| (entry.position as u64) < front.end()) {
            if entry.position as u64 != front.position || entry.offset < front.offset {
                return Ok(true);
            }
            slot += 1;
        }
        expected = header.last_offset + 1;
        position = front.end();
    }
    Ok(index.written(slot)?.is_some())
}

/// Where fetches find batches, once the log is loaded.
struct Reach<'a> {
    loader: &'a Loader<'a>,
    log_end: i64,
}

impl Reach<'_> {
    /// Why a fetch at a batch's offset does not find it, or its equal; `None` where it does, where what it asks for lies below
    /// the log start, and where it ends in an error, which is not in silence.
    fn misses(&self, segment: &Segment, front: &Front, header: &Header) -> Result<Option<Discard>, Halt> {
        let offset = match first_offset_of(segment, front) {
            Err(Halt::Refused(_)) => return Ok(None),
            first => first?,
        };
        // First: the last offset of a batch at the very end of all offsets is a negative number, to a broker as well.
        if offset >= self.log_end {
            return Ok(Some(Discard::AboveLogEnd));
        }
        if header.last_offset < self.loader.log_start {
            return Ok(None);
        }
        let found = match self.find(offset.max(self.loader.log_start)) {
            Err(Halt::Refused(_)) => return Ok(None),
            found => found?,
        };
        let is_found = match found {
            Some((other, found)) => {
                let itself = other.base_offset == segment.base_offset && found.position == front.position;
                itself || is_same(other, &found, front, header)?
            }
            None => false,
        };
        Ok((!is_found).then_some(Discard::Misplaced))
    }

    /// The batch with which a fetch at an offset begins: from the segment whose name covers it, or the next one that has any.
    fn find(&self, offset: i64) -> Result<Option<(&Segment, Front)>, Halt> {
        let segments = &self.loader.segments;
        let Some((&first, _)) = segments.range(..=offset).next_back() else {
            return Ok(None);
        };
        for segment in segments.range(first..).map(|(_, segment)| segment) {
            let mut pages = segment.pages(HEADERS)?;
            if let Some(front) = segment.translate(&mut pages, offset)? {
                return Ok(Some((segment, front)));
            }
        }
        Ok(None)
    }
}

/// The first offset of a batch, for which only those of old need a look at the file.
fn first_offset_of(segment: &Segment, front: &Front) -> Result<i64, Halt> {
    if front.magic >= 2 { Ok(front.offset) } else { first_offset(&mut segment.pages(HEADERS)?, front) }
}

/// Whether a sound batch has the same offsets as another one: then it stands for it.
fn is_same(segment: &Segment, found: &Front, front: &Front, header: &Header) -> Result<bool, Halt> {
    let mut pages = segment.pages(EVERYTHING)?;
    let sound = sound_at(&mut pages, found.position, segment.length)?;
    Ok(sound
        .is_some_and(|(found, its)| found.offset == front.offset && its.last_offset == header.last_offset))
}

#[derive(Default)]
struct Losses {
    found: Vec<Loss>,
}

impl Losses {
    /// Goes through bytes that are discarded, and over damage to the next sound batch.
    fn scan(
        &mut self,
        path: &Path,
        (from, to): (u64, u64),
        cause: Discard,
        cancel: &CancelToken,
    ) -> Result<(), Halt> {
        let mut pages = Pages::open(path, 0, EVERYTHING)?;
        let mut position = from;
        let mut run = Loss::none(path, from, cause);
        while position < to {
            cancel.check()?;
            if let Some((front, header)) = sound_at(&mut pages, position, to)? {
                if run.batches > 0 && front.offset < run.stop {
                    self.end(std::mem::replace(&mut run, Loss::none(path, position, cause)));
                }
                run.add(&front, &header, count_records(&mut pages, &front, &header)?);
                position = front.end();
            } else {
                let next = next_sound(&mut pages, position, to, cancel)?;
                if run.batches > 0 {
                    self.end(std::mem::replace(&mut run, Loss::none(path, position, cause)));
                }
                run.damaged_bytes += next - position;
                run.end_position = next;
                position = next;
            }
        }
        self.end(run);
        Ok(())
    }

    /// Goes through a segment that is kept and notes the batches that no fetch finds.
    fn hide(&mut self, segment: &Segment, reach: &Reach<'_>, cancel: &CancelToken) -> Result<(), Halt> {
        self.walk(segment, cancel, |front, header| reach.misses(segment, front, header))
    }

    /// Notes all batches of a segment whose directory is renamed.
    fn set_aside(&mut self, segment: &Segment, cancel: &CancelToken) -> Result<(), Halt> {
        self.walk(segment, cancel, |_, _| Ok(Some(Discard::Stray)))
    }

    /// Goes through the sound batches of a segment, and notes those for which there is a reason.
    fn walk(
        &mut self,
        segment: &Segment,
        cancel: &CancelToken,
        why: impl Fn(&Front, &Header) -> Result<Option<Discard>, Halt>,
    ) -> Result<(), Halt> {
        let mut pages = segment.pages(EVERYTHING)?;
        let (mut position, mut run) = (0, None::<Loss>);
        while position < segment.length {
            cancel.check()?;
            let Some((front, header)) = sound_at(&mut pages, position, segment.length)? else {
                position = next_sound(&mut pages, position, segment.length, cancel)?;
                self.close(run.take());
                continue;
            };
            let cause = why(&front, &header)?;
            if run.as_ref().is_some_and(|run| cause != Some(run.cause) || front.offset < run.stop) {
                self.close(run.take());
            }
            if let Some(cause) = cause {
                let from = segment.from + position;
                let run = run.get_or_insert_with(|| Loss::none(&segment.path, from, cause));
                run.add(&front, &header, count_records(&mut pages, &front, &header)?);
                run.end_position = segment.from + front.end();
            }
            position = front.end();
        }
        self.close(run);
        Ok(())
    }

    fn close(&mut self, run: Option<Loss>) {
        if let Some(run) = run {
            self.end(run);
        }
    }

    fn end(&mut self, run: Loss) {
        if run.batches == 0 && run.damaged_bytes == 0 {
            return;
        }
        let full = self.found.len() >= MOST_LOSSES;
        match self.found.last_mut().filter(|_| full) {
            Some(last) => last.merge(&run),
            None => self.found.push(run),
        }
    }
}

impl Loss {
    fn none(path: &Path, position: u64, cause: Discard) -> Self {
        let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let end_position = position;
        Self {
            cause,
            file,
            position,
            end_position,
            start: 0,
            stop: 0,
            batches: 0,
            records: 0,
            damaged_bytes: 0,
        }
    }

    fn add(&mut self, front: &Front, header: &Header, records: u64) {
        if self.batches == 0 {
            self.start = front.offset.min(header.last_offset);
        }
        self.stop = header.last_offset.saturating_add(1);
        self.batches += 1;
        self.records += records;
        self.end_position = front.end();
    }

    fn merge(&mut self, other: &Self) {
        self.start = self.start.min(other.start);
        self.stop = self.stop.max(other.stop);
        self.batches += other.batches;
        self.records += other.records;
        self.damaged_bytes += other.damaged_bytes;
        self.end_position = other.end_position;
    }
}

/// The batch at a position, if there is one whose CRC fits.
fn sound_at(pages: &mut Pages, position: u64, to: u64) -> Result<Option<(Front, Header)>, Halt> {
    let Step::Batch(front) = step(pages, position, to)? else {
        return Ok(None);
    };
    if !is_sound(pages, &front)? {
        return Ok(None);
    }
    Ok(header(pages, &front)?.map(|header| (front, header)))
}

/// Where the next sound batch begins behind damage: where the damaged one ends, if that is right, or at the first bytes
/// that are one of version 2. `to` if there is none.
fn next_sound(pages: &mut Pages, position: u64, to: u64, cancel: &CancelToken) -> Result<u64, Halt> {
    if let Step::Batch(front) = step(pages, position, to)?
        && (front.end() == to || sound_at(pages, front.end(), to)?.is_some())
    {
        return Ok(front.end());
    }
    let mut at = position + 1;
    while at + V2_HEADER <= to {
        if at.is_multiple_of(1 << 16) {
            cancel.check()?;
        }
        if looks_like_a_batch(pages, at, to)? && sound_at(pages, at, to)?.is_some() {
            return Ok(at);
        }
        at += 1;
    }
    Ok(to)
}

fn looks_like_a_batch(pages: &mut Pages, at: u64, to: u64) -> Result<bool, Halt> {
    let Some(fixed) = pages.bytes(at, V2_HEADER as usize)? else {
        return Ok(false);
    };
    let number = |at: usize| i32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let length = i64::from(number(8));
    // magic 2, a length that fits, an offset and a count that are not negative, no attribute that has no meaning yet.
    Ok(fixed[16] == 2
        && length >= V2_HEADER as i64 - 12
        && at as i64 + 12 + length <= to as i64
        && fixed[0] & 0x80 == 0
        && fixed[21] == 0
        && number(23) >= 0
        && number(57) >= 0)
}
