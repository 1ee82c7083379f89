//! What the main thread shares with a running call: the cancel token, the memory budget, the counters.

use crate::errors::wire_error;
use kcompare_io::budget::MemoryBudget;
use kcompare_io::cancel::CancelToken;
use kcompare_io::rate::RateLimit;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[pyclass(name = "CancelToken", frozen)]
pub(crate) struct PyCancelToken(pub(crate) CancelToken);

#[pymethods]
impl PyCancelToken {
    #[new]
    fn new() -> Self {
        Self(CancelToken::new())
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

#[pyclass(name = "MemoryBudget", frozen)]
pub(crate) struct PyMemoryBudget(pub(crate) Arc<MemoryBudget>);

#[pymethods]
impl PyMemoryBudget {
    #[new]
    #[pyo3(signature = (*, total_bytes, workers))]
    fn new(total_bytes: usize, workers: usize) -> Self {
        Self(Arc::new(MemoryBudget::new(total_bytes, workers)))
    }

    #[getter]
    fn share(&self) -> usize {
        self.0.base_share()
    }

    #[getter]
    fn large_limit(&self) -> usize {
        self.0.large_limit()
    }
}

#[pyclass(name = "RateLimit", frozen)]
pub(crate) struct PyRateLimit(pub(crate) Arc<RateLimit>);

#[pymethods]
impl PyRateLimit {
    #[new]
    #[pyo3(signature = (*, bytes_per_second))]
    fn new(bytes_per_second: i64) -> PyResult<Self> {
        let Some(rate) = u64::try_from(bytes_per_second).ok().and_then(NonZeroU64::new) else {
            let message = format!("a rate limit is at least 1 byte per second, not {bytes_per_second}");
            return Err(PyValueError::new_err(message));
        };
        Ok(Self(Arc::new(RateLimit::new(rate))))
    }

    #[pyo3(signature = (*, bytes, cancel))]
    fn take(&self, py: Python<'_>, bytes: u64, cancel: &PyCancelToken) -> PyResult<()> {
        let taken = py.detach(|| self.0.take(bytes, &cancel.0));
        taken.map_err(|cancelled| wire_error(py, &cancelled.into()))
    }
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) offsets: AtomicU64,
}

#[pyclass(name = "Progress", frozen)]
pub(crate) struct PyProgress(pub(crate) Arc<Counters>);

#[pymethods]
impl PyProgress {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    #[getter]
    fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    #[getter]
    fn offsets(&self) -> u64 {
        self.0.offsets.load(Ordering::Relaxed)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyCancelToken>()?;
    module.add_class::<PyMemoryBudget>()?;
    module.add_class::<PyRateLimit>()?;
    module.add_class::<PyProgress>()
}
