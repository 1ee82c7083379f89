"""Whether a run at an end of a log repeats what the same log holds elsewhere: a mirror that started over.

A repetition is never an allowed tail or head. It is judged on content and timestamp together, and only on places that
occur once in what is searched, so that ordinary repeated traffic (heartbeats) stays what it is. What is found: any
repeat that holds an anchor, about one record in a thousand; and any repeat of two records or more within
:data:`WINDOW` records of the run's start and of the log's start, or of the run's edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kcompare.store import tables

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader
    from kcompare.model import OffsetRange

WINDOW = 4096
"""Records of the run, and of each place that it is held against, that are compared one by one."""

ANCHOR_CANDIDATES = 16
"""Anchors of the run that occur elsewhere and are looked at; honest data have none."""

CONTEXT_RECORDS = 4
"""Records that an anchor's context is made of."""

Key = tuple[int, int, int]


def repeats(log: PartitionLog, run: OffsetRange, reader: RowReader) -> int | None:
    """Offset at which the log already holds records of the run, or None.

    Raises:
        ReadAgainError: the records could not be read.
    """
    nearby = _repeats_nearby(log, run, reader)
    # A mirror that starts over repeats from offset 0, which is a place like any other.
    return nearby if nearby is not None else _repeats_anchors(log, run, reader)


def _repeats_nearby(log: PartitionLog, run: OffsetRange, reader: RowReader) -> int | None:
    own = tables.records(reader.rows(log, run.start, run.stop, WINDOW))
    places = [
        (log.planned.start, min(run.start, log.planned.start + WINDOW)),
        (max(log.planned.start, run.start - WINDOW), run.start),
        (run.stop, min(log.planned.stop, run.stop + WINDOW)),
    ]
    length = min(2, len(own))
    if length == 0:
        return None
    wanted = {key for key, offset in _once(own, length).items() if offset >= 0 and not _says_nothing(key)}
    for start, stop in places:
        if start >= stop:
            continue
        others = _once(tables.records(reader.rows(log, start, stop, WINDOW)), length)
        for key in wanted:
            offset = others.get(key, -1)
            if offset >= 0:
                return offset
    return None


def _once(rows: NDArray[Any], length: int) -> dict[tuple[Key, ...], int]:
    """Sequences of ``length`` records and the offset of each; -1 for one that occurs more than once."""
    keys = _keys(rows)
    found: dict[tuple[Key, ...], int] = {}
    for index in range(len(keys) - length + 1):
        sequence = tuple(keys[index : index + length])
        found[sequence] = -1 if sequence in found else int(rows["offset"][index])
    return found


def _says_nothing(sequence: tuple[Key, ...]) -> bool:
    """The same record over again without a timestamp: nobody can tell which of them came twice."""
    return len(sequence) > 1 and sequence[0][2] < 0 and len(set(sequence)) == 1


def _keys(rows: NDArray[Any]) -> list[Key]:
    return [
        (int(low), int(high), int(timestamp))
        for (low, high), timestamp in zip(rows["content"], rows["timestamp"], strict=True)
    ]


def _repeats_anchors(log: PartitionLog, run: OffsetRange, reader: RowReader) -> int | None:
    anchors = tables.anchors(log.anchors)
    inside = (anchors["offset"] >= run.start) & (anchors["offset"] < run.stop)
    own, others = anchors[inside], anchors[~inside]
    contexts, counts = np.unique(others["context"], return_counts=True)
    once = contexts[counts == 1]
    shared = own[np.isin(own["context"], once)][:ANCHOR_CANDIDATES]
    for anchor in shared:
        other = others[others["context"] == anchor["context"]][0]
        if _context(log, int(anchor["offset"]), reader) == _context(log, int(other["offset"]), reader):
            return int(other["offset"])
    return None


def _context(log: PartitionLog, offset: int, reader: RowReader) -> list[Key]:
    """The records that made an anchor; they lie close before it unless the log has long holes there."""
    start = max(log.planned.start, offset - WINDOW)
    rows = tables.records(reader.rows(log, start, offset + 1, WINDOW + 1))
    return _keys(rows)[-CONTEXT_RECORDS:]
