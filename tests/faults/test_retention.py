"""Retention that moves while a log is read: allowed where the other side may hold more, otherwise unverified."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.model import Effect, FindingKind, OffsetRange, Reason, Side, Verdict, Where
from kcompare.settings.allowances import parse_allowance
from kcompare.settings.ranges import parse_range
from tests.support.clusters import FakeCluster, findings, only, reasons, run, topic_id
from tests.support.hooks import Hooks, install
from tests.support.logs import Log, closed_up, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.model import Finding, PartitionReport, Report, SideCoverage, Slice, View
    from tests.support.clusters import Clusters
    from tests.support.logs import Record

CELL = 65_536
RECORDS = numbered(200)
SPARSE = [record.at(place) for record, place in zip(RECORDS, range(0, 200 * 5000, 5000), strict=True)]
"""Over sixteen cells, so that the plan has several slices."""


def retain(cluster: FakeCluster, offset: int) -> None:
    cluster.store.set_log_start_offset(topic="t", partition=0, offset=offset)


def other_of(side: str) -> str:
    return "right" if side == "left" else "left"


def ledger(found: PartitionReport, side: str) -> SideCoverage:
    covered: SideCoverage | None = getattr(found, side)
    assert covered is not None
    return covered


def of(report: Report, reason: Reason) -> list[Finding]:
    return [found for found in findings(report) if found.reason is reason]


def compared(
    clusters: Clusters,
    monkeypatch: pytest.MonkeyPatch,
    side: str,
    starts: Sequence[int],
    *,
    mine: Log | None = None,
    others: Log | None = None,
    **options: Any,
) -> Report:
    """Compares while retention moves on ``side``: before the first slice, and before each that starts at a move."""
    moving: FakeCluster = getattr(clusters, side)
    still: FakeCluster = getattr(clusters, other_of(side))
    moving.create([mine or log_of(RECORDS)])
    still.create([others or log_of(RECORDS, batch=17)])
    left = list(starts)

    def before(view: View, piece: Slice) -> None:
        if view.bootstrap[0][1] == moving.broker.port and left and piece.range.start in {0, *starts}:
            retain(moving, left.pop(0))

    install(monkeypatch, Hooks(before_read=before))
    for name in ("allow_head", "allow_tail"):
        if name in options:
            text = options[name].replace("OTHER", other_of(side)).replace("SIDE", side)
            options[name] = parse_allowance(text)
    return clusters.run(workers=1, **options)


@pytest.mark.parametrize("bound", ["OTHER", "both", "OTHER:55", "OTHER:550ms"])
def test_retention_during_the_run_is_allowed_where_the_other_side_may_hold_more(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, bound: str
) -> None:
    report = compared(clusters, monkeypatch, side, [55], allow_head=bound)
    found = only(report)
    assert report.verdict is Verdict.EQUAL
    assert found.compared_records == 145
    assert found.offsets.shift == 0
    (moved,) = of(report, Reason.RETENTION_DURING_RUN)
    assert (moved.kind, moved.effect, moved.side) == (FindingKind.UNVERIFIED, Effect.ALLOWED, Side(side))
    assert getattr(moved, side) == OffsetRange(0, 55)
    assert getattr(moved, other_of(side)) is None
    (head,) = [one for one in findings(report, Effect.ALLOWED) if one is not moved]
    assert (head.where, head.records) == (Where.HEAD, 55)
    assert ledger(found, side).planned == OffsetRange(55, 200)
    assert (ledger(found, side).covered_offsets, ledger(found, side).uncovered_offsets) == (145, 0)
    assert ledger(found, other_of(side)).allowed_offsets == 55


@pytest.mark.parametrize("bound", ["OTHER:54", "OTHER:540ms"])
def test_the_head_that_retention_leaves_has_the_same_bound(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, bound: str
) -> None:
    report = compared(clusters, monkeypatch, side, [55], allow_head=bound)
    assert report.verdict is Verdict.DIFFERENT
    assert [(one.where, one.records) for one in findings(report, Effect.DIFFERENCE)] == [(Where.HEAD, 55)]


@pytest.mark.parametrize("options", [{}, {"allow_head": "SIDE"}, {"allow_tail": "both"}])
def test_otherwise_the_range_is_lost_and_the_rest_is_read(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, options: dict[str, Any]
) -> None:
    report = compared(clusters, monkeypatch, side, [55], **options)
    assert report.verdict is Verdict.INCONCLUSIVE
    (lost,) = of(report, Reason.LOST_TO_RETENTION)
    assert getattr(lost, side) == OffsetRange(0, 55)
    found = ledger(only(report), side)
    assert (found.planned, found.covered_offsets, found.uncovered_offsets) == (OffsetRange(0, 200), 145, 55)


def test_a_change_behind_the_lost_range_is_found(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    changed = list(RECORDS)
    changed[120] = replace(changed[120], value=b"changed")
    report = compared(clusters, monkeypatch, side, [55], mine=log_of(changed), allow_head="OTHER")
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (120, 120)
    assert [one.kind for one in findings(report, Effect.DIFFERENCE)] == [FindingKind.CHANGED]


@pytest.mark.parametrize("start", [400_001, 6 * CELL])
def test_what_lies_behind_a_lost_range_is_compared(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, start: int
) -> None:
    changed = list(SPARSE)
    changed[140] = replace(changed[140], value=b"changed")
    logs = [Log().write(records, cuts=range(200), stop=1_000_000) for records in (changed, SPARSE)]
    report = compared(clusters, monkeypatch, side, [start], mine=logs[0], others=logs[1])
    assert report.verdict is Verdict.DIFFERENT
    assert "lost_to_retention" in reasons(report)
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (700_000, 700_000)


@pytest.mark.parametrize("at", [55, 56, 199])
def test_a_record_lost_behind_the_new_start_is_no_head(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, at: int
) -> None:
    holed = Log().write(RECORDS[:at] + RECORDS[at + 1 :], stop=200)
    report = compared(clusters, monkeypatch, side, [55], mine=holed, allow_head="both", allow_tail="both")
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    assert getattr(first, f"{other_of(side)}_offset") == at


def test_retention_that_moves_again_is_followed(clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    report = compared(clusters, monkeypatch, side, [40, 55, 70], allow_head="OTHER")
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == 130
    (moved,) = of(report, Reason.RETENTION_DURING_RUN)
    assert getattr(moved, side) == OffsetRange(0, 70)


def test_retention_that_never_rests_ends_the_run_all_the_same(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    report = compared(clusters, monkeypatch, side, range(10, 200, 10), allow_head="OTHER")
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "lost_to_retention" in reasons(report)


@pytest.mark.parametrize("allow_empty", [False, True])
def test_a_side_that_lost_everything_compares_nothing(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, *, allow_empty: bool
) -> None:
    report = compared(clusters, monkeypatch, side, [200], allow_head="OTHER", allow_empty=allow_empty)
    if allow_empty:
        assert report.verdict is Verdict.EQUAL
        assert only(report).compared_records == 0
    else:
        assert report.verdict is Verdict.INCONCLUSIVE
        assert reasons(report) == {"nothing_compared"}


@pytest.mark.parametrize("shift", [1000, 70_000])
def test_a_mirror_at_other_offsets_keeps_what_retention_took(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, shift: int
) -> None:
    mirror = log_of(closed_up(RECORDS, shift))
    report = compared(clusters, monkeypatch, side, [55], others=mirror, allow_head="OTHER:55")
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == 145


@pytest.mark.parametrize("start", [CELL, 7 * CELL, 400_000, 400_001, 405_000, 995_000])
@pytest.mark.parametrize("head", ["OTHER", None])
def test_slices_below_the_new_start_are_lost_and_the_one_that_it_cuts_is_read(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, start: int, head: str | None
) -> None:
    def sparse(cuts: int) -> Log:
        return Log().write(SPARSE, cuts=range(0, 200, cuts), stop=1_000_000)

    options: dict[str, Any] = {"allow_head": head} if head else {}
    report = compared(clusters, monkeypatch, side, [start], mine=sparse(1), others=sparse(3), **options)
    kept = sum(record.offset >= start for record in SPARSE)
    found = ledger(only(report), side)
    if head is None:
        assert report.verdict is Verdict.INCONCLUSIVE
        assert (found.uncovered_offsets, found.records) == (start, kept)
        return
    assert report.verdict is Verdict.EQUAL
    assert found.planned == OffsetRange(start, 1_000_000)
    assert only(report).compared_records == found.records == kept


@pytest.mark.parametrize("again", [2, 55])
def test_a_repetition_is_no_head_that_retention_left(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, again: int
) -> None:
    """The other side holds, before what is left here, records that come again behind it."""
    repeated: list[Record] = closed_up(RECORDS[100 : 100 + again] + RECORDS[again:])
    report = compared(clusters, monkeypatch, side, [55], others=log_of(repeated), allow_head="OTHER")
    assert report.verdict is Verdict.DIFFERENT
    assert FindingKind.DUPLICATED in {found.kind for found in findings(report, Effect.DIFFERENCE)}


def test_without_topic_ids_what_retention_left_is_held_to_its_records(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another topic of that name may have been put in its place when retention had moved."""
    with FakeCluster("old", max_versions={3: 9, 1: 12}) as old:
        old.create([log_of(RECORDS)])
        clusters.right.create([log_of(RECORDS)])
        left = [55]

        def before(view: View, _: Slice) -> None:
            if view.bootstrap[0][1] == old.broker.port and left:
                retain(old, left.pop())

        def refill(view: View) -> None:
            if view.bootstrap[0][1] == old.broker.port:
                old.store.recreate_topic(name="t", topic_id=topic_id())
                log_of([replace(record, value=b"other") for record in RECORDS]).store(old.store, "t", 0)
                retain(old, 55)

        options: dict[str, Any] = {"allow_head": parse_allowance("right"), "workers": 1}
        install(monkeypatch, Hooks(before_read=before))
        assert run(old.view(), clusters.right.view(), **options).verdict is Verdict.EQUAL
        monkeypatch.undo()
        old.store.delete_topic(name="t")
        old.create([log_of(RECORDS)])
        left.append(55)
        install(monkeypatch, Hooks(before_read=before, before_check=refill))
        report = run(old.view(), clusters.right.view(), **options)
        assert report.verdict is Verdict.INCONCLUSIVE
        assert "topic_recreated" in reasons(report)


def test_a_log_start_that_only_the_fetch_tells_of_allows_nothing(clusters: Clusters, side: str) -> None:
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS)])
    getattr(clusters, side).fault("lie_log_start", number=300)
    report = clusters.run(allow_head=parse_allowance("both"), allow_tail=parse_allowance("both"), allow_empty=True)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "lost_to_retention" in reasons(report)


@pytest.mark.parametrize(
    ("bound", "equal"),
    [
        ("both", True),
        ("both:60", True),
        ("both:59", False),
        ("both:5", False),
        ("both:1h", False),
        ("both:@2026-11-01T00:00:00Z", False),
        ("left", False),
        ("right", False),
    ],
)
def test_what_retention_took_from_both_sides_has_the_bound_of_a_head(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, bound: str, *, equal: bool
) -> None:
    """Nobody has read these records, and they may have been other ones: only their offsets can be counted."""
    clusters.left.create([log_of([replace(record, value=b"other") for record in RECORDS[:55]] + RECORDS[55:])])
    clusters.right.create([log_of(RECORDS)])
    starts = {clusters.left.broker.port: 55, clusters.right.broker.port: 60}

    def before(view: View, _: Slice) -> None:
        start = starts.pop(view.bootstrap[0][1], None)
        if start is not None:
            retain(clusters.left if start == 55 else clusters.right, start)

    install(monkeypatch, Hooks(before_read=before))
    report = clusters.run(workers=1, allow_head=parse_allowance(bound))
    if equal:
        assert report.verdict is Verdict.EQUAL
        assert only(report).compared_records == 140
        assert len(of(report, Reason.RETENTION_DURING_RUN)) == 2
    else:
        assert report.verdict is Verdict.INCONCLUSIVE
        assert of(report, Reason.LOST_TO_RETENTION)


@pytest.mark.parametrize("bound", ["both", "SIDE", "SIDE:10"])
def test_a_side_that_retention_has_overtaken_may_go_on_at_its_end(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str, bound: str
) -> None:
    """Its tail is tested for repetition against what is left of it, not against what is gone."""
    mine = log_of(numbered(210))
    report = compared(clusters, monkeypatch, side, [55], mine=mine, allow_head="OTHER", allow_tail=bound)
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == 145


def test_retention_below_a_range_leaves_an_allowed_tail_untested(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    """What the tail might repeat is gone, so that nobody can say that it is one, and nobody that it is not."""
    options: dict[str, Any] = {"left_range": parse_range("100:"), "right_range": parse_range("100:")}
    for more, allowed, verdict in (
        (10, "SIDE", Verdict.INCONCLUSIVE),
        (10, "SIDE:9", Verdict.DIFFERENT),
        (10, "OTHER", Verdict.DIFFERENT),
        (0, "SIDE", Verdict.EQUAL),
    ):
        mine = log_of(numbered(200 + more))
        moving: FakeCluster = getattr(clusters, side)
        still: FakeCluster = getattr(clusters, other_of(side))
        moving.create([mine])
        still.create([log_of(RECORDS)])

        def retained(view: View, _: Slice, moving: FakeCluster = moving) -> None:
            if view.bootstrap[0][1] == moving.broker.port:
                retain(moving, 50)

        with monkeypatch.context() as patched:
            install(patched, Hooks(before_read=retained))
            text = allowed.replace("OTHER", other_of(side)).replace("SIDE", side)
            report = clusters.run(workers=1, allow_tail=parse_allowance(text), **options)
        assert report.verdict is verdict
        assert reasons(report) == ({"not_tested"} if verdict is Verdict.INCONCLUSIVE else set())
        for cluster in (moving, still):
            cluster.store.delete_topic(name="t")
