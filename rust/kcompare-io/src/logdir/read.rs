//! Reading a range of a log: whole batches, from the read buffer to the sink.

use kcompare_core::digest::UnreadReason;
use kcompare_core::records::Frame;

use super::batches::{Batches, Next, READ_PIECE};
use super::error::LogDirError;
use super::file::SegmentFile;
use super::index::Run;
use super::partition::{LostRange, PartitionLog, Stretch};
use super::resync::Plausible;
use crate::budget::MemoryBudget;
use crate::cancel::{CancelToken, Cancelled};
use crate::wire::{BatchSink, IsolationLevel, Unreadable, wire_share};

/// However low the rate, so much is read at a time.
const SMALLEST_PIECE: usize = 64 << 10;

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRange {
    /// The first offset.
    pub start: i64,
    /// One past the last offset.
    pub stop: i64,
    /// Under `ReadCommitted` the sink is told of aborted transactions, and reading ends at the last stable offset.
    pub isolation_level: IsolationLevel,
}

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// Everything up to `stop` was handed on, or reported to the sink as unreadable.
    Reached,
    /// The last stable offset lies below `stop`.
    OpenTransaction,
    /// The log ends below `stop`.
    Truncated,
}

/// What a read has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Up to where the range was read.
    pub position: i64,
    /// How it ended.
    pub end: ReadEnd,
    /// Bytes of batches read.
    pub bytes: u64,
}

impl PartitionLog {
    /// Feeds the batches of a range to `sink`, across segments.
    ///
    /// The sink learns before the first batch of the aborted transactions that concern the range, and once more behind
    /// a file that could not be read. Damage, missing segments and files that cannot be read become `unreadable` calls;
    /// only the cancel token ends a read early.
    pub fn read(
        &self,
        range: ReadRange,
        sink: &mut dyn BatchSink,
        budget: &MemoryBudget,
        cancel: &CancelToken,
    ) -> Result<ReadOutcome, Cancelled> {
        cancel.check()?;
        let bounds = self.bounds();
        let committed = range.isolation_level == IsolationLevel::ReadCommitted;
        let (limit, end) = if committed && bounds.last_stable_offset < range.stop.min(bounds.log_end_offset) {
            (bounds.last_stable_offset, ReadEnd::OpenTransaction)
        } else if bounds.log_end_offset < range.stop {
            (bounds.log_end_offset, ReadEnd::Truncated)
        } else {
            (range.stop, ReadEnd::Reached)
        };
        let mut reading = Reading {
            log: self,
            sink,
            budget,
            cancel,
            stop: limit,
            may_pass: limit == range.stop,
            committed,
            position: range.start,
            bytes: 0,
            buffer: self.buffers.take(wire_share(budget)),
        };
        let done = if limit > range.start { reading.run() } else { Ok(()) };
        let (position, bytes) = (reading.position.min(limit.max(range.start)), reading.bytes);
        // A sink that wants no more has what it was to read.
        let end = if reading.sink.position() >= range.stop { ReadEnd::Reached } else { end };
        self.buffers.put(reading.buffer);
        done.map(|()| ReadOutcome { position, end, bytes })
    }

    /// The stretches from the one on that holds or follows `offset`.
    pub(super) fn stretches_from(&self, offset: i64) -> &[Stretch] {
        let passed = |stretch: &Stretch| match stretch {
            Stretch::Run(run) => run.to <= offset,
            // Damage that hides no offset lies between two batches; it belongs to the one behind it.
            Stretch::Lost(number) => {
                let LostRange { start, stop, .. } = self.lost()[*number];
                stop < offset || (stop == offset && start < stop)
            }
        };
        &self.stretches[self.stretches.partition_point(passed)..]
    }
}

/// A read that is under way.
struct Reading<'a, 's> {
    log: &'a PartitionLog,
    sink: &'a mut (dyn BatchSink + 's),
    budget: &'a MemoryBudget,
    cancel: &'a CancelToken,
    stop: i64,
    /// Whether a batch behind the range may be handed on: not where the range was cut off at the last stable offset, behind
    /// which the sink would take it for records.
    may_pass: bool,
    committed: bool,
    /// The offset that the log has reached, whatever the sink made of it.
    position: i64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Reading<'_, '_> {
    fn run(&mut self) -> Result<(), Cancelled> {
        self.announce();
        for stretch in self.log.stretches_from(self.position) {
            self.cancel.check()?;
            if self.sink.position() >= self.stop {
                break;
            }
            match stretch {
                Stretch::Lost(number) => {
                    let LostRange { start, stop, reason, detail } = &self.log.lost()[*number];
                    if *start >= self.stop {
                        break;
                    }
                    self.lose(*stop, *reason, detail.clone());
                }
                Stretch::Run(run) => {
                    let ends_here = run.from >= self.stop;
                    match self.batches(run) {
                        Ok(()) => {}
                        Err(LogDirError::Cancelled) => return Err(Cancelled),
                        Err(error) => {
                            self.lose(run.to, UnreadReason::IoError, error.to_string());
                            // Markers may be among what was not read: the sink must not wait for them.
                            self.announce();
                        }
                    }
                    if ends_here {
                        break;
                    }
                }
            }
        }
        self.position = self.position.max(self.stop);
        Ok(())
    }

    fn announce(&mut self) {
        let list = if self.committed {
            self.log.transactions.aborted_in(self.position, self.stop)
        } else {
            Vec::new()
        };
        self.sink.aborted_transactions(&list);
    }

    fn lose(&mut self, to: i64, reason: UnreadReason, detail: String) {
        self.sink.unreadable(None, Unreadable::Lost { to, reason, detail });
        self.position = self.position.max(to);
    }

    /// The batches of a run, from the position on. The first one behind the range is handed on where the range ends in a
    /// hole.
    fn batches(&mut self, run: &Run) -> Result<(), LogDirError> {
        let segment = &self.log.segments()[run.segment];
        let rate = self.log.rate.as_deref();
        let piece = rate.map_or(READ_PIECE, |rate| rate.request_limit().clamp(SMALLEST_PIECE, READ_PIECE));
        let (position, from) = self.log.locate(run, self.position, self.cancel)?;
        let file = SegmentFile::open(segment, rate, self.cancel)?;
        let buffer = std::mem::take(&mut self.buffer);
        let mut batches = Batches::new(file, buffer, piece, (position, run.end_position));
        let done = self.feed(&mut batches, run, from);
        self.buffer = batches.into_buffer();
        done
    }

    fn feed(&mut self, batches: &mut Batches<'_>, run: &Run, from: i64) -> Result<(), LogDirError> {
        let mut plausible = Plausible { from, limit: run.to };
        loop {
            self.cancel.check()?;
            let at = batches.position();
            let frame = match batches.next()? {
                Next::End => return Ok(()),
                Next::Batch(frame, _) | Next::Large(frame) if !plausible.holds(&frame) => {
                    return Err(self.log.not_as_before(run, at));
                }
                Next::Batch(frame, _) | Next::Large(frame)
                    if !self.may_pass && plausible.begin_of(&frame) >= self.stop =>
                {
                    return Ok(());
                }
                Next::Batch(frame, bytes) => {
                    self.hand_on(&frame, bytes);
                    frame
                }
                Next::Large(frame) => {
                    self.large(batches, &frame)?;
                    frame
                }
                Next::Torn | Next::Bad => return Err(self.log.not_as_before(run, at)),
            };
            plausible.from = frame.header.next_offset();
            self.position = self.position.max(plausible.from);
            self.bytes += frame.size as u64;
            if self.position >= self.stop || self.sink.position() >= self.stop {
                return Ok(());
            }
        }
    }

    fn hand_on(&mut self, frame: &Frame, bytes: &[u8]) {
        let header = &frame.header;
        if header.next_offset() <= self.position {
            return;
        }
        if self.committed
            && header.is_transactional()
            && !header.is_control()
            && let Some((reason, detail)) =
                self.log.transactions.doubt_about(header.producer_id, header.base_offset)
        {
            return self.lose(header.next_offset(), reason, detail);
        }
        self.sink.batch(frame, bytes);
    }

    /// A batch that does not fit the buffer: read into the large share, or passed over when that is too small too.
    fn large(&mut self, batches: &mut Batches<'_>, frame: &Frame) -> Result<(), LogDirError> {
        let limit = self.budget.large_limit();
        if frame.header.next_offset() <= self.position {
            batches.skip(frame.size as u64);
            return Ok(());
        }
        let mut share = self.budget.acquire_large(self.cancel)?;
        if frame.size > limit || !share.reserve(frame.size) {
            batches.skip(frame.size as u64);
            self.sink.unreadable(Some(frame), Unreadable::BatchTooLarge { size: frame.size, limit });
            return Ok(());
        }
        let mut bytes = vec![0; frame.size];
        batches.read_whole(&mut bytes)?;
        self.hand_on(frame, &bytes);
        Ok(())
    }
}
