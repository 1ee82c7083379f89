"""Bounds of an allowance: on the bound is within, one past it is not, and what cannot be measured is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from kcompare.engine.effects import Allowances, _excess
from kcompare.model import Effect, Finding, FindingKind, Side, Where
from kcompare.settings.allowances import Allowance, DurationBound, RecordBound, TimeBound

if TYPE_CHECKING:
    from kcompare.engine.logs import PartitionLog
    from kcompare.settings.allowances import Bound


@dataclass
class OtherSide:
    """All that a bound asks of the other side."""

    first_timestamp: int | None = 1000
    last_timestamp: int | None = 5000


def passes(
    bound: Bound | None,
    where: Where,
    *,
    records: int = 10,
    times: tuple[int, int] | None = (0, 0),
    other: OtherSide | None = None,
) -> bool:
    found = Finding(FindingKind.ONLY_RIGHT, Effect.DIFFERENCE, 0, records=records, where=where)
    allowance = Allowance((Side.RIGHT,), bound)
    return not _excess(found, allowance, times, cast("PartitionLog", other or OtherSide()))


@pytest.mark.parametrize("where", [Where.HEAD, Where.TAIL])
def test_without_a_bound_everything_passes(where: Where) -> None:
    assert passes(None, where, records=10**12, times=None)


@pytest.mark.parametrize(("records", "within"), [(0, True), (9, True), (10, True), (11, False)])
def test_records_are_counted(records: int, *, within: bool) -> None:
    assert passes(RecordBound(10), Where.TAIL, records=records, times=None) == within


@pytest.mark.parametrize(
    ("times", "within"),
    [
        ((5000, 5000), True),
        ((5010, 5100), True),
        ((5010, 5101), False),
        ((4900, 4950), True),
        ((4899, 5000), False),
        ((1, 5050), False),
        ((4950, 5051), False),
    ],
)
def test_a_tail_is_timed_from_the_end_of_the_other_side(times: tuple[int, int], *, within: bool) -> None:
    """Its first and its last time count, and its length: one odd timestamp does not stretch the bound."""
    assert passes(DurationBound(100), Where.TAIL, times=times) == within


@pytest.mark.parametrize(
    ("times", "within"),
    [((1000, 1000), True), ((900, 1000), True), ((899, 950), False), ((950, 1101), False), ((950, 1051), False)],
)
def test_a_head_is_timed_to_the_start_of_the_other_side(times: tuple[int, int], *, within: bool) -> None:
    assert passes(DurationBound(100), Where.HEAD, times=times) == within


@pytest.mark.parametrize(("times", "within"), [((500, 900), True), ((499, 900), False), ((501, 900), True)])
def test_a_tail_holds_only_records_from_a_time_on(times: tuple[int, int], *, within: bool) -> None:
    assert passes(TimeBound(500), Where.TAIL, times=times) == within


@pytest.mark.parametrize(("times", "within"), [((1, 499), True), ((1, 500), False), ((1, 501), False)])
def test_a_head_holds_only_records_before_a_time(times: tuple[int, int], *, within: bool) -> None:
    assert passes(TimeBound(500), Where.HEAD, times=times) == within


@pytest.mark.parametrize("bound", [DurationBound(10**12), TimeBound(0)])
@pytest.mark.parametrize("where", [Where.HEAD, Where.TAIL])
def test_what_has_no_times_passes_no_bound_of_time(bound: Bound, where: Where) -> None:
    assert not passes(bound, where, times=None)


@pytest.mark.parametrize("where", [Where.HEAD, Where.TAIL])
def test_without_times_on_the_other_side_no_duration_passes(where: Where) -> None:
    for nothing in (OtherSide(None, None), OtherSide(-1, -1)):
        assert not passes(DurationBound(10**12), where, times=(5000, 5000), other=nothing)


def test_an_allowance_is_for_one_end() -> None:
    head, tail = Allowance((Side.LEFT,)), Allowance((Side.RIGHT,))
    allowances = Allowances(head=head, tail=tail)
    assert allowances.at(Where.HEAD) is head
    assert allowances.at(Where.TAIL) is tail
    assert allowances.at(Where.MIDDLE) is None
    assert allowances.at(None) is None
    assert Allowances().at(Where.TAIL) is None
