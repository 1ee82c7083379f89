"""``kcompare serve`` as a process over log directories, with the clients that people have."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from kcompare import _native
from kcompare.engine.demo_files import Side, write
from tests.support.serving import (
    QUIET,
    TIMEOUT_S,
    TOPIC,
    assigned,
    consumer,
    directory,
    drain,
    numbered,
    served,
    subscribed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.serving import Message

COUNTS = (2_500, 1_000, 0, 1)
KCAT = [path] if (path := shutil.which("kcat")) else []


def messages(first: int = 0) -> list[Message]:
    """What a consumer has to give."""
    return [
        (number, offset, (1, timestamp), key, value, [(name.decode(), data) for name, data in headers] or None)
        for number, count in enumerate(COUNTS)
        for offset, timestamp, key, value, headers in numbered(count)
        if offset >= first
    ]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshot") / "data"
    return directory(folder, *(numbered(count) for count in COUNTS), codec="zstd")


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    before = footprint(root)
    with served(f"logdir:{root}/") as running:
        yield running.address
    assert footprint(root) == before


def footprint(root: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


def kcompare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kcompare", *arguments], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_a_consumer_that_assigns_reads_every_byte(address: str, isolation: str) -> None:
    assert assigned(address, TOPIC, [0] * 4, **{"isolation.level": isolation}) == messages()


def test_a_consumer_that_assigns_begins_where_it_says(address: str) -> None:
    assert assigned(address, TOPIC, [777, 777, 0, 0]) == [found for found in messages(777) if found[0] < 2] + [
        found for found in messages() if found[0] == 3
    ]


@pytest.mark.parametrize("commits", ["false", "true"])
def test_a_consumer_that_subscribes_reads_from_the_beginning(address: str, commits: str) -> None:
    assert subscribed(address, TOPIC, 4, **{"enable.auto.commit": commits, "auto.commit.interval.ms": 100}) == (
        messages()
    )


def test_small_fetches_get_on(address: str) -> None:
    limits = {"fetch.message.max.bytes": 1, "fetch.max.bytes": 1000, "message.max.bytes": 1000, "check.crcs": True}
    assert assigned(address, TOPIC, [0] * 4, **limits) == messages()


@pytest.mark.parametrize("program", KCAT)
def test_kcat_reads_from_the_beginning(address: str, program: str) -> None:
    command = [program, "-b", address, "-C", "-t", TOPIC, "-o", "beginning", "-e", "-q", "-J"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    told = sorted((one["partition"], one["offset"], one["ts"], one["key"], one["payload"]) for one in found)
    expected = [
        (number, offset, at, None if key is None else key.decode(), None if value is None else value.decode())
        for number, offset, (_, at), key, value, _ in messages()
    ]
    # kcat tells null from empty keys, and neither is sorted before the other.
    assert {str(one) for one in told} == {str(one) for one in expected}
    assert len(told) == len(expected)


def test_offsets_by_time_and_what_is_known(address: str) -> None:
    admin = AdminClient({"bootstrap.servers": address, **QUIET})
    reader = consumer(address)
    at = [TopicPartition(TOPIC, number, 1_700_000_000_000 + 500_500) for number in (0, 1, 3)]
    assert [found.offset for found in reader.offsets_for_times(at, timeout=30)] == [501, 501, -1]
    assert reader.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30) == (0, 2_500)
    reader.close()
    listed = admin.list_topics(timeout=30)
    assert (str(listed.cluster_id), list(listed.brokers), listed.controller_id) == ("served", [7], 7)
    assert sorted(listed.topics[TOPIC].partitions) == [0, 1, 2, 3]
    cluster = admin.describe_cluster().result(30)
    assert (cluster.cluster_id, cluster.controller.id) == ("served", 7)
    resource = ConfigResource(ResourceType.TOPIC, TOPIC)
    configs = admin.describe_configs([resource])[resource].result(30)
    assert {name: entry.value for name, entry in configs.items()} == {"cleanup.policy": "delete"}


def test_the_wire_tells_what_the_disk_tells(address: str, root: Path) -> None:
    wire, disk = f"kafka://{address}/{TOPIC}", f"logdir:{root}/{TOPIC}"
    done = kcompare("compare", wire, disk, "--fields", "key,value,headers,timestamp,offset", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert [one["compared_records"] for one in document["topics"][0]["partitions"]] == list(COUNTS)
    tails = [json.loads(kcompare("tail", view, "--output", "json").stdout)["views"][0] for view in (wire, disk)]
    assert tails[0]["partitions"] == tails[1]["partitions"]


def test_nothing_can_be_written(address: str) -> None:
    refused: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": address, "message.timeout.ms": 10_000, **QUIET})
    producer.produce(TOPIC, b"new", on_delivery=lambda error, _: refused.append(error))
    assert producer.flush(30) == 0
    assert [error and error.code() for error in refused] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    idempotent = Producer({"bootstrap.servers": address, "enable.idempotence": True, **QUIET})
    idempotent.produce(TOPIC, b"new")
    with pytest.raises((KafkaException, SystemError)) as fatal:
        idempotent.flush(30)
    assert "CLUSTER_AUTHORIZATION_FAILED" in repr(fatal.value) + repr(fatal.value.__cause__)
    transactional = Producer({"bootstrap.servers": address, "transactional.id": "t", **QUIET})
    with pytest.raises(KafkaException) as told:
        transactional.init_transactions(10)
    assert told.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    admin = AdminClient({"bootstrap.servers": address, **QUIET})
    with pytest.raises(KafkaException):
        admin.create_topics([NewTopic("new", 1, 1)], operation_timeout=5)["new"].result(30)
    assert "typo" not in admin.list_topics(timeout=30).topics
    reader = consumer(address)
    reader.subscribe([TOPIC])
    drain(reader, 4)
    with pytest.raises(KafkaException) as told:
        reader.commit(asynchronous=False)
    assert told.value.args[0].code() in {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._NO_OFFSET}
    reader.close()


def test_a_group_has_one_member_at_a_time(address: str) -> None:
    first, second = (consumer(address, **{"group.id": "one"}) for _ in range(2))
    first.subscribe([TOPIC])
    assert len(drain(first, 4)) == sum(COUNTS)
    second.subscribe([TOPIC])
    told = _error(second)
    assert told.code() == KafkaError.GROUP_MAX_SIZE_REACHED
    second.close()
    first.close()
    assert subscribed(address, TOPIC, 4, **{"group.id": "one"}) == messages()


def _error(reader: Consumer) -> KafkaError:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        message = reader.poll(1)
        if message is not None and (error := message.error()) is not None:
            return error
    raise AssertionError("no error came")


def test_a_missing_segment_is_an_error_at_its_first_offset(tmp_path: Path) -> None:
    root = directory(tmp_path / "data", numbered(4_000), lost=[(0, 1_000)])
    with served(f"logdir:{root}/{TOPIC}") as running:
        reader = consumer(running.address)
        reader.assign([TopicPartition(TOPIC, 0, 990)])
        last = None
        while last is None or last < 999:
            message = reader.poll(1)
            if message is not None:
                assert message.error() is None
                last = message.offset()
        told = _error(reader)
        assert told.code() == KafkaError._BAD_MSG or told.code() == KafkaError.INVALID_MSG
        reader.seek(TopicPartition(TOPIC, 0, 2_000))
        # What was fetched before the seek is gone, and the records go on behind the hole.
        deadline = time.monotonic() + TIMEOUT_S
        while (message := reader.poll(1)) is None or message.error() is not None:
            assert time.monotonic() < deadline
        assert message.offset() == 2_000
        reader.close()
        done = kcompare("compare", f"kafka://{running.address}/{TOPIC}", f"logdir:{root}/{TOPIC}", "--output", "json")
    assert done.returncode == 3
    found = json.loads(done.stdout)["topics"][0]["partitions"][0]
    assert found["verdict"] == "INCONCLUSIVE"
    assert found["right"]["uncovered_offsets"] == 1_000


@pytest.mark.parametrize(("isolation", "seen"), [("read_committed", 10), ("read_uncommitted", 15)])
def test_a_transaction_whose_marker_is_lost_is_no_records_to_read_committed(
    tmp_path: Path, isolation: str, seen: int
) -> None:
    """Whether it was aborted stood in the segment that is gone."""
    plain, unsure, after = numbered(10), numbered(5, first=10), numbered(5, first=2_000)
    logs = [
        (0, _native.encode_batch(base_offset=0, records=plain)),
        (10, _native.encode_batch(base_offset=10, records=unsure, producer_id=7, transactional=True)),
        (1_000, _native.encode_marker(offset=1_000, timestamp=1, producer_id=7, committed=False)),
        (2_000, _native.encode_batch(base_offset=2_000, records=after)),
    ]
    stops = (2_005,)
    write(Side(tmp_path / "data", TOPIC, "served", 7, (logs,), stops, stops, stops, lost=((0, 1_000),)))
    with served(f"logdir:{tmp_path}/data/") as running:
        reader = consumer(running.address, **{"isolation.level": isolation})
        reader.assign([TopicPartition(TOPIC, 0, 0)])
        found, told, deadline = [], None, time.monotonic() + TIMEOUT_S
        while told is None and time.monotonic() < deadline:
            message = reader.poll(1)
            if message is not None:
                told = message.error()
                found += [message.offset()] if told is None else []
        reader.close()
    assert found == list(range(seen))
    assert told is not None
    assert told.code() == KafkaError.INVALID_MSG


def test_it_says_where_each_log_ends_and_what_is_lost(tmp_path: Path) -> None:
    root = directory(tmp_path / "data", numbered(4_000), numbered(5), lost=[(0, 1_000)])
    last = root / f"{TOPIC}-1" / f"{0:020}.log"
    last.write_bytes(last.read_bytes()[:-1])
    (root / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    with served(f"logdir:{root}/") as running:
        shown = running.shown
    assert f"Serving logdir:{root}/\non 127.0.0.1:" in shown
    assert "read-only (cluster served, node 7)." in shown
    assert "  blogs  2 partitions, ends: 0 at 4000 (whole); 1 at 0 (last batch cut off)\n" in shown
    assert "  blogs-0 [1000, 2000) missing_segment: " in shown
    assert "Everybody who can connect" not in shown


@pytest.mark.parametrize(
    ("view", "options", "said"),
    [
        ("kafka://127.0.0.1:9/blogs", (), "is a cluster already"),
        ("logdir:{root}/none", (), "has no partition of a topic 'none'; they hold blogs"),
        ("logdir:{root}/blogs-0/", (), "blogs-0"),
        ("logdir:{root}/nowhere/", (), "nowhere"),
        ("logdir:{root}/", ("--listen", "9092"), "'9092' is no address and port"),
        ("logdir:{root}/", ("--listen", "example.org:9092"), "has no IP address to listen on"),
        ("logdir:{root}/", ("--listen", "127.0.0.1:99999"), "has no port from 0 to 65535"),
        ("logdir:{root}/", ("--listen", "192.0.2.1:0"), "cannot be listened on"),
    ],
)
def test_mistakes_are_one_sentence(root: Path, view: str, options: tuple[str, ...], said: str) -> None:
    done = kcompare("serve", view.format(root=root), *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_a_mistake(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = kcompare("serve", f"logdir:{root}/", "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
    assert "choose another with --listen HOST:PORT" in done.stderr


def test_it_listens_everywhere_only_when_told_to(root: Path) -> None:
    with served(f"logdir:{root}/", "--listen", "0.0.0.0:0") as running:
        _, _, port = running.address.rpartition(":")
        # Clients are told the address that they came to, and no 0.0.0.0.
        assert len(assigned(f"127.0.0.1:{port}", TOPIC, [0] * 4)) == sum(COUNTS)
    assert "Everybody who can connect to it reads everything: there is no TLS and no login.\n" in running.shown


def test_a_directory_that_cannot_be_read_is_no_topic_without_it(tmp_path: Path) -> None:
    root = directory(tmp_path / "data", numbered(5), numbered(5))
    segment = root / f"{TOPIC}-1" / f"{0:020}.log"
    segment.unlink()
    segment.symlink_to(root / "gone")
    done = kcompare("serve", f"logdir:{root}/")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "partition 1" in done.stderr
    assert "would look complete" in done.stderr


def test_many_connections_hold_few_files(root: Path) -> None:
    with served(f"logdir:{root}/") as running:
        readers: list[Any] = [consumer(running.address) for _ in range(20)]
        for reader in readers:
            reader.assign([TopicPartition(TOPIC, number, 0) for number in range(4)])
        for reader in readers:
            drain(reader, 4)
        held = [str(link.readlink()) for link in Path(f"/proc/{running.pid}/fd").iterdir()]
        assert sum(name.endswith(".log") for name in held) <= 6, "one for each segment, however many read it"
        for reader in readers:
            reader.close()
