"""Runs at the ends of a log that an allowance must not cover, and some that it must."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kcompare.model import Effect, FindingKind, Verdict, Where
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import Clusters, differences, findings, only
from tests.support.logs import Log, closed_up, heartbeats, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.model import Report
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


def by_broker(start_ms: int, *parts: Sequence[Record]) -> Log:
    """The parts one after the other, with the broker's times, which always go on."""
    log = Log()
    records = closed_up([record for part in parts for record in part])
    for index in range(0, len(records), 100):
        log.write(records[index : index + 100], log_append_time=start_ms + index)
    return log


def sided(clusters: Clusters, side: str, short: Log, long: Log, *, tail: str = "", head: str = "") -> Report:
    """Compares with the longer log on ``side``, which SIDE in an allowance stands for."""
    return clusters.compare(
        *(([long], [short]) if side == "left" else ([short], [long])),
        allow_tail=parse_allowance(tail.replace("SIDE", side)) if tail else None,
        allow_head=parse_allowance(head.replace("SIDE", side)) if head else None,
    )


@pytest.mark.parametrize("bound", ["", "SIDE", "SIDE:5000", "SIDE:1h", "both"])
@pytest.mark.parametrize(("again", "times"), [(600, 1), (600, 2), (2, 2), (3000, 1)])
def test_a_mirror_that_started_over_shows_with_times_of_the_broker_on_both_sides(
    clusters: Clusters, side: str, bound: str, again: int, times: int
) -> None:
    long = by_broker(6_000_000, RECORDS, *[RECORDS[:again]] * times)
    report = sided(clusters, side, by_broker(5_000_000, RECORDS), long, tail=bound)
    assert differences(report) == [FindingKind.DUPLICATED]
    assert only(report).compared_records == 3000


@pytest.mark.parametrize("bound", ["SIDE:5000", "SIDE:1h", "both"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_mirror_that_started_over_and_over_is_never_within_a_bound(
    clusters: Clusters, side: str, bound: str, times: int
) -> None:
    report = sided(clusters, side, log_of(RECORDS, batch=100), with_tail(RECORDS[:600] * times), tail=bound)
    assert differences(report) == [FindingKind.DUPLICATED]
    assert [found.records for found in findings(report, Effect.DIFFERENCE)] == [600 * times]


@pytest.mark.parametrize(
    ("timestamp", "first", "last"),
    [
        (4_000_000_000_000, 499, 499),
        (4_000_000_000_000, 900, 900),
        (-1, 499, 499),
        (-1, 900, 900),
        (-1, 500, 5499),
        (0, 500, 500),
        (0, 500, 5499),
    ],
)
def test_no_timestamp_stretches_the_bound_of_a_tail(
    clusters: Clusters, side: str, timestamp: int, first: int, last: int
) -> None:
    records = [replace(r, timestamp=timestamp) if first <= r.offset <= last else r for r in numbered(5500)]
    long = log_of(records, batch=100)
    report = sided(clusters, side, log_of(records[:500], batch=100), long, tail="SIDE:10s")
    assert report.verdict is Verdict.DIFFERENT
    assert [(found.where, found.records) for found in findings(report)] == [(Where.TAIL, 5000)]


@pytest.mark.parametrize("at", [500, 900, 5499])
def test_a_tail_with_a_record_without_a_time_cannot_be_measured(clusters: Clusters, side: str, at: int) -> None:
    records = [replace(r, timestamp=-1) if r.offset == at else r for r in numbered(5500)]
    report = sided(clusters, side, log_of(records[:500]), log_of(records, batch=100), tail="SIDE:1h")
    assert report.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("timestamp", "at"), [(-1, 0), (-1, 1499), (-1, 1500), (0, 0), (0, 1499), (4_000_000_000_000, 700)]
)
def test_no_timestamp_stretches_the_bound_of_a_head(clusters: Clusters, side: str, timestamp: int, at: int) -> None:
    records = [replace(r, timestamp=timestamp) if r.offset == at else r for r in numbered(2000)]
    short = Log(1500).write(records[1500:], cuts=range(0, 500, 100))
    report = sided(clusters, side, short, log_of(records, batch=100), head="SIDE:1s")
    assert report.verdict is Verdict.DIFFERENT
    assert [(found.where, found.records) for found in findings(report)] == [(Where.HEAD, 1500)]


@pytest.mark.parametrize("shift", [0, 10, 990])
@pytest.mark.parametrize("more", [1, 5, 500])
@pytest.mark.parametrize("bound", ["SIDE", "SIDE:500", "both"])
def test_heartbeats_that_are_shifted_and_more_are_an_allowed_tail(
    clusters: Clusters, side: str, shift: int, more: int, bound: str
) -> None:
    """By offset they leave a head here and a tail there; by ordinal each has its counterpart."""
    long = Log(shift).write(heartbeats(1000 + more, shift), cuts=range(0, 1000 + more, 10))
    report = sided(clusters, side, log_of(heartbeats(1000)), long, tail=bound)
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == 1000
    assert [(found.where, found.records) for found in findings(report)] == [(Where.TAIL, more)]
