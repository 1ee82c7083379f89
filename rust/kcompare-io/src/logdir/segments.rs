//! The segments of a partition directory, after the start-up rules of a broker, applied to the list of files only.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::LogDirError;
use super::file::SegmentFile;
use super::names::{SegmentSuffix, offset_name, segment_name};
use super::window::{Seen, Window};
use crate::cancel::CancelToken;

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

impl Segment {
    /// Its file name, for sentences.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
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

impl WhyIgnored {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Cleaned => "cleaned",
            Self::UnfinishedSwap => "unfinished_swap",
            Self::Replaced => "replaced",
        }
    }
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

/// What was seen of a directory before the rules are applied.
#[derive(Debug, Default)]
struct Listed {
    logs: Vec<(Segment, SegmentSuffix)>,
    /// The lowest offset in the name of a `.cleaned` file of any kind.
    first_cleaned: Option<i64>,
}

impl SegmentList {
    /// Lists a partition directory.
    pub fn of(directory: &Path) -> Result<Self, LogDirError> {
        let Listed { logs, first_cleaned } = list(directory)?;
        let mut found = Self::default();
        let mut swaps = Vec::new();
        for (segment, suffix) in logs {
            let unfinished = first_cleaned.is_some_and(|cleaned| segment.base_offset >= cleaned);
            match suffix {
                SegmentSuffix::None => found.segments.push(segment),
                SegmentSuffix::Swap if unfinished => found.ignore(segment, WhyIgnored::UnfinishedSwap),
                SegmentSuffix::Swap => swaps.push(segment),
                SegmentSuffix::Cleaned => found.ignore(segment, WhyIgnored::Cleaned),
                SegmentSuffix::Deleted => found.ignore(segment, WhyIgnored::Deleted),
            }
        }
        found.complete(swaps)?;
        found.segments.sort_by_key(|segment| segment.base_offset);
        found.ignored.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn ignore(&mut self, segment: Segment, why: WhyIgnored) {
        let Segment { base_offset, path, size, .. } = segment;
        self.ignored.push(IgnoredFile { path, base_offset, size, why });
    }

    /// Puts swap files in the place of the segments whose offsets they span.
    fn complete(&mut self, swaps: Vec<Segment>) -> Result<(), LogDirError> {
        let (mut from, mut to) = (i64::MAX, i64::MIN);
        for swap in &swaps {
            from = from.min(swap.base_offset);
            to = to.max(next_offset(swap)?);
        }
        for segment in std::mem::take(&mut self.segments) {
            // A segment of the same name goes in any case: the swap file gets that name.
            let renamed_over = swaps.iter().any(|swap| swap.base_offset == segment.base_offset);
            if renamed_over || (segment.base_offset >= from && segment.base_offset < to) {
                self.ignore(segment, WhyIgnored::Replaced);
            } else {
                self.segments.push(segment);
            }
        }
        self.segments.extend(swaps);
        Ok(())
    }
}

fn list(directory: &Path) -> Result<Listed, LogDirError> {
    let failed = |error: std::io::Error| LogDirError::io(directory, &error);
    let mut listed = Listed::default();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if let Some((offset, suffix)) = offset_name(&name)
            && suffix.ends_with(".cleaned")
        {
            listed.first_cleaned = Some(listed.first_cleaned.map_or(offset, |first| first.min(offset)));
        }
        let Some((base_offset, suffix)) = segment_name(&name) else { continue };
        let path = entry.path();
        let metadata = match fs::metadata(&path) {
            // What is being deleted is no part of the log, whether or not it is still there.
            Err(error) if error.kind() == ErrorKind::NotFound && suffix == SegmentSuffix::Deleted => continue,
            found => found.map_err(|error| LogDirError::io(&path, &error))?,
        };
        if !metadata.is_file() {
            return Err(LogDirError::malformed(&path, "has the name of a segment and is no file"));
        }
        let (size, device, inode) = (metadata.len(), metadata.dev(), metadata.ino());
        listed.logs.push((Segment { base_offset, path, size, device, inode }, suffix));
    }
    Ok(listed)
}

/// Where the log goes on behind a segment, by its headers up to the first damage.
fn next_offset(segment: &Segment) -> Result<i64, LogDirError> {
    let cancel = CancelToken::new();
    let mut window = Window::new(SegmentFile::open(segment, None, &cancel)?);
    let (mut position, mut next) = (0, segment.base_offset);
    while let Seen::Batch(frame) = window.look(position)? {
        if frame.header.next_offset() <= next {
            break;
        }
        next = frame.header.next_offset();
        position += frame.size as u64;
    }
    Ok(next)
}
