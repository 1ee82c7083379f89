//! Records become digests: record digest, sequence monoid, cells and anchors.
//!
//! The structure is described, with one worked example, in `docs/algorithm.md`.

mod cell_builder;
mod cells;
mod check;
mod column_reader;
mod modular;
mod profile;
mod reader;
mod rows;
mod sequence;
#[cfg(test)]
mod tests;

pub use cell_builder::CellBuilder;
pub use cells::{
    ANCHOR_BYTES, AnchorRow, CELL_BYTES, CELL_OFFSETS, CellRow, Gap, LayoutError, read_anchors, read_cells,
};
pub use check::{CheckBuilder, MAX_STEPS_BACK, StepBack, TimeOrder};
pub use column_reader::ColumnReader;
pub use modular::{MODULUS, add, mul, reduce, sub};
pub use profile::{DEFAULT_SEED, DIGEST_VERSION, FieldDigests, Profile};
pub use reader::{
    IsolationLevel, MAX_GAP_RANGES, MAX_LEADER_EPOCHS, MAX_UNREAD_RANGES, RecordConsumer, SliceReader,
    SliceSpec, StreamStats, Unread, UnreadReason,
};
pub use rows::{ROW_BYTES, RecordRow, RowBuilder, read_rows};
pub use sequence::{Base, Lanes, offset_run};
