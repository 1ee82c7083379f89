//! A look at batch headers: over large batches by one small read each, over small ones block by block.

use std::time::Instant;

use kcompare_core::records::{BatchChecksum, Frame, RecordError, RecordErrorKind, peek};

use super::error::LogDirError;
use super::file::SegmentFile;

/// Bytes of the longest header.
const HEADER: usize = 61;
/// One read where batches are small.
const BLOCK: usize = 128 << 10;
/// One read where they are large: a header, and a whole control batch.
const HOP: usize = 128;
/// From this size on a batch is large: copying it costs more than another read.
const LARGE: usize = 4 << 10;
/// Small reads that get on more slowly than this for a byte that they pass over, 200 MB/s, are given up for large ones.
const SLOWEST_NANOS: usize = 5;
/// Bytes of a batch that are checked at a time.
const PIECE: usize = 256 << 10;

/// What is at a position of a segment.
#[derive(Debug)]
pub(super) enum Seen {
    /// The end of the file.
    End,
    /// A whole batch, as its header says. Nothing is checked.
    Batch(Frame),
    /// A batch that the file cuts off; its header may be cut off, too.
    Torn(Option<Frame>),
    /// Bytes that begin no batch.
    Bad(RecordError),
}

/// Part of a segment file in memory.
#[derive(Debug)]
pub(super) struct Window<'a> {
    file: SegmentFile<'a>,
    buffer: Vec<u8>,
    /// The position of the first byte in the buffer, and how many are held.
    at: u64,
    held: usize,
    /// A running average of what a small read takes, in nanoseconds.
    hop_nanos: usize,
    /// A running average of the sizes of batches.
    average: usize,
    piece: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: SegmentFile<'a>) -> Self {
        Self { file, buffer: Vec::new(), at: 0, held: 0, hop_nanos: 0, average: LARGE, piece: Vec::new() }
    }

    pub(super) fn file(&self) -> &SegmentFile<'a> {
        &self.file
    }

    /// What is at `position`.
    pub(super) fn look(&mut self, position: u64) -> Result<Seen, LogDirError> {
        let left = self.file.size().saturating_sub(position);
        if left == 0 {
            return Ok(Seen::End);
        }
        let bytes = self.bytes(position, HEADER.min(usize::try_from(left).unwrap_or(HEADER)))?;
        Ok(match peek_anywhere(bytes, position) {
            Ok(Some(frame)) if frame.size as u64 <= left => {
                self.average = (self.average * 7 + frame.size) / 8;
                Seen::Batch(frame)
            }
            Ok(frame) => Seen::Torn(frame),
            Err(error) => Seen::Bad(error),
        })
    }

    /// `count` bytes from `position` on, all of which the file must have.
    pub(super) fn bytes(&mut self, position: u64, count: usize) -> Result<&[u8], LogDirError> {
        if position < self.at || position + count as u64 > self.at + self.held as u64 {
            self.fill(position, count)?;
        }
        let start = (position - self.at) as usize;
        Ok(&self.buffer[start..start + count])
    }

    fn fill(&mut self, position: u64, count: usize) -> Result<(), LogDirError> {
        let left = usize::try_from(self.file.size() - position).unwrap_or(usize::MAX);
        // A disk that takes long for each read is better read through, even if most of it is passed over.
        let hops = self.average > LARGE && self.hop_nanos / self.average <= SLOWEST_NANOS;
        let wanted = if hops { HOP } else { BLOCK }.max(count).min(left);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        (self.at, self.held) = (position, 0);
        let began = Instant::now();
        let mut read = self.file.read(&mut self.buffer[..wanted], position).map(|()| wanted);
        if matches!(read, Err(LogDirError::Io { .. })) {
            // What cannot be read may lie behind what is wanted.
            read = self.file.read(&mut self.buffer[..count], position).map(|()| count);
        }
        self.held = read?;
        if hops {
            let nanos = usize::try_from(began.elapsed().as_nanos()).unwrap_or(usize::MAX);
            self.hop_nanos = (self.hop_nanos / 8 * 7).saturating_add(nanos / 8);
        }
        Ok(())
    }

    /// Whether the CRC of the whole batch at `position` fits. It may be as large as it likes.
    pub(super) fn is_sound(&mut self, position: u64, frame: &Frame) -> Result<bool, LogDirError> {
        let end = position + frame.size as u64;
        if frame.size <= HOP || (position >= self.at && end <= self.at + self.held as u64) {
            let (magic, stored) = (frame.header.magic, frame.header.crc);
            let bytes = self.bytes(position, frame.size)?;
            let mut checksum = BatchChecksum::of_magic(magic);
            checksum.update(&bytes[checksum.covers_from()..]);
            return Ok(checksum.finish() == stored);
        }
        let mut piece = std::mem::take(&mut self.piece);
        let sound = is_sound_at(&self.file, position, frame, &mut piece);
        self.piece = piece;
        sound
    }
}

/// The frame of a batch, also of one whose base offset no log can have: nothing else of it needs to be wrong, because the
/// CRC does not cover that field.
fn peek_anywhere(bytes: &[u8], position: u64) -> Result<Option<Frame>, RecordError> {
    let refused = match peek(bytes, position) {
        Err(error) if matches!(error.kind, RecordErrorKind::InvalidOffset { .. }) => error,
        seen => return seen,
    };
    let mut moved = [0; HEADER];
    let length = bytes.len().min(HEADER);
    moved[8..length].copy_from_slice(&bytes[8..length]);
    match peek(&moved[..length], position) {
        Ok(Some(mut frame)) => {
            frame.header.base_offset = refused.base_offset;
            Ok(Some(frame))
        }
        _ => Err(refused),
    }
}

/// Whether the CRC of a batch fits, which is read piece by piece.
pub(super) fn is_sound_at(
    file: &SegmentFile<'_>,
    position: u64,
    frame: &Frame,
    piece: &mut Vec<u8>,
) -> Result<bool, LogDirError> {
    let mut checksum = BatchChecksum::of_magic(frame.header.magic);
    let mut at = position + checksum.covers_from() as u64;
    let end = position + frame.size as u64;
    while at < end {
        let count = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        piece.resize(count, 0);
        file.read(piece, at)?;
        checksum.update(piece);
        at += count as u64;
    }
    Ok(checksum.finish() == frame.header.crc)
}
