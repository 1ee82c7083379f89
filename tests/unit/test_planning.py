"""Plans tile every planned range exactly, cut it at cell borders only, and survive a file."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kcompare import _native
from kcompare.model import SIDES, OffsetRange, PartitionBounds, Side, Slice
from kcompare.planning import (
    CELL_OFFSETS,
    MIN_SLICES,
    SLICE_CELLS,
    Plan,
    partition_plans,
    slices_of,
    whole,
)

OFFSETS = st.one_of(
    st.integers(0, 200),
    st.integers(0, 2**40),
    st.integers(0, 300).flatmap(lambda cell: st.integers(-2, 2).map(lambda d: max(0, cell * CELL_OFFSETS + d))),
)


@st.composite
def bounds(draw: st.DrawFn, partition: int) -> PartitionBounds:
    start = draw(OFFSETS)
    # The high watermark may lie below the log start, for a moment; sparse enough that a plan stays small.
    stop = max(0, start + draw(st.integers(-5, 40 * CELL_OFFSETS)))
    return PartitionBounds(partition, start, stop, stop)


@st.composite
def topics(draw: st.DrawFn) -> dict[int, PartitionBounds]:
    known = draw(st.sets(st.integers(0, 4)))
    return {partition: draw(bounds(partition)) for partition in known}


def plan(left: dict[int, PartitionBounds], right: dict[int, PartitionBounds], partitions: tuple[int, ...]) -> Plan:
    ranges = [{number: whole(found) for number, found in side.items()} for side in (left, right)]
    planned = partition_plans(ranges[0], ranges[1], partitions)
    return Plan(planned, slices_of(planned))


def of(planned: Plan, side: Side, partition: int) -> list[Slice]:
    return [piece for piece in planned.slices if (piece.side, piece.partition) == (side, partition)]


def test_a_cell_is_what_the_native_module_says() -> None:
    assert CELL_OFFSETS == _native.CELL_OFFSETS


@given(left=topics(), right=topics())
def test_slices_tile_what_is_planned(left: dict[int, PartitionBounds], right: dict[int, PartitionBounds]) -> None:
    planned = plan(left, right, tuple(range(5)))
    assert [one.partition for one in planned.partitions] == list(range(5))
    for one in planned.partitions:
        for side, known in zip(SIDES, (left, right), strict=True):
            offsets = one.side(side)
            slices = of(planned, side, one.partition)
            if one.partition not in known:
                assert offsets is None
            elif offsets is not None:
                pinned = known[one.partition]
                assert offsets.start == pinned.log_start_offset
                assert offsets.stop == max(pinned.log_start_offset, pinned.high_watermark)
            if one.left is None or one.right is None or not offsets:
                assert slices == []
                continue
            assert slices[0].range.start == offsets.start
            assert slices[-1].range.stop == offsets.stop
            for before, after in pairwise(slices):
                assert before.range.stop == after.range.start
                assert after.range.start % CELL_OFFSETS == 0
            assert all(len(piece.range) > 0 for piece in slices)


@given(left=topics(), right=topics())
def test_digests_are_kept_at_every_pinned_bound(
    left: dict[int, PartitionBounds], right: dict[int, PartitionBounds]
) -> None:
    """The ends of the common range are slice ends or checkpoints on both sides."""
    planned = plan(left, right, tuple(range(5)))
    for one in planned.partitions:
        if not one.left or not one.right:
            continue
        pins = {one.left.start, one.left.stop, one.right.start, one.right.stop}
        for side in SIDES:
            slices = of(planned, side, one.partition)
            offsets = one.side(side)
            assert offsets is not None
            kept = {place for piece in slices for place in (piece.range.start, piece.range.stop, *piece.checkpoints)}
            assert {pin for pin in pins if offsets.start <= pin <= offsets.stop} <= kept
            for piece in slices:
                assert list(piece.checkpoints) == sorted(set(piece.checkpoints))
                assert all(piece.range.start < place < piece.range.stop for place in piece.checkpoints)


@given(left=topics(), right=topics())
def test_a_plan_comes_back_from_json(left: dict[int, PartitionBounds], right: dict[int, PartitionBounds]) -> None:
    planned = plan(left, right, tuple(range(5)))
    assert Plan.from_dict(json.loads(json.dumps(planned.to_dict()))) == planned


@given(left=topics(), right=topics())
def test_a_plan_follows_from_its_bounds(left: dict[int, PartitionBounds], right: dict[int, PartitionBounds]) -> None:
    assert plan(left, right, tuple(range(5))) == plan(dict(reversed(left.items())), right, tuple(range(5)))


def log(offsets: int) -> dict[int, PartitionBounds]:
    return {0: PartitionBounds(0, 0, offsets, offsets)}


def test_a_long_log_has_full_slices() -> None:
    full = SLICE_CELLS * CELL_OFFSETS
    planned = plan(log(20 * full), log(20 * full), (0,))
    assert {len(piece.range) for piece in planned.slices} == {full}
    assert len(planned.slices) == 40


def test_a_short_log_is_cut_for_several_workers() -> None:
    planned = plan(log(32 * CELL_OFFSETS), log(32 * CELL_OFFSETS), (0,))
    assert len(planned.slices) >= MIN_SLICES


def test_a_short_log_is_cut_no_further_than_was_asked_for() -> None:
    bounds_ = {number: PartitionBounds(number, 0, 8 * CELL_OFFSETS, 0) for number in range(3)}
    planned = plan(bounds_, bounds_, (0, 1, 2)).partitions
    # As many sides of partitions as that are there anyway.
    assert [len(piece.range) for piece in slices_of(planned, 2)] == [8 * CELL_OFFSETS] * 6
    assert len(slices_of(planned[:1], 4)) == 4


def test_sides_and_partitions_take_turns_from_their_oldest_offsets() -> None:
    bounds_ = {number: PartitionBounds(number, 0, 3 * CELL_OFFSETS, 0) for number in range(2)}
    planned = plan(bounds_, bounds_, (0, 1))
    first = [(piece.side, piece.partition, piece.range.start) for piece in planned.slices[:4]]
    assert first == [(Side.LEFT, 0, 0), (Side.RIGHT, 0, 0), (Side.LEFT, 1, 0), (Side.RIGHT, 1, 0)]
    starts = [piece.range.start for piece in planned.slices]
    assert starts == sorted(starts)


def test_a_partition_that_one_side_lacks_is_planned_and_not_read() -> None:
    planned = plan(log(100), {}, (0,))
    assert planned.partitions[0].left == OffsetRange(0, 100)
    assert planned.partitions[0].right is None
    assert planned.slices == ()
