//! An offset index as a broker reads it: believed without a check (KAFKA-7283), whatever it says.
//!
//! A start that does not recover a segment finds the end of the log through this file, so what it says decides.

use std::path::PathBuf;

use super::pages::Pages;
use crate::logdir::LogDirError;

/// Bytes of an entry: relative offset and position, four each.
const ENTRY: usize = 8;
/// A broker searches the last 8 KiB of an index first.
const WARM: u64 = 8192 / ENTRY as u64;
const PIECE: usize = 4096;

/// Where the entries of an index are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OffsetIndex {
    /// There is no file.
    Missing,
    /// A file of so many bytes, taken as it is.
    File(PathBuf, u64),
    /// What a recovery, or a split, writes anew: relative offsets and positions.
    Built(Vec<(i32, i32)>),
}

/// An entry: an offset, and the position of the batch that ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The offset.
    pub(super) offset: i64,
    /// The position as stored, which may be negative in garbage.
    pub(super) position: i32,
}

impl OffsetIndex {
    /// Starts to read the entries of the segment with this base offset.
    pub(super) fn open(&self, base_offset: i64) -> Result<Reader<'_>, LogDirError> {
        let entries = match self {
            Self::Missing => Entries::Built(&[]),
            Self::Built(entries) => Entries::Built(entries),
            Self::File(path, size) => Entries::File(Pages::open(path, 0, PIECE)?, size / ENTRY as u64),
        };
        Ok(Reader { base_offset, entries })
    }
}

/// An index being read.
pub(super) struct Reader<'a> {
    base_offset: i64,
    entries: Entries<'a>,
}

enum Entries<'a> {
    Built(&'a [(i32, i32)]),
    File(Pages, u64),
}

impl Reader<'_> {
    fn count(&self) -> u64 {
        match &self.entries {
            Entries::Built(entries) => entries.len() as u64,
            Entries::File(_, count) => *count,
        }
    }

    fn entry(&mut self, slot: u64) -> Result<Entry, LogDirError> {
        let (relative, position) = match &mut self.entries {
            Entries::Built(entries) => entries[slot as usize],
            // A file that shrank under the reader counts as the zeros that brokers preallocate.
            Entries::File(pages, _) => match pages.bytes(slot * ENTRY as u64, ENTRY)? {
                Some(bytes) => {
                    let number = |at: usize| {
                        i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
                    };
                    (number(0), number(4))
                }
                None => (0, 0),
            },
        };
        Ok(Entry { offset: self.base_offset.wrapping_add(i64::from(relative)), position })
    }

    /// An entry, in their order; `None` behind the last one, and where the zeros of a preallocated file begin.
    pub(super) fn written(&mut self, slot: u64) -> Result<Option<Entry>, LogDirError> {
        if slot >= self.count() {
            return Ok(None);
        }
        let entry = self.entry(slot)?;
        Ok(Some(entry).filter(|entry| entry.position != 0 || entry.offset != self.base_offset))
    }

    /// The offset of the last entry, or the base offset.
    pub(super) fn last_offset(&mut self) -> Result<i64, LogDirError> {
        match self.count() {
            0 => Ok(self.base_offset),
            count => Ok(self.entry(count - 1)?.offset),
        }
    }

    /// The position from which to look for an offset: that of the last entry at or below it, as a broker's search finds
    /// it, which in an index out of order may be any.
    pub(super) fn lookup(&mut self, target: i64) -> Result<u64, LogDirError> {
        let count = self.count();
        if count == 0 {
            return Ok(0);
        }
        let first_warm = (count - 1).saturating_sub(WARM);
        let (low, high) = if self.entry(first_warm)?.offset < target {
            (first_warm, count - 1)
        } else if self.entry(0)?.offset > target {
            return Ok(0);
        } else {
            (0, first_warm)
        };
        let slot = self.search(target, low, high)?;
        // A broker takes the larger of the position and 0.
        Ok(self.entry(slot)?.position.max(0) as u64)
    }

    fn search(&mut self, target: i64, mut low: u64, mut high: u64) -> Result<u64, LogDirError> {
        while low < high {
            let middle = (low + high).div_ceil(2);
            match self.entry(middle)?.offset.cmp(&target) {
                std::cmp::Ordering::Greater => high = middle - 1,
                std::cmp::Ordering::Less => low = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(entries: &[(i32, i32)]) -> OffsetIndex {
        OffsetIndex::Built(entries.to_vec())
    }

    #[test]
    fn the_largest_entry_at_or_below_is_found() {
        let index = built(&[(9, 100), (19, 200), (29, 300)]);
        let mut reader = index.open(1000).unwrap();
        assert_eq!(reader.last_offset().unwrap(), 1029);
        for (target, position) in [(999, 0), (1008, 0), (1009, 100), (1028, 200), (1029, 300), (5000, 300)] {
            assert_eq!(reader.lookup(target).unwrap(), position, "{target}");
        }
    }

    #[test]
    fn no_entry_and_a_negative_position_mean_the_beginning() {
        assert_eq!(built(&[]).open(7).unwrap().last_offset().unwrap(), 7);
        assert_eq!(OffsetIndex::Missing.open(7).unwrap().lookup(9).unwrap(), 0);
        assert_eq!(built(&[(0, -5)]).open(7).unwrap().lookup(9).unwrap(), 0);
    }

    #[test]
    fn the_zeros_of_a_preallocated_file_lead_to_the_beginning() {
        let file = std::env::temp_dir().join(format!("kcompare-index-{}", std::process::id()));
        std::fs::write(&file, vec![0; 20_001]).unwrap();
        let index = OffsetIndex::File(file.clone(), 20_001);
        let mut reader = index.open(40).unwrap();
        assert_eq!((reader.last_offset().unwrap(), reader.lookup(40).unwrap()), (40, 0));
        std::fs::remove_file(file).unwrap();
    }
}
