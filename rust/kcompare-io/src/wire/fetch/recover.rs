//! Everything that is no batch: leaders, retries, and what an error code means for a range.

use std::time::Instant;

use super::super::codes::{
    CORRUPT_MESSAGE, INCONSISTENT_TOPIC_ID, LEADER_NOT_AVAILABLE, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_ID,
    UNKNOWN_TOPIC_OR_PARTITION, broker_error, is_refusal, is_retriable, leader_is_away,
};
use super::super::connection::Wait;
use super::super::offsets::{self, At};
use super::Fetcher;
use super::types::FetchEnd;
use crate::error::WireError;

/// Why something is tried again.
#[derive(Debug)]
pub(super) enum Cause {
    Code(i16),
    Wire(WireError),
    /// Answers came and the sink's position did not move.
    NoProgress,
}

impl Cause {
    /// Whether the leader is away: it restarts, another one is elected, or the cluster has not heard of that yet.
    fn is_absence(&self) -> bool {
        match self {
            Self::Wire(_) => true,
            Self::Code(code) => leader_is_away(*code),
            Self::NoProgress => false,
        }
    }
}

impl Fetcher<'_, '_> {
    /// Makes sure of a connection to the leader, or to the follower that the leader named.
    pub(super) fn connect(&mut self) -> Result<Option<FetchEnd>, WireError> {
        if self.connection.is_some() {
            return Ok(None);
        }
        let (topic, partition) = (&self.range.topic, self.range.partition);
        let leader = match self.cluster.known_leader(topic, partition) {
            Some((_, leader)) if leader.broker >= 0 => leader,
            _ => {
                if let Some(end) = self.refresh()? {
                    return Ok(Some(end));
                }
                match self.cluster.known_leader(&self.range.topic, partition) {
                    Some((_, leader)) if leader.broker >= 0 => leader,
                    Some(_) => return self.retry(Cause::Code(LEADER_NOT_AVAILABLE)),
                    None => return self.retry(Cause::Code(UNKNOWN_TOPIC_OR_PARTITION)),
                }
            }
        };
        if let Some(end) = self.recreated() {
            return Ok(Some(end));
        }
        self.leader_epoch = leader.epoch;
        self.broker = self.follower.unwrap_or(leader.broker);
        self.stream.clear();
        let first = self.endpoint.is_none();
        self.endpoint = self.cluster.broker_endpoint(self.broker).map(|endpoint| endpoint.to_string());
        if first
            && let Some(endpoint) = &self.endpoint
            && let Some(since) = self.cluster.silence.since(endpoint, Instant::now())
        {
            self.patience.join_silence(since);
        }
        let wait = Wait::new(self.patience.left(), self.patience.cancel());
        self.connection = Some(self.cluster.checkout(self.broker, &wait)?);
        Ok(None)
    }

    /// The topic goes by the name that we read, and under another id: it is another topic.
    fn recreated(&self) -> Option<FetchEnd> {
        let (known, _) = self.cluster.known_leader(&self.range.topic, self.range.partition)?;
        let zero = [0; 16];
        let pinned = self.range.topic_id;
        (pinned != zero && known != zero && pinned != known).then_some(FetchEnd::TopicRecreated)
    }

    /// Asks again who leads the partition.
    fn refresh(&mut self) -> Result<Option<FetchEnd>, WireError> {
        let limit = self.cluster.settings().request_timeout.min(self.patience.left());
        let topics = [self.range.topic.clone()];
        let metadata = self.cluster.metadata_once(Some(&topics), limit, self.patience.cancel())?;
        let refusal = metadata.topics.iter().map(|topic| topic.error_code).find(|code| is_refusal(*code));
        if let Some(code) = refusal {
            return Ok(Some(FetchEnd::Refused(code, broker_error(code).name)));
        }
        Ok(self.recreated())
    }

    /// Gives the connection back in good order.
    pub(super) fn leave(&mut self) {
        self.hand_back();
        if let Some(connection) = self.connection.take()
            && self.stream.is_empty()
        {
            self.cluster.pool.checkin(connection);
        }
        self.pending = None;
        self.stream.clear();
    }

    /// Closes the connection.
    pub(super) fn disconnect(&mut self) {
        self.hand_back();
        self.connection = None;
        self.pending = None;
        self.stream.clear();
    }

    /// The broker has got us nowhere, which others need not find out again.
    pub(super) fn note_silence(&self) {
        if let Some(endpoint) = &self.endpoint {
            self.cluster.silence.failed(endpoint, self.patience.progress_at(), Instant::now());
        }
    }

    /// A connection failed, or none could be made.
    pub(super) fn after_error(&mut self, error: WireError) -> Result<Option<FetchEnd>, WireError> {
        self.disconnect();
        self.retry(Cause::Wire(error))
    }

    /// Waits and asks for the leader again. A leader that is away is waited for as long as the stall timeout lasts; what
    /// time does not mend has a number of tries.
    pub(super) fn retry(&mut self, cause: Cause) -> Result<Option<FetchEnd>, WireError> {
        self.note_progress();
        let away = cause.is_absence();
        if away {
            self.note_silence();
        }
        let used_up = !away && self.failures >= self.cluster.settings().retries;
        if used_up || self.patience.stalled_for().is_some() {
            return self.give_up(cause).map(Some);
        }
        let pause = self.cluster.settings().backoff(self.failures).min(self.patience.left());
        self.failures = self.failures.saturating_add(1);
        self.patience.cancel().sleep(pause)?;
        if matches!(cause, Cause::NoProgress) {
            return Ok(None);
        }
        if self.follower.take().is_some() {
            self.leader_only = true;
        }
        self.leave();
        if self.patience.stalled_for().is_some() {
            return self.give_up(cause).map(Some);
        }
        match self.refresh() {
            // Without metadata the leader stays as it was known; the next turn meets the same trouble, or it has passed.
            Err(error) if error.is_retriable() && self.patience.stalled_for().is_none() => Ok(None),
            Err(error) if error.is_retriable() => self.give_up(cause).map(Some),
            other => other,
        }
    }

    fn give_up(&self, cause: Cause) -> Result<FetchEnd, WireError> {
        match cause {
            // Nobody is away who takes connections and requests.
            Cause::Wire(WireError::TimedOut { .. }) | Cause::NoProgress => {
                Ok(FetchEnd::Stalled { after: self.patience.waited() })
            }
            Cause::Wire(error) => Err(error),
            Cause::Code(OFFSET_OUT_OF_RANGE) => Ok(FetchEnd::OffsetOutOfRange),
            Cause::Code(UNKNOWN_TOPIC_ID | INCONSISTENT_TOPIC_ID) => Ok(FetchEnd::TopicRecreated),
            Cause::Code(code) => Ok(FetchEnd::Failed(code, broker_error(code).name)),
        }
    }

    /// The broker refused the partition.
    pub(super) fn after_code(&mut self, code: i16) -> Result<Option<FetchEnd>, WireError> {
        match code {
            OFFSET_OUT_OF_RANGE if self.follower.is_none() => self.out_of_range(),
            code if is_refusal(code) => Ok(Some(FetchEnd::Refused(code, broker_error(code).name))),
            // What is stored does not get better; a misread of it does, so it is asked for once more.
            CORRUPT_MESSAGE if self.failures > 0 => Ok(Some(FetchEnd::Failed(code, broker_error(code).name))),
            code if code == OFFSET_OUT_OF_RANGE || is_retriable(code) => self.retry(Cause::Code(code)),
            code => Ok(Some(FetchEnd::Failed(code, broker_error(code).name))),
        }
    }

    /// The position lies outside the log: below its start, or above its end. The refusal does not say which.
    fn out_of_range(&mut self) -> Result<Option<FetchEnd>, WireError> {
        let target = self.target();
        let wait = self.patience.wait();
        let (topic, group) = (&self.range.topic, [(self.range.partition, self.leader_epoch)]);
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let mut look_up = |at| {
            let answers = offsets::ask(connection, topic, &group, at, &wait)?;
            Ok::<_, WireError>(answers.into_iter().next().map(|(_, answer)| answer))
        };
        let (earliest, latest) = (look_up(At::Earliest)?, look_up(At::Latest)?);
        match (earliest, latest) {
            (Some(Ok(earliest)), _) if target < earliest.offset => {
                Ok(Some(FetchEnd::LostToRetention { log_start_offset: earliest.offset }))
            }
            (_, Some(Ok(latest))) if target > latest.offset => Ok(Some(FetchEnd::OffsetOutOfRange)),
            // A leader that has just been elected may not know the end of its log yet.
            _ => self.retry(Cause::Code(OFFSET_OUT_OF_RANGE)),
        }
    }
}
