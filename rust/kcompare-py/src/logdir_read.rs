//! The reading verbs of `LogDirs`: those of `Cluster`, without what only a broker needs to know.

use crate::check::{PyTimeOrder, check};
use crate::control::{PyCancelToken, PyMemoryBudget, PyProgress};
use crate::logdir::PyLogDirs;
use crate::read::{Origin, PySliceRead, TailRecord, cells, job, records, rows};
use pyo3::prelude::*;

const NO_TOPIC_ID: [u8; 16] = [0; 16];

#[pymethods]
impl PyLogDirs {
    #[pyo3(signature = (*, topic, partition, start, stop, isolation_level, checkpoints, budget, cancel, progress))]
    #[expect(clippy::too_many_arguments, reason = "a slice and how to read it, all by keyword")]
    fn read_cells(
        &self,
        py: Python<'_>,
        topic: &str,
        partition: i32,
        start: i64,
        stop: i64,
        isolation_level: &str,
        checkpoints: Vec<i64>,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
        progress: &PyProgress,
    ) -> PyResult<PySliceRead> {
        let origin = Origin::LogDirs(&self.dirs);
        let job = job(origin, topic, &NO_TOPIC_ID, partition, start, stop, isolation_level, budget, cancel)?;
        Ok(cells(py, &job, &checkpoints, progress))
    }

    #[pyo3(signature = (*, topic, partition, start, stop, budget, cancel, progress))]
    #[expect(clippy::too_many_arguments, reason = "a slice and how to read it, all by keyword")]
    fn read_check(
        &self,
        py: Python<'_>,
        topic: &str,
        partition: i32,
        start: i64,
        stop: i64,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
        progress: &PyProgress,
    ) -> PyResult<(PySliceRead, PyTimeOrder)> {
        let (origin, isolation_level) = (Origin::LogDirs(&self.dirs), "read_uncommitted");
        let job = job(origin, topic, &NO_TOPIC_ID, partition, start, stop, isolation_level, budget, cancel)?;
        Ok(check(py, &job, progress))
    }

    #[pyo3(signature = (*, topic, partition, start, stop, isolation_level, limit, budget, cancel))]
    #[expect(clippy::too_many_arguments, reason = "a range and how to read it, all by keyword")]
    fn read_rows(
        &self,
        py: Python<'_>,
        topic: &str,
        partition: i32,
        start: i64,
        stop: i64,
        isolation_level: &str,
        limit: usize,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
    ) -> PyResult<PySliceRead> {
        let origin = Origin::LogDirs(&self.dirs);
        let job = job(origin, topic, &NO_TOPIC_ID, partition, start, stop, isolation_level, budget, cancel)?;
        Ok(rows(py, &job, limit))
    }

    #[pyo3(signature = (*, topic, partition, start, stop, isolation_level, limit, value_limit_bytes, budget, cancel))]
    #[expect(clippy::too_many_arguments, reason = "a range and how to read it, all by keyword")]
    fn read_records(
        &self,
        py: Python<'_>,
        topic: &str,
        partition: i32,
        start: i64,
        stop: i64,
        isolation_level: &str,
        limit: usize,
        value_limit_bytes: usize,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
    ) -> PyResult<(Vec<TailRecord>, PySliceRead)> {
        let origin = Origin::LogDirs(&self.dirs);
        let job = job(origin, topic, &NO_TOPIC_ID, partition, start, stop, isolation_level, budget, cancel)?;
        Ok(records(py, &job, limit, value_limit_bytes))
    }
}
