"""Batches that once passed as equal, or cost a planner its memory: nothing here may be EQUAL."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import google_crc32c
import pytest

from kcompare import _native
from kcompare.model import Verdict
from tests.support.clusters import LIST_OFFSETS, Clusters, FakeCluster, only, reasons
from tests.support.logs import Log, Record, closed_up, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.model import Report

RECORDS = numbered(30)
OTHERS = [replace(record, value=b"OTHER") for record in RECORDS]
FAR = [Record(5000 + n, 5, b"x", b"far") for n in range(5)]


def batch(records: Sequence[Record]) -> bytes:
    return _native.encode_batch(
        base_offset=records[0].offset, records=[(r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]
    )


def resealed(frame: bytes | bytearray) -> bytes:
    """The batch with its length and CRC-32C made right again after a change."""
    changed = bytearray(frame)
    changed[8:12] = struct.pack(">i", len(changed) - 12)
    changed[17:21] = struct.pack(">I", google_crc32c.value(bytes(changed[21:])))
    return bytes(changed)


def against_clean(clusters: Clusters, pieces: Sequence[tuple[bytes, int]]) -> Report:
    """Bytes on the left, each piece served as one batch up to its offset, against a sound right side."""
    clusters.left.create([Log()])
    clusters.right.create([log_of(RECORDS)])
    for data, stop in pieces:
        clusters.left.store.append_unchecked(topic="t", partition=0, data=data, next_offset=stop)
    return clusters.run()


def test_a_record_behind_what_the_header_claims_is_seen(clusters: Clusters) -> None:
    last = bytearray(batch(RECORDS[20:]))
    last[23:27] = struct.pack(">i", 8)
    last[57:61] = struct.pack(">i", 9)
    hiding = Log().write(RECORDS[:20]).append(resealed(last), 29)
    report = clusters.compare([hiding], [log_of(RECORDS[:29])])
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "corrupt_batch" in reasons(report)


def test_junk_behind_the_last_record_is_seen(clusters: Clusters) -> None:
    junk = Log().write(RECORDS[:20]).append(resealed(batch(RECORDS[20:]) + b"\xff" * 500), 30)
    assert clusters.compare([junk], [log_of(RECORDS)]).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "blob",
    [
        batch(RECORDS[:10]) + batch(RECORDS[10:20]) + batch(OTHERS[:10]) + batch(OTHERS[10:20]) + batch(RECORDS[20:]),
        batch(RECORDS[:10]) + batch(RECORDS[10:20]) + batch(FAR) + batch(RECORDS[20:]) + batch(FAR),
        batch(RECORDS[:10]) + batch(OTHERS[5:10] + RECORDS[10:20]) + batch(RECORDS[20:]),
    ],
    ids=["repeated", "beyond the end", "overlapping"],
)
def test_batches_out_of_order_are_never_passed_over(clusters: Clusters, blob: bytes) -> None:
    report = against_clean(clusters, [(blob, 30)])
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "corrupt_batch" in reasons(report)


def test_a_batch_of_unknown_magic_between_sound_ones_is_never_passed_over(clusters: Clusters) -> None:
    unknown = bytearray(batch(OTHERS[:10]))
    unknown[16] = 9
    pieces = [(batch(RECORDS[:10]) + batch(RECORDS[10:20]) + unknown, 20), (batch(RECORDS[20:]), 30)]
    report = against_clean(clusters, pieces)
    assert report.verdict is Verdict.INCONCLUSIVE


def test_an_overlap_that_a_cut_response_separates_is_seen(clusters: Clusters) -> None:
    clusters.left.create([Log()])
    clusters.right.create([log_of(RECORDS)])
    pieces = [(batch(RECORDS[:10]), 10), (batch(OTHERS[5:10] + RECORDS[10:20]), 20), (batch(RECORDS[20:]), 30)]
    for data, stop in pieces:
        clusters.left.store.append_unchecked(topic="t", partition=0, data=data, next_offset=stop)
    clusters.left.fault("truncate_records", number=len(pieces[0][0]), times=1)
    assert clusters.run().verdict is Verdict.INCONCLUSIVE


def test_a_committed_transaction_that_is_listed_as_aborted_is_a_contradiction(clusters: Clusters) -> None:
    lied = Log().write(RECORDS[:10]).write(RECORDS[10:20], producer_id=7).mark(7, committed=True)
    lied.write(closed_up(RECORDS[20:], 21))
    lied.aborted.append((7, 10, 20))
    lacking = Log().write(RECORDS[:10]).write(closed_up(RECORDS[20:], 10))
    assert clusters.compare([lied], [lacking]).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("times", [1, 3, 7, None])
def test_an_end_that_is_no_offset_is_no_empty_partition(clusters: Clusters, times: int | None) -> None:
    clusters.left.create([log_of(RECORDS), Log()])
    clusters.right.create([log_of(RECORDS), log_of(numbered(500))])
    clusters.right.fault("lie_high_watermark", api=LIST_OFFSETS, number=-1, partition=1, times=times)
    assert clusters.run().verdict is not Verdict.EQUAL


def test_a_log_start_that_is_no_offset_is_unverified(clusters: Clusters, faulty_side: FakeCluster) -> None:
    faulty_side.fault("lie_log_start", api=LIST_OFFSETS, number=-1)
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"partition_unavailable"}


@pytest.mark.timeout(30)
def test_one_batch_at_a_huge_offset_costs_no_plan(clusters: Clusters) -> None:
    huge = 1 << 52

    def log() -> Log:
        return log_of(RECORDS).skip_to(huge).write([Record(huge, 7, None, b"far")])

    report = clusters.compare([log()], [log()], allow_gaps=True)
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == len(RECORDS) + 1


@pytest.fixture
def faulty_side(clusters: Clusters, side: str) -> FakeCluster:
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS)])
    cluster: FakeCluster = getattr(clusters, side)
    return cluster
