//! An answer as a stream: bytes are read in large pieces into one reused buffer and handed out from there.

use super::super::connection::Connection;
use super::super::fetch_response::read_tail;
use super::super::input::Input;
use super::patience::Patience;
use crate::error::WireError;

/// One read takes at most this much, so that batches are handed on while they are in the processor's cache. The buffer
/// is larger only to hold large batches.
const READ_PIECE: usize = 256 << 10;

/// Bytes of a connection that are not used yet. They may belong to the answer after the current one.
#[derive(Debug)]
pub(super) struct Stream {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Stream {
    pub(super) fn new(buffer: Vec<u8>) -> Self {
        Self { buffer, start: 0, end: 0 }
    }

    pub(super) fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Whether every byte that was read has been used.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Forgets what a broken connection left behind.
    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Room for the next read. Leftovers move to the front when little is free behind them, and also when they are few
    /// beside what was used up: the front of the buffer is what the processor's cache still holds.
    fn make_room(&mut self) {
        let (kept, free) = (self.end - self.start, self.buffer.len() - self.end);
        if kept == 0 {
            self.clear();
        } else if self.start > 0 && (kept <= self.start / 8 || free < self.buffer.len() / 4) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

/// One answer that is being read.
pub(super) struct Answer<'a, 'c> {
    pub(super) connection: &'a mut Connection,
    pub(super) patience: &'a mut Patience<'c>,
    stream: &'a mut Stream,
    /// Bytes of the answer that are not taken yet.
    left: u64,
}

impl<'a, 'c> Answer<'a, 'c> {
    /// Waits for the next answer of the connection and checks its header.
    pub(super) fn begin(
        connection: &'a mut Connection,
        stream: &'a mut Stream,
        patience: &'a mut Patience<'c>,
    ) -> Result<Self, WireError> {
        let mut answer = Self { connection, patience, stream, left: 4 };
        let length = answer.i32("length of the answer")?.to_be_bytes();
        answer.left = answer.connection.frame_length(length, i32::MAX as usize)? as u64;
        let correlation_id = answer.i32("correlation_id")?;
        let flexible = answer.connection.check_due(correlation_id)?;
        answer.skip_tags(flexible)?;
        Ok(answer)
    }

    /// The bytes of the answer that are in the buffer.
    pub(super) fn buffered(&self) -> &[u8] {
        let count =
            (self.stream.end - self.stream.start).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        &self.stream.buffer[self.stream.start..self.stream.start + count]
    }

    pub(super) fn capacity(&self) -> usize {
        self.stream.capacity()
    }

    /// Uses up bytes that are in the buffer.
    pub(super) fn consume(&mut self, count: usize) {
        self.stream.start += count;
        self.left -= count as u64;
    }

    /// Reads more bytes, at least one.
    pub(super) fn fill(&mut self) -> Result<(), WireError> {
        self.stream.make_room();
        let to = self.stream.buffer.len().min(self.stream.end + READ_PIECE);
        let room = &mut self.stream.buffer[self.stream.end..to];
        let count = self.connection.read_some(room, &self.patience.wait())?;
        self.stream.end += count;
        self.patience.received(count);
        Ok(())
    }

    /// Fills `out` completely, past the buffer.
    pub(super) fn read_into(&mut self, out: &mut [u8]) -> Result<(), WireError> {
        let front = self.buffered().len().min(out.len());
        out[..front].copy_from_slice(&self.buffered()[..front]);
        self.consume(front);
        let mut filled = front;
        while filled < out.len() {
            let count = self.connection.read_some(&mut out[filled..], &self.patience.wait())?;
            filled += count;
            self.left -= count as u64;
            self.patience.received(count);
        }
        Ok(())
    }

    /// Passes over the rest of the answer.
    pub(super) fn drain(mut self) -> Result<(), WireError> {
        self.skip(self.left, "rest of the answer")?;
        self.connection.answered();
        Ok(())
    }

    /// The end of the answer is where it should be.
    pub(super) fn end(mut self, version: i16) -> Result<(), WireError> {
        read_tail(&mut self, version)?;
        self.connection.answered();
        Ok(())
    }
}

impl Input for Answer<'_, '_> {
    fn take(&mut self, count: usize, field: &'static str) -> Result<&[u8], WireError> {
        if count as u64 > self.left || count > self.capacity() {
            let left = self.left;
            return Err(self.malformed(format!("{field} needs {count} bytes, {left} are left")));
        }
        while self.buffered().len() < count {
            self.fill()?;
        }
        let from = self.stream.start;
        self.consume(count);
        Ok(&self.stream.buffer[from..from + count])
    }

    fn skip(&mut self, count: u64, field: &'static str) -> Result<(), WireError> {
        if count > self.left {
            let left = self.left;
            return Err(self.malformed(format!("{field} needs {count} bytes, {left} are left")));
        }
        let mut open = count;
        loop {
            let step = self.buffered().len().min(usize::try_from(open).unwrap_or(usize::MAX));
            self.consume(step);
            open -= step as u64;
            if open == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn left(&self) -> u64 {
        self.left
    }

    fn malformed(&self, detail: String) -> WireError {
        let endpoint = self.connection.endpoint().to_owned();
        WireError::Protocol { endpoint, request: super::super::api::FETCH.name, detail }
    }
}
