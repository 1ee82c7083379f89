"""The seed, rehearsed: producers, MirrorMaker 2, a hot copy of a broker's data, and a broker started on the copy."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from tests.integration.kafka import Cluster, MirrorMaker, Record, Writer, snapshot, start_pair
from tests.integration.kafka.cluster import QUIET
from tests.integration.support import TIMEOUT_S, fresh, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.kafka import Pair
    from tests.integration.kafka.snapshot import Segment

ALIAS = "my-source-cluster"
SEGMENT_BYTES = 1 << 20  # the smallest that Kafka 4 takes
STEP_MS = 5
AT_ONCE = {"blogs": 3000, "items": 2000}
PARTITIONS = {"blogs": 3, "items": 10, "orders": 2}
MORE_AFTERWARDS = 100
TRANSACTION = 40


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A segment that gets lost between the copy and the start of the broker."""

    topic: str
    partition: int
    segment: Segment


@dataclass(kw_only=True)
class Rehearsal:
    """What the operator has afterwards, the restored cluster and the mirror, and what only the test knows.

    Attributes:
        restored: The cluster whose broker is started on the copy.
        mirror: The cluster that MirrorMaker wrote to.
        topics: Their names on the restored cluster, by their short names.
        copy: The hot copy, as it was taken.
        started_ms: The timestamp of the first record of each partition.
        written: How many records the producers wrote to each partition of a topic.
        before_copy: How many of them each partition held for sure before its topic's copy began.
        after_copy: How many of them there can have been when the copy was done.
    """

    restored: Cluster
    mirror: Cluster
    topics: dict[str, str]
    copy: Path
    started_ms: int
    written: dict[str, list[int]] = field(default_factory=dict)
    before_copy: dict[str, list[int]] = field(default_factory=dict)
    after_copy: dict[str, list[int]] = field(default_factory=dict)
    _damages: tuple[Damage, ...] | None = None

    def views(self, topic: str) -> tuple[str, str]:
        """The restored topic and its mirror."""
        name = self.topics[topic]
        return self.restored.view(name), self.mirror.view(f"{ALIAS}.{name}")

    def restored_offsets(self, topic: str) -> list[tuple[int, int]]:
        """Log start offset and high watermark of every restored partition, by another client."""
        return [self.restored.offsets(self.topics[topic], number) for number in range(PARTITIONS[topic])]

    def mirrored_offsets(self, topic: str) -> list[tuple[int, int]]:
        """Likewise of the mirror."""
        return [self.mirror.offsets(f"{ALIAS}.{self.topics[topic]}", number) for number in range(PARTITIONS[topic])]

    def record(self, topic: str, partition: int, ordinal: int) -> Record:
        """What the producer wrote to a place, or would have written."""
        return record(topic, partition, ordinal, self.started_ms)

    def segments(self, topic: str, partition: int) -> list[Segment]:
        """The segments of a partition in the copy, oldest first."""
        return snapshot.segments(self.copy, self.topics[topic], partition)

    def restore(self, *damages: Damage) -> None:
        """Makes the first cluster run on the copy without these segments; nothing is done if it already does."""
        if self._damages == damages:
            return
        self._damages = None
        # Nobody needs these data again.
        self.restored.kill()
        snapshot.restore(self.restored.broker, self.copy)
        for damage in damages:
            name = self.topics[damage.topic]
            snapshot.remove_segment(self.restored.log_dir, name, damage.partition, damage.segment)
        self.restored.start()
        for topic in PARTITIONS:
            self.restored_offsets(topic)
        self._damages = damages


def record(topic: str, partition: int, ordinal: int, started_ms: int) -> Record:
    """Returns the record for a place: no two are the same, and anybody can make it again."""
    chance = random.Random(f"{topic}/{partition}/{ordinal}")
    key = None if ordinal % 7 == 3 else b"%s-%d-%d" % (topic.encode(), partition, ordinal)
    value = None if ordinal % 11 == 5 else chance.randbytes(1200 + ordinal % 600)
    headers: list[tuple[str | bytes, bytes | None]] = []
    if ordinal % 3 == 0:
        headers = [("trace", chance.randbytes(8)), ("trace", None)]
    return Record(key, value, headers, started_ms + ordinal * STEP_MS)


@contextlib.contextmanager
def rehearsed(logs: Path) -> Iterator[Rehearsal]:
    """Goes through the seed up to the point where both producers and mirror have stopped, and the copy is taken."""
    folder = Path(tempfile.mkdtemp(prefix="kcompare-seed-"))
    try:
        with start_pair(logs=logs) as pair:
            yield _play(pair, folder, logs)
    finally:
        shutil.rmtree(folder)


def _play(pair: Pair, folder: Path, logs: Path) -> Rehearsal:
    source, mirror = pair
    topics = {short: fresh(short) for short in PARTITIONS}
    for short, name in topics.items():
        source.create_topic(name, PARTITIONS[short], segment_bytes=SEGMENT_BYTES, segment_index_bytes=1 << 16)
    result = Rehearsal(
        restored=source,
        mirror=mirror,
        topics=topics,
        copy=folder / "copy",
        started_ms=int(time.time() * 1000),
    )
    maker = MirrorMaker(logs / "mirror-maker", source, mirror, alias=ALIAS, topics=list(topics.values()))
    writers = _writers(result)
    maker.start()
    try:
        _wait_until_mirroring(result, maker)
        orders = _Orders(result)
        for writer in writers.values():
            writer.start()
        for short, writer in writers.items():
            writer.wait_acknowledged([AT_ONCE[short]] * PARTITIONS[short])
        _copy_while_written(result, writers)
        # What the snapshot lacks and the mirror holds.
        for writer in writers.values():
            writer.wait_more(MORE_AFTERWARDS)
            writer.stop()
        orders.go_on()
        result.written = {short: list(writer.acknowledged) for short, writer in writers.items()}
        result.written["orders"] = orders.committed
        _wait_until_mirrored(result, maker)
        maker.stop()
    finally:
        for writer in writers.values():
            writer.abandon()
        maker.kill()
    return result


def _writers(result: Rehearsal) -> dict[str, Writer]:
    """A producer for each of the two topics, with settings of its own."""
    settings: Mapping[str, Mapping[str, object]] = {
        "blogs": {"linger.ms": 5},
        "items": {"linger.ms": 20, "compression.type": "lz4", "batch.num.messages": 77},
    }

    def writer(short: str) -> Writer:
        def make(partition: int, ordinal: int) -> Record:
            return result.record(short, partition, ordinal)

        return Writer(
            result.restored,
            result.topics[short],
            PARTITIONS[short],
            make,
            at_once=AT_ONCE[short],
            settings=settings[short],
        )

    return {short: writer(short) for short in settings}


def _copy_while_written(result: Rehearsal, writers: Mapping[str, Writer]) -> None:
    """Takes the hot copy; each partition of the two topics is captured some records later than the one before."""
    folders = {f"{result.topics[short]}-{number}": short for short in writers for number in range(PARTITIONS[short])}
    result.before_copy = {short: list(writer.acknowledged) for short, writer in writers.items()}

    def before(name: str) -> None:
        if name in folders:
            writers[folders[name]].wait_more(5)

    snapshot.hot_copy(result.restored.log_dir, result.copy, before=before)
    result.after_copy = {short: list(writer.sent) for short, writer in writers.items()}


def _wait_until_mirroring(result: Rehearsal, maker: MirrorMaker) -> None:
    """Waits until the mirror has the topics: from then on records arrive in it while they are produced."""

    def there() -> bool:
        maker.check()
        known = result.mirror.admin.list_topics(timeout=TIMEOUT_S).topics
        return {maker.topic(name) for name in result.topics.values()} <= set(known)

    wait_until(there, f"MirrorMaker made no topics:\n{maker.log_tail()}")


def _wait_until_mirrored(result: Rehearsal, maker: MirrorMaker) -> None:
    """Waits until the mirror holds every record that was produced, and committed, and none twice."""

    def there() -> bool:
        maker.check()
        return all([end for _, end in result.mirrored_offsets(short)] == result.written[short] for short in PARTITIONS)

    wait_until(there, f"the mirror did not catch up:\n{maker.log_tail()}")


class _Orders:
    """Transactions over both partitions: a committed, an aborted and a committed one.

    While the copy is taken one is open, on the first partition alone. The mirror reads committed records, so that
    behind the first marker it has other offsets.
    """

    def __init__(self, result: Rehearsal) -> None:
        self._result, self._topic = result, result.topics["orders"]
        self._ordinal = 0
        self._open: tuple[int, ...] = ()
        self.committed = [0, 0]
        self._producer = transactional_producer(result.restored, self._topic)
        self._write(0, 1)
        self._commit()
        self._write(0, 1)
        self._producer.abort_transaction(TIMEOUT_S)
        self._write(0, 1)
        self._commit()
        self._write(0)

    def go_on(self) -> None:
        """Commits the transaction that was open, and another one."""
        self._commit()
        self._write(0, 1)
        self._commit()

    def _commit(self) -> None:
        self._producer.commit_transaction(TIMEOUT_S)
        for partition in self._open:
            self.committed[partition] += TRANSACTION

    def _write(self, *partitions: int) -> None:
        """Begins a transaction, and waits until its records are in the log."""
        self._producer.begin_transaction()
        self._open = partitions
        for partition in partitions:
            for ordinal in range(self._ordinal, self._ordinal + TRANSACTION):
                key, value, _, timestamp = self._result.record("orders", partition, ordinal)
                self._producer.produce(self._topic, value, key, partition, timestamp=timestamp)
        self._ordinal += TRANSACTION
        waiting = self._producer.flush(TIMEOUT_S)
        if waiting:
            raise RuntimeError(f"{waiting} records of a transaction on {self._topic} were not acknowledged")


def transactional_producer(cluster: Cluster, topic: str) -> Producer:
    """The one producer of a topic's transactions, ready to begin one; what it had left open is aborted by that."""
    # No broker may end a transaction by itself before the rehearsal is over.
    settings = {"transactional.id": topic, "transaction.timeout.ms": 900_000}
    producer = Producer({"bootstrap.servers": cluster.bootstrap, **QUIET, **settings})
    producer.init_transactions(TIMEOUT_S)
    return producer
