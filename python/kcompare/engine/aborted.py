"""Whether a run at an end of a log holds copies of records that the other side aborted.

A mirror that read uncommitted copies aborted records as plain ones. Such a run is no tail that an allowance may cover:
the other side never had these records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.engine.reading import ReadAgainError
from kcompare.engine.repetition import keys
from kcompare.model import IsolationLevel
from kcompare.store import tables

if TYPE_CHECKING:
    from kcompare.engine.examine import Pair
    from kcompare.engine.reading import RowReader
    from kcompare.model import OffsetRange, Side

RECORD_LIMIT = 1 << 17
"""Records of the run, and offsets of the other side's cells with aborted records, that are looked at."""


def aborted_copy(pair: Pair, side: Side, run: OffsetRange, records: int, reader: RowReader) -> int | None:
    """Offset of an aborted record on the other side that the run on ``side`` holds, or None.

    Raises:
        ReadAgainError: the records could not be read, or there are too many to look at.
    """
    log, other = pair.log(side), pair.log(side.other)
    column = tables.GAPS.index("aborted")
    cells = other.table[other.table["gaps"][:, column] > 0]
    if len(cells) == 0:
        return None
    offsets = int((cells["stop"] - cells["start"]).sum())
    if max(offsets, records) > RECORD_LIMIT:
        raise ReadAgainError(
            f"the {side.other.value} side has aborted records in {len(cells)} cells, too many to hold {records} "
            "records against; narrow the run, or mirror with read_committed"
        )
    own = set(keys(tables.records(reader.rows(log, run.start, run.stop, records)), timestamps=pair.timestamps))
    for cell in cells:
        start, stop = int(cell["start"]), int(cell["stop"])
        every = tables.records(reader.rows(other, start, stop, stop - start, IsolationLevel.READ_UNCOMMITTED))
        committed = set(tables.records(reader.rows(other, start, stop, stop - start))["offset"].tolist())
        for key, offset in zip(keys(every, timestamps=pair.timestamps), every["offset"].tolist(), strict=True):
            if offset not in committed and key in own:
                return int(offset)
    return None
