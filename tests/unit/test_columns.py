"""Messages become columns: nothing is lost, and what cannot be delivered or is out of order is never skipped."""

from __future__ import annotations

from typing import Any

import pytest

from kcompare import _native
from kcompare.sources.columns import UndeliveredError, push
from kcompare.store import tables
from tests.support.logs import Record
from tests.support.messages import CREATE_TIME, LOG_APPEND_TIME, NOT_AVAILABLE, FakeMessage, messages


def cells(start: int = 0, stop: int = 100, progress: _native.Progress | None = None) -> _native.ColumnSlice:
    return _native.ColumnSlice.cells(start=start, stop=stop, checkpoints=[], progress=progress or _native.Progress())


def only_row(taker: _native.ColumnSlice) -> Any:
    (row,) = tables.cells(taker.finish().rows)
    return row


def content(record: Record) -> tuple[int, ...]:
    """The content lane of a record alone."""
    taker = cells()
    push(taker, messages([record]))
    return tuple(only_row(taker)["content"])


def test_null_and_empty_differ_everywhere() -> None:
    records = [
        Record(0),
        Record(0, key=b""),
        Record(0, value=b""),
        Record(0, key=b"", value=b""),
        Record(0, headers=((b"", None),)),
        Record(0, headers=((b"", b""),)),
        Record(0, headers=((b"", None), (b"", None))),
        Record(0, headers=((b"a", None),)),
        Record(0, headers=((b"a", b"1"), (b"b", b"2"))),
        Record(0, headers=((b"b", b"2"), (b"a", b"1"))),
    ]
    assert len({content(record) for record in records}) == len(records)


def test_timestamps_and_their_types() -> None:
    taker = cells(0, 3)
    push(taker, messages([Record(0, -7)]))
    push(taker, messages([Record(1, 5)], LOG_APPEND_TIME))
    # librdkafka leaves 0 or -1 where there is none.
    push(taker, messages([Record(2, 0)], NOT_AVAILABLE))
    row = only_row(taker)
    assert (row["min_timestamp"], row["max_timestamp"]) == (-7, 5)
    assert (row["batches"], row["log_append_batches"]) == (3, 1)
    taker = _native.ColumnSlice.row_table(start=0, stop=9, limit=9)
    push(taker, messages([Record(0, 0)], NOT_AVAILABLE) + messages([Record(1, 0)], CREATE_TIME))
    assert tables.records(taker.finish().rows)["timestamp"].tolist() == [-1, 0]


def test_the_records_before_one_that_cannot_be_delivered_are_taken() -> None:
    taker = cells(0, 10)
    bad = Record(3, headers=((b"good", b"1"), (b"\xff", b"2")))
    with pytest.raises(UndeliveredError, match="no UTF-8"):
        push(taker, messages([Record(0), Record(1), Record(2), bad, Record(4)]))
    assert taker.position == 3
    row = only_row(taker)
    assert (row["count"], row["gaps"].tolist()) == (3, [0, 0, 0, 0, 7])


@pytest.mark.parametrize("offsets", [[5, 5], [6, 5], [-1], [2**63 - 1]])
def test_offsets_that_do_not_ascend_are_refused_whole(offsets: list[int]) -> None:
    taker = cells(0, 10)
    push(taker, messages([Record(0)]))
    with pytest.raises(ValueError, match="offset"):
        push(taker, messages(map(Record, offsets)))
    assert taker.position == 1
    assert only_row(taker)["count"] == 1


class Odd(FakeMessage):
    """A message whose key is none that a record may have."""

    def key(self) -> Any:
        return "text"


def test_a_field_of_another_type_is_refused_whole() -> None:
    taker = cells()
    with pytest.raises(TypeError):
        push(taker, [Odd(Record(0))])
    assert taker.position == 0


def test_progress_counts_what_was_taken() -> None:
    progress = _native.Progress()
    taker = cells(10, 30, progress)
    records = [Record(12, key=b"ab", value=b"c", headers=((b"d", b"ef"),)), Record(13)]
    assert push(taker, messages(records)) == 6
    taker.skip_to(offset=20)
    taker.skip_to(offset=99)
    assert (progress.records, progress.bytes, progress.offsets) == (2, 6, 20)
    found = taker.finish()
    assert (found.position, found.unexplained, found.unexplained_total) == (30, [(10, 12), (14, 20), (20, 30)], 3)
    with pytest.raises(RuntimeError, match="finished"):
        taker.finish()


def test_the_last_records_are_kept_and_cut() -> None:
    taker = _native.ColumnSlice.last_records(start=0, stop=9, limit=2, value_limit_bytes=2)
    push(taker, messages([Record(0), Record(1, 5, None, b"abc"), Record(2, 6, b"", None)]))
    assert taker.finish().last == [(1, 5, -1, 3, None, b"ab"), (2, 6, 0, -1, b"", None)]
