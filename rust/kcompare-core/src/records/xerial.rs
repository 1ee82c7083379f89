//! Snappy as Kafka holds it: raw, or in the framing of the xerial library that Java producers use.

use super::compression::{Codec, Output};
use super::error::RecordErrorKind;
use super::header::be_i32;

/// "\x82SNAPPY\0", the start of xerial's header; version and compatible version follow, four bytes each.
pub(super) const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const HEADER: usize = 16;

/// No copy element of snappy makes more than 64 bytes from 3, so a preamble that says more is a lie.
const MAX_EXPANSION: usize = 22;

pub(super) fn decompress(input: &[u8], output: &mut Output<'_>) -> Result<(), RecordErrorKind> {
    if !input.starts_with(&MAGIC) {
        return block(input, output);
    }
    let mut rest = input;
    while !rest.is_empty() {
        // Streams may be appended to each other: each brings its header again.
        if rest.starts_with(&MAGIC) {
            rest = rest.get(HEADER..).ok_or_else(|| Codec::Snappy.fault("the xerial header is cut off"))?;
            continue;
        }
        let (length, tail) = rest
            .split_first_chunk::<4>()
            .ok_or_else(|| Codec::Snappy.fault("the length of a xerial block is cut off"))?;
        let length = be_i32(length, 0);
        let (compressed, tail) = usize::try_from(length)
            .ok()
            .and_then(|length| tail.split_at_checked(length))
            .ok_or_else(|| {
                Codec::Snappy
                    .fault(&format!("a xerial block claims {length} bytes where {} are left", tail.len()))
            })?;
        block(compressed, output)?;
        rest = tail;
    }
    Ok(())
}

fn block(input: &[u8], output: &mut Output<'_>) -> Result<(), RecordErrorKind> {
    let declared =
        snap::raw::decompress_len(input).map_err(|error| Codec::Snappy.fault(&error.to_string()))?;
    if declared > output.allowance() {
        return Err(output.over_limit());
    }
    if declared > input.len().saturating_mul(MAX_EXPANSION) {
        let reason = format!("{} bytes claim to hold {declared}", input.len());
        return Err(Codec::Snappy.fault(&reason));
    }
    let written = snap::raw::Decoder::new()
        .decompress(input, &mut output.room(declared)[..declared])
        .map_err(|error| Codec::Snappy.fault(&error.to_string()))?;
    output.advance(written);
    Ok(())
}
