"""How two logs are laid over one another where their records, or their ends, could be so in several ways."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from kcompare.model import Effect, FindingKind, RecordField, Verdict, Where
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import differences, findings, only
from tests.support.logs import Log, Record, closed_up, heartbeats, log_of, numbered
from tests.support.oracle import explained_by_an_allowance, same

if TYPE_CHECKING:
    from kcompare.model import Report
    from tests.support.clusters import Clusters

BASE = numbered(100)
MORE = numbered(130)[100:]


def beats(count: int, start: int = 0) -> Log:
    return Log(start).write(heartbeats(count, start), cuts=range(0, count, 10))


def sided(clusters: Clusters, side: str, short: Log, long: Log, *, tail: str = "", head: str = "") -> Report:
    """Compares with the longer log on ``side``, which SIDE in an allowance stands for."""
    return clusters.compare(
        *(([long], [short]) if side == "left" else ([short], [long])),
        allow_tail=parse_allowance(tail.replace("SIDE", side)) if tail else None,
        allow_head=parse_allowance(head.replace("SIDE", side)) if head else None,
    )


@pytest.mark.parametrize("shift", [1, 500, 990, 997, 998, 999, 1000, 70_000])
@pytest.mark.parametrize("more", [1, 2, 3, 500])
@pytest.mark.parametrize(
    ("tail", "head", "where"),
    [
        ("SIDE", "", Where.TAIL),
        ("SIDE:500", "", Where.TAIL),
        ("both", "both", Where.TAIL),
        ("", "SIDE", Where.HEAD),
        ("", "SIDE:500", Where.HEAD),
        ("", "both", Where.HEAD),
    ],
)
def test_equal_records_are_laid_so_that_what_is_allowed_is_left(
    clusters: Clusters, side: str, shift: int, more: int, tail: str, head: str, where: Where
) -> None:
    report = sided(clusters, side, beats(1000), beats(1000 + more, shift), tail=tail, head=head)
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == 1000
    assert [(found.where, found.records) for found in findings(report)] == [(where, more)]


@pytest.mark.parametrize("shift", [10, 998, 999, 70_000])
def test_equal_records_part_where_the_shorter_log_ends(clusters: Clusters, side: str, shift: int) -> None:
    report = sided(clusters, side, beats(1000), beats(1002, shift))
    assert report.verdict is Verdict.DIFFERENT
    assert [(found.where, found.records) for found in findings(report)] == [(Where.TAIL, 2)]
    first = only(report).first_divergence
    assert first is not None
    assert (getattr(first, f"{side}_offset"), first.fields) == (shift + 1000, ())


@pytest.mark.parametrize("shift", [998, 70_000])
@pytest.mark.parametrize("bound", ["SIDE:1", "OTHER"])
def test_what_is_not_allowed_at_one_end_is_not_allowed_at_the_other(
    clusters: Clusters, side: str, shift: int, bound: str
) -> None:
    text = bound.replace("OTHER", "right" if side == "left" else "left")
    for end in ("tail", "head"):
        report = sided(clusters, side, beats(1000), beats(1002, shift), **{end: text})
        assert report.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("lost", [0, 1, 500, 998])
def test_equal_records_at_the_same_offsets_keep_their_hole(clusters: Clusters, side: str, lost: int) -> None:
    """The offsets say otherwise: nothing is more at an end."""
    kept = heartbeats(1000)
    holed = Log().write(kept[:lost] + kept[lost + 1 :], stop=1000)
    report = sided(clusters, side, holed, beats(1000), tail="both", head="both")
    assert report.verdict is Verdict.DIFFERENT
    assert [(found.where, found.records) for found in findings(report, Effect.DIFFERENCE)] == [(Where.MIDDLE, 1)]


def test_a_head_among_records_that_begin_alike_is_allowed(clusters: Clusters, side: str) -> None:
    """What is more begins as the rest does, so that by content it might stand behind the first records."""
    rest = [replace(record, timestamp=-1, key=b"k", value=b"v%d" % (record.offset // 3)) for record in BASE]
    long = log_of(closed_up([*rest[:2], *rest], 5000))
    report = sided(clusters, side, log_of(rest), long, head="SIDE:2")
    assert report.verdict is Verdict.EQUAL
    assert [(found.where, found.records) for found in findings(report)] == [(Where.HEAD, 2)]


@pytest.mark.parametrize("shift", [0, 1000])
@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_hole_with_little_behind_it_is_one_run(clusters: Clusters, side: str, shift: int, behind: int) -> None:
    records = numbered(9)
    holed = closed_up([*records[:3], *records[7:]], shift)
    more = numbered(9 + behind)
    report = sided(clusters, side, log_of(holed), log_of(closed_up(more, 40_000)))
    only_here = FindingKind.ONLY_LEFT if side == "left" else FindingKind.ONLY_RIGHT
    found = [(one.kind, one.where, one.records) for one in findings(report)]
    assert found == [(only_here, Where.MIDDLE, 4), (only_here, Where.TAIL, behind)][: 1 + bool(behind)]


@pytest.mark.parametrize("shift", [0, 1000])
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"value": b"other"}, RecordField.VALUE),
        ({"key": None}, RecordField.KEY),
        ({"timestamp": 7}, RecordField.TIMESTAMP),
        ({"headers": ((b"h", None),)}, RecordField.HEADERS),
    ],
)
def test_a_changed_last_record_before_a_tail_is_a_change(
    clusters: Clusters, side: str, shift: int, changed: dict[str, object], field: RecordField
) -> None:
    short = log_of([*BASE[:-1], replace(BASE[-1], **changed)])  # type: ignore[arg-type]
    report = sided(clusters, side, short, log_of(closed_up([*BASE, *MORE], shift)), tail="SIDE:30")
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report) == [FindingKind.CHANGED]
    (change,) = findings(report, Effect.DIFFERENCE)
    assert (change.records, change.fields) == (1, (field,))
    (tail,) = findings(report, Effect.ALLOWED)
    assert (tail.where, tail.records) == (Where.TAIL, 30)
    first = only(report).first_divergence
    assert first is not None
    assert first.fields == (field,)
    assert {first.left_offset, first.right_offset} == {99, 99 + shift}
    assert only(report).compared_records == 100


@pytest.mark.parametrize("shift", [0, 1000])
def test_two_histories_are_no_change_before_a_tail(clusters: Clusters, side: str, shift: int) -> None:
    one = Record(99, 7, b"other", b"other")
    report = sided(clusters, side, log_of([*BASE[:-1], one]), log_of(closed_up([*BASE, *MORE], shift)), tail="SIDE")
    assert report.verdict is Verdict.DIFFERENT
    assert FindingKind.CHANGED not in differences(report)
    assert not findings(report, Effect.ALLOWED)


@pytest.mark.parametrize("seed", range(40))
def test_an_allowance_grants_what_the_oracle_grants(clusters: Clusters, seed: int) -> None:
    """Few values without times, at other offsets: EQUAL exactly if the longer log begins, or ends, with the other."""
    rng = Random(seed)
    values = rng.choice(([b"a"], [b"a", b"b"], [b"a", b"a", b"a", b"b"]))
    kept = [Record(0, -1, None, rng.choice(values)) for _ in range(rng.randrange(3, 300))]
    extra = [Record(0, -1, None, rng.choice(values)) for _ in range(rng.randrange(1, 5))]
    long = rng.choice((kept + extra, extra + kept, kept[:2] + extra + kept[2:]))
    left, right = closed_up(kept), closed_up(long, rng.choice((len(kept) - 2, len(kept) - 1, 90_000)))
    for end in ("head", "tail"):
        report = sided(clusters, "right", log_of(left), log_of(right, batch=7), **{end: "right"})
        expected = explained_by_an_allowance(left, right, Where(end))
        if report.verdict is Verdict.EQUAL:
            assert expected
        elif expected:
            # A repetition is never granted.
            assert differences(report) == [FindingKind.DUPLICATED]
    assert not same(left, right)


def valued(values: str, offsets: list[int]) -> list[Record]:
    return [Record(offset, 1_000_000, b"k", value.encode()) for value, offset in zip(values, offsets, strict=True)]


@pytest.mark.parametrize(
    ("long", "short", "at"),
    [
        ("aab", "ab", 1),
        ("aaab", "aab", 2),
        ("abab", "ab", 2),
        ("abaab", "ab", 2),
        ("xaab", "xab", 2),
        ("ababc", "abc", 2),
    ],
)
@pytest.mark.parametrize("shift", [0, 1000])
def test_the_logs_part_where_they_first_differ_though_their_ends_could_be_laid_over_one_another_earlier(
    clusters: Clusters, side: str, long: str, short: str, at: int, shift: int
) -> None:
    """A checkpoint at the other side's end may show the suffix before anybody has looked at the records in front."""
    # An offset without a record, as a transaction's marker leaves it, so that the sides end at different ones.
    gapped = [0, *range(2, len(long) + 1)]
    longer = Log(0).write(valued(long[:1], gapped[:1])).mark(7, committed=True).write(valued(long[1:], gapped[1:]))
    shorter = log_of(closed_up(valued(short, list(range(len(short)))), shift))
    report = sided(clusters, side, shorter, longer)
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    other = "right" if side == "left" else "left"
    assert getattr(first, f"{side}_offset") == gapped[at]
    assert getattr(first, f"{other}_offset") == (shift + at if at < len(short) else None)


@pytest.mark.parametrize("epochs", [(3, 3), (3, 4)])
def test_a_slice_that_begins_where_the_logs_part_is_no_fork(
    clusters: Clusters, side: str, epochs: tuple[int, int]
) -> None:
    """Only a leader epoch that begins there on one side alone is."""
    records = numbered(20, 65_530)
    long = Log(65_530).write(records[:6], leader_epoch=epochs[0])
    long.write(records[6:], cuts=range(1, 14), leader_epoch=epochs[1])
    other = numbered(7, 65_530)
    other[6] = replace(other[6], key=b"x", value=b"x", timestamp=7)
    short = Log(65_530).write(other, leader_epoch=3)
    report = sided(clusters, side, short, long)
    assert (FindingKind.FORKED in differences(report)) == (epochs[0] != epochs[1])
