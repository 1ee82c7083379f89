"""From pinned bounds to slices: a plan is a plain value that any worker, now or later, can follow."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kcompare.model import SIDES, OffsetRange, PartitionBounds, Side, Slice

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
        left: planned offsets on the left, from log start to high watermark.
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
    """Everything that will be read, pinned once. Slices are in the order in which they should be started."""

    partitions: tuple[PartitionPlan, ...]
    slices: tuple[Slice, ...]

    @property
    def offsets(self) -> int:
        """Offsets of all slices."""
        return sum(len(piece.range) for piece in self.slices)

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


def plan(
    left: dict[int, PartitionBounds],
    right: dict[int, PartitionBounds],
    partitions: tuple[int, ...],
) -> Plan:
    """Cuts every partition of both sides into slices.

    Digests are kept at the pinned bounds of either side, because the ends of a range that both sides have seldom
    fall on a cell border. Sides and partitions take turns, and each starts at its oldest offset, where retention
    strikes first.
    """
    planned = tuple(
        PartitionPlan(partition, _planned(left.get(partition)), _planned(right.get(partition)))
        for partition in partitions
    )
    total = sum(len(found) for one in planned for found in (one.left, one.right) if found is not None)
    # Whole cells, so that a slice never splits one but at a pinned bound.
    cells = max(1, min(SLICE_CELLS, total // CELL_OFFSETS // MIN_SLICES))
    queues: list[list[Slice]] = []
    for one in planned:
        pins = {pin for side in SIDES if (found := one.side(side)) for pin in (found.start, found.stop)}
        if one.left is None or one.right is None:
            # Without the other side there is nothing to compare it with.
            continue
        queues.extend(
            _slices(side, one.partition, found, pins, cells * CELL_OFFSETS)
            for side in SIDES
            if (found := one.side(side))
        )
    return Plan(planned, tuple(_in_turn(queues)))


def _planned(bounds: PartitionBounds | None) -> OffsetRange | None:
    if bounds is None:
        return None
    return OffsetRange(bounds.log_start_offset, max(bounds.log_start_offset, bounds.high_watermark))


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
