"""A log directory of the demo's making, ``kcompare serve`` as a process over it, and clients that read it."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kcompare.engine.demo import batches
from kcompare.engine.demo_files import Side, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kcompare.engine.demo import Record

LISTENS = re.compile(r"^on (\S+:[0-9]+), read-only", re.MULTILINE)
LAST_LINE = "Writes and commits are refused; a group has one member. Ctrl-C ends it.\n"
TIMEOUT_S = 60.0
CTRL_C_S = 3.0
TOPIC = "blogs"
QUIET: dict[str, Any] = {"log_level": 0, "enable.metrics.push": False, "fetch.wait.max.ms": 50}

Message = tuple[int, int, Any, bytes | None, bytes | None, Any]
"""Partition, offset, timestamp with its type, key, value, headers."""


def numbered(count: int, first: int = 0) -> list[Record]:
    """Records that differ in everything, with null and empty keys and values among them."""
    kinds = (None, b"", b"key")
    return [
        (
            offset,
            1_700_000_000_000 + offset * 1000,
            kinds[offset % 3],
            (b"value %d" % offset, None, b"")[offset % 7 % 3],
            ((b"h", b"%d" % offset), (b"h", None), (b"", b"")) if offset % 2 else (),
        )
        for offset in range(first, first + count)
    ]


def directory(
    root: Path, *logs: Sequence[Record], lost: Sequence[tuple[int, int]] = (), topic: str = TOPIC, codec: str = "none"
) -> Path:
    """Writes a log directory with one topic; ``lost`` names segments of 1,000 offsets by partition and base offset."""
    stops = tuple(log[-1][0] + 1 if log else 0 for log in logs)
    write(
        Side(
            root=root,
            topic=topic,
            cluster_id="served",
            node_id=7,
            logs=tuple(batches(list(log), 100, codec) for log in logs),
            stops=stops,
            recovery_points=stops,
            high_watermarks=stops,
            lost=tuple(lost),
        )
    )
    return root


class Serving(NamedTuple):
    """``kcompare serve`` while it runs.

    Attributes:
        shown: all that it has shown.
    """

    address: str
    shown: str
    pid: int


@contextlib.contextmanager
def served(view: str, *options: str) -> Iterator[Serving]:
    """Runs ``kcompare serve`` on a port that is free until the block ends, by Ctrl-C."""
    listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, "-m", "kcompare", "serve", view, *listen, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or (lines[-1] and lines[-1] != LAST_LINE):
            lines.append(process.stdout.readline())
        shown = "".join(lines)
        found = LISTENS.search(shown)
        yield Serving(found[1] if found else "", shown, process.pid)
    finally:
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=TIMEOUT_S)
        seconds = time.monotonic() - started
    assert (process.returncode, complaints) == (0, "")
    assert seconds < CTRL_C_S, f"Ctrl-C took {seconds:.1f} s"


def consumer(address: str, **settings: Any) -> Consumer:
    """A consumer that reports the end of each partition, with a group of its own unless it is named."""
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": f"group-{uuid.uuid4().hex}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            **QUIET,
            **settings,
        }
    )


def drain(reader: Consumer, partitions: int) -> list[Message]:
    """Everything up to the ends of so many partitions, in order of partition and offset.

    Raises:
        KafkaException: the consumer was told of an error.
    """
    found: list[Message] = []
    ended: set[int] = set()
    deadline = time.monotonic() + TIMEOUT_S
    while len(ended) < partitions:
        assert time.monotonic() < deadline, f"{len(found)} records, {len(ended)} of {partitions} partitions ended"
        message = reader.poll(1)
        if message is None:
            continue
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition() or 0)
        elif error is not None:
            raise KafkaException(error)
        else:
            found.append(
                (
                    message.partition() or 0,
                    message.offset() or 0,
                    message.timestamp(),
                    message.key(),
                    message.value(),
                    message.headers(),
                )
            )
    return sorted(found, key=lambda record: record[:2])


def assigned(address: str, topic: str, starts: Sequence[int], **settings: Any) -> list[Message]:
    """Reads with ``assign`` from an offset of each partition."""
    reader = consumer(address, **settings)
    try:
        reader.assign([TopicPartition(topic, number, offset) for number, offset in enumerate(starts)])
        return drain(reader, len(starts))
    finally:
        reader.close()


def subscribed(address: str, topic: str, partitions: int, **settings: Any) -> list[Message]:
    """Reads with ``subscribe``, from the beginning."""
    reader = consumer(address, **settings)
    try:
        reader.subscribe([topic])
        return drain(reader, partitions)
    finally:
        reader.close()
