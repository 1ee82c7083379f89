"""Records read again, to look at what digests have narrowed down; every second reading is held to the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.errors import KcompareError
from kcompare.model import OffsetRange, Side, Slice
from kcompare.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcompare._native import CancelToken, MemoryBudget
    from kcompare.engine.logs import PartitionLog
    from kcompare.model import IsolationLevel
    from kcompare.sources.base import SliceDigest, Source


class ReadAgainError(KcompareError):
    """Records could not be read a second time."""

    code = "READ_AGAIN"


class LogChangedError(KcompareError):
    """A second reading gave other records than the first."""

    code = "CHANGED_WHILE_READING"


class RowReader:
    """Reads stretches of both sides again as record rows."""

    def __init__(
        self,
        sources: Mapping[Side, Source],
        isolation: Mapping[Side, IsolationLevel],
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> None:
        self._sources = sources
        self._isolation = isolation
        self._budget = budget
        self._cancel = cancel

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was interrupted: nothing more is read then."""
        return self._cancel.is_cancelled()

    def rows(
        self, log: PartitionLog, start: int, stop: int, limit: int, isolation: IsolationLevel | None = None
    ) -> bytes:
        """The first ``limit`` records of ``[start, stop)``, at the side's isolation level unless another is named.

        Raises:
            ReadAgainError: not all of the range could be read.
        """
        if start >= stop or limit == 0:
            return b""
        found = self._sources[log.side].rows(
            log.partition,
            OffsetRange(start, stop),
            isolation or self._isolation[log.side],
            limit,
            self._budget,
            self._cancel,
        )
        if not found.whole:
            raise ReadAgainError(
                f"{log.side.value} partition {log.partition}: offsets [{start}, {stop}) could not be read again: "
                f"{found.problem}"
            )
        return found.rows

    def checked_rows(self, log: PartitionLog, start: int, stop: int, limit: int) -> bytes:
        """All records between two checkpoints, at most ``limit``, proven to be those of the first reading.

        Raises:
            ReadAgainError: they could not be read.
            LogChangedError: they are others.
        """
        if any(start < one.range.stop and one.range.start < stop for one in log.unread):
            raise ReadAgainError(
                f"{log.side.value} partition {log.partition}: offsets [{start}, {stop}) were not all read before"
            )
        return self.rows_read_before(log, start, stop, limit)

    def rows_read_before(self, log: PartitionLog, start: int, stop: int, limit: int) -> bytes:
        """The same, without the offsets that the first reading could not read: these are not asked for again.

        Raises:
            ReadAgainError: they could not be read.
            LogChangedError: they are others.
        """
        rows = b""
        at = start
        for gap in sorted((one.range for one in log.unread), key=lambda found: found.start):
            if gap.stop > at and gap.start < stop:
                rows += self.rows(log, at, gap.start, limit - len(rows) // _native.ROW_BYTES)
                at = gap.stop
        rows += self.rows(log, at, stop, limit - len(rows) // _native.ROW_BYTES)
        before, after = (
            _native.prefix_lanes(cells=log.cells, anchors=log.anchors, start=log.planned.start, offset=offset)
            for offset in (start, stop)
        )
        if before is None or after is None or _native.extend_lanes(lanes=before, rows=rows) != after:
            raise LogChangedError(
                f"{log.side.value} partition {log.partition}: offsets [{start}, {stop}) hold other records than "
                "when they were first read; run again when the log is at rest"
            )
        return rows

    def cells(self, log: PartitionLog, offsets: OffsetRange, checkpoints: tuple[int, ...]) -> SliceDigest:
        """The digests of whole cells again, with some more offsets at which they are kept."""
        return self._sources[log.side].read(
            Slice(log.side, log.partition, offsets, checkpoints),
            self._isolation[log.side],
            0,
            0,
            self._budget,
            self._cancel,
            _native.Progress(),
        )

    def next_offset(self, log: PartitionLog, start: int) -> int | None:
        """Offset of the first record at or past ``start``; None where there is none.

        Raises:
            ReadAgainError: it could not be read.
        """
        rows = tables.records(self.rows(log, start, log.planned.stop, 1))
        return int(rows["offset"][0]) if len(rows) else None
