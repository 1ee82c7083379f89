//! What a broker's start would do to a partition directory, worked out with the GIL released.

use crate::control::PyCancelToken;
use crate::errors::log_dir_error;
use crate::logdir::PyLogDirs;
use kcompare_io::cancel::CancelToken;
use kcompare_io::logdir::start::{DeletedFile, Found, Loss, RecoveredSegment, Start, evidence_of, start_of};
use kcompare_io::logdir::{LogDirError, LogDirs, PartitionDir};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

type DeletedTuple = (String, u64, &'static str);
type RecoveredTuple = (String, i64, &'static str, Option<u64>, u64);
type EvidenceTuple = (&'static str, i64, i64, String);

#[pyclass(name = "StartLoss", frozen, get_all)]
struct PyLoss {
    cause: &'static str,
    file: String,
    position: u64,
    end_position: u64,
    start: i64,
    stop: i64,
    batches: u64,
    records: u64,
    damaged_bytes: u64,
}

#[pyclass(name = "BrokerStart", frozen, get_all)]
pub(crate) struct PyStart {
    refused: Option<String>,
    stray: bool,
    log_start_offset: i64,
    log_end_offset: i64,
    deleted_files: Vec<DeletedTuple>,
    recovered: Vec<RecoveredTuple>,
    discarded: Vec<Py<PyLoss>>,
    hidden: Vec<Py<PyLoss>>,
    reused: Option<(i64, i64)>,
    evidence: Vec<EvidenceTuple>,
}

fn losses(py: Python<'_>, losses: Vec<Loss>) -> PyResult<Vec<Py<PyLoss>>> {
    let one = |loss: Loss| {
        Py::new(
            py,
            PyLoss {
                cause: loss.cause.name(),
                file: loss.file,
                position: loss.position,
                end_position: loss.end_position,
                start: loss.start,
                stop: loss.stop,
                batches: loss.batches,
                records: loss.records,
                damaged_bytes: loss.damaged_bytes,
            },
        )
    };
    losses.into_iter().map(one).collect()
}

pub(crate) fn to_python(py: Python<'_>, start: Start, evidence: Vec<EvidenceTuple>) -> PyResult<PyStart> {
    let deleted = |file: DeletedFile| (file.name, file.size, file.why.name());
    let recovered = |one: RecoveredSegment| {
        (one.name, one.base_offset, one.why.name(), one.truncated_at, one.truncated_bytes)
    };
    Ok(PyStart {
        refused: start.refused,
        stray: start.stray,
        log_start_offset: start.log_start_offset,
        log_end_offset: start.log_end_offset,
        deleted_files: start.deleted_files.into_iter().map(deleted).collect(),
        recovered: start.recovered.into_iter().map(recovered).collect(),
        discarded: losses(py, start.discarded)?,
        hidden: losses(py, start.hidden)?,
        reused: start.reused,
        evidence,
    })
}

#[pyfunction]
#[pyo3(signature = (*, path, clean_shutdown, recovery_point, log_start_checkpoint, cancel))]
fn start_of_directory(
    py: Python<'_>,
    path: PathBuf,
    clean_shutdown: bool,
    recovery_point: Option<i64>,
    log_start_checkpoint: Option<i64>,
    cancel: PyRef<'_, PyCancelToken>,
) -> PyResult<PyStart> {
    let dir = PartitionDir {
        topic: String::new(),
        partition: 0,
        path,
        root: 0,
        clean_shutdown,
        tiered: false,
        topic_id: Some([0; 16]),
        device: 0,
        inode: 0,
        recovery_point,
        recovery_point_known: true,
        log_start_checkpoint,
        high_watermark_checkpoint: None,
        cleaner_checkpoint: None,
        problems: Vec::new(),
    };
    let token = cancel.0.clone();
    let start = py.detach(|| start_of(&dir, &token)).map_err(|error| log_dir_error(py, &error))?;
    to_python(py, start, Vec::new())
}

/// What a start would do to one partition, and what its small files tell.
fn start_with_evidence(
    dirs: &LogDirs,
    topic: &str,
    partition: i32,
    cancel: &CancelToken,
) -> Result<(Start, Vec<EvidenceTuple>), LogDirError> {
    let log = dirs.partition(topic, partition, cancel)?;
    let start = start_of(log.dir(), cancel)?;
    let epochs: Vec<(i32, i64)> =
        log.checkpoint_epochs().iter().map(|epoch| (epoch.leader_epoch, epoch.start_offset)).collect();
    let found = Found {
        readable_end: log.bounds().readable_end_offset,
        checkpoint_epochs: &epochs,
        segment_holes: log.segment_holes(),
    };
    let evidence = evidence_of(log.dir(), &found, &start)?;
    Ok((start, evidence.into_iter().map(|one| (one.kind.name(), one.start, one.stop, one.detail)).collect()))
}

#[pymethods]
impl PyLogDirs {
    #[pyo3(signature = (*, topic, partition, cancel))]
    fn start_of(
        &self,
        py: Python<'_>,
        topic: &str,
        partition: i32,
        cancel: PyRef<'_, PyCancelToken>,
    ) -> PyResult<PyStart> {
        let (dirs, token) = (Arc::clone(&self.dirs), cancel.0.clone());
        let found = py.detach(|| start_with_evidence(&dirs, topic, partition, &token));
        let (start, evidence) = found.map_err(|error| log_dir_error(py, &error))?;
        to_python(py, start, evidence)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyLoss>()?;
    module.add_class::<PyStart>()?;
    module.add_function(wrap_pyfunction!(start_of_directory, module)?)
}
