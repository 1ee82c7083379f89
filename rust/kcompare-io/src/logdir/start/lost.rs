//! What a start costs: sound batches that are on disk and will not be in the log, counted one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::batches::{Front, Header, Step, count_records, header, is_sound, step};
use super::files::Stored;
use super::loader::{Loader, first_batch};
use super::pages::Pages;
use super::segment::{EVERYTHING, Segment};
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

/// What is kept and cannot be reached: behind the end of the log, or in a file with another name.
pub(super) fn hidden(loader: &Loader<'_>, log_end: i64) -> Result<Vec<Loss>, Halt> {
    let mut losses = Losses::default();
    let bases: Vec<i64> = loader.segments.keys().copied().collect();
    for (place, (&base, segment)) in loader.segments.iter().enumerate() {
        let next = bases.get(place + 1).copied();
        let upper = next.unwrap_or(log_end);
        if next.is_none() || is_suspicious(segment, upper)? {
            let cause = if next.is_none() { Discard::AboveLogEnd } else { Discard::Misplaced };
            losses.hide(segment, (base, upper), cause, loader.cancel)?;
        }
    }
    Ok(losses.found)
}

/// Everything that is kept, in a directory that is renamed.
pub(super) fn stray(loader: &Loader<'_>) -> Result<Vec<Loss>, Halt> {
    let mut losses = Losses::default();
    for segment in loader.segments.values() {
        losses.hide(segment, (i64::MAX, i64::MIN), Discard::Stray, loader.cancel)?;
    }
    Ok(losses.found)
}

/// Whether a segment begins or ends with offsets that its name does not cover. Its index says where to look for the end;
/// where that leads nowhere, there is nothing to suspect.
fn is_suspicious(segment: &Segment, upper: i64) -> Result<bool, Halt> {
    let begins_outside = first_batch(segment)?
        .is_some_and(|(first, last)| last < segment.base_offset || first >= upper || last >= upper);
    let ends_outside = match segment.next_offset() {
        Ok(next) => next > upper,
        Err(Halt::Refused(_)) => true,
        Err(other) => return Err(other),
    };
    Ok(begins_outside || ends_outside)
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

    /// Goes through a segment that is kept and notes the batches outside of what its name covers.
    fn hide(
        &mut self,
        segment: &Segment,
        (lower, upper): (i64, i64),
        cause: Discard,
        cancel: &CancelToken,
    ) -> Result<(), Halt> {
        let mut pages = segment.pages(EVERYTHING)?;
        let (mut position, mut run) = (0, Loss::none(&segment.path, segment.from, cause));
        while position < segment.length {
            cancel.check()?;
            let Some((front, header)) = sound_at(&mut pages, position, segment.length)? else {
                let next = next_sound(&mut pages, position, segment.length, cancel)?;
                if run.batches > 0 {
                    self.end(std::mem::replace(&mut run, Loss::none(&segment.path, position, cause)));
                }
                run.position = next;
                position = next;
                continue;
            };
            let reached = header.last_offset >= lower && front.offset < upper;
            if run.batches > 0 && (reached || front.offset < run.stop) {
                self.end(std::mem::replace(&mut run, Loss::none(&segment.path, position, cause)));
            }
            if !reached {
                if run.batches == 0 {
                    run.position = segment.from + position;
                }
                run.add(&front, &header, count_records(&mut pages, &front, &header)?);
                run.end_position = segment.from + front.end();
            }
            position = front.end();
        }
        if run.batches > 0 {
            self.end(run);
        }
        Ok(())
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
