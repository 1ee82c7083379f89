//! The read-only broker: a Kafka that only answers.
//!
//! It speaks what a reader needs (`ApiVersions`, `Metadata`, `ListOffsets`, `Fetch`, `DescribeConfigs`,
//! `OffsetForLeaderEpoch`, `DescribeCluster`, and groups of one for consumers that subscribe) and nothing that writes.
//! Batches come from a [`LogStore`], in memory or in log directories, and are sent as they are stored, damaged ones
//! included. A script of [`Fault`]s makes a broker of the tests misbehave on purpose.
//!
//! A thread serves each connection; `dispatch` turns the bytes of a request into those of its response, with one
//! file for each API.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use kcompare_core::records::BatchBuilder;
//! use kcompare_io::serve::{Broker, BrokerConfig, Fault, FaultAction, MemoryStore, TopicId};
//!
//! let store = Arc::new(MemoryStore::new());
//! store.create_topic("blogs", TopicId([1; 16]), 1, BTreeMap::new())?;
//! let mut batch = BatchBuilder::new(0);
//! batch.append(1_700_000_000_000, Some(b"key"), Some(b"value"))?;
//! store.append("blogs", 0, batch.build()?)?;
//!
//! let broker = Broker::start(BrokerConfig::default(), store)?;
//! let fetch = 1;
//! broker.add_fault(Fault::new(fetch, FaultAction::Close).on("blogs", 0).times(1));
//! assert_ne!(broker.addr().port(), 0);
//! broker.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod api_versions;
mod bounded;
mod broker;
mod connection;
mod coordinator;
mod describe_cluster;
mod describe_configs;
mod directory;
mod dispatch;
mod fault;
mod fetch;
mod fetch_encode;
mod group;
mod leader_epochs;
mod list_offsets;
mod memory;
mod memory_log;
mod metadata;
mod offsets;
mod open_files;
mod piece;
mod produce;
mod refuse;
mod store;
#[cfg(test)]
mod tests;
mod wire_types;

pub use broker::{Broker, BrokerConfig, Node};
pub use connection::Patience;
pub use directory::DirectoryStore;
pub use fault::{Fault, FaultAction};
pub use memory::MemoryStore;
pub use piece::{Piece, ReadAt};
pub use store::{
    Bounds, ConfigEntry, EpochStart, LogStore, StoreError, StoredBatches, StoredPartition, StoredTopic,
    TimestampOffset, TopicId, epoch_end, epoch_of,
};
