"""Retention that moves while a log is read: what is left is read, and what is gone is allowed or unverified.

A slice that the log start has passed is read again from there. Where the user allows that the other side holds more at
its start (``--allow-head``), the partition then is what it would have been had the run begun later: it is planned from
the new log start on, and what the other side has before it is a head, under the same bound as any other head.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.errors import SourceError
from kcompare.model import SIDES, Effect, Finding, FindingKind, OffsetRange, Reason, Side, Slice
from kcompare.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader
    from kcompare.settings.allowances import Allowance
    from kcompare.sources.base import SliceDigest, Source

ATTEMPTS = 4
"""How often a moving log start is followed; retention that is as fast as the reader is not caught up with."""

LOST = Reason.LOST_TO_RETENTION.value
UNCOVERED = tables.GAPS.index("uncovered")

Pieces = dict[tuple[Side, int], list["SliceDigest"]]


def read_again(
    found: Pieces,
    sources: Mapping[Side, Source],
    read: Callable[[Sequence[Slice]], Iterable[SliceDigest]],
) -> Iterator[SliceDigest]:
    """Reads what is left of slices that retention has overtaken, adds it to ``found`` and yields it.

    A slice is cut where the log starts by now, as two answers of the broker have it, not the reader that ended there.
    """
    for _ in range(ATTEMPTS):
        again: list[Slice] = []
        for side in SIDES:
            mine = {partition: pieces for (of, partition), pieces in found.items() if of is side}
            if any(piece.end == LOST for pieces in mine.values() for piece in pieces):
                starts = _log_starts(sources[side])
                for partition, pieces in mine.items():
                    again.extend(_cut_all(pieces, starts.get(partition, -1)))
        if not again:
            return
        for piece in read(again):
            found[piece.slice.side, piece.slice.partition].append(piece)
            yield piece


def _log_starts(source: Source) -> dict[int, int]:
    try:
        good, _ = source.bounds()
    except SourceError:
        return {}
    return {bounds.partition: bounds.log_start_offset for bounds in good}


def _cut_all(pieces: list[SliceDigest], log_start: int) -> Iterator[Slice]:
    """Ends every slice that was overtaken at the log start, in place; yields what is to be read of them."""
    for index, piece in enumerate(pieces):
        if piece.end != LOST or not piece.unread:
            continue
        rest = piece.slice.range
        # What it says of the log start is from now on what was confirmed, which is what an allowance rests on.
        pieces[index] = replace(piece, log_start_offset=log_start)
        if piece.unread[-1].range.start < log_start < rest.stop:
            pieces[index] = _cut(pieces[index], log_start)
            later = tuple(pin for pin in piece.slice.checkpoints if pin > log_start)
            yield Slice(piece.slice.side, piece.slice.partition, OffsetRange(log_start, rest.stop), later)


def _cut(piece: SliceDigest, stop: int) -> SliceDigest:
    """A slice that was read up to some offset below ``stop``, and ends there now."""
    rows = tables.cells(piece.cells)
    kept = rows[rows["start"] < stop].copy()
    over = int(kept["stop"][-1]) - stop
    if over > 0:
        # Every offset from the lost one on is uncovered, so only that count shrinks.
        kept["stop"][-1] = stop
        kept["gaps"][-1, UNCOVERED] -= over
    lost = piece.unread[-1]
    unread = (*piece.unread[:-1], replace(lost, range=OffsetRange(lost.range.start, stop)))
    pins = tuple(pin for pin in piece.slice.checkpoints if pin < stop)
    cut = replace(piece.slice, range=OffsetRange(piece.slice.range.start, stop), checkpoints=pins)
    return replace(piece, slice=cut, cells=kept.tobytes(), unread=unread)


def allowed(
    left: PartitionLog, right: PartitionLog, head: Allowance | None, reader: RowReader
) -> tuple[PartitionLog, PartitionLog, list[Finding]]:
    """Both sides without what retention took during the run, where that is allowed, and what was allowed.

    Where it is not, the side keeps its uncovered range; either way what lies behind is compared from there on.
    """
    logs = {Side.LEFT: left, Side.RIGHT: right}
    findings = []
    for side in SIDES:
        start = lost_up_to(logs[side])
        if start is None:
            continue
        logs[side.other] = _with_checkpoint(logs[side.other], start, reader)
        if head is None or not head.covers(side.other):
            continue
        log = logs[side]
        logs[side] = beginning_at(log, start)
        gone = OffsetRange(log.planned.start, start)
        findings.append(
            Finding(
                kind=FindingKind.UNVERIFIED,
                effect=Effect.ALLOWED,
                partition=log.partition,
                left=gone if side is Side.LEFT else None,
                right=gone if side is Side.RIGHT else None,
                side=side,
                reason=Reason.RETENTION_DURING_RUN,
                detail=f"retention took these offsets during the run; --allow-head {head.text} covers the other side",
            )
        )
    return logs[Side.LEFT], logs[Side.RIGHT], findings


def front_that_is_left(log: PartitionLog) -> int | None:
    """Where a log begins behind what retention took; None where other offsets were not read either."""
    if any(unread.reason != LOST for unread in log.unread):
        return None
    return max((unread.range.stop for unread in log.unread), default=log.planned.start)


def lost_up_to(log: PartitionLog) -> int | None:
    """Where a log begins behind all that retention took while it was read; None where that is nothing or not sure."""
    lost = [unread.range.stop for unread in log.unread if unread.reason == LOST]
    if not lost or log.distrust is not None:
        return None
    confirmed = max((piece.log_start_offset for piece in log.ends if piece.end == LOST), default=-1)
    start = max(lost)
    borders = {*log.table["stop"].tolist()}
    return start if start <= confirmed and start in borders else None


def beginning_at(log: PartitionLog, start: int) -> PartitionLog:
    """The log from a border of its cells on."""
    anchors = tables.anchors(log.anchors)
    holes = tuple(hole for hole in log.unexplained if hole.start >= start)
    before = [epoch for epoch, offset in log.leader_epochs if offset <= start]
    epochs = [(epoch, offset) for epoch, offset in log.leader_epochs if offset > start]
    if before:
        epochs = [(before[-1], start), *epochs]
    return replace(
        log,
        planned=OffsetRange(start, log.planned.stop),
        cells=log.table[log.table["start"] >= start].tobytes(),
        anchors=anchors[anchors["offset"] >= start].tobytes(),
        unread=tuple(unread for unread in log.unread if unread.range.start >= start),
        unexplained=holes,
        unexplained_total=log.unexplained_total - (len(log.unexplained) - len(holes)),
        leader_epochs=tuple(epochs),
    )


def _with_checkpoint(log: PartitionLog, offset: int, reader: RowReader) -> PartitionLog:
    """The log with a digest kept at an offset, so that the other side can be held against it from there.

    The cell is read again for it, and taken only if it is what it was.
    """
    rows = log.table
    found = rows[(rows["start"] < offset) & (offset < rows["stop"])]
    if log.distrust is not None or len(found) == 0:
        return log
    start, stop = int(found["start"][0]), int(found["stop"][0])
    piece = reader.cells(log, OffsetRange(start, stop), (offset,))
    anchors = tables.anchors(log.anchors)
    inside = anchors[(anchors["offset"] >= start) & (anchors["offset"] < stop)]
    was = _native.prefix_lanes(cells=found.tobytes(), anchors=inside.tobytes(), start=start, offset=stop)
    now = _native.prefix_lanes(cells=piece.cells, anchors=piece.anchors, start=start, offset=stop)
    if piece.unread or was != now:
        return log
    cells = (rows[rows["stop"] <= start].tobytes(), piece.cells, rows[rows["start"] >= stop].tobytes())
    parts = (
        anchors[anchors["offset"] < start].tobytes(),
        piece.anchors,
        anchors[anchors["offset"] >= stop].tobytes(),
    )
    return replace(log, cells=b"".join(cells), anchors=b"".join(parts))
