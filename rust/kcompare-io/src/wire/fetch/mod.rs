//! Fetch: one range of one partition, streamed to a sink.
//!
//! The loop of this module asks and decides what an answer means; `answer` reads one, `walk` goes over its batches, and
//! `recover` over everything that is no batch: error codes, retries, moved leaders.

mod answer;
pub(crate) mod buffers;
mod patience;
mod quota;
mod recover;
pub(crate) mod request;
mod sizing;
mod stream;
mod types;
mod walk;

use std::time::{Duration, Instant};

use kcompare_core::records::RecordError;

pub use types::{BatchSink, FetchEnd, FetchOutcome, FetchRange, IsolationLevel, Unreadable};

use self::answer::{Got, Steps};
use self::buffers::wire_share;
use self::patience::Patience;
use self::quota::{settle, throttle_time};
use self::recover::Cause;
use self::request::{PartitionAsk, Template};
use self::sizing::Sizing;
use self::stream::{Answer, Stream};
use self::walk::Walked;
use super::cluster::Cluster;
use super::connection::Connection;
use super::fetch_response::read_head;
use super::input::Input;
use crate::budget::MemoryBudget;
use crate::cancel::CancelToken;
use crate::error::WireError;

/// An empty answer that comes sooner than this is not asked for again at once.
const SHORTEST_EMPTY: Duration = Duration::from_millis(50);
/// A probe for the end of a damaged stretch asks for this much.
const PROBE_BYTES: i32 = 1 << 20;

impl Cluster {
    /// Reads one range of a partition from its leader and hands its batches to `sink`.
    ///
    /// The bytes in flight stay within the worker's share of `budget`, and one batch at a time in its large half. What
    /// the cluster can answer is in the outcome; an error means that nobody answered, or not in Kafka's protocol. In
    /// either case the sink's position says what was handed on.
    pub fn fetch(
        &self,
        range: &FetchRange,
        sink: &mut dyn BatchSink,
        budget: &MemoryBudget,
        cancel: &CancelToken,
    ) -> Result<FetchOutcome, WireError> {
        let stream = Stream::new(self.buffers.take(wire_share(budget)));
        let mut fetcher = Fetcher::new(self, range, sink, budget, cancel, stream);
        let result = fetcher.run();
        fetcher.hand_back();
        if let Some(connection) = fetcher.connection.take()
            && fetcher.stream.is_empty()
        {
            self.pool.checkin(connection);
        }
        self.buffers.put(fetcher.stream.into_buffer());
        result
    }
}

/// A request whose answer is due.
#[derive(Debug, Clone, Copy)]
struct Asked {
    offset: i64,
    version: i16,
    at: Instant,
}

/// A stretch without recognisable batches: where it began, and where the next probe goes.
#[derive(Debug)]
struct Probe {
    from: i64,
    step: i64,
}

/// The state of one fetch.
struct Fetcher<'a, 's> {
    cluster: &'a Cluster,
    range: &'a FetchRange,
    template: Template,
    sink: &'a mut (dyn BatchSink + 's),
    budget: &'a MemoryBudget,
    patience: Patience<'a>,
    stream: Stream,
    connection: Option<Connection>,
    leader_epoch: i32,
    /// The broker that `connection` goes to, and where it listens.
    broker: i32,
    endpoint: Option<String>,
    /// The replica that the leader has sent us to (KIP-392).
    follower: Option<i32>,
    /// A follower has failed us; the leader serves the rest.
    leader_only: bool,
    pending: Option<Asked>,
    /// What was taken from the rate limit for the request that is pending.
    taken: u64,
    sizing: Sizing,
    probe: Option<Probe>,
    damaged: Option<(i64, RecordError)>,
    settling_since: Option<Instant>,
    failures: u32,
    seen_position: i64,
    outcome: FetchOutcome,
}

impl<'a, 's> Fetcher<'a, 's> {
    fn new(
        cluster: &'a Cluster,
        range: &'a FetchRange,
        sink: &'a mut (dyn BatchSink + 's),
        budget: &'a MemoryBudget,
        cancel: &'a CancelToken,
        stream: Stream,
    ) -> Self {
        let settings = cluster.settings();
        // A broker that waits as long as we do would look dead.
        let longest_wait = (settings.request_timeout.min(settings.stall_timeout) / 2).as_millis();
        let template = Template {
            topic: range.topic.clone(),
            topic_id: range.topic_id,
            isolation_level: range.isolation_level,
            rack_id: settings.rack_id.clone(),
            max_wait_ms: settings.max_wait_ms.min(u32::try_from(longest_wait).unwrap_or(u32::MAX)),
        };
        let outcome = FetchOutcome {
            position: range.start,
            end: FetchEnd::Reached,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            bytes: 0,
            requests: 0,
            throttle_ms: 0,
        };
        let seen_position = sink.position();
        let allowed = settings.rate_limit.as_ref().map_or(usize::MAX, |limit| limit.request_limit());
        let largest = settings.max_fetch_bytes.min(allowed);
        Self {
            cluster,
            range,
            template,
            sink,
            budget,
            patience: Patience::new(settings, cancel),
            stream,
            connection: None,
            leader_epoch: -1,
            broker: -1,
            endpoint: None,
            follower: None,
            leader_only: false,
            pending: None,
            taken: 0,
            sizing: Sizing::new(range.bytes_per_offset, largest),
            probe: None,
            damaged: None,
            settling_since: None,
            failures: 0,
            seen_position,
            outcome,
        }
    }

    fn run(&mut self) -> Result<FetchOutcome, WireError> {
        loop {
            self.patience.cancel().check()?;
            self.note_progress();
            if self.target() >= self.range.stop {
                return Ok(self.finish(FetchEnd::Reached));
            }
            let end = match self.turn() {
                Ok(end) => end,
                Err(error) if error.is_retriable() => self.after_error(error)?,
                Err(error) => return Err(error),
            };
            if let Some(end) = end {
                return Ok(self.finish(end));
            }
        }
    }

    /// A moved position starts all counts again.
    fn note_progress(&mut self) {
        let position = self.sink.position();
        if position > self.seen_position {
            self.seen_position = position;
            self.failures = 0;
            self.sizing.reset_floor();
            self.patience.progress();
            if let Some(endpoint) = &self.endpoint {
                self.cluster.silence.broken(endpoint);
            }
        }
    }

    /// The offset to ask for.
    fn target(&self) -> i64 {
        match &self.probe {
            Some(probe) => probe.from.saturating_add(probe.step),
            None => self.sink.position(),
        }
    }

    fn finish(&mut self, end: FetchEnd) -> FetchOutcome {
        let stop = self.range.stop;
        if end == FetchEnd::Reached
            && let Some((from, error)) = self.damaged.take()
        {
            self.sink.unreadable(None, Unreadable::Damaged { from, to: stop, error });
        }
        if self.pending.take().is_some() {
            self.disconnect();
        }
        if matches!(end, FetchEnd::Stalled { .. }) {
            self.note_silence();
        }
        let position = self.sink.position();
        self.outcome.position = if end == FetchEnd::Reached { position.max(stop) } else { position };
        self.outcome.end = end;
        self.outcome.clone()
    }

    /// One answer: asks if nothing is due, reads, decides. `Some` ends the fetch.
    fn turn(&mut self) -> Result<Option<FetchEnd>, WireError> {
        if let Some(after) = self.patience.stalled_for() {
            return Ok(Some(FetchEnd::Stalled { after }));
        }
        if let Some(end) = self.connect()? {
            return Ok(Some(end));
        }
        let target = self.target();
        match self.pending {
            Some(asked) if asked.offset == target => {}
            // The sink wants something else than the headers had promised.
            Some(_) => {
                self.drain_pending()?;
                return Ok(None);
            }
            None => self.ask(target)?,
        }
        self.read_answer()
    }

    fn ask(&mut self, offset: i64) -> Result<(), WireError> {
        let remaining = self.range.stop.saturating_sub(offset);
        let max_bytes = match &self.probe {
            Some(_) => PROBE_BYTES,
            None => self.sizing.max_bytes(remaining),
        };
        self.take(u64::try_from(max_bytes).unwrap_or(0))?;
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let version = self.template.version(connection)?;
        let ask = PartitionAsk {
            partition: self.range.partition,
            leader_epoch: self.leader_epoch,
            offset,
            max_bytes,
        };
        connection.send(version, &self.template.request(version, &[ask], max_bytes))?;
        self.outcome.requests += 1;
        self.pending = Some(Asked { offset, version, at: Instant::now() });
        Ok(())
    }

    fn drain_pending(&mut self) -> Result<(), WireError> {
        if let (Some(_), Some(connection)) = (self.pending.take(), &mut self.connection) {
            let answer = Answer::begin(connection, &mut self.stream, &mut self.patience)?;
            settle(self.cluster, &mut self.taken, answer.left());
            answer.drain()?;
        }
        Ok(())
    }

    fn read_answer(&mut self) -> Result<Option<FetchEnd>, WireError> {
        let (Some(asked), Some(connection)) = (self.pending.take(), &mut self.connection) else {
            return Ok(None);
        };
        let mut answer = Answer::begin(connection, &mut self.stream, &mut self.patience)?;
        settle(self.cluster, &mut self.taken, answer.left());
        let head = read_head(&mut answer, asked.version)?;
        let throttle = throttle_time(head.throttle_ms);
        let throttled_from = Instant::now();
        self.outcome.throttle_ms += throttle.as_millis() as u64;
        let got = if head.error_code != 0 || head.topics == 0 {
            answer.drain()?;
            Got::Code(head.error_code)
        } else {
            let mut steps = Steps {
                range: self.range,
                template: &self.template,
                sink: &mut *self.sink,
                budget: self.budget,
                sizing: &mut self.sizing,
                damaged: &mut self.damaged,
                outcome: &mut self.outcome,
                leader_epoch: self.leader_epoch,
                // A throttled client asks again when its time is up; a probe leads to no known offset; and a rate limit
                // is waited for with no request in flight.
                ask_ahead: throttle.is_zero()
                    && self.probe.is_none()
                    && self.cluster.settings().rate_limit.is_none(),
            };
            steps.partition(answer, asked, head.topics)?
        };
        if !throttle.is_zero() {
            self.patience.cancel().sleep(throttle.saturating_sub(throttled_from.elapsed()))?;
            self.patience.throttled(throttle);
        }
        match got {
            Got::Code(0) => self.after_empty(asked, -1),
            Got::Code(code) => self.after_code(code),
            Got::LogStart(log_start_offset) => Ok(Some(FetchEnd::LostToRetention { log_start_offset })),
            Got::Empty { preferred_read_replica } => self.after_empty(asked, preferred_read_replica),
            Got::Walked(walked, ahead) => {
                self.pending = ahead;
                self.after_walk(&walked, asked)
            }
        }
    }

    /// What the walk over an answer means for the next request.
    fn after_walk(&mut self, walked: &Walked, asked: Asked) -> Result<Option<FetchEnd>, WireError> {
        if walked.abandoned {
            self.disconnect();
        }
        if walked.batches > 0 {
            self.probe = None;
        }
        let position = self.sink.position();
        if walked.past_stop && (position >= walked.next || self.damaged.is_some()) {
            return Ok(Some(FetchEnd::Reached));
        }
        if let Some(error) = &walked.damage {
            self.begin_probe(walked.next, error.clone());
            return Ok(None);
        }
        if let Some(probe) = &mut self.probe {
            probe.step = probe.step.saturating_mul(2);
            return Ok(None);
        }
        if position > asked.offset {
            return Ok(None);
        }
        if let Some(size) = walked.partial {
            let larger = self.sizing.max_bytes(self.range.stop.saturating_sub(position)) as u64 * 4;
            let limit =
                (self.budget.large_limit() as u64).max(self.cluster.settings().max_fetch_bytes as u64);
            self.sizing.at_least(if size == 0 { larger.min(limit) } else { size });
        }
        self.retry(Cause::NoProgress)
    }

    /// From `from` on no batch can be made out. The broker finds its place by an index, so that a later offset leads
    /// past the damage: probes go 1, 2, 4, ... offsets further, and what they leap over is reported as lost.
    fn begin_probe(&mut self, from: i64, error: RecordError) {
        match &mut self.probe {
            Some(probe) => probe.step = probe.step.saturating_mul(2),
            None => self.probe = Some(Probe { from, step: 1 }),
        }
        self.damaged.get_or_insert((from, error));
    }

    /// No records. An empty answer is no end: the broker may wait for a transaction, or for its followers.
    fn after_empty(
        &mut self,
        asked: Asked,
        preferred_read_replica: i32,
    ) -> Result<Option<FetchEnd>, WireError> {
        if preferred_read_replica >= 0 && !self.leader_only && self.template.rack_id.is_some() {
            self.follower = Some(preferred_read_replica);
            self.leave();
            return Ok(None);
        }
        let stable = self.outcome.last_stable_offset;
        let committed = self.range.isolation_level == IsolationLevel::ReadCommitted;
        if committed && (0..self.range.stop).contains(&stable) && asked.offset >= stable {
            let since = *self.settling_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.range.settle {
                return Ok(Some(FetchEnd::OpenTransaction));
            }
            // The settling time is the limit here, not the stall timeout.
            self.patience.progress();
        }
        self.patience.cancel().sleep(SHORTEST_EMPTY.saturating_sub(asked.at.elapsed()))?;
        Ok(None)
    }
}
