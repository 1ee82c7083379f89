//! The small read-only broker over topics in memory, for tests that need a broker to misbehave on purpose; and batches
//! for them and the demo.

use kcompare_core::records::{BatchBuilder, Codec, ControlRecordType, NewRecord};
use kcompare_io::serve::{Broker, BrokerConfig, Fault, FaultAction, MemoryStore, Node, StoreError, TopicId};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

fn invalid(message: impl ToString) -> PyErr {
    PyValueError::new_err(message.to_string())
}

fn topic_id(bytes: &[u8]) -> PyResult<TopicId> {
    let id = <[u8; 16]>::try_from(bytes);
    id.map(TopicId).map_err(|_| invalid(format!("a topic id has 16 bytes, not {}", bytes.len())))
}

#[pyclass(name = "MemoryStore", frozen)]
struct PyMemoryStore(Arc<MemoryStore>);

impl PyMemoryStore {
    fn change(result: Result<(), StoreError>) -> PyResult<()> {
        result.map_err(invalid)
    }
}

#[pymethods]
impl PyMemoryStore {
    #[new]
    fn new() -> Self {
        Self(Arc::new(MemoryStore::new()))
    }

    #[pyo3(signature = (*, name, topic_id, partitions, configs))]
    fn create_topic(
        &self,
        name: &str,
        topic_id: &[u8],
        partitions: usize,
        configs: BTreeMap<String, String>,
    ) -> PyResult<()> {
        Self::change(self.0.create_topic(name, self::topic_id(topic_id)?, partitions, configs))
    }

    #[pyo3(signature = (*, name))]
    fn delete_topic(&self, name: &str) -> bool {
        self.0.delete_topic(name)
    }

    #[pyo3(signature = (*, name, topic_id))]
    fn recreate_topic(&self, name: &str, topic_id: &[u8]) -> PyResult<()> {
        Self::change(self.0.recreate_topic(name, self::topic_id(topic_id)?))
    }

    #[pyo3(signature = (*, topic, partition, batches))]
    fn append(&self, topic: &str, partition: i32, batches: Vec<u8>) -> PyResult<()> {
        Self::change(self.0.append(topic, partition, batches))
    }

    #[pyo3(signature = (*, topic, partition, data, next_offset))]
    fn append_unchecked(&self, topic: &str, partition: i32, data: Vec<u8>, next_offset: i64) -> PyResult<()> {
        Self::change(self.0.append_unchecked(topic, partition, data, next_offset))
    }

    #[pyo3(signature = (*, topic, partition, offset))]
    fn set_log_start_offset(&self, topic: &str, partition: i32, offset: i64) -> PyResult<()> {
        Self::change(self.0.set_log_start_offset(topic, partition, offset))
    }

    #[pyo3(signature = (*, topic, partition, offset))]
    fn set_high_watermark(&self, topic: &str, partition: i32, offset: Option<i64>) -> PyResult<()> {
        Self::change(self.0.set_high_watermark(topic, partition, offset))
    }

    #[pyo3(signature = (*, topic, partition, offset))]
    fn set_last_stable_offset(&self, topic: &str, partition: i32, offset: Option<i64>) -> PyResult<()> {
        Self::change(self.0.set_last_stable_offset(topic, partition, offset))
    }

    #[pyo3(signature = (*, topic, partition, producer_id, first_offset, last_offset))]
    fn add_aborted(
        &self,
        topic: &str,
        partition: i32,
        producer_id: i64,
        first_offset: i64,
        last_offset: i64,
    ) -> PyResult<()> {
        Self::change(self.0.add_aborted(topic, partition, producer_id, first_offset, last_offset))
    }

    #[pyo3(signature = (*, topic, partition, node_id))]
    fn set_leader(&self, topic: &str, partition: i32, node_id: Option<i32>) -> PyResult<()> {
        Self::change(self.0.set_leader(topic, partition, node_id))
    }
}

#[pyclass(name = "Broker", frozen)]
struct PyBroker(Broker);

#[pymethods]
impl PyBroker {
    #[new]
    #[pyo3(signature = (*, store, cluster_id, node_id, listen, max_versions))]
    fn new(
        store: &PyMemoryStore,
        cluster_id: String,
        node_id: i32,
        listen: &str,
        max_versions: BTreeMap<i16, i16>,
    ) -> PyResult<Self> {
        let listen: SocketAddr =
            listen.parse().map_err(|_| invalid(format!("{listen:?} is no address and port")))?;
        let config = BrokerConfig { listen, cluster_id, node_id, max_versions, ..BrokerConfig::default() };
        let store: Arc<MemoryStore> = Arc::clone(&store.0);
        let broker = Broker::start(config, store)
            .map_err(|error| PyOSError::new_err(format!("cannot listen on {listen}: {error}")))?;
        Ok(Self(broker))
    }

    #[getter]
    fn port(&self) -> u16 {
        self.0.addr().port()
    }

    fn requests(&self) -> BTreeMap<i16, u64> {
        self.0.requests()
    }

    #[pyo3(signature = (*, peers))]
    fn set_peers(&self, peers: Vec<(i32, String, u16)>) {
        let peers = peers.into_iter().map(|(id, host, port)| Node { id, host, port }).collect();
        self.0.set_peers(peers);
    }

    #[pyo3(signature = (*, api_key, action, number = 0, data = None, topic = None, partition = None,
                        from_offset = None, skip = 0, times = None))]
    #[expect(clippy::too_many_arguments, reason = "a fault and what it is for, all by keyword")]
    fn add_fault(
        &self,
        api_key: i16,
        action: &str,
        number: i64,
        data: Option<Vec<u8>>,
        topic: Option<String>,
        partition: Option<i32>,
        from_offset: Option<i64>,
        skip: u32,
        times: Option<u32>,
    ) -> PyResult<usize> {
        let action = fault_action(action, number, data)?;
        let fault = Fault { api_key, topic, partition, from_offset, skip, times, action };
        Ok(self.0.add_fault(fault))
    }

    #[pyo3(signature = (*, fault))]
    fn fault_count(&self, fault: usize) -> u32 {
        self.0.fault_count(fault)
    }

    fn clear_faults(&self) {
        self.0.clear_faults();
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.0.stop());
    }
}

/// `number` and `data` mean what the action takes: an error code, milliseconds, bytes, an offset or a node id.
fn fault_action(name: &str, number: i64, data: Option<Vec<u8>>) -> PyResult<FaultAction> {
    let size = usize::try_from(number).unwrap_or(0);
    let milliseconds = Duration::from_millis(number.unsigned_abs());
    let data = data.unwrap_or_default();
    Ok(match name {
        "error_code" => FaultAction::ErrorCode(number as i16),
        "delay" => FaultAction::Delay(milliseconds),
        "throttle" => FaultAction::Throttle(number as i32),
        "close" => FaultAction::Close,
        "close_mid_response" => FaultAction::CloseMidResponse(size),
        "stall" => FaultAction::Stall,
        "empty" => FaultAction::Empty,
        "replace_records" => FaultAction::ReplaceRecords(data.into()),
        "flip_byte" => FaultAction::FlipByte { position_in_records: size, mask: 0x10 },
        "truncate_records" => FaultAction::TruncateRecords(size),
        "lie_high_watermark" => FaultAction::LieHighWatermark(number),
        "lie_log_start" => FaultAction::LieLogStart(number),
        "slow_bytes" => FaultAction::SlowBytes { chunk: size, pause: Duration::from_millis(2) },
        "garbage" => FaultAction::Garbage(data.into()),
        "wrong_correlation_id" => FaultAction::WrongCorrelationId,
        "move_leader" => FaultAction::MoveLeader(number as i32),
        other => return Err(invalid(format!("there is no fault {other:?}"))),
    })
}

type NewHeaders = Vec<(Vec<u8>, Option<Vec<u8>>)>;
type NewTuple = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, NewHeaders);

#[pyfunction]
#[pyo3(signature = (*, base_offset, records, codec = "none", leader_epoch = 0, producer_id = -1, transactional = false,
                    log_append_time = None, last_offset_delta = None))]
#[expect(clippy::too_many_arguments, reason = "the header of a batch, all by keyword")]
fn encode_batch<'py>(
    py: Python<'py>,
    base_offset: i64,
    records: Vec<NewTuple>,
    codec: &str,
    leader_epoch: i32,
    producer_id: i64,
    transactional: bool,
    log_append_time: Option<i64>,
    last_offset_delta: Option<i32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let known = Codec::ALL.into_iter().find(|known| known.name() == codec);
    let codec = known.ok_or_else(|| invalid(format!("there is no codec {codec:?}")))?;
    let mut builder = BatchBuilder::new(base_offset).codec(codec).leader_epoch(leader_epoch);
    if producer_id >= 0 {
        builder = builder.producer(producer_id, 0, 0);
    }
    if transactional {
        builder = builder.transactional();
    }
    if let Some(timestamp) = log_append_time {
        builder = builder.log_append_time(timestamp);
    }
    if let Some(delta) = last_offset_delta {
        builder = builder.last_offset_delta(delta);
    }
    for (offset, timestamp, key, value, headers) in &records {
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref())).collect();
        let record = NewRecord {
            offset: *offset,
            timestamp: *timestamp,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &headers,
        };
        builder.push(&record).map_err(invalid)?;
    }
    Ok(PyBytes::new(py, &builder.build().map_err(invalid)?))
}

#[pyfunction]
#[pyo3(signature = (*, offset, timestamp, producer_id, committed))]
fn encode_marker(
    py: Python<'_>,
    offset: i64,
    timestamp: i64,
    producer_id: i64,
    committed: bool,
) -> PyResult<Bound<'_, PyBytes>> {
    let kind = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
    let mut builder =
        BatchBuilder::new(offset).leader_epoch(0).producer(producer_id, 0, -1).transactional().control();
    builder.append(timestamp, Some(&kind.to_key()), Some(&[0; 6])).map_err(invalid)?;
    Ok(PyBytes::new(py, &builder.build().map_err(invalid)?))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyMemoryStore>()?;
    module.add_class::<PyBroker>()?;
    module.add_function(wrap_pyfunction!(encode_batch, module)?)?;
    module.add_function(wrap_pyfunction!(encode_marker, module)?)
}
