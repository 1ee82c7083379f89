"""The fixtures are what they claim to be: everything that is tested with them rests on this."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from tests.integration.kafka import Batch, BulkLoad, Cluster, Connection, Header, Pair, Record, encode_batch

if TYPE_CHECKING:
    from tests.integration.conftest import Proxies

RECORDS = [
    Record(b"key", b"value", [("h", b"1"), ("h", None), ("", b"")], 1_000),
    Record(None, b"", [], 999),
    Record(b"", None, [("h", b"2")], 1_700_000_000_123),
    *(Record(b"k%d" % i, b"v" * (i % 50), [], 1_700_000_000_000 + i) for i in range(2_000)),
]


def read_back(
    bootstrap: str, topic: str, *, stop: int, isolation: str = "read_committed", partition: int = 0
) -> list[tuple[int, Record]]:
    """Returns (offset, record) of everything below `stop`, as librdkafka delivers it."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "fixture",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "check.crcs": True,
            "auto.offset.reset": "error",
        }
    )
    found: list[tuple[int, Record]] = []
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if (error := message.error()) is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                return found
            headers = cast("list[Header]", message.headers() or [])
            record = Record(message.key(), message.value(), headers, message.timestamp()[1])
            found.append((message.offset() or 0, record))
        raise AssertionError(f"no end of {topic} below {stop} in 60 s")
    finally:
        consumer.close()


def batch_headers(cluster: Cluster, topic: str) -> list[tuple[int, int]]:
    """Returns (attributes & 7, records) of every batch on disk."""
    data = b"".join(path.read_bytes() for path in sorted((cluster.log_dir / f"{topic}-0").glob("*.log")))
    found, at = [], 0
    while at + 61 <= len(data):
        size = 12 + int.from_bytes(data[at + 8 : at + 12])
        if size == 12:
            break
        found.append((int.from_bytes(data[at + 21 : at + 23]) & 7, int.from_bytes(data[at + 57 : at + 61])))
        at += size
    return found


def test_two_codecs_and_batch_sizes_hold_the_same_records(kafka: Pair, topic_name: str) -> None:
    settings = (
        {"compression.type": "zstd", "batch.num.messages": 500, "linger.ms": 50},
        {"compression.type": "none", "batch.num.messages": 7, "linger.ms": 5, "enable.idempotence": True},
    )
    shapes = []
    for cluster, setting in zip(kafka, settings, strict=True):
        cluster.create_topic(topic_name, partitions=2)
        cluster.produce(topic_name, 0, RECORDS, setting)
        assert cluster.offsets(topic_name, 0) == (0, len(RECORDS))
        assert cluster.offsets(topic_name, 1) == (0, 0)
        expected = [(i, r._replace(headers=list(r.headers))) for i, r in enumerate(RECORDS)]
        assert read_back(cluster.bootstrap, topic_name, stop=len(RECORDS)) == expected
        shapes.append(batch_headers(cluster, topic_name))
    left, right = shapes
    assert {codec for codec, _ in left} == {4}
    assert {codec for codec, _ in right} == {0}
    assert max(count for _, count in right) == 7 < max(count for _, count in left)
    assert sum(count for _, count in left) == sum(count for _, count in right) == len(RECORDS)


def test_aborted_and_open_transactions(kafka: Pair, topic_name: str) -> None:
    topic = kafka.left.create_topic(topic_name)
    for outcome in ("commit", "abort", "commit", "open"):
        record = Record(outcome.encode(), b"", [], 1_700_000_000_000)
        kafka.left.produce(topic, 0, [record] * 3, {"transactional.id": f"{topic}-{outcome}"}, outcome=outcome)
    # Three records and a marker for each, no marker for the open one.
    assert kafka.left.offsets(topic, 0) == (0, 15)
    committed = [(offset, record.key) for offset, record in read_back(kafka.left.bootstrap, topic, stop=15)]
    assert committed == [(offset, b"commit") for offset in (0, 1, 2, 8, 9, 10)]
    every = read_back(kafka.left.bootstrap, topic, stop=15, isolation="read_uncommitted")
    assert [offset for offset, _ in every] == [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]


def test_raw_batches_arrive_as_written(kafka: Pair, topic_name: str) -> None:
    topic = kafka.left.create_topic(topic_name)
    odd = [Record(b"k", None, [(b"\xff\xfe", b"")], 0), Record(None, b"v", [], -1), Record(b"", b"", [], 7)]
    batches = [encode_batch(odd), encode_batch(odd, Batch(leader_epoch=9))]
    assert kafka.left.produce_batches(topic, 0, batches) == [0, 3]
    data = next((kafka.left.log_dir / f"{topic}-0").glob("*.log")).read_bytes()
    # The broker writes base offset and leader epoch; everything from the CRC on is the test's own.
    assert data[17 : len(batches[0])] == batches[0][17:]
    with pytest.raises(ValueError, match="timestamp 0"):
        kafka.left.produce(topic, 0, odd)


def test_bulk_loads_of_two_batch_sizes_are_the_same_records(kafka: Pair, topic_name: str) -> None:
    loads = [BulkLoad(records=70_001, batch_records=size) for size in (9_000, 333)]
    found = []
    for cluster, load in zip(kafka, loads, strict=True):
        cluster.create_topic(topic_name)
        cluster.bulk_load(topic_name, [0], load)
        assert {count for _, count in batch_headers(cluster, topic_name)} >= {load.batch_records}
        found.append(read_back(cluster.bootstrap, topic_name, stop=load.records))
    assert found[0] == found[1]
    assert [offset for offset, _ in found[0]] == list(range(70_001))
    assert len({record.key for _, record in found[0]}) == 70_001
    assert [record.timestamp - loads[0].first_timestamp for _, record in found[0]] == list(range(70_001))
    assert {len(record.key or b"") + len(record.value or b"") for _, record in found[0]} == {100}


def test_delete_records_moves_the_log_start(kafka: Pair, topic_name: str) -> None:
    kafka.right.create_topic(topic_name)
    kafka.right.produce(topic_name, 0, RECORDS)
    kafka.right.delete_records(topic_name, 0, 100)
    assert kafka.right.offsets(topic_name, 0) == (100, len(RECORDS))


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_data_survive_a_restart(kafka: Pair, topic_name: str, end: str) -> None:
    cluster = kafka.right
    cluster.create_topic(topic_name)
    cluster.produce(topic_name, 0, RECORDS)
    getattr(cluster, end)()
    try:
        assert cluster.broker.pid is None
        assert (cluster.log_dir / ".kafka_cleanshutdown").exists() == (end == "stop")
        assert sum(count for _, count in batch_headers(cluster, topic_name)) == len(RECORDS)
    finally:
        cluster.start()
    assert cluster.offsets(topic_name, 0) == (0, len(RECORDS))


def test_the_proxy_sees_every_request(kafka: Pair, recording_proxy: Proxies, topic_name: str) -> None:
    kafka.left.create_topic(topic_name)
    kafka.left.produce(topic_name, 0, RECORDS)
    # Nothing that went to the other listener is recorded.
    assert recording_proxy.left.connections == []
    found = read_back(recording_proxy.left.bootstrap, topic_name, stop=len(RECORDS))
    assert len(found) == len(RECORDS)
    # As traps of the consumer path go: librdkafka looks for a group coordinator whether it commits or not.
    assert {"ApiVersions", "Metadata", "Fetch"} <= recording_proxy.left.api_names
    assert "Produce" not in recording_proxy.left.api_names
    assert recording_proxy.right.connections == []


@pytest.mark.parametrize("step", [1, 3, 11, 1000])
def test_requests_are_told_apart_wherever_the_stream_is_cut(step: int) -> None:
    requests = [(18, 4, b""), (1, 13, b"x" * 50), (3, 12, b"yy")]
    stream = b"".join(
        (8 + len(rest)).to_bytes(4) + key.to_bytes(2) + version.to_bytes(2) + bytes(4) + rest
        for key, version, rest in requests
    )
    connection = Connection()
    for at in range(0, len(stream), step):
        connection.feed(stream[at : at + step])
    assert dict(connection.requests) == {(key, version): 1 for key, version, _ in requests}


def test_a_broker_does_not_outlive_a_killed_run(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tests.integration.kafka import Broker
broker = Broker(Path({str(tmp_path)!r}), "orphan")
broker.launch()
print(broker.pid, flush=True)
import time
time.sleep(120)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert _alive(pid)
        run.send_signal(signal.SIGKILL)
        run.wait(10)
    deadline = time.monotonic() + 20
    while _alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended and that nobody has waited for yet is not alive.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
