//! Compression for the builders.

use std::io::Write;

use super::builder::BuildError;
use super::compression::Codec;
use super::{lz4, xerial};

/// Bytes of plain data in a xerial block, as xerial's own writer cuts them.
const XERIAL_BLOCK: usize = 32 << 10;

/// How snappy data is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnappyFraming {
    /// xerial's blocks, as Java producers write.
    #[default]
    Xerial,
    /// One raw block, as other producers write.
    Raw,
}

pub(super) fn compress(
    codec: Codec,
    magic: i8,
    framing: SnappyFraming,
    plain: &[u8],
) -> Result<Vec<u8>, BuildError> {
    let failed = |error: &dyn std::error::Error| BuildError::Compression { codec, reason: error.to_string() };
    match codec {
        Codec::None => Ok(plain.to_vec()),
        Codec::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(plain).and_then(|()| writer.finish()).map_err(|error| failed(&error))
        }
        Codec::Snappy => snappy(framing, plain).map_err(|error| failed(&error)),
        Codec::Lz4 => lz4_frame(magic, plain).map_err(|error| failed(&error)),
        Codec::Zstd => {
            zstd::bulk::compress(plain, zstd::DEFAULT_COMPRESSION_LEVEL).map_err(|error| failed(&error))
        }
    }
}

fn snappy(framing: SnappyFraming, plain: &[u8]) -> Result<Vec<u8>, snap::Error> {
    let mut encoder = snap::raw::Encoder::new();
    if framing == SnappyFraming::Raw {
        return encoder.compress_vec(plain);
    }
    let mut out = xerial::MAGIC.to_vec();
    // version and compatible version: INT32, both 1
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    for chunk in plain.chunks(XERIAL_BLOCK) {
        let block = encoder.compress_vec(chunk)?;
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend_from_slice(&block);
    }
    Ok(out)
}

/// Independent blocks of 64 KiB: Java's reader knows no others.
fn lz4_frame(magic: i8, plain: &[u8]) -> Result<Vec<u8>, lz4_flex::frame::Error> {
    let info = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .block_mode(lz4_flex::frame::BlockMode::Independent);
    let mut writer = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    writer.write_all(plain).map_err(lz4_flex::frame::Error::IoError)?;
    let mut frame = writer.finish()?;
    if magic == 0 {
        lz4::spoil_header_checksum(&mut frame);
    }
    Ok(frame)
}
