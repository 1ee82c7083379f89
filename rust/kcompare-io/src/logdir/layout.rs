//! What is in one or several log directories: roots, topics, partition directories, and what was set aside.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::LogDirError;
use super::names::SetAsideKind;
use super::partition::PartitionLog;
use crate::cancel::CancelToken;
use crate::rate::RateLimit;

/// One log directory of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The path as given.
    pub path: PathBuf,
    /// `cluster.id` of meta.properties.
    pub cluster_id: Option<String>,
    /// `node.id` of meta.properties, or `broker.id` in an old one.
    pub node_id: Option<i32>,
    /// `directory.id` of meta.properties.
    pub directory_id: Option<String>,
    /// Whether `.kafka_cleanshutdown` is there: a broker would trust the segments and recover nothing.
    pub clean_shutdown: bool,
    /// Whether something shows that the broker keeps segments in remote storage (KIP-405).
    pub tiered: bool,
    /// The device that the directory is on.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Checkpoint files that could not be read. What they would have said counts as unknown.
    pub problems: Vec<LogDirError>,
}

/// The directory of one partition, with what the checkpoint files of its log directory say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDir {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The directory.
    pub path: PathBuf,
    /// The index of its log directory in [`LogDirs::roots`].
    pub root: usize,
    /// Whether its log directory carries the mark of a clean shutdown.
    pub clean_shutdown: bool,
    /// Whether its log directory shows remote storage.
    pub tiered: bool,
    /// `topic_id` of partition.metadata.
    pub topic_id: Option<[u8; 16]>,
    /// The device that the directory is on.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// From `recovery-point-offset-checkpoint`: everything below was flushed.
    pub recovery_point: Option<i64>,
    /// Whether that file could be read; if not, no damage can be called the end of the log.
    pub recovery_point_known: bool,
    /// From `log-start-offset-checkpoint`; brokers list a partition only where it differs from the first segment.
    pub log_start_checkpoint: Option<i64>,
    /// From `replication-offset-checkpoint`: seconds old, reported and never a bound.
    pub high_watermark_checkpoint: Option<i64>,
    /// From `cleaner-offset-checkpoint`: how far the log cleaner has come, which shows that the topic was compacted.
    pub cleaner_checkpoint: Option<i64>,
    /// partition.metadata or leader-epoch-checkpoint could not be read.
    pub problems: Vec<LogDirError>,
}

/// A partition directory that a broker would not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The directory.
    pub path: PathBuf,
    /// The topic; brokers cut long names off.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why.
    pub kind: SetAsideKind,
}

/// The log directories of one broker. Safe to share between threads.
#[derive(Debug)]
pub struct LogDirs {
    roots: Vec<Root>,
    rate: Option<Arc<RateLimit>>,
}

impl LogDirs {
    /// Looks at log directories: names, meta.properties and checkpoints, but no segment yet.
    ///
    /// All paths must carry the same `node.id`, and no partition may be in two of them.
    pub fn open(_paths: &[PathBuf], rate: Option<Arc<RateLimit>>) -> Result<Self, LogDirError> {
        Ok(Self { roots: Vec::new(), rate })
    }

    /// The log directories, in the order given.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The names of the topics, ascending.
    pub fn topics(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The partition directories of a topic, ascending; empty when there is no such topic.
    pub fn partitions(&self, _topic: &str) -> Vec<&PartitionDir> {
        Vec::new()
    }

    /// Directories that a broker would delete, move on with, or leave alone, in the order of their paths.
    pub fn set_aside(&self) -> &[SetAside] {
        &[]
    }

    /// The log of one partition. The first call scans it; later ones return the same.
    pub fn partition(
        &self,
        topic: &str,
        partition: i32,
        cancel: &CancelToken,
    ) -> Result<Arc<PartitionLog>, LogDirError> {
        let _ = (&self.rate, cancel);
        Err(LogDirError::UnknownPartition { topic: topic.to_owned(), partition })
    }
}
