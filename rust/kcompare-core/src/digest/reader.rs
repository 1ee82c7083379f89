//! From a stream of batches to the records of a slice, with every offset accounted for.
//!
//! A slice owns records by offset: it skips those below its start in a batch that straddles, and ends when its
//! position reaches its stop. Nothing is skipped in silence: an offset of the slice is a record, a gap with its cause,
//! or unread with its reason.

use super::cells::Gap;
use crate::records::{
    AbortedFilter, AbortedTransaction, BatchDecoder, BatchHeader, ControlRecordType, Frame, RecordError,
    RecordErrorKind, RecordView,
};

/// Gaps without a cause whose offsets are kept; all of them are counted.
pub const MAX_GAP_RANGES: usize = 64;
/// Unread ranges that are kept apart; past them the last one grows over what lies between.
pub const MAX_UNREAD_RANGES: usize = 256;
/// Leader epochs of one slice that are kept.
pub const MAX_LEADER_EPOCHS: usize = 4096;

/// Whether records of aborted transactions are records (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// They are.
    ReadUncommitted,
    /// They are not.
    ReadCommitted,
}

/// The offsets that a slice owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceSpec {
    /// First offset.
    pub start: i64,
    /// One past the last offset.
    pub stop: i64,
    /// What is a record.
    pub isolation_level: IsolationLevel,
}

/// Why offsets could not be read or trusted; the words are those of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadReason {
    /// Bytes that are no sound batch.
    CorruptBatch,
    /// A batch that does not fit the memory budget.
    BatchTooLarge,
    /// A batch whose leader epoch is below that of an earlier one.
    LeaderEpochWentBack,
    /// Damage in a log directory that is not the end of the log.
    DamageBeforeEnd,
    /// Offsets of a log directory whose segment file is not there.
    MissingSegment,
    /// Offsets that a broker keeps in remote storage only (KIP-405).
    RemoteOnly,
    /// A file that could not be read.
    IoError,
}

impl UnreadReason {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::CorruptBatch => "corrupt_batch",
            Self::BatchTooLarge => "batch_too_large",
            Self::LeaderEpochWentBack => "leader_epoch_went_back",
            Self::DamageBeforeEnd => "damage_before_end",
            Self::MissingSegment => "missing_segment",
            Self::RemoteOnly => "remote_only",
            Self::IoError => "io_error",
        }
    }
}

/// Offsets that could not be read or trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// First offset.
    pub start: i64,
    /// One past the last offset.
    pub stop: i64,
    /// Why, as a word.
    pub reason: UnreadReason,
    /// Why, as a sentence.
    pub detail: String,
}

/// What a slice's stream looked like beside its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Bytes of batches as stored.
    pub bytes: u64,
    /// Batches.
    pub batches: u64,
    /// The first [`MAX_GAP_RANGES`] gaps without a cause.
    pub unexplained: Vec<(i64, i64)>,
    /// All of them, in number.
    pub unexplained_total: u64,
    /// Leader epochs and the base offset of the first batch of each, as seen here.
    pub leader_epochs: Vec<(i32, i64)>,
    /// Offsets that could not be read or trusted.
    pub unread: Vec<Unread>,
}

/// What takes the records of a slice, in offset order and without a hole.
pub trait RecordConsumer {
    /// A batch begins.
    fn batch(&mut self, log_append_time: bool);
    /// The record at the position.
    fn record(&mut self, record: &RecordView<'_>);
    /// A record of an aborted transaction, under `read_committed`: no record, but a place where one was.
    fn aborted(&mut self, record: &RecordView<'_>) {
        self.gap(record.offset + 1, Gap::Aborted);
    }
    /// No record from the position up to `stop`.
    fn gap(&mut self, stop: i64, gap: Gap);
    /// Whether no further record is wanted, which ends the slice early.
    fn is_full(&self) -> bool {
        false
    }
}

struct Damage {
    /// Where the report says that it begins: not after the records of the bad batch that were taken already.
    start: i64,
    reason: UnreadReason,
    detail: String,
}

/// Reads a slice out of whole batches.
pub struct SliceReader<C> {
    spec: SliceSpec,
    consumer: C,
    decoder: BatchDecoder,
    aborted: AbortedFilter,
    /// Next offset that the consumer has no account of.
    accounted: i64,
    /// Next offset to fetch: the same, or while damage is pending where the damaged header says to go on.
    position: i64,
    damage: Option<Damage>,
    /// No batch of this response was taken yet, so one that ends below the position is the tail of an earlier fetch.
    response_is_new: bool,
    stats: StreamStats,
}

impl<C: RecordConsumer> SliceReader<C> {
    /// A reader at the start of the slice. `output_limit`: bytes that a batch may decompress to.
    pub fn new(spec: SliceSpec, consumer: C, output_limit: usize) -> Self {
        assert!(spec.start <= spec.stop, "slice [{}, {}) ends before it starts", spec.start, spec.stop);
        Self {
            spec,
            consumer,
            decoder: BatchDecoder::new(output_limit),
            aborted: AbortedFilter::new(Vec::new()),
            accounted: spec.start,
            position: spec.start,
            damage: None,
            response_is_new: true,
            stats: StreamStats::default(),
        }
    }

    /// Next offset to fetch.
    pub fn position(&self) -> i64 {
        if self.consumer.is_full() { self.spec.stop } else { self.position }
    }

    /// First offset of the slice.
    pub fn start(&self) -> i64 {
        self.spec.start
    }

    /// What takes the records.
    pub fn consumer(&self) -> &C {
        &self.consumer
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.stats.bytes
    }

    /// Changes how many bytes a batch may decompress to.
    pub fn set_output_limit(&mut self, bytes: usize) {
        self.decoder.set_output_limit(bytes);
    }

    /// A response begins, with the transactions that its answer says were aborted.
    pub fn begin_response(&mut self, aborted: &[AbortedTransaction]) {
        self.response_is_new = true;
        if self.spec.isolation_level == IsolationLevel::ReadCommitted {
            self.aborted = AbortedFilter::new(aborted.to_vec());
        }
    }

    /// Takes one whole batch. An error means that it decompresses to more than the limit: nothing was taken, and the
    /// caller raises the limit or gives the batch to [`Self::unreadable`].
    pub fn push(&mut self, frame: &Frame, bytes: &[u8]) -> Result<(), RecordError> {
        if self.position >= self.spec.stop {
            return Ok(());
        }
        self.stats.bytes += bytes.len() as u64;
        let before = self.accounted;
        match self.take(frame, bytes) {
            Err(error) if matches!(error.kind, RecordErrorKind::OutputLimit { .. }) => {
                self.stats.bytes -= bytes.len() as u64;
                return Err(error);
            }
            Err(error) => {
                let (here, next) = (self.accounted, frame.header.next_offset());
                if here > before && next == here {
                    // Every offset that the batch claims was taken before the fault showed.
                    self.unreadable_to(here, UnreadReason::CorruptBatch, error.to_string());
                } else {
                    self.unreadable(Some(frame), UnreadReason::CorruptBatch, error.to_string());
                }
                if let Some(damage) = &mut self.damage {
                    damage.start = damage.start.min(before);
                }
            }
            Ok(()) => self.stats.batches += 1,
        }
        Ok(())
    }

    /// Notes that the next batch cannot be read. Its header says where the one after it should begin, but it is not
    /// to be believed: the unread range ends where the next sound batch begins.
    pub fn unreadable(&mut self, frame: Option<&Frame>, reason: UnreadReason, detail: String) {
        if self.damage.is_none() {
            self.damage = Some(Damage { start: self.accounted, reason, detail });
        }
        let claimed = frame.map_or(i64::MIN, |frame| frame.header.next_offset());
        // A header that leads nowhere gives up the rest of the slice rather than looping on one batch.
        self.position = if claimed > self.position { claimed.min(self.spec.stop) } else { self.spec.stop };
        self.response_is_new = false;
    }

    /// Notes that `[position, to)` cannot be read and that reading goes on at `to`.
    pub fn unreadable_to(&mut self, to: i64, reason: UnreadReason, detail: String) {
        if self.damage.is_none() {
            self.damage = Some(Damage { start: self.accounted, reason, detail });
        }
        self.position = to.clamp(self.position, self.spec.stop);
        self.response_is_new = false;
    }

    /// Ends the slice: what is left up to the stop has no record that was read, unless no more was wanted.
    pub fn finish(mut self) -> (C, StreamStats, i64) {
        if self.consumer.is_full() {
            return (self.consumer, self.stats, self.spec.stop);
        }
        let position = self.position.min(self.spec.stop);
        self.settle_damage(position);
        let reached = self.accounted;
        self.consumer.gap(self.spec.stop, Gap::Uncovered);
        (self.consumer, self.stats, reached)
    }

    /// Ends pending damage where sound batches begin again. Damage between two sound batches that leave no offset out
    /// is damage all the same: bytes were there that nobody could read.
    fn settle_damage(&mut self, sound_from: i64) {
        if let Some(Damage { start, reason, detail }) = self.damage.take() {
            let stop = sound_from.clamp(self.accounted, self.spec.stop);
            if self.accounted < stop {
                self.consumer.gap(stop, Gap::Uncovered);
            }
            self.move_to(stop);
            self.note_unread(Unread { start, stop, reason, detail });
        }
    }

    fn move_to(&mut self, offset: i64) {
        self.accounted = offset;
        self.position = offset;
    }

    fn note_unread(&mut self, unread: Unread) {
        let full = self.stats.unread.len() >= MAX_UNREAD_RANGES;
        match self.stats.unread.last_mut() {
            Some(last) if full || (last.stop == unread.start && last.reason == unread.reason) => {
                last.stop = last.stop.max(unread.stop);
            }
            _ => self.stats.unread.push(unread),
        }
    }

    /// Notes that the log says two things about the offsets up to the position.
    fn note_contradiction(&mut self, detail: String) {
        let (start, stop) = (self.accounted, self.accounted);
        self.note_unread(Unread { start, stop, reason: UnreadReason::CorruptBatch, detail });
    }

    fn take(&mut self, frame: &Frame, bytes: &[u8]) -> Result<(), RecordError> {
        if self.damage.is_some() {
            // The batch must be sound as a whole before its base offset ends the unread range.
            let mut first = frame.header.base_offset;
            let mut any = false;
            self.decoder.decode(bytes, self.stats.bytes, |record| {
                if !any {
                    any = true;
                    first = first.min(record.offset);
                }
            })?;
            self.settle_damage(first);
        }
        if self.is_behind(frame, bytes)? {
            return Ok(());
        }
        if let Some(last) = self.epoch_went_back(&frame.header) {
            let (epoch, offset) = (frame.header.partition_leader_epoch, frame.header.base_offset);
            let detail = format!("leader epoch {epoch} at offset {offset} follows epoch {last}");
            self.unreadable(Some(frame), UnreadReason::LeaderEpochWentBack, detail);
            return Ok(());
        }
        if frame.header.is_control() { self.take_control(frame, bytes) } else { self.take_data(frame, bytes) }
    }

    /// Whether the batch ends at or below the position. In a fresh response that is the front of a straddling fetch;
    /// later it is a log that repeats offsets, of which nothing more can be trusted.
    fn is_behind(&mut self, frame: &Frame, bytes: &[u8]) -> Result<bool, RecordError> {
        let header = &frame.header;
        let behind = header.next_offset() <= self.position;
        let overlaps = header.magic >= 2 && header.base_offset < self.position;
        // Only the slice's own start may lie inside a batch; every later fetch begins where one ended.
        if self.response_is_new && self.accounted == self.spec.start {
            if behind {
                // It is still checked: bytes that are no batch must not pass as an earlier one.
                self.decoder.decode(bytes, self.stats.bytes, |_| ())?;
            }
            self.response_is_new = behind;
            return Ok(behind);
        }
        self.response_is_new = false;
        if behind || overlaps {
            let detail = format!(
                "a batch at offsets [{}, {}) comes after offset {} was read: the log repeats offsets",
                header.base_offset,
                header.next_offset(),
                self.position - 1
            );
            self.unreadable(None, UnreadReason::CorruptBatch, detail);
            return Ok(true);
        }
        Ok(false)
    }

    /// No record up to `offset`, because no batch holds one.
    fn skip_to(&mut self, offset: i64, gap: Gap) {
        let stop = offset.min(self.spec.stop);
        if stop <= self.accounted {
            return;
        }
        if gap == Gap::Unexplained {
            note_unexplained(&mut self.stats, (self.accounted, stop));
        }
        self.consumer.gap(stop, gap);
        self.move_to(stop);
    }

    /// Keeps the batch's leader epoch, unless it lies below that of an earlier batch: an unclean election, after which
    /// nothing says which of the two histories the batch belongs to.
    fn epoch_went_back(&mut self, header: &BatchHeader) -> Option<i32> {
        let epoch = header.partition_leader_epoch;
        match self.stats.leader_epochs.last() {
            _ if epoch < 0 => None,
            Some((last, _)) if *last == epoch => None,
            Some((last, _)) if *last > epoch => Some(*last),
            _ => {
                if self.stats.leader_epochs.len() < MAX_LEADER_EPOCHS {
                    self.stats.leader_epochs.push((epoch, header.base_offset));
                }
                None
            }
        }
    }

    /// A control batch: only the offsets of its records are markers, whatever its header spans.
    fn take_control(&mut self, frame: &Frame, bytes: &[u8]) -> Result<(), RecordError> {
        let (base_offset, position) = (frame.header.base_offset, self.stats.bytes);
        let mut marker = None;
        let mut bad_marker = None;
        let mut offsets = Vec::new();
        self.decoder.decode(bytes, position, |record| {
            offsets.push(record.offset);
            match ControlRecordType::from_key(record.key) {
                Ok(kind) => marker = Some(kind),
                Err(kind) => bad_marker = Some(kind),
            }
        })?;
        if let Some(kind) = bad_marker {
            return Err(RecordError { base_offset, position, kind });
        }
        if self.aborted.contradicts(&frame.header, marker) {
            self.note_contradiction(format!(
                "the transaction of producer {} is listed as aborted, and its marker at offset {base_offset} commits it",
                frame.header.producer_id
            ));
        }
        self.aborted.observe(&frame.header, marker);
        for offset in offsets {
            self.skip_to(offset, Gap::Unexplained);
            self.skip_to(offset + 1, Gap::Control);
        }
        self.skip_to(frame.header.next_offset(), Gap::Unexplained);
        Ok(())
    }

    fn take_data(&mut self, frame: &Frame, bytes: &[u8]) -> Result<(), RecordError> {
        let header = &frame.header;
        let is_aborted = self.aborted.observe(header, None);
        let is_aborted = is_aborted && self.spec.isolation_level == IsolationLevel::ReadCommitted;
        let (start, stop) = (self.accounted, self.spec.stop);
        // A v2 batch says where it begins; a legacy wrapper does not, so the hole before its first record has no cause.
        let inside = if header.magic >= 2 { Gap::Compacted } else { Gap::Unexplained };
        let mut before = Some(header.base_offset).filter(|_| header.magic >= 2);
        let mut pending_batch = true;
        let mut expected = start;
        let mut hole = None;
        let mut repeats = false;
        let consumer = &mut self.consumer;
        let stats = &mut self.stats;
        let decoded = self.decoder.decode(bytes, stats.bytes, |record| {
            if record.offset < expected || record.offset >= stop {
                // A legacy wrapper does not say where it begins, so only its records show that it repeats offsets.
                repeats |= record.offset < start && header.magic < 2;
                return;
            }
            if pending_batch {
                pending_batch = false;
                consumer.batch(header.is_log_append_time());
                let from = before.take().unwrap_or(record.offset);
                if from > expected {
                    hole = Some((expected, from));
                    consumer.gap(from, Gap::Unexplained);
                    expected = from;
                }
            }
            if record.offset > expected {
                consumer.gap(record.offset, Gap::Compacted);
            }
            if is_aborted {
                consumer.aborted(record);
            } else {
                consumer.record(record);
            }
            expected = record.offset + 1;
        });
        if let Some(hole) = hole {
            note_unexplained(stats, hole);
        }
        self.move_to(expected);
        decoded?;
        if repeats && start > self.spec.start {
            self.note_contradiction(format!(
                "messages below offset {start} come again: the log repeats offsets"
            ));
        }
        if let Some(base_offset) = before {
            self.skip_to(base_offset, Gap::Unexplained);
        }
        self.skip_to(frame.header.next_offset(), inside);
        Ok(())
    }
}

pub(super) fn note_unexplained(stats: &mut StreamStats, hole: (i64, i64)) {
    stats.unexplained_total += 1;
    if stats.unexplained.len() < MAX_GAP_RANGES {
        stats.unexplained.push(hole);
    }
}
