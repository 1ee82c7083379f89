"""What a worker of a run does next: slices of many topics, and what follows once all slices of a topic are read.

Topics come in order, and within a topic partitions and sides take turns. The next slice is taken from a short window of
that order: the first of those whose leader serves the fewest workers, so that no broker gets all of them while another
rests. A topic whose slices are read is checked and compared before anything else is read, and its digests are let go,
so that what is held at one time is what the window spans and not what the run does. See
docs/decisions/0005-one-window-over-all-topics.md.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kcompare._native import CancelToken
    from kcompare.engine.topic_run import TopicRun
    from kcompare.model import PartitionReport, Side, Slice, TopicReport
    from kcompare.planning import PartitionPlan
    from kcompare.sources.base import SliceDigest

WINDOW = 64
"""Slices among which the next one is chosen, at least; more where there are more workers."""


class Task(Protocol):
    """A share of the work."""

    def work(self) -> Callable[[], None]:
        """Does it, on a worker; what comes back is called on the thread of the run."""
        ...


class Schedule:
    """Hands out tasks. All of it but the work of a task happens on the thread of the run.

    Args:
        topics: in the order in which they are to be compared.
        workers: how many tasks run at the same time.
        cancel: once it is set no slice is begun, and what was read so far is compared.
        finished: called with the report of each topic.
    """

    def __init__(
        self,
        topics: Iterable[TopicRun],
        workers: int,
        cancel: CancelToken,
        finished: Callable[[TopicReport], None],
    ) -> None:
        self._topics = iter(topics)
        self._cancel = cancel
        self._finished = finished
        self._size = max(WINDOW, 2 * workers)
        self._window: deque[Reading] = deque()
        self._source: Iterator[Reading] = iter(())
        self._ready: deque[Task] = deque()
        self._open: dict[int, OpenTopic] = {}
        self._busy: Counter[tuple[Side, int]] = Counter()

    @property
    def is_reading(self) -> bool:
        """Whether a slice is still to be begun, or being read."""
        return bool(self._window) or bool(self._busy.total())

    def next_task(self) -> Task | None:
        """The next thing to do; None while everything waits for what is being done, and at the end."""
        if self._cancel.is_cancelled():
            self._stop_reading()
        else:
            self._fill()
        if self._ready:
            return self._ready.popleft()
        if not self._window:
            return None
        at = min(range(len(self._window)), key=lambda index: self._busy[self._window[index].leader])
        chosen = self._window[at]
        del self._window[at]
        self._busy[chosen.leader] += 1
        return chosen

    def _fill(self) -> None:
        """Opens topics until the window is full; one without slices goes straight on."""
        while len(self._window) < self._size:
            reading = next(self._source, None)
            if reading is not None:
                self._window.append(reading)
                continue
            topic = next(self._topics, None)
            if topic is None:
                return
            self._begin(topic, topic.slices())

    def _begin(self, run: TopicRun, slices: tuple[Slice, ...]) -> None:
        topic = OpenTopic(self, run, len(slices))
        self._open[id(topic)] = topic
        self._source = (Reading(topic, piece) for piece in slices)
        if not slices:
            self._ready.append(Finishing(topic))

    def _stop_reading(self) -> None:
        """Goes on with what was read: topics whose slices are not under way are compared as they are."""
        given_up = [*self._window, *self._source]
        self._window.clear()
        self._source = iter(())
        for reading in given_up:
            reading.topic.one_less(self._ready)
        for run in self._topics:
            self._begin(run, ())

    def was_read(self, reading: Reading, digest: SliceDigest) -> None:
        """Keeps what came of a slice."""
        self._busy[reading.leader] -= 1
        reading.topic.run.keep(digest)
        reading.topic.one_less(self._ready)

    def was_joined(self, topic: OpenTopic, again: Sequence[SliceDigest]) -> None:
        """Goes on to compare the partitions of a topic; ``again`` is what was read while they were joined."""
        for piece in again:
            topic.run.count(piece)
        partitions = topic.run.partitions
        topic.left = len(partitions)
        self._ready.extend(Assessing(topic, one) for one in partitions)
        if not partitions:
            self._close(topic)

    def was_assessed(self, topic: OpenTopic, report: PartitionReport) -> None:
        """Keeps the report of a partition, and ends the topic with its last one."""
        topic.reports.append(report)
        topic.left -= 1
        if topic.left == 0:
            self._close(topic)

    def _close(self, topic: OpenTopic) -> None:
        del self._open[id(topic)]
        self._finished(topic.run.report(topic.reports))


class OpenTopic:
    """A topic under way; ``left`` counts its slices, and then its partitions, that are not done."""

    def __init__(self, schedule: Schedule, run: TopicRun, slices: int) -> None:
        self.schedule = schedule
        self.run = run
        self.left = slices
        self.reports: list[PartitionReport] = []

    def one_less(self, ready: deque[Task]) -> None:
        """Counts a slice that was read, or never will be."""
        self.left -= 1
        if self.left == 0:
            ready.append(Finishing(self))


class Reading:
    """A slice to read."""

    def __init__(self, topic: OpenTopic, piece: Slice) -> None:
        self.topic = topic
        self.piece = piece
        self.leader = (piece.side, topic.run.leader(piece))

    def work(self) -> Callable[[], None]:
        """See :class:`Task`."""
        digest = self.topic.run.read(self.piece)
        return lambda: self.topic.schedule.was_read(self, digest)


class Finishing:
    """A topic whose slices are read: to be joined and checked again."""

    def __init__(self, topic: OpenTopic) -> None:
        self.topic = topic

    def work(self) -> Callable[[], None]:
        """See :class:`Task`."""
        again = self.topic.run.finish_reading()
        return lambda: self.topic.schedule.was_joined(self.topic, again)


class Assessing:
    """A partition to compare."""

    def __init__(self, topic: OpenTopic, planned: PartitionPlan) -> None:
        self.topic = topic
        self.planned = planned

    def work(self) -> Callable[[], None]:
        """See :class:`Task`."""
        report = self.topic.run.assess(self.planned)
        return lambda: self.topic.schedule.was_assessed(self.topic, report)
