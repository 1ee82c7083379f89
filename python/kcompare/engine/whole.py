"""One log that begins, or ends, with all of the other: what it has more is one run, at an end.

Where records are alike (heartbeats) the shorter log can be laid over the longer one at several places, and checkpoints
find one of them by chance. All of the shorter log at the start of the longer one leaves a tail; at its end, a head. A
prefix digest, for which one cell is read again, proves either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kcompare import _native
from kcompare.engine.differences import Difference
from kcompare.model import FindingKind, FirstDivergence, OffsetRange, Side, Where
from kcompare.store import tables

if TYPE_CHECKING:
    from kcompare._native import Alignment
    from kcompare.engine.examine import Pair
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader


def more_at_an_end(pair: Pair, found: Alignment, reader: RowReader) -> Difference | None:
    """The tail, or the head, that one side has more and that is all that differs; None where it is not so.

    A tail where both are true, unless only a head is allowed: equal records do not say which of them are new. A head is
    looked for only where one is allowed, because the first place where the logs part lies before its end otherwise.

    Raises:
        ReadAgainError: a cell could not be read again.
        LogChangedError: it holds other records than before.
    """
    longer = Side.LEFT if found.left_records > found.right_records else Side.RIGHT
    log, other = pair.log(longer), pair.log(longer.other)
    more = log.records - other.records
    if more == 0 or other.records == 0:
        return None
    tail = (Where.TAIL, other.records)
    head = (Where.HEAD, more)
    wanted = [tail]
    if longer in pair.heads:
        wanted = [tail, head] if longer in pair.tails else [head, tail]
    for where, ordinal in wanted:
        if where is Where.TAIL and found.differs_before is not None:
            # A prefix no longer than the shorter log was proven different.
            continue
        offset, before = _split(log, ordinal, reader)
        if _is_whole(pair, log, other, before, where):
            return _difference(pair, longer, where, offset, more)
    return None


def _split(log: PartitionLog, ordinal: int, reader: RowReader) -> tuple[int, bytes]:
    """Offset of the record with this ordinal, and the lanes of everything before it."""
    ends = log.table["count"].cumsum()
    index = int(np.searchsorted(ends, ordinal, side="right"))
    cell = log.table[index]
    start, stop, count = int(cell["start"]), int(cell["stop"]), int(cell["count"])
    rows = reader.checked_rows(log, start, stop, count)
    inside = ordinal - (int(ends[index]) - count)
    before = _native.extend_lanes(lanes=_lanes(log, start), rows=rows[: inside * _native.ROW_BYTES])
    return int(tables.records(rows)["offset"][inside]), before


def _lanes(log: PartitionLog, offset: int) -> bytes:
    """The lanes of a log up to a border of its cells."""
    lanes = _native.prefix_lanes(cells=log.cells, anchors=log.anchors, start=log.planned.start, offset=offset)
    assert lanes is not None, "a border of a cell is a checkpoint"  # noqa: S101
    return lanes


def _is_whole(pair: Pair, log: PartitionLog, other: PartitionLog, before: bytes, where: Where) -> bool:
    whole, shorter = _lanes(log, log.planned.stop), _lanes(other, other.planned.stop)
    if where is Where.TAIL:
        left, right = before, shorter
    else:
        left, right = _native.concat_lanes(left=before, right=shorter), whole
    return _native.same_lanes(left=left, right=right, timestamps=pair.timestamps, offsets=pair.offsets)


def _difference(pair: Pair, longer: Side, where: Where, offset: int, more: int) -> Difference:
    log, other = pair.log(longer), pair.log(longer.other)
    own: int | None = offset
    across: int | None = None
    offsets = OffsetRange(offset, log.planned.stop)
    if where is Where.HEAD:
        offsets, own = OffsetRange(log.planned.start, offset), log.first_offset(log.planned.start)
        across = other.first_offset(other.planned.start)
    if longer is Side.LEFT:
        return Difference(FindingKind.ONLY_LEFT, offsets, None, more, 0, FirstDivergence(own, across), where=where)
    return Difference(FindingKind.ONLY_RIGHT, None, offsets, 0, more, FirstDivergence(across, own), where=where)
