//! Where a log starts and ends, by two independent answers.

use std::collections::BTreeMap;

use super::api::FETCH;
use super::cluster::{Answers, Cluster, PartitionAtEpoch};
use super::codes::{OFFSET_OUT_OF_RANGE, UNKNOWN_SERVER_ERROR, broker_error};
use super::connection::{Connection, Wait};
use super::fetch::IsolationLevel;
use super::fetch::request::{PartitionAsk, Template};
use super::fetch_response::{TopicKey, read_head, read_partition, read_topic};
use super::input::{Input, Slice};
use super::offsets::{At, OffsetAt};
use crate::error::{BrokerError, WireError};

/// The bounds of one partition. Brokers exist whose `ListOffsets` and Fetch disagree: of two starts the smaller one and of
/// two ends the larger one is taken, so that no record is left out that either answer knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionBounds {
    /// The partition.
    pub partition: i32,
    /// The broker that leads it; -1 none.
    pub leader: i32,
    /// The epoch of that leader; -1 unknown.
    pub leader_epoch: i32,
    /// The first offset that can be read: the smaller of what `ListOffsets` and Fetch say; -1 unknown.
    pub log_start_offset: i64,
    /// The end of the log for readers: the larger of `listed_end` and `fetched_end`; -1 unknown.
    pub high_watermark: i64,
    /// The end for readers of committed records; -1 unknown.
    pub last_stable_offset: i64,
    /// The end by `ListOffsets`; -1 unknown.
    pub listed_end: i64,
    /// The end by Fetch; -1 unknown.
    pub fetched_end: i64,
    /// Why a bound is unknown.
    pub error: Option<BrokerError>,
}

/// What a Fetch at the end of a log tells.
#[derive(Debug, Clone, Copy)]
struct Ends {
    /// -1 before Fetch v5, which has none.
    log_start_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
}

type Listed = BTreeMap<i32, Result<OffsetAt, BrokerError>>;

impl Cluster {
    /// The bounds of every partition of a topic. Requests are shared by all partitions of a leader. A partition whose
    /// bounds are refused is listed with its error; a topic that does not exist is an error.
    pub fn bounds(&self, topic: &str) -> Result<Vec<PartitionBounds>, WireError> {
        let info = self.topic(topic)?;
        let every: Vec<i32> = info.partitions.iter().map(|partition| partition.partition).collect();
        let listed = |partitions: &[i32], at| {
            self.offsets(topic, partitions, at).map(|list| list.into_iter().collect::<Listed>())
        };
        let earliest = listed(&every, At::Earliest)?;
        // A partition that has no start is not waited for again.
        let known: Vec<i32> =
            every.into_iter().filter(|number| matches!(earliest.get(number), Some(Ok(_)))).collect();
        let (latest, stable) = (listed(&known, At::Latest)?, listed(&known, At::LastStable)?);
        let mut fetched = self.ends(topic, info.topic_id, &latest)?;
        let bounds = info.partitions.iter().map(|partition| {
            let number = partition.partition;
            let mut error = None;
            let mut offset = |list: &Listed| match list.get(&number) {
                Some(Ok(at)) => at.offset,
                Some(Err(code)) => {
                    error.get_or_insert(*code);
                    -1
                }
                None => -1,
            };
            let (listed_start, listed_end, listed_stable) =
                (offset(&earliest), offset(&latest), offset(&stable));
            let ends = match fetched.remove(&number) {
                Some(Ok(ends)) => ends,
                // The log has shrunk since ListOffsets; the listed end is the larger one, and the reader will see.
                Some(Err(code)) if code.code == OFFSET_OUT_OF_RANGE => Ends::UNKNOWN,
                Some(Err(code)) => {
                    error.get_or_insert(code);
                    Ends::UNKNOWN
                }
                None => Ends::UNKNOWN,
            };
            // Where only one of them is known, that one; a start that is not listed is an error, told below.
            let known = if ends.log_start_offset < 0 { listed_start } else { ends.log_start_offset };
            let log_start_offset = listed_start.min(known);
            let high_watermark = listed_end.max(ends.high_watermark);
            if log_start_offset < 0 || high_watermark < 0 {
                // A bound that is neither an offset nor an error would pass as an empty partition.
                error.get_or_insert(broker_error(UNKNOWN_SERVER_ERROR));
            }
            PartitionBounds {
                partition: number,
                leader: partition.leader,
                leader_epoch: partition.leader_epoch,
                log_start_offset,
                high_watermark,
                last_stable_offset: listed_stable.max(ends.last_stable_offset),
                listed_end,
                fetched_end: ends.high_watermark,
                error,
            }
        });
        Ok(bounds.collect())
    }

    /// Fetches at the listed ends: no records come, but the watermarks do.
    fn ends(
        &self,
        topic: &str,
        topic_id: [u8; 16],
        latest: &Listed,
    ) -> Result<BTreeMap<i32, Result<Ends, BrokerError>>, WireError> {
        let template = Template {
            topic: topic.to_owned(),
            topic_id,
            isolation_level: IsolationLevel::ReadUncommitted,
            rack_id: None,
            max_wait_ms: 0,
        };
        let known = |(partition, at): (&i32, &Result<OffsetAt, BrokerError>)| {
            Some((*partition, at.as_ref().ok()?.offset))
        };
        let offsets: BTreeMap<i32, i64> = latest.iter().filter_map(known).collect();
        let partitions: Vec<i32> = offsets.keys().copied().collect();
        let answers = self.by_leader(topic, &partitions, |connection, group, wait| {
            ask_ends(connection, &template, group, &offsets, wait)
        })?;
        Ok(answers.into_iter().collect())
    }
}

impl Ends {
    const UNKNOWN: Self = Self { log_start_offset: -1, high_watermark: -1, last_stable_offset: -1 };
}

fn ask_ends(
    connection: &mut Connection,
    template: &Template,
    group: &[PartitionAtEpoch],
    offsets: &BTreeMap<i32, i64>,
    wait: &Wait<'_>,
) -> Result<Answers<Ends>, WireError> {
    let version = template.version(connection)?;
    let ask = |(partition, leader_epoch): &PartitionAtEpoch| PartitionAsk {
        partition: *partition,
        leader_epoch: *leader_epoch,
        offset: offsets.get(partition).copied().unwrap_or(0),
        max_bytes: 1,
    };
    let asks: Vec<PartitionAsk> = group.iter().map(ask).collect();
    let body = connection.ask(version, &template.request(version, &asks, 1), wait)?;
    let mut input = Slice::new(&body, connection.endpoint(), FETCH.name);
    let head = read_head(&mut input, version)?;
    if head.error_code != 0 {
        return Ok(group.iter().map(|(partition, _)| (*partition, Err(head.error_code))).collect());
    }
    let mut answers = Vec::new();
    for _ in 0..head.topics {
        let (key, partitions) = read_topic(&mut input, version)?;
        if key != TopicKey::Name(template.topic.clone()) && key != TopicKey::Id(template.topic_id) {
            return Err(input.malformed(format!("{key:?} came, {} was asked for", template.topic)));
        }
        for _ in 0..partitions {
            let partition = read_partition(&mut input, version, FETCH.largest_answer / 16)?;
            input.skip(partition.records, "records")?;
            input.skip_tags(version >= super::fetch_response::FLEXIBLE_FROM)?;
            let ends = Ends {
                log_start_offset: partition.log_start_offset,
                high_watermark: partition.high_watermark,
                last_stable_offset: partition.last_stable_offset,
            };
            let answer = if partition.error_code == 0 { Ok(ends) } else { Err(partition.error_code) };
            answers.push((partition.partition, answer));
        }
        input.skip_tags(version >= super::fetch_response::FLEXIBLE_FROM)?;
    }
    Ok(answers)
}
