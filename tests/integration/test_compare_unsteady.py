"""Brokers and topics that change while they are read, and Ctrl-C: each at a known place in the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka import Broker, BulkLoad, Cluster
from tests.integration.support import (
    GatedProxy,
    answer,
    finish,
    fresh,
    interrupted_after,
    load,
    plain_records,
    start,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.integration.kafka import Pair

# Enough that neither the client's first requests nor the sockets on the way can hold all of it, in two slices.
LOAD = BulkLoad(records=100_000, value_bytes=400, batch_records=500)
HELD_AFTER = 4 << 20


class Long(NamedTuple):
    """A topic of 45 MB that is the same on both sides."""

    topic: str
    left: str
    right: str


@pytest.fixture(scope="module")
def long(kafka: Pair) -> Long:
    topic = fresh("long")
    for cluster in kafka:
        cluster.create_topic(topic)
        cluster.bulk_load(topic, [0], LOAD)
    return Long(topic, kafka.left.view(topic), kafka.right.view(topic))


@pytest.fixture
def gate(kafka: Pair) -> Iterator[GatedProxy]:
    """In front of the right cluster, closing in the middle of a topic."""
    with GatedProxy(kafka.right.broker, hold_after_bytes=HELD_AFTER) as proxy:
        yield proxy


def start_compare(left: str, right: str, *options: str) -> subprocess.Popen[str]:
    return start("compare", left, right, "--output", "json", *options)


def test_an_open_gate_changes_nothing(long: Long, gate: GatedProxy) -> None:
    process = start_compare(long.left, gate.view(long.topic))
    gate.wait_held()
    assert process.poll() is None
    gate.release()
    found = answer(finish(process))
    assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    assert found.document["totals"]["compared_records"] == LOAD.records


def test_ctrl_c_while_a_broker_is_silent(long: Long, gate: GatedProxy) -> None:
    process = start_compare(long.left, gate.view(long.topic))
    gate.wait_held()
    seconds = interrupted_after(process)
    found = answer(finish(process))
    assert (found.code, found.verdict) == (130, "INCONCLUSIVE"), found.why
    assert seconds < 2, f"it took {seconds:.2f} s"
    assert ("right", "interrupted") in found.unverified
    assert found.partition(0)["right"]["uncovered_offsets"] > 0
    print(f"ended {seconds:.3f} s after the signal")  # noqa: T201 - shown by pytest -rP


def test_ctrl_c_while_records_arrive(long: Long, gate: GatedProxy) -> None:
    process = start_compare(long.left, gate.view(long.topic))
    gate.wait_held()
    gate.trickle()
    seconds = interrupted_after(process)
    found = answer(finish(process))
    assert (found.code, found.verdict) == (130, "INCONCLUSIVE"), found.why
    assert seconds < 2, f"it took {seconds:.2f} s"
    print(f"ended {seconds:.3f} s after the signal")  # noqa: T201 - shown by pytest -rP


def test_ctrl_c_does_not_hide_a_difference(kafka: Pair) -> None:
    topic = fresh("interrupted")
    kafka.left.create_topic(topic, 2)
    kafka.right.create_topic(topic, 2)
    other = [plain_records(10), plain_records(10)]
    other[1][4] = other[1][4]._replace(key=b"other")
    for cluster, records in zip(kafka, other, strict=True):
        load(cluster, topic, {0: records})
        cluster.bulk_load(topic, [1], LOAD)
    with GatedProxy(kafka.right.broker, hold_after_bytes=HELD_AFTER) as proxy:
        # One worker reads the short partition first.
        process = start_compare(kafka.left.view(topic), proxy.view(topic), "--workers", "1")
        proxy.wait_held()
        interrupted_after(process)
    found = answer(finish(process))
    assert (found.code, found.verdict) == (130, "DIFFERENT"), found.why
    assert found.verdicts == ["DIFFERENT", "INCONCLUSIVE"]


def test_a_stalled_broker_is_given_up(long: Long, gate: GatedProxy) -> None:
    options = ("--stall-timeout", "2s", "--request-timeout", "1s")
    process = start_compare(long.left, gate.view(long.topic), *options)
    gate.wait_held()
    found = answer(finish(process))
    assert (found.code, found.verdict) == (5, "INCONCLUSIVE"), found.why
    assert found.document["run"]["seconds"] < 30
    assert {reason for side, reason in found.unverified if side == "right"} <= {"stalled", "unreachable"}
    assert {error["side"] for error in found.document["errors"]} == {"right"}


def test_a_topic_that_is_recreated_while_it_is_read(kafka: Pair, long: Long) -> None:
    topic = fresh("recreated")
    kafka.right.create_topic(topic)
    kafka.right.bulk_load(topic, [0], LOAD)
    with GatedProxy(kafka.right.broker, hold_after_bytes=HELD_AFTER) as proxy:
        process = start_compare(long.left, proxy.view(topic))
        proxy.wait_held()
        kafka.right.delete_topic(topic)
        kafka.right.create_topic(topic)
        # The very same records at the same offsets: only the topic's id tells.
        kafka.right.bulk_load(topic, [0], LOAD)
        proxy.release()
        found = answer(finish(process))
    assert (found.code, found.verdict) == (3, "INCONCLUSIVE"), found.why
    assert ("right", "topic_recreated") in found.unverified
    assert found.document["totals"]["compared_records"] == 0


def test_retention_that_passes_the_reader(kafka: Pair, long: Long) -> None:
    topic = fresh("retention")
    kafka.right.create_topic(topic)
    kafka.right.bulk_load(topic, [0], LOAD)
    with GatedProxy(kafka.right.broker, hold_after_bytes=HELD_AFTER) as proxy:
        process = start_compare(long.left, proxy.view(topic), "--workers", "1", "--budget", "4MiB")
        proxy.wait_held()
        kafka.right.delete_records(topic, 0, LOAD.records - 10)
        proxy.release()
        found = answer(finish(process))
    assert (found.code, found.verdict) == (3, "INCONCLUSIVE"), found.why
    assert ("right", "lost_to_retention") in found.unverified
    one = found.partition(0)
    assert one["right"]["planned"] == [0, LOAD.records]
    assert one["first_divergence"] is None


def test_records_that_arrive_while_it_is_read_are_outside_the_plan(kafka: Pair, long: Long) -> None:
    topic = fresh("growing")
    kafka.right.create_topic(topic)
    kafka.right.bulk_load(topic, [0], LOAD)
    with GatedProxy(kafka.right.broker, hold_after_bytes=HELD_AFTER) as proxy:
        process = start_compare(long.left, proxy.view(topic))
        proxy.wait_held()
        load(kafka.right, topic, {0: plain_records(50)})
        proxy.release()
        found = answer(finish(process))
    assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    assert found.partition(0)["right"]["planned"] == [0, LOAD.records]


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory, long: Long) -> Iterator[Cluster]:
    """A cluster of its own that may be killed, with the long topic; it starts after that was loaded."""
    cluster = Cluster(Broker(tmp_path_factory.mktemp("spare"), "spare", heap="512m"))
    cluster.start()
    cluster.create_topic(long.topic)
    cluster.bulk_load(long.topic, [0], LOAD)
    yield cluster
    cluster.kill()


def test_a_broker_that_restarts_while_it_is_read(long: Long, spare: Cluster) -> None:
    with GatedProxy(spare.broker, hold_after_bytes=HELD_AFTER) as proxy:
        # One worker has one connection, which is held while the broker is away.
        patient = ("--stall-timeout", "150s", "--request-timeout", "120s", "--workers", "1")
        process = start_compare(long.left, proxy.view(long.topic), *patient)
        proxy.wait_held()
        spare.kill()
        spare.start()
        proxy.release()
        found = answer(finish(process))
    assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    assert found.document["totals"]["compared_records"] == LOAD.records
    # The broker came back as leader of a new epoch, and what it served before was asked about.
    assert "OffsetForLeaderEpoch" in proxy.api_names


def test_a_broker_that_is_killed_while_it_is_read(long: Long, spare: Cluster) -> None:
    with GatedProxy(spare.broker, hold_after_bytes=HELD_AFTER) as proxy:
        process = start_compare(long.left, proxy.view(long.topic), "--stall-timeout", "3s")
        proxy.wait_held()
        spare.kill()
        proxy.release()
        found = answer(finish(process))
    assert (found.code, found.verdict) == (5, "INCONCLUSIVE"), found.why
    one = found.partition(0)
    assert one["right"]["uncovered_offsets"] > 0
    assert one["first_divergence"] is None
    assert {side for side, _ in found.unverified} == {"right"}
    assert {error["side"] for error in found.document["errors"]} == {"right"}
    assert found.document["run"]["seconds"] < 60
