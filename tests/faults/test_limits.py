"""Batches that are larger than the memory budget: unverified by name, never a crash and never a skip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kcompare.model import Verdict
from tests.support.clusters import only, reasons
from tests.support.logs import Log, Record, log_of, numbered

if TYPE_CHECKING:
    from tests.support.clusters import Clusters

KIB = 1024
MIB = 1024 * KIB


def with_batch(value: bytes, codec: str) -> Log:
    """Fifty records, a batch with one large value, and fifty more."""
    records = numbered(101)
    records[50] = Record(50, records[50].timestamp, b"large", value)
    log = Log(0).write(records[:50], cuts=[25])
    return log.write(records[50:51], codecs=[codec]).write(records[51:], cuts=[9])


def noise(size: int) -> bytes:
    """Bytes that no codec makes small."""
    state, out = 1, bytearray()
    while len(out) < size:
        state = state * 6364136223846793005 % (1 << 64) + 1442695040888963407
        out += (state >> 13).to_bytes(7, "little", signed=False)
    return bytes(out[:size])


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_a_batch_past_the_budget_is_unverified(clusters: Clusters, side: str, codec: str) -> None:
    logs = {"left": log_of(numbered(101)), "right": log_of(numbered(101))}
    logs[side] = with_batch(noise(300 * KIB), codec)
    clusters.left.create([logs["left"]])
    clusters.right.create([logs["right"]])
    report = clusters.run(budget_bytes=256 * KIB, workers=1)
    assert report.verdict is not Verdict.EQUAL
    assert "batch_too_large" in reasons(report)
    ledger = getattr(only(report), side)
    assert (ledger.uncovered_offsets, ledger.records) == (1, 100)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_bomb_is_unverified(clusters: Clusters, side: str, codec: str) -> None:
    log = with_batch(bytes(8 * MIB), codec)
    clusters.left.create([log])
    clusters.right.create([log])
    report = clusters.run(budget_bytes=2 * MIB, workers=1)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"batch_too_large"}
    ledger = getattr(only(report), side)
    assert (ledger.uncovered_offsets, ledger.records) == (1, 100)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_a_large_batch_within_the_budget_is_read(clusters: Clusters, codec: str) -> None:
    log = with_batch(noise(700 * KIB), codec)
    clusters.left.create([log])
    clusters.right.create([log])
    report = clusters.run(budget_bytes=4 * MIB)
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == 101


def test_many_workers_share_the_large_half(clusters: Clusters) -> None:
    """Eight partitions need it at the same time; each gets it in turn."""
    log = with_batch(noise(700 * KIB), "lz4")
    clusters.left.create([log] * 8)
    clusters.right.create([log] * 8)
    report = clusters.run(budget_bytes=4 * MIB, workers=8, stall_timeout_s=10.0)
    assert report.verdict is Verdict.EQUAL
    assert report.totals.compared_records == 808
