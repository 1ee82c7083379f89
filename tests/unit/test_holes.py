"""Holes near a batch that compaction went through have a cause; those farther away have none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.engine.holes import NOWHERE, borders_of, compacted_to, explained, without_a_cause
from kcompare.engine.logs import join
from kcompare.model import OffsetRange, PartitionBounds, Side, Slice
from kcompare.planning import CELL_OFFSETS
from kcompare.sources.base import SliceDigest
from kcompare.store import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kcompare.engine.logs import PartitionLog

# A cell each: no hole, a hole between batches, a holed batch, both, all hole, all unread.
NONE, HOLE, HOLED, BOTH, VOID, UNREAD = range(6)
SIZES = {
    NONE: {},
    HOLE: {"unexplained": 7},
    HOLED: {"compacted": 3},
    BOTH: {"compacted": 3, "unexplained": 7},
    VOID: {"unexplained": CELL_OFFSETS},
    UNREAD: {"uncovered": CELL_OFFSETS},
}


def table(kinds: Sequence[int], start: int = 0) -> NDArray[Any]:
    rows = np.zeros(len(kinds), dtype=tables.CELL_DTYPE)
    for number, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
        row["start"] = start + number * CELL_OFFSETS
        row["stop"] = row["start"] + CELL_OFFSETS
        for cause, offsets in SIZES[kind].items():
            row["gaps"][tables.GAPS.index(cause)] = offsets
        row["count"] = CELL_OFFSETS - row["gaps"].sum()
    return rows


def left(kinds: Sequence[int], compacted_to: float = NOWHERE) -> list[int]:
    """Offsets without a cause that are left in each cell."""
    rows = explained(table(kinds), compacted_to=compacted_to)
    found: list[int] = rows["gaps"][:, tables.GAPS.index("unexplained")].tolist()
    return found


@pytest.mark.parametrize(
    ("kinds", "unexplained"),
    [
        ([HOLE], [7]),
        ([BOTH], [0]),
        ([HOLED, HOLE], [0, 0]),
        ([HOLE, HOLED], [0, 0]),
        ([HOLED, NONE, HOLE], [0, 0, 7]),
        ([HOLE, NONE, HOLED], [7, 0, 0]),
        ([HOLE, HOLED, HOLE, HOLE], [0, 0, 0, 7]),
        ([HOLED, VOID, VOID, VOID, HOLE], [0, 0, 0, 0, 7]),
        ([NONE, VOID, VOID, HOLE, HOLED], [0, 0, 0, 0, 0]),
        ([HOLED, NONE, NONE, VOID, VOID, NONE, NONE, HOLED], [0, 0, 0, CELL_OFFSETS, CELL_OFFSETS, 0, 0, 0]),
        ([VOID, HOLED], [0, 0]),
        ([VOID], [CELL_OFFSETS]),
        ([HOLED, NONE, UNREAD, VOID], [0, 0, 0, CELL_OFFSETS]),
    ],
)
def test_only_a_holed_batch_nearby_explains_a_hole(kinds: list[int], unexplained: list[int]) -> None:
    assert left(kinds) == unexplained


def test_a_topic_that_is_compacted_explains_every_hole() -> None:
    assert left([HOLE, NONE, VOID, NONE], math.inf) == [0, 0, 0, 0]


def test_the_cleaner_explains_holes_as_far_as_it_has_been() -> None:
    kinds = [HOLE, VOID, HOLE, HOLE]
    assert left(kinds, 2 * CELL_OFFSETS) == [0, 0, 7, 7]
    assert left(kinds, 3 * CELL_OFFSETS - 1) == [0, 0, 7, 7]
    assert left([*kinds, HOLED], 2 * CELL_OFFSETS) == [0, 0, 7, 0, 0]


def test_a_directory_tells_of_each_partition_and_a_cluster_of_its_topics() -> None:
    cluster = PartitionBounds(0, 0, 9, 9)
    assert [compacted_to(cluster, compacted=known) for known in (False, True)] == [NOWHERE, math.inf]
    unlisted, listed = replace(cluster, segments=1), replace(cluster, segments=1, cleaned_to=5)
    assert [compacted_to(one, compacted=True) for one in (unlisted, listed)] == [NOWHERE, 5]
    assert borders_of([cluster, listed, replace(listed, cleaned_to=7), unlisted]) == {0: [5, 7]}


@given(kinds=st.lists(st.integers(NONE, UNREAD), min_size=1, max_size=12), compacted=st.booleans())
def test_no_offset_is_lost_and_nothing_else_moves(kinds: list[int], *, compacted: bool) -> None:
    before = table(kinds)
    after = explained(before, compacted_to=math.inf if compacted else NOWHERE)
    hole, cause = tables.GAPS.index("unexplained"), tables.GAPS.index("compacted")
    moved = before["gaps"][:, hole] - after["gaps"][:, hole]
    assert (after["gaps"][:, cause] - before["gaps"][:, cause] == moved).all()
    for name in before.dtype.names or ():
        if name != "gaps":
            assert (before[name] == after[name]).all()
    if HOLED not in kinds and BOTH not in kinds and not compacted:
        assert not moved.any()
    # Slow and obvious: evidence at most one cell away from where the hole begins or ends.
    evidence = {number for number, kind in enumerate(kinds) if kind in {HOLED, BOTH}}
    for number, kind in enumerate(kinds):
        if kind not in {HOLE, BOTH, VOID} or compacted:
            continue
        first = last = number
        if kind == VOID:
            while first >= 0 and kinds[first] == VOID:
                first -= 1
            while last < len(kinds) and kinds[last] == VOID:
                last += 1
        ends = {end for end in (first, last) if 0 <= end < len(kinds)}
        near = any(abs(end - place) <= 1 for end in ends for place in evidence)
        assert (after["gaps"][number, hole] == 0) == near


def log(kinds: Sequence[int], gaps: Sequence[OffsetRange], total: int) -> PartitionLog:
    rows = table(kinds)
    stop = int(rows["stop"][-1])
    piece = SliceDigest(
        slice=Slice(Side.LEFT, 0, OffsetRange(0, stop)),
        cells=rows.tobytes(),
        anchors=b"",
        records=0,
        bytes=0,
        end="reached",
        end_code="",
        end_detail="",
        log_start_offset=0,
        high_watermark=stop,
        last_stable_offset=stop,
        unread=(),
        unexplained=tuple(gaps),
        unexplained_total=total,
        leader_epochs=(),
    )
    return join(Side.LEFT, PartitionBounds(0, 0, stop, stop), OffsetRange(0, stop), [piece])


def test_a_sentence_names_the_holes_that_are_left() -> None:
    far = 3 * CELL_OFFSETS
    one = log([BOTH, NONE, NONE, HOLE], [OffsetRange(5, 12), OffsetRange(far, far + 7)], 2)
    found = without_a_cause(one, explained(one.table, compacted_to=NOWHERE))
    assert found is not None
    span, text = found
    assert span == OffsetRange(far, far + 7)
    assert text == f"7 offsets have no record and no cause, at [{far}, {far + 7}); a segment may be missing"
    assert without_a_cause(one, explained(one.table, compacted_to=math.inf)) is None


def test_holes_past_those_that_are_listed_are_counted() -> None:
    far = 3 * CELL_OFFSETS
    one = log([BOTH, NONE, NONE, HOLE], [OffsetRange(5, 12)], 70)
    found = without_a_cause(one, explained(one.table, compacted_to=NOWHERE))
    assert found is not None
    assert found[0] == OffsetRange(far, far + CELL_OFFSETS)
    assert "7 offsets have no record and no cause, among others at" in found[1]
