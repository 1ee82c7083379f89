//! `read_check`: a slice whose records are digested, and whose timestamps are looked at as well.

use crate::cluster::PyCluster;
use crate::control::{PyCancelToken, PyMemoryBudget, PyProgress};
use crate::read::{Job, Origin, PySliceRead, count, job};
use kcompare_core::digest::{CheckBuilder, Profile, TimeOrder};
use pyo3::prelude::*;

#[pyclass(name = "TimeOrder", frozen, get_all)]
pub(crate) struct PyTimeOrder {
    first: Option<(i64, i64, bool)>,
    last: Option<(i64, bool)>,
    steps: Vec<(i64, i64, i64, bool)>,
    total: u64,
    broker_total: u64,
    largest_ms: u64,
}

impl From<TimeOrder> for PyTimeOrder {
    fn from(order: TimeOrder) -> Self {
        let step =
            |step: &kcompare_core::digest::StepBack| (step.offset, step.before, step.timestamp, step.broker);
        Self {
            first: order.first.map(|(timestamp, broker)| (order.first_offset, timestamp, broker)),
            last: order.last,
            steps: order.steps.iter().map(step).collect(),
            total: order.total,
            broker_total: order.broker_total,
            largest_ms: order.largest_ms,
        }
    }
}

/// A slice as cell rows, with the order of its timestamps.
pub(crate) fn check(py: Python<'_>, job: &Job<'_>, progress: &PyProgress) -> (PySliceRead, PyTimeOrder) {
    let profile = Profile::default();
    let (counters, start) = (&progress.0, job.range.start);
    let done =
        py.detach(|| job.run(CheckBuilder::new(&profile, start), count(counters, CheckBuilder::records)));
    let (builder, done) = done.take_consumer();
    let records = builder.records();
    let (cells, order) = builder.finish();
    (done.into_python(py, records, &cells, &[]), order.into())
}

#[pymethods]
impl PyCluster {
    #[pyo3(signature = (*, topic, topic_id, partition, start, stop, bytes_per_offset, budget, cancel, progress))]
    #[expect(clippy::too_many_arguments, reason = "a slice and how to read it, all by keyword")]
    fn read_check(
        &self,
        py: Python<'_>,
        topic: &str,
        topic_id: &[u8],
        partition: i32,
        start: i64,
        stop: i64,
        bytes_per_offset: u32,
        budget: &PyMemoryBudget,
        cancel: &PyCancelToken,
        progress: &PyProgress,
    ) -> PyResult<(PySliceRead, PyTimeOrder)> {
        let isolation_level = "read_uncommitted";
        let origin = Origin::Cluster(&self.0);
        let mut job = job(origin, topic, topic_id, partition, start, stop, isolation_level, budget, cancel)?;
        job.range.bytes_per_offset = bytes_per_offset;
        Ok(check(py, &job, progress))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTimeOrder>()
}
