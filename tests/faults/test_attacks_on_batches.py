"""Batches that once passed as equal, or cost a planner its memory: nothing here may be EQUAL."""

from __future__ import annotations

import gzip
import resource
import struct
import zlib
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import google_crc32c
import pytest

from kcompare import _native
from kcompare.model import Verdict
from tests.support.clusters import LIST_OFFSETS, Clusters, FakeCluster, only, reasons
from tests.support.logs import CODECS, Log, Record, closed_up, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def two(clusters: Clusters, side: str, odd: Log, sound: Log) -> Report:
    return clusters.compare(*(([odd], [sound]) if side == "left" else ([sound], [odd])))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("junk", [b"\x00", b"\xff" * 500], ids=["a zero", "much"])
@pytest.mark.parametrize("at", [0, 20])
def test_junk_is_seen_in_any_batch_of_any_codec(
    clusters: Clusters, side: str, at: int, junk: bytes, codec: str
) -> None:
    (frame,) = log_of(RECORDS[at : at + 10], codecs=[codec]).frames
    odd = Log().write(RECORDS[:at]).append(resealed(frame + junk), at + 10).write(RECORDS[at + 10 :])
    report = two(clusters, side, odd, log_of(RECORDS))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "corrupt_batch" in reasons(report)


def message(offset: int, timestamp: int, value: bytes, attributes: int = 0) -> bytes:
    """A message of format v1."""
    body = struct.pack(">bbqii", 1, attributes, timestamp, -1, len(value)) + value
    whole = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", offset, len(whole)) + whole


def wrapper(first: int, values: Sequence[bytes]) -> bytes:
    """A compressed message of format v1 with messages inside, whose offsets count from the first one."""
    inner = b"".join(message(index, 1000 + first + index, value) for index, value in enumerate(values))
    return message(first + len(values) - 1, 1000, gzip.compress(inner), 1)


@pytest.mark.parametrize("overlap", [False, True])
def test_old_wrappers_that_overlap_are_seen(clusters: Clusters, *, overlap: bool) -> None:
    values = [b"v%d" % index for index in range(20)]
    clusters.left.create([Log()])
    clusters.right.create([log_of([Record(index, 1000 + index, None, value) for index, value in enumerate(values)])])
    second = wrapper(5, [b"OTHER"] * 5 + values[10:15]) if overlap else wrapper(10, values[10:15])
    blob = wrapper(0, values[:10]) + second + wrapper(15, values[15:])
    clusters.left.store.append_unchecked(topic="t", partition=0, data=blob, next_offset=20)
    report = clusters.run()
    assert report.verdict is (Verdict.INCONCLUSIVE if overlap else Verdict.EQUAL)
    assert reasons(report) == ({"corrupt_batch"} if overlap else set())


@pytest.mark.parametrize("committed", [True, False])
def test_a_marker_explains_its_own_offset_only(clusters: Clusters, side: str, *, committed: bool) -> None:
    marker = bytearray(_native.encode_marker(offset=30, timestamp=5, producer_id=9, committed=committed))
    marker[23:27] = struct.pack(">i", 999)
    report = two(clusters, side, log_of(RECORDS).append(resealed(marker), 1030), log_of(RECORDS))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"unexplained_gap"}
    gaps = getattr(only(report), side).gap_offsets
    assert (gaps.control, gaps.unexplained) == (1, 999)


@contextmanager
def little_memory(more: int = 2 << 30) -> Iterator[None]:
    """Lets this process take so many bytes more and no others: a plan without a bound fails at once."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("far", [1 << 40, 1 << 52])
def test_a_hole_up_to_a_far_offset_costs_neither_time_nor_memory(clusters: Clusters, side: str, far: int) -> None:
    odd = Log().write(RECORDS[:10]).skip_to(far).write(closed_up(RECORDS[10:], far))
    with little_memory():
        report = two(clusters, side, odd, log_of(RECORDS))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"unexplained_gap"}
    assert report.run.seconds < 15
    assert only(report).compared_records == len(RECORDS)


@pytest.mark.parametrize("empty", [False, True])
def test_a_partition_without_an_end_on_both_sides_is_not_empty(clusters: Clusters, *, empty: bool) -> None:
    clusters.left.create([log_of(RECORDS), Log() if empty else log_of(OTHERS)])
    clusters.right.create([log_of(RECORDS), log_of(numbered(500))])
    for cluster in (clusters.left, clusters.right):
        cluster.fault("lie_high_watermark", api=LIST_OFFSETS, number=-1, partition=1)
    report = clusters.run(allow_empty=True)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 5
    assert reasons(report) == {"partition_unavailable"}
