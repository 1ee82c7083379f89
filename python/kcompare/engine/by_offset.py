"""Differences when a record's counterpart is the one at the same offset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from kcompare import _native
from kcompare.engine.differences import Difference
from kcompare.engine.reading import ReadAgainError
from kcompare.engine.runs import ROW_LIMIT, Converter, Stretch
from kcompare.model import SIDES, FindingKind, FirstDivergence, OffsetRange, Side, Where
from kcompare.store import tables

if TYPE_CHECKING:
    from kcompare import _native as native
    from kcompare.engine.examine import Pair
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader


def differences_by_offset(pair: Pair, found: native.OffsetAlignment, reader: RowReader) -> tuple[Difference, ...]:
    """Every run that differs, from the head that one side alone has to the tail that one side alone has.

    Stretches are read again up to :data:`ROW_LIMIT` records; past it they are ``unclassified``, whole.

    Raises:
        LogChangedError: a stretch holds other records than before.
    """
    differences: list[Difference] = []
    start, stop = found.common
    heads = {Side.LEFT: found.left_records[0], Side.RIGHT: found.right_records[0]}
    differences.extend(_head(pair, side, start, heads[side]) for side in SIDES if heads[side])
    room = ROW_LIMIT
    tails = {Side.LEFT: found.left_records[2], Side.RIGHT: found.right_records[2]}
    for stretch in found.dirty:
        larger = max(stretch.left_records, stretch.right_records)
        if larger > room:
            differences.extend(_summary(pair, stretch, reader, room))
            room = 0
            continue
        room -= larger
        runs, parts_at_end = _records(pair, stretch, reader)
        if parts_at_end and any(tails.values()):
            # The other side has unmatched records at its end, so what this one has past it is no tail.
            whole = _to_the_ends(pair, stretch, tails)
            larger = max(whole.left_records, whole.right_records)
            runs, _ = _records(pair, whole, reader) if larger <= ROW_LIMIT else (_summary_at(runs, whole), True)
            tails = dict.fromkeys(SIDES, 0)
        differences.extend(runs)
    differences.extend(_tail(pair, side, stop, tails[side]) for side in SIDES if tails[side])
    return tuple(differences)


def _sided(side: Side, value: OffsetRange) -> tuple[OffsetRange | None, OffsetRange | None]:
    return (value, None) if side is Side.LEFT else (None, value)


def _only(side: Side) -> FindingKind:
    return FindingKind.ONLY_LEFT if side is Side.LEFT else FindingKind.ONLY_RIGHT


def _run(side: Side, offsets: OffsetRange, records: int, at: FirstDivergence, where: Where) -> Difference:
    left, right = _sided(side, offsets)
    counts = (records, 0) if side is Side.LEFT else (0, records)
    return Difference(_only(side), left, right, *counts, at, where=where)


def _at(side: Side, own: int | None, other: int | None) -> FirstDivergence:
    return FirstDivergence(own, other) if side is Side.LEFT else FirstDivergence(other, own)


def _head(pair: Pair, side: Side, common_start: int, records: int) -> Difference:
    log, other = pair.log(side), pair.log(side.other)
    at = _at(side, log.first_offset(log.planned.start), other.first_offset(other.planned.start))
    return _run(side, OffsetRange(log.planned.start, common_start), records, at, Where.HEAD)


def _tail(pair: Pair, side: Side, common_stop: int, records: int) -> Difference:
    log = pair.log(side)
    at = _at(side, log.first_offset(common_stop), None)
    return _run(side, OffsetRange(common_stop, log.planned.stop), records, at, Where.TAIL)


def _epoch_starts(pair: Pair, offset: int | None) -> bool:
    """Whether a leader epoch begins at exactly this offset on one side only: a restore, and a history of its own."""

    def starts(log: PartitionLog) -> bool:
        return any(start == offset for _, start in log.leader_epochs[1:])

    return offset is not None and starts(pair.left) != starts(pair.right)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of both sides, as the native module's."""

    left: tuple[int, int]
    right: tuple[int, int]
    left_records: int
    right_records: int


AnyStretch: TypeAlias = "native.Stretch | _Stretch"


def _to_the_ends(pair: Pair, stretch: AnyStretch, tails: dict[Side, int]) -> _Stretch:
    """The last stretch, with what lies past the range that both sides have."""
    return _Stretch(
        (stretch.left[0], pair.left.planned.stop),
        (stretch.right[0], pair.right.planned.stop),
        stretch.left_records + tails[Side.LEFT],
        stretch.right_records + tails[Side.RIGHT],
    )


def _records(pair: Pair, stretch: AnyStretch, reader: RowReader) -> tuple[list[Difference], bool]:
    """The runs of a stretch, and whether its last record on a side that ends there has no counterpart."""
    ranges = {Side.LEFT: stretch.left, Side.RIGHT: stretch.right}
    try:
        rows = {side: reader.checked_rows(pair.log(side), *ranges[side], ROW_LIMIT) for side in SIDES}
        ends = {side: ranges[side][1] == pair.log(side).planned.stop for side in SIDES}
        runs = _native.diff_rows(
            left_rows=rows[Side.LEFT],
            right_rows=rows[Side.RIGHT],
            timestamps=pair.timestamps,
            offsets=pair.offsets,
            by_offset=True,
            to_the_end=all(ends.values()),
            epoch_starts=any(_epoch_starts(pair, offset) for offset in _first_unmatched(pair, rows)),
            limit=0,
        )
        stops = {side: ranges[side][1] for side in SIDES}
        stretched = Stretch(rows, stops, at_start=False, at_end=all(ends.values()), by_offset=True)
        converter = Converter(pair, stretched, reader)
        lasts = {side: len(rows[side]) // _native.ROW_BYTES for side in SIDES}
        runs = runs or []
        at_end = bool(runs) and any(
            ends[side] and lasts[side] > 0 and _last_index(runs[-1], side) == lasts[side] for side in SIDES
        )
        return [converter.difference(run) for run in runs], at_end
    except ReadAgainError as error:
        return [replace(_unread(stretch, str(error)), unread=True)], False


def _last_index(run: native.Run, side: Side) -> int:
    """Where the run ends on one side; 0 where it has no record there."""
    start, stop = run.left if side is Side.LEFT else run.right
    return stop if start < stop else 0


def _summary_at(runs: list[Difference], whole: _Stretch) -> list[Difference]:
    detail = f"more than {ROW_LIMIT} records lie between the first divergence and the end"
    return [_unread(whole, detail, runs[0].at if runs else None)]


def _first_unmatched(pair: Pair, rows: dict[Side, bytes]) -> list[int]:
    same = _native.common_rows(
        left_rows=rows[Side.LEFT], right_rows=rows[Side.RIGHT], timestamps=pair.timestamps, offsets=True
    )
    offsets = (tables.records(rows[side])["offset"] for side in SIDES)
    return [int(column[same]) for column in offsets if same < len(column)]


def _unread(stretch: AnyStretch, detail: str, at: FirstDivergence | None = None) -> Difference:
    return Difference(
        FindingKind.UNCLASSIFIED,
        OffsetRange(*stretch.left),
        OffsetRange(*stretch.right),
        stretch.left_records,
        stretch.right_records,
        at,
        detail=detail,
    )


WINDOW = 16_384
"""Records that a search for the first divergence of a long stretch reads at a time."""


def _window(pair: Pair, start: int, stop: int, reader: RowReader) -> tuple[dict[Side, bytes], int]:
    """Records of both sides from ``start`` on up to a common offset, which is also given."""
    rows = {side: reader.rows(pair.log(side), start, stop, WINDOW) for side in SIDES}
    offsets = {side: tables.records(rows[side])["offset"] for side in SIDES}
    end = min((int(found[-1]) + 1 for found in offsets.values() if len(found) == WINDOW), default=stop)
    cut = {side: int(np.searchsorted(found, end)) * _native.ROW_BYTES for side, found in offsets.items()}
    return {side: rows[side][: cut[side]] for side in SIDES}, end


def _summary(pair: Pair, stretch: AnyStretch, reader: RowReader, room: int) -> list[Difference]:
    """A stretch past the limit: its first divergence is exact, the rest is reported whole."""
    detail = f"more than {ROW_LIMIT} records differ or lie between differences; only the first divergence was sought"
    if room <= 0:
        return [_unread(stretch, detail)]
    try:
        stop = stretch.left[0]
        while stop < stretch.left[1]:
            rows, stop = _window(pair, stop, stretch.left[1], reader)
            runs = _native.diff_rows(
                left_rows=rows[Side.LEFT],
                right_rows=rows[Side.RIGHT],
                timestamps=pair.timestamps,
                offsets=pair.offsets,
                by_offset=True,
                to_the_end=False,
                epoch_starts=False,
                limit=0,
            )
            if runs:
                parts = Stretch(rows, dict.fromkeys(SIDES, stop), at_start=False, at_end=False, by_offset=True)
                first = Converter(pair, parts, reader).difference(runs[0])
                return [_unread(stretch, detail, first.at)]
    except ReadAgainError as error:
        return [replace(_unread(stretch, str(error)), unread=True)]
    return [_unread(stretch, detail)]
