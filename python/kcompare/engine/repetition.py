"""Whether a run at an end of a log repeats what the same log holds elsewhere: a mirror that started over.

A repetition is never an allowed tail or head. It is judged on content and timestamp together, on content alone where a
broker wrote the timestamps, and only against places that occur once in what is searched, so that ordinary repeated
traffic (heartbeats) stays what it is. What is found: any repeat that holds an anchor, about one record in a thousand;
and any repeat of two records or more within :data:`WINDOW` records of the run's start and of the log's start, or of
the run's edge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

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


def repeats(log: PartitionLog, run: OffsetRange, reader: RowReader, *, timestamps: bool) -> int | None:
    """Offset at which the log already holds records of the run, or None.

    Args:
        log: the side that the run stands on.
        run: its offsets.
        reader: reads the records again.
        timestamps: they are compared; otherwise (a broker wrote them) the content alone is judged.

    Raises:
        ReadAgainError: the records could not be read.
    """
    for search in (_repeats_nearby, _repeats_anchors):
        found = search(log, run, reader, timestamps=timestamps)
        if found is not None:
            return found
    return None


def _repeats_nearby(log: PartitionLog, run: OffsetRange, reader: RowReader, *, timestamps: bool) -> int | None:
    own_rows = tables.records(reader.rows(log, run.start, run.stop, WINDOW))
    own = keys(own_rows, timestamps=timestamps)
    if not own:
        return None
    # A mirror that starts over repeats the first records of its log, whatever range of it is compared.
    first = log.log_start_offset
    places = [
        (first, min(log.planned.start, first + WINDOW)),
        (log.planned.start, min(run.start, log.planned.start + WINDOW)),
        (max(log.planned.start, run.start - WINDOW), run.start),
        (run.stop, min(log.planned.stop, run.stop + WINDOW)),
    ]
    for start, stop in places:
        if start >= stop:
            continue
        others = tables.records(reader.rows(log, start, stop, WINDOW))
        found = _repeated(own, keys(others, timestamps=timestamps), timestamps=timestamps)
        if found is not None:
            return int(others["offset"][found])
    return None


def _repeated(own: list[Key], others: list[Key], *, timestamps: bool) -> int | None:
    """Index in ``others`` of records that ``own`` repeats, or None.

    Only places that occur once in ``others`` count. Two different records one after the other are a repetition; so are
    two single ones anywhere, or the only one, where timestamps speak too. Content alone comes again by chance.
    """
    if len(own) > 1:
        pairs = {pair for pair in pairwise(own) if pair[0] != pair[1]}
        for pair, index in _once(list(pairwise(others))).items():
            if pair in pairs:
                return index
    if timestamps:
        singles = set(own)
        hits = [index for key, index in _once(others).items() if key in singles]
        if len(hits) >= min(2, len(own)):
            return hits[0]
    return None


Item = TypeVar("Item", bound=Hashable)


def _once(items: list[Item]) -> dict[Item, int]:
    """The items that occur once, with their indices."""
    counts = Counter(items)
    return {item: index for index, item in enumerate(items) if counts[item] == 1}


def keys(rows: NDArray[Any], *, timestamps: bool) -> list[Key]:
    """What tells records apart: content digest, and timestamp where it is compared."""
    times = rows["timestamp"].tolist() if timestamps else [0] * len(rows)
    return [(low, high, time) for (low, high), time in zip(rows["content"].tolist(), times, strict=True)]


def _repeats_anchors(log: PartitionLog, run: OffsetRange, reader: RowReader, *, timestamps: bool) -> int | None:
    anchors = tables.anchors(log.anchors)
    inside = (anchors["offset"] >= run.start) & (anchors["offset"] < run.stop)
    own, others = anchors[inside], anchors[~inside]
    contexts, counts = np.unique(others["context"], return_counts=True)
    once = contexts[counts == 1]
    shared = own[np.isin(own["context"], once)][:ANCHOR_CANDIDATES]
    for anchor in shared:
        other = others[others["context"] == anchor["context"]][0]
        contexts_of = [_context(log, int(found["offset"]), reader, timestamps=timestamps) for found in (anchor, other)]
        if contexts_of[0] == contexts_of[1] and len(set(contexts_of[0])) > 1:
            return int(other["offset"])
    return None


def _context(log: PartitionLog, offset: int, reader: RowReader, *, timestamps: bool) -> list[Key]:
    """The records that made an anchor; they lie close before it unless the log has long holes there."""
    start = max(log.planned.start, offset - WINDOW)
    rows = tables.records(reader.rows(log, start, offset + 1, WINDOW + 1))
    return keys(rows, timestamps=timestamps)[-CONTEXT_RECORDS:]
