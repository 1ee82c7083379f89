//! What is in one or several log directories: roots, topics, partition directories, and what was set aside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::checkpoints::{read_epochs, read_topic_id};
use super::error::LogDirError;
use super::names::SetAsideKind;
use super::partition::PartitionLog;
use super::root::{Checkpoints, Found, look_at};
use crate::cancel::CancelToken;
use crate::rate::RateLimit;
use crate::serve::EpochStart;

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
    /// Directories that are no partition's, such as `lost+found`: a broker that finds one does not start.
    pub foreign: Vec<PathBuf>,
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
    /// Whether one of the log directories shows remote storage.
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

/// A partition, and its log once somebody has asked for it.
#[derive(Debug)]
struct Entry {
    dir: PartitionDir,
    checkpoint_epochs: Vec<EpochStart>,
    log: Mutex<Option<Arc<PartitionLog>>>,
}

type Topics = BTreeMap<String, BTreeMap<i32, Entry>>;

/// The log directories of one broker. Safe to share between threads.
#[derive(Debug)]
pub struct LogDirs {
    roots: Vec<Root>,
    topics: Topics,
    set_aside: Vec<SetAside>,
    rate: Option<Arc<RateLimit>>,
}

impl LogDirs {
    /// Looks at log directories: names, meta.properties and checkpoints, but no segment yet.
    ///
    /// All paths must carry the same `node.id`, and no partition may be in two of them.
    pub fn open(paths: &[PathBuf], rate: Option<Arc<RateLimit>>) -> Result<Self, LogDirError> {
        let mut found = Vec::new();
        for path in paths {
            found.push(look_at(path)?);
        }
        belong_together(&found)?;
        let tiered = found.iter().any(|one| one.root.tiered);
        let mut all = Self { roots: Vec::new(), topics: Topics::new(), set_aside: Vec::new(), rate };
        for (Found { root, checkpoints, partitions, set_aside }, number) in found.into_iter().zip(0..) {
            for name in partitions {
                let dir = partition_dir(&root, number, tiered, &checkpoints, name)?;
                all.add(dir)?;
            }
            all.set_aside.extend(set_aside);
            all.roots.push(root);
        }
        all.set_aside.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    fn add(&mut self, mut dir: PartitionDir) -> Result<(), LogDirError> {
        let checkpoint_epochs = match read_epochs(&dir.path.join("leader-epoch-checkpoint")) {
            Ok(epochs) => epochs,
            Err(problem) => {
                dir.problems.push(problem);
                Vec::new()
            }
        };
        let partitions = self.topics.entry(dir.topic.clone()).or_default();
        if let Some(other) = partitions.get(&dir.partition) {
            return Err(LogDirError::TwoCopies {
                topic: dir.topic,
                partition: dir.partition,
                first: other.dir.path.clone(),
                second: dir.path,
            });
        }
        partitions.insert(dir.partition, Entry { dir, checkpoint_epochs, log: Mutex::default() });
        Ok(())
    }

    /// The log directories, in the order given.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The names of the topics, ascending.
    pub fn topics(&self) -> Vec<&str> {
        self.topics.keys().map(String::as_str).collect()
    }

    /// The partition directories of a topic, ascending; empty when there is no such topic.
    pub fn partitions(&self, topic: &str) -> Vec<&PartitionDir> {
        self.topics.get(topic).map_or_else(Vec::new, |found| found.values().map(|entry| &entry.dir).collect())
    }

    /// Directories that a broker would delete, move on with, or leave alone, in the order of their paths.
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// The log of one partition. The first call scans it; later ones return the same.
    pub fn partition(
        &self,
        topic: &str,
        partition: i32,
        cancel: &CancelToken,
    ) -> Result<Arc<PartitionLog>, LogDirError> {
        let unknown = || LogDirError::UnknownPartition { topic: topic.to_owned(), partition };
        let entry = self.topics.get(topic).and_then(|found| found.get(&partition)).ok_or_else(unknown)?;
        // Whoever comes second waits for the first one's pass rather than making another.
        let mut log = entry.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = &*log {
            return Ok(Arc::clone(log));
        }
        let epochs = entry.checkpoint_epochs.clone();
        let scanned = Arc::new(PartitionLog::scan(entry.dir.clone(), epochs, self.rate.clone(), cancel)?);
        *log = Some(Arc::clone(&scanned));
        Ok(scanned)
    }
}

/// Several paths must be those of one broker.
fn belong_together(found: &[Found]) -> Result<(), LogDirError> {
    for (place, one) in found.iter().enumerate() {
        for other in &found[..place] {
            let (first, second) = (&other.root, &one.root);
            if (first.device, first.inode) == (second.device, second.inode) {
                let detail = format!("is the same directory as {}; name each one once", first.path.display());
                return Err(LogDirError::NotALogDir { path: second.path.clone(), detail });
            }
            let same_node = first.node_id.is_some() && first.node_id == second.node_id;
            if !same_node || first.cluster_id != second.cluster_id {
                return Err(LogDirError::DifferentNodes {
                    first: first.path.clone(),
                    first_node: node_of(first),
                    second: second.path.clone(),
                    second_node: node_of(second),
                });
            }
        }
    }
    Ok(())
}

fn node_of(root: &Root) -> String {
    let node = root.node_id.map_or("no node.id".to_owned(), |node| format!("node.id {node}"));
    match &root.cluster_id {
        Some(cluster) => format!("{node} of cluster {cluster:?}"),
        None => node,
    }
}

fn partition_dir(
    root: &Root,
    number: usize,
    tiered: bool,
    checkpoints: &Checkpoints,
    (path, topic, partition): (PathBuf, String, i32),
) -> Result<PartitionDir, LogDirError> {
    let (device, inode) = super::root::identity(&path)?;
    let mut problems = Vec::new();
    let topic_id = read_topic_id(&path.join("partition.metadata")).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let key = (topic, partition);
    let said = |offsets: &Option<super::checkpoints::Offsets>| offsets.as_ref()?.get(&key).copied();
    let (recovery_point, log_start_checkpoint) =
        (said(&checkpoints.recovery_point), said(&checkpoints.log_start));
    let (high_watermark_checkpoint, cleaner_checkpoint) =
        (said(&checkpoints.high_watermark), said(&checkpoints.cleaner));
    Ok(PartitionDir {
        topic: key.0,
        partition,
        path,
        root: number,
        clean_shutdown: root.clean_shutdown,
        tiered,
        topic_id,
        device,
        inode,
        recovery_point,
        recovery_point_known: checkpoints.recovery_point.is_some(),
        log_start_checkpoint,
        high_watermark_checkpoint,
        cleaner_checkpoint,
        problems,
    })
}

/// Whether a path is one that a broker would make for a partition, for a hint.
pub(super) fn looks_like_a_partition(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    matches!(super::names::DirectoryName::of(&name), super::names::DirectoryName::Partition { .. })
}
