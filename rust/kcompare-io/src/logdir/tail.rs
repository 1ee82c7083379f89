//! The end of a log: the batches after the last sound one, found by their checksums from the end backwards.

use std::collections::VecDeque;

use kcompare_core::digest::UnreadReason;

use super::damage::{Damage, DamageKind, Spot};
use super::error::LogDirError;
use super::file::SegmentFile;
use super::index::{Index, Place, Run};
use super::scan::{Item, Scanned};
use super::segments::Segment;
use super::window::{Seen, Window};
use crate::cancel::CancelToken;
use crate::rate::RateLimit;

/// What the batches of a run are worth, seen from its end.
enum Worth {
    /// The last one is sound, or below the recovery point.
    Whole,
    /// So is the one that ends at this byte and before this offset; none behind it is.
    UpTo(u64, i64),
    /// None of them is.
    Nothing,
}

/// Where a batch of the run ends.
#[derive(Clone, Copy)]
struct Ending {
    position: u64,
    end_position: u64,
    next_offset: i64,
}

/// Checks the end of a log.
pub(super) struct Tail<'a> {
    pub(super) segments: &'a [Segment],
    /// Below it nothing is checked: it was flushed, and damage there is no end.
    pub(super) recovery_point: i64,
    pub(super) rate: Option<&'a RateLimit>,
    pub(super) cancel: &'a CancelToken,
}

impl Tail<'_> {
    /// Takes everything behind the last sound batch out of the log. Returns the damage in it, in the order of the log;
    /// without damage nothing is taken out.
    pub(super) fn cut(&self, scanned: &mut Scanned) -> Result<Vec<Spot>, LogDirError> {
        let (mut keep, mut spots) = (scanned.items.len(), VecDeque::new());
        for place in (0..scanned.items.len()).rev() {
            match &mut scanned.items[place] {
                Item::Hole(_) => continue,
                Item::Spot(spot) => spots.push_front(spot.clone()),
                Item::Run(run) => {
                    let whole = *run;
                    match self.worth(&whole, &scanned.index)? {
                        Worth::Whole => break,
                        Worth::Nothing => spots.push_front(bad_crc(&whole, whole.position, whole.from)),
                        Worth::UpTo(end_position, next_offset) => {
                            (run.end_position, run.to) = (end_position, next_offset);
                            scanned.index.forget_from(whole.segment, end_position);
                            spots.push_front(bad_crc(&whole, end_position, next_offset));
                            keep = place + 1;
                            break;
                        }
                    }
                    scanned.index.forget_from(whole.segment, whole.position);
                }
            }
            keep = place;
        }
        scanned.items.truncate(keep);
        Ok(spots.into())
    }

    fn worth(&self, run: &Run, index: &Index) -> Result<Worth, LogDirError> {
        if run.to <= self.recovery_point {
            return Ok(Worth::Whole);
        }
        let mut window = Window::new(SegmentFile::open(&self.segments[run.segment], self.rate, self.cancel)?);
        let mut stop = run.end_position;
        for place in index.within(run).iter().rev() {
            for ending in endings(&mut window, place, stop)?.into_iter().rev() {
                if ending.next_offset > self.recovery_point && !self.is_sound(&mut window, ending.position)? {
                    continue;
                }
                let is_last = ending.end_position == run.end_position;
                return Ok(if is_last {
                    Worth::Whole
                } else {
                    Worth::UpTo(ending.end_position, ending.next_offset)
                });
            }
            stop = place.position;
        }
        Ok(Worth::Nothing)
    }

    fn is_sound(&self, window: &mut Window<'_>, position: u64) -> Result<bool, LogDirError> {
        self.cancel.check()?;
        match window.look(position)? {
            Seen::Batch(frame) => window.is_sound(position, &frame),
            _ => Ok(false),
        }
    }
}

/// The batches from a place up to a byte.
fn endings(window: &mut Window<'_>, place: &Place, stop: u64) -> Result<Vec<Ending>, LogDirError> {
    let mut found = Vec::new();
    let mut position = place.position;
    while position < stop {
        let Seen::Batch(frame) = window.look(position)? else { break };
        let end_position = position + frame.size as u64;
        found.push(Ending { position, end_position, next_offset: frame.header.next_offset() });
        position = end_position;
    }
    Ok(found)
}

fn bad_crc(run: &Run, position: u64, from: i64) -> Spot {
    let detail =
        format!("the CRC of the batch at byte {position} does not fit, nor that of any batch behind it");
    let (segment, end_position, kind) = (run.segment, run.end_position, DamageKind::BadCrc);
    let damage = Damage { segment, position, end_position, kind, from, to: None, detail };
    Spot { damage, never_end: None, reason: UnreadReason::DamageBeforeEnd }
}
