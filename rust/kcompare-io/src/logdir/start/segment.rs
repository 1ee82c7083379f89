//! A segment as the start has it in memory: how much of its file it takes for the log, and where its index leads.

use std::path::PathBuf;

use super::Halt;
use super::batches::{Front, Step, first_offset, header, step};
use super::offset_index::OffsetIndex;
use super::pages::Pages;

/// Headers are read in pieces of this size.
pub(super) const HEADERS: usize = 16 << 10;
/// A recovery reads everything.
pub(super) const EVERYTHING: usize = 1 << 20;

/// One segment of the log that is being loaded.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// The offset in its name.
    pub(super) base_offset: i64,
    /// The file that its bytes are in now, whatever its name will be.
    pub(super) path: PathBuf,
    /// Where they begin in it: a broker may split a file.
    pub(super) from: u64,
    /// How many of them belong to the log.
    pub(super) length: u64,
    /// Its offset index.
    pub(super) index: OffsetIndex,
    /// Its transaction index, until a recovery writes it anew.
    pub(super) transaction_index: Option<PathBuf>,
}

impl Segment {
    /// The file's name.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Its bytes, from the first one on.
    pub(super) fn pages(&self, piece: usize) -> Result<Pages, Halt> {
        Ok(Pages::open(&self.path, self.from, piece)?)
    }

    /// Whether an offset can be an entry of its index, which holds 31 bits above the base offset.
    pub(super) fn takes(&self, offset: i64) -> bool {
        offset
            .checked_sub(self.base_offset)
            .is_some_and(|relative| (0..=i64::from(i32::MAX)).contains(&relative))
    }

    /// The batch that a broker finds for an offset.
    pub(super) fn translate(&self, pages: &mut Pages, offset: i64) -> Result<Option<Front>, Halt> {
        let mut position = self.index.open(self.base_offset)?.lookup(offset)?;
        let mut before: Option<Front> = None;
        while let Some(front) = self.next(pages, position, self.length)? {
            let first = first_offset(pages, &front)?;
            if first == offset {
                return Ok(Some(front));
            }
            if first > offset {
                return Ok(Some(match before {
                    Some(before) if self.last_offset(pages, &before)? >= offset => before,
                    _ => front,
                }));
            }
            before = Some(front);
            position = front.end();
        }
        match before {
            Some(before) if self.last_offset(pages, &before)? >= offset => Ok(Some(before)),
            _ => Ok(None),
        }
    }

    /// One past the last offset, as a broker works it out for the last segment of a log: from where the last entry of the
    /// index leads, and from its base offset if that is nowhere.
    pub(super) fn next_offset(&self) -> Result<i64, Halt> {
        let mut pages = self.pages(HEADERS)?;
        let last_indexed = self.index.open(self.base_offset)?.last_offset()?;
        let Some(mut last) = self.translate(&mut pages, last_indexed)? else {
            return Ok(self.base_offset);
        };
        while let Some(front) = self.next(&mut pages, last.end(), self.length)? {
            last = front;
        }
        Ok(self.last_offset(&mut pages, &last)?.wrapping_add(1))
    }

    /// The next batch below `end`, as long as the bytes look like one.
    pub(super) fn next(&self, pages: &mut Pages, position: u64, end: u64) -> Result<Option<Front>, Halt> {
        match step(pages, position, end)? {
            Step::Batch(front) => Ok(Some(front)),
            Step::End => Ok(None),
            Step::Corrupt { length } => Err(Halt::Refused(format!(
                "byte {position} of {} reads as a batch of {length} bytes, and a broker ends with a \
                 CorruptRecordException where it only wants to know where the log ends",
                self.name(),
            ))),
        }
    }

    /// The offset of a batch's last record.
    pub(super) fn last_offset(&self, pages: &mut Pages, front: &Front) -> Result<i64, Halt> {
        header(pages, front)?.map(|header| header.last_offset).ok_or_else(|| {
            Halt::Refused(format!(
                "{} ends inside the header of the batch at byte {}, which no broker survives",
                self.name(),
                front.position,
            ))
        })
    }
}
