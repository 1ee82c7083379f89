//! Decompression into one reused buffer, under one limit.
//!
//! A length in the data never decides an allocation: the buffer grows geometrically with what is really written, and
//! stops at the limit.

use std::io::Read;

use zstd::zstd_safe::{DCtx, get_error_name};

use super::error::RecordErrorKind;
use super::{lz4, xerial};

/// How records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip, possibly of several members.
    Gzip,
    /// Snappy, raw or in xerial's framing.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// Zstandard (KIP-110), v2 only.
    Zstd,
}

impl Codec {
    /// Every codec, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this number in the attributes.
    pub fn from_id(id: u8) -> Result<Self, RecordErrorKind> {
        Self::ALL.get(usize::from(id)).copied().ok_or(RecordErrorKind::UnknownCodec(id))
    }

    /// The number in the attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The name that producers' configurations use.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    #[cold]
    pub(super) fn fault(self, reason: &str) -> RecordErrorKind {
        RecordErrorKind::Decompression { codec: self, reason: reason.to_owned() }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The decompressors' contexts and the buffer that they share.
pub(super) struct Decompressor {
    scratch: Vec<u8>,
    pub limit: usize,
    zstd: Option<DCtx<'static>>,
}

impl Decompressor {
    pub fn new(limit: usize) -> Self {
        Self { scratch: Vec::new(), limit, zstd: None }
    }

    pub fn scratch_bytes(&self) -> usize {
        self.scratch.capacity()
    }

    /// Decompresses all of `input`, which came in a batch of this `magic`. Without a codec the input is the output.
    pub fn decompress<'a>(
        &'a mut self,
        codec: Codec,
        magic: i8,
        input: &'a [u8],
    ) -> Result<&'a [u8], RecordErrorKind> {
        let mut output = Output { buffer: &mut self.scratch, used: 0, limit: self.limit, codec };
        match codec {
            Codec::None => return Ok(input),
            Codec::Gzip => gunzip(input, &mut output)?,
            Codec::Snappy => xerial::decompress(input, &mut output)?,
            Codec::Lz4 => lz4::decompress(input, magic, &mut output)?,
            Codec::Zstd => unzstd(input, &mut output, self.zstd.get_or_insert_with(DCtx::create))?,
        }
        let used = output.used;
        Ok(&self.scratch[..used])
    }
}

/// The part of the scratch buffer that is written, and the limit of what may be.
///
/// The buffer keeps its length between batches, so only growth is ever zeroed.
pub(super) struct Output<'a> {
    buffer: &'a mut Vec<u8>,
    used: usize,
    limit: usize,
    codec: Codec,
}

impl Output<'_> {
    /// Free room behind what is written: `wanted` bytes or more, but less when the limit is near.
    pub fn room(&mut self, wanted: usize) -> &mut [u8] {
        self.history_and_room(wanted).1
    }

    /// What is written, and the free room behind it.
    pub fn history_and_room(&mut self, wanted: usize) -> (&[u8], &mut [u8]) {
        const FIRST_SIZE: usize = 16 << 10;
        let needed = self.used.saturating_add(wanted).min(self.limit);
        if needed > self.buffer.len() {
            let doubled = self.buffer.len().saturating_mul(2).max(FIRST_SIZE);
            let size = doubled.max(needed).min(self.limit);
            // Left to itself, Vec would round the capacity up past the limit.
            self.buffer.reserve_exact(size - self.buffer.len());
            self.buffer.resize(size, 0);
        }
        let end = self.buffer.len().min(self.limit);
        let (history, room) = self.buffer[..end].split_at_mut(self.used);
        (history, room)
    }

    /// Counts bytes as written.
    pub fn advance(&mut self, written: usize) {
        self.used += written;
    }

    /// How many bytes are written.
    pub fn used(&self) -> usize {
        self.used
    }

    /// How many more the limit allows.
    pub fn allowance(&self) -> usize {
        self.limit - self.used
    }

    #[cold]
    pub fn over_limit(&self) -> RecordErrorKind {
        RecordErrorKind::OutputLimit { codec: self.codec, limit: self.limit }
    }
}

/// Several members behind each other are one stream (RFC 1952, 2.2).
fn gunzip(input: &[u8], output: &mut Output<'_>) -> Result<(), RecordErrorKind> {
    let mut reader = flate2::bufread::MultiGzDecoder::new(input);
    let mut past_limit = [0];
    loop {
        let room = output.room(1);
        let full = room.is_empty();
        // At the limit, one byte more decides between an exact fit and too much.
        let target = if full { &mut past_limit[..] } else { room };
        match reader.read(target) {
            Ok(0) => return Ok(()),
            Ok(_) if full => return Err(output.over_limit()),
            Ok(written) => output.advance(written),
            Err(error) => return Err(Codec::Gzip.fault(&error.to_string())),
        }
    }
}

/// Decompresses in one shot into contiguous room, and again into more when that was too little.
///
/// The streaming interface would allocate the window that the frame asks for, up to 128 MiB for 20 bytes of input;
/// in one shot the output is its own window.
fn unzstd(input: &[u8], output: &mut Output<'_>, context: &mut DCtx<'static>) -> Result<(), RecordErrorKind> {
    // ZSTD_error_dstSize_tooSmall; zstd keeps the numbers of its error codes stable.
    const DESTINATION_TOO_SMALL: usize = 70_usize.wrapping_neg();
    let mut wanted = input.len().saturating_mul(4);
    loop {
        let room = output.room(wanted);
        match context.decompress(room, input) {
            Ok(written) => {
                output.advance(written);
                return Ok(());
            }
            Err(DESTINATION_TOO_SMALL) => {
                let tried = room.len();
                if tried == output.allowance() {
                    return Err(output.over_limit());
                }
                wanted = tried.saturating_mul(4).max(1);
            }
            Err(code) => return Err(Codec::Zstd.fault(get_error_name(code))),
        }
    }
}
