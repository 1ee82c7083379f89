"""Options that make a comparison milder: each covers what it says, and nothing beside it becomes EQUAL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.errors import UsageError
from kcompare.model import Effect, FindingKind, IsolationLevel, Verdict, Where
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import differences, findings, only, partitions, reasons
from tests.support.logs import Log, closed_up, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.model import Report
    from tests.support.clusters import Clusters
    from tests.support.logs import Record

CELL = 65_536
BASE = numbered(100)
LONG = numbered(130)
BOTH = parse_allowance("both")
EVERYTHING: dict[str, Any] = {"allow_head": BOTH, "allow_tail": BOTH, "allow_gaps": True, "allow_empty": True}
"""As mild as it gets."""

UNCOMMITTED, COMMITTED = IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED


def swapped(clusters: Clusters, side: str, mine: Sequence[Log], others: Sequence[Log], **options: Any) -> Report:
    """Compares with ``mine`` on ``side``."""
    return clusters.compare(*((mine, others) if side == "left" else (others, mine)), **options)


def damaged(log: Log, frame: int) -> Log:
    broken = bytearray(log.frames[frame])
    broken[90] ^= 1
    log.frames[frame] = bytes(broken)
    return log


@pytest.mark.parametrize(("at", "explained"), [(0, True), (1, True), (2, False), (6, False), (None, False)])
def test_a_hole_that_both_sides_share_needs_evidence_nearby(
    clusters: Clusters, at: int | None, *, explained: bool
) -> None:
    def log() -> Log:
        """Full batches; what lies between them has a cause only if one near it lacks records."""
        made = Log().write(closed_up(BASE[:10])).skip_to(20)
        dense = numbered(7 * 1000, 20)
        for cell in range(7):
            part = closed_up(dense[cell * 1000 : (cell + 1) * 1000], max(20, cell * CELL))
            made.skip_to(part[0].offset)
            lacking = part[:500] + part[501:] if cell == at else part
            made.write(lacking)
        return made

    report = clusters.compare([log()], [log()])
    left = only(report).left
    assert left is not None
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"unexplained_gap"}
    # Cells without evidence beside them keep their holes; those beside it have a cause.
    near = set() if at is None else {cell for cell in (at - 1, at, at + 1) if 0 <= cell < 6}
    # The last cell ends with its records; the first has a second hole.
    holes = {cell: CELL - 1000 - (20 if cell == 0 else 0) + (10 if cell == 0 else 0) for cell in range(6)}
    assert left.gap_offsets.unexplained == sum(size for cell, size in holes.items() if cell not in near)
    assert (0 in near) is explained


def test_a_log_with_evidence_all_along_has_no_hole_without_a_cause(clusters: Clusters) -> None:
    def log() -> Log:
        made = Log()
        for cell in range(5):
            part = numbered(100, cell * CELL)
            made.skip_to(part[0].offset).write(part[:50] + part[51:])
        return made

    report = clusters.compare([log()], [log()])
    assert report.verdict is Verdict.EQUAL
    left = only(report).left
    assert left is not None
    assert (left.gap_offsets.unexplained, left.gap_offsets.compacted) == (0, 5 + 4 * (CELL - 100))


@pytest.mark.parametrize("shift", [0, 1000])
def test_allowed_gaps_are_holes_of_both_sides(clusters: Clusters, side: str, shift: int) -> None:
    gap = Log().write(BASE[:50]).skip_to(70).write(BASE[70:])
    report = swapped(clusters, side, [gap], [log_of(closed_up(BASE, shift))], **EVERYTHING)
    assert report.verdict is Verdict.DIFFERENT
    assert sum(found.records for found in findings(report, Effect.DIFFERENCE)) == 20


@pytest.mark.parametrize("gaps", [False, True])
def test_a_log_that_begins_with_a_hole_has_no_shorter_head(clusters: Clusters, side: str, *, gaps: bool) -> None:
    """A first segment that is gone is no retention: the log start lies before it."""
    late = Log().skip_to(40).write(BASE[40:])
    at_once = swapped(clusters, side, [late], [log_of(BASE)], allow_head=BOTH, allow_gaps=gaps)
    assert at_once.verdict is Verdict.DIFFERENT
    elsewhere = swapped(clusters, side, [late], [log_of(closed_up(BASE, 500))], allow_head=BOTH, allow_gaps=gaps)
    assert elsewhere.verdict is (Verdict.EQUAL if gaps else Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("shift", [0, 1000])
@pytest.mark.parametrize("again", [2, 40])
def test_a_head_that_repeats_what_follows_it_is_never_allowed(
    clusters: Clusters, side: str, shift: int, again: int
) -> None:
    """A mirror that began, and then began again from the first record."""
    begun = closed_up([*BASE[:again], *BASE], shift)
    report = swapped(clusters, side, [log_of(begun)], [log_of(closed_up(BASE, shift + again))], **EVERYTHING)
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report) == [FindingKind.DUPLICATED]


def test_a_bound_counts_in_each_partition(clusters: Clusters, side: str) -> None:
    short, long = [log_of(BASE), log_of(BASE)], [log_of(LONG), log_of(LONG)]
    within = swapped(clusters, side, long, short, allow_tail=parse_allowance("both:30"))
    assert within.verdict is Verdict.EQUAL
    past = swapped(clusters, side, [log_of(numbered(131)), log_of(BASE)], short, allow_tail=parse_allowance("both:30"))
    assert [found.verdict for found in partitions(past)] == [Verdict.DIFFERENT, Verdict.EQUAL]


@pytest.mark.parametrize(
    ("head", "verdict"),
    [("@1970-01-01T00:16:40.400Z", Verdict.EQUAL), ("@1970-01-01T00:16:40.390Z", Verdict.DIFFERENT)],
)
def test_a_head_is_older_than_its_time(clusters: Clusters, side: str, head: str, verdict: Verdict) -> None:
    assert BASE[39].timestamp == 1_000_390
    bound = parse_allowance(f"{side}:{head}")
    short = log_of(BASE).cut_head(40)
    assert swapped(clusters, side, [log_of(BASE)], [short], allow_head=bound).verdict is verdict


@pytest.mark.parametrize("shift", [0, 1000])
def test_a_head_here_and_a_tail_there_are_both_allowed_or_neither(clusters: Clusters, side: str, shift: int) -> None:
    """Retention has passed one side, and the other has gone on: only each on its own side is allowed."""
    other = "right" if side == "left" else "left"
    later = log_of(closed_up(LONG[20:], 20 + shift)).cut_head(20 + shift)
    head, tail = parse_allowance(f"{side}:20"), parse_allowance(f"{other}:30")
    good = swapped(clusters, side, [log_of(BASE)], [later], allow_head=head, allow_tail=tail)
    assert good.verdict is Verdict.EQUAL
    assert only(good).compared_records == 80
    for options in ({"allow_head": head}, {"allow_tail": tail}, {"allow_head": tail, "allow_tail": head}):
        assert swapped(clusters, side, [log_of(BASE)], [later], **options).verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("frame", [-1, -2, -3])
def test_an_allowed_tail_is_read_and_checked(clusters: Clusters, side: str, frame: int) -> None:
    report = swapped(clusters, side, [damaged(log_of(LONG), frame)], [log_of(BASE)], **EVERYTHING)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "corrupt_batch" in reasons(report)


@pytest.mark.parametrize("frame", [0, 5, -1])
def test_what_could_not_be_read_is_no_shorter_log(clusters: Clusters, side: str, frame: int) -> None:
    report = swapped(clusters, side, [damaged(log_of(BASE), frame)], [log_of(BASE)], **EVERYTHING)
    assert report.verdict is Verdict.INCONCLUSIVE


def test_a_transaction_that_stays_open_is_no_shorter_log(clusters: Clusters, side: str) -> None:
    clusters.left.create([log_of(BASE)])
    clusters.right.create([log_of(BASE)])
    getattr(clusters, side).store.set_last_stable_offset(topic="t", partition=0, offset=70)
    report = clusters.run(settle_s=0.1, **EVERYTHING)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "open_transaction" in reasons(report)


@pytest.mark.parametrize("committed", [True, False])
def test_isolation_is_that_of_each_side(clusters: Clusters, side: str, *, committed: bool) -> None:
    def log() -> Log:
        made = Log().write(BASE[:50])
        made.transaction(numbered(10, 50), committed=committed)
        return made.write(closed_up(BASE[60:], 61))

    isolation = {f"{side}_isolation": UNCOMMITTED}
    report = clusters.compare([log()], [log()], **isolation, **EVERYTHING)
    assert report.verdict is (Verdict.EQUAL if committed else Verdict.DIFFERENT)
    everything = {"left_isolation": UNCOMMITTED, "right_isolation": UNCOMMITTED}
    assert clusters.compare([log()], [log()], **everything).verdict is Verdict.EQUAL
    assert clusters.compare([log()], [log()]).verdict is Verdict.EQUAL


@pytest.mark.parametrize("isolation", [{}, {"left_isolation": UNCOMMITTED}, {"right_isolation": UNCOMMITTED}])
def test_aborted_records_are_no_tail(clusters: Clusters, isolation: dict[str, IsolationLevel]) -> None:
    """Also where the side that shows them is merely read with other eyes."""

    def log() -> Log:
        return Log().write(BASE).transaction(numbered(10, 100, text="aborted"), committed=False)

    report = clusters.compare([log()], [log()], **isolation, **EVERYTHING)
    if isolation:
        assert report.verdict is Verdict.DIFFERENT
        assert not findings(report, Effect.ALLOWED)
    else:
        assert report.verdict is Verdict.EQUAL


@pytest.mark.parametrize("end", ["allow_head", "allow_tail"])
def test_a_side_of_aborted_records_alone_compares_nothing(clusters: Clusters, side: str, end: str) -> None:
    aborted = Log().transaction(numbered(20), committed=False)
    report = swapped(clusters, side, [aborted], [log_of(closed_up(LONG[50:]))], **{end: BOTH})
    assert report.verdict is not Verdict.EQUAL
    assert reasons(report) == ({"nothing_compared"} if end == "allow_tail" else set())


def test_a_side_that_retention_emptied_compares_nothing(clusters: Clusters, side: str) -> None:
    gone = log_of(BASE).cut_head(100)
    report = swapped(clusters, side, [gone], [log_of(BASE)], allow_head=BOTH)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"nothing_compared"}
    granted = swapped(clusters, side, [gone], [log_of(BASE)], allow_head=BOTH, allow_empty=True)
    assert [(found.where, found.records) for found in findings(granted, Effect.ALLOWED)] == [(Where.HEAD, 100)]
    assert swapped(clusters, side, [gone], [log_of(BASE)]).verdict is Verdict.DIFFERENT


def test_chosen_partitions_are_all_that_is_told_of(clusters: Clusters, side: str) -> None:
    changed: list[Record] = [replace(BASE[0], value=b"other"), *BASE[1:]]
    mine, others = [log_of(BASE), log_of(changed), log_of(BASE)], [log_of(BASE)] * 3
    for wanted in ((0,), (0, 2), (1,), (0, 1), None):
        report = swapped(clusters, side, mine, others, partitions=wanted)
        numbers = (0, 1, 2) if wanted is None else wanted
        assert tuple(found.partition for found in partitions(report)) == numbers
        assert report.verdict is (Verdict.DIFFERENT if 1 in numbers else Verdict.EQUAL)


def test_a_partition_that_a_side_lacks_is_never_allowed(clusters: Clusters, side: str) -> None:
    mine, others = [log_of(BASE)], [log_of(BASE), log_of([])]
    report = swapped(clusters, side, mine, others, **EVERYTHING)
    assert differences(report) == [FindingKind.PARTITION_COUNT]
    assert swapped(clusters, side, mine, others, partitions=(0,)).verdict is Verdict.EQUAL
    with pytest.raises(UsageError, match="partition 1 does not exist"):
        swapped(clusters, side, mine, others, partitions=(0, 1))
