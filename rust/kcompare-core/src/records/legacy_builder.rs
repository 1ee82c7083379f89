//! Encodes message sets of magic 0 and 1, which no current Kafka can write any more; for tests.

use super::builder::{BuildError, length, reseal};
use super::compress::{SnappyFraming, compress};
use super::compression::Codec;

/// A message to write.
#[derive(Debug, Clone, Copy, Default)]
pub struct LegacyRecord<'a> {
    /// Absolute offset.
    pub offset: i64,
    /// Milliseconds; magic 0 has none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
}

/// How a message set is written.
#[derive(Debug, Clone, Copy)]
pub struct LegacySet {
    /// 0 or 1.
    pub magic: i8,
    /// With a codec, one wrapper holds all the messages.
    pub codec: Codec,
    /// How snappy is framed.
    pub snappy_framing: SnappyFraming,
    /// Magic 1: the broker's timestamp on the wrapper, or on each message where there is no wrapper.
    pub log_append_time: Option<i64>,
    /// Magic 1: leaves absolute offsets inside the wrapper, as old brokers did.
    pub absolute_offsets: bool,
}

impl LegacySet {
    /// A set with the defaults of its magic.
    pub fn new(magic: i8, codec: Codec) -> Self {
        let snappy_framing = SnappyFraming::default();
        Self { magic, codec, snappy_framing, log_append_time: None, absolute_offsets: false }
    }
}

/// Writes the messages one behind the other, or into one wrapper when there is a codec.
pub fn legacy_message_set(set: &LegacySet, records: &[LegacyRecord<'_>]) -> Result<Vec<u8>, BuildError> {
    let LegacySet { magic, codec, .. } = *set;
    if !(0..=1).contains(&magic) || codec == Codec::Zstd {
        return Err(BuildError::Format { magic, codec });
    }
    if codec == Codec::None {
        let mut out = Vec::new();
        for record in records {
            let timestamp = set.log_append_time.unwrap_or(record.timestamp);
            write_message(&mut out, set, 0, &LegacyRecord { timestamp, ..*record })?;
        }
        return Ok(out);
    }
    let relative = magic == 1 && !set.absolute_offsets;
    let base = records.first().filter(|_| relative).map_or(0, |first| first.offset);
    let mut inner = Vec::new();
    let create_time = LegacySet { log_append_time: None, ..*set };
    for record in records {
        let offset = record.offset.wrapping_sub(base);
        write_message(&mut inner, &create_time, 0, &LegacyRecord { offset, ..*record })?;
    }
    let value = compress(codec, magic, set.snappy_framing, &inner)?;
    let latest = records.iter().map(|record| record.timestamp).max().unwrap_or(-1);
    let wrapper = LegacyRecord {
        offset: records.last().map_or(0, |last| last.offset),
        timestamp: set.log_append_time.unwrap_or(latest),
        key: None,
        value: Some(&value),
    };
    let mut out = Vec::new();
    write_message(&mut out, set, codec.id(), &wrapper)?;
    Ok(out)
}

fn write_message(
    out: &mut Vec<u8>,
    set: &LegacySet,
    codec: u8,
    message: &LegacyRecord<'_>,
) -> Result<(), BuildError> {
    let start = out.len();
    let append_time = set.magic == 1 && set.log_append_time.is_some();
    let fixed = if set.magic == 0 { 14 } else { 22 };
    let size = fixed + message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len);
    out.extend_from_slice(&message.offset.to_be_bytes());
    out.extend_from_slice(&length(size)?.to_be_bytes());
    // crc: UINT32, filled in below; magic: INT8; attributes: INT8
    out.extend_from_slice(&[0, 0, 0, 0, set.magic as u8, codec | u8::from(append_time) << 3]);
    if set.magic == 1 {
        out.extend_from_slice(&message.timestamp.to_be_bytes());
    }
    for bytes in [message.key, message.value] {
        match bytes {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(bytes) => {
                out.extend_from_slice(&length(bytes.len())?.to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
    reseal(&mut out[start..]);
    Ok(())
}
