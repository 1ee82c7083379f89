"""confluent-kafka: the only module that imports it, and what is asked of it.

Nothing here may change a cluster. What makes librdkafka harmless is set last, so that no user's property can undo it.
"""

from __future__ import annotations

import re
import time
import uuid
from concurrent.futures import wait
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Any

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from kcompare.errors import (
    InterruptedRunError,
    RefusedError,
    SourceError,
    TopicNotFoundError,
    UnreachableError,
    UsageError,
)
from kcompare.model import IsolationLevel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from kcompare._native import CancelToken
    from kcompare.settings.cluster import ClusterSettings

POLL_S = 0.1
"""The longest wait between two looks at the cancel token."""

DOWN_S = 2.0
"""How long all brokers may be away before a question is given up; librdkafka itself would try for ever."""

FETCH_WAIT_MS = 200
SMALLEST_FETCH, LARGEST_FETCH = 64 << 10, 8 << 20
LARGEST_RESPONSE = 2_147_483_647
SECRET_LENGTH = 4
"""Values of properties that are shorter stand in error messages by chance."""

HARMLESS: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # Whatever its value, librdkafka jumps to another offset without a word, but for this one.
    "auto.offset.reset": "error",
    "allow.auto.create.topics": False,
    "enable.metrics.push": False,
    "check.crcs": True,
    "enable.partition.eof": True,
    "test.mock.num.brokers": 0,
    # Its words come to us as errors; stderr is for sentences of ours.
    "log_level": 0,
    "log.connection.close": False,
}


class Kind(StrEnum):
    """What an error of librdkafka means for the range that is being read."""

    END = auto()
    PASSING = auto()
    AWAY = auto()
    OUT_OF_RANGE = auto()
    TRUNCATED = auto()
    CORRUPT = auto()
    TOO_LARGE = auto()
    REFUSED = auto()
    GONE = auto()
    FAILED = auto()


_KINDS = {
    KafkaError._PARTITION_EOF: Kind.END,  # noqa: SLF001
    KafkaError._AUTO_OFFSET_RESET: Kind.OUT_OF_RANGE,  # noqa: SLF001
    KafkaError.OFFSET_OUT_OF_RANGE: Kind.OUT_OF_RANGE,
    KafkaError._LOG_TRUNCATION: Kind.TRUNCATED,  # noqa: SLF001
    KafkaError._BAD_MSG: Kind.CORRUPT,  # noqa: SLF001
    KafkaError._BAD_COMPRESSION: Kind.CORRUPT,  # noqa: SLF001
    KafkaError._UNDERFLOW: Kind.CORRUPT,  # noqa: SLF001
    KafkaError._NOT_IMPLEMENTED: Kind.CORRUPT,  # noqa: SLF001
    KafkaError.INVALID_MSG: Kind.CORRUPT,
    KafkaError.MSG_SIZE_TOO_LARGE: Kind.TOO_LARGE,
    KafkaError._AUTHENTICATION: Kind.REFUSED,  # noqa: SLF001
    KafkaError.SASL_AUTHENTICATION_FAILED: Kind.REFUSED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM: Kind.REFUSED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Kind.REFUSED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: Kind.REFUSED,
    KafkaError.UNKNOWN_TOPIC_OR_PART: Kind.GONE,
    KafkaError._UNKNOWN_TOPIC: Kind.GONE,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION: Kind.GONE,  # noqa: SLF001
    # No group is used: what its coordinator says does not matter, not even that we may not ask for it.
    KafkaError.GROUP_AUTHORIZATION_FAILED: Kind.PASSING,
    KafkaError.COORDINATOR_NOT_AVAILABLE: Kind.PASSING,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS: Kind.PASSING,
    KafkaError.NOT_COORDINATOR: Kind.PASSING,
    KafkaError._ALL_BROKERS_DOWN: Kind.AWAY,  # noqa: SLF001
    KafkaError._TRANSPORT: Kind.AWAY,  # noqa: SLF001
    KafkaError._RESOLVE: Kind.AWAY,  # noqa: SLF001
    KafkaError._TIMED_OUT: Kind.AWAY,  # noqa: SLF001
    KafkaError._TIMED_OUT_QUEUE: Kind.AWAY,  # noqa: SLF001
    KafkaError._SSL: Kind.AWAY,  # noqa: SLF001
}
_NO_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION, KafkaError._UNKNOWN_TOPIC}  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Event:
    """An error as librdkafka told it; ``offset`` is where it stood, -1 where it has no place."""

    kind: Kind
    code: str
    text: str
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Description:
    """A topic and its cluster. ``leaders`` has every partition, with -1 for one without a leader."""

    cluster_id: str | None
    topic_id: str | None
    endpoints: frozenset[str]
    leaders: dict[int, int]


def client_properties(bootstrap: Sequence[tuple[str, int]], settings: ClusterSettings) -> dict[str, Any]:
    """What every client of a cluster is made with: what the user says, then what keeps the cluster as it is."""
    return {
        **dict(settings.properties),
        "bootstrap.servers": ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in bootstrap
        ),
        "client.id": settings.client_id,
        "client.rack": settings.rack_id or "",
        "socket.connection.setup.timeout.ms": max(1000, settings.connect_timeout_ms),
        # librdkafka wants a second more than a fetch may wait.
        "socket.timeout.ms": max(FETCH_WAIT_MS + 1000, settings.request_timeout_ms),
        "reconnect.backoff.max.ms": 1000,
        **HARMLESS,
    }


def reader_properties(isolation: IsolationLevel, share: int, large: int) -> dict[str, Any]:
    """What one reader may hold: half of a worker's share waits in its queue, the rest is in flight or in our hands."""
    fetch = min(max(share // 4, SMALLEST_FETCH), LARGEST_FETCH)
    return {
        # librdkafka has no assign() without a group. Nobody joins this one and nothing is committed to it.
        "group.id": f"kcompare-{uuid.uuid4().hex}",
        "isolation.level": isolation.value,
        "queued.max.messages.kbytes": max(64, (share // 2) >> 10),
        "queued.min.messages": 100_000,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
        "fetch.min.bytes": 1,
        "fetch.message.max.bytes": fetch,
        "fetch.max.bytes": max(fetch, 1_000_000),
        # One batch may need all of the large half; what is larger still is refused by the connection.
        "receive.message.max.bytes": min(max(large, fetch, 1_000_000) + (1 << 20), LARGEST_RESPONSE),
        # The default of a second stands still whenever the queue was full, which halves the rate.
        "fetch.queue.backoff.ms": 5,
    }


class _Client:
    """What reader and administrator share: properties, errors without a place, and no secret in any of them."""

    def __init__(self, bootstrap: Sequence[tuple[str, int]], settings: ClusterSettings) -> None:
        self._properties = client_properties(bootstrap, settings)
        self._secrets = [value for _, value in settings.properties if len(value) >= SECRET_LENGTH]
        self._place = ",".join(f"{host}:{port}" for host, port in bootstrap)
        self.failure: Event | None = None

    def _on_error(self, error: KafkaError) -> None:
        event = self._event(error)
        # A refusal is followed by word that all brokers are down, which says less.
        if event.kind is not Kind.PASSING and (self.failure is None or self.failure.kind is not Kind.REFUSED):
            self.failure = event

    def _event(self, error: KafkaError, offset: int = -1) -> Event:
        return Event(_KINDS.get(error.code(), Kind.FAILED), error.name(), self._clean(error.str()), offset)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return text

    def _made(self, make: Any, properties: dict[str, Any]) -> Any:
        try:
            return make({**properties, "error_cb": self._on_error})
        except KafkaException as error:
            text = error.args[0].str()
            named = re.search(r'propert(?:y|ies):? "([\w.]+)"', text)
            what = f"property {named[1]!r}" if named else self._clean(text)
            raise UsageError(
                f"librdkafka does not take {what} for {self._place}; correct or leave out that property"
            ) from None


class Reader(_Client):
    """A consumer of one topic, read one partition at a time. For one thread at a time."""

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        settings: ClusterSettings,
        topic: str,
        isolation: IsolationLevel,
        sizes: tuple[int, int],
    ) -> None:
        """Makes a consumer; ``sizes`` are a worker's share of the memory budget and the budget's large half."""
        super().__init__(bootstrap, settings)
        self.topic, self.isolation = topic, isolation
        self._partition = -1
        self._consumer: Consumer = self._made(Consumer, self._properties | reader_properties(isolation, *sizes))

    def assign(self, partition: int, start: int) -> None:
        """Goes to an offset. librdkafka drops what it still has of the former assignment."""
        self.failure = None
        self._partition = partition
        self._consumer.assign([TopicPartition(self.topic, partition, start)])

    def release(self) -> None:
        """Reads nothing until the next :meth:`assign`."""
        self._consumer.unassign()

    def close(self) -> None:
        """Ends the consumer."""
        self._consumer.close()

    def next(self, limit: int) -> tuple[list[Message], Event | None]:
        """Messages that are here, at most ``limit``, up to the first error; waits for one at most 100 ms.

        What waits in the queue is taken at once and never waited for, so that no more is held than the queue may hold.
        """
        found = self._consumer.consume(limit, 0)
        if not found:
            one = self._consumer.poll(POLL_S)
            found = [] if one is None else [one]
        if not found:
            return found, None
        errors = list(map(Message.error, found))
        event = None
        if errors.count(None) != len(errors):
            found, event = self._up_to_an_error(found, errors)
        if found and set(map(Message.partition, found)) != {self._partition}:
            found = [message for message in found if message.partition() == self._partition]
        return found, event

    def _up_to_an_error(
        self, found: list[Message], errors: list[KafkaError | None]
    ) -> tuple[list[Message], Event | None]:
        kept: list[Message] = []
        for message, error in zip(found, errors, strict=True):
            if error is None:
                kept.append(message)
                continue
            partition = message.partition()
            if message.topic() is not None and partition is not None and partition not in {-1, self._partition}:
                continue
            event = self._event(error, message.offset() or 0)
            if event.kind in {Kind.PASSING, Kind.AWAY}:
                self._on_error(error)
                continue
            return kept, event
        return kept, None


class Administrator(_Client):
    """Questions about a cluster: topics, their partitions, offsets and settings. Safe to use from several threads."""

    def __init__(self, bootstrap: Sequence[tuple[str, int]], settings: ClusterSettings, cancel: CancelToken) -> None:
        super().__init__(bootstrap, settings)
        self._timeout_s = max(1.0, settings.request_timeout_ms / 1000)
        self._cancel = cancel
        self._admin: AdminClient = self._made(AdminClient, self._properties)

    def topics(self) -> tuple[str, ...]:
        """Names of all topics that we are shown."""
        self.failure = None
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return tuple(self._admin.list_topics(timeout=1.0).topics)
            except KafkaException as error:
                self._admin.poll(0)
                self._check(deadline)
                event = self._event(error.args[0])
                if event.kind is not Kind.AWAY:
                    raise self._error(event, "the list of topics") from None

    def describe(self, topic: str) -> Description:
        """What the cluster says of a topic now; never creates it.

        Raises:
            TopicNotFoundError: it does not exist.
            SourceError: it could not be asked for.
        """
        asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=self._timeout_s)[topic]
        cluster = self._admin.describe_cluster(request_timeout=self._timeout_s)
        self._wait([asked, cluster])
        try:
            found = asked.result()
        except KafkaException as error:
            if error.args[0].code() in _NO_TOPIC:
                raise TopicNotFoundError(
                    f"topic {topic!r} does not exist at {self._place}; name one that does"
                ) from None
            raise self._error(self._event(error.args[0]), f"topic {topic!r}") from None
        here = self._result(cluster, "the cluster")
        number = _unsigned(found.topic_id.get_most_significant_bits()) << 64
        number |= _unsigned(found.topic_id.get_least_significant_bits())
        return Description(
            cluster_id=here.cluster_id,
            topic_id=f"{number:032x}" if number else None,
            endpoints=frozenset(f"{node.host}:{node.port}" for node in here.nodes),
            leaders={one.id: -1 if one.leader is None else one.leader.id for one in found.partitions},
        )

    def cleanup_policy(self, topic: str) -> str | None:
        """The topic's ``cleanup.policy``; None where the cluster does not tell it."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        asked = self._admin.describe_configs([resource], request_timeout=self._timeout_s)[resource]
        self._wait([asked])
        entry = self._result(asked, f"the configuration of topic {topic!r}").get("cleanup.policy")
        return None if entry is None else str(entry.value)

    def start_offsets(self, topic: str, partitions: Iterable[int]) -> dict[int, tuple[int, int] | Event]:
        """Log starts; see :meth:`offsets`."""
        return self.offsets(topic, partitions, OffsetSpec.earliest())

    def end_offsets(
        self, topic: str, partitions: Iterable[int], isolation: IsolationLevel
    ) -> dict[int, tuple[int, int] | Event]:
        """High watermarks, or last stable offsets under read_committed; see :meth:`offsets`."""
        return self.offsets(topic, partitions, OffsetSpec.latest(), isolation)

    def offsets_at(
        self, topic: str, partitions: Iterable[int], timestamp_ms: int
    ) -> dict[int, tuple[int, int] | Event]:
        """The first offsets with a timestamp of at least ``timestamp_ms``, -1 for none; see :meth:`offsets`."""
        return self.offsets(topic, partitions, OffsetSpec.for_timestamp(timestamp_ms))

    def offsets(
        self,
        topic: str,
        partitions: Iterable[int],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> dict[int, tuple[int, int] | Event]:
        """For each partition ``(offset, leader epoch)``, or why there is none: one request a leader for all of them."""
        wanted = {TopicPartition(topic, partition): spec for partition in partitions}
        if not wanted:
            return {}
        level = getattr(confluent_kafka.IsolationLevel, isolation.name)
        asked = self._admin.list_offsets(wanted, isolation_level=level, request_timeout=self._timeout_s)
        self._wait(asked.values())
        found: dict[int, tuple[int, int] | Event] = {}
        for place, future in asked.items():
            try:
                answer = future.result()
            except KafkaException as error:
                found[place.partition] = self._event(error.args[0])
            else:
                epoch = answer.leader_epoch
                found[place.partition] = (answer.offset, -1 if epoch is None else epoch)
        return found

    def _wait(self, futures: Iterable[Future[Any]]) -> None:
        self.failure = None
        deadline = time.monotonic() + self._timeout_s + 1.0
        pending = set(futures)
        while pending:
            _, pending = wait(pending, timeout=POLL_S)
            self._admin.poll(0)
            if pending:
                self._check(deadline)

    def _check(self, deadline: float) -> None:
        """Whether it is worth to wait on."""
        if self._cancel.is_cancelled():
            raise InterruptedRunError("the run was interrupted")
        if self.failure is not None and self.failure.kind is Kind.REFUSED:
            raise self._error(self.failure, "the connection")
        waited = time.monotonic() - (deadline - self._timeout_s)
        down = self.failure is not None and self.failure.kind is Kind.AWAY and waited >= DOWN_S
        if down or time.monotonic() >= deadline:
            why = f": {self.failure.text}" if self.failure else f" for {self._timeout_s:.0f} s"
            raise UnreachableError(f"no broker of {self._place} answers{why}; check the address and the network")

    def _result(self, future: Future[Any], what: str) -> Any:
        try:
            return future.result()
        except KafkaException as error:
            raise self._error(self._event(error.args[0]), what) from None

    def _error(self, event: Event, what: str) -> SourceError:
        text = f"{self._place} answered {event.code} for {what}: {event.text}"
        if event.kind is Kind.REFUSED or event.code == "GROUP_AUTHORIZATION_FAILED":
            return RefusedError(f"{text}; check the credentials, and grant Describe and Read")
        if event.kind is Kind.AWAY:
            return UnreachableError(f"{text}; check the address and the network")
        return SourceError(f"{text}; try again")


def _unsigned(number: int) -> int:
    return number & (1 << 64) - 1
