"""Holes between batches: which of them compaction explains, and which have no cause.

Only compaction takes records out of a batch and leaves the batch. So a batch that lacks records is evidence that the
cleaner was there, and for the holes *nearby* that whole batches went the same way: a hole in the same cell of 65,536
offsets as such a batch, or in the next one; a hole over whole cells by the cells in which it begins and ends. Farther
away it says nothing: a segment may be missing there, on both sides alike.

A log directory also tells up to where the cleaner has been, of each partition apart. It has not been behind that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kcompare.model import OffsetRange
from kcompare.planning import CELL_OFFSETS
from kcompare.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from numpy.typing import NDArray

    from kcompare.engine.logs import PartitionLog
    from kcompare.model import PartitionBounds

_COMPACTED, _UNEXPLAINED = tables.GAPS.index("compacted"), tables.GAPS.index("unexplained")

NOWHERE = -1.0

SHOWN = 3
"""Holes that a sentence names."""


def borders_of(bounds: Iterable[PartitionBounds]) -> dict[int, list[int]]:
    """The offsets of each partition at which a cell has to end, so that :func:`explained` can tell what lies below."""
    borders: dict[int, list[int]] = {}
    for one in bounds:
        if one.cleaned_to is not None:
            borders.setdefault(one.partition, []).append(one.cleaned_to)
    return borders


def compacted_to(bounds: PartitionBounds, *, compacted: bool) -> float:
    """Up to which offset compaction explains every hole of a log.

    Args:
        bounds: of the log; a log directory tells up to where the cleaner has been.
        compacted: the topic is compacted, which is all that a cluster tells.
    """
    if bounds.segments is None:
        return math.inf if compacted else NOWHERE
    return NOWHERE if bounds.cleaned_to is None else bounds.cleaned_to


def explained(table: NDArray[Any], *, compacted_to: float) -> NDArray[Any]:
    """The cells, with the holes that compaction explains counted as ``compacted``.

    Args:
        table: cell rows that tile a range.
        compacted_to: see the function of that name.
    """
    holes = table["gaps"][:, _UNEXPLAINED]
    if not holes.any():
        return table
    near = _near_evidence(table) | (table["stop"] <= compacted_to)
    settled = table.copy()
    settled["gaps"][near, _COMPACTED] += holes[near]
    settled["gaps"][near, _UNEXPLAINED] = 0
    return settled


def _near_evidence(table: NDArray[Any]) -> NDArray[np.bool_]:
    """For every row, whether a batch that lacks records lies near its holes."""
    cells = table["start"] // CELL_OFFSETS
    evidence = np.unique(cells[table["gaps"][:, _COMPACTED] > 0])
    near = np.isin(cells, np.concatenate((evidence - 1, evidence, evidence + 1)))
    # A row that is all hole belongs to one that begins in a row before it and ends in one behind it.
    void = table["gaps"][:, _UNEXPLAINED] == (table["stop"] - table["start"]).astype(np.uint64)
    places = np.arange(len(table))
    before = np.maximum.accumulate(np.where(void, -1, places))
    behind = np.minimum.accumulate(np.where(void, len(table), places)[::-1])[::-1]
    bordered = np.concatenate((near, [False]))
    # Index -1 and index len(table) are both the False at the end.
    beside: NDArray[np.bool_] = bordered[before] | bordered[behind]
    return np.where(void, beside, near)


def missing_segments(log: PartitionLog, settled: NDArray[Any]) -> tuple[OffsetRange, ...]:
    """Holes between two segment files of a log directory that nothing explains, within what was planned."""
    left = settled["gaps"][:, _UNEXPLAINED]
    starts, stops = settled["start"], settled["stop"]
    inside = (hole.intersection(log.planned) for hole in log.bounds.segment_holes)
    return tuple(
        hole for hole in inside if hole is not None and left[(starts < hole.stop) & (hole.start < stops)].any()
    )


def unexplained_holes(log: PartitionLog, settled: NDArray[Any]) -> tuple[tuple[OffsetRange, ...], int]:
    """Other holes that nothing explains, and how many offsets lie in those that were too many to list."""
    missing = missing_segments(log, settled)
    left = settled["gaps"][:, _UNEXPLAINED]
    starts, stops = settled["start"], settled["stop"]
    listed = tuple(
        part
        for hole in log.unexplained
        if left[(starts < hole.stop) & (hole.start < stops)].any()
        for part in _without(hole, missing)
    )
    return listed, max(0, int(left.sum()) - sum(map(len, missing)) - sum(map(len, listed)))


def _without(hole: OffsetRange, missing: Iterable[OffsetRange]) -> Iterator[OffsetRange]:
    """The parts of a hole that lie in none of the ranges, which ascend."""
    start = hole.start
    for one in missing:
        if one.stop <= start or one.start >= hole.stop:
            continue
        if start < one.start:
            yield OffsetRange(start, one.start)
        start = max(start, one.stop)
    if start < hole.stop:
        yield OffsetRange(start, hole.stop)


def without_a_cause(log: PartitionLog, settled: NDArray[Any]) -> tuple[OffsetRange, str] | None:
    """Where other holes are left that nothing explains, and that as a sentence; None without any."""
    listed, unlisted = unexplained_holes(log, settled)
    total = sum(map(len, listed)) + unlisted
    if total == 0:
        return None
    rows = settled[settled["gaps"][:, _UNEXPLAINED] > 0]
    span = OffsetRange(int(rows["start"][0]), int(rows["stop"][-1]))
    if listed and not unlisted:
        span = OffsetRange(listed[0].start, listed[-1].stop)
    places = listed[:SHOWN] or (span,)
    shown = ", ".join(f"[{hole.start}, {hole.stop})" for hole in places)
    among = "" if total == sum(len(hole) for hole in places) else "among others "
    noun = "1 offset has" if total == 1 else f"{total} offsets have"
    return span, f"{noun} no record and no cause, {among}at {shown}; a segment may be missing"
