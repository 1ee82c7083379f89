//! What can be wrong with a batch, and where.

use thiserror::Error;

use super::compression::Codec;

/// A batch that cannot be read. Nothing of such a batch counts as verified.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("record batch at offset {base_offset}, byte {position}: {kind}")]
pub struct RecordError {
    /// The offset field of the batch or legacy entry; -1 when not even that could be read.
    pub base_offset: i64,
    /// Byte position in the caller's stream. A fault inside compressed data is reported where that data begins.
    pub position: u64,
    /// What is wrong.
    pub kind: RecordErrorKind,
}

/// The ways in which a batch can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// Fewer bytes than the batch says it has.
    #[error("{available} bytes are here, {needed} are needed")]
    Truncated {
        /// Bytes of the whole batch, or of the part that tells its size.
        needed: usize,
        /// Bytes that the caller gave.
        available: usize,
    },
    /// The length field cannot be right. A zero-filled tail of a segment shows as length 0 with minimum 14.
    #[error("length {length} is below the minimum of {minimum}")]
    InvalidLength {
        /// batchLength, or messageSize.
        length: i32,
        /// The smallest length that the format allows.
        minimum: i32,
    },
    /// Offsets are never negative and never pass the largest 64-bit integer.
    #[error("offset {offset} with last offset delta {last_offset_delta} is no range of offsets")]
    InvalidOffset {
        /// baseOffset, or the offset of a legacy entry.
        offset: i64,
        /// lastOffsetDelta.
        last_offset_delta: i32,
    },
    /// The format version is none of 0, 1 and 2.
    #[error("magic {0} is unknown")]
    UnknownMagic(i8),
    /// The codec bits name no codec.
    #[error("codec {0} is unknown")]
    UnknownCodec(u8),
    /// zstd in a v0/v1 message set.
    #[error("codec {codec} is not allowed with magic {magic}")]
    CodecNotAllowed {
        /// The codec named by the attributes.
        codec: Codec,
        /// The magic of the wrapper.
        magic: i8,
    },
    /// The stored checksum does not fit the bytes.
    #[error("CRC {computed:#010x} was computed, {stored:#010x} is stored")]
    CrcMismatch {
        /// The checksum in the batch.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// The codec refuses the data.
    #[error("{codec} data cannot be decompressed: {reason}")]
    Decompression {
        /// The codec named by the attributes.
        codec: Codec,
        /// What the codec says.
        reason: String,
    },
    /// The decompressed records would be larger than the caller's limit.
    #[error("decompressed {codec} data would be larger than the limit of {limit} bytes")]
    OutputLimit {
        /// The codec named by the attributes.
        codec: Codec,
        /// The limit of the decoder.
        limit: usize,
    },
    /// recordsCount is negative, or larger than the bytes can hold.
    #[error("{count} records are claimed in {available} bytes")]
    InvalidRecordCount {
        /// recordsCount.
        count: i32,
        /// Bytes of the records, decompressed.
        available: usize,
    },
    /// A varint that is cut off, longer than its type allows, or overflows.
    #[error("{0} is no valid varint")]
    InvalidVarint(Field),
    /// A length or count that is negative or passes the end of what holds it.
    #[error("{field} {value} does not fit the {available} bytes left")]
    InvalidFieldLength {
        /// The field.
        field: Field,
        /// Its value.
        value: i64,
        /// Bytes left in the record or message.
        available: usize,
    },
    /// A record ends before its length says.
    #[error("a record has {unused} bytes behind its last field")]
    RecordNotFilled {
        /// Bytes left over.
        unused: usize,
    },
    /// Bytes behind the last record of a batch or message set.
    #[error("{0} bytes follow the last record")]
    TrailingBytes(usize),
    /// Offsets inside a batch must ascend.
    #[error("record offset {offset} does not ascend from {previous}")]
    OffsetNotAscending {
        /// The offset of the record before; one less than the base offset for the first.
        previous: i64,
        /// The offset of this record.
        offset: i64,
    },
    /// A record past the last offset of its batch.
    #[error("record offset {offset} is past the last offset {last_offset} of the batch")]
    OffsetPastEnd {
        /// The offset of this record.
        offset: i64,
        /// The last offset of the batch.
        last_offset: i64,
    },
    /// baseTimestamp + timestampDelta leaves 64 bits.
    #[error("timestamp {base} plus {delta} overflows")]
    TimestampOverflow {
        /// baseTimestamp.
        base: i64,
        /// timestampDelta.
        delta: i64,
    },
    /// A compressed message inside a compressed message.
    #[error("a compressed message lies inside a compressed message set")]
    NestedCompression,
    /// A compressed wrapper whose value is null or empty.
    #[error("a compressed message set holds no messages")]
    EmptyWrapper,
    /// Only messages of magic 0 and 1 may lie inside a wrapper.
    #[error("a message of magic {inner} lies inside a wrapper of magic {wrapper}")]
    InnerMagic {
        /// Magic of the wrapper.
        wrapper: i8,
        /// Magic of the message inside.
        inner: i8,
    },
    /// The key of a control record is no version and type.
    #[error("a control record's key has {0:?} bytes, not the four of version and type")]
    InvalidControlKey(Option<usize>),
    /// Versions of control records start at 0.
    #[error("a control record has version {0}")]
    InvalidControlVersion(i16),
}

/// A field of a record, named as the format's specification names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// Length of a record.
    Length,
    /// attributes of a record.
    Attributes,
    /// timestampDelta.
    TimestampDelta,
    /// offsetDelta.
    OffsetDelta,
    /// keyLength.
    KeyLength,
    /// valueLength.
    ValueLength,
    /// headersCount.
    HeadersCount,
    /// Key length of a header.
    HeaderKeyLength,
    /// Value length of a header.
    HeaderValueLength,
    /// messageSize of a message inside a compressed message set.
    MessageSize,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Length => "record length",
            Self::Attributes => "record attributes",
            Self::TimestampDelta => "timestampDelta",
            Self::OffsetDelta => "offsetDelta",
            Self::KeyLength => "keyLength",
            Self::ValueLength => "valueLength",
            Self::HeadersCount => "headersCount",
            Self::HeaderKeyLength => "headerKeyLength",
            Self::HeaderValueLength => "headerValueLength",
            Self::MessageSize => "messageSize",
        })
    }
}

/// A fault with its place relative to the batch: the decoders below the front know nothing of streams.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub kind: RecordErrorKind,
}

impl Fault {
    #[cold]
    pub fn new(at: usize, kind: RecordErrorKind) -> Self {
        Self { at, kind }
    }

    #[cold]
    pub fn in_batch(self, base_offset: i64, position: u64) -> RecordError {
        RecordError { base_offset, position: position.saturating_add(self.at as u64), kind: self.kind }
    }
}
