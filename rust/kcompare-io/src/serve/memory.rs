//! Logs that are held in memory, for tests, the demonstration and anything else that has no broker.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::memory_log::MemoryLog;
use super::store::{ConfigEntry, EpochStart, LogStore, StoreError, StoredPartition, StoredTopic, TopicId};

/// What a topic has that sets nothing itself; a reader that asks for configurations finds at least these.
const DEFAULT_CONFIGS: [(&str, &str); 5] = [
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("message.timestamp.type", "CreateTime"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
];

/// Topics in memory. Everything can be changed while brokers serve it.
#[derive(Default)]
pub struct MemoryStore {
    topics: RwLock<BTreeMap<String, Arc<MemoryTopic>>>,
}

/// One incarnation of a topic in memory.
struct MemoryTopic {
    name: String,
    id: TopicId,
    configs: BTreeMap<String, String>,
    partitions: Vec<Arc<MemoryLog>>,
}

impl MemoryTopic {
    fn new(name: &str, id: TopicId, partitions: usize, configs: BTreeMap<String, String>) -> Arc<Self> {
        let partitions = (0..partitions).map(|_| Arc::new(MemoryLog::default())).collect();
        Arc::new(Self { name: name.to_owned(), id, configs, partitions })
    }

    fn log(&self, partition: i32) -> Option<&Arc<MemoryLog>> {
        usize::try_from(partition).ok().and_then(|index| self.partitions.get(index))
    }
}

impl MemoryStore {
    /// A store without topics.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty topic with the partitions `0..partitions`.
    pub fn create_topic(
        &self,
        name: &str,
        id: TopicId,
        partitions: usize,
        configs: BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if topics.contains_key(name) {
            return Err(StoreError::TopicExists { topic: name.to_owned() });
        }
        topics.insert(name.to_owned(), MemoryTopic::new(name, id, partitions, configs));
        Ok(())
    }

    /// Deletes a topic, and tells whether it was there.
    pub fn delete_topic(&self, name: &str) -> bool {
        self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    /// Deletes a topic and creates it again, empty, with the same partitions and configuration and another id.
    pub fn recreate_topic(&self, name: &str, new_id: TopicId) -> Result<(), StoreError> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let Some(topic) = topics.get_mut(name) else {
            return Err(StoreError::UnknownPartition { topic: name.to_owned(), partition: 0 });
        };
        *topic = MemoryTopic::new(name, new_id, topic.partitions.len(), topic.configs.clone());
        Ok(())
    }

    /// Appends whole batches (or legacy messages). Only their frames are looked at: records may be damaged, offsets
    /// may have gaps, but no batch may start below the end of the log. Batches of one call can be served without a
    /// copy.
    pub fn append(&self, topic: &str, partition: i32, batches: impl Into<Bytes>) -> Result<(), StoreError> {
        self.log(topic, partition)?.append(batches.into())
    }

    /// Appends bytes that are served as one batch from the end of the log to `next_offset`, whatever they are.
    pub fn append_unchecked(
        &self,
        topic: &str,
        partition: i32,
        bytes: impl Into<Bytes>,
        next_offset: i64,
    ) -> Result<(), StoreError> {
        self.log(topic, partition)?.append_unchecked(bytes.into(), next_offset)
    }

    /// Moves the log start offset, as retention and `DeleteRecords` do, and drops the batches that end before it.
    pub fn set_log_start_offset(&self, topic: &str, partition: i32, offset: i64) -> Result<(), StoreError> {
        self.log(topic, partition)?.set_log_start_offset(offset);
        Ok(())
    }

    /// Fixes the high watermark; `None` lets it follow the end of the log again.
    pub fn set_high_watermark(
        &self,
        topic: &str,
        partition: i32,
        offset: Option<i64>,
    ) -> Result<(), StoreError> {
        self.log(topic, partition)?.set_high_watermark(offset);
        Ok(())
    }

    /// Fixes the last stable offset; `None` lets it follow the high watermark again.
    pub fn set_last_stable_offset(
        &self,
        topic: &str,
        partition: i32,
        offset: Option<i64>,
    ) -> Result<(), StoreError> {
        self.log(topic, partition)?.set_last_stable_offset(offset);
        Ok(())
    }

    /// Notes that the records of `producer_id` from `first_offset` to its abort marker at `last_offset` are aborted.
    pub fn add_aborted(
        &self,
        topic: &str,
        partition: i32,
        producer_id: i64,
        first_offset: i64,
        last_offset: i64,
    ) -> Result<(), StoreError> {
        self.log(topic, partition)?.add_aborted(producer_id, first_offset, last_offset);
        Ok(())
    }

    /// Replaces the leader epochs, which otherwise follow the batches that are appended.
    pub fn set_leader_epochs(
        &self,
        topic: &str,
        partition: i32,
        epochs: Vec<EpochStart>,
    ) -> Result<(), StoreError> {
        self.log(topic, partition)?.set_leader_epochs(epochs);
        Ok(())
    }

    /// Names the node that leads a partition; `None` is whichever broker is asked.
    pub fn set_leader(&self, topic: &str, partition: i32, node_id: Option<i32>) -> Result<(), StoreError> {
        self.log(topic, partition)?.set_leader(node_id);
        Ok(())
    }

    fn topic(&self, name: &str) -> Option<Arc<MemoryTopic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn log(&self, topic: &str, partition: i32) -> Result<Arc<MemoryLog>, StoreError> {
        self.topic(topic)
            .and_then(|found| found.log(partition).cloned())
            .ok_or_else(|| StoreError::UnknownPartition { topic: topic.to_owned(), partition })
    }
}

impl LogStore for MemoryStore {
    fn topics(&self) -> Vec<Arc<dyn StoredTopic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.values().map(|topic| Arc::clone(topic) as Arc<dyn StoredTopic>).collect()
    }

    fn topic_by_name(&self, name: &str) -> Option<Arc<dyn StoredTopic>> {
        self.topic(name).map(|topic| topic as Arc<dyn StoredTopic>)
    }

    fn topic_by_id(&self, id: TopicId) -> Option<Arc<dyn StoredTopic>> {
        // The zero id is what a topic without an id carries; it names nothing.
        if id == TopicId::ZERO {
            return None;
        }
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.values().find(|topic| topic.id == id).map(|topic| Arc::clone(topic) as Arc<dyn StoredTopic>)
    }

    fn move_leader(&self, topic: &str, partition: i32, node_id: i32) {
        if let Ok(log) = self.log(topic, partition) {
            log.move_leader(node_id);
        }
    }
}

impl StoredTopic for MemoryTopic {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> TopicId {
        self.id
    }

    fn partition_ids(&self) -> Vec<i32> {
        (0..self.partitions.len() as i32).collect()
    }

    fn partition(&self, partition: i32) -> Option<Arc<dyn StoredPartition>> {
        self.log(partition).map(|log| Arc::clone(log) as Arc<dyn StoredPartition>)
    }

    fn configs(&self) -> Vec<ConfigEntry> {
        let mut entries: BTreeMap<&str, (&str, bool)> =
            DEFAULT_CONFIGS.iter().map(|&(name, value)| (name, (value, true))).collect();
        entries.extend(self.configs.iter().map(|(name, value)| (name.as_str(), (value.as_str(), false))));
        entries
            .into_iter()
            .map(|(name, (value, is_default))| ConfigEntry {
                name: name.to_owned(),
                value: value.to_owned(),
                is_default,
            })
            .collect()
    }
}
