//! The parts of a response: bytes that are at hand, and bytes that stay in a file until they are sent.
//!
//! A fetch of many megabytes costs one buffer of [`CHUNK`] bytes while it is sent, however slowly its reader takes it.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// How much of a file is in memory at a time, for each response that is being sent.
pub(super) const CHUNK: usize = 256 << 10;

/// Bytes that can be read at a position. What was found there once may be gone later: a file can be cut off.
pub trait ReadAt: Send + Sync {
    /// Fills `buffer` from `position`; an error when there is less.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;
}

/// A part of a response.
#[derive(Clone)]
pub enum Piece {
    /// Bytes that are in memory.
    Memory(Bytes),
    /// Bytes that are read when they are sent.
    Stored {
        /// Where they are.
        file: Arc<dyn ReadAt>,
        /// The position of the first one.
        position: u64,
        /// How many they are.
        length: usize,
    },
}

impl Piece {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Stored { length, .. } => *length,
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it in memory.
    pub fn read(&self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::Stored { file, position, length } => {
                let mut bytes = BytesMut::zeroed(*length);
                file.read_exact_at(&mut bytes, *position)?;
                Ok(bytes.freeze())
            }
        }
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(formatter, "{} bytes in memory", bytes.len()),
            Self::Stored { position, length, .. } => {
                write!(formatter, "{length} stored bytes from position {position}")
            }
        }
    }
}
