//! The read-only broker over log directories. It has no faults to script: what is on disk is what is served.

use crate::control::PyCancelToken;
use crate::errors::log_dir_error;
use crate::logdir::PyLogDirs;
use kcompare_io::serve::{Broker, BrokerConfig, DirectoryStore};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a broker calls itself where its directories do not say.
const NODE_ID: i32 = 1;
const CLUSTER_ID: &str = "kcompare";

#[pyclass(name = "DirectoryBroker", frozen)]
struct PyDirectoryBroker(Broker);

#[pymethods]
impl PyDirectoryBroker {
    #[new]
    #[pyo3(signature = (*, directories, topics, host, port, cancel))]
    fn new(
        py: Python<'_>,
        directories: &PyLogDirs,
        topics: Vec<String>,
        host: &str,
        port: u16,
        cancel: &PyCancelToken,
    ) -> PyResult<Self> {
        let address =
            host.parse().map_err(|_| PyValueError::new_err(format!("{host:?} is no address of a host")))?;
        let (dirs, token) = (Arc::clone(&directories.dirs), cancel.0.clone());
        let opened = py.detach(|| DirectoryStore::open(&dirs, &topics, &token));
        let store = opened.map_err(|error| log_dir_error(py, &error))?;
        let config = BrokerConfig {
            listen: SocketAddr::new(address, port),
            cluster_id: dirs
                .roots()
                .iter()
                .find_map(|root| root.cluster_id.clone())
                .unwrap_or_else(|| CLUSTER_ID.to_owned()),
            node_id: dirs.roots().iter().find_map(|root| root.node_id).unwrap_or(NODE_ID),
            ..BrokerConfig::default()
        };
        let broker = py.detach(|| Broker::start(config, Arc::new(store)));
        Ok(Self(broker.map_err(|error| PyOSError::new_err(error.to_string()))?))
    }

    #[getter]
    fn port(&self) -> u16 {
        self.0.addr().port()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.0.stop());
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyDirectoryBroker>()
}
