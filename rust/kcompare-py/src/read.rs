//! `read_cells`, `read_rows`, `read_records`: one call for a slice of work, the GIL released for all of it.

use crate::cluster::PyCluster;
use crate::control::{Counters, PyCancelToken, PyMemoryBudget, PyProgress};
use kcompare_core::digest::{
    CellBuilder, Gap, IsolationLevel, Profile, RecordConsumer, RowBuilder, SliceReader, SliceSpec,
    StreamStats,
};
use kcompare_core::records::RecordView;
use kcompare_io::budget::MemoryBudget;
use kcompare_io::cancel::CancelToken;
use kcompare_io::error::{ErrorKind, WireError};
use kcompare_io::logdir::{LogDirError, LogDirs, ReadEnd, ReadOutcome, ReadRange};
use kcompare_io::slice::{SliceSink, output_share};
use kcompare_io::wire::{self, Cluster, FetchEnd, FetchOutcome, FetchRange};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

type UnreadTuple = (i64, i64, &'static str, String);

#[pyclass(name = "SliceRead", frozen, get_all)]
pub(crate) struct PySliceRead {
    rows: Py<PyBytes>,
    anchors: Py<PyBytes>,
    records: u64,
    bytes: u64,
    end: &'static str,
    end_code: &'static str,
    end_detail: String,
    position: i64,
    log_start_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
    unread: Vec<UnreadTuple>,
    unexplained: Vec<(i64, i64)>,
    unexplained_total: u64,
    leader_epochs: Vec<(i32, i64)>,
    throttle_ms: u64,
}

/// Why a fetch ended, in the words of the report.
struct End {
    word: &'static str,
    code: &'static str,
    detail: String,
}

fn end_of(outcome: &Result<FetchOutcome, WireError>, range: &FetchRange, position: i64) -> End {
    let place = format!("partition {} of topic {:?} at offset {position}", range.partition, range.topic);
    let end = |word, code, detail: String| End { word, code, detail };
    match outcome {
        Ok(outcome) => match &outcome.end {
            FetchEnd::Reached => end("reached", "", String::new()),
            FetchEnd::OpenTransaction => end(
                "open_transaction",
                "",
                format!("{place}: an open transaction holds the last stable offset back"),
            ),
            FetchEnd::LostToRetention { log_start_offset } => end(
                "lost_to_retention",
                "OFFSET_OUT_OF_RANGE",
                format!("{place}: the log now starts at offset {log_start_offset}"),
            ),
            FetchEnd::OffsetOutOfRange => end(
                "truncated",
                "OFFSET_OUT_OF_RANGE",
                format!("{place}: the log now ends below it, at high watermark {}", outcome.high_watermark),
            ),
            FetchEnd::TopicRecreated => end(
                "topic_recreated",
                "UNKNOWN_TOPIC_ID",
                format!("{place}: the topic was deleted or created again"),
            ),
            FetchEnd::Refused(_, name) => {
                end("refused", name, format!("{place}: the broker refused with {name}"))
            }
            FetchEnd::Stalled { after } => {
                end("stalled", "", format!("{place}: no progress for {:.1} s", after.as_secs_f64()))
            }
            FetchEnd::Failed(_, name @ "CORRUPT_MESSAGE") => end(
                "corrupt_batch",
                name,
                format!("{place}: the broker answered {name}, so nothing sound is stored there"),
            ),
            FetchEnd::Failed(_, name) => {
                end("partition_unavailable", name, format!("{place}: the broker answered {name}"))
            }
        },
        Err(error) => {
            let word = match error.kind() {
                ErrorKind::Cancelled => "interrupted",
                ErrorKind::AuthenticationRefused | ErrorKind::AuthorizationRefused => "refused",
                ErrorKind::Unreachable | ErrorKind::TimedOut => "unreachable",
                ErrorKind::Protocol | ErrorKind::Unsupported | ErrorKind::Broker => "partition_unavailable",
            };
            end(word, "", format!("{place}: {error}"))
        }
    }
}

/// The same for log directories.
fn end_in_files(
    outcome: &Result<(ReadOutcome, Seen), LogDirError>,
    range: &FetchRange,
    position: i64,
) -> End {
    let place = format!("partition {} of topic {:?} at offset {position}", range.partition, range.topic);
    let end = |word, detail: String| End { word, code: "", detail };
    match outcome {
        Ok((outcome, seen)) => match outcome.end {
            ReadEnd::Reached => end("reached", String::new()),
            ReadEnd::OpenTransaction => end(
                "open_transaction",
                format!(
                    "{place}: the log ends with an open transaction that begins at offset {}",
                    seen.last_stable_offset
                ),
            ),
            ReadEnd::Truncated => {
                end("truncated", format!("{place}: the log ends at offset {}", seen.high_watermark))
            }
        },
        Err(LogDirError::Cancelled) => end("interrupted", format!("{place}: {}", LogDirError::Cancelled)),
        Err(error) => end("partition_unavailable", format!("{place}: {error}")),
    }
}

/// Where the batches of a slice come from.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    Cluster(&'a Cluster),
    LogDirs(&'a LogDirs),
}

/// What the origin said of the log; -1 nothing.
#[derive(Clone, Copy)]
struct Seen {
    log_start_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
    throttle_ms: u64,
}

impl Seen {
    const NOTHING: Self =
        Self { log_start_offset: -1, high_watermark: -1, last_stable_offset: -1, throttle_ms: 0 };
}

/// What one slice is: everything that the verbs have in common.
pub(crate) struct Job<'a> {
    origin: Origin<'a>,
    pub(crate) range: FetchRange,
    isolation_level: IsolationLevel,
    budget: &'a MemoryBudget,
    cancel: &'a CancelToken,
}

/// A finished slice before it becomes Python objects.
pub(crate) struct Done<C> {
    pub(crate) consumer: C,
    stats: StreamStats,
    position: i64,
    end: End,
    seen: Seen,
}

impl Job<'_> {
    pub(crate) fn run<C: RecordConsumer>(&self, consumer: C, after: impl FnMut(&SliceReader<C>)) -> Done<C> {
        let spec = SliceSpec {
            start: self.range.start,
            stop: self.range.stop,
            isolation_level: self.isolation_level,
        };
        let reader = SliceReader::new(spec, consumer, output_share(self.budget));
        let mut sink = SliceSink::new(reader, self.budget, self.cancel, after);
        match self.origin {
            Origin::Cluster(cluster) => {
                let outcome = cluster.fetch(&self.range, &mut sink, self.budget, self.cancel);
                let (consumer, stats, position) = sink.finish();
                let end = end_of(&outcome, &self.range, position);
                let seen = outcome.map_or(Seen::NOTHING, |outcome| Seen {
                    log_start_offset: outcome.log_start_offset,
                    high_watermark: outcome.high_watermark,
                    last_stable_offset: outcome.last_stable_offset,
                    throttle_ms: outcome.throttle_ms,
                });
                Done { consumer, stats, position, end, seen }
            }
            Origin::LogDirs(dirs) => {
                let outcome = self.read_files(dirs, &mut sink);
                let (consumer, stats, position) = sink.finish();
                let end = end_in_files(&outcome, &self.range, position);
                let seen = outcome.map_or(Seen::NOTHING, |(_, seen)| seen);
                Done { consumer, stats, position, end, seen }
            }
        }
    }

    fn read_files(
        &self,
        dirs: &LogDirs,
        sink: &mut dyn wire::BatchSink,
    ) -> Result<(ReadOutcome, Seen), LogDirError> {
        let FetchRange { ref topic, partition, start, stop, isolation_level, .. } = self.range;
        let log = dirs.partition(topic, partition, self.cancel)?;
        let bounds = log.bounds();
        let seen = Seen {
            log_start_offset: bounds.log_start_offset,
            high_watermark: bounds.log_end_offset,
            last_stable_offset: bounds.last_stable_offset,
            throttle_ms: 0,
        };
        let range = ReadRange { start, stop, isolation_level };
        Ok((log.read(range, sink, self.budget, self.cancel)?, seen))
    }
}

impl<C> Done<C> {
    /// The consumer, and the rest without it.
    pub(crate) fn take_consumer(self) -> (C, Done<()>) {
        let Self { consumer, stats, position, end, seen } = self;
        (consumer, Done { consumer: (), stats, position, end, seen })
    }

    pub(crate) fn into_python(
        self,
        py: Python<'_>,
        records: u64,
        rows: &[u8],
        anchors: &[u8],
    ) -> PySliceRead {
        PySliceRead {
            rows: PyBytes::new(py, rows).unbind(),
            anchors: PyBytes::new(py, anchors).unbind(),
            records,
            bytes: self.stats.bytes,
            position: self.position,
            log_start_offset: self.seen.log_start_offset,
            high_watermark: self.seen.high_watermark,
            last_stable_offset: self.seen.last_stable_offset,
            throttle_ms: self.seen.throttle_ms,
            end: self.end.word,
            end_code: self.end.code,
            end_detail: self.end.detail,
            unread: self
                .stats
                .unread
                .into_iter()
                .map(|unread| (unread.start, unread.stop, unread.reason.name(), unread.detail))
                .collect(),
            unexplained: self.stats.unexplained,
            unexplained_total: self.stats.unexplained_total,
            leader_epochs: self.stats.leader_epochs,
        }
    }
}

/// Keeps the last records of a range, with their first bytes.
pub(crate) struct LastRecords {
    pub(crate) kept: VecDeque<TailRecord>,
    pub(crate) limit: usize,
    pub(crate) value_limit_bytes: usize,
    pub(crate) records: u64,
}

pub(crate) type TailRecord = (i64, i64, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

impl RecordConsumer for LastRecords {
    fn batch(&mut self, _log_append_time: bool) {}

    fn record(&mut self, record: &RecordView<'_>) {
        self.records += 1;
        if self.limit == 0 {
            return;
        }
        if self.kept.len() == self.limit {
            self.kept.pop_front();
        }
        let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
        let limit = self.value_limit_bytes;
        let cut = |bytes: Option<&[u8]>| {
            bytes.filter(|_| limit > 0).map(|bytes| bytes[..bytes.len().min(limit)].to_vec())
        };
        self.kept.push_back((
            record.offset,
            record.timestamp,
            length(record.key),
            length(record.value),
            cut(record.key),
            cut(record.value),
        ));
    }

    fn gap(&mut self, _stop: i64, _gap: Gap) {}
}

fn isolation(name: &str) -> PyResult<(IsolationLevel, wire::IsolationLevel)> {
    match name {
        "read_committed" => Ok((IsolationLevel::ReadCommitted, wire::IsolationLevel::ReadCommitted)),
        "read_uncommitted" => Ok((IsolationLevel::ReadUncommitted, wire::IsolationLevel::ReadUncommitted)),
        other => Err(PyValueError::new_err(format!("isolation level {other:?} is not one that Kafka has"))),
    }
}

#[expect(clippy::too_many_arguments, reason = "what the verbs were given")]
pub(crate) fn job<'a>(
    origin: Origin<'a>,
    topic: &str,
    topic_id: &[u8],
    partition: i32,
    start: i64,
    stop: i64,
    isolation_level: &str,
    budget: &'a PyMemoryBudget,
    cancel: &'a PyCancelToken,
) -> PyResult<Job<'a>> {
    let Ok(topic_id) = <[u8; 16]>::try_from(topic_id) else {
        return Err(PyValueError::new_err(format!("a topic id has 16 bytes, not {}", topic_id.len())));
    };
    if start < 0 || stop < start {
        return Err(PyValueError::new_err(format!("[{start}, {stop}) is no range of offsets")));
    }
    let (isolation_level, on_the_wire) = isolation(isolation_level)?;
    let range = FetchRange {
        topic: topic.to_owned(),
        topic_id,
        partition,
        start,
        stop,
        isolation_level: on_the_wire,
        settle: Duration::ZERO,
        bytes_per_offset: 0,
    };
    Ok(Job { origin, range, isolation_level, budget: &budget.0, cancel: &cancel.0 })
}

/// Shows the counters what is new since the last call; `records` says how many the consumer has.
pub(crate) fn count<C: RecordConsumer>(
    counters: &Counters,
    records: impl Fn(&C) -> u64,
) -> impl FnMut(&SliceReader<C>) {
    let mut shown = None;
    move |reader| {
        let now = (records(reader.consumer()), reader.bytes(), reader.position());
        let (before, bytes, position) = shown.unwrap_or((0, 0, reader.start()));
        counters.records.fetch_add(now.0 - before, Ordering::Relaxed);
        counters.bytes.fetch_add(now.1.saturating_sub(bytes), Ordering::Relaxed);
        counters.offsets.fetch_add((now.2 - position).max(0) as u64, Ordering::Relaxed);
        shown = Some(now);
    }
}

/// A slice as cell and anchor rows.
pub(crate) fn cells(
    py: Python<'_>,
    job: &Job<'_>,
    checkpoints: &[i64],
    progress: &PyProgress,
) -> PySliceRead {
    let profile = Profile::default();
    let (counters, start) = (&progress.0, job.range.start);
    let done = py.detach(|| {
        job.run(CellBuilder::new(&profile, start, checkpoints), count(counters, CellBuilder::records))
    });
    let (consumer, done) = done.take_consumer();
    let records = consumer.records();
    let (cells, anchors) = consumer.finish();
    done.into_python(py, records, &cells, &anchors)
}

/// The first `limit` records of a slice as record rows.
pub(crate) fn rows(py: Python<'_>, job: &Job<'_>, limit: usize) -> PySliceRead {
    let profile = Profile::default();
    let done = py.detach(|| job.run(RowBuilder::new(&profile, job.range.start, limit), |_| ()));
    let (consumer, done) = done.take_consumer();
    let records = consumer.records();
    done.into_python(py, records, &consumer.finish(), &[])
}

/// The last `limit` records of a slice.
pub(crate) fn records(
    py: Python<'_>,
    job: &Job<'_>,
    limit: usize,
    value_limit_bytes: usize,
) -> (Vec<TailRecord>, PySliceRead) {
    let consumer = LastRecords { kept: VecDeque::new(), limit, value_limit_bytes, records: 0 };
    let (consumer, done) = py.detach(|| job.run(consumer, |_| ())).take_consumer();
    (consumer.kept.into(), done.into_python(py, consumer.records, &[], &[]))
}

#[pymethods]
impl PyCluster {
    #[pyo3(signature = (*, topic, topic_id, partition, start, stop, isolation_level, checkpoints, settle_ms,
                        bytes_per_offset, budget, cancel, progress))]
    #[expect(clippy::too_many_arguments, reason = "a slice and how to read it, all by keyword")]
    fn read_cells(
        &self,
        py: Python<'_>,
        topic: &str,
        topic_id: &[u8],
        partition: i32,
        start: i64,
        stop: i64,
        isolation_level: &str,
        checkpoints: Vec<i64>,
        settle_ms: u64,
        bytes_per_offset: u32,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
        progress: &PyProgress,
    ) -> PyResult<PySliceRead> {
        let origin = Origin::Cluster(&self.0);
        let mut job = job(origin, topic, topic_id, partition, start, stop, isolation_level, budget, cancel)?;
        job.range.settle = Duration::from_millis(settle_ms);
        job.range.bytes_per_offset = bytes_per_offset;
        Ok(cells(py, &job, &checkpoints, progress))
    }

    #[pyo3(signature = (*, topic, topic_id, partition, start, stop, isolation_level, limit, budget, cancel))]
    #[expect(clippy::too_many_arguments, reason = "a range and how to read it, all by keyword")]
    fn read_rows(
        &self,
        py: Python<'_>,
        topic: &str,
        topic_id: &[u8],
        partition: i32,
        start: i64,
        stop: i64,
        isolation_level: &str,
        limit: usize,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
    ) -> PyResult<PySliceRead> {
        let origin = Origin::Cluster(&self.0);
        let job = job(origin, topic, topic_id, partition, start, stop, isolation_level, budget, cancel)?;
        Ok(rows(py, &job, limit))
    }

    #[pyo3(signature = (*, topic, topic_id, partition, start, stop, isolation_level, limit, value_limit_bytes, budget,
                        cancel))]
    #[expect(clippy::too_many_arguments, reason = "a range and how to read it, all by keyword")]
    fn read_records(
        &self,
        py: Python<'_>,
        topic: &str,
        topic_id: &[u8],
        partition: i32,
        start: i64,
        stop: i64,
        isolation_level: &str,
        limit: usize,
        value_limit_bytes: usize,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
    ) -> PyResult<(Vec<TailRecord>, PySliceRead)> {
        let origin = Origin::Cluster(&self.0);
        let job = job(origin, topic, topic_id, partition, start, stop, isolation_level, budget, cancel)?;
        Ok(records(py, &job, limit, value_limit_bytes))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySliceRead>()
}
