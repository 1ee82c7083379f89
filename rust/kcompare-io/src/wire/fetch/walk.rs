//! The batches of one answer: found by their headers, handed on while the rest still arrives.
//!
//! Two cursors go over the records. The *scan* looks at headers only and runs as far ahead as bytes are buffered; as
//! soon as it knows the last complete batch, the next request is sent. The *delivery* hands whole batches to the sink.

use kcompare_core::records::{Frame, RecordError, peek};

use super::super::input::Input;
use super::sizing::Sizing;
use super::stream::Answer;
use super::types::{BatchSink, Unreadable};
use crate::budget::MemoryBudget;
use crate::error::WireError;

/// What is left of an answer behind the end of the range is read up to this size; past it a new connection is cheaper.
const WORTH_DRAINING: u64 = 1 << 20;

/// Where a batch lies, seen from the offset that the log has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It has offsets to read.
    Useful,
    /// Its offsets were all passed before.
    Below,
    /// It begins behind the range.
    PastStop,
    /// It says that it lies where nothing can be.
    BeyondEnd,
}

/// The limits of one walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) stop: i64,
    pub(super) high_watermark: i64,
}

impl Limits {
    fn place(self, frame: &Frame, next: i64) -> Place {
        let base = frame.header.base_offset;
        // A wrapper of magic 0 or 1 only tells its last offset: it may begin anywhere from `next` on.
        let begin = if frame.header.magic >= 2 { base } else { next };
        if frame.header.next_offset() <= next {
            Place::Below
        } else if self.high_watermark >= 0 && base > next && base >= self.high_watermark.max(self.stop) {
            Place::BeyondEnd
        } else if begin >= self.stop {
            Place::PastStop
        } else {
            Place::Useful
        }
    }
}

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Where the headers say that the log goes on.
    pub(super) next: i64,
    /// Batches handed on, or reported as too large.
    pub(super) batches: u64,
    /// A batch behind the range was seen: there is nothing more to read.
    pub(super) past_stop: bool,
    /// The rest of the answer was left on the connection, which is of no more use.
    pub(super) abandoned: bool,
    /// Bytes that the batch at the cut end of the answer needs; 0 when the answer does not tell.
    pub(super) partial: Option<u64>,
    /// From here on no batch can be made out.
    pub(super) damage: Option<RecordError>,
}

/// What the delivery can do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// All records of the answer are used up.
    Done,
    /// The next batch has not arrived as a whole.
    NeedBytes,
    /// Bytes have come in that the scan has not seen.
    Rescan,
}

/// The scan: how far the headers are known, and what they promise.
#[derive(Debug)]
struct Scan {
    /// The offset that the answer was asked for.
    from: i64,
    /// Bytes from the beginning of the records.
    at: u64,
    next: i64,
    complete: bool,
    /// Nothing further is worth asking for, or nobody knows where.
    no_more: bool,
}

impl Scan {
    /// Whether there is an offset to ask for next.
    fn leads_on(&self) -> bool {
        !self.no_more && self.next > self.from
    }
}

pub(super) struct Walk<'a, 's> {
    pub(super) sink: &'a mut (dyn BatchSink + 's),
    pub(super) budget: &'a MemoryBudget,
    pub(super) sizing: &'a mut Sizing,
    pub(super) limits: Limits,
    /// Damage that an earlier answer began with, and its first offset; reported when it is known where it ends.
    pub(super) damaged: &'a mut Option<(i64, RecordError)>,
    /// Whether the next request may be sent before this answer is used up. Once it is sent, no more.
    pub(super) may_ask: bool,
    /// Bytes of records.
    total: u64,
    consumed: u64,
    below: Option<Frame>,
    scan: Scan,
    walked: Walked,
}

impl<'a, 's> Walk<'a, 's> {
    pub(super) fn new(
        sink: &'a mut (dyn BatchSink + 's),
        budget: &'a MemoryBudget,
        sizing: &'a mut Sizing,
        damaged: &'a mut Option<(i64, RecordError)>,
        limits: Limits,
        from: i64,
        total: u64,
    ) -> Self {
        let scan = Scan { from, at: 0, next: from, complete: false, no_more: false };
        let walked = Walked { next: from, ..Walked::default() };
        Self {
            sink,
            budget,
            sizing,
            limits,
            damaged,
            may_ask: false,
            total,
            consumed: 0,
            below: None,
            scan,
            walked,
        }
    }

    /// Goes over all records of the answer. `ask` sends the next request for an offset, and is called once at most.
    pub(super) fn run(
        mut self,
        answer: &mut Answer<'_, '_>,
        mut ask: impl FnMut(&mut Answer<'_, '_>, i64, &Sizing) -> Result<(), WireError>,
    ) -> Result<Walked, WireError> {
        loop {
            self.scan(answer);
            if self.may_ask && self.scan.complete && self.scan.leads_on() {
                ask(answer, self.scan.next, self.sizing)?;
                self.may_ask = false;
            }
            match self.deliver(answer)? {
                Step::Done => return Ok(self.walked),
                Step::NeedBytes => answer.fill()?,
                Step::Rescan => {}
            }
        }
    }

    /// The records that are in the buffer from the delivery cursor on.
    fn records<'b>(&self, answer: &'b Answer<'_, '_>) -> &'b [u8] {
        let left = usize::try_from(self.total - self.consumed).unwrap_or(usize::MAX);
        let buffered = answer.buffered();
        &buffered[..buffered.len().min(left)]
    }

    /// Looks at the headers that have arrived.
    fn scan(&mut self, answer: &Answer<'_, '_>) {
        let records = self.records(answer);
        let whole = records.len() as u64 == self.total - self.consumed;
        while !self.scan.complete {
            let ahead = self.scan.at - self.consumed;
            let seen = usize::try_from(ahead).ok().and_then(|ahead| records.get(ahead..)).unwrap_or_default();
            if self.scan.at == self.total {
                self.scan.complete = true;
                return;
            }
            match peek(seen, self.scan.at) {
                Ok(Some(frame)) => self.scan_frame(&frame),
                Ok(None) => {
                    self.scan.complete = whole;
                    return;
                }
                Err(_) => {
                    self.scan.complete = true;
                    self.scan.no_more = true;
                }
            }
        }
    }

    fn scan_frame(&mut self, frame: &Frame) {
        let end = self.scan.at + frame.size as u64;
        if end > self.total {
            self.scan.complete = true;
            return;
        }
        match self.limits.place(frame, self.scan.next) {
            Place::Useful => {
                self.sizing.saw(frame.size, frame.header.next_offset() - self.scan.next);
                self.scan.next = frame.header.next_offset();
                if self.scan.next >= self.limits.stop {
                    self.scan.no_more = true;
                }
            }
            Place::PastStop => {
                self.scan.complete = true;
                self.scan.no_more = true;
            }
            Place::Below | Place::BeyondEnd => {}
        }
        self.scan.at = end;
    }

    /// Hands on every batch that has arrived.
    fn deliver(&mut self, answer: &mut Answer<'_, '_>) -> Result<Step, WireError> {
        while self.consumed < self.total {
            answer.patience.cancel().check()?;
            let records = self.records(answer);
            let whole = records.len() as u64 == self.total - self.consumed;
            match peek(records, self.consumed) {
                Ok(Some(frame)) if self.consumed + frame.size as u64 > self.total => {
                    self.cut(&frame);
                    return self.skip_rest(answer);
                }
                Ok(Some(frame)) if self.ends_range(&frame, records.len(), answer.capacity()) => {
                    if self.sink.position() < self.limits.stop && frame.size <= records.len() {
                        // The range ends in a hole. Only a batch that the sink found sound proves where it ends.
                        self.sink.batch(&frame, &records[..frame.size]);
                        answer.consume(frame.size);
                        self.consumed += frame.size as u64;
                    }
                    self.pass_stop();
                    if self.total - self.consumed > WORTH_DRAINING {
                        self.walked.abandoned = true;
                        return Ok(Step::Done);
                    }
                    return self.skip_rest(answer);
                }
                Ok(Some(frame))
                    if self.limits.place(&frame, self.walked.next) == Place::PastStop
                        && frame.size > records.len() =>
                {
                    return Ok(Step::NeedBytes);
                }
                Ok(Some(frame)) if frame.size <= records.len() => {
                    self.whole_batch(&frame, &records[..frame.size]);
                    answer.consume(frame.size);
                    self.consumed += frame.size as u64;
                }
                Ok(Some(frame)) if frame.size > answer.capacity() => {
                    self.large_batch(answer, &frame)?;
                    return Ok(if self.consumed == self.total { Step::Done } else { Step::Rescan });
                }
                Ok(None) if whole => {
                    self.walked.partial = Some(0);
                    return self.skip_rest(answer);
                }
                Ok(_) => return Ok(Step::NeedBytes),
                Err(error) => {
                    self.walked.damage = Some(error);
                    return self.skip_rest(answer);
                }
            }
        }
        Ok(Step::Done)
    }

    /// Whether this batch lies behind the range and nothing more of it has to arrive.
    fn ends_range(&self, frame: &Frame, arrived: usize, capacity: usize) -> bool {
        self.limits.place(frame, self.walked.next) == Place::PastStop
            && (self.sink.position() >= self.limits.stop || frame.size <= arrived || frame.size > capacity)
    }

    fn skip_rest(&mut self, answer: &mut Answer<'_, '_>) -> Result<Step, WireError> {
        answer.skip(self.total - self.consumed, "records")?;
        self.consumed = self.total;
        Ok(Step::Done)
    }

    /// The answer ends inside this batch. A batch that no answer could hold is passed over by its header.
    fn cut(&mut self, frame: &Frame) {
        let limit = self.budget.large_limit();
        let useful = self.limits.place(frame, self.walked.next) == Place::Useful;
        if self.walked.batches == 0
            && useful
            && frame.size > limit.max(super::buffers::wire_share(self.budget))
        {
            self.before(frame);
            self.sink.unreadable(Some(frame), Unreadable::BatchTooLarge { size: frame.size, limit });
            self.after(frame);
        } else {
            self.walked.partial = Some(frame.size as u64);
        }
    }

    fn pass_stop(&mut self) {
        if let Some(below) = self.below.take() {
            self.sink.unreadable(Some(&below), Unreadable::OutOfOrder { expected: self.walked.next });
        }
        self.walked.past_stop = true;
    }

    fn whole_batch(&mut self, frame: &Frame, bytes: &[u8]) {
        if self.wanted(frame) {
            self.before(frame);
            self.sink.batch(frame, bytes);
            self.after(frame);
        }
    }

    /// A batch that does not fit the buffer: read into the large share, or passed over when that is too small too.
    fn large_batch(&mut self, answer: &mut Answer<'_, '_>, frame: &Frame) -> Result<(), WireError> {
        let limit = self.budget.large_limit();
        let wanted = self.wanted(frame);
        if wanted {
            self.before(frame);
        }
        if wanted && frame.size <= limit {
            let mut share = self.budget.acquire_large(answer.patience.cancel())?;
            // Waiting for the other workers is no fault of the broker.
            answer.patience.progress();
            if share.reserve(frame.size) {
                let mut batch = vec![0; frame.size];
                answer.read_into(&mut batch)?;
                self.sink.batch(frame, &batch);
            } else {
                answer.skip(frame.size as u64, "batch")?;
                let limit = share.available();
                self.sink.unreadable(Some(frame), Unreadable::BatchTooLarge { size: frame.size, limit });
            }
        } else {
            answer.skip(frame.size as u64, "batch")?;
            if wanted {
                self.sink.unreadable(Some(frame), Unreadable::BatchTooLarge { size: frame.size, limit });
            }
        }
        self.consumed += frame.size as u64;
        if wanted {
            self.after(frame);
        }
        Ok(())
    }

    /// Whether the sink wants the batch. What lies in the wrong place is reported here, or remembered: a broker may
    /// begin its answer early, so batches below the position count only when something is missing behind them.
    fn wanted(&mut self, frame: &Frame) -> bool {
        let expected = self.walked.next;
        match self.limits.place(frame, expected) {
            Place::Useful => return true,
            Place::Below if self.walked.batches == 0 => self.below = Some(*frame),
            Place::Below => self.sink.unreadable(Some(frame), Unreadable::OutOfOrder { expected }),
            Place::BeyondEnd => {
                let high_watermark = self.limits.high_watermark;
                self.sink.unreadable(Some(frame), Unreadable::BeyondEnd { high_watermark });
            }
            Place::PastStop => {}
        }
        false
    }

    fn before(&mut self, frame: &Frame) {
        let (expected, base) = (self.walked.next, frame.header.base_offset);
        if let Some((from, error)) = self.damaged.take() {
            self.sink.unreadable(None, Unreadable::Damaged { from, to: base.max(from), error });
        }
        if let Some(below) = self.below.take()
            && frame.header.magic >= 2
            && base > expected
        {
            self.sink.unreadable(Some(&below), Unreadable::OutOfOrder { expected });
        }
    }

    fn after(&mut self, frame: &Frame) {
        self.walked.next = frame.header.next_offset();
        self.walked.batches += 1;
    }
}
