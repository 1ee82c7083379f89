"""What one side may hold more, and what never passes as that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kcompare.model import Effect, FindingKind, Verdict, Where
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import differences, findings, only, reasons
from tests.support.logs import Log, Record, closed_up, heartbeats, log_of, numbered

if TYPE_CHECKING:
    from kcompare.model import Report
    from tests.support.clusters import Clusters

BASE = numbered(100)
STEP_MS = BASE[1].timestamp - BASE[0].timestamp
MORE = numbered(130)[100:]


def compared(clusters: Clusters, side: str, short: Log, long: Log, tail: str | None, head: str | None = None) -> Report:
    """Compares with the longer log on ``side``; SIDE in an allowance is replaced by it."""
    logs = ([long], [short]) if side == "left" else ([short], [long])
    return clusters.compare(
        *logs,
        allow_tail=parse_allowance(tail.replace("SIDE", side)) if tail else None,
        allow_head=parse_allowance(head.replace("SIDE", side)) if head else None,
    )


@pytest.mark.parametrize(
    "bound",
    [
        "SIDE",
        "both",
        "SIDE:30",
        f"SIDE:{30 * STEP_MS}ms",
        "SIDE:@1970-01-01T00:16:41Z",
    ],
)
def test_a_tail_within_its_bound_is_allowed(clusters: Clusters, side: str, bound: str) -> None:
    assert MORE[0].timestamp == 1_001_000
    report = compared(clusters, side, log_of(BASE), log_of([*BASE, *MORE]), bound)
    assert report.verdict is Verdict.EQUAL
    found = only(report)
    assert found.compared_records == 100
    (tail,) = findings(report, Effect.ALLOWED)
    assert (tail.where, tail.records) == (Where.TAIL, 30)
    ledger = found.left if side == "left" else found.right
    assert ledger is not None
    assert ledger.allowed_offsets == 30


@pytest.mark.parametrize(
    "bound",
    [
        None,
        "OTHER",
        "SIDE:29",
        "SIDE:0",
        f"SIDE:{30 * STEP_MS - 1}ms",
        "SIDE:@1970-01-01T00:16:41.001Z",
    ],
)
def test_a_tail_past_its_bound_is_a_difference(clusters: Clusters, side: str, bound: str | None) -> None:
    other = "right" if side == "left" else "left"
    text = bound.replace("OTHER", other) if bound else None
    report = compared(clusters, side, log_of(BASE), log_of([*BASE, *MORE]), text)
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    wanted = (100, None) if side == "left" else (None, 100)
    assert (first.left_offset, first.right_offset) == wanted


@pytest.mark.parametrize("again", [1, 2, 3, 4, 5, 50, 100])
@pytest.mark.parametrize("shift", [0, 1000])
def test_a_mirror_that_started_over_is_no_tail(clusters: Clusters, side: str, again: int, shift: int) -> None:
    long = closed_up([*BASE, *BASE[:again]], shift)
    report = compared(clusters, side, log_of(BASE), log_of(long), "SIDE")
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report) == [FindingKind.DUPLICATED]


@pytest.mark.parametrize("again", [1, 2, 5, 50])
@pytest.mark.parametrize("shift", [0, 1000])
def test_a_mirror_that_repeats_its_last_records_is_no_tail(
    clusters: Clusters, side: str, again: int, shift: int
) -> None:
    long = closed_up([*BASE, *BASE[-again:]], shift)
    report = compared(clusters, side, log_of(BASE), log_of(long), "SIDE")
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report) == [FindingKind.DUPLICATED]


def test_a_mirror_that_started_over_and_went_on_is_no_tail(clusters: Clusters, side: str) -> None:
    long = closed_up([*BASE, *BASE, *MORE])
    report = compared(clusters, side, log_of(BASE), log_of(long), "SIDE")
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report) == [FindingKind.DUPLICATED]


@pytest.mark.parametrize("base", [2, 3, 100])
@pytest.mark.parametrize("more", [1, 2, 3, 50])
@pytest.mark.parametrize("shift", [0, 1000])
def test_repeated_traffic_without_times_may_be_a_tail(clusters: Clusters, base: int, more: int, shift: int) -> None:
    """Records that are all the same say nothing about which of them came twice."""
    report = compared(clusters, "right", log_of(heartbeats(base)), log_of(heartbeats(base + more, shift)), "SIDE")
    assert report.verdict is Verdict.EQUAL, differences(report)


def test_heartbeats_with_times_may_be_a_tail(clusters: Clusters, side: str) -> None:
    beats = [Record(offset, 1000 * offset, None, b"tick") for offset in range(150)]
    report = compared(clusters, side, log_of(beats[:100]), log_of(beats), "SIDE:50")
    assert report.verdict is Verdict.EQUAL


@pytest.mark.parametrize("at", [0, 50, 99])
def test_a_record_lost_within_the_bounds_is_no_tail(clusters: Clusters, side: str, at: int) -> None:
    """The side that may be shorter ends where the other does: what it lacks is a loss, also right before its end."""
    lost = Log(0).write(BASE[:at] + BASE[at + 1 :], stop=100)
    report = compared(clusters, side, lost, log_of(BASE), "both", "both")
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    assert getattr(first, f"{side}_offset") == at


@pytest.mark.parametrize("at", [0, 50, 99])
def test_a_tail_does_not_excuse_a_change_before_it(clusters: Clusters, side: str, at: int) -> None:
    changed = list(BASE)
    changed[at] = Record(at, changed[at].timestamp, b"other", changed[at].value)
    report = compared(clusters, side, log_of(changed), log_of([*BASE, *MORE]), "SIDE")
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (at, at)


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        ("SIDE", Verdict.EQUAL),
        ("SIDE:40", Verdict.EQUAL),
        ("SIDE:39", Verdict.DIFFERENT),
        (f"SIDE:{40 * STEP_MS}ms", Verdict.EQUAL),
        (f"SIDE:{40 * STEP_MS - 1}ms", Verdict.DIFFERENT),
        (None, Verdict.DIFFERENT),
    ],
)
def test_a_head_is_bounded_like_a_tail(clusters: Clusters, side: str, head: str | None, verdict: Verdict) -> None:
    report = compared(clusters, side, log_of(BASE).cut_head(40), log_of(BASE), None, head)
    assert report.verdict is verdict
    if verdict is Verdict.EQUAL:
        assert only(report).compared_records == 60


@pytest.mark.parametrize("allow", [None, "SIDE", "OTHER"])
def test_an_empty_side_is_never_a_tail(clusters: Clusters, side: str, allow: str | None) -> None:
    other = "right" if side == "left" else "left"
    text = allow.replace("OTHER", other) if allow else None
    report = compared(clusters, side, log_of([]), log_of(BASE), text)
    if allow == "SIDE":
        assert report.verdict is Verdict.INCONCLUSIVE
        assert reasons(report) == {"nothing_compared"}
    else:
        assert report.verdict is Verdict.DIFFERENT


def test_an_empty_side_beside_a_full_partition_is_no_tail(clusters: Clusters) -> None:
    report = clusters.compare(
        [log_of(BASE), log_of([])], [log_of(BASE), log_of(MORE)], allow_tail=parse_allowance("right")
    )
    assert report.verdict is Verdict.INCONCLUSIVE
    empty = clusters.compare(
        [log_of(BASE), log_of([])],
        [log_of(BASE), log_of(MORE)],
        allow_tail=parse_allowance("right"),
        allow_empty=True,
    )
    assert empty.verdict is Verdict.EQUAL


@pytest.mark.parametrize("allow_empty", [False, True])
def test_two_empty_topics_are_equal_only_on_request(clusters: Clusters, *, allow_empty: bool) -> None:
    report = clusters.compare([log_of([]), log_of([])], [log_of([]), log_of([])], allow_empty=allow_empty)
    assert report.verdict is (Verdict.EQUAL if allow_empty else Verdict.INCONCLUSIVE)
    assert report.exit_code == (0 if allow_empty else 3)


def test_a_log_of_markers_alone_compares_nothing(clusters: Clusters) -> None:
    aborted = Log(0).transaction(numbered(20), committed=False)
    report = clusters.compare([aborted], [aborted])
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 3


@pytest.mark.parametrize("allow", [False, True])
def test_a_hole_without_a_cause_is_unverified_unless_allowed(clusters: Clusters, *, allow: bool) -> None:
    holed = Log(0).write(BASE[:50], cuts=[20])
    holed.skip_to(70).write(BASE[70:], cuts=[10])
    report = clusters.compare([holed], [holed], allow_gaps=allow)
    assert report.verdict is (Verdict.EQUAL if allow else Verdict.INCONCLUSIVE)
    left = only(report).left
    assert left is not None
    assert left.gap_offsets.unexplained == 20
