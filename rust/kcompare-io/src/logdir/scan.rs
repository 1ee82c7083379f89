//! The header pass over the segments of a log: where batches are, and where none can be made out.

use std::collections::VecDeque;

use kcompare_core::digest::UnreadReason;
use kcompare_core::records::{BatchDecoder, BatchHeader, ControlRecordType, Frame};

use super::damage::Spot;
use super::error::LogDirError;
use super::evidence::{Evidence, Hole, NEAR};
use super::file::SegmentFile;
use super::index::{Index, Run};
use super::repair::Allowance;
use super::resync::Plausible;
use super::segments::Segment;
use super::tail::Tail;
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
/// The search for sound batches in what seems to be the end of a log is taken up again at most so often.
const MOST_RESCANS: usize = 64;
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
pub(super) struct Previous {
    pub(super) position: u64,
    pub(super) frame: Frame,
    /// The offset that the log had reached before it.
    pub(super) reached: i64,
}

impl Previous {
    pub(super) fn follows_a_hole(&self) -> bool {
        self.frame.header.magic >= 2 && self.frame.header.base_offset > self.reached
    }
}

/// The pass itself.
pub(super) struct Scan<'a> {
    pub(super) segments: &'a [Segment],
    rate: Option<&'a RateLimit>,
    cancel: &'a CancelToken,
    pub(super) evidence: Evidence,
    decoder: BatchDecoder,
    pub(super) found: Scanned,
    pub(super) run: Option<Run>,
    pub(super) previous: Option<Previous>,
    /// What is left for each segment.
    pub(super) left: Vec<Allowance>,
    /// Sound batches that may yet be looked for behind the end of the log.
    pub(super) rescans_left: usize,
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
            left: segments.iter().map(|segment| Allowance::for_segment(segment.size)).collect(),
            rescans_left: MOST_RESCANS,
        }
    }

    /// Goes over all segments, and takes what follows the last sound batch out. Returns the damage in that as well.
    pub(super) fn run(mut self, recovery_point: i64) -> Result<(Scanned, Vec<Spot>), LogDirError> {
        let (segments, rate, cancel) = (self.segments, self.rate, self.cancel);
        let mut from = (0, 0);
        loop {
            self.segments_from(from)?;
            let mut tail = Tail { segments, recovery_point, rate, cancel }.cut(&mut self.found)?;
            match self.hidden_in(&mut tail)? {
                Some(place) => from = place,
                None => return Ok((self.found, tail)),
            }
        }
    }

    fn segments_from(&mut self, (number, position): (usize, u64)) -> Result<(), LogDirError> {
        for later in number..self.segments.len() {
            self.segment(later, if later == number { position } else { 0 })?;
        }
        Ok(())
    }

    /// The offsets that a batch of the segment may have, seen from what the log has reached.
    pub(super) fn plausible(&self, number: usize) -> Plausible {
        // Offsets in a segment are relative to its base offset in 31 bits.
        let most = self.segments[number].base_offset.saturating_add(1 << 31);
        let next = self.segments.get(number + 1).map_or(most, |next| next.base_offset);
        Plausible { from: self.found.reached, limit: next.min(most) }
    }

    pub(super) fn open(&self, number: usize) -> Result<SegmentFile<'a>, LogDirError> {
        SegmentFile::open(&self.segments[number], self.rate, self.cancel)
    }

    /// Goes over a segment. One that cannot be read is damage, whatever is wrong with the disk.
    fn segment(&mut self, number: usize, position: u64) -> Result<(), LogDirError> {
        if position == 0 {
            self.enter(self.segments[number].base_offset);
        }
        self.previous = None;
        let mut at = position;
        match self.batches(number, &mut at) {
            Err(error @ LogDirError::Io { .. }) => self.unreadable(number, at, &error),
            done => done?,
        }
        Ok(())
    }

    fn batches(&mut self, number: usize, at: &mut u64) -> Result<(), LogDirError> {
        let mut window = Window::new(self.open(number)?);
        loop {
            let position = *at;
            match window.look(position)? {
                Seen::End => break,
                Seen::Batch(frame)
                    if self.plausible(number).holds(&frame)
                        && !self.may_be_swallowed(&mut window, &frame)? =>
                {
                    self.take(&mut window, number, position, &frame)?;
                    *at += frame.size as u64;
                }
                seen => *at = self.damaged(&mut window, number, position, &seen)?,
            }
        }
        self.close_run();
        Ok(())
    }

    /// Whether batches before this one may lie inside the batch before it: one that says that it is longer than it is.
    fn may_be_swallowed(&self, window: &mut Window<'_>, frame: &Frame) -> Result<bool, LogDirError> {
        let reached = self.found.reached;
        let Some(previous) =
            self.previous.filter(|_| frame.header.magic >= 2 && frame.header.base_offset > reached)
        else {
            return Ok(false);
        };
        let explained = self.evidence.hole(reached, frame.header.base_offset).explained;
        Ok(!explained && !window.is_sound(previous.position, &previous.frame)?)
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

    pub(super) fn close_run(&mut self) {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use kcompare_core::records::BatchBuilder;

    use super::*;

    #[test]
    fn a_segment_that_cannot_be_read_is_damage_and_no_end() {
        let folder = std::env::temp_dir().join(format!("kcompare-scan-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let segment = |base_offset: i64, missing: u64| {
            let mut builder = BatchBuilder::new(base_offset);
            for _ in 0..10 {
                builder.append(0, None, Some(b"value")).unwrap();
            }
            let path = folder.join(format!("{base_offset:020}.log"));
            fs::write(&path, builder.build().unwrap()).unwrap();
            let metadata = fs::metadata(&path).unwrap();
            let (device, inode) = (metadata.dev(), metadata.ino());
            // As if the file had been longer when the directory was listed.
            Segment { base_offset, path, size: metadata.len() + missing, device, inode }
        };
        let cancel = CancelToken::new();
        let scan = |segments: &[Segment]| Scan::new(segments, None, None, &cancel).run(0).unwrap();
        let (found, tail) = scan(&[segment(0, 10), segment(10, 0)]);
        let items: Vec<_> = found.items.iter().collect();
        assert!(
            matches!(items[..], [Item::Run(_), Item::Spot(spot), Item::Run(_)] if spot.reason == UnreadReason::IoError),
            "{items:?}"
        );
        assert!(tail.is_empty());
        let (_, tail) = scan(&[segment(0, 0), segment(10, 10)]);
        assert!(tail[0].never_end.is_some() && tail[0].damage.from == 20, "{tail:?}");
        let gone = segment(10, 0);
        fs::remove_file(&gone.path).unwrap();
        let (_, tail) = scan(&[segment(0, 0), gone]);
        assert!(tail[0].reason == UnreadReason::IoError && tail[0].damage.from == 10, "{tail:?}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
