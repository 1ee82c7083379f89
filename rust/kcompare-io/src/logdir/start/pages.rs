//! A file read at explicit positions, in pieces.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::logdir::LogDirError;

/// A file with one piece of it in memory. Nothing is mapped, so a file that shrinks gives fewer bytes and no signal.
pub(super) struct Pages {
    file: File,
    path: PathBuf,
    /// Position 0 of the reader lies here in the file.
    from: u64,
    piece: usize,
    buffer: Vec<u8>,
    at: u64,
}

impl Pages {
    /// Opens a file read-only; `piece` is how much is read at once.
    pub(super) fn open(path: &Path, from: u64, piece: usize) -> Result<Self, LogDirError> {
        let file = File::open(path).map_err(|error| LogDirError::io(path, &error))?;
        Ok(Self { file, path: path.to_owned(), from, piece, buffer: Vec::new(), at: 0 })
    }

    /// `length` bytes from `position` on; `None` where the file ends before that.
    pub(super) fn bytes(&mut self, position: u64, length: usize) -> Result<Option<&[u8]>, LogDirError> {
        if !self.holds(position, length) {
            self.fill(position, length.max(self.piece))?;
        }
        let start = position.saturating_sub(self.at) as usize;
        Ok(self.buffer.get(start..).and_then(|rest| rest.get(..length)))
    }

    fn holds(&self, position: u64, length: usize) -> bool {
        position >= self.at && position + length as u64 <= self.at + self.buffer.len() as u64
    }

    fn fill(&mut self, position: u64, length: usize) -> Result<(), LogDirError> {
        self.buffer.resize(length, 0);
        self.at = position;
        let mut filled = 0;
        while filled < length {
            match self.file.read_at(&mut self.buffer[filled..], self.from + position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LogDirError::io(&self.path, &error)),
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}
