"""Read-only on the wire, one document on stdout, the same answer twice: what every run promises."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer

from tests.integration.kafka import Broker, Cluster
from tests.integration.support import (
    READ_ONLY,
    GatedProxy,
    compare,
    fresh,
    load,
    odd_records,
    plain_records,
    run,
    tail,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.kafka import Pair

FETCH, METADATA = 1, 3


@pytest.fixture(scope="module")
def tempting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A fresh cluster that creates every topic that it is asked about, as brokers do by default."""
    properties = {"auto.create.topics.enable": "true"}
    folder = tmp_path_factory.mktemp("tempting")
    cluster = Cluster(Broker(folder, "tempting", properties=properties, heap="512m"))
    cluster.start()
    yield cluster
    cluster.kill()


def topics(cluster: Cluster) -> set[str]:
    """Every topic that has a folder: what clients are not told is there too."""
    return {each.name.rpartition("-")[0] for each in cluster.log_dir.glob("*-[0-9]*") if each.is_dir()}


def auto_create(body: bytes, version: int) -> bool:
    """Whether a Metadata request lets the broker create topics, told from its end.

    References:
        https://kafka.apache.org/protocol.html#The_Messages_Metadata
    """
    flexible, cluster_operations, topic_operations = version >= 9, 8 <= version <= 10, version >= 8
    behind = flexible + cluster_operations + topic_operations
    flag = body[-1 - behind]
    assert flag in {0, 1}
    return bool(flag)


def held_to_read_only(proxy: GatedProxy) -> None:
    assert {"ApiVersions", "Metadata", "ListOffsets", "Fetch"} <= proxy.api_names
    assert proxy.api_keys <= set(READ_ONLY), proxy.api_names
    requests = proxy.bodies(METADATA)
    assert requests
    for version, body in requests:
        assert version >= 4, "before that a broker always creates what it is asked about"
        assert not auto_create(body, version)


def test_only_reading_requests_and_nothing_is_left_behind(tempting: Cluster, kafka: Pair) -> None:
    topic = fresh("promises")
    same, other = odd_records(500, seed=5), odd_records(500, seed=6)
    for cluster, records in ((tempting, other), (kafka.right, same)):
        cluster.create_topic(topic, 2)
        load(cluster, topic, {0: records, 1: same}, sizes=[33])
    before = topics(tempting)
    assert topic in before
    with GatedProxy(tempting.broker) as proxy:
        found = compare(proxy.view(topic), kafka.right.view(topic), "--allow-tail", "both")
        assert (found.code, found.verdicts) == (1, ["DIFFERENT", "EQUAL"])
        held_to_read_only(proxy)
    with GatedProxy(tempting.broker) as proxy:
        assert tail(proxy.view(topic), kafka.right.view(topic), "--show-values").code == 0
        held_to_read_only(proxy)
    assert topics(tempting) == before
    assert "__consumer_offsets" not in before


def fetched(version: int, body: bytes) -> tuple[tuple[int, int, int], list[int]]:
    """Session id, session epoch and number of topics of a Fetch request, and the offset that it asks of each partition.

    References:
        https://kafka.apache.org/protocol.html#The_Messages_Fetch
    """
    assert 15 <= version <= 17, "before that a replica id stands in front"
    (name_size,) = struct.unpack_from(">h", body, 8)
    # Behind the client id the header's tagged fields, of which there are none.
    at = 10 + max(0, name_size)
    assert body[at] == 0
    _, _, _, _, session, epoch, topics = struct.unpack_from(">iiibiiB", body, at + 1)
    # Compact arrays: one more than there are. The topic's id stands before its partitions.
    at += 1 + 22 + 16
    offsets = [struct.unpack_from(">iiqiqiB", body, at + 1 + 33 * number)[2] for number in range(body[at] - 1)]
    return (session, epoch, topics - 1), offsets


def test_each_fetch_is_without_a_session_and_reads_one_partition(kafka: Pair, topic_name: str) -> None:
    """Of several partitions that are tiered a broker serves only the first one."""
    count = 100
    for cluster in kafka:
        cluster.create_topic(topic_name, 5)
        load(cluster, topic_name, dict.fromkeys(range(5), plain_records(count)))
    with GatedProxy(kafka.left.broker) as proxy:
        assert compare(proxy.view(topic_name), kafka.right.view(topic_name)).code == 0
        asked = [fetched(version, body) for version, body in proxy.bodies(FETCH)]
    assert {about for about, _ in asked} == {(0, -1, 1)}
    # Where the logs end is asked of all at once; nothing lies there that could be stored remotely.
    reading = [offsets for _, offsets in asked if set(offsets) != {count}]
    assert len(reading) >= 5
    assert all(len(offsets) == 1 for offsets in reading)


def test_a_typo_creates_no_topic(tempting: Cluster, kafka: Pair) -> None:
    topic, typo = fresh("there"), fresh("not-there")
    kafka.right.create_topic(topic)
    before = topics(tempting)
    with GatedProxy(tempting.broker) as proxy:
        assert compare(proxy.view(typo), kafka.right.view(topic)).code == 2
        assert tail(proxy.view(typo)).code == 2
        assert proxy.api_keys <= set(READ_ONLY), proxy.api_names
        assert all(not auto_create(body, version) for version, body in proxy.bodies(METADATA))
    known = set(tempting.admin.list_topics(timeout=30).topics)
    assert typo not in known | topics(tempting)
    assert "__consumer_offsets" not in known
    assert topics(tempting) == before


@pytest.mark.parametrize("allowed", [False, True], ids=["off", "on"])
def test_another_client_is_caught_at_it(tempting: Cluster, allowed: bool) -> None:  # noqa: FBT001
    """What the two tests above look for is there when a client does it.

    It comes after them, since it leaves the offsets topic of consumer groups behind.
    """
    typo = fresh("created")
    with GatedProxy(tempting.broker) as proxy:
        settings = {"bootstrap.servers": proxy.bootstrap, "allow.auto.create.topics": allowed, "group.id": "x"}
        consumer = Consumer(settings)
        consumer.list_topics(typo, timeout=30)
        consumer.close()
        flags = {auto_create(body, version) for version, body in proxy.bodies(METADATA)}
        assert not proxy.api_keys <= set(READ_ONLY)
    assert (True in flags) == allowed
    if allowed:
        wait_until(lambda: typo in topics(tempting), "the cluster does not create topics, so it is no temptation")


def test_the_same_data_give_the_same_report(kafka: Pair, topic_name: str) -> None:
    for cluster, seed in zip(kafka, (1, 2), strict=True):
        cluster.create_topic(topic_name, 3)
        load(cluster, topic_name, {0: odd_records(300, seed), 1: plain_records(300), 2: plain_records(seed)})
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    documents = [compare(*views, "--workers", workers).document for workers in ("1", "2", "7")]
    for document in documents:
        assert document.pop("run")["workers"] in {1, 2, 7}
    assert documents[0] == documents[1] == documents[2]


def test_stdout_holds_one_document_and_files_hold_the_same(kafka: Pair, topic_name: str, tmp_path: Path) -> None:
    for cluster in kafka:
        cluster.create_topic(topic_name, 2)
        load(cluster, topic_name, {0: plain_records(20), 1: plain_records(20)})
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    exports = [f"--export={name}={tmp_path / name}" for name in ("json", "jsonl", "text")]
    ended = run("compare", *views, "--output", "json", *exports)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.endswith("}\n")
    assert json.loads(ended.stdout) == json.loads((tmp_path / "json").read_text())
    assert (tmp_path / "text").read_text().startswith("EQUAL: ")
    lines = run("compare", *views, "--output", "jsonl").stdout.splitlines()
    assert len(lines) == len((tmp_path / "jsonl").read_text().splitlines())
    assert all(isinstance(json.loads(line), dict) for line in lines)
    # The same for a run that compares nothing: `run` asserts on what stderr gets.
    failed = run("compare", views[0], "kafka://nowhere.invalid/x y", "--output", "json", *exports)
    assert failed.code == 2
    assert json.loads(failed.stdout) == json.loads((tmp_path / "json").read_text())


def test_a_reader_that_goes_away_changes_nothing(kafka: Pair, topic_name: str) -> None:
    import subprocess
    import sys

    for cluster in kafka:
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: plain_records(20)})
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    command = f'"$0" -m kcompare compare {" ".join(views)} | head -c 1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "E", "")


def test_records_stay_inert_in_every_output(kafka: Pair, topic_name: str) -> None:
    hostile = b"\x1b[2J\x1b]0;x\x07</script>\r\n=1+1"
    for cluster, suffix in zip(kafka, (b"", b"!"), strict=True):
        cluster.create_topic(topic_name)
        records = [each._replace(key=hostile, value=hostile + suffix) for each in plain_records(5)]
        load(cluster, topic_name, {0: records})
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    for output in ("text", "json", "jsonl"):
        ended = run("compare", *views, "--output", output)
        assert ended.code == 1
        assert not set(ended.stdout) & set(map(chr, [*range(9), *range(11, 32), 127]))
