//! Log directories, and what a partition in one says of itself. What reads its records is `logdir_read.rs`.

use crate::control::{PyCancelToken, PyRateLimit};
use crate::errors::log_dir_error;
use kcompare_io::cancel::CancelToken;
use kcompare_io::logdir::{LogDirError, LogDirs, PartitionDir, PartitionLog, Root, Segment};
use kcompare_io::serve::EpochStart;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// Threads that go over the batch headers of a topic.
const MOST_THREADS: usize = 4;

type LostTuple = (i64, i64, &'static str, String);
type IgnoredTuple = (String, i64, u64, &'static str);

#[pyclass(name = "LogDirs", frozen)]
pub(crate) struct PyLogDirs {
    pub(crate) dirs: Arc<LogDirs>,
    cancel: CancelToken,
}

#[pyclass(name = "LogDirRoot", frozen, get_all)]
struct PyRoot {
    path: String,
    cluster_id: Option<String>,
    node_id: Option<i32>,
    directory_id: Option<String>,
    clean_shutdown: bool,
    tiered: bool,
    device: u64,
    inode: u64,
    problems: Vec<String>,
    foreign: Vec<String>,
}

#[pyclass(name = "LogDirPartition", frozen, get_all)]
struct PyPartition {
    partition: i32,
    path: String,
    root: usize,
    topic_id: Py<PyBytes>,
    recovery_point: Option<i64>,
    log_start_checkpoint: Option<i64>,
    high_watermark_checkpoint: Option<i64>,
    cleaner_checkpoint: Option<i64>,
    device: u64,
    inode: u64,
    problems: Vec<String>,
}

#[pyclass(name = "LogDirBounds", frozen, get_all)]
struct PyBounds {
    topic_id: Py<PyBytes>,
    partition: i32,
    log_start_offset: i64,
    log_end_offset: i64,
    last_stable_offset: i64,
    readable_end_offset: i64,
    end_reason: &'static str,
    end_detail: String,
    high_watermark_checkpoint: Option<i64>,
    log_start_checkpoint: Option<i64>,
    recovery_point: Option<i64>,
    first_segment: i64,
    segments: usize,
    bytes: u64,
    leader_epoch: i32,
    leader_epochs: Vec<(i32, i64)>,
    checkpoint_epochs: Vec<(i32, i64)>,
    lost: Vec<LostTuple>,
    segment_holes: Vec<(i64, i64)>,
    ignored: Vec<IgnoredTuple>,
    cleaner_checkpoint: Option<i64>,
    clean_shutdown: bool,
    path: String,
    device: u64,
    inode: u64,
    error: String,
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn sentences(problems: &[LogDirError]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn id(py: Python<'_>, dir: &PartitionDir) -> Py<PyBytes> {
    PyBytes::new(py, &dir.topic_id.unwrap_or_default()).unbind()
}

fn root(root: &Root) -> PyRoot {
    PyRoot {
        path: text(&root.path),
        cluster_id: root.cluster_id.clone(),
        node_id: root.node_id,
        directory_id: root.directory_id.clone(),
        clean_shutdown: root.clean_shutdown,
        tiered: root.tiered,
        device: root.device,
        inode: root.inode,
        problems: sentences(&root.problems),
        foreign: root.foreign.iter().map(|path| text(path)).collect(),
    }
}

fn partition(py: Python<'_>, dir: &PartitionDir) -> PyPartition {
    PyPartition {
        partition: dir.partition,
        path: text(&dir.path),
        root: dir.root,
        topic_id: id(py, dir),
        recovery_point: dir.recovery_point,
        log_start_checkpoint: dir.log_start_checkpoint,
        high_watermark_checkpoint: dir.high_watermark_checkpoint,
        cleaner_checkpoint: dir.cleaner_checkpoint,
        device: dir.device,
        inode: dir.inode,
        problems: sentences(&dir.problems),
    }
}

fn epochs(epochs: &[EpochStart]) -> Vec<(i32, i64)> {
    epochs.iter().map(|epoch| (epoch.leader_epoch, epoch.start_offset)).collect()
}

/// Bounds of a partition that could not be scanned: what its checkpoints say, and why.
fn without_log(py: Python<'_>, dir: &PartitionDir, error: String) -> PyBounds {
    PyBounds {
        topic_id: id(py, dir),
        partition: dir.partition,
        log_start_offset: -1,
        log_end_offset: -1,
        last_stable_offset: -1,
        readable_end_offset: -1,
        end_reason: "",
        end_detail: String::new(),
        high_watermark_checkpoint: dir.high_watermark_checkpoint,
        log_start_checkpoint: dir.log_start_checkpoint,
        recovery_point: dir.recovery_point,
        first_segment: -1,
        segments: 0,
        bytes: 0,
        leader_epoch: -1,
        leader_epochs: Vec::new(),
        checkpoint_epochs: Vec::new(),
        lost: Vec::new(),
        segment_holes: Vec::new(),
        ignored: Vec::new(),
        cleaner_checkpoint: dir.cleaner_checkpoint,
        clean_shutdown: dir.clean_shutdown,
        path: text(&dir.path),
        device: dir.device,
        inode: dir.inode,
        error,
    }
}

fn bounds(py: Python<'_>, log: &PartitionLog) -> PyBounds {
    let (bounds, segments) = (log.bounds(), log.segments());
    let lost = log.lost().iter().map(|one| (one.start, one.stop, one.reason.name(), one.detail.clone()));
    let ignored = log
        .files()
        .ignored
        .iter()
        .map(|file| (text(&file.path), file.base_offset, file.size, file.why.name()));
    PyBounds {
        log_start_offset: bounds.log_start_offset,
        log_end_offset: bounds.log_end_offset,
        last_stable_offset: bounds.last_stable_offset,
        readable_end_offset: bounds.readable_end_offset,
        end_reason: bounds.end_reason.name(),
        end_detail: bounds.end_detail.clone(),
        first_segment: segments.first().map_or(-1, |segment| segment.base_offset),
        segments: segments.len(),
        bytes: segments.iter().map(|segment: &Segment| segment.size).sum(),
        leader_epoch: bounds.leader_epoch,
        leader_epochs: epochs(log.leader_epochs()),
        checkpoint_epochs: epochs(log.checkpoint_epochs()),
        lost: lost.collect(),
        segment_holes: log.segment_holes().to_vec(),
        ignored: ignored.collect(),
        ..without_log(py, log.dir(), String::new())
    }
}

impl PyLogDirs {
    /// Asks the log of every partition, several at a time; an error is that of one partition, unless the work was
    /// cancelled.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        topic: &str,
        ask: impl Fn(&PartitionLog) -> Result<T, LogDirError> + Sync,
    ) -> PyResult<Vec<(i32, Result<T, LogDirError>)>> {
        let partitions: Vec<i32> = self.dirs.partitions(topic).iter().map(|dir| dir.partition).collect();
        let one =
            |partition: i32| self.dirs.partition(topic, partition, &self.cancel).and_then(|log| ask(&log));
        let answers = py.detach(|| side_by_side(&partitions, one));
        if answers.iter().any(|answer| matches!(answer, Err(LogDirError::Cancelled))) {
            return Err(log_dir_error(py, &LogDirError::Cancelled));
        }
        Ok(partitions.into_iter().zip(answers).collect())
    }
}

/// Does the same with each, on a few threads: disks answer several questions at once.
fn side_by_side<T: Send>(partitions: &[i32], work: impl Fn(i32) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let width = partitions.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let threads: Vec<_> = partitions
            .chunks(width)
            .map(|part| scope.spawn(|| part.iter().map(|partition| work(*partition)).collect::<Vec<_>>()))
            .collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    })
}

#[pymethods]
impl PyLogDirs {
    #[new]
    #[pyo3(signature = (*, paths, cancel, rate_limit = None))]
    fn new(
        py: Python<'_>,
        paths: Vec<PathBuf>,
        cancel: &PyCancelToken,
        rate_limit: Option<&PyRateLimit>,
    ) -> PyResult<Self> {
        let rate = rate_limit.map(|limit| Arc::clone(&limit.0));
        let opened = py.detach(|| LogDirs::open(&paths, rate));
        let dirs = opened.map_err(|error| log_dir_error(py, &error))?;
        Ok(Self { dirs: Arc::new(dirs), cancel: cancel.0.clone() })
    }

    fn roots(&self, py: Python<'_>) -> PyResult<Vec<Py<PyRoot>>> {
        self.dirs.roots().iter().map(|one| Py::new(py, root(one))).collect()
    }

    fn topics(&self) -> Vec<String> {
        self.dirs.topics().into_iter().map(str::to_owned).collect()
    }

    fn set_aside(&self) -> Vec<(String, String, i32, &'static str)> {
        let all = self.dirs.set_aside().iter();
        all.map(|one| (text(&one.path), one.topic.clone(), one.partition, one.kind.name())).collect()
    }

    #[pyo3(signature = (*, topic))]
    fn partitions(&self, py: Python<'_>, topic: &str) -> PyResult<Vec<Py<PyPartition>>> {
        self.dirs.partitions(topic).into_iter().map(|dir| Py::new(py, partition(py, dir))).collect()
    }

    #[pyo3(signature = (*, topic))]
    fn bounds(&self, py: Python<'_>, topic: &str) -> PyResult<Vec<Py<PyBounds>>> {
        let scanned = self.ask(py, topic, |_| Ok(()))?;
        let found = scanned.into_iter().zip(self.dirs.partitions(topic)).map(|((partition, answer), dir)| {
            let log = answer.and_then(|()| self.dirs.partition(topic, partition, &self.cancel));
            let bounds = match log {
                Ok(log) => bounds(py, &log),
                Err(error) => without_log(py, dir, error.to_string()),
            };
            Py::new(py, bounds)
        });
        found.collect()
    }

    #[pyo3(signature = (*, topic, timestamp_ms))]
    fn offsets_at(
        &self,
        py: Python<'_>,
        topic: &str,
        timestamp_ms: i64,
    ) -> PyResult<Vec<(i32, i64, String)>> {
        if timestamp_ms < 0 {
            return Err(PyValueError::new_err(format!(
                "{timestamp_ms} is no time from 1970 on, in milliseconds"
            )));
        }
        let found = self.ask(py, topic, |log| log.offset_for_timestamp(timestamp_ms, &self.cancel))?;
        let row = |(partition, answer): (i32, Result<Option<_>, LogDirError>)| match answer {
            Ok(at) => {
                let offset = at.map_or(-1, |at: kcompare_io::serve::TimestampOffset| at.offset);
                (partition, offset, String::new())
            }
            Err(error) => (partition, -1, error.to_string()),
        };
        Ok(found.into_iter().map(row).collect())
    }

    #[pyo3(signature = (*, topic, epochs))]
    fn epoch_ends(
        &self,
        py: Python<'_>,
        topic: &str,
        epochs: Vec<(i32, i32)>,
    ) -> PyResult<Vec<(i32, i32, i64)>> {
        let mut ends = Vec::new();
        for (partition, epoch) in epochs {
            let log = py.detach(|| self.dirs.partition(topic, partition, &self.cancel));
            match log {
                Ok(log) => {
                    let (found, end) = log.epoch_end(epoch);
                    ends.push((partition, found, end));
                }
                Err(LogDirError::Cancelled) => return Err(log_dir_error(py, &LogDirError::Cancelled)),
                Err(_) => {}
            }
        }
        Ok(ends)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRoot>()?;
    module.add_class::<PyPartition>()?;
    module.add_class::<PyBounds>()?;
    module.add_class::<PyLogDirs>()
}
