"""Runs at the ends of a log that an allowance must not cover, and some that it must."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kcompare.model import FindingKind, Verdict
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import Clusters, differences
from tests.support.logs import Log, closed_up, heartbeats, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.logs import Record

RECORDS = numbered(3000)
RIGHT = parse_allowance("right")


def with_tail(tail: Sequence[Record]) -> Log:
    return log_of(RECORDS, batch=100).write(closed_up(tail, len(RECORDS)), cuts=range(0, len(tail), 100))


@pytest.mark.parametrize(
    "tail",
    [
        RECORDS[:1],
        RECORDS[:2],
        RECORDS[1:3],
        RECORDS[:600],
        RECORDS[:600] + RECORDS[:600],
        RECORDS[:1200:2],
        RECORDS[-40:],
    ],
    ids=["one", "two", "from the second", "many", "twice", "every second", "the last ones"],
)
def test_a_tail_that_repeats_the_log_is_never_allowed(clusters: Clusters, tail: list[Record]) -> None:
    report = clusters.compare([log_of(RECORDS, batch=100)], [with_tail(tail)], allow_tail=RIGHT)
    assert differences(report) == [FindingKind.DUPLICATED]


@pytest.mark.parametrize("bound", ["right", "right:1h"])
def test_a_mirror_that_started_over_shows_where_the_broker_writes_the_time(clusters: Clusters, bound: str) -> None:
    mirror = Log()
    for start in range(0, 3000, 100):
        mirror.write(RECORDS[start : start + 100], log_append_time=5_000_000 + start)
    for start in range(0, 2000, 100):
        again = closed_up(RECORDS[start : start + 100], 3000 + start)
        mirror.write(again, log_append_time=9_000_000 + start)
    report = clusters.compare([log_of(RECORDS, batch=100)], [mirror], allow_tail=parse_allowance(bound))
    assert differences(report) == [FindingKind.DUPLICATED]


@pytest.mark.parametrize("bound", ["right", "right:10"])
def test_copies_of_aborted_records_are_no_tail(clusters: Clusters, bound: str) -> None:
    aborted = numbered(10, 90, text="aborted")
    source = Log().transaction(numbered(50), committed=True, producer_id=3)
    source.write(closed_up(numbered(40, 50), 51))
    source.transaction(closed_up(aborted, 91), committed=False, producer_id=7)
    copied = log_of(closed_up(numbered(90) + aborted))
    report = clusters.compare([source], [copied], allow_tail=parse_allowance(bound))
    assert differences(report) == [FindingKind.ABORTED_COPIED]


def test_other_records_behind_an_aborted_transaction_are_a_tail(clusters: Clusters) -> None:
    source = log_of(numbered(50)).transaction(numbered(10, 50, text="aborted"), committed=False, producer_id=7)
    # At other offsets: at the same ones these records would lie within the source's bounds, not past them.
    mirror = log_of(closed_up(numbered(50) + numbered(20, 50, text="later"), 1000)).cut_head(1000)
    assert clusters.compare([source], [mirror], allow_tail=RIGHT).verdict is Verdict.EQUAL


def test_one_record_without_a_time_does_not_stretch_the_bound_of_a_head(clusters: Clusters) -> None:
    records = numbered(2000)
    records[1700] = replace(records[1700], timestamp=-1)
    later = Log(1500).write(records[1500:], cuts=range(0, 500, 100))
    report = clusters.compare([log_of(records, batch=100)], [later], allow_head=parse_allowance("left:1s"))
    assert report.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("timestamp", [None, 0], ids=["later", "long ago"])
def test_odd_times_do_not_stretch_the_bound_of_a_tail(clusters: Clusters, timestamp: int | None) -> None:
    records = numbered(500)
    if timestamp is None:
        records[400] = replace(records[400], timestamp=4_000_000_000_000)
    tail = numbered(5000, 500)
    more = tail if timestamp is None else [replace(record, timestamp=timestamp) for record in tail]
    left, right = log_of(records, batch=100), log_of([*records, *more], batch=100)
    report = clusters.compare([left], [right], allow_tail=parse_allowance("right:1s"))
    assert report.verdict is Verdict.DIFFERENT


def test_heartbeats_at_other_offsets_may_go_on(clusters: Clusters) -> None:
    report = clusters.compare([log_of(heartbeats(1000))], [log_of(heartbeats(1005, 10))], allow_tail=RIGHT)
    assert report.verdict is Verdict.EQUAL


def test_an_allowed_head_beside_a_corrupt_batch_is_no_difference(clusters: Clusters) -> None:
    def mirror() -> Log:
        shifted = closed_up(RECORDS[100:], 5000)
        return Log(5000).write(shifted, cuts=range(0, len(shifted), 100)).cut_head(5000)

    left = parse_allowance("left")
    assert clusters.compare([log_of(RECORDS)], [mirror()], allow_head=left).verdict is Verdict.EQUAL
    damaged = mirror()
    frame = bytearray(damaged.frames[-3])
    frame[100] ^= 1
    damaged.frames[-3] = bytes(frame)
    assert clusters.compare([log_of(RECORDS)], [damaged], allow_head=left).verdict is Verdict.INCONCLUSIVE
