"""A broker together with what tests do to it: topics, records, transactions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tests.integration.kafka.bulk import BulkLoad, bulk_load
from tests.integration.kafka.wire import WireConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.integration.kafka.broker import Broker

Header = tuple[str | bytes, bytes | None]
TIMEOUT_S = 30.0
# librdkafka speaks of refused connections while a broker starts; only what ends a test matters.
QUIET: dict[str, Any] = {"log_level": 2, "reconnect.backoff.max.ms": 500, "enable.metrics.push": False}
# Room for what a million-record test hands over at once, and no callback for what went well.
FAST: dict[str, Any] = {"queue.buffering.max.messages": 2_000_000, "delivery.report.only.error": True}


def retry(attempt: Callable[[], object], complaint: str) -> None:
    """Tries until the result is true and no broker objects, as one that has just started does."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        reason = ""
        try:
            if attempt():
                return
        except KafkaException as error:
            reason = f": {error}"
        if time.monotonic() > deadline:
            raise TimeoutError(f"{complaint} after {TIMEOUT_S} s{reason}")
        time.sleep(0.05)


class Record(NamedTuple):
    """A record as a producer gives it; a plain tuple of the same shape will do."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    timestamp: int = 1_700_000_000_000


AnyRecord = Record | tuple[bytes | None, bytes | None, Sequence[Header], int]


class Cluster:
    """One of the two clusters of the fixture."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = broker.name
        self.bootstrap = broker.bootstrap
        self.log_dir = broker.log_dir
        self._admin: AdminClient | None = None

    @property
    def admin(self) -> AdminClient:
        """A client for everything that this class has no method for."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})
        return self._admin

    def view(self, topic: str) -> str:
        """Returns the topic as a view of the command line."""
        return f"kafka://{self.bootstrap}/{topic}"

    def start(self) -> None:
        """Starts the broker and waits until it serves metadata."""
        self.broker.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Waits until the broker serves metadata with itself in it."""
        self.broker.wait_ready()
        retry(lambda: self.admin.list_topics(timeout=5).brokers, f"broker {self.name} serves no metadata")

    def stop(self) -> None:
        """Shuts the broker down in order."""
        self.broker.stop()

    def kill(self) -> None:
        """Ends the broker at once, without a clean shutdown."""
        self.broker.kill()

    def create_topic(self, name: str, partitions: int = 1, **configs: str | float) -> str:
        """Creates a topic and returns its name; `retention_ms=5` sets `retention.ms`.

        Without a setting nothing expires: records with old timestamps would be gone within minutes, also
        from the active segment.
        """
        settings: dict[str, str] = {"retention.ms": "-1"}
        settings |= {key.replace("_", "."): str(value) for key, value in configs.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
        self.admin.create_topics([topic])[name].result(TIMEOUT_S)
        retry(lambda: self._leads(name, partitions), f"topic {name} has no leaders")
        return name

    def _leads(self, topic: str, partitions: int) -> bool:
        """Tells whether the broker leads the partitions; the controller says yes to a topic before that.

        Metadata come first: librdkafka's ListOffsets remembers a topic as unknown and does not ask again.
        """
        known = self.admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        return len(known) == partitions and all(self.offsets(topic, each) == (0, 0) for each in known)

    def delete_topic(self, name: str) -> None:
        """Deletes a topic and waits until its name is free again."""
        self.admin.delete_topics([name])[name].result(TIMEOUT_S)
        retry(
            lambda: name not in self.admin.list_topics(timeout=TIMEOUT_S).topics,
            f"topic {name} is still there",
        )

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Moves the log start offset up, as retention does; -1 means the high watermark."""
        place = TopicPartition(topic, partition, before_offset)
        self.admin.delete_records([place])[place].result(TIMEOUT_S)

    def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """Returns log start offset and high watermark.

        A broker that has just started does not know yet of the leader epoch that its clients have heard of.
        """
        place = TopicPartition(topic, partition)
        found: list[int] = []

        def ask() -> bool:
            specs = (OffsetSpec.earliest(), OffsetSpec.latest())
            found[:] = [self.admin.list_offsets({place: spec})[place].result(TIMEOUT_S).offset for spec in specs]
            return True

        retry(ask, f"{topic}-{partition} has no offsets")
        first, last = found
        return first, last

    def produce(
        self,
        topic: str,
        partition: int,
        records: Iterable[AnyRecord],
        settings: Mapping[str, Any] | None = None,
        *,
        outcome: str = "commit",
    ) -> None:
        """Writes records with a producer of its own, whose settings may differ by side.

        Args:
            topic: The topic, which has to exist.
            partition: The partition.
            records: (key, value, headers, timestamp) in order.
            settings: librdkafka's names, such as `compression.type`, `linger.ms` or `batch.num.messages`.
                With a `transactional.id` all records are one transaction.
            outcome: What happens to that transaction: `commit`, `abort`, or `open` to leave it hanging until
                the broker times it out.

        Raises:
            ValueError: A timestamp is 0 or negative, which librdkafka takes for "now"; use `produce_batches`.
            RuntimeError: A record was not acknowledged.
        """
        options = {"bootstrap.servers": self.bootstrap, **QUIET, **FAST, **(settings or {})}
        producer = Producer(options)
        if "transactional.id" not in options:
            _send(producer, topic, partition, records)
            return
        producer.init_transactions(TIMEOUT_S)
        producer.begin_transaction()
        _send(producer, topic, partition, records)
        if outcome == "commit":
            producer.commit_transaction(TIMEOUT_S)
        elif outcome == "abort":
            producer.abort_transaction(TIMEOUT_S)

    def produce_batches(self, topic: str, partition: int, batches: Iterable[bytes]) -> list[int]:
        """Appends encoded record batches as they are; returns the base offset that each one got."""
        with WireConnection(self.bootstrap) as connection:
            found = []
            for batch in batches:
                connection.send_produce(topic, {partition: batch})
                found.append(connection.receive_produce()[partition])
            return found

    def bulk_load(self, topic: str, partitions: Sequence[int], load: BulkLoad) -> None:
        """Fills each of the partitions with `load.records` generated records; the partitions differ."""
        bulk_load(self.bootstrap, topic, partitions, load)


def _send(producer: Producer, topic: str, partition: int, records: Iterable[AnyRecord]) -> None:
    """Writes the records and waits for every acknowledgement."""
    failed: list[str] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(str(error))

    for key, value, headers, timestamp in records:
        if timestamp <= 0:
            raise ValueError(f"timestamp {timestamp} cannot be written by librdkafka: use produce_batches")
        named = cast("list[tuple[str, str | bytes | None]] | None", list(headers) or None)
        while True:
            try:
                # By position: this is the inner loop of a million-record test, and names double its time.
                producer.produce(topic, value, key, partition, on_delivery, None, timestamp, named)
                break
            except BufferError:
                producer.poll(0.1)
    waiting = producer.flush(4 * TIMEOUT_S)
    if failed or waiting:
        raise RuntimeError(f"{waiting} records for {topic}-{partition} were left over, failed: {failed[:3]}")
