//! One answer, from its topics to its end.

use std::time::Instant;

use kcompare_core::records::RecordError;

use super::super::fetch_response::{PartitionHead, TOPIC_IDS_FROM, TopicKey, read_partition, read_topic};
use super::super::input::Input;
use super::Asked;
use super::buffers::aborted_limit;
use super::request::{PartitionAsk, Template};
use super::sizing::Sizing;
use super::stream::Answer;
use super::types::{BatchSink, FetchOutcome, FetchRange};
use super::walk::{Limits, Walk, Walked};
use crate::budget::MemoryBudget;
use crate::error::WireError;

/// What an answer held.
pub(super) enum Got {
    /// An error code, or 0 for an answer without our partition.
    Code(i16),
    /// The log starts behind the offset that was asked for.
    LogStart(i64),
    Empty {
        preferred_read_replica: i32,
    },
    /// Records, and the request that was sent meanwhile.
    Walked(Walked, Option<Asked>),
}

/// What reading an answer needs of the fetch beside the connection.
pub(super) struct Steps<'f, 's> {
    pub(super) range: &'f FetchRange,
    pub(super) template: &'f Template,
    pub(super) sink: &'f mut (dyn BatchSink + 's),
    pub(super) budget: &'f MemoryBudget,
    pub(super) sizing: &'f mut Sizing,
    pub(super) damaged: &'f mut Option<(i64, RecordError)>,
    pub(super) outcome: &'f mut FetchOutcome,
    pub(super) leader_epoch: i32,
    pub(super) ask_ahead: bool,
}

impl Steps<'_, '_> {
    /// Reads the only partition of an answer to its end.
    pub(super) fn partition(
        &mut self,
        mut answer: Answer<'_, '_>,
        asked: Asked,
        topics: u64,
    ) -> Result<Got, WireError> {
        let head =
            read_only_partition(&mut answer, asked.version, self.range, topics, aborted_limit(self.budget))?;
        if head.error_code != 0 {
            answer.drain()?;
            return Ok(Got::Code(head.error_code));
        }
        self.outcome.high_watermark = head.high_watermark;
        self.outcome.last_stable_offset = head.last_stable_offset;
        self.outcome.log_start_offset = head.log_start_offset;
        self.outcome.bytes += head.records;
        if head.log_start_offset > asked.offset {
            answer.drain()?;
            return Ok(Got::LogStart(head.log_start_offset));
        }
        if head.records == 0 {
            answer.end(asked.version)?;
            return Ok(Got::Empty { preferred_read_replica: head.preferred_read_replica });
        }
        self.sink.aborted_transactions(&head.aborted);
        self.walk(answer, asked, &head)
    }

    fn walk(
        &mut self,
        mut answer: Answer<'_, '_>,
        asked: Asked,
        head: &PartitionHead,
    ) -> Result<Got, WireError> {
        let limits = Limits { stop: self.range.stop, high_watermark: head.high_watermark };
        let (range, template, epoch, may_ask) =
            (self.range, self.template, self.leader_epoch, self.ask_ahead);
        let mut ahead = None;
        let mut walk =
            Walk::new(self.sink, self.budget, self.sizing, self.damaged, limits, asked.offset, head.records);
        walk.may_ask = may_ask;
        let walked = walk.run(&mut answer, |answer, offset, sizing| {
            let max_bytes = sizing.max_bytes(range.stop.saturating_sub(offset));
            let ask = PartitionAsk { partition: range.partition, leader_epoch: epoch, offset, max_bytes };
            let request = template.request(asked.version, &[ask], max_bytes);
            answer.connection.send(asked.version, &request)?;
            ahead = Some(Asked { offset, version: asked.version, at: Instant::now() });
            Ok(())
        })?;
        self.outcome.requests += u64::from(ahead.is_some());
        if !walked.abandoned {
            answer.end(asked.version)?;
        }
        Ok(Got::Walked(walked, ahead))
    }
}

/// The head of the only partition of an answer, which must be the one that was asked for.
fn read_only_partition(
    answer: &mut Answer<'_, '_>,
    version: i16,
    range: &FetchRange,
    topics: u64,
    aborted_limit: usize,
) -> Result<PartitionHead, WireError> {
    if topics != 1 {
        return Err(answer.malformed(format!("{topics} topics came, one was asked for")));
    }
    let (key, partitions) = read_topic(answer, version)?;
    let expected = if version >= TOPIC_IDS_FROM {
        TopicKey::Id(range.topic_id)
    } else {
        TopicKey::Name(range.topic.clone())
    };
    if key != expected || partitions != 1 {
        return Err(answer.malformed(format!(
            "{partitions} partitions of {key:?} came, one of {expected:?} was asked for"
        )));
    }
    let head = read_partition(answer, version, aborted_limit)?;
    if head.partition != range.partition {
        let (came, wanted) = (head.partition, range.partition);
        return Err(answer.malformed(format!("partition {came} came, {wanted} was asked for")));
    }
    Ok(head)
}
