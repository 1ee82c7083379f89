"""A topic of a running cluster, read by the native client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.errors import RefusedError, SourceError, TopicNotFoundError, UnreachableError
from kcompare.model import DataPath, PartitionBounds, TailRecord
from kcompare.sources.base import Identity, PartitionProblem
from kcompare.sources.native import digest_of, order_of, place_of, problem_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcompare._native import (
        CancelToken,
        MemoryBudget,
        NativeBounds,
        Progress,
        RateLimit,
        TopicMetadata,
    )
    from kcompare.check_model import CheckFinding, StartReport
    from kcompare.model import IsolationLevel, OffsetRange, Slice, View
    from kcompare.settings.cluster import ClusterSettings
    from kcompare.sources.base import Rows, SliceDigest, TimeOrder

NO_TOPIC_ID = bytes(16)
INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"})
"""Topics that brokers keep for themselves: never the same on two clusters, and not what a pattern asks about."""

_UNKNOWN_TOPIC_OR_PARTITION = 3
_INVALID_TOPIC = 17
_REFUSALS = {29, 30, 31, 58}
"""TOPIC_, GROUP_, CLUSTER_AUTHORIZATION_FAILED and SASL_AUTHENTICATION_FAILED."""


class KafkaCluster:
    """A cluster that the native client is connected to."""

    data_path = DataPath.NATIVE

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        settings: ClusterSettings,
        cancel: CancelToken,
        rate: RateLimit | None = None,
    ) -> None:
        """Connects to one of the bootstrap servers. Every fetch of records keeps to ``rate``.

        Raises:
            SourceError: none of them answers as Kafka does, or it refuses us.
        """
        self._native = _native.Cluster(
            bootstrap=list(bootstrap),
            client_id=settings.client_id,
            rack_id=settings.rack_id,
            connect_timeout_ms=settings.connect_timeout_ms,
            request_timeout_ms=settings.request_timeout_ms,
            stall_timeout_ms=settings.stall_timeout_ms,
            cancel=cancel,
            rate_limit=rate,
        )

    def topics(self) -> tuple[str, ...]:
        """See :class:`kcompare.sources.base.Cluster`."""
        found = self._native.metadata(topics=None)
        return tuple(sorted(topic.name for topic in found.topics if topic.name not in INTERNAL_TOPICS))

    def source(self, view: View) -> KafkaSource:
        """See :class:`kcompare.sources.base.Cluster`."""
        return KafkaSource(view, self._native)


class KafkaSource:
    """One topic of one cluster. The topic id is pinned by the first :meth:`identity` and every read is by that id."""

    def __init__(self, view: View, cluster: _native.Cluster) -> None:
        self.view = view
        self._topic_id = NO_TOPIC_ID
        self._pinned = False
        self._cluster = cluster

    def _topic(self) -> tuple[str | None, frozenset[str], TopicMetadata]:
        metadata = self._cluster.metadata(topics=[self.view.topic])
        topic = next((found for found in metadata.topics if found.name == self.view.topic), None)
        if topic is None or topic.error_code in {_UNKNOWN_TOPIC_OR_PARTITION, _INVALID_TOPIC}:
            raise TopicNotFoundError(
                f"topic {self.view.topic!r} of view {self.view.text} does not exist; name one that does"
            )
        if topic.error_code in _REFUSALS:
            raise RefusedError(
                f"{self.view.text} refused to describe topic {self.view.topic!r} with {topic.error}; "
                "grant Describe and Read on it"
            )
        if topic.error_code:
            raise SourceError(f"{self.view.text} answered {topic.error} for topic {self.view.topic!r}; try again")
        endpoints = frozenset(f"{host}:{port}" for _, host, port in metadata.brokers)
        return metadata.cluster_id, endpoints, topic

    def identity(self) -> Identity:
        """See :class:`kcompare.sources.base.Source`."""
        cluster_id, endpoints, topic = self._topic()
        if not self._pinned:
            self._topic_id = topic.topic_id
            self._pinned = True
        policy, policy_error, policy_refused = None, None, False
        try:
            policy = self._cluster.topic_configs(topic=self.view.topic).get("cleanup.policy")
            if policy is None:
                policy_error = "the cluster does not tell it"
        except UnreachableError:
            raise
        except SourceError as error:
            policy_error, policy_refused = str(error), isinstance(error, RefusedError)
        return Identity(
            cluster_id=cluster_id,
            topic_id=None if topic.topic_id == NO_TOPIC_ID else topic.topic_id.hex(),
            endpoints=endpoints,
            cleanup_policy=policy,
            policy_error=policy_error,
            partitions=tuple(sorted(found.partition for found in topic.partitions)),
            policy_refused=policy_refused,
        )

    def bounds(self) -> tuple[tuple[PartitionBounds, ...], tuple[PartitionProblem, ...]]:
        """See :class:`kcompare.sources.base.Source`."""
        answers = self._cluster.bounds(topic=self.view.topic)
        good = tuple(_bounds(found) for found in answers if not found.error)
        bad = tuple(
            PartitionProblem(
                found.partition,
                found.error,
                f"partition {found.partition} of {self.view.text} has no bounds: {found.error}",
                refused=found.error_code in _REFUSALS,
            )
            for found in answers
            if found.error
        )
        return good, bad

    def offsets_at(self, timestamp_ms: int) -> dict[int, int | None]:
        """See :class:`kcompare.sources.base.Source`."""
        found: dict[int, int | None] = {}
        for partition, offset, code, name in self._cluster.offsets_at(topic=self.view.topic, timestamp_ms=timestamp_ms):
            if code in _REFUSALS:
                raise RefusedError(
                    f"{self.view.text} refused to tell offsets by time of partition {partition} with {name}; "
                    "grant Describe on the topic"
                )
            if code == 0:
                found[partition] = offset if offset >= 0 else None
        return found

    def prepare(self, partition: int) -> None:
        """A Fetch names the aborted transactions of what it returns, so nothing has to be known before."""

    def read(
        self,
        piece: Slice,
        isolation: IsolationLevel,
        settle_ms: int,
        bytes_per_offset: int,
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> SliceDigest:
        """See :class:`kcompare.sources.base.Source`."""
        found = self._cluster.read_cells(
            topic=self.view.topic,
            topic_id=self._topic_id,
            partition=piece.partition,
            start=piece.range.start,
            stop=piece.range.stop,
            isolation_level=isolation.value,
            checkpoints=list(piece.checkpoints),
            settle_ms=settle_ms,
            bytes_per_offset=bytes_per_offset,
            budget=budget,
            cancel=cancel,
            progress=progress,
        )
        return digest_of(found, piece, place_of(self.view.topic, piece.partition))

    def check(
        self,
        piece: Slice,
        bytes_per_offset: int,
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> tuple[SliceDigest, TimeOrder]:
        """See :class:`kcompare.sources.base.Source`."""
        found, order = self._cluster.read_check(
            topic=self.view.topic,
            topic_id=self._topic_id,
            partition=piece.partition,
            start=piece.range.start,
            stop=piece.range.stop,
            bytes_per_offset=bytes_per_offset,
            budget=budget,
            cancel=cancel,
            progress=progress,
        )
        return digest_of(found, piece, place_of(self.view.topic, piece.partition)), order_of(order)

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
        found = self._cluster.read_rows(
            topic=self.view.topic,
            topic_id=self._topic_id,
            partition=partition,
            start=offsets.start,
            stop=offsets.stop,
            isolation_level=isolation.value,
            limit=limit,
            budget=budget,
            cancel=cancel,
        )
        return rows_of(found, offsets.stop, place_of(self.view.topic, partition))

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
        records, found = self._cluster.read_records(
            topic=self.view.topic,
            topic_id=self._topic_id,
            partition=partition,
            start=offsets.start,
            stop=offsets.stop,
            isolation_level=isolation.value,
            limit=limit,
            value_limit_bytes=value_limit_bytes,
            budget=budget,
            cancel=cancel,
        )
        problem = problem_of(found, offsets.stop, place_of(self.view.topic, partition))
        return tuple(TailRecord(*record) for record in records), problem or ""

    def changes(self, planned: Mapping[int, OffsetRange]) -> dict[int, str]:  # noqa: ARG002
        """None: brokers answer for their logs."""
        return {}

    def epoch_ends(self, epochs: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """See :class:`kcompare.sources.base.Source`."""
        answers = self._cluster.epoch_ends(topic=self.view.topic, epochs=list(epochs))
        return {partition: (epoch, end) for partition, epoch, end in answers}


def _bounds(found: NativeBounds) -> PartitionBounds:
    return PartitionBounds(
        partition=found.partition,
        log_start_offset=found.log_start_offset,
        high_watermark=found.high_watermark,
        last_stable_offset=found.last_stable_offset,
        leader=found.leader,
        leader_epoch=found.leader_epoch,
        listed_end=found.listed_end,
    )
