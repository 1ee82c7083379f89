//! The wire client: Kafka's protocol, reading only.
//!
//! [`Cluster`] finds brokers and leaders, [`Cluster::fetch`] streams one range of a partition to a [`BatchSink`]. What
//! is sent is in `api`: `ApiVersions`, Metadata without topic creation, `ListOffsets`, `DescribeConfigs`, Fetch and
//! `OffsetForLeaderEpoch`. Nothing here starts a thread; every wait looks at a cancel token at least each 100 ms.

mod api;
mod bounds;
mod cluster;
mod codes;
mod configs;
mod connection;
mod epochs;
mod fetch;
mod fetch_response;
mod input;
mod metadata;
mod offsets;
mod pool;
mod settings;
mod silence;
mod transport;

pub use bounds::PartitionBounds;
pub use cluster::{ByPartition, Cluster};
pub use codes::{broker_error, is_refusal, is_retriable};
pub use epochs::EpochEnd;
pub(crate) use fetch::buffers::{Buffers, wire_share};
pub use fetch::{BatchSink, FetchEnd, FetchOutcome, FetchRange, IsolationLevel, Unreadable};
pub use metadata::{BrokerInfo, ClusterMetadata, PartitionInfo, TopicInfo};
pub use offsets::{At, OffsetAt};
pub use settings::ClusterSettings;
pub use transport::{ConnectContext, Connector, Exchange, READ_SLICE, TcpConnector, TcpTransport, Transport};
