//! One log directory: what it is, and what is in it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::checkpoints::{Meta, Offsets, read_meta, read_offsets};
use super::error::LogDirError;
use super::layout::{Root, SetAside, looks_like_a_partition};
use super::names::{DirectoryName, ends_a_broker, segment_name};

const META: &str = "meta.properties";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const REMOTE_CACHE: &str = "remote-log-index-cache";
const REMOTE_METADATA: &str = "__remote_log_metadata";
const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";
/// Directories that Redpanda makes and Kafka does not.
const REDPANDA: [&str; 3] = ["redpanda", "kafka_internal", "pid.lock"];

/// Offsets by partition of each checkpoint file; `None` where there is no such file, or no such file that can be read.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    pub(super) recovery_point: Option<Offsets>,
    pub(super) log_start: Option<Offsets>,
    pub(super) high_watermark: Option<Offsets>,
    pub(super) cleaner: Option<Offsets>,
}

/// A log directory that was looked at.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) root: Root,
    pub(super) checkpoints: Checkpoints,
    /// Path, topic and partition of each partition directory.
    pub(super) partitions: Vec<(PathBuf, String, i32)>,
    pub(super) set_aside: Vec<SetAside>,
}

/// The names in a directory, sorted into what they mean.
#[derive(Debug, Default)]
struct Names {
    /// Every name, for hints.
    all: Vec<String>,
    partitions: Vec<(PathBuf, String, i32)>,
    set_aside: Vec<SetAside>,
    /// Directories that mean nothing.
    others: Vec<PathBuf>,
    /// Directories over which a broker ends.
    foreign: Vec<PathBuf>,
}

impl Names {
    fn has(&self, name: &str) -> bool {
        self.all.iter().any(|one| one == name)
    }
}

/// Device and inode of a path.
pub(super) fn identity(path: &Path) -> Result<(u64, u64), LogDirError> {
    let metadata = fs::metadata(path).map_err(|error| LogDirError::io(path, &error))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Looks at a log directory, and refuses what is none.
pub(super) fn look_at(path: &Path) -> Result<Found, LogDirError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(refuse(path, "does not exist; name a log directory of a broker (log.dirs)"));
        }
        found => found.map_err(|error| LogDirError::io(path, &error))?,
    };
    if !metadata.is_dir() {
        return Err(refuse(path, "is no directory; name a log directory of a broker (log.dirs)"));
    }
    let names = list(path)?;
    recognise(path, &names)?;
    let mut problems = Vec::new();
    let meta = read_meta(&path.join(META)).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let Meta { cluster_id, node_id, directory_id } = meta.unwrap_or_default();
    let checkpoints = read_checkpoints(path, &mut problems);
    let mut foreign = names.foreign.clone();
    foreign.sort();
    let root = Root {
        path: path.to_owned(),
        cluster_id,
        node_id,
        directory_id,
        clean_shutdown: names.has(CLEAN_SHUTDOWN),
        tiered: names.has(REMOTE_CACHE)
            || names.partitions.iter().any(|(_, topic, _)| topic == REMOTE_METADATA),
        device: metadata.dev(),
        inode: metadata.ino(),
        problems,
        foreign,
    };
    let Names { mut partitions, set_aside, .. } = names;
    partitions.sort();
    Ok(Found { root, checkpoints, partitions, set_aside })
}

fn refuse(path: &Path, detail: impl Into<String>) -> LogDirError {
    LogDirError::NotALogDir { path: path.to_owned(), detail: detail.into() }
}

fn read_checkpoints(path: &Path, problems: &mut Vec<LogDirError>) -> Checkpoints {
    let mut read = |name: &str| {
        read_offsets(&path.join(name)).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    };
    let found = Checkpoints {
        recovery_point: read(RECOVERY_POINT),
        log_start: read("log-start-offset-checkpoint"),
        high_watermark: read("replication-offset-checkpoint"),
        cleaner: read("cleaner-offset-checkpoint"),
    };
    let is_told = problems.iter().any(|problem| problem.to_string().contains(RECOVERY_POINT));
    if found.recovery_point.is_none() && !is_told {
        let detail =
            "is not there, so that no damage can be told from the end of a log; every broker writes one";
        problems.push(LogDirError::malformed(&path.join(RECOVERY_POINT), detail));
    }
    found
}

fn list(directory: &Path) -> Result<Names, LogDirError> {
    let failed = |error: std::io::Error| LogDirError::io(directory, &error);
    let mut names = Names::default();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // A broker's own names are ASCII; others mean nothing here.
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = DirectoryName::of(&name);
        let is_directory = match fs::metadata(&path) {
            Ok(metadata) => metadata.is_dir(),
            // Gone since it was listed, or a link that leads nowhere: a partition must not vanish in silence.
            Err(error) if kind != DirectoryName::Other => return Err(LogDirError::io(&path, &error)),
            Err(_) => false,
        };
        if is_directory && ends_a_broker(&name) {
            names.foreign.push(path.clone());
        }
        names.all.push(name);
        match kind {
            _ if !is_directory => {}
            DirectoryName::Partition { topic, partition } => names.partitions.push((path, topic, partition)),
            DirectoryName::SetAside { topic, partition, kind } => {
                names.set_aside.push(SetAside { path, topic, partition, kind });
            }
            DirectoryName::Other => names.others.push(path),
        }
    }
    Ok(names)
}

/// Refuses a directory that is no log directory of Kafka, with a hint what it is instead.
fn recognise(path: &Path, names: &Names) -> Result<(), LogDirError> {
    if names.all.is_empty() {
        return Err(refuse(path, "is empty; name a log directory of a broker (log.dirs)"));
    }
    let has_segments = names.all.iter().any(|name| segment_name(name).is_some());
    if has_segments || (looks_like_a_partition(path) && names.has("leader-epoch-checkpoint")) {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".."));
        return Err(refuse(
            path,
            format!(
                "is the directory of one partition; name the log directory around it, {}",
                above.display()
            ),
        ));
    }
    if REDPANDA.iter().filter(|name| names.has(name)).count() >= 2 {
        return Err(refuse(
            path,
            "is a data directory of Redpanda, whose files have another format; compare the cluster by its brokers",
        ));
    }
    if names.has(META) || !names.partitions.is_empty() {
        return Ok(());
    }
    let inside = names.others.iter().filter(|other| other.join(META).is_file()).min();
    Err(refuse(
        path,
        match inside {
            Some(inside) => format!("is no log directory, but {} in it is one; name that", inside.display()),
            None => {
                "is no log directory of Kafka: it holds neither meta.properties nor a partition".to_owned()
            }
        },
    ))
}
