//! Scripted faults: what a broker or the network between can do to a reader, on demand.
//!
//! A fault names the requests that it is for; the broker asks the script twice for each request: once when it arrives
//! ([`Script::plan`]) and, for the faults that damage records, once for each partition that has records to damage
//! ([`Script::damage`]), so that an empty response does not use up a fault.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// What happens to a request that a [`Fault`] is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultAction {
    /// The matching partitions (or topics, resources, or the response itself) carry this error code.
    ErrorCode(i16),
    /// The response comes later.
    Delay(Duration),
    /// The response says that the client is throttled for so many milliseconds (KIP-219).
    Throttle(i32),
    /// The connection is closed without a response.
    Close,
    /// The connection is closed after so many bytes of the response, the length prefix included.
    CloseMidResponse(usize),
    /// No response ever comes, on an open connection that takes no further requests.
    Stall,
    /// A fetch finds neither records nor an error.
    Empty,
    /// A fetch gives these bytes for records.
    ReplaceRecords(Bytes),
    /// One byte of the fetched records is changed. Only records that reach so far count as a match.
    FlipByte {
        /// The position from the start of the partition's records.
        position_in_records: usize,
        /// The bits to flip.
        mask: u8,
    },
    /// Only the first so many bytes of the fetched records are sent. Only longer records count as a match.
    TruncateRecords(usize),
    /// The high watermark of a fetch, or the latest offset of `ListOffsets`, is this one.
    LieHighWatermark(i64),
    /// The log start offset of a fetch, or the earliest offset of `ListOffsets`, is this one.
    LieLogStart(i64),
    /// The response comes in pieces.
    SlowBytes {
        /// The size of a piece in bytes.
        chunk: usize,
        /// The time between two pieces.
        pause: Duration,
    },
    /// These bytes are sent instead of the frame of a response.
    Garbage(Bytes),
    /// The response carries another correlation id than the request.
    WrongCorrelationId,
    /// Another node leads the matching partitions from now on, and this request is the first to notice.
    MoveLeader(i32),
}

impl FaultAction {
    /// Whether the action needs records to work on, and these are long enough.
    fn damages(&self, records: usize) -> Option<bool> {
        match self {
            Self::FlipByte { position_in_records, .. } => Some(*position_in_records < records),
            Self::TruncateRecords(length) => Some(*length < records),
            _ => None,
        }
    }
}

/// A scripted fault. The filters that are set must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The API, such as 1 for Fetch.
    pub api_key: i16,
    /// Only requests about this topic, or about all of them.
    pub topic: Option<String>,
    /// Only requests about this partition.
    pub partition: Option<i32>,
    /// Only fetches at this offset or past it.
    pub from_offset: Option<i64>,
    /// So many matching requests pass first.
    pub skip: u32,
    /// So many matching requests fail; `None` is for ever.
    pub times: Option<u32>,
    /// What happens.
    pub action: FaultAction,
}

impl Fault {
    /// A fault for every request of an API, for ever.
    pub fn new(api_key: i16, action: FaultAction) -> Self {
        Self { api_key, topic: None, partition: None, from_offset: None, skip: 0, times: None, action }
    }

    /// Narrows the fault to a partition.
    #[must_use]
    pub fn on(self, topic: &str, partition: i32) -> Self {
        Self { topic: Some(topic.to_owned()), partition: Some(partition), ..self }
    }

    /// Narrows the fault to fetches at `offset` or past it.
    #[must_use]
    pub fn from_offset(self, offset: i64) -> Self {
        Self { from_offset: Some(offset), ..self }
    }

    /// Lets the first `count` matching requests pass.
    #[must_use]
    pub fn skip(self, count: u32) -> Self {
        Self { skip: count, ..self }
    }

    /// Ends the fault after `count` requests.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { times: Some(count), ..self }
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        fn holds<T: PartialEq>(wanted: Option<&T>, is: Option<&T>) -> bool {
            wanted.is_none() || is.is_none() || wanted == is
        }
        holds(self.topic.as_deref().as_ref(), target.topic.as_ref())
            && holds(self.partition.as_ref(), target.partition.as_ref())
            && self.from_offset.is_none_or(|from| target.offset.is_some_and(|offset| offset >= from))
    }
}

/// Something that a request is about. What is `None` stands for all there is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Target<'a> {
    pub(super) topic: Option<&'a str>,
    pub(super) partition: Option<i32>,
    pub(super) offset: Option<i64>,
}

impl<'a> Target<'a> {
    pub(super) fn topic(topic: &'a str) -> Self {
        Self { topic: Some(topic), ..Self::default() }
    }

    pub(super) fn partition(topic: &'a str, partition: i32) -> Self {
        Self { topic: Some(topic), partition: Some(partition), offset: None }
    }
}

/// The faults of a broker and how often each has been met.
#[derive(Default)]
pub(super) struct Script {
    armed: Mutex<Vec<Armed>>,
}

struct Armed {
    fault: Fault,
    skipped: u32,
    fired: u32,
}

impl Armed {
    /// Counts a match, and tells whether the fault strikes.
    fn strike(&mut self) -> bool {
        if self.skipped < self.fault.skip {
            self.skipped += 1;
            return false;
        }
        let strikes = self.fault.times.is_none_or(|times| self.fired < times);
        self.fired = self.fired.saturating_add(u32::from(strikes));
        strikes
    }
}

impl Script {
    pub(super) fn add(&self, fault: Fault) -> usize {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.push(Armed { fault, skipped: 0, fired: 0 });
        armed.len() - 1
    }

    /// Ends all faults. They keep their numbers and counts.
    pub(super) fn clear(&self) {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.iter_mut().for_each(|one| one.fault.times = Some(0));
    }

    pub(super) fn fired(&self, number: usize) -> u32 {
        let armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.get(number).map_or(0, |one| one.fired)
    }

    /// The faults that strike a request, except those that damage records.
    pub(super) fn plan(&self, api_key: i16, targets: &[Target<'_>]) -> Plan {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let met = armed.iter_mut().filter(|one| {
            one.fault.api_key == api_key
                && one.fault.action.damages(0).is_none()
                && targets.iter().any(|target| one.fault.matches(target))
        });
        Plan { faults: met.filter_map(|one| one.strike().then(|| one.fault.clone())).collect() }
    }

    /// Whether there is any fault that damages records: they stay out of memory where there is none.
    pub(super) fn damages(&self) -> bool {
        let armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.iter().any(|one| one.fault.action.damages(0).is_some())
    }

    /// The records of one partition after the faults that damage them.
    pub(super) fn damage(&self, api_key: i16, target: &Target<'_>, records: Bytes) -> Bytes {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = armed.iter_mut().filter(|one| one.fault.api_key == api_key && one.fault.matches(target));
        meant.fold(records, |records, one| {
            if one.fault.action.damages(records.len()) != Some(true) || !one.strike() {
                return records;
            }
            match &one.fault.action {
                FaultAction::FlipByte { position_in_records, mask } => {
                    let mut changed = BytesMut::from(&records[..]);
                    changed[*position_in_records] ^= mask;
                    changed.freeze()
                }
                FaultAction::TruncateRecords(length) => records.slice(..*length),
                _ => records,
            }
        })
    }
}

/// The faults that strike one request.
#[derive(Debug, Default)]
pub(super) struct Plan {
    faults: Vec<Fault>,
}

impl Plan {
    /// What happens to `target`, in the order of the script.
    pub(super) fn actions<'a>(&'a self, target: &'a Target<'_>) -> impl Iterator<Item = &'a FaultAction> {
        self.faults.iter().filter(|fault| fault.matches(target)).map(|fault| &fault.action)
    }

    /// What happens to the response as a whole, whatever it is about.
    pub(super) fn transport(&self) -> impl Iterator<Item = &FaultAction> {
        self.faults.iter().map(|fault| &fault.action)
    }

    /// The error code that `target` is to carry.
    pub(super) fn error_code(&self, target: &Target<'_>) -> Option<i16> {
        self.actions(target).find_map(|action| match action {
            FaultAction::ErrorCode(code) => Some(*code),
            _ => None,
        })
    }

    /// The error code for a topic as a whole: one that is not meant for a single partition.
    pub(super) fn topic_error_code(&self, topic: &str) -> Option<i16> {
        let target = Target::topic(topic);
        self.faults.iter().find_map(|fault| match fault.action {
            FaultAction::ErrorCode(code) if fault.partition.is_none() && fault.matches(&target) => Some(code),
            _ => None,
        })
    }

    pub(super) fn throttle_time_ms(&self) -> i32 {
        let times = self.transport().map(|action| match action {
            FaultAction::Throttle(milliseconds) => *milliseconds,
            _ => 0,
        });
        times.max().unwrap_or(0)
    }
}
