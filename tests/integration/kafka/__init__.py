"""Real Kafka clusters for tests and benches: KRaft brokers as child processes, alone or three to a cluster."""

from __future__ import annotations

from tests.integration.kafka.batches import Batch, encode_batch
from tests.integration.kafka.broker import Broker
from tests.integration.kafka.bulk import BulkLoad, bulk_load
from tests.integration.kafka.cluster import Cluster, Header, Record
from tests.integration.kafka.mirror import MirrorMaker
from tests.integration.kafka.pair import Pair, start_pair
from tests.integration.kafka.proxy import API_NAMES, Connection, RecordingProxy
from tests.integration.kafka.trio import Trio, start_trio
from tests.integration.kafka.writer import Writer

__all__ = [
    "API_NAMES",
    "Batch",
    "Broker",
    "BulkLoad",
    "Cluster",
    "Connection",
    "Header",
    "MirrorMaker",
    "Pair",
    "Record",
    "RecordingProxy",
    "Trio",
    "Writer",
    "bulk_load",
    "encode_batch",
    "start_pair",
    "start_trio",
]
