//! Log directories: the files of a stopped broker, or of a snapshot of its volumes, read as a broker would and never
//! written to.
//!
//! [`LogDirs::open`] looks at one or several log directories and says what is in them; [`LogDirs::partition`] makes one
//! pass over the batch headers of a partition and says where its log starts and ends, and why, by the rules for log
//! directories in `docs/semantics.md`; [`PartitionLog::read`] feeds whole batches to a [`BatchSink`], as a fetch does.
//!
//! Files are opened read-only and read at explicit positions, never mapped: a file that shrinks is an error that can be
//! handled, not a signal. Index files are not read at all.
//!
//! [`BatchSink`]: crate::wire::BatchSink

mod batches;
mod checkpoints;
mod damage;
mod ending;
mod error;
mod evidence;
mod file;
mod index;
mod layout;
mod names;
mod partition;
mod read;
mod repair;
mod resync;
mod root;
mod scan;
mod segments;
pub mod start;
mod stored;
mod tail;
mod times;
mod transactions;
mod window;

pub use batches::{Visit, WalkEnd, walk_batches};
pub use damage::{Damage, DamageKind};
pub use error::LogDirError;
pub use layout::{LogDirs, PartitionDir, Root, SetAside};
pub use names::SetAsideKind;
pub use partition::{EndReason, LogBounds, LostRange, PartitionLog};
pub use read::{ReadEnd, ReadOutcome, ReadRange};
pub use segments::{IgnoredFile, Segment, SegmentList, WhyIgnored};
pub use stored::StoredExtent;
