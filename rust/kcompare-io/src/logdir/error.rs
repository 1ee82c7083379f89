//! What can be wrong with a log directory, each as one sentence.

use std::io;
use std::path::{Path, PathBuf};

use crate::cancel::Cancelled;

/// A log directory that cannot be used, or a part of it that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogDirError {
    /// The path is no log directory: empty, missing, of another system, a partition's own directory.
    #[error("{} {detail}", .path.display())]
    NotALogDir {
        /// The path as given.
        path: PathBuf,
        /// What it is instead, and what to do.
        detail: String,
    },
    /// Two paths of one view belong to different brokers.
    #[error(
        "{} carries {first_node} in its meta.properties and {} carries {second_node}; name the log directories of one \
         broker",
        .first.display(),
        .second.display()
    )]
    DifferentNodes {
        /// A path.
        first: PathBuf,
        /// Its node id, in words.
        first_node: String,
        /// Another path.
        second: PathBuf,
        /// Its node id, in words.
        second_node: String,
    },
    /// The same partition in two log directories, and neither is a future replica.
    #[error(
        "partition {partition} of topic {topic:?} is in {} and in {}; a broker would not start on them, leave one out",
        .first.display(),
        .second.display()
    )]
    TwoCopies {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// One directory.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// No such topic or partition.
    #[error("there is no partition {partition} of topic {topic:?} in these log directories")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// A text file of a broker that says something it cannot say.
    #[error("{} {detail}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        detail: String,
    },
    /// The operating system refuses.
    #[error("{} cannot be read: {detail}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The class of the error.
        kind: io::ErrorKind,
        /// The operating system's words.
        detail: String,
    },
    /// The cancel token was set.
    #[error("the work was cancelled")]
    Cancelled,
}

impl LogDirError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io { path: path.to_owned(), kind: error.kind(), detail: error.to_string() }
    }

    pub(super) fn malformed(path: &Path, detail: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), detail: detail.into() }
    }
}

impl From<Cancelled> for LogDirError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
