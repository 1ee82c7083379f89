"""One side of a partition as it was read: slices joined in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcompare.model import OffsetRange, Reason
from kcompare.sources.base import SliceDigest, Unread
from kcompare.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from kcompare.model import PartitionBounds, Side, Slice


@dataclass(frozen=True)
class PartitionLog:
    """What was read of one side of one partition.

    Attributes:
        cells: cell rows that tile ``planned``.
        anchors: anchor rows of those cells.
        unread: ranges without trust, ascending and disjoint; the cells count them as uncovered.
        unexplained: the first gaps without a cause.
        leader_epochs: ``(leader epoch, base offset of its first batch)``.
        distrust: why nothing of this side counts as read, where that is so.
        unchecked: why it was not held to what was pinned once it was read, where that is so: no difference is hidden
            by it, and nothing is equal.
    """

    side: Side
    partition: int
    bounds: PartitionBounds
    planned: OffsetRange
    cells: bytes
    anchors: bytes
    bytes: int
    unread: tuple[Unread, ...]
    unexplained: tuple[OffsetRange, ...]
    unexplained_total: int
    leader_epochs: tuple[tuple[int, int], ...]
    ends: tuple[SliceDigest, ...] = ()
    distrust: Unread | None = None
    unchecked: Unread | None = None
    table: NDArray[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", tables.cells(self.cells))

    @property
    def records(self) -> int:
        """Records read."""
        return int(self.table["count"].sum())

    @property
    def batches(self) -> tuple[int, int]:
        """Batches with a record, and those of them whose timestamps the broker wrote."""
        return int(self.table["batches"].sum()), int(self.table["log_append_batches"].sum())

    @property
    def log_start_offset(self) -> int:
        """Where the log starts: as pinned, or where retention is known to have moved it since."""
        lost = (piece.log_start_offset for piece in self.ends if piece.end == Reason.LOST_TO_RETENTION.value)
        return max(self.bounds.log_start_offset, *lost, -1)

    def first_offset(self, start: int) -> int | None:
        """Offset of the first record of the cells from ``start`` on, which must be a cell's start; None without."""
        later = self.table[(self.table["start"] >= start) & (self.table["count"] > 0)]
        return int(later["first_offset"][0]) if len(later) else None

    @property
    def last_timestamp(self) -> int | None:
        """The largest timestamp of the last cell that has records, in ms."""
        filled = self.table[self.table["count"] > 0]
        return int(filled["max_timestamp"][-1]) if len(filled) else None

    @property
    def first_timestamp(self) -> int | None:
        """The smallest timestamp of the first cell that has records, in ms."""
        filled = self.table[self.table["count"] > 0]
        return int(filled["min_timestamp"][0]) if len(filled) else None


def join(side: Side, bounds: PartitionBounds, planned: OffsetRange, pieces: Sequence[SliceDigest]) -> PartitionLog:
    """Joins the slices of one side of a partition; what no slice covers is uncovered: the run was interrupted.

    Leader epochs never go back in a log. Where they do between two slices, two histories were read, and nothing says
    which offsets belong to which. And no answer may name a log start below the pinned one: records that were never
    planned would lie there, on one side as a head that is allowed, on both as nothing at all.
    """
    cells: list[bytes] = []
    unread: list[Unread] = []
    epochs: list[tuple[int, int]] = []
    distrust = None
    position = planned.start
    ordered = sorted(pieces, key=lambda piece: piece.slice.range.start)
    for piece in ordered:
        offsets = piece.slice.range
        if position < offsets.start:
            cells.append(tables.uncovered_cell(position, offsets.start))
            unread.append(_not_reached(position, offsets.start))
        cells.append(piece.cells)
        unread.extend(piece.unread)
        if epochs and piece.leader_epochs and piece.leader_epochs[0][0] < epochs[-1][0]:
            epoch, offset = piece.leader_epochs[0]
            detail = f"leader epoch {epoch} at offset {offset} follows epoch {epochs[-1][0]}"
            distrust = Unread(planned, Reason.LEADER_EPOCH_WENT_BACK, detail)
        # An epoch that goes on in the next slice does not begin there.
        known = epochs[-1][0] if epochs else None
        epochs.extend(found for found in piece.leader_epochs if found[0] != known)
        if 0 <= piece.log_start_offset < bounds.log_start_offset:
            detail = (
                f"partition {bounds.partition} was planned from log start {bounds.log_start_offset} on, and the broker "
                f"that served it names {piece.log_start_offset}; run again"
            )
            distrust = Unread(planned, Reason.CHANGED_WHILE_READING, detail)
        position = offsets.stop
    if position < planned.stop:
        cells.append(tables.uncovered_cell(position, planned.stop))
        unread.append(_not_reached(position, planned.stop))
    gaps = _joined(gap for piece in ordered for gap in piece.unexplained)
    listed = sum(len(piece.unexplained) for piece in ordered)
    return PartitionLog(
        side=side,
        partition=bounds.partition,
        bounds=bounds,
        planned=planned,
        cells=b"".join(cells),
        anchors=b"".join(piece.anchors for piece in ordered),
        bytes=sum(piece.bytes for piece in ordered),
        unread=_whole(unread),
        unexplained=gaps,
        unexplained_total=sum(piece.unexplained_total for piece in ordered) - (listed - len(gaps)),
        leader_epochs=tuple(epochs),
        ends=tuple(piece for piece in ordered if piece.end != "reached"),
        distrust=distrust,
    )


def not_read(piece: Slice, reason: Reason, detail: str) -> SliceDigest:
    """A slice of which nothing was read."""
    offsets = piece.range
    return SliceDigest(
        slice=piece,
        cells=tables.uncovered_cell(offsets.start, offsets.stop),
        anchors=b"",
        records=0,
        bytes=0,
        end="not_tried",
        end_code="",
        end_detail=detail,
        log_start_offset=-1,
        high_watermark=-1,
        last_stable_offset=-1,
        unread=(Unread(offsets, reason.value, detail),),
        unexplained=(),
        unexplained_total=0,
        leader_epochs=(),
    )


def _joined(gaps: Iterable[OffsetRange]) -> tuple[OffsetRange, ...]:
    """Gaps that a slice border cut are one again."""
    joined: list[OffsetRange] = []
    for gap in gaps:
        if joined and joined[-1].stop == gap.start:
            joined[-1] = OffsetRange(joined[-1].start, gap.stop)
        else:
            joined.append(gap)
    return tuple(joined)


def _whole(unread: Iterable[Unread]) -> tuple[Unread, ...]:
    """Likewise ranges without trust, where both parts have the same cause."""
    whole: list[Unread] = []
    for one in unread:
        last = whole[-1] if whole else None
        if last and (last.range.stop, last.reason, last.detail) == (one.range.start, one.reason, one.detail):
            whole[-1] = Unread(OffsetRange(last.range.start, one.range.stop), one.reason, one.detail)
        else:
            whole.append(one)
    return tuple(whole)


def _not_reached(start: int, stop: int) -> Unread:
    return Unread(OffsetRange(start, stop), Reason.INTERRUPTED, "the run was interrupted before it read these offsets")
