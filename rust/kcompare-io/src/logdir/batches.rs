//! Whole batches, one behind the other, from a buffer that is filled in large pieces.

use std::ops::ControlFlow;

use kcompare_core::records::{Frame, peek};

use super::damage::DamageKind;
use super::error::LogDirError;
use super::file::SegmentFile;
use super::segments::Segment;
use crate::budget::MemoryBudget;
use crate::cancel::CancelToken;
use crate::wire::wire_share;

/// One read takes at most this much, and ends at a multiple of it, so that batches are decoded while they are in the
/// processor's cache. The buffer is larger only to hold large batches.
pub(super) const READ_PIECE: usize = 256 << 10;

/// Where a walk over a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkEnd {
    /// At the end of the file, with nothing left over.
    EndOfFile,
    /// At bytes that are no whole batch.
    Damage {
        /// Where they begin.
        position: u64,
        /// What they look like.
        kind: DamageKind,
    },
    /// Where the visitor wanted no more.
    Stopped {
        /// Behind the last batch that was visited.
        position: u64,
    },
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// A whole batch, as stored.
    Batch(Frame, &'a [u8]),
    /// A whole batch that the buffer has no room for.
    Large(Frame),
    /// A batch that goes beyond the end.
    Torn,
    /// Bytes that begin no batch.
    Bad,
    /// The end.
    End,
}

/// Reads batches from one position of a file up to another.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    file: SegmentFile<'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The position of the first byte that is not used yet.
    position: u64,
    stop: u64,
    /// Bytes of the batch that was handed out last.
    handed_out: usize,
    piece: usize,
}

impl<'a> Batches<'a> {
    /// `buffer` is used as it is; its length is the largest batch that it takes. `piece` bytes are read at a time.
    pub(super) fn new(file: SegmentFile<'a>, buffer: Vec<u8>, piece: usize, range: (u64, u64)) -> Self {
        let (position, stop) = range;
        Self { file, buffer, start: 0, end: 0, position, stop, handed_out: 0, piece }
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The position of the batch that was handed out last, or of what comes next.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch; the one before it is used up.
    pub(super) fn next(&mut self) -> Result<Next<'_>, LogDirError> {
        let used = std::mem::take(&mut self.handed_out);
        self.skip(used as u64);
        loop {
            let left = self.stop - self.position;
            if left == 0 {
                return Ok(Next::End);
            }
            let held = self.end - self.start;
            match peek(&self.buffer[self.start..self.end], self.position) {
                Ok(Some(frame)) if frame.size as u64 > left => return Ok(Next::Torn),
                Ok(Some(frame)) if frame.size <= held => {
                    self.handed_out = frame.size;
                    return Ok(Next::Batch(frame, &self.buffer[self.start..self.start + frame.size]));
                }
                Ok(Some(frame)) if frame.size > self.buffer.len() => return Ok(Next::Large(frame)),
                Ok(None) if held as u64 == left => return Ok(Next::Torn),
                Ok(_) => self.fill()?,
                Err(_) => return Ok(Next::Bad),
            }
        }
    }

    /// Passes over bytes, which need not be in the buffer.
    pub(super) fn skip(&mut self, count: u64) {
        self.position += count;
        match usize::try_from(count) {
            Ok(count) if count <= self.end - self.start => self.start += count,
            _ => (self.start, self.end) = (0, 0),
        }
    }

    /// Fills `out` with the bytes from the position on, past the buffer, and passes over them.
    pub(super) fn read_whole(&mut self, out: &mut [u8]) -> Result<(), LogDirError> {
        let held = (self.end - self.start).min(out.len());
        out[..held].copy_from_slice(&self.buffer[self.start..self.start + held]);
        let mut filled = held;
        while filled < out.len() {
            let piece = self.piece.min(out.len() - filled);
            self.file.read(&mut out[filled..filled + piece], self.position + filled as u64)?;
            filled += piece;
        }
        self.skip(out.len() as u64);
        Ok(())
    }

    /// Reads the next piece behind what is held. What is held moves to the front, which the processor's cache still has.
    fn fill(&mut self) -> Result<(), LogDirError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let from = self.position + self.end as u64;
        let to_boundary = self.piece - usize::try_from(from % self.piece as u64).unwrap_or(0);
        let room = (self.buffer.len() - self.end).min(to_boundary);
        let count = room.min(usize::try_from(self.stop - from).unwrap_or(room));
        self.file.read(&mut self.buffer[self.end..self.end + count], from)?;
        self.end += count;
        Ok(())
    }
}

/// What is done with a batch: its position, its frame, and its bytes.
pub type Visit<'a> = dyn FnMut(u64, &Frame, &[u8]) -> ControlFlow<()> + 'a;

/// Hands every whole batch of a segment from `position` on to `visit`, as stored and not checked but for its frame. A
/// batch for which `budget` has no room ends the walk as damage.
pub fn walk_batches(
    segment: &Segment,
    position: u64,
    budget: &MemoryBudget,
    cancel: &CancelToken,
    visit: &mut Visit<'_>,
) -> Result<WalkEnd, LogDirError> {
    let file = SegmentFile::open(segment, None, cancel)?;
    let buffer = vec![0; wire_share(budget)];
    let mut batches = Batches::new(file, buffer, READ_PIECE, (position.min(segment.size), segment.size));
    loop {
        let position = batches.position() + batches.handed_out as u64;
        let damage = |kind| Ok(WalkEnd::Damage { position, kind });
        let flow = match batches.next()? {
            Next::End => return Ok(WalkEnd::EndOfFile),
            Next::Torn => return damage(DamageKind::Torn),
            Next::Bad => return damage(DamageKind::Corrupt),
            Next::Batch(frame, bytes) => (frame.size, visit(position, &frame, bytes)),
            Next::Large(frame) => {
                let mut share = budget.acquire_large(cancel)?;
                if !share.reserve(frame.size) {
                    return damage(DamageKind::Corrupt);
                }
                let mut bytes = vec![0; frame.size];
                batches.read_whole(&mut bytes)?;
                (frame.size, visit(position, &frame, &bytes))
            }
        };
        if let (size, ControlFlow::Break(())) = flow {
            return Ok(WalkEnd::Stopped { position: position + size as u64 });
        }
    }
}
