//! Bytes become records.
//!
//! [`peek`] finds where a batch ends, [`BatchDecoder`] turns one whole batch (v2, or a v0/v1 message set entry) into
//! borrowed [`RecordView`]s, [`AbortedFilter`] says which batches belong to aborted transactions. The builders are the
//! way back, for the demo broker, tests and benches.

mod batch;
mod builder;
mod checksum;
mod columns;
mod compress;
mod compression;
mod control;
mod decoder;
mod error;
mod header;
mod legacy;
mod legacy_builder;
mod lz4;
mod record;
mod transactions;
mod varint;
mod xerial;

pub use builder::{BatchBuilder, BuildError, NewRecord, encode_body, reseal};
pub use checksum::BatchChecksum;
pub use columns::{ByteColumn, Columns, ColumnsError};
pub use compress::SnappyFraming;
pub use compression::Codec;
pub use control::ControlRecordType;
pub use decoder::{BatchDecoder, BatchSummary};
pub use error::{Field, RecordError, RecordErrorKind};
pub use header::{BatchHeader, Frame, peek};
pub use legacy_builder::{LegacyRecord, LegacySet, legacy_message_set};
pub use record::{HeaderIter, Headers, RecordView};
pub use transactions::{AbortedFilter, AbortedTransaction};
pub use varint::{write_varint, write_varlong};
