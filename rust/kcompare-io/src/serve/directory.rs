//! Topics in log directories: what is on disk, for a broker to serve.
//!
//! A log is served from where it starts to where it ends by the rules for log directories. Between them offsets may be
//! lost: a segment is gone, or bytes are no batches any more. A fetch at such an offset is an error that clients show
//! (`CORRUPT_MESSAGE`), never the next batch behind it: Kafka's own broker passes over what is missing, and no consumer
//! notices.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;

use kcompare_core::records::AbortedTransaction;

use super::open_files::{OpenFiles, SegmentReader};
use super::piece::Piece;
use super::store::{
    Bounds, ConfigEntry, EpochStart, LogStore, StoreError, StoredBatches, StoredPartition, StoredTopic,
    TimestampOffset, TopicId,
};
use crate::cancel::CancelToken;
use crate::logdir::{LogDirError, LogDirs, PartitionLog};

/// Topics of log directories. Nothing of them changes while they are served.
#[derive(Debug)]
pub struct DirectoryStore {
    topics: BTreeMap<String, Arc<DirectoryTopic>>,
}

#[derive(Debug)]
struct DirectoryTopic {
    name: String,
    id: TopicId,
    partitions: BTreeMap<i32, Arc<DirectoryPartition>>,
    configs: Vec<ConfigEntry>,
}

#[derive(Debug)]
struct DirectoryPartition {
    log: Arc<PartitionLog>,
    segments: Vec<Arc<SegmentReader>>,
    cancel: CancelToken,
}

impl DirectoryStore {
    /// Scans every partition of the topics named.
    ///
    /// A partition that cannot be scanned at all is an error: a topic without it would look complete to a consumer. The
    /// token ends the scans, and later every search by timestamp.
    pub fn open(dirs: &LogDirs, topics: &[String], cancel: &CancelToken) -> Result<Self, LogDirError> {
        let files = Arc::new(OpenFiles::default());
        // Every broker writes this file, if only to say that nothing was compacted; without it that is not known.
        let cleaner_is_known = dirs.roots().iter().all(|root| {
            fs::metadata(root.path.join("cleaner-offset-checkpoint")).is_ok_and(|metadata| metadata.len() > 0)
        });
        let mut found = BTreeMap::new();
        for name in topics {
            let mut partitions = BTreeMap::new();
            let (mut id, mut compacted) = (TopicId::ZERO, false);
            for dir in dirs.partitions(name) {
                let log = dirs.partition(name, dir.partition, cancel)?;
                id = dir.topic_id.map_or(id, TopicId);
                compacted |= dir.cleaner_checkpoint.is_some();
                let reader = |segment| Arc::new(SegmentReader::new(segment, &files));
                let segments = log.segments().iter().map(reader).collect();
                partitions.insert(
                    dir.partition,
                    Arc::new(DirectoryPartition { log, segments, cancel: cancel.clone() }),
                );
            }
            let policy = if compacted { "compact" } else { "delete" };
            let configs = if compacted || cleaner_is_known {
                let (name, value) = ("cleanup.policy".to_owned(), policy.to_owned());
                vec![ConfigEntry { name, value, is_default: !compacted }]
            } else {
                Vec::new()
            };
            let topic = DirectoryTopic { name: name.clone(), id, partitions, configs };
            found.insert(name.clone(), Arc::new(topic));
        }
        Ok(Self { topics: found })
    }
}

impl LogStore for DirectoryStore {
    fn topics(&self) -> Vec<Arc<dyn StoredTopic>> {
        self.topics.values().map(|topic| Arc::clone(topic) as Arc<dyn StoredTopic>).collect()
    }

    fn topic_by_name(&self, name: &str) -> Option<Arc<dyn StoredTopic>> {
        self.topics.get(name).map(|topic| Arc::clone(topic) as Arc<dyn StoredTopic>)
    }

    fn topic_by_id(&self, id: TopicId) -> Option<Arc<dyn StoredTopic>> {
        let found = self.topics.values().find(|topic| topic.id == id && id != TopicId::ZERO);
        found.map(|topic| Arc::clone(topic) as Arc<dyn StoredTopic>)
    }
}

impl StoredTopic for DirectoryTopic {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> TopicId {
        self.id
    }

    fn partition_ids(&self) -> Vec<i32> {
        self.partitions.keys().copied().collect()
    }

    fn partition(&self, partition: i32) -> Option<Arc<dyn StoredPartition>> {
        self.partitions.get(&partition).map(|found| Arc::clone(found) as Arc<dyn StoredPartition>)
    }

    fn configs(&self) -> Vec<ConfigEntry> {
        self.configs.clone()
    }
}

/// What a log cannot answer: its files cannot be read, or they do not hold the answer.
fn store_error(offset: i64, error: LogDirError) -> StoreError {
    match error {
        LogDirError::Io { kind, .. } => StoreError::Io(io::Error::new(kind, error.to_string())),
        error => StoreError::Unreadable { offset, detail: error.to_string() },
    }
}

impl StoredPartition for DirectoryPartition {
    fn bounds(&self) -> Bounds {
        let bounds = self.log.bounds();
        Bounds {
            log_start_offset: bounds.log_start_offset,
            last_stable_offset: bounds.last_stable_offset,
            high_watermark: bounds.log_end_offset,
            log_end_offset: bounds.log_end_offset,
        }
    }

    fn leader(&self) -> Option<i32> {
        None
    }

    fn leader_epoch(&self) -> i32 {
        self.log.bounds().leader_epoch
    }

    fn leader_epochs(&self) -> Vec<EpochStart> {
        self.log.leader_epochs().to_vec()
    }

    fn certain_until(&self, offset: i64) -> i64 {
        self.log.certain_until(offset)
    }

    fn aborted_transactions(&self, start: i64, stop: i64) -> Vec<AbortedTransaction> {
        self.log.aborted_transactions(start, stop)
    }

    fn read(&self, offset: i64, stop: i64, max_bytes: usize) -> Result<StoredBatches, StoreError> {
        let Bounds { log_start_offset, log_end_offset, .. } = self.bounds();
        if offset < log_start_offset || offset > log_end_offset {
            return Err(StoreError::OutOfRange { offset, log_start_offset, log_end_offset });
        }
        if let Some(lost) = self.log.lost_at(offset, stop) {
            return Err(StoreError::Unreadable { offset, detail: lost.detail.clone() });
        }
        let extent =
            self.log.stored_extent(offset, stop, max_bytes).map_err(|error| store_error(offset, error))?;
        let Some(extent) = extent else {
            return Ok(StoredBatches { records: Piece::default(), next_offset: offset });
        };
        let file = Arc::clone(&self.segments[extent.segment]);
        let records = Piece::Stored { file, position: extent.position, length: extent.length };
        Ok(StoredBatches { records, next_offset: extent.next_offset })
    }

    fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, StoreError> {
        let start = self.log.bounds().log_start_offset;
        let found = self.log.offset_for_timestamp(timestamp, &self.cancel);
        found.map_err(|error| store_error(start, error))
    }

    fn max_timestamp(&self) -> Result<Option<TimestampOffset>, StoreError> {
        let start = self.log.bounds().log_start_offset;
        self.log.max_timestamp(&self.cancel).map_err(|error| store_error(start, error))
    }
}
