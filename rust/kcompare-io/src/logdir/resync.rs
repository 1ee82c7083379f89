//! Where the next sound batch is, behind bytes that are none.

use kcompare_core::records::{Frame, peek};

use super::error::LogDirError;
use super::file::SegmentFile;
use super::window::is_sound_at;

/// Bytes that are looked through at a time.
const BLOCK: usize = 256 << 10;
/// Bytes of the longest header.
const HEADER: usize = 61;
/// Where magic stands.
const MAGIC_AT: usize = 16;
/// Checksums cost at most this many bytes, and twice the segment.
const HASHED: u64 = 16 << 20;

/// What a search came to.
#[derive(Debug)]
pub(super) enum Found {
    /// A batch whose CRC fits and whose offsets may be here; it begins at this byte.
    Batch(u64),
    Nothing,
    /// The bytes look like so many batches that their checksums cost too much.
    GivenUp,
}

/// Offsets that may follow: the base offset of a batch lies in `from..limit` and its last offset below `limit`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plausible {
    pub(super) from: i64,
    pub(super) limit: i64,
}

impl Plausible {
    /// Whether the batch may be here. A wrapper of magic 0 or 1 only tells its last offset.
    pub(super) fn holds(self, frame: &Frame) -> bool {
        let header = &frame.header;
        let begins = header.magic < 2 || header.base_offset >= self.from;
        begins && header.next_offset() > self.from && header.next_offset() <= self.limit
    }

    /// The first offset that a batch may have.
    pub(super) fn begin_of(self, frame: &Frame) -> i64 {
        if frame.header.magic >= 2 { frame.header.base_offset } else { self.from }
    }
}

/// How many bytes may be hashed for one segment.
pub(super) fn hash_allowance(size: u64) -> u64 {
    HASHED + 2 * size
}

/// Looks for a sound batch from `position` on, byte by byte.
pub(super) fn search(
    file: &SegmentFile<'_>,
    position: u64,
    plausible: Plausible,
    hash_left: &mut u64,
) -> Result<Found, LogDirError> {
    let (mut block, mut piece) = (Vec::new(), Vec::new());
    let mut at = position;
    while at < file.size() {
        let left = usize::try_from(file.size() - at).unwrap_or(usize::MAX);
        block.resize((BLOCK + HEADER).min(left), 0);
        file.read(&mut block, at)?;
        for start in 0..block.len().min(BLOCK) {
            let here = at + start as u64;
            let Some(frame) = candidate(&block[start..], here, plausible) else { continue };
            if frame.size as u64 > file.size() - here {
                continue;
            }
            let Some(rest) = hash_left.checked_sub(frame.size as u64) else {
                return Ok(Found::GivenUp);
            };
            *hash_left = rest;
            if is_sound_at(file, here, &frame, &mut piece)? {
                return Ok(Found::Batch(here));
            }
        }
        at += BLOCK as u64;
    }
    Ok(Found::Nothing)
}

fn candidate(bytes: &[u8], position: u64, plausible: Plausible) -> Option<Frame> {
    let front = bytes.first_chunk::<{ MAGIC_AT + 1 }>()?;
    if front[MAGIC_AT] > 2 {
        return None;
    }
    let offset =
        i64::from_be_bytes([front[0], front[1], front[2], front[3], front[4], front[5], front[6], front[7]]);
    if offset < plausible.from || offset >= plausible.limit {
        return None;
    }
    peek(bytes, position).ok().flatten().filter(|frame| plausible.holds(frame))
}

/// Whether nothing but zeros follows.
pub(super) fn only_zeros(file: &SegmentFile<'_>, position: u64) -> Result<bool, LogDirError> {
    let mut block = Vec::new();
    let mut at = position;
    while at < file.size() {
        block.resize(usize::try_from(file.size() - at).unwrap_or(BLOCK).min(BLOCK), 0);
        file.read(&mut block, at)?;
        if block.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += block.len() as u64;
    }
    Ok(true)
}
