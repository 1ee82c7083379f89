"""One range of a partition as librdkafka delivers it: what it delivers in a wrong order ends the reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from kcompare import _native
from kcompare.model import IsolationLevel, OffsetRange
from kcompare.sources.consumer_reading import REACHED, Connections, Reading, Wanted
from tests.support.logs import numbered
from tests.support.messages import FakeMessage

if TYPE_CHECKING:
    from kcompare.sources.consumer import Administrator, Event, Reader
    from kcompare.sources.consumer_reading import ReaderPool


@dataclass(frozen=True)
class EpochMessage(FakeMessage):
    """A message that knows its leader epoch, as those of confluent-kafka do."""

    epoch: int | None = None

    def leader_epoch(self) -> int | None:
        return self.epoch


@dataclass
class FakeReaders:
    """A pool of one reader, which delivers these chunks one after the other."""

    chunks: list[list[EpochMessage]]
    closed: list[bool] = field(default_factory=list)
    failure: None = None

    def take(self, *_: object) -> Reader:
        return cast("Reader", self)

    def give(self, _: object) -> None:
        self.closed.append(False)

    def close(self) -> None:
        self.closed.append(True)

    def assign(self, *_: object) -> None:
        pass

    def next(self, _: int) -> tuple[list[EpochMessage], Event | None]:
        return (self.chunks.pop(0) if self.chunks else []), None


def read(*chunks: list[int | None]) -> tuple[str, str, list[tuple[int, int]], bool]:
    """Reads one record for each leader epoch; gives the end, its sentence, the epochs and whether it was closed."""
    count = sum(map(len, chunks))
    records = iter(numbered(count))
    made = [[EpochMessage(next(records), epoch=epoch) for epoch in chunk] for chunk in chunks]
    pool = FakeReaders(made)
    connections = Connections(cast("Administrator", None), cast("ReaderPool", pool), 1.0, None)
    taker = _native.ColumnSlice.cells(start=0, stop=count, checkpoints=[], progress=_native.Progress())
    wanted = Wanted("t", 0, OffsetRange(0, count), IsolationLevel.READ_COMMITTED)
    budget, cancel = _native.MemoryBudget(total_bytes=64 << 20, workers=1), _native.CancelToken()
    reading = Reading(connections, wanted, taker, budget, cancel)
    end = reading.run()
    return end.word, end.detail, reading.epochs, pool.closed == [True]


@pytest.mark.parametrize(
    ("chunks", "at"),
    [
        ([[5, 3]], 1),
        ([[5, 3, 5]], 1),
        ([[5, 5, 5, 3, 5]], 3),
        ([[5, 7, 5]], 2),
        ([[5], [3, 5]], 1),
        ([[5, 5], [5, 4, 5], [5]], 3),
        ([[None, 5, None, 3, None]], 3),
        ([[-1, 5, 3, -1]], 2),
    ],
)
def test_a_leader_epoch_that_goes_back_ends_the_reading_wherever_it_stands(
    chunks: list[list[int | None]], at: int
) -> None:
    word, detail, _, closed = read(*chunks)
    assert word == "leader_epoch_went_back"
    assert f"at offset {at} follows epoch" in detail
    assert closed


@pytest.mark.parametrize(
    ("chunks", "epochs"),
    [
        ([[5, 5, 5]], [(5, 0)]),
        ([[5, 5], [5]], [(5, 0)]),
        ([[3, 5, 5, 7]], [(3, 0), (5, 1), (7, 3)]),
        ([[None, None], [None]], []),
        ([[None, 4, None, 4], [6]], [(4, 1), (6, 4)]),
    ],
)
def test_leader_epochs_are_kept_with_their_first_offset(
    chunks: list[list[int | None]], epochs: list[tuple[int, int]]
) -> None:
    word, _, found, closed = read(*chunks)
    assert (word, found, closed) == (REACHED, epochs, False)
