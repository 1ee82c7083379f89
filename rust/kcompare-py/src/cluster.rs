//! A cluster and what it says of itself.

use crate::control::{PyCancelToken, PyRateLimit};
use crate::errors::wire_error;
use kcompare_io::error::{BrokerError, WireError};
use kcompare_io::wire::{
    Cluster, ClusterSettings, OffsetAt, PartitionBounds, TcpConnector, TopicInfo, broker_error,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[pyclass(name = "Cluster", frozen)]
pub(crate) struct PyCluster(pub(crate) Arc<Cluster>);

#[pyclass(name = "PartitionMetadata", frozen, get_all)]
struct PyPartition {
    partition: i32,
    leader: i32,
    leader_epoch: i32,
    error_code: i16,
    error: &'static str,
}

#[pyclass(name = "TopicMetadata", frozen, get_all)]
struct PyTopic {
    name: String,
    topic_id: Py<PyBytes>,
    error_code: i16,
    error: &'static str,
    partitions: Vec<Py<PyPartition>>,
}

#[pyclass(name = "ClusterMetadata", frozen, get_all)]
struct PyMetadata {
    cluster_id: Option<String>,
    brokers: Vec<(i32, String, u16)>,
    topics: Vec<Py<PyTopic>>,
}

#[pyclass(name = "NativeBounds", frozen, get_all)]
struct PyBounds {
    partition: i32,
    leader: i32,
    leader_epoch: i32,
    log_start_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
    listed_end: i64,
    error_code: i16,
    error: &'static str,
}

/// The name of an error code, empty for none.
pub(crate) fn error_name(code: i16) -> &'static str {
    if code == 0 { "" } else { broker_error(code).name }
}

fn topic(py: Python<'_>, topic: &TopicInfo) -> PyResult<Py<PyTopic>> {
    let partitions: PyResult<Vec<_>> = topic
        .partitions
        .iter()
        .map(|info| {
            let (partition, leader, leader_epoch) = (info.partition, info.leader, info.leader_epoch);
            let (error_code, error) = (info.error_code, error_name(info.error_code));
            Py::new(py, PyPartition { partition, leader, leader_epoch, error_code, error })
        })
        .collect();
    Py::new(
        py,
        PyTopic {
            name: topic.name.clone(),
            topic_id: PyBytes::new(py, &topic.topic_id).unbind(),
            error_code: topic.error_code,
            error: error_name(topic.error_code),
            partitions: partitions?,
        },
    )
}

fn bounds(found: &PartitionBounds) -> PyBounds {
    let error_code = found.error.map_or(0, |error| error.code);
    PyBounds {
        partition: found.partition,
        leader: found.leader,
        leader_epoch: found.leader_epoch,
        log_start_offset: found.log_start_offset,
        high_watermark: found.high_watermark,
        last_stable_offset: found.last_stable_offset,
        listed_end: found.listed_end,
        error_code,
        error: error_name(error_code),
    }
}

impl PyCluster {
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&Cluster) -> Result<T, WireError> + Send,
    ) -> PyResult<T> {
        py.detach(|| ask(&self.0)).map_err(|error| wire_error(py, &error))
    }
}

#[pymethods]
impl PyCluster {
    #[new]
    #[pyo3(signature = (*, bootstrap, client_id, rack_id, connect_timeout_ms, request_timeout_ms, stall_timeout_ms, cancel,
                        rate_limit = None))]
    #[expect(clippy::too_many_arguments, reason = "the settings of a connection, all by keyword")]
    fn new(
        py: Python<'_>,
        bootstrap: Vec<(String, u16)>,
        client_id: String,
        rack_id: Option<String>,
        connect_timeout_ms: u64,
        request_timeout_ms: u64,
        stall_timeout_ms: u64,
        cancel: &PyCancelToken,
        rate_limit: Option<&PyRateLimit>,
    ) -> PyResult<Self> {
        let settings = ClusterSettings {
            bootstrap,
            client_id,
            rack_id,
            connect_timeout: Duration::from_millis(connect_timeout_ms),
            request_timeout: Duration::from_millis(request_timeout_ms),
            stall_timeout: Duration::from_millis(stall_timeout_ms),
            rate_limit: rate_limit.map(|limit| Arc::clone(&limit.0)),
            ..ClusterSettings::default()
        };
        let token = cancel.0.clone();
        let connected = py.detach(|| Cluster::connect(settings, Arc::new(TcpConnector), token));
        Ok(Self(Arc::new(connected.map_err(|error| wire_error(py, &error))?)))
    }

    #[pyo3(signature = (*, topics))]
    fn metadata(&self, py: Python<'_>, topics: Option<Vec<String>>) -> PyResult<PyMetadata> {
        let found = self.ask(py, |cluster| cluster.metadata(topics.as_deref()))?;
        let topics: PyResult<Vec<_>> = found.topics.iter().map(|info| topic(py, info)).collect();
        Ok(PyMetadata {
            cluster_id: found.cluster_id,
            brokers: found.brokers.into_iter().map(|broker| (broker.id, broker.host, broker.port)).collect(),
            topics: topics?,
        })
    }

    #[pyo3(signature = (*, topic))]
    fn bounds(&self, py: Python<'_>, topic: &str) -> PyResult<Vec<Py<PyBounds>>> {
        let found = self.ask(py, |cluster| cluster.bounds(topic))?;
        found.iter().map(|one| Py::new(py, bounds(one))).collect()
    }

    #[pyo3(signature = (*, topic, timestamp_ms))]
    fn offsets_at(
        &self,
        py: Python<'_>,
        topic: &str,
        timestamp_ms: i64,
    ) -> PyResult<Vec<(i32, i64, i16, &'static str)>> {
        let Ok(since_1970) = u64::try_from(timestamp_ms) else {
            return Err(PyValueError::new_err(format!(
                "{timestamp_ms} is no time from 1970 on, in milliseconds"
            )));
        };
        let found = self.ask(py, |cluster| cluster.offsets_at(topic, since_1970))?;
        let row = |(partition, at): (i32, Result<OffsetAt, BrokerError>)| match at {
            Ok(at) => (partition, at.offset.max(-1), 0, ""),
            Err(error) => (partition, -1, error.code, error.name),
        };
        Ok(found.into_iter().map(row).collect())
    }

    #[pyo3(signature = (*, topic))]
    fn topic_configs(&self, py: Python<'_>, topic: &str) -> PyResult<BTreeMap<String, String>> {
        self.ask(py, |cluster| cluster.topic_configs(topic))
    }

    #[pyo3(signature = (*, topic, epochs))]
    fn epoch_ends(
        &self,
        py: Python<'_>,
        topic: &str,
        epochs: Vec<(i32, i32)>,
    ) -> PyResult<Vec<(i32, i32, i64)>> {
        let found = self.ask(py, |cluster| cluster.epoch_ends(topic, &epochs))?;
        let known = found.into_iter().filter_map(|(partition, end)| Some((partition, end.ok()?)));
        Ok(known.map(|(partition, end)| (partition, end.leader_epoch, end.end_offset)).collect())
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyPartition>()?;
    module.add_class::<PyTopic>()?;
    module.add_class::<PyMetadata>()?;
    module.add_class::<PyBounds>()?;
    module.add_class::<PyCluster>()
}
