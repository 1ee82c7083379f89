"""A range of one partition on its way from librdkafka to what takes its records.

A range ends where librdkafka is first in trouble: after a bad batch it loses its place, so nothing that it delivers
later may count.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kcompare.errors import InterruptedRunError, KcompareError
from kcompare.model import IsolationLevel, Reason
from kcompare.sources.columns import UndeliveredError, push
from kcompare.sources.consumer import Event, Kind, Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare._native import CancelToken, ColumnSlice, MemoryBudget, RateLimit
    from kcompare.model import OffsetRange
    from kcompare.settings.cluster import ClusterSettings
    from kcompare.sources.consumer import Administrator

BATCH_MESSAGES = 10_000
REACHED = "reached"

_ENDS = {
    Kind.TRUNCATED: Reason.TRUNCATED,
    Kind.CORRUPT: Reason.CORRUPT_BATCH,
    Kind.TOO_LARGE: Reason.BATCH_TOO_LARGE,
    Kind.REFUSED: Reason.REFUSED,
    Kind.GONE: Reason.TOPIC_RECREATED,
    Kind.FAILED: Reason.PARTITION_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class End:
    """Why a reading ended: ``reached`` or a reason word, the broker's error name, and a sentence."""

    word: str = REACHED
    code: str = ""
    detail: str = ""


class ReaderPool:
    """Idle readers by topic and isolation level: a consumer takes longer to connect than a small slice to read."""

    def __init__(self, bootstrap: Sequence[tuple[str, int]], settings: ClusterSettings) -> None:
        self._bootstrap, self._settings = bootstrap, settings
        self._idle: list[Reader] = []
        self._lock = threading.Lock()

    def take(self, topic: str, isolation: IsolationLevel, budget: MemoryBudget) -> Reader:
        """An idle reader, or a new one. One that is idle for something else makes room."""
        with self._lock:
            fits = [reader for reader in self._idle if (reader.topic, reader.isolation) == (topic, isolation)]
            taken = fits[-1] if fits else self._idle[0] if self._idle else None
            if taken is not None:
                self._idle.remove(taken)
        if taken is not None and fits:
            return taken
        if taken is not None:
            taken.close()
        sizes = (budget.share, budget.large_limit)
        return Reader(self._bootstrap, self._settings, topic, isolation, sizes)

    def give(self, reader: Reader) -> None:
        """Takes back a reader that is in order."""
        reader.release()
        with self._lock:
            self._idle.append(reader)


@dataclass(frozen=True, slots=True)
class Connections:
    """What the sources of one cluster share. ``stall_s`` is how long a reading may make no progress."""

    administrator: Administrator
    readers: ReaderPool
    stall_s: float
    rate: RateLimit | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read; ``settle_s`` is how long an open transaction may hold the last stable offset back."""

    topic: str
    partition: int
    offsets: OffsetRange
    isolation: IsolationLevel
    settle_s: float = 0.0


class Clock:
    """How long nothing has come, and since when we stand at the end of what may be read."""

    def __init__(self, position: int) -> None:
        self._position = position
        self.moved_at = time.monotonic()
        self.settling_since: float | None = None

    def tick(self, position: int, *, at_the_end: bool) -> None:
        """Notes the position; one that has moved starts both counts again."""
        if position > self._position:
            self._position, self.moved_at, self.settling_since = position, time.monotonic(), None
        if at_the_end:
            self.settling_since = time.monotonic()


class Reading:
    """One range, read once. ``epochs`` are ``(leader epoch, offset of its first record)`` in order of appearance."""

    def __init__(
        self,
        connections: Connections,
        wanted: Wanted,
        taker: ColumnSlice,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> None:
        self._connections = connections
        self._wanted = wanted
        self._taker = taker
        self._budget = budget
        self._cancel = cancel
        self.epochs: list[tuple[int, int]] = []

    def run(self) -> End:
        """Reads until the range is accounted for, or says why it is not; never raises for what a cluster does."""
        wanted, readers = self._wanted, self._connections.readers
        if self._taker.position >= wanted.offsets.stop:
            return End()
        reader = readers.take(wanted.topic, wanted.isolation, self._budget)
        try:
            reader.assign(wanted.partition, wanted.offsets.start)
            end = self._follow(reader)
        except BaseException:
            reader.close()
            raise
        if end.word == REACHED:
            readers.give(reader)
        else:
            # After an error nobody knows where librdkafka stands.
            reader.close()
        return end

    def _follow(self, reader: Reader) -> End:
        clock = Clock(self._taker.position)
        while not self._cancel.is_cancelled():
            messages, event = reader.next(BATCH_MESSAGES)
            end = self._take(messages) if messages else None
            at_the_end = end is None and event is not None and event.kind is Kind.END
            if at_the_end and event is not None:
                # librdkafka has passed everything below, and delivered what of it is a record.
                self._taker.skip_to(offset=event.offset)
            if self._taker.position >= self._wanted.offsets.stop:
                return End()
            if event is not None and end is None and not at_the_end:
                end = self._troubled(event)
            clock.tick(self._taker.position, at_the_end=at_the_end)
            end = end or self._waited(reader, clock)
            if end is not None:
                return end
        return self._end(Reason.INTERRUPTED, "the run was interrupted")

    def _waited(self, reader: Reader, clock: Clock) -> End | None:
        """Whether it was waited long enough, for the next record or for the end of a transaction."""
        now = time.monotonic()
        if clock.settling_since is not None and self._wanted.isolation is IsolationLevel.READ_COMMITTED:
            if now - clock.settling_since < self._wanted.settle_s:
                return None
            # The settling time was the limit here, not the stall timeout.
            clock.settling_since, clock.moved_at = None, now
            return self._short()
        if now - clock.moved_at >= self._connections.stall_s:
            return self._stalled(reader, now - clock.moved_at)
        return None

    def _take(self, messages: Sequence[Any]) -> End | None:
        end = self._note_epochs(messages)
        if end is not None:
            return end
        try:
            size = push(self._taker, messages)
        except UndeliveredError as error:
            return self._end(Reason.NOT_DELIVERED, f"{error}; read it with --data-path native where that is possible")
        except ValueError as error:
            return self._end(Reason.CORRUPT_BATCH, f"the log repeats offsets: {error}")
        if self._connections.rate is not None:
            try:
                self._connections.rate.take(bytes=size, cancel=self._cancel)
            except InterruptedRunError:
                return None
        return None

    def _note_epochs(self, messages: Sequence[Any]) -> End | None:
        """Keeps the leader epochs, which never go back in a log."""
        # No line of Python runs for a record of a batch that was written in one epoch, which is nearly every one.
        every = set(map(type(messages[0]).leader_epoch, messages))
        looked_at = messages if len(every) > 1 else messages[:1]
        for message in looked_at:
            epoch = message.leader_epoch()
            known = self.epochs[-1][0] if self.epochs else -1
            if epoch is None or epoch < 0 or epoch == known:
                continue
            if epoch < known:
                detail = f"leader epoch {epoch} at offset {message.offset()} follows epoch {known}"
                return self._end(Reason.LEADER_EPOCH_WENT_BACK, detail)
            self.epochs.append((epoch, message.offset()))
        return None

    def _troubled(self, event: Event) -> End | None:
        """What an error means for the rest of the range; None where librdkafka deals with it."""
        if event.kind is Kind.OUT_OF_RANGE:
            short = self._short()
            return short or self._end(Reason.TRUNCATED, f"the broker says that there is none: {event.text}", event.code)
        reason = _ENDS.get(event.kind)
        return None if reason is None else self._end(reason, event.text, event.code)

    def _short(self) -> End | None:
        """Whether the log has not what is wanted of it, by its bounds as they are now."""
        wanted, position, asked = self._wanted, self._taker.position, self._connections.administrator
        try:
            starts = asked.start_offsets(wanted.topic, [wanted.partition])
            ends = asked.end_offsets(wanted.topic, [wanted.partition], IsolationLevel.READ_UNCOMMITTED)
            stables = asked.end_offsets(wanted.topic, [wanted.partition], wanted.isolation)
        except KcompareError as error:
            return self._end(Reason.UNREACHABLE, f"its bounds could not be asked: {error}")
        for found in (starts, ends, stables):
            answer = found[wanted.partition]
            if isinstance(answer, Event):
                reason = _ENDS.get(answer.kind, Reason.PARTITION_UNAVAILABLE)
                return self._end(reason, f"its bounds could not be asked: {answer.text}", answer.code)
        start, end, stable = (_offset(found[wanted.partition]) for found in (starts, ends, stables))
        if start > position:
            return self._end(Reason.LOST_TO_RETENTION, f"the log now starts at offset {start}", "OFFSET_OUT_OF_RANGE")
        if end < wanted.offsets.stop:
            return self._end(Reason.TRUNCATED, f"the log now ends below it, at high watermark {end}")
        if stable < wanted.offsets.stop:
            return self._end(Reason.OPEN_TRANSACTION, "an open transaction holds the last stable offset back")
        return None

    def _stalled(self, reader: Reader, seconds: float) -> End:
        failure = reader.failure
        if failure is not None and failure.kind in {Kind.AWAY, Kind.REFUSED}:
            reason = Reason.REFUSED if failure.kind is Kind.REFUSED else Reason.UNREACHABLE
            return self._end(reason, f"no progress for {seconds:.1f} s: {failure.text}", failure.code)
        last = f", and the last error was {failure.text}" if failure else ""
        return self._short() or self._end(Reason.STALLED, f"no progress for {seconds:.1f} s{last}")

    def _end(self, reason: Reason, detail: str, code: str = "") -> End:
        wanted = self._wanted
        place = f"partition {wanted.partition} of topic {wanted.topic!r} at offset {self._taker.position}"
        return End(reason.value, code, f"{place}: {detail}")


def _offset(answer: tuple[int, int] | Event) -> int:
    return -1 if isinstance(answer, Event) else answer[0]
