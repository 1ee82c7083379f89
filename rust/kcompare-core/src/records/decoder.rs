//! The front of decoding: one whole batch in, records out.

use super::batch::{self, Walk};
use super::compression::{Codec, Decompressor};
use super::control::ControlRecordType;
use super::error::{Fault, RecordError, RecordErrorKind};
use super::header::{BatchHeader, LEGACY_CRC_FROM, MAGIC_AT, V2_CRC_FROM, V2_HEADER, be_i64, peek};
use super::legacy;
use super::record::RecordView;

/// Decodes batches, and owns the buffer that compressed ones are decompressed into.
pub struct BatchDecoder {
    decompressor: Decompressor,
}

/// What a decoded batch was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSummary {
    /// Its header, checked by its CRC. baseOffset, batchLength and partitionLeaderEpoch lie outside the CRC.
    pub header: BatchHeader,
    /// Offset of the first record delivered; `None` for a batch that compaction emptied.
    pub first_offset: Option<i64>,
    /// Offset of the last record delivered. The batch may cover more: see [`BatchHeader::last_offset`].
    pub last_offset: Option<i64>,
    /// Records delivered.
    pub records: u32,
    /// Bytes of the records, after decompression.
    pub decompressed_bytes: usize,
    /// The type of a control batch; `None` for data, and for a control batch without records.
    pub control: Option<ControlRecordType>,
}

impl BatchDecoder {
    /// A decoder that refuses batches whose records take more than `output_limit` bytes after decompression.
    pub fn new(output_limit: usize) -> Self {
        Self { decompressor: Decompressor::new(output_limit) }
    }

    /// Changes the limit for the batches to come. The limit does not apply to batches without compression.
    pub fn set_output_limit(&mut self, output_limit: usize) {
        self.decompressor.limit = output_limit;
    }

    /// Bytes that the decoder holds on to between batches; never more than the largest limit that it was given.
    pub fn scratch_bytes(&self) -> usize {
        self.decompressor.scratch_bytes()
    }

    /// Decodes the batch (or legacy entry) at the front of `bytes`, which lies at `position` of the caller's stream.
    ///
    /// The CRC comes first; then every record goes to `sink` in order, also those of control batches. Bytes behind the
    /// batch are not looked at. After an error the sink may have seen the records before the fault: they belong to no
    /// valid batch and must not be used.
    pub fn decode<F: FnMut(&RecordView<'_>)>(
        &mut self,
        bytes: &[u8],
        position: u64,
        sink: F,
    ) -> Result<BatchSummary, RecordError> {
        let (header, whole) = whole_batch(bytes, position)?;
        let decoded = if header.magic == 2 {
            self.decode_v2(header, whole, sink)
        } else {
            self.decode_legacy(header, whole, sink)
        };
        decoded.map_err(|fault| fault.in_batch(header.base_offset, position))
    }

    fn decode_v2<F: FnMut(&RecordView<'_>)>(
        &mut self,
        header: BatchHeader,
        whole: &[u8],
        sink: F,
    ) -> Result<BatchSummary, Fault> {
        check_crc(header.crc, crc32c(&whole[V2_CRC_FROM..]), V2_CRC_FROM)?;
        let codec = header.codec().map_err(|kind| Fault::new(V2_CRC_FROM, kind))?;
        let stored = &whole[V2_HEADER..];
        // An emptied batch has no bytes to decompress, whatever its codec says.
        let codec = if stored.is_empty() { Codec::None } else { codec };
        let body = self
            .decompressor
            .decompress(codec, header.magic, stored)
            .map_err(|kind| Fault::new(V2_HEADER, kind))?;
        // Positions inside decompressed data mean nothing in the stream.
        let locate = |fault| if codec == Codec::None { fault } else { Fault { at: V2_HEADER, ..fault } };
        let control = control_type(&header, body).map_err(locate)?;
        let walk = batch::for_each_record(&header, body, sink).map_err(locate)?;
        Ok(summary(header, walk, body.len(), control))
    }

    fn decode_legacy<F: FnMut(&RecordView<'_>)>(
        &mut self,
        header: BatchHeader,
        whole: &[u8],
        sink: F,
    ) -> Result<BatchSummary, Fault> {
        check_crc(header.crc, crc32fast::hash(&whole[LEGACY_CRC_FROM..]), LEGACY_CRC_FROM)?;
        let (walk, size) = legacy::decode(&header, whole, &mut self.decompressor, sink)?;
        Ok(summary(header, walk, size, None))
    }
}

fn summary(
    header: BatchHeader,
    walk: Walk,
    decompressed_bytes: usize,
    control: Option<ControlRecordType>,
) -> BatchSummary {
    let Walk { first, last, records } = walk;
    BatchSummary { header, first_offset: first, last_offset: last, records, decompressed_bytes, control }
}

/// The header, and exactly the bytes that it speaks of.
fn whole_batch(bytes: &[u8], position: u64) -> Result<(BatchHeader, &[u8]), RecordError> {
    let available = bytes.len();
    let truncated = |base_offset, needed| RecordError {
        base_offset,
        position,
        kind: RecordErrorKind::Truncated { needed, available },
    };
    let Some(frame) = peek(bytes, position)? else {
        let base_offset = if available < 8 { -1 } else { be_i64(bytes, 0) };
        // Where even magic is missing, the smallest of all headers is what would be needed.
        let needed = if bytes.get(MAGIC_AT).is_some_and(|&magic| magic == 2) { V2_HEADER } else { 26 };
        return Err(truncated(base_offset, needed));
    };
    match bytes.get(..frame.size) {
        Some(whole) => Ok((frame.header, whole)),
        None => Err(truncated(frame.header.base_offset, frame.size)),
    }
}

fn control_type(header: &BatchHeader, body: &[u8]) -> Result<Option<ControlRecordType>, Fault> {
    if !header.is_control() || header.records_count <= 0 {
        return Ok(None);
    }
    let record = batch::first_record(header, body)?;
    ControlRecordType::from_key(record.key).map(Some).map_err(|kind| Fault::new(V2_HEADER, kind))
}

pub(super) fn check_crc(stored: u32, computed: u32, at: usize) -> Result<(), Fault> {
    if stored == computed {
        Ok(())
    } else {
        Err(Fault::new(at, RecordErrorKind::CrcMismatch { stored, computed }))
    }
}

/// CRC-32C; the crate chooses its instructions at run time, so baseline builds are fast too.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}
