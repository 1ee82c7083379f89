"""What the tests of the product share: running it as a user does, records, and a proxy with a gate."""

from __future__ import annotations

import json
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from jsonschema import Draft202012Validator

from tests.integration.kafka import Cluster, Connection, Header, Record, RecordingProxy, encode_batch
from tests.integration.kafka.batches import HEADER, compress_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.integration.kafka import Broker

Document = dict[str, Any]

TIMEOUT_S = 180.0
"""Nothing here takes so long; it only keeps a hanging process from holding up the run."""

FIRST_TIMESTAMP = 1_700_000_000_000

# Everything that the two commands may send: no Produce, no group, no Create.
READ_ONLY = {
    1: "Fetch",
    2: "ListOffsets",
    3: "Metadata",
    18: "ApiVersions",
    23: "OffsetForLeaderEpoch",
    32: "DescribeConfigs",
}


def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((files("kcompare.report") / "schemas" / f"kcompare.{name}-1.json").read_text())
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


VALIDATORS = {name: _validator(name) for name in ("report", "tail", "check")}


class Ended(NamedTuple):
    """A process that has ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float


@dataclass(frozen=True)
class Answer:
    """What ``--output json`` gave: one document that keeps the schema, the ledger and the exit code."""

    code: int
    document: Document
    stderr: str
    seconds: float

    @property
    def verdict(self) -> str | None:
        """The run's verdict."""
        verdict = self.document["verdict"]
        assert verdict is None or isinstance(verdict, str)
        return verdict

    @property
    def partitions(self) -> list[Document]:
        """The partitions of the only topic."""
        (topic,) = self.document["topics"]
        found: list[Document] = topic["partitions"]
        return found

    def partition(self, number: int) -> Document:
        """One partition of the only topic."""
        (found,) = (one for one in self.partitions if one["partition"] == number)
        return found

    @property
    def verdicts(self) -> list[str]:
        """The verdict of each partition."""
        return [one["verdict"] for one in self.partitions]

    @property
    def why(self) -> str:
        """For a person who looks at a test that failed: errors, and findings that are no difference."""
        lines = [self.stderr, *(str(error) for error in self.document["errors"])]
        topics = self.document["topics"]
        lines += [str(found) for topic in topics for one in topic["partitions"] for found in one["findings"]]
        return "\n".join(lines)

    @property
    def unverified(self) -> set[tuple[str | None, str]]:
        """Side and reason of everything unverified."""
        return {
            (found.get("side"), found["reason"])
            for one in self.partitions
            for found in one["findings"]
            if found["effect"] == "unverified"
        }


def differences(partition: Document) -> list[Document]:
    """The findings of a partition that are differences."""
    return [found for found in partition["findings"] if found["effect"] == "difference"]


def divergence(left: int | None, right: int | None, *fields: str) -> Document:
    """A first divergence as the document spells it."""
    return {"left_offset": left, "right_offset": right, "fields": list(fields)}


def start(*arguments: str) -> subprocess.Popen[str]:
    """Starts kcompare; ``finish`` waits for its end."""
    return subprocess.Popen(
        [sys.executable, "-m", "kcompare", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Ended:
    """Waits for the end and holds stderr to what it is for: sentences, no progress, no traceback."""
    started = time.monotonic()
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    ended = Ended(process.returncode, stdout, stderr, time.monotonic() - started)
    assert all(line.startswith("kcompare: ") for line in stderr.splitlines()), stderr
    assert "\x1b" not in stdout + stderr
    assert "\r" not in stderr
    if ended.code in {0, 1}:
        assert stderr == ""
    if ended.code == 2:
        assert len(stderr.splitlines()) == 1, stderr
    return ended


def run(*arguments: str) -> Ended:
    """Runs kcompare to its end."""
    started = time.monotonic()
    return finish(start(*arguments))._replace(seconds=time.monotonic() - started)


def answer(ended: Ended, *, schema: str = "report") -> Answer:
    """Reads stdout as the one JSON document that it has to be."""
    document: Document = json.loads(ended.stdout)
    problems = [error.message for error in VALIDATORS[schema].iter_errors(document)]
    assert problems == [], problems
    if schema == "report":
        assert document["exit_code"] == ended.code, ended
        _check_verdicts(document)
        _check_ledger(document)
    return Answer(ended.code, document, ended.stderr, ended.seconds)


def compare(left: str, right: str, *options: str) -> Answer:
    """Runs ``kcompare compare --output json``."""
    return answer(run("compare", left, right, "--output", "json", *options))


def check(view: str, *options: str) -> Answer:
    """Runs ``kcompare check --output json``."""
    return answer(run("check", view, "--output", "json", *options), schema="check")


def tail(*arguments: str) -> Answer:
    """Runs ``kcompare tail --output json``."""
    return answer(run("tail", *arguments, "--output", "json"), schema="tail")


def interrupted_after(process: subprocess.Popen[str]) -> float:
    """Sends SIGINT and returns how many seconds later the process has ended."""
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        process.wait(TIMEOUT_S / 3)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return time.monotonic() - started


def _check_verdicts(document: Document) -> None:
    """The words of partitions, topics and run go together, and only EQUAL leaves with 0."""
    for topic in document["topics"]:
        below = [one["verdict"] for one in topic["partitions"]]
        if "DIFFERENT" in below or topic["verdict"] == "DIFFERENT":
            assert topic["verdict"] == document["verdict"] == "DIFFERENT"
        elif "INCONCLUSIVE" in below:
            assert topic["verdict"] == document["verdict"] == "INCONCLUSIVE"
        for one in topic["partitions"]:
            if not one["findings_truncated"]:
                assert bool(differences(one)) == (one["verdict"] == "DIFFERENT")
    assert (document["exit_code"] == 0) == (document["verdict"] == "EQUAL")


def _check_ledger(document: Document) -> None:
    """Every planned offset is accounted for exactly once, and an EQUAL leaves none out."""
    totals = {"left": 0, "right": 0}
    compared = 0
    for topic in document["topics"]:
        for one in topic["partitions"]:
            compared += one["compared_records"]
            for side in totals:
                found = one[side]
                if found is None:
                    assert one["verdict"] != "EQUAL"
                    continue
                totals[side] += found["records"]
                gaps = sum(found["gap_offsets"].values())
                sum_of_parts = found["covered_offsets"] + gaps + found["allowed_offsets"] + found["uncovered_offsets"]
                assert sum_of_parts == found["planned"][1] - found["planned"][0], one
                if one["verdict"] == "EQUAL":
                    assert found["uncovered_offsets"] == 0
                    assert found["covered_offsets"] == one["compared_records"]
                    assert found["records"] == found["covered_offsets"] + found["allowed_offsets"]
    assert document["totals"]["left_records"] == totals["left"]
    assert document["totals"]["right_records"] == totals["right"]
    assert document["totals"]["compared_records"] == compared


def fresh(name: str) -> str:
    """A topic name that no other test uses."""
    return f"{name}.{uuid.uuid4().hex[:8]}"


def odd_records(count: int, seed: int) -> list[Record]:
    """Records of which no two are the same, with everything that a record may hold and clients trip over."""
    chance = random.Random(seed)
    names: list[str | bytes] = ["trace", "", "ключ", b"\xff\xfe", "trace"]
    found = []
    for ordinal in range(count):
        # Neighbours change places, so that timestamps go back and forth; each occurs once.
        timestamp = FIRST_TIMESTAMP + (ordinal ^ 1) * 7
        own = b"%d:%s" % (ordinal, chance.randbytes(chance.randrange(60)))
        key = chance.choice([None, b"", b"key-%d" % (ordinal % 17), own])
        value = chance.choice([None, b"", own, own, own + b"\n\0\x1b[31m"])
        headers: list[Header] = [
            (chance.choice(names), chance.choice([None, b"", own, b"1"])) for _ in range(chance.choice([0, 0, 1, 2, 5]))
        ]
        found.append(Record(key, value, headers, timestamp))
    return found


def plain_records(count: int, *, first: int = 0) -> list[Record]:
    """Records a second apart, of which no two are the same."""
    return [
        Record(b"key-%d" % ordinal, b"value-%d" % ordinal, [], FIRST_TIMESTAMP + ordinal * 1000)
        for ordinal in range(first, first + count)
    ]


def compressed_batch(records: Sequence[Record], codec: str) -> bytes:
    """One batch of the records; the broker keeps it as it is."""
    return compress_batch(encode_batch(records), codec)


def load(
    cluster: Cluster,
    topic: str,
    partitions: Mapping[int, Sequence[Record]],
    *,
    sizes: Iterable[int] = (100,),
    codecs: Iterable[str] = ("none",),
) -> None:
    """Fills partitions, with batches whose sizes and codecs take turns."""
    for partition, records in partitions.items():
        size_of, codec_of = cycle(sizes), cycle(codecs)
        batches, at = [], 0
        while at < len(records):
            size = next(size_of)
            batches.append(compressed_batch(records[at : at + size], next(codec_of)))
            at += size
        cluster.produce_batches(topic, partition, batches)


class BatchOnDisk(NamedTuple):
    """The header of a batch as the broker keeps it."""

    base_offset: int
    last_offset_delta: int
    attributes: int
    records: int


def batches_on_disk(cluster: Cluster, topic: str, partition: int = 0) -> list[BatchOnDisk]:
    """The batches of a partition, from the segments that count."""
    found = []
    for segment in sorted((cluster.log_dir / f"{topic}-{partition}").glob("*.log")):
        data, at = segment.read_bytes(), 0
        while at + HEADER.size <= len(data):
            base, length, _, _, _, attributes, delta, *_, count = HEADER.unpack_from(data, at)
            found.append(BatchOnDisk(base, delta, attributes, count))
            at += 12 + length
    return found


def wait_until(condition: Callable[[], bool], complaint: str) -> None:
    """Waits for what a broker does by itself."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def alter_topic(cluster: Cluster, topic: str, **configs: str) -> None:
    """Changes settings of a topic and waits until the broker tells the new ones."""
    wanted = {name.replace("_", "."): value for name, value in configs.items()}
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in wanted.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    cluster.admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)

    def told() -> bool:
        found = cluster.admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        return all(found[name].value == value for name, value in wanted.items())

    wait_until(told, f"{topic} did not take {wanted}")


class GatedProxy(RecordingProxy):
    """A recording proxy that keeps what clients send, and can stop in the middle of what the broker sends.

    After ``hold_after_bytes`` of answers it sets ``held`` and carries nothing back until ``release`` is
    called. What a test does meanwhile happens while the client is reading, however fast either of them is.
    """

    def __init__(self, broker: Broker, *, hold_after_bytes: int | None = None) -> None:
        super().__init__(broker)
        self.held = threading.Event()
        self._open = threading.Event()
        self._closed = threading.Event()
        self._room = hold_after_bytes
        self._slow = False
        self._sent: dict[int, bytearray] = {}

    def release(self) -> None:
        """Lets answers through again."""
        self._room = None
        self._open.set()

    def trickle(self) -> None:
        """Lets answers through again, a little at a time."""
        self._slow = True
        self.release()

    def wait_held(self) -> None:
        """Waits until the client is in the middle of an answer."""
        assert self.held.wait(TIMEOUT_S), "the client never read as far as the gate"

    def bodies(self, api_key: int) -> list[tuple[int, bytes]]:
        """Version and body, from after the length on, of every request with this API key."""
        found = []
        for stream in list(self._sent.values()):
            at = 0
            while at + 8 <= len(stream):
                length, key, version = struct.unpack_from(">ihh", stream, at)
                if key == api_key:
                    found.append((version, bytes(stream[at + 4 : at + 4 + length])))
                at += 4 + length
        return found

    def __exit__(self, *error: object) -> None:
        self._closed.set()
        self.release()
        super().__exit__(*error)

    def _pump(self, source: socket.socket, sink: socket.socket, connection: Connection | None) -> None:
        with source, suppress(OSError):
            while data := source.recv(1 << 16):
                if connection is not None:
                    connection.feed(data)
                    self._sent.setdefault(id(connection), bytearray()).extend(data)
                else:
                    self._pass(len(data))
                    if self._slow:
                        # 3 MB/s at the most.
                        self._closed.wait(0.02)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._sockets.discard(source)

    def _pass(self, size: int) -> None:
        with self._lock:
            if self._room is None:
                return
            self._room -= size
            if self._room > 0:
                return
        self.held.set()
        self._open.wait(TIMEOUT_S)
