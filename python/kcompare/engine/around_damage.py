"""Records around batches that could not be read: whether all the others have their equals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kcompare import _native
from kcompare.engine.reading import ReadAgainError
from kcompare.engine.runs import ROW_LIMIT
from kcompare.model import SIDES, Reason
from kcompare.store import tables

if TYPE_CHECKING:
    from kcompare._native import OffsetAlignment
    from kcompare.engine.examine import Pair
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader

IN_PLACE = frozenset({Reason.CORRUPT_BATCH.value, Reason.BATCH_TOO_LARGE.value})
"""Why a batch was not read though its broker answers: what lies around it can be read again."""


def rest_is_equal(pair: Pair, by_offset: OffsetAlignment, reader: RowReader) -> bool:
    """Whether every record that was read has its equal at its offset, but for those where the other side read nothing.

    Clean stretches are proven equal by their digests; of the others the records are read again and compared one by one.

    Raises:
        LogChangedError: a stretch holds other records than before.
    """
    if any(one.reason not in IN_PLACE for log in (pair.left, pair.right) for one in log.unread):
        return False
    if any(records[end] for records in (by_offset.left_records, by_offset.right_records) for end in (0, 2)):
        return False
    if sum(max(one.left_records, one.right_records) for one in by_offset.dirty) > ROW_LIMIT:
        return False
    try:
        return all(_same(pair, stretch.left, reader) for stretch in by_offset.dirty)
    except ReadAgainError:
        return False


def _same(pair: Pair, stretch: tuple[int, int], reader: RowReader) -> bool:
    rows = {side: reader.rows_read_before(pair.log(side), *stretch, ROW_LIMIT) for side in SIDES}
    left, right = (_at_offsets_read(rows[side], pair.log(side.other)) for side in SIDES)
    count = len(left) // _native.ROW_BYTES
    return len(left) == len(right) and count == _native.common_rows(
        left_rows=left, right_rows=right, timestamps=pair.timestamps, offsets=True
    )


def _at_offsets_read(rows: bytes, other: PartitionLog) -> bytes:
    """The rows whose offsets the other side has read."""
    table = tables.records(rows)
    keep = np.ones(len(table), dtype=bool)
    for unread in other.unread:
        keep &= (table["offset"] < unread.range.start) | (table["offset"] >= unread.range.stop)
    return table[keep].tobytes()
