"""The ledger adds up, or it raises: every offset has one place, and no part is taken from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.ledger import LedgerError, coverage, gap_offsets, nothing_read
from kcompare.model import GapOffsets, OffsetRange, PartitionBounds, SideCoverage
from kcompare.store import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cell = tuple[int, dict[str, int]]


def cells(start: int, rows: list[Cell]) -> NDArray[Any]:
    """Cells one behind the other, each ``(records, gaps by cause)``."""
    table = np.zeros(len(rows), dtype=tables.CELL_DTYPE)
    position = start
    for row, (count, gaps) in zip(table, rows, strict=True):
        row["start"], row["count"] = position, count
        for cause, offsets in gaps.items():
            row["gaps"][tables.GAPS.index(cause)] = offsets
        position += count + sum(gaps.values())
        row["stop"] = position
    return table


def ledger(table: NDArray[Any], start: int, stop: int, *, allowed: int = 0) -> SideCoverage:
    bounds = PartitionBounds(3, start, stop, stop)
    return coverage(bounds, OffsetRange(start, stop), table, allowed_records=allowed)


GAPS = st.dictionaries(st.sampled_from(tables.GAPS), st.integers(0, 50))
ROWS = st.lists(st.tuples(st.integers(0, 50), GAPS), max_size=6)


@given(rows=ROWS, start=st.integers(0, 2**40), share=st.floats(0, 1))
def test_the_parts_add_up_to_the_plan(rows: list[Cell], start: int, share: float) -> None:
    records = sum(count for count, _ in rows)
    stop = start + records + sum(sum(gaps.values()) for _, gaps in rows)
    allowed = int(records * share)
    found = ledger(cells(start, rows), start, stop, allowed=allowed)
    assert found.covered_offsets == records - allowed
    assert found.allowed_offsets == allowed
    assert found.records == records
    assert found.uncovered_offsets == sum(gaps.get("uncovered", 0) for _, gaps in rows)
    parts = found.covered_offsets + found.gap_offsets.total + found.allowed_offsets + found.uncovered_offsets
    assert parts == len(found.planned)


def test_causes_of_gaps_stay_apart() -> None:
    table = cells(0, [(1, {"control": 2, "aborted": 3}), (1, {"compacted": 5, "unexplained": 7, "uncovered": 11})])
    assert gap_offsets(table) == (GapOffsets(2, 3, 5, 7), 11)


def test_uncovered_is_never_a_gap_nor_covered() -> None:
    found = ledger(cells(0, [(10, {"uncovered": 5})]), 0, 15)
    assert (found.covered_offsets, found.gap_offsets.total, found.uncovered_offsets) == (10, 0, 5)


def test_more_allowed_records_than_were_read_raise() -> None:
    with pytest.raises(LedgerError, match="do not add up"):
        ledger(cells(0, [(10, {})]), 0, 10, allowed=11)


def test_a_cell_that_counts_too_much_raises() -> None:
    table = cells(0, [(10, {"control": 2})])
    for field, value in (("count", 11), ("count", 9)):
        broken = table.copy()
        broken[field] = value
        with pytest.raises(LedgerError, match="do not add up to 12"):
            ledger(broken, 0, 12)
    for cause in range(len(tables.GAPS)):
        broken = table.copy()
        broken["gaps"][0, cause] += 1
        with pytest.raises(LedgerError):
            ledger(broken, 0, 12)


@pytest.mark.parametrize(("start", "stop"), [(0, 29), (0, 31), (1, 30), (-0, 60)])
def test_cells_that_do_not_reach_the_ends_of_the_plan_raise(start: int, stop: int) -> None:
    with pytest.raises(LedgerError, match="does not tile"):
        ledger(cells(0, [(10, {}), (20, {})]), start, stop)


def test_cells_with_a_hole_or_an_overlap_raise() -> None:
    """Also where the sum comes out right, because one cell is counted for another."""
    for shift in (-1, 1):
        table = cells(0, [(10, {}), (10, {}), (10, {})])
        table["start"][1] += shift
        with pytest.raises(LedgerError, match="does not tile"):
            ledger(table, 0, 30)
    twice = np.concatenate([cells(0, [(10, {})]), cells(0, [(10, {})]), cells(20, [(10, {})])])
    with pytest.raises(LedgerError, match="does not tile"):
        ledger(twice, 0, 30)


def test_no_cells_are_an_empty_plan_or_an_error() -> None:
    empty = ledger(cells(0, []), 7, 7)
    assert (empty.records, len(empty.planned), empty.uncovered_offsets) == (0, 0, 0)
    with pytest.raises(LedgerError, match="does not tile"):
        ledger(cells(0, []), 7, 8)


def test_an_error_names_the_place() -> None:
    with pytest.raises(LedgerError, match=r"partition 3 at \[0, 9\)"):
        ledger(cells(0, [(10, {})]), 0, 9)


def test_what_was_not_read_is_uncovered() -> None:
    found = nothing_read(PartitionBounds(0, 5, 25, 20), OffsetRange(5, 25))
    assert (found.uncovered_offsets, found.covered_offsets, found.records) == (20, 0, 0)
    assert (found.log_start_offset, found.high_watermark, found.last_stable_offset) == (5, 25, 20)
