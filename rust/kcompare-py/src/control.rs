//! What the main thread shares with a running call: the cancel token, the memory budget, the counters.

use kcompare_io::budget::MemoryBudget;
use kcompare_io::cancel::CancelToken;
use pyo3::prelude::*;
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
    module.add_class::<PyProgress>()
}
