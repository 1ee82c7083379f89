//! The header pass over the segments of a log: where batches are, and where none can be made out.

use std::collections::VecDeque;

use kcompare_core::digest::UnreadReason;
use kcompare_core::records::{BatchDecoder, BatchHeader, ControlRecordType, Frame};

use super::damage::{Damage, DamageKind, Spot};
use super::error::LogDirError;
use super::evidence::{Evidence, Hole, NEAR};
use super::file::SegmentFile;
use super::index::{Index, Run};
use super::resync::{Found, Plausible, hash_allowance, only_zeros, search};
use super::segments::Segment;
use super::transactions::Transactions;
use super::window::{Seen, Window};
use crate::cancel::CancelToken;
use crate::rate::RateLimit;
use crate::serve::EpochStart;

/// Batches up to this size are checked in the header pass, not only those that say that they are control batches: with
/// one flipped bit a marker would be data, and a later marker would speak for it. A marker of a transaction has 78 bytes.
const MARKER: usize = 128;
/// A control batch that is larger than this is not looked into.
const LARGEST_CONTROL: usize = 64 << 10;
/// Damaged stretches of one segment, past which the rest of it is one.
const MOST_SPOTS: usize = 256;
/// Leader epochs that are kept.
const MOST_EPOCHS: usize = 1 << 16;

/// One thing after another, as the header pass meets them.
#[derive(Debug)]
pub(super) enum Item {
    Run(Run),
    Spot(Spot),
    Hole(Hole),
}

/// What the header pass has found.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) items: VecDeque<Item>,
    pub(super) index: Index,
    pub(super) transactions: Transactions,
    pub(super) epochs: Vec<EpochStart>,
    /// The offset that the log has reached: behind its last batch, or the name of its last segment.
    pub(super) reached: i64,
}

/// The batch before the one that is looked at, in the same run.
#[derive(Debug, Clone, Copy)]
struct Previous {
    position: u64,
    frame: Frame,
    /// The offset that the log had reached before it.
    reached: i64,
}

impl Previous {
    fn follows_a_hole(&self) -> bool {
        self.frame.header.magic >= 2 && self.frame.header.base_offset > self.reached
    }
}

/// The pass itself.
pub(super) struct Scan<'a> {
    segments: &'a [Segment],
    rate: Option<&'a RateLimit>,
    cancel: &'a CancelToken,
    evidence: Evidence,
    decoder: BatchDecoder,
    found: Scanned,
    run: Option<Run>,
    previous: Option<Previous>,
    /// What is left for the segment: bytes to hash, damaged stretches.
    hash_left: u64,
    spots_left: usize,
}

impl<'a> Scan<'a> {
    /// A pass over these segments; `cleaner_checkpoint` is how far the log cleaner has come.
    pub(super) fn new(
        segments: &'a [Segment],
        cleaner_checkpoint: Option<i64>,
        rate: Option<&'a RateLimit>,
        cancel: &'a CancelToken,
    ) -> Self {
        let found = Scanned {
            items: VecDeque::new(),
            index: Index::for_segments(segments),
            transactions: Transactions::default(),
            epochs: Vec::new(),
            reached: segments.first().map_or(0, |segment| segment.base_offset),
        };
        Self {
            segments,
            rate,
            cancel,
            evidence: Evidence::new(cleaner_checkpoint),
            decoder: BatchDecoder::new(LARGEST_CONTROL),
            found,
            run: None,
            previous: None,
            hash_left: 0,
            spots_left: 0,
        }
    }

    /// Goes over all segments.
    pub(super) fn run(mut self) -> Result<Scanned, LogDirError> {
        for number in 0..self.segments.len() {
            self.segment(number)?;
        }
        Ok(self.found)
    }

    /// The offsets that a batch of the segment may have, seen from what the log has reached.
    fn plausible(&self, number: usize) -> Plausible {
        // Offsets in a segment are relative to its base offset in 31 bits.
        let most = self.segments[number].base_offset.saturating_add(1 << 31);
        let next = self.segments.get(number + 1).map_or(most, |next| next.base_offset);
        Plausible { from: self.found.reached, limit: next.min(most) }
    }

    fn segment(&mut self, number: usize) -> Result<(), LogDirError> {
        let segment = &self.segments[number];
        self.enter(segment.base_offset);
        (self.hash_left, self.spots_left) = (hash_allowance(segment.size), MOST_SPOTS);
        self.previous = None;
        let mut window = Window::new(SegmentFile::open(segment, self.rate, self.cancel)?);
        let mut position = 0;
        loop {
            match window.look(position)? {
                Seen::End => break,
                Seen::Batch(frame) if self.plausible(number).holds(&frame) => {
                    self.take(&mut window, number, position, &frame)?;
                    position += frame.size as u64;
                }
                seen => position = self.damaged(&mut window, number, position, &seen)?,
            }
        }
        self.close_run();
        Ok(())
    }

    /// A segment begins: what lies between its name and the last batch before it is a hole, unless damage hides it.
    fn enter(&mut self, base_offset: i64) {
        let reached = self.found.reached;
        if base_offset > reached {
            let damaged = matches!(self.found.items.back(), Some(Item::Spot(_)));
            if !damaged {
                let hole = self.evidence.hole(reached, base_offset);
                if !hole.explained {
                    self.found.transactions.doubt(reached, UnreadReason::MissingSegment);
                }
                self.found.items.push_back(Item::Hole(hole));
            }
            self.found.reached = base_offset;
        }
    }

    fn close_run(&mut self) {
        if let Some(run) = self.run.take().filter(|run| !run.is_empty()) {
            self.found.items.push_back(Item::Run(run));
        }
    }

    fn take(
        &mut self,
        window: &mut Window<'_>,
        number: usize,
        position: u64,
        frame: &Frame,
    ) -> Result<(), LogDirError> {
        let (header, reached) = (&frame.header, self.found.reached);
        let begin = if header.magic >= 2 { header.base_offset } else { reached };
        let sparse = is_sparse(header);
        if begin > reached && !sparse && !self.evidence.hole(reached, begin).explained {
            self.found.transactions.doubt(reached, UnreadReason::MissingSegment);
        }
        self.previous = Some(Previous { position, frame: *frame, reached });
        self.inspect(window, position, frame, begin)?;
        if sparse {
            self.evidence.sparse(header.next_offset());
            for item in self.found.items.iter_mut().rev().take_while(|item| is_near(item, header.base_offset))
            {
                if let Item::Hole(hole) = item {
                    hole.explained = true;
                }
            }
        }
        let epoch = header.partition_leader_epoch;
        if epoch > self.found.epochs.last().map_or(-1, |last| last.leader_epoch)
            && self.found.epochs.len() < MOST_EPOCHS
        {
            self.found.epochs.push(EpochStart { leader_epoch: epoch, start_offset: begin });
        }
        let begins_run = self.run.is_none();
        self.found.index.note(begins_run, number, position, reached, header.max_timestamp);
        let run = self.run.get_or_insert(Run {
            segment: number,
            position,
            end_position: position,
            from: reached,
            to: reached,
            first_offset: begin,
        });
        run.end_position = position + frame.size as u64;
        run.to = header.next_offset();
        self.found.reached = run.to;
        Ok(())
    }

    /// What a batch means for transactions. A batch that may be a damaged marker makes what is open doubtful.
    fn inspect(
        &mut self,
        window: &mut Window<'_>,
        position: u64,
        frame: &Frame,
        begin: i64,
    ) -> Result<(), LogDirError> {
        let header = &frame.header;
        let transactions = &mut self.found.transactions;
        if (header.is_control() || frame.size <= MARKER) && !window.is_sound(position, frame)? {
            transactions.doubt(begin, UnreadReason::DamageBeforeEnd);
        } else if header.is_control() {
            if frame.size > LARGEST_CONTROL {
                transactions.doubt(begin, UnreadReason::DamageBeforeEnd);
                return Ok(());
            }
            let bytes = window.bytes(position, frame.size)?;
            match markers(&mut self.decoder, bytes, position) {
                Some(kinds) => {
                    for kind in kinds {
                        transactions.marker(header.producer_id, header.base_offset, kind);
                    }
                }
                None => transactions.doubt(begin, UnreadReason::DamageBeforeEnd),
            }
        } else if header.is_transactional() && header.records_count != 0 {
            // An empty batch that the cleaner has kept for its producer's sake has no records to wait for, and its marker
            // may be gone.
            transactions.data(header.producer_id, header.base_offset);
        }
        Ok(())
    }

    /// Bytes at `position` are no batch, or one that cannot be here. Returns where the pass goes on.
    fn damaged(
        &mut self,
        window: &mut Window<'_>,
        number: usize,
        position: u64,
        seen: &Seen,
    ) -> Result<u64, LogDirError> {
        let plausible = self.plausible(number);
        let mut sound = false;
        if let Seen::Batch(frame) = seen {
            sound = window.is_sound(position, frame)?;
            if sound && let Some(culprit) = self.culprit(window, frame, plausible.limit)? {
                self.give_up_on(number, culprit, position);
                return Ok(position);
            }
        }
        self.close_run();
        let size = window.file().size();
        let mut kind = kind_of(seen);
        let mut never_end = sound.then(|| "a record batch with a sound CRC lies in it".to_owned());
        let zeros = only_zeros(window.file(), position)?;
        let found = if zeros {
            kind = DamageKind::Zeros;
            Found::Nothing
        } else if self.spots_left == 0 {
            Found::GivenUp
        } else {
            self.spots_left -= 1;
            self.next_sound(window, position, seen, plausible)?
        };
        let end_position = match found {
            Found::Batch(position) => position,
            Found::Nothing => size,
            Found::GivenUp => {
                never_end.get_or_insert("the search for a sound batch in it was given up".to_owned());
                size
            }
        };
        if kind == DamageKind::Torn && end_position < size {
            kind = DamageKind::Corrupt;
        }
        let damage = Damage {
            segment: number,
            position,
            end_position,
            kind,
            from: self.found.reached,
            to: None,
            detail: clause(seen, kind, position, size, plausible),
        };
        self.add(Spot { damage, never_end });
        Ok(end_position)
    }

    fn add(&mut self, spot: Spot) {
        self.found.transactions.doubt(spot.damage.from, UnreadReason::DamageBeforeEnd);
        self.found.items.push_back(Item::Spot(spot));
        self.previous = None;
    }

    /// The next sound batch. Where the damaged one says that it ends is tried first: the bytes of a record may be a batch,
    /// too.
    fn next_sound(
        &mut self,
        window: &mut Window<'_>,
        position: u64,
        seen: &Seen,
        plausible: Plausible,
    ) -> Result<Found, LogDirError> {
        if let Seen::Batch(frame) = seen {
            let behind = position + frame.size as u64;
            if let Seen::Batch(next) = window.look(behind)?
                && plausible.holds(&next)
                && window.is_sound(behind, &next)?
            {
                return Ok(Found::Batch(behind));
            }
        }
        search(window.file(), position + 1, plausible, &mut self.hash_left)
    }

    /// Whether not this sound batch is wrong, but the one before it: one with a bad CRC, or one that had jumped ahead.
    fn culprit(
        &self,
        window: &mut Window<'_>,
        frame: &Frame,
        limit: i64,
    ) -> Result<Option<(Previous, bool)>, LogDirError> {
        let Some(previous) = self.previous else {
            return Ok(None);
        };
        if !(Plausible { from: previous.reached, limit }).holds(frame) {
            return Ok(None);
        }
        let sound = window.is_sound(previous.position, &previous.frame)?;
        Ok((!sound || previous.follows_a_hole()).then_some((previous, sound)))
    }

    /// Takes the batch before `position` back: its place in the log is not to be believed.
    fn give_up_on(&mut self, number: usize, (previous, sound): (Previous, bool), position: u64) {
        let Previous { position: begin, frame, reached } = previous;
        if let Some(run) = &mut self.run {
            (run.end_position, run.to) = (begin, reached);
        }
        self.close_run();
        let found = &mut self.found;
        found.index.forget_from(number, begin);
        while found.epochs.pop_if(|epoch| epoch.start_offset >= reached).is_some() {}
        found.transactions.distrust_marker(reached, UnreadReason::DamageBeforeEnd);
        found.reached = reached;
        let header = &frame.header;
        let damage = Damage {
            segment: number,
            position: begin,
            end_position: position,
            kind: DamageKind::Corrupt,
            from: reached,
            to: None,
            detail: format!(
                "the batch at byte {begin} says offsets [{}, {}), and a sound batch behind it begins below that",
                header.base_offset,
                header.next_offset()
            ),
        };
        let never_end = sound.then(|| "a record batch with a sound CRC lies in it".to_owned());
        self.add(Spot { damage, never_end });
    }
}

/// Whether the item ends so near before `offset` that what is seen there says something about it.
fn is_near(item: &Item, offset: i64) -> bool {
    let stop = match item {
        Item::Run(run) => run.to,
        Item::Spot(spot) => spot.damage.from,
        Item::Hole(hole) => hole.stop,
    };
    offset.saturating_sub(stop) <= NEAR
}

/// Whether records were taken out of a batch, which only compaction does.
fn is_sparse(header: &BatchHeader) -> bool {
    header.magic >= 2
        && !header.is_control()
        && i64::from(header.records_count) < i64::from(header.last_offset_delta) + 1
}

/// What a control batch says; `None` where that cannot be understood.
fn markers(decoder: &mut BatchDecoder, bytes: &[u8], position: u64) -> Option<Vec<ControlRecordType>> {
    let mut kinds = Some(Vec::new());
    decoder
        .decode(bytes, position, |record| match (ControlRecordType::from_key(record.key), &mut kinds) {
            (Ok(kind), Some(kinds)) => kinds.push(kind),
            _ => kinds = None,
        })
        .ok()?;
    kinds
}

fn kind_of(seen: &Seen) -> DamageKind {
    match seen {
        Seen::Torn(_) => DamageKind::Torn,
        Seen::End | Seen::Batch(_) | Seen::Bad(_) => DamageKind::Corrupt,
    }
}

fn clause(seen: &Seen, kind: DamageKind, position: u64, size: u64, plausible: Plausible) -> String {
    let left = size - position;
    match seen {
        _ if kind == DamageKind::Zeros => format!("only zeros follow byte {position}"),
        Seen::Torn(Some(frame)) => {
            format!("the batch at byte {position} says that it has {} bytes, and {left} are left", frame.size)
        }
        Seen::Batch(frame) => format!(
            "the batch at byte {position} says offsets [{}, {}), which cannot be within [{}, {})",
            frame.header.base_offset,
            frame.header.next_offset(),
            plausible.from,
            plausible.limit
        ),
        Seen::Bad(error) => format!("no batch begins at byte {position}: {}", error.kind),
        Seen::Torn(None) | Seen::End => format!("{left} bytes at byte {position} are too few for a batch"),
    }
}
