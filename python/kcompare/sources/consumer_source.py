"""A topic of a running cluster, read by librdkafka: for everything that only it can authenticate to.

It delivers records and says nothing of what lies between them, so an offset without a record has no known cause here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.errors import RefusedError, SourceError, UnreachableError
from kcompare.model import DataPath, IsolationLevel, OffsetRange, PartitionBounds, TailRecord
from kcompare.sources.base import Identity, PartitionProblem, Rows, SliceDigest, Unread
from kcompare.sources.consumer import Administrator, Event, Kind
from kcompare.sources.consumer_reading import Connections, ReaderPool, Reading, Wanted
from kcompare.sources.kafka import INTERNAL_TOPICS
from kcompare.sources.native import order_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcompare._native import CancelToken, ColumnRead, MemoryBudget, Progress, RateLimit
    from kcompare.check_model import CheckFinding, StartReport
    from kcompare.model import Slice, View
    from kcompare.settings.cluster import ClusterSettings
    from kcompare.sources.base import TimeOrder
    from kcompare.sources.consumer_reading import End


class ConsumerCluster:
    """A cluster that librdkafka talks to."""

    data_path = DataPath.CONSUMER

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        settings: ClusterSettings,
        cancel: CancelToken,
        rate: RateLimit | None = None,
    ) -> None:
        """Connects in the background; the first question says whether that was possible."""
        administrator = Administrator(bootstrap, settings, cancel)
        readers = ReaderPool(bootstrap, settings)
        self._connections = Connections(administrator, readers, settings.stall_timeout_ms / 1000, rate)

    def topics(self) -> tuple[str, ...]:
        """See :class:`kcompare.sources.base.Cluster`."""
        return tuple(sorted(set(self._connections.administrator.topics()) - INTERNAL_TOPICS))

    def source(self, view: View) -> ConsumerSource:
        """See :class:`kcompare.sources.base.Cluster`."""
        return ConsumerSource(view, self._connections)


class ConsumerSource:
    """One topic of one cluster, by name: a topic id is checked at the start and at the end."""

    def __init__(self, view: View, connections: Connections) -> None:
        self.view = view
        self._connections = connections
        self._administrator = connections.administrator

    def identity(self) -> Identity:
        """See :class:`kcompare.sources.base.Source`."""
        found = self._administrator.describe(self.view.topic)
        policy, policy_error, policy_refused = None, None, False
        try:
            policy = self._administrator.cleanup_policy(self.view.topic)
            if policy is None:
                policy_error = "the cluster does not tell it"
        except UnreachableError:
            raise
        except SourceError as error:
            policy_error, policy_refused = str(error), isinstance(error, RefusedError)
        return Identity(
            cluster_id=found.cluster_id,
            topic_id=found.topic_id,
            endpoints=found.endpoints,
            cleanup_policy=policy,
            policy_error=policy_error,
            partitions=tuple(sorted(found.leaders)),
            policy_refused=policy_refused,
        )

    def bounds(self) -> tuple[tuple[PartitionBounds, ...], tuple[PartitionProblem, ...]]:
        """See :class:`kcompare.sources.base.Source`."""
        leaders = self._administrator.describe(self.view.topic).leaders
        led = [partition for partition, leader in leaders.items() if leader >= 0]
        asked = (
            self._administrator.start_offsets(self.view.topic, led),
            self._administrator.end_offsets(self.view.topic, led, IsolationLevel.READ_UNCOMMITTED),
            self._administrator.end_offsets(self.view.topic, led, IsolationLevel.READ_COMMITTED),
        )
        good, bad = [], []
        for partition, leader in sorted(leaders.items()):
            answers = [answer[partition] for answer in asked if partition in answer]
            events = [answer for answer in answers if isinstance(answer, Event)]
            if leader < 0 or events:
                event = events[0] if events else Event(Kind.FAILED, "LEADER_NOT_AVAILABLE", "it has no leader")
                bad.append(self._problem(partition, event))
                continue
            start, end, stable = (answer for answer in answers if not isinstance(answer, Event))
            # Three questions, one after the other: what was written in between belongs to none of them.
            good.append(PartitionBounds(partition, start[0], end[0], min(stable[0], end[0]), leader, end[1]))
        return tuple(good), tuple(bad)

    def _problem(self, partition: int, event: Event) -> PartitionProblem:
        message = f"partition {partition} of {self.view.text} has no bounds: {event.text}"
        return PartitionProblem(partition, event.code, message, refused=event.kind is Kind.REFUSED)

    def offsets_at(self, timestamp_ms: int) -> dict[int, int | None]:
        """See :class:`kcompare.sources.base.Source`.

        Raises:
            SourceError: a partition could not be asked.
        """
        partitions = self._administrator.describe(self.view.topic).leaders
        found: dict[int, int | None] = {}
        for partition, answer in self._administrator.offsets_at(self.view.topic, partitions, timestamp_ms).items():
            if isinstance(answer, Event):
                kind = RefusedError if answer.kind is Kind.REFUSED else SourceError
                raise kind(
                    f"{self._place(partition)} has no offset for time {timestamp_ms}: {answer.code}: {answer.text}; "
                    "name offsets instead"
                )
            found[partition] = None if answer[0] < 0 else answer[0]
        return found

    def prepare(self, partition: int) -> None:
        """Librdkafka leaves aborted records out by itself."""

    def changes(self, planned: Mapping[int, OffsetRange]) -> dict[int, str]:  # noqa: ARG002
        """None: brokers answer for their logs."""
        return {}

    def epoch_ends(self, epochs: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:  # noqa: ARG002
        """Librdkafka cannot be asked, and what nobody knows is not to be trusted."""
        return {}

    def read(
        self,
        piece: Slice,
        isolation: IsolationLevel,
        settle_ms: int,
        bytes_per_offset: int,  # noqa: ARG002
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> SliceDigest:
        """See :class:`kcompare.sources.base.Source`."""
        offsets = piece.range
        taker = _native.ColumnSlice.cells(
            start=offsets.start, stop=offsets.stop, checkpoints=list(piece.checkpoints), progress=progress
        )
        return self._digest(piece, isolation, settle_ms / 1000, taker, budget, cancel)[0]

    def check(
        self,
        piece: Slice,
        bytes_per_offset: int,  # noqa: ARG002
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> tuple[SliceDigest, TimeOrder]:
        """See :class:`kcompare.sources.base.Source`."""
        offsets = piece.range
        taker = _native.ColumnSlice.check(start=offsets.start, stop=offsets.stop, progress=progress)
        digest, found = self._digest(piece, IsolationLevel.READ_UNCOMMITTED, 0.0, taker, budget, cancel)
        assert found.order is not None, "the slice was made to look at timestamps"  # noqa: S101
        return digest, order_of(found.order)

    def _digest(
        self,
        piece: Slice,
        isolation: IsolationLevel,
        settle_s: float,
        taker: _native.ColumnSlice,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> tuple[SliceDigest, ColumnRead]:
        wanted = Wanted(self.view.topic, piece.partition, piece.range, isolation, settle_s)
        reading = Reading(self._connections, wanted, taker, budget, cancel)
        end = reading.run()
        found = taker.finish()
        return SliceDigest(
            slice=piece,
            cells=found.rows,
            anchors=found.anchors,
            records=found.records,
            bytes=found.bytes,
            end=end.word,
            end_code=end.code,
            end_detail=end.detail,
            log_start_offset=-1,
            high_watermark=-1,
            last_stable_offset=-1,
            unread=_unread(found, piece.range.stop, end),
            unexplained=tuple(OffsetRange(*gap) for gap in found.unexplained),
            unexplained_total=found.unexplained_total,
            leader_epochs=tuple(reading.epochs),
        ), found

    def inspect(self, partition: int) -> tuple[tuple[CheckFinding, ...], StartReport | None]:  # noqa: ARG002
        """Nothing: what a broker would do when it starts is for the broker to say."""
        return (), None

    def rows(
        self,
        partition: int,
        offsets: OffsetRange,
        isolation: IsolationLevel,
        limit: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> Rows:
        """See :class:`kcompare.sources.base.Source`."""
        taker = _native.ColumnSlice.row_table(start=offsets.start, stop=offsets.stop, limit=limit)
        wanted = Wanted(self.view.topic, partition, offsets, isolation)
        end = Reading(self._connections, wanted, taker, budget, cancel).run()
        found = taker.finish()
        unread = _unread(found, offsets.stop, end)
        return Rows(found.rows, whole=not unread, problem=unread[0].detail if unread else "")

    def records(
        self,
        partition: int,
        offsets: OffsetRange,
        isolation: IsolationLevel,
        limit: int,
        value_limit_bytes: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> tuple[tuple[TailRecord, ...], str]:
        """See :class:`kcompare.sources.base.Source`."""
        taker = _native.ColumnSlice.last_records(
            start=offsets.start, stop=offsets.stop, limit=limit, value_limit_bytes=value_limit_bytes
        )
        wanted = Wanted(self.view.topic, partition, offsets, isolation)
        end = Reading(self._connections, wanted, taker, budget, cancel).run()
        found = taker.finish()
        unread = _unread(found, offsets.stop, end)
        return tuple(TailRecord(*record) for record in found.last), unread[0].detail if unread else ""

    def _place(self, partition: int) -> str:
        return f"partition {partition} of topic {self.view.topic!r}"


def _unread(found: ColumnRead, stop: int, end: End) -> tuple[Unread, ...]:
    """The range from the position on: it was not read, for the reason that ended the reading."""
    if found.position >= stop:
        return ()
    return (Unread(OffsetRange(found.position, stop), end.word, end.detail),)
