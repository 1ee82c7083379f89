//! The recovery of one segment: every batch is checked, the indexes are written anew, and the file ends at the first
//! batch that is not valid, whatever lies behind it.

use super::Halt;
use super::batches::{Front, Step, header, is_sound, step};
use super::offset_index::OffsetIndex;
use super::pages::Pages;
use super::segment::{EVERYTHING, Segment};
use crate::cancel::CancelToken;

/// `index.interval.bytes`. The log directory does not hold the topic's configuration; this is Kafka's default, and it
/// matters only where offsets go back inside a segment.
const INDEX_INTERVAL_BYTES: u64 = 4096;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recovered {
    /// Bytes cut off.
    pub(super) truncated: u64,
    /// One past the last offset, `None` where no batch of version 2 is left: what the producers' state is good for.
    pub(super) producers_end: Option<i64>,
}

/// Why it went no further.
#[derive(Debug)]
pub(super) enum Stopped {
    /// An offset that the index cannot express (KAFKA-6264): the segment has to be split.
    Overflow,
    /// Offsets that do not ascend.
    InvalidOffset(String),
    /// Something that ends the broker, or this run.
    Halt(Halt),
}

impl<E: Into<Halt>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Halt(error.into())
    }
}

/// Recovers a segment: its length and its index are as they are afterwards, also when it stops.
pub(super) fn recover(segment: &mut Segment, cancel: &CancelToken) -> Result<Recovered, Stopped> {
    segment.transaction_index = None;
    let mut pages = segment.pages(EVERYTHING)?;
    let mut indexes = Indexes::default();
    let walked = walk(segment, &mut pages, &mut indexes, cancel);
    segment.index = OffsetIndex::Built(std::mem::take(&mut indexes.entries));
    let (valid, producers_end) = walked?;
    let truncated = segment.length - valid;
    segment.length = valid;
    indexes.append_time(segment)?;
    Ok(Recovered { truncated, producers_end })
}

fn walk(
    segment: &Segment,
    pages: &mut Pages,
    indexes: &mut Indexes,
    cancel: &CancelToken,
) -> Result<(u64, Option<i64>), Stopped> {
    let (mut valid, mut indexed, mut producers_end) = (0, 0, None);
    while let Step::Batch(front) = step(pages, valid, segment.length)? {
        cancel.check()?;
        if !is_sound(pages, &front)? {
            break;
        }
        let Some(header) = header(pages, &front)? else {
            break;
        };
        if !segment.takes(header.last_offset) {
            return Err(Stopped::Overflow);
        }
        if header.max_timestamp > indexes.largest.0 {
            indexes.largest = (header.max_timestamp, header.last_offset);
        }
        if valid - indexed > INDEX_INTERVAL_BYTES {
            indexes.append(segment, &front, header.last_offset)?;
            indexed = valid;
        }
        valid += front.size;
        if front.magic >= 2 {
            producers_end = Some(header.last_offset.wrapping_add(1));
        }
    }
    Ok((valid, producers_end))
}

/// The offset index and the time index while they are written.
struct Indexes {
    entries: Vec<(i32, i32)>,
    /// The largest timestamp so far, and the last offset of the first batch that has it.
    largest: (i64, i64),
    /// The last entry of the time index.
    last_time: Option<(i64, i64)>,
}

impl Default for Indexes {
    fn default() -> Self {
        Self { entries: Vec::new(), largest: (-1, -1), last_time: None }
    }
}

impl Indexes {
    fn append(&mut self, segment: &Segment, front: &Front, last_offset: i64) -> Result<(), Stopped> {
        let relative = (last_offset - segment.base_offset) as i32;
        if self.entries.last().is_some_and(|&(last, _)| relative <= last) {
            return Err(Stopped::InvalidOffset(format!(
                "the batch at byte {} of {} ends at offset {last_offset}, which is not above what stands before it",
                front.position,
                segment.name(),
            )));
        }
        self.entries.push((relative, front.position as i32));
        self.append_time(segment)
    }

    fn append_time(&mut self, segment: &Segment) -> Result<(), Stopped> {
        let (timestamp, offset) = self.largest;
        if let Some((last_timestamp, last_offset)) = self.last_time {
            if offset < last_offset {
                return Err(Stopped::InvalidOffset(format!(
                    "the largest timestamp of {} is that of offset {offset}, behind offset {last_offset}",
                    segment.name(),
                )));
            }
            if timestamp <= last_timestamp {
                return Ok(());
            }
        } else if timestamp <= -1 {
            return Ok(());
        }
        self.last_time = Some(self.largest);
        Ok(())
    }
}
