"""Runs of a row diff, as the native module names them, turned into differences with offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.engine.differences import Difference
from kcompare.model import SIDES, FindingKind, FirstDivergence, OffsetRange, RecordField, Side, Where
from kcompare.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from kcompare._native import Run
    from kcompare.engine.examine import Pair
    from kcompare.engine.reading import RowReader

ROW_LIMIT = 1 << 17
"""Records of a partition that are read again at most, on each side: 12 MiB of rows."""

EDIT_LIMIT = 1024
"""Edits that a diff by content may take; its memory is of the order of the square."""


@dataclass(frozen=True)
class Stretch:
    """Rows of both sides and the offsets at which the next ones would follow."""

    rows: Mapping[Side, bytes]
    stops: Mapping[Side, int]
    at_start: bool
    at_end: bool
    by_offset: bool


ONE_SIDED = frozenset({FindingKind.ONLY_LEFT, FindingKind.ONLY_RIGHT, FindingKind.DUPLICATED})
"""Kinds whose run stands on one side only, so that no field is said to differ."""


def differing_fields(left: Any, right: Any, *, timestamps: bool, offsets: bool) -> tuple[RecordField, ...]:
    """The compared fields in which two record rows differ; none where a row is missing."""
    if left is None or right is None:
        return ()
    contents = (
        (RecordField.KEY, "key_bytes"),
        (RecordField.VALUE, "value_bytes"),
        (RecordField.HEADERS, "header_count"),
    )
    fields = [
        name
        for name, length in contents
        if left[length] != right[length] or (left[name.value] != right[name.value]).any()
    ]
    if timestamps and left["timestamp"] != right["timestamp"]:
        fields.append(RecordField.TIMESTAMP)
    if offsets and left["offset"] != right["offset"]:
        fields.append(RecordField.OFFSET)
    return tuple(fields)


class Converter:
    """Turns the runs of one stretch into differences."""

    def __init__(self, pair: Pair, stretch: Stretch, reader: RowReader) -> None:
        self._logs = {side: pair.log(side) for side in SIDES}
        self._timestamps, self._offsets = pair.timestamps, pair.offsets
        self._stretch = stretch
        self._reader = reader
        self._tables: dict[Side, NDArray[Any]] = {side: tables.records(stretch.rows[side]) for side in SIDES}

    def difference(self, run: Run) -> Difference:
        """The difference that a run is.

        Raises:
            ReadAgainError: the record after the stretch could not be read.
        """
        indices = {Side.LEFT: run.left, Side.RIGHT: run.right}
        counts = {side: stop - start for side, (start, stop) in indices.items()}
        kind = FindingKind(run.kind)
        if kind is FindingKind.REORDERED:
            # Its indices span what moved and what lies between; it is about what moved.
            counts = dict.fromkeys(SIDES, run.records)
        return Difference(
            kind,
            self._range(Side.LEFT, run.left),
            self._range(Side.RIGHT, run.right),
            counts[Side.LEFT],
            counts[Side.RIGHT],
            self._at(run, kind),
            where=self._where(run, kind),
            fields=tuple(RecordField(name) for name in run.fields),
        )

    def _at(self, run: Run, kind: FindingKind) -> FirstDivergence:
        """Where the run begins; the fields are those of the two records that stand there."""
        left, right = (self._next(Side.LEFT, run.left[0]), self._next(Side.RIGHT, run.right[0]))
        if kind in ONE_SIDED:
            return FirstDivergence(left, right)
        rows = [
            self._tables[side][start] if start < len(self._tables[side]) else None
            for side, (start, _) in ((Side.LEFT, run.left), (Side.RIGHT, run.right))
        ]
        fields = differing_fields(rows[0], rows[1], timestamps=self._timestamps, offsets=self._offsets)
        return FirstDivergence(left, right, fields)

    def _range(self, side: Side, indices: tuple[int, int]) -> OffsetRange | None:
        start, stop = indices
        if start == stop:
            return None
        offsets = self._tables[side]["offset"]
        return OffsetRange(int(offsets[start]), int(offsets[stop - 1]) + 1)

    def _next(self, side: Side, index: int) -> int | None:
        offsets = self._tables[side]["offset"]
        if index < len(offsets):
            return int(offsets[index])
        return self._reader.next_offset(self._logs[side], self._stretch.stops[side])

    def _where(self, run: Run, kind: FindingKind) -> Where | None:
        """Head or tail only where the other side has nothing unmatched; by offset, only beyond its bounds."""
        if kind not in {FindingKind.ONLY_LEFT, FindingKind.ONLY_RIGHT}:
            return None
        if not run.alone or (self._stretch.by_offset and not self._is_beyond(run)):
            return Where.MIDDLE
        ends = (len(self._tables[Side.LEFT]), len(self._tables[Side.RIGHT]))
        if self._stretch.at_end and (run.left[1], run.right[1]) == ends:
            return Where.TAIL
        if self._stretch.at_start and (run.left[0], run.right[0]) == (0, 0):
            return Where.HEAD
        return Where.MIDDLE

    def _is_beyond(self, run: Run) -> bool:
        """Whether a one-sided run begins where the other side's offsets have ended."""
        side = Side.LEFT if run.left[0] < run.left[1] else Side.RIGHT
        first = run.left[0] if side is Side.LEFT else run.right[0]
        return int(self._tables[side]["offset"][first]) >= self._logs[side.other].planned.stop
