"""A stopped broker's directory, served: every client gets what the broker itself gave."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from confluent_kafka import TopicPartition

from tests.integration.kafka import Broker, Cluster, Record
from tests.integration.kafka.child import java
from tests.integration.support import compare, run
from tests.support.serving import assigned, consumer, served, subscribed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOPIC, TRANSACTIONS = "served", "served-transactions"
PARTITIONS = 3
COUNT = 500
"""Records of each codec in the first partition; the others have two and three times as many."""
TIMEOUT_S = 120.0
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
KCAT = shutil.which("kcat")


def records(count: int) -> list[Record]:
    """Records with null, empty and long keys and values, headers that repeat and headers without a value."""
    return [
        Record(
            key=(None, b"", b"key-%d" % number, b"k" * 500)[number % 4],
            value=(b"value %d" % number, b"", None, b"v" * 3000)[number % 11 % 4],
            headers=[("h", b"%d" % number), ("h", None), ("e", b"")][: number % 4],
            timestamp=1_700_000_000_000 + number * 997,
        )
        for number in range(count)
    ]


def console(bootstrap: str) -> list[str]:
    """Kafka's own console consumer from the beginning, with everything that it can show, in order of partition."""
    shown = ("print.key", "print.headers", "print.timestamp", "print.partition", "print.offset")
    command = java(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", bootstrap, "--topic", TOPIC, "--from-beginning", "--timeout-ms", "10000"),
        *(part for name in shown for part in ("--formatter-property", f"{name}=true")),
        heap="256m",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert "Processed a total of" in done.stderr, done.stderr
    return sorted(done.stdout.splitlines())


def kcat(bootstrap: str) -> list[str]:
    """Reads with kcat from the beginning to the ends, as JSON."""
    assert KCAT is not None
    command = [KCAT, "-b", bootstrap, "-C", "-t", TOPIC, "-o", "beginning", "-e", "-q", "-J"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    # Which broker a record came from is no part of it.
    return sorted(json.dumps({**json.loads(line), "broker": None}) for line in done.stdout.splitlines())


def by_time(bootstrap: str) -> list[int]:
    """Offsets of a few moments in every partition."""
    reader = consumer(bootstrap)
    try:
        return [
            found.offset
            for moment in (0, 1_700_000_000_000 + 997 * 100 + 1, 1_800_000_000_000)
            for found in reader.offsets_for_times(
                [TopicPartition(TOPIC, number, moment) for number in range(PARTITIONS)], timeout=TIMEOUT_S
            )
        ]
    finally:
        reader.close()


def ends(bootstrap: str) -> list[Any]:
    """Starts and ends of all partitions under both isolation levels."""
    found: list[Any] = []
    for isolation in ("read_committed", "read_uncommitted"):
        reader = consumer(bootstrap, **{"isolation.level": isolation})
        found += [reader.get_watermark_offsets(TopicPartition(TRANSACTIONS, 0), timeout=TIMEOUT_S)]
        found += [
            reader.get_watermark_offsets(TopicPartition(TOPIC, number), timeout=TIMEOUT_S)
            for number in range(PARTITIONS)
        ]
        reader.close()
    return found


READERS: dict[str, Callable[[str], list[Any]]] = {
    "assign": lambda bootstrap: assigned(bootstrap, TOPIC, [0, 5, 250]),
    "subscribe": lambda bootstrap: subscribed(bootstrap, TOPIC, PARTITIONS),
    "committed": lambda bootstrap: assigned(bootstrap, TRANSACTIONS, [0]),
    "uncommitted": lambda bootstrap: assigned(bootstrap, TRANSACTIONS, [0], **{"isolation.level": "read_uncommitted"}),
    "by time": by_time,
    "ends": ends,
    "console consumer": console,
    **({"kcat": kcat} if KCAT else {}),
}


class Stopped(NamedTuple):
    """The directory of a broker that was stopped, and what each reader got while it ran."""

    directory: Path
    given: dict[str, list[Any]]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopped]:
    folder = tmp_path_factory.mktemp("served")
    cluster = Cluster(Broker(folder / "broker", "served"))
    try:
        cluster.start()
        # Small segments, so that fetches go over the ends of files.
        cluster.create_topic(TOPIC, PARTITIONS, segment_bytes=1 << 20)
        for number in range(PARTITIONS):
            for codec in CODECS:
                settings = {"compression.type": codec, "linger.ms": 20}
                cluster.produce(TOPIC, number, records(COUNT * (number + 1)), settings)
        cluster.create_topic(TRANSACTIONS)
        for outcome in ("commit", "abort", "commit", "abort", "open"):
            settings = {"transactional.id": uuid.uuid4().hex, "transaction.timeout.ms": 600_000}
            cluster.produce(TRANSACTIONS, 0, records(20), settings, outcome=outcome)
        given = {name: reader(cluster.bootstrap) for name, reader in READERS.items()}
        cluster.stop()
        yield Stopped(cluster.log_dir, given)
    finally:
        cluster.kill()


@pytest.fixture(scope="module")
def address(stopped: Stopped) -> Iterator[str]:
    before = footprint(stopped.directory)
    with served(f"logdir:{stopped.directory}/") as running:
        yield running.address
    assert footprint(stopped.directory) == before


def footprint(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Modification time, size and content of every file."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size, path.read_bytes()) for path in found}


@pytest.mark.parametrize("name", READERS)
def test_every_client_gets_what_the_broker_gave(name: str, stopped: Stopped, address: str) -> None:
    given = stopped.given[name]
    assert given
    assert READERS[name](address) == given


def test_as_many_records_came_as_were_written(stopped: Stopped) -> None:
    counts = {name: len(found) for name, found in stopped.given.items()}
    total = sum(COUNT * (number + 1) * len(CODECS) for number in range(PARTITIONS))
    assert counts["subscribe"] == counts["console consumer"] == counts.get("kcat", total) == total
    assert counts["assign"] == total - 255
    # The open transaction is above the last stable offset.
    assert (counts["committed"], counts["uncommitted"]) == (40, 100)


def test_the_wire_tells_what_the_disk_tells(stopped: Stopped, address: str) -> None:
    for topic, code in ((TOPIC, 0), (TRANSACTIONS, 3)):
        wire, disk = f"kafka://{address}/{topic}", f"logdir:{stopped.directory}/{topic}"
        # A broker that has never cleaned a log has no cleaner's checkpoint, so that nothing is known of cleanup.policy.
        options = ("--settle", "1s", "--mode", "log", "--fields", "key,value,headers,timestamp,offset")
        answer = compare(wire, disk, *options)
        assert answer.code == code, answer.why
        for one in answer.partitions:
            assert one["left"]["records"] == one["right"]["records"]
            assert one["left"]["planned"] == one["right"]["planned"]
        if code:
            assert {reason for _, reason in answer.unverified} == {"open_transaction"}
        tails = [
            json.loads(run("tail", view, "--isolation", "read_uncommitted", "--output", "json").stdout)["views"][0]
            for view in (wire, disk)
        ]
        assert tails[0]["partitions"] == tails[1]["partitions"]
        assert all(one["records"] for one in tails[0]["partitions"])
