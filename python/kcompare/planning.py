"""From pinned bounds to slices: a plan is a plain value that any worker, now or later, can follow."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kcompare.model import SIDES, OffsetRange, PartitionBounds, Side, Slice
from kcompare.settings.ranges import OffsetEdge, TimeEdge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kcompare.settings.ranges import Edge, LogRange

CELL_OFFSETS = 65_536
"""Offsets in a cell; the native module has the same number, which a test compares."""

SLICE_CELLS = 64
"""Cells in a full slice: four million offsets, some seconds of work, so that an end is never far away."""

MAX_SLICES = 4096
"""Slices of one side of a partition at most, so that a plan stays small whatever offsets a broker names."""

MIN_SLICES = 8
"""A short log is still cut so far that several workers have something to do."""


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """What will be read of one partition; None for a side that lacks it or has no bounds.

    Attributes:
        left: planned offsets on the left: from log start to high watermark, or the part of that which is wanted.
        right: planned offsets on the right.
    """

    partition: int
    left: OffsetRange | None
    right: OffsetRange | None

    def side(self, side: Side) -> OffsetRange | None:
        """The planned offsets of one side."""
        return self.left if side is Side.LEFT else self.right


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be read of a pair of topics, pinned once; slices in the order in which to start them."""

    partitions: tuple[PartitionPlan, ...]
    slices: tuple[Slice, ...]

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, for a file or another process."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The plan that :meth:`to_dict` wrote."""

        def offsets(found: dict[str, int] | None) -> OffsetRange | None:
            return None if found is None else OffsetRange(**found)

        return cls(
            partitions=tuple(
                PartitionPlan(found["partition"], offsets(found["left"]), offsets(found["right"]))
                for found in values["partitions"]
            ),
            slices=tuple(
                Slice(
                    Side(found["side"]),
                    found["partition"],
                    OffsetRange(**found["range"]),
                    tuple(found["checkpoints"]),
                )
                for found in values["slices"]
            ),
        )


def whole(bounds: PartitionBounds) -> OffsetRange:
    """All of a partition: from its log start to its high watermark."""
    return OffsetRange(bounds.log_start_offset, max(bounds.log_start_offset, bounds.high_watermark))


def limited(
    bounds: PartitionBounds, wanted: LogRange, times: Mapping[int, int | None]
) -> tuple[OffsetRange, tuple[str, ...]]:
    """The part of a partition that is wanted and there, and a sentence for each edge at which something is not there.

    Args:
        bounds: as pinned; the last offsets are counted from this high watermark, whatever is written later.
        wanted: what was asked for.
        times: offset of the first record at or past each time of the range, None where there is none yet.
    """
    held = whole(bounds)
    if wanted.last is not None:
        cut = f"the log holds only {len(held)} offsets of the last {wanted.last} that {wanted.text} asks for"
        start = max(held.start, held.stop - wanted.last)
        return OffsetRange(start, held.stop), () if len(held) >= wanted.last else (cut,)
    (start, start_cut), (stop, stop_cut) = _start(held, wanted.start, times), _stop(held, wanted.stop, times)
    start = min(max(start, held.start), held.stop)
    return OffsetRange(start, min(max(stop, start), held.stop)), tuple(cut for cut in (start_cut, stop_cut) if cut)


def _start(held: OffsetRange, wanted: Edge | None, times: Mapping[int, int | None]) -> tuple[int, str]:
    """Where a range starts, and what of it is not there."""
    match wanted:
        case OffsetEdge(offset):
            if offset > held.stop:
                return offset, f"the log ends at offset {held.stop}, before the range starts"
            cut = f"the log starts at offset {held.start}, so [{offset}, {held.start}) is not there"
            return offset, cut if offset < held.start else ""
        case TimeEdge(time_ms):
            found = times[time_ms]
            if found is None:
                return held.stop, ""
            cut = (
                f"the first record since {wanted.text} is where the log starts, at offset {held.start}: "
                "earlier ones of the range may be gone"
            )
            return found, cut if found <= held.start and held.start > 0 else ""
        case None:
            return held.start, ""


def _stop(held: OffsetRange, wanted: Edge | None, times: Mapping[int, int | None]) -> tuple[int, str]:
    """Where a range stops, and what of it is not there."""
    match wanted:
        case OffsetEdge(offset):
            if offset < held.start:
                return offset, f"the log starts at offset {held.start}, behind the range's stop"
            cut = f"the log ends at offset {held.stop}, so [{held.stop}, {offset}) is not there"
            return offset, cut if offset > held.stop else ""
        case TimeEdge(time_ms):
            found = times[time_ms]
            if found is not None:
                return found, ""
            return held.stop, (
                f"no record is as young as {wanted.text}, so the range stops where the log ended, at offset {held.stop}"
            )
        case None:
            return held.stop, ""


def partition_plans(
    left: Mapping[int, OffsetRange], right: Mapping[int, OffsetRange], partitions: Iterable[int]
) -> tuple[PartitionPlan, ...]:
    """What will be read of each partition, by what is planned on either side."""
    return tuple(PartitionPlan(partition, left.get(partition), right.get(partition)) for partition in partitions)


def slices_of(
    planned: Iterable[PartitionPlan], least: int = MIN_SLICES, borders: Mapping[int, Iterable[int]] | None = None
) -> tuple[Slice, ...]:
    """Cuts every partition of both sides into slices, a short log into about ``least`` of them over all partitions.

    Digests are kept at the planned edges of either side, because the ends of a range that both sides have seldom
    fall on a cell border, and at the ``borders`` of a partition. Sides and partitions take turns, and each starts at
    its oldest offset, where retention strikes first.
    """
    planned = tuple(planned)
    total = sum(len(found) for one in planned for found in (one.left, one.right) if found is not None)
    # Whole cells, so that a slice never splits one but at a planned edge.
    cells = max(1, min(SLICE_CELLS, total // CELL_OFFSETS // least))
    queues: list[list[Slice]] = []
    for one in planned:
        pins = {pin for side in SIDES if (found := one.side(side)) for pin in (found.start, found.stop)}
        pins.update((borders or {}).get(one.partition, ()))
        if one.left is None or one.right is None:
            # Without the other side there is nothing to compare it with.
            continue
        queues.extend(
            _slices(side, one.partition, found, pins, cells * CELL_OFFSETS)
            for side in SIDES
            if (found := one.side(side))
        )
    return tuple(_in_turn(queues))


def slices_of_one(
    side: Side, planned: Mapping[int, OffsetRange], borders: Mapping[int, Iterable[int]]
) -> tuple[Slice, ...]:
    """The same for one side alone: slices of whole cells, partitions taking turns. A slice ends at each border."""
    total = sum(map(len, planned.values()))
    cells = max(1, min(SLICE_CELLS, total // CELL_OFFSETS // MIN_SLICES))
    queues = []
    for partition, held in planned.items():
        cuts = [cut for cut in sorted(set(borders.get(partition, ()))) if held.start < cut < held.stop]
        parts = (OffsetRange(*edges) for edges in pairwise((held.start, *cuts, held.stop)))
        queues.append([one for part in parts for one in _slices(side, partition, part, set(), cells * CELL_OFFSETS)])
    return tuple(_in_turn(queues))


def _slices(side: Side, partition: int, planned: OffsetRange, pins: set[int], size: int) -> list[Slice]:
    slices = []
    least = -(-len(planned) // MAX_SLICES)
    size = max(size, -(-least // CELL_OFFSETS) * CELL_OFFSETS)
    start = planned.start
    while start < planned.stop:
        stop = min(planned.stop, (start // size + 1) * size)
        checkpoints = tuple(sorted(pin for pin in pins if start < pin < stop))
        slices.append(Slice(side, partition, OffsetRange(start, stop), checkpoints))
        start = stop
    return slices


def _in_turn(queues: list[list[Slice]]) -> list[Slice]:
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
