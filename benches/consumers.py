"""confluent-kafka-python as people use it: both sides in threads of one process.

    python benches/consumers.py md5|alone LEFT RIGHT TOPIC RECORDS

`md5` hashes the keys and values of every partition; `alone` only counts what `consume(10000)` returns. RECORDS are read
from each partition. Prints {"counts": [[...], [...]], "digests": the same}, a list of partitions for each side.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

from confluent_kafka import Consumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

PARTITIONS = range(3)
SETTINGS = {
    "group.id": "bench",
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    # With the default of a second it stands still whenever its queue was full: half the rate.
    "fetch.queue.backoff.ms": 10,
}


@contextlib.contextmanager
def assigned(bootstrap: str, topic: str) -> Iterator[Consumer]:
    """A consumer of all partitions at once, as an application has it."""
    consumer = Consumer({"bootstrap.servers": bootstrap, **SETTINGS})
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in PARTITIONS])
        yield consumer
    finally:
        consumer.close()


def batches(consumer: Consumer, missing: int) -> Iterator[list[Message]]:
    """Yields what `consume` returns until so many messages are there."""
    while missing > 0:
        # It waits until it has all that it was asked for.
        messages = consumer.consume(min(10_000, missing), timeout=30)
        if not messages:
            raise RuntimeError(f"{missing} records did not come within 30 s")
        missing -= len(messages)
        yield messages


def md5(bootstrap: str, topic: str, records: int) -> tuple[list[int], list[str]]:
    """Hashes what it reads of one side."""
    hashes = {partition: hashlib.md5(usedforsecurity=False) for partition in PARTITIONS}
    counts = dict.fromkeys(PARTITIONS, 0)
    with assigned(bootstrap, topic) as consumer:
        for messages in batches(consumer, records * len(PARTITIONS)):
            for message in messages:
                if message.error() is not None:
                    raise RuntimeError(message.error())
                partition = cast("int", message.partition())
                digest = hashes[partition]
                digest.update(message.key() or b"")
                digest.update(message.value() or b"")
                counts[partition] += 1
    return list(counts.values()), [digest.hexdigest() for digest in hashes.values()]


def alone(bootstrap: str, topic: str, records: int) -> tuple[list[int], list[str]]:
    """Does nothing with what it reads: the partitions are counted by where they have come to in the end.

    That is a count because nothing is missing between the offsets of this topic; an event in place of a message
    would be one too many in the sum.
    """
    with assigned(bootstrap, topic) as consumer:
        total = sum(map(len, batches(consumer, records * len(PARTITIONS))))
        places = consumer.position([TopicPartition(topic, partition) for partition in PARTITIONS])
    if total != sum(place.offset for place in places):
        raise RuntimeError(f"{total} messages came from {topic} at {bootstrap}, but its positions are {places}")
    return [place.offset for place in places], []


def main() -> None:
    """Runs the reader that the command line names over both sides."""
    name, left, right, topic, records = sys.argv[1:]
    read = {"md5": md5, "alone": alone}[name]
    with ThreadPoolExecutor(2) as threads:
        sides = list(threads.map(read, (left, right), (topic, topic), (int(records), int(records))))
    print(json.dumps({"counts": [counts for counts, _ in sides], "digests": [digests for _, digests in sides]}))


if __name__ == "__main__":
    main()
