"""Verbs of the native module that stand for themselves: offsets by time, and the rate that a run keeps to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from kcompare import _native
from kcompare.errors import InterruptedRunError, SourceError
from kcompare.model import IsolationLevel, OffsetRange
from kcompare.settings.cluster import ClusterSettings
from kcompare.sources.opening import open_cluster
from tests.support.clusters import LIST_OFFSETS
from tests.support.logs import Record, log_of

if TYPE_CHECKING:
    from tests.support.clusters import Clusters, FakeCluster

SETTINGS = ClusterSettings(stall_timeout_ms=300, request_timeout_ms=300)


def native(cluster: FakeCluster) -> _native.Cluster:
    return _native.Cluster(
        bootstrap=[("127.0.0.1", cluster.broker.port)],
        client_id="kcompare",
        rack_id=None,
        connect_timeout_ms=1000,
        request_timeout_ms=1000,
        stall_timeout_ms=1000,
        cancel=_native.CancelToken(),
    )


def test_offsets_by_time_are_those_of_the_first_record_that_is_young_enough(clusters: Clusters) -> None:
    ascending = [Record(offset, 1000 + offset, b"k", b"v") for offset in range(50)]
    clusters.left.create([log_of(ascending), log_of(list(ascending[:20])), log_of([])])
    cluster = native(clusters.left)
    assert cluster.offsets_at(topic="t", timestamp_ms=0) == [(0, 0, 0, ""), (1, 0, 0, ""), (2, -1, 0, "")]
    assert cluster.offsets_at(topic="t", timestamp_ms=1030) == [(0, 30, 0, ""), (1, -1, 0, ""), (2, -1, 0, "")]
    clusters.left.fault("error_code", api=LIST_OFFSETS, number=29, partition=1)
    assert cluster.offsets_at(topic="t", timestamp_ms=1030)[1] == (1, -1, 29, "TOPIC_AUTHORIZATION_FAILED")
    with pytest.raises(SourceError, match="UNKNOWN_TOPIC_OR_PARTITION"):
        cluster.offsets_at(topic="typo", timestamp_ms=0)
    # On the wire -1 and -2 would name the ends of the log.
    with pytest.raises(ValueError, match="-1 is no time"):
        cluster.offsets_at(topic="t", timestamp_ms=-1)


@pytest.mark.parametrize("rate", [0, -5])
def test_a_rate_is_at_least_one_byte(rate: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 byte per second, not {rate}"):
        _native.RateLimit(bytes_per_second=rate)


def test_a_rate_is_waited_for_and_a_set_token_ends_the_wait() -> None:
    limit, cancel = _native.RateLimit(bytes_per_second=1000), _native.CancelToken()
    started = time.monotonic()
    limit.take(bytes=450, cancel=cancel)
    assert time.monotonic() - started >= 0.2
    cancel.cancel()
    with pytest.raises(InterruptedRunError):
        limit.take(bytes=1_000_000, cancel=cancel)


def test_a_source_keeps_to_the_rate_that_its_cluster_was_opened_with(clusters: Clusters) -> None:
    records = [Record(offset, 1000, b"k", bytes([offset % 251]) * 1000) for offset in range(200)]
    view = clusters.left.create([log_of(records)])
    limit = _native.RateLimit(bytes_per_second=250_000)
    cluster = open_cluster(view, SETTINGS, _native.CancelToken(), limit)
    source = cluster.source(view)
    source.identity()
    budget = _native.MemoryBudget(total_bytes=1 << 24, workers=1)
    started = time.monotonic()
    rows = source.rows(0, OffsetRange(0, 200), IsolationLevel.READ_UNCOMMITTED, 1000, budget, _native.CancelToken())
    # 200,000 bytes and their headers, of which 62,500 are the burst; the stall timeout is 0.3 s.
    assert time.monotonic() - started >= 0.5
    assert rows.whole
    assert len(rows.rows) == 200 * _native.ROW_BYTES
