"""How far a run has come, for whoever draws it: counters that threads write and one snapshot reads."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare import _native

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kcompare.model import OffsetRange, Side
    from kcompare.planning import PartitionPlan


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """One side of one partition. Offsets, not records: their number is known before they are read."""

    topic: str
    side: Side
    partition: int
    done_offsets: int
    planned_offsets: int


@dataclass(frozen=True, slots=True)
class ProgressSnapshot:
    """The whole run at one moment.

    Attributes:
        seconds: since the first topic was planned.
        topics: pairs of topics, and how many of them are done.
    """

    phase: str
    records: int
    bytes: int
    done_offsets: int
    planned_offsets: int
    seconds: float
    partitions: tuple[PartitionProgress, ...]
    topics: int = 1
    topics_done: int = 0


class ProgressBoard:
    """Written by the engine, read by the CLI from another thread."""

    def __init__(self) -> None:
        self.phase = "connecting"
        self._counters: dict[tuple[str, Side, int], tuple[_native.Progress, int]] = {}
        self.topics = 1
        self.topics_done = 0
        self._started = time.monotonic()

    def plan(self, topics: dict[Side, str], partitions: Iterable[PartitionPlan]) -> None:
        """Sets up a counter for each side of the partitions of a pair of topics that will be read."""
        self._add(
            {
                (topics[side], side, one.partition): (_native.Progress(), len(offsets))
                for one in partitions
                for side in topics
                if one.left is not None and one.right is not None and (offsets := one.side(side))
            }
        )

    def plan_one(self, topic: str, side: Side, planned: Mapping[int, OffsetRange]) -> None:
        """The same for one topic that is compared with nothing."""
        self._add({(topic, side, partition): (_native.Progress(), len(planned[partition])) for partition in planned})

    def _add(self, counters: dict[tuple[str, Side, int], tuple[_native.Progress, int]]) -> None:
        if not self._counters:
            self._started = time.monotonic()
        # A new dictionary, because the thread that draws may be reading the old one.
        self._counters = {**self._counters, **counters}

    def counter(self, topic: str, side: Side, partition: int) -> _native.Progress:
        """The counter of one side of one partition."""
        return self._counters[topic, side, partition][0]

    def snapshot(self) -> ProgressSnapshot:
        """Everything at one moment."""
        counters = self._counters
        partitions = tuple(
            PartitionProgress(topic, side, partition, min(progress.offsets, planned), planned)
            for (topic, side, partition), (progress, planned) in counters.items()
        )
        return ProgressSnapshot(
            phase=self.phase,
            records=sum(progress.records for progress, _ in counters.values()),
            bytes=sum(progress.bytes for progress, _ in counters.values()),
            done_offsets=sum(found.done_offsets for found in partitions),
            planned_offsets=sum(found.planned_offsets for found in partitions),
            seconds=time.monotonic() - self._started,
            partitions=partitions,
            topics=self.topics,
            topics_done=self.topics_done,
        )
