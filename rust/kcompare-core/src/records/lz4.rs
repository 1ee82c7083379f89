//! The LZ4 frame format, read straight into the scratch buffer.
//!
//! # References
//! - <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>
//! - KIP-57 and KAFKA-3160: with magic 0 the header checksum counts the frame's magic number too, which is wrong.

use lz4_flex::block::{DecompressError, decompress_into, decompress_into_with_dict};
use twox_hash::XxHash32;

use super::compression::{Codec, Output};
use super::error::RecordErrorKind;
use super::header::be_i32;

pub(super) const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();

/// A match reaches back this far at most.
const WINDOW: usize = 64 << 10;
/// A block of n bytes expands to 255 n at most, plus what its last token holds.
const MAX_EXPANSION: usize = 255;
const UNCOMPRESSED: u32 = 1 << 31;

struct Descriptor {
    independent: bool,
    block_checksums: bool,
    content_checksum: bool,
    content_size: Option<u64>,
    block_max: usize,
}

/// Decompresses all frames of `input`. With magic 0 the header checksum tells nothing and is passed over.
pub(super) fn decompress(input: &[u8], magic: i8, output: &mut Output<'_>) -> Result<(), RecordErrorKind> {
    let mut rest = input;
    loop {
        let descriptor = read_descriptor(&mut rest, magic)?;
        let start = output.used();
        while read_block(&mut rest, &descriptor, start, output)? {}
        end_frame(&mut rest, &descriptor, start, output)?;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

fn read_descriptor(rest: &mut &[u8], magic: i8) -> Result<Descriptor, RecordErrorKind> {
    if take(rest, MAGIC.len())? != MAGIC {
        return Err(Codec::Lz4.fault("the frame's magic number is wrong"));
    }
    let descriptor = *rest;
    let flags = take(rest, 2)?;
    let (flags, block) = (flags[0], flags[1]);
    // FLG: version 01 in bits 7 and 6, bit 1 reserved. BD: block size in bits 6 to 4, all others reserved.
    if flags >> 6 != 1 || flags & 0x02 != 0 || block & 0x8f != 0 || block >> 4 < 4 {
        return Err(Codec::Lz4.fault(&format!("the frame descriptor {flags:#04x} {block:#04x} is unknown")));
    }
    if flags & 0x01 != 0 {
        return Err(Codec::Lz4.fault("the frame asks for a dictionary"));
    }
    let content_size = if flags & 0x08 == 0 { None } else { Some(take_u64(rest)?) };
    let counted = descriptor.len() - rest.len();
    let computed = (XxHash32::oneshot(0, &descriptor[..counted]) >> 8) as u8;
    let stored = take(rest, 1)?[0];
    if magic != 0 && stored != computed {
        return Err(Codec::Lz4
            .fault(&format!("header checksum {computed:#04x} was computed, {stored:#04x} is stored")));
    }
    Ok(Descriptor {
        independent: flags & 0x20 != 0,
        block_checksums: flags & 0x10 != 0,
        content_checksum: flags & 0x04 != 0,
        content_size,
        block_max: 1 << (8 + 2 * (block >> 4)),
    })
}

/// Reads one block; false at the end mark.
fn read_block(
    rest: &mut &[u8],
    descriptor: &Descriptor,
    frame_start: usize,
    output: &mut Output<'_>,
) -> Result<bool, RecordErrorKind> {
    let word = take_u32(rest)?;
    if word == 0 {
        return Ok(false);
    }
    let length = (word & !UNCOMPRESSED) as usize;
    if length > descriptor.block_max {
        let reason = format!("a block of {length} bytes is larger than the {} allowed", descriptor.block_max);
        return Err(Codec::Lz4.fault(&reason));
    }
    let block = take(rest, length)?;
    if descriptor.block_checksums && take_u32(rest)? != XxHash32::oneshot(0, block) {
        return Err(Codec::Lz4.fault("a block does not fit its checksum"));
    }
    if word & UNCOMPRESSED != 0 {
        let room = output.room(length).get_mut(..length);
        let Some(room) = room else { return Err(output.over_limit()) };
        room.copy_from_slice(block);
        output.advance(length);
        return Ok(true);
    }
    let wanted = descriptor.block_max.min(length.saturating_mul(MAX_EXPANSION) + MAX_EXPANSION);
    let (history, room) = output.history_and_room(wanted);
    let limited = room.len() < wanted;
    let end = room.len().min(descriptor.block_max);
    let room = &mut room[..end];
    let written = if descriptor.independent {
        decompress_into(block, room)
    } else {
        let window = history.len().saturating_sub(WINDOW).max(frame_start);
        decompress_into_with_dict(block, room, &history[window..])
    };
    match written {
        Ok(written) => output.advance(written),
        Err(DecompressError::OutputTooSmall { .. }) if limited => return Err(output.over_limit()),
        Err(error) => return Err(Codec::Lz4.fault(&error.to_string())),
    }
    Ok(true)
}

fn end_frame(
    rest: &mut &[u8],
    descriptor: &Descriptor,
    frame_start: usize,
    output: &mut Output<'_>,
) -> Result<(), RecordErrorKind> {
    let content = &output.history_and_room(0).0[frame_start..];
    if descriptor.content_size.is_some_and(|size| size != content.len() as u64) {
        return Err(Codec::Lz4.fault("the content is not of the size that the frame tells"));
    }
    if descriptor.content_checksum && take_u32(rest)? != XxHash32::oneshot(0, content) {
        return Err(Codec::Lz4.fault("the content does not fit its checksum"));
    }
    Ok(())
}

/// Makes a right header checksum the wrong one that belongs into magic 0: the magic number is counted as well.
pub(super) fn spoil_header_checksum(frame: &mut [u8]) {
    let has_size = frame.get(4).is_some_and(|flags| flags & 0x08 != 0);
    let end = if has_size { 14 } else { 6 };
    if let Some((counted, [checksum, ..])) = frame.split_at_mut_checked(end) {
        *checksum = (XxHash32::oneshot(0, counted) >> 8) as u8;
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], RecordErrorKind> {
    let split = rest.split_at_checked(length);
    let (taken, tail) = split.ok_or_else(|| Codec::Lz4.fault("the frame is cut off"))?;
    *rest = tail;
    Ok(taken)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, RecordErrorKind> {
    Ok((be_i32(take(rest, 4)?, 0) as u32).swap_bytes())
}

fn take_u64(rest: &mut &[u8]) -> Result<u64, RecordErrorKind> {
    Ok(u64::from(take_u32(rest)?) | u64::from(take_u32(rest)?) << 32)
}
