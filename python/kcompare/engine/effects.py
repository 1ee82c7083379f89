"""What each difference does to the verdict: the second step, after the kinds are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kcompare.engine.aborted import aborted_copy
from kcompare.engine.reading import ReadAgainError
from kcompare.engine.repetition import repeats
from kcompare.model import SIDES, Effect, Finding, FindingKind, Reason, Side, Where
from kcompare.settings.allowances import DurationBound, RecordBound, TimeBound
from kcompare.store import tables

if TYPE_CHECKING:
    from kcompare.engine.differences import Difference
    from kcompare.engine.examine import Pair
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader
    from kcompare.model import OffsetRange
    from kcompare.settings.allowances import Allowance

SIDE_OF = {FindingKind.ONLY_LEFT: Side.LEFT, FindingKind.ONLY_RIGHT: Side.RIGHT}


@dataclass(frozen=True, slots=True)
class Allowances:
    """What the user allows; ``empty``: a partition, or a run, in which there is nothing to compare."""

    head: Allowance | None = None
    tail: Allowance | None = None
    gaps: bool = False
    empty: bool = False

    def at(self, where: Where | None) -> Allowance | None:
        """The allowance for one end of a log."""
        return {Where.HEAD: self.head, Where.TAIL: self.tail}.get(where) if where else None


def finding(pair: Pair, difference: Difference, allowances: Allowances, reader: RowReader) -> Finding:
    """The finding that a difference becomes: a difference unless an allowance covers it, or nothing was committed."""
    return _above_high_watermark(pair, _allowed(pair, difference, allowances, reader))


def _above_high_watermark(pair: Pair, found: Finding) -> Finding:
    """A difference in records that a log directory holds at or above the high watermark last written down.

    The checkpoint is seconds old, so these records may or may not have been committed, and a broker that was not the
    leader would have dropped what was not. What a side does *not* hold is no record of its own above anything.
    """
    if found.effect is not Effect.DIFFERENCE:
        return found
    for side in SIDES:
        offsets = found.left if side is Side.LEFT else found.right
        checkpoint = pair.log(side).bounds.high_watermark_checkpoint
        if offsets is not None and checkpoint is not None and offsets.start >= checkpoint:
            detail = (
                f"the broker of the {side.value} side had last written down the high watermark {checkpoint}, so that "
                "these records may not have been committed"
            )
            return replace(
                found,
                effect=Effect.UNVERIFIED,
                side=side,
                reason=Reason.ABOVE_HIGH_WATERMARK,
                detail=f"{found.detail}; {detail}" if found.detail else detail,
            )
    return found


def _allowed(pair: Pair, difference: Difference, allowances: Allowances, reader: RowReader) -> Finding:
    """The finding that a difference becomes: a difference unless an allowance covers it."""
    found = Finding(
        kind=difference.kind,
        effect=Effect.DIFFERENCE,
        partition=pair.left.partition,
        left=difference.left,
        right=difference.right,
        records=difference.records,
        where=difference.where,
        fields=difference.fields,
        detail=difference.detail,
    )
    side = SIDE_OF.get(difference.kind)
    if side is None or difference.where not in {Where.HEAD, Where.TAIL}:
        return found
    where, allowance = _allowance(pair, difference, side, allowances)
    found = replace(found, where=where)
    offsets = difference.offsets(side)
    assert offsets is not None, "a one-sided run has offsets on its side"  # noqa: S101
    if difference.other_is_empty and (allowance is None or not allowances.empty):
        if allowance is None:
            return found
        detail = f"the {side.other.value} side has no record here; say --allow-empty if that is right"
        return replace(found, effect=Effect.UNVERIFIED, side=side.other, reason=Reason.NOTHING_COMPARED, detail=detail)
    return _at_an_end(pair, found, side, offsets, allowance, reader)


def _allowance(
    pair: Pair, difference: Difference, side: Side, allowances: Allowances
) -> tuple[Where | None, Allowance | None]:
    """The end at which the run is, and the allowance that covers it there.

    An empty log has both ends in one place: what the other side has is its tail, or its head where the empty one has
    lost records to retention.
    """
    ends = [difference.where]
    if difference.other_is_empty and pair.log(side.other).planned.start > 0:
        ends.append(Where.HEAD)
    for where in ends:
        allowance = allowances.at(where)
        if allowance is not None and allowance.covers(side):
            return where, allowance
    return difference.where, None


def _at_an_end(
    pair: Pair,
    found: Finding,
    side: Side,
    offsets: OffsetRange,
    allowance: Allowance | None,
    reader: RowReader,
) -> Finding:
    """What one side has more at an end: a repetition whatever is allowed, else allowed or a difference."""
    log, other = pair.log(side), pair.log(side.other)
    try:
        repeated = repeats(log, offsets, reader, timestamps=pair.timestamps)
        copied = None if allowance is None else aborted_copy(pair, side, offsets, found.records, reader)
        times = None if allowance is None else _timestamps(log, offsets, reader)
    except ReadAgainError as error:
        untested = "" if allowance is None else "not allowed, because "
        return replace(found, detail=f"{untested}it could not be tested for repetition or aborted copies: {error}")
    if repeated is not None:
        detail = f"it repeats records that the {side.value} side already has at offset {repeated}"
        return replace(found, kind=FindingKind.DUPLICATED, where=None, detail=detail)
    if copied is not None:
        detail = f"it holds records that the {side.other.value} side aborted, such as the one at offset {copied}"
        return replace(found, kind=FindingKind.ABORTED_COPIED, where=None, detail=detail)
    if allowance is None:
        return found
    excess = _excess(found, allowance, times, other)
    if excess:
        return replace(found, detail=f"past the allowance {allowance.text}: {excess}")
    bound = "" if allowance.bound is None else f"within {allowance.text}, "
    span = "without timestamps" if times is None else f"spanning {(times[1] - times[0]) / 1000:.1f} s"
    return replace(found, effect=Effect.ALLOWED, detail=bound + span)


def _excess(found: Finding, allowance: Allowance, times: tuple[int, int] | None, other: PartitionLog) -> str:
    """How the run passes its bound, as words; empty where it does not."""
    at_tail = found.where is Where.TAIL
    match allowance.bound:
        case None:
            return ""
        case RecordBound(records):
            return f"it has {found.records} records" if found.records > records else ""
        case DurationBound(milliseconds):
            edge = other.last_timestamp if at_tail else other.first_timestamp
            if times is None or edge is None or edge < 0:
                return "it has no timestamps to measure"
            # Both ends of the run and its own length: one odd timestamp must not stretch the bound.
            span = max(abs(times[0] - edge), abs(times[1] - edge), times[1] - times[0])
            return f"it spans {span / 1000:.1f} s from the other side's edge" if span > milliseconds else ""
        case TimeBound(time_ms):
            if times is None:
                return "it has no timestamps to measure"
            beyond = times[0] < time_ms if at_tail else times[1] >= time_ms
            return "it has records on the other side of that time" if beyond else ""


def _timestamps(log: PartitionLog, offsets: OffsetRange, reader: RowReader) -> tuple[int, int] | None:
    """Smallest and largest timestamp of the records in a range, in ms; None where one has none.

    Cells inside the range are known; a cell that the range cuts is read again.
    """
    table = log.table
    filled = table[(table["stop"] > offsets.start) & (table["start"] < offsets.stop) & (table["count"] > 0)]
    lows: list[int] = []
    highs: list[int] = []
    for cell in filled:
        start, stop = int(cell["start"]), int(cell["stop"])
        if start >= offsets.start and stop <= offsets.stop:
            lows.append(int(cell["min_timestamp"]))
            highs.append(int(cell["max_timestamp"]))
            continue
        start, stop = max(start, offsets.start), min(stop, offsets.stop)
        rows = tables.records(reader.rows(log, start, stop, stop - start))
        if len(rows):
            lows.append(int(rows["timestamp"].min()))
            highs.append(int(rows["timestamp"].max()))
    if not lows or min(lows) < 0:
        return None
    return min(lows), max(highs)
