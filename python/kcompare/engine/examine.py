"""Two sides of a partition held against each other: equal, or the runs in which they differ.

Two alignments compete. By offset, a record's counterpart is the one at the same offset; by ordinal, the logs are
matched from their starts and from their ends, at whatever offsets. The one that leaves fewer records unmatched wins,
by offset on a tie: a hole in a log of equal records is where the offsets say it is, not at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.engine.around_damage import rest_is_equal
from kcompare.engine.by_offset import differences_by_offset
from kcompare.engine.by_ordinal import differences_by_ordinal, first_divergence
from kcompare.engine.differences import Difference, Examination
from kcompare.engine.reading import LogChangedError, ReadAgainError
from kcompare.engine.runs import ROW_LIMIT
from kcompare.model import (
    SIDES,
    FindingKind,
    FirstDivergence,
    OffsetRange,
    OffsetRelation,
    OffsetsReport,
    Reason,
    Side,
    Where,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare._native import Alignment, OffsetAlignment
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader

CERTAIN = 0.9
"""Where this share of the common offsets is proven equal, no other alignment is tried."""

ESTABLISHED = 0.5
"""Beside unread ranges, offsets are believed to correspond only where this share of them is proven equal."""

UNRELATED = OffsetsReport(None, None, None)


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of a partition and what is compared of them.

    Attributes:
        heads: the sides that may hold more at their start; ``tails`` likewise at their end. Of two ways to lay equal
            records over one another the one that is allowed is meant.
    """

    left: PartitionLog
    right: PartitionLog
    timestamps: bool
    offsets: bool
    heads: tuple[Side, ...] = ()
    tails: tuple[Side, ...] = ()

    def log(self, side: Side) -> PartitionLog:
        """One side."""
        return self.left if side is Side.LEFT else self.right


def examine(pair: Pair, reader: RowReader) -> Examination:
    """Finds every run in which the two sides differ.

    Differences beside unread ranges are told only where the unread records could not be their counterparts. A second
    reading that gives other records than the first ends the examination: nothing of it can be told then.
    """
    left, right = pair.left, pair.right
    found = _native.align(
        left_cells=left.cells,
        left_anchors=left.anchors,
        left_start=left.planned.start,
        right_cells=right.cells,
        right_anchors=right.anchors,
        right_start=right.planned.start,
        timestamps=pair.timestamps,
        offsets=pair.offsets,
    )
    if found.equal:
        return Examination((), _relation(found))
    if not left.unread and not right.unread and (found.left_records == 0 or found.right_records == 0):
        return Examination((_one_sided(pair, found),), UNRELATED)
    try:
        if left.unread or right.unread:
            return _beside_unread(pair, found, reader)
        whole = _whole(pair, found, reader)
    except LogChangedError as error:
        return Examination((), UNRELATED, (Reason.CHANGED_WHILE_READING.value, str(error)))
    if not whole.differences:
        # Digests that differ are a difference; a drill-down that finds none is wrong, and never an EQUAL.
        detail = "the digests of the two sides differ and no record was found that does; report this as a bug"
        return Examination((), UNRELATED, (Reason.NOT_ALIGNED.value, detail))
    return whole


def _relation(found: Alignment) -> OffsetsReport:
    if found.relation is None:
        return UNRELATED
    relation = OffsetRelation(found.relation)
    return OffsetsReport(relation, found.shift, None if relation is OffsetRelation.MAPPED else 1)


IDENTICAL = OffsetsReport(OffsetRelation.IDENTICAL, 0, 1)


def _one_sided(pair: Pair, found: Alignment) -> Difference:
    """One side has no record at all, so the other has nothing that could be compared."""
    side = Side.LEFT if found.left_records else Side.RIGHT
    log = pair.log(side)
    first = log.first_offset(log.planned.start)
    is_left = side is Side.LEFT
    return Difference(
        FindingKind.ONLY_LEFT if is_left else FindingKind.ONLY_RIGHT,
        log.planned if is_left else None,
        None if is_left else log.planned,
        found.left_records,
        found.right_records,
        FirstDivergence(first if is_left else None, None if is_left else first),
        where=Where.TAIL,
        detail=f"the {side.other.value} side has no record in this partition",
        other_is_empty=True,
    )


def _unclassified(differences: Sequence[Difference]) -> int:
    return sum(found.records for found in differences if found.kind is FindingKind.UNCLASSIFIED)


def _cost(differences: Sequence[Difference]) -> tuple[int, int]:
    return _unclassified(differences), sum(found.records for found in differences)


def _whole(pair: Pair, found: Alignment, reader: RowReader) -> Examination:
    by_offset = found.by_offset
    same_offsets: tuple[Difference, ...] | None = None
    if by_offset is not None and (pair.offsets or _may_correspond(by_offset)):
        same_offsets = differences_by_offset(pair, by_offset, reader)
        common = max(by_offset.left_records[1], by_offset.right_records[1])
        certain = not by_offset.dirty or by_offset.matched >= CERTAIN * common
        fewest = max(1, abs(found.left_records - found.right_records))
        # Equal records that a shift moved agree at most of their offsets too, and leave a head here and a tail there.
        leans = any(by_offset.left_records[end] and by_offset.right_records[2 - end] for end in (0, 2))
        if pair.offsets or (certain and not leans) or _cost(same_offsets) <= (0, fewest):
            return Examination(same_offsets, _at_same_offsets(found, same_offsets))
    by_ordinal = differences_by_ordinal(pair, found, reader)
    if same_offsets is not None and _cost(same_offsets) <= _cost(by_ordinal):
        return Examination(same_offsets, _at_same_offsets(found, same_offsets))
    return Examination(by_ordinal, UNRELATED)


def _may_correspond(by_offset: OffsetAlignment) -> bool:
    """Whether records may have their counterparts at the same offsets.

    A log without a checkpoint inside matches nothing before it is read again, so a short one is always looked at:
    what is missing within the other side's bounds would pass as its tail otherwise.
    """
    dirty = sum(max(stretch.left_records, stretch.right_records) for stretch in by_offset.dirty)
    return by_offset.matched > 0 or dirty <= ROW_LIMIT


def _at_same_offsets(found: Alignment, differences: Sequence[Difference]) -> OffsetsReport:
    """Identical, unless no record was left that could be so."""
    return IDENTICAL if found.left_records > sum(one.left_records for one in differences) else UNRELATED


def _beside_unread(pair: Pair, found: Alignment, reader: RowReader) -> Examination:
    """Some planned offsets were not read: what stands there on the other side may be their very records."""
    by_offset = found.by_offset
    if by_offset is not None:
        common = min(by_offset.left_records[1], by_offset.right_records[1])
        if by_offset.matched and by_offset.matched >= ESTABLISHED * common:
            differences = differences_by_offset(pair, by_offset, reader)
            told = tuple(one for one in differences if _is_proven(pair, by_offset, one))
            if told:
                return Examination(told, IDENTICAL)
    if by_offset is not None and rest_is_equal(pair, by_offset, reader):
        # The unread offsets are told of by themselves. What they hold is unknown, so nothing is said of how offsets
        # are related behind them.
        return Examination((), UNRELATED)
    parting = _before_unread(pair, found, reader)
    if parting is not None:
        return Examination((parting,), UNRELATED)
    detail = "beside the unread offsets the two logs cannot be aligned, so nothing is said of the rest"
    return Examination((), UNRELATED, (Reason.NOT_ALIGNED.value, detail))


def _is_proven(pair: Pair, by_offset: OffsetAlignment, difference: Difference) -> bool:
    """Whether a run by offset differs whatever the unread records are.

    Behind unread offsets a log may have other offsets than before them (a marker that the other side lacks), and then
    nothing that stands at one offset has to be the same. So records proven equal must stand on both sides of the run,
    or between it and the end of the common range that it lies beyond, with nothing unread among them.
    """
    ranges = [offsets for offsets in (difference.left, difference.right) if offsets is not None]
    start, stop = min(found.start for found in ranges), max(found.stop for found in ranges)
    first, last = by_offset.common
    if stop <= first:
        return not _is_unread(pair, start, stop) and _agree_from(pair, by_offset, first)
    if start >= last:
        return not _is_unread(pair, start, stop) and _agree_up_to(pair, by_offset, last)
    for stretch in by_offset.dirty:
        begin, end = stretch.left
        if begin <= start and stop <= end:
            around = _agree_up_to(pair, by_offset, begin) and _agree_from(pair, by_offset, end)
            return around and not _is_unread(pair, begin, end)
    return False


def _is_unread(pair: Pair, start: int, stop: int) -> bool:
    """Whether any of the offsets is unread on a side."""
    return any(
        unread.range.start < stop and start < unread.range.stop
        for log in (pair.left, pair.right)
        for unread in log.unread
    )


def _agree_up_to(pair: Pair, by_offset: OffsetAlignment, offset: int) -> bool:
    """Whether records proven equal, and nothing unread, stand right before ``offset``."""
    borders = [by_offset.common[0], *(stretch.left[1] for stretch in by_offset.dirty)]
    return _agree(pair, max(border for border in borders if border <= offset), offset)


def _agree_from(pair: Pair, by_offset: OffsetAlignment, offset: int) -> bool:
    """The same, from ``offset`` on."""
    borders = [by_offset.common[1], *(stretch.left[0] for stretch in by_offset.dirty)]
    return _agree(pair, offset, min(border for border in borders if border >= offset))


def _agree(pair: Pair, start: int, stop: int) -> bool:
    """Whether a clean stretch between two checkpoints has records, all of them read."""
    log = pair.left
    before, after = (
        _native.prefix_lanes(cells=log.cells, anchors=log.anchors, start=log.planned.start, offset=offset)
        for offset in (start, stop)
    )
    return before != after and not _is_unread(pair, start, stop)


def _before_unread(pair: Pair, found: Alignment, reader: RowReader) -> Difference | None:
    """Where the logs part before the first unread offset of either side, which nothing behind it can undo.

    Both next records were read and they differ; what follows cannot be told, so that no kind is claimed.
    """
    starts = {Side.LEFT: found.prefix[0], Side.RIGHT: found.prefix[1]}
    ends = {
        side: min((one.range.start for one in pair.log(side).unread), default=pair.log(side).planned.stop)
        for side in SIDES
    }
    try:
        at, same = first_divergence(pair, starts, ends, reader)
    except ReadAgainError:
        return None
    if at.left_offset is None or at.right_offset is None:
        return None
    agreed = found.prefix[2] + same
    if agreed == 0 and pair.heads:
        # One side may rightly begin earlier: that their first records differ says nothing yet.
        return None
    return Difference(
        FindingKind.UNCLASSIFIED,
        OffsetRange(at.left_offset, pair.left.planned.stop),
        OffsetRange(at.right_offset, pair.right.planned.stop),
        pair.left.records - agreed,
        pair.right.records - agreed,
        at,
        detail=f"the kind cannot be told beside {len(pair.left.unread) + len(pair.right.unread)} unread ranges",
    )
