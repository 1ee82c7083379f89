//! The names in a partition directory, and the first thing that a start does with them: temporary files go, swaps that a
//! compaction or a split had begun are completed (KAFKA-6264).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::offset_index::OffsetIndex;
use super::producers::Snapshots;
use super::segment::Segment;
use super::{DeletedFile, Halt, WhyDeleted};
use crate::logdir::LogDirError;

const SWAP: &str = ".swap";

/// The files of a directory by their names; a completed swap gives a file another name than it has on disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    by_name: BTreeMap<String, Stored>,
    /// Segments that a swap brings without an index: looking at them a broker makes one of zeros, which leads nowhere and
    /// counts as there.
    zero_indexes: BTreeSet<String>,
}

/// A file as it is on disk.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

/// The offset in a file's name, as Java reads it: what stands before the first dot.
pub(super) fn offset_in(name: &str) -> Option<i64> {
    name.split_once('.').and_then(|(number, _)| number.parse().ok())
}

fn offset_of(name: &str) -> Result<i64, Halt> {
    offset_in(name).ok_or_else(|| {
        Halt::Refused(format!("the name of {name} does not begin with an offset, and a broker ends over it"))
    })
}

impl Files {
    /// Lists a directory.
    pub(super) fn list(directory: &Path) -> Result<Self, LogDirError> {
        let failed = |error: std::io::Error| LogDirError::io(directory, &error);
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // As a broker does it, a link counts as what it leads to; a file that is gone by now was not there.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            if let (true, Some(name)) = (metadata.is_file(), name) {
                files.insert(name, Stored { path, size: metadata.len() });
            }
        }
        Ok(Self { by_name: files, zero_indexes: BTreeSet::new() })
    }

    /// All names, with sizes.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_name.iter().map(|(name, stored)| (name.as_str(), stored.size))
    }

    /// The `.log` files, with the sizes that they have on disk.
    pub(super) fn logs(&self) -> impl Iterator<Item = (&String, &Stored)> {
        self.by_name.iter().filter(|(name, _)| name.strip_suffix(".log").is_some())
    }

    /// Removes temporary files and completes swaps. Returns what would be deleted.
    pub(super) fn settle(&mut self) -> Result<Vec<DeletedFile>, Halt> {
        let mut deleted = Vec::new();
        self.remove(&mut deleted, WhyDeleted::Deleted, |name| {
            name.ends_with(".deleted") && !name.ends_with(".checkpoint.deleted")
        });
        let mut first_cleaned = i64::MAX;
        for name in self.by_name.keys().filter(|name| name.ends_with(".cleaned")) {
            first_cleaned = first_cleaned.min(offset_of(name)?);
        }
        for name in self.by_name.keys().filter(|name| name.ends_with(SWAP)) {
            offset_of(name)?;
        }
        self.remove(&mut deleted, WhyDeleted::UnfinishedSwap, |name| {
            name.ends_with(SWAP) && offset_in(name).is_some_and(|offset| offset >= first_cleaned)
        });
        self.remove(&mut deleted, WhyDeleted::Cleaned, |name| name.ends_with(".cleaned"));
        self.complete_swaps(&mut deleted)?;
        Ok(deleted)
    }

    fn remove(&mut self, deleted: &mut Vec<DeletedFile>, why: WhyDeleted, which: impl Fn(&str) -> bool) {
        self.by_name.retain(|name, stored| {
            let goes = which(name);
            if goes {
                deleted.push(DeletedFile { name: name.clone(), size: stored.size, why });
            }
            !goes
        });
    }

    fn complete_swaps(&mut self, deleted: &mut Vec<DeletedFile>) -> Result<(), Halt> {
        let (mut from, mut to) = (i64::MAX, i64::MIN);
        for name in self.by_name.keys().filter(|name| name.ends_with(".log.swap")) {
            let Some(segment) = self.segment(name, SWAP)? else { continue };
            from = from.min(segment.base_offset);
            to = to.max(segment.next_offset()?);
            if segment.index == OffsetIndex::Missing {
                self.zero_indexes.insert(name[..name.len() - SWAP.len()].to_owned());
            }
        }
        // Every file with an offset in its name goes, snapshots of producers too.
        self.remove(deleted, WhyDeleted::Replaced, |name| {
            !name.ends_with(SWAP) && offset_in(name).is_some_and(|offset| offset >= from && offset < to)
        });
        let swaps: Vec<String> = self.by_name.keys().filter(|name| name.ends_with(SWAP)).cloned().collect();
        for name in swaps {
            if let Some(stored) = self.by_name.remove(&name) {
                self.by_name.insert(name[..name.len() - SWAP.len()].to_owned(), stored);
            }
        }
        Ok(())
    }

    /// The segments, without the index files that belong to none.
    pub(super) fn segments(&self) -> Result<BTreeMap<i64, Segment>, Halt> {
        let mut segments = BTreeMap::new();
        for name in self.by_name.keys() {
            let is_index = [".index", ".timeindex", ".txnindex"].iter().any(|suffix| name.ends_with(suffix));
            if is_index {
                offset_of(name)?;
            }
            if let Some(segment) = self.segment(name, "")? {
                segments.insert(segment.base_offset, segment);
            }
        }
        Ok(segments)
    }

    fn segment(&self, name: &str, suffix: &str) -> Result<Option<Segment>, Halt> {
        let Some(stem) = name.strip_suffix(suffix).and_then(|name| name.strip_suffix(".log")) else {
            return Ok(None);
        };
        let base_offset = offset_of(name)?;
        let stored = &self.by_name[name];
        if stored.size > i32::MAX as u64 {
            return Err(Halt::Refused(format!(
                "{name} has {} bytes, and no broker opens more than 2 GiB",
                stored.size
            )));
        }
        let beside = |kind: &str| self.by_name.get(&format!("{stem}{kind}{suffix}"));
        Ok(Some(Segment {
            base_offset,
            path: stored.path.clone(),
            from: 0,
            length: stored.size,
            index: match beside(".index") {
                _ if self.zero_indexes.contains(name) => OffsetIndex::Built(Vec::new()),
                Some(file) => OffsetIndex::File(file.path.clone(), file.size),
                None => OffsetIndex::Missing,
            },
            transaction_index: beside(".txnindex").map(|file| file.path.clone()),
        }))
    }

    /// Index files without a segment.
    pub(super) fn orphans(&self) -> Vec<DeletedFile> {
        let of = |name: &str| {
            [".index", ".timeindex", ".txnindex"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .map(str::to_owned)
        };
        let lacks_log = |stem: String| !self.by_name.contains_key(&format!("{stem}.log"));
        let orphans = self.by_name.iter().filter(|(name, _)| of(name).is_some_and(lacks_log));
        orphans
            .map(|(name, stored)| DeletedFile {
                name: name.clone(),
                size: stored.size,
                why: WhyDeleted::Orphan,
            })
            .collect()
    }

    /// The snapshots of the producers' state.
    pub(super) fn snapshots(&self) -> Snapshots {
        let snapshots = self.by_name.iter().filter(|(name, _)| name.ends_with(".snapshot"));
        Snapshots(
            snapshots
                .filter_map(|(name, stored)| Some((offset_in(name)?, Some(stored.path.clone()))))
                .collect(),
        )
    }
}
