"""Slices joined into a partition: what no slice covers is uncovered, and two histories are not one log."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.engine.logs import PartitionLog, join
from kcompare.ledger import coverage
from kcompare.model import OffsetRange, PartitionBounds, Side, Slice
from kcompare.sources.base import SliceDigest, Unread
from kcompare.store import tables


def cell(start: int, stop: int, **fields: Any) -> bytes:
    """A cell of records at every offset."""
    row = np.zeros(1, dtype=tables.CELL_DTYPE)
    row["start"], row["stop"], row["count"] = start, stop, stop - start
    row["first_offset"], row["last_offset"] = start, stop - 1
    for name, value in fields.items():
        row[name] = value
    return row.tobytes()


def digest(start: int, stop: int, **changed: Any) -> SliceDigest:
    """What came of a slice that was read whole."""
    values: dict[str, Any] = {
        "slice": Slice(Side.LEFT, 0, OffsetRange(start, stop)),
        "cells": cell(start, stop),
        "anchors": b"",
        "records": stop - start,
        "bytes": 10,
        "end": "reached",
        "end_code": "",
        "end_detail": "",
        "log_start_offset": 0,
        "high_watermark": stop,
        "last_stable_offset": stop,
        "unread": (),
        "unexplained": (),
        "unexplained_total": 0,
        "leader_epochs": (),
    }
    return SliceDigest(**{**values, **changed})


def joined(stop: int, pieces: list[SliceDigest], start: int = 0) -> PartitionLog:
    return join(Side.LEFT, PartitionBounds(0, start, stop, stop), OffsetRange(start, stop), pieces)


def uncovered(log: PartitionLog) -> int:
    found = coverage(log.bounds, log.planned, log.table, allowed_records=0)
    return found.uncovered_offsets


@given(
    present=st.lists(st.booleans(), min_size=1, max_size=8),
    seed=st.randoms(use_true_random=False),
    start=st.integers(0, 9),
)
def test_holes_between_slices_are_uncovered_and_unread(present: list[bool], seed: Any, start: int) -> None:
    borders = [start + 10 * number for number in range(len(present) + 1)]
    ranges = list(itertools.pairwise(borders))
    pieces = [digest(*each) for each, there in zip(ranges, present, strict=True) if there]
    seed.shuffle(pieces)
    log = joined(borders[-1], pieces, start)
    missing = [each for each, there in zip(ranges, present, strict=True) if not there]
    assert uncovered(log) == 10 * len(missing)
    assert log.records == 10 * (len(present) - len(missing))
    assert sum(len(unread.range) for unread in log.unread) == 10 * len(missing)
    assert all(unread.reason == "interrupted" for unread in log.unread)
    starts = [unread.range.start for unread in log.unread]
    assert starts == sorted(starts)


def test_nothing_read_is_all_uncovered() -> None:
    log = joined(30, [])
    assert (uncovered(log), log.records, len(log.unread)) == (30, 0, 1)


def test_an_empty_plan_has_no_cells() -> None:
    log = joined(0, [])
    assert (log.cells, log.unread, log.records) == (b"", (), 0)


def test_what_slices_tell_is_kept_in_order_of_offsets() -> None:
    gap, unread = OffsetRange(3, 5), Unread(OffsetRange(15, 17), "corrupt_batch", "bad")
    late = digest(10, 20, unread=(unread,), end="stalled", leader_epochs=((4, 12),))
    early = digest(0, 10, unexplained=(gap,), unexplained_total=9, leader_epochs=((2, 0), (4, 5)))
    log = joined(20, [late, early])
    assert log.unread == (unread,)
    assert (log.unexplained, log.unexplained_total) == ((gap,), 9)
    assert log.leader_epochs == ((2, 0), (4, 5))
    assert log.ends == (late,)
    assert log.bytes == 20
    assert log.distrust is None


@pytest.mark.parametrize(
    ("before", "after", "trusted"),
    [
        (((1, 0),), ((1, 10),), True),
        (((1, 0), (3, 4)), ((3, 10), (7, 12)), True),
        (((1, 0), (3, 4)), ((2, 10),), False),
        (((5, 0),), ((0, 10),), False),
        ((), ((0, 10),), True),
        (((5, 0),), (), True),
    ],
)
def test_an_epoch_that_goes_back_between_slices_takes_the_trust(
    before: tuple[tuple[int, int], ...], after: tuple[tuple[int, int], ...], *, trusted: bool
) -> None:
    log = joined(20, [digest(10, 20, leader_epochs=after), digest(0, 10, leader_epochs=before)])
    assert (log.distrust is None) == trusted
    if log.distrust is not None:
        assert log.distrust.range == log.planned
        assert log.distrust.reason == "leader_epoch_went_back"


def test_an_epoch_that_goes_back_across_a_slice_without_batches_takes_the_trust() -> None:
    pieces = [digest(0, 10, leader_epochs=((5, 0),)), digest(10, 20), digest(20, 30, leader_epochs=((4, 20),))]
    assert joined(30, pieces).distrust is not None


def test_first_offsets_and_times_skip_cells_without_records() -> None:
    cells = (
        tables.uncovered_cell(0, 10)
        + cell(10, 20, min_timestamp=7, max_timestamp=9)
        + cell(20, 30, min_timestamp=8, max_timestamp=8)
        + tables.uncovered_cell(30, 40)
    )
    log = joined(40, [digest(0, 40, cells=cells)])
    assert log.first_offset(0) == 10
    assert log.first_offset(20) == 20
    assert log.first_offset(30) is None
    assert (log.first_timestamp, log.last_timestamp) == (7, 8)


def test_batches_are_summed_over_cells() -> None:
    cells = cell(0, 10, batches=3, log_append_batches=1) + cell(10, 20, batches=2)
    log = joined(20, [digest(0, 20, cells=cells)])
    assert log.batches == (5, 1)
