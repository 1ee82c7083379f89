"""Leaders that move, restart and die while they are read, on one real cluster of three brokers.

Each comparison is slowed down by its own rate limit, so that little of it is ever asked for at once. The proxy in front
of the leader stops in the middle of its answers until the leader is gone; so the old one has served a part of the
records and the new one serves the rest, however fast anything is here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka import BulkLoad, start_trio
from tests.integration.support import (
    READ_ONLY,
    GatedProxy,
    answer,
    compare,
    divergence,
    finish,
    fresh,
    load,
    plain_records,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.kafka import Pair, Trio
    from tests.integration.support import Answer

LEADER, NEXT = 2, 3
"""Who leads when a test begins, and who can take over; the controller is left alone."""

LOAD = BulkLoad(records=40_000, value_bytes=284, batch_records=200)
TAIL = plain_records(50)
CHANGED = [*TAIL[:20], TAIL[20]._replace(value=b"other"), *TAIL[21:]]
RECORDS = LOAD.records + len(TAIL)
SIDE_BYTES = 2 * LOAD.records * 300

SLOW = ("--rate-limit", "16MB/s")
"""Both sides and both partitions are 48 MB: about three seconds."""

UNDER_WAY = 2 << 20
"""Bytes of the leader's answers after which a run is in the middle."""

BOUNDED_S = 90.0
"""The stall timeout of a minute, and slow reading on a busy machine: what takes longer hangs."""


class Topics(NamedTuple):
    """A topic of two partitions on both clusters: the first is the same, the second differs near its end."""

    name: str
    left: str


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    with start_trio(logs=tmp_path_factory.mktemp("trio-logs")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def topics(kafka: Pair, trio: Trio) -> Topics:
    name = fresh("replicated")
    kafka.left.create_topic(name, 2)
    trio.create_topic(name, [[LEADER, NEXT, 1]] * 2, min_insync_replicas="2")
    for cluster, tails in ((kafka.left, (TAIL, TAIL)), (trio.nodes[LEADER], (TAIL, CHANGED))):
        cluster.bulk_load(name, [0, 1], LOAD)
        load(cluster, name, dict(enumerate(tails)))
    return Topics(name, kafka.left.view(name))


@pytest.fixture
def led(trio: Trio, topics: Topics) -> Iterator[Trio]:
    """The cluster as every test finds it: all brokers run, are in sync, and the same one leads."""
    yield trio
    trio.start()
    for partition in (0, 1):
        trio.wait_in_sync(topics.name, partition)
        trio.move_leader(topics.name, partition, LEADER)


@contextlib.contextmanager
def proxied(trio: Trio) -> Iterator[dict[int, GatedProxy]]:
    """A proxy in front of each broker; that of the leader tells when it is in the middle of its answers."""
    with contextlib.ExitStack() as stack:
        yield {
            number: stack.enter_context(
                GatedProxy(cluster.broker, hold_after_bytes=UNDER_WAY if number == LEADER else None)
            )
            for number, cluster in trio.nodes.items()
        }


def view(proxies: dict[int, GatedProxy], topic: str) -> str:
    return f"kafka://{','.join(proxy.bootstrap for proxy in proxies.values())}/{topic}"


def compare_while(
    proxies: dict[int, GatedProxy],
    topics: Topics,
    happens: Callable[[], None],
    *options: str,
    then: Callable[[], None] | None = None,
) -> Answer:
    """Compares, and lets something happen to the cluster while its leader is in the middle of its answers.

    ``happens`` ends before anything more is read, and ``then`` goes on while the reader tries to.
    """
    process = start("compare", topics.left, view(proxies, topics.name), "--output", "json", *SLOW, *options)
    try:
        proxies[LEADER].wait_held()
        happens()
        proxies[LEADER].release()
        if then is not None:
            then()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return answer(finish(process))


def held_to_the_truth(found: Answer) -> None:
    """Everything was read: one partition is equal, the other differs in the one record that differs."""
    assert found.verdicts == ["EQUAL", "DIFFERENT"], found.why
    assert (found.code, found.verdict) == (1, "DIFFERENT")
    assert found.document["totals"]["compared_records"] == 2 * RECORDS
    place = LOAD.records + 20
    assert found.partition(1)["first_divergence"] == divergence(place, place, "value")
    assert found.document["run"]["seconds"] < BOUNDED_S


def served_by_both(proxies: dict[int, GatedProxy]) -> None:
    """It did happen in the middle: either leader served a good part of the records."""
    served = {number: proxies[number].answered_bytes for number in (LEADER, NEXT)}
    assert min(served.values()) >= UNDER_WAY, served
    assert sum(served.values()) >= SIDE_BYTES
    for proxy in proxies.values():
        assert proxy.api_keys <= set(READ_ONLY), proxy.api_names


def test_a_quiet_cluster_of_three_is_read_from_its_leaders(led: Trio, topics: Topics) -> None:
    with proxied(led) as proxies:
        proxies[LEADER].release()
        found = compare(topics.left, view(proxies, topics.name), "--partitions", "0")
        assert (found.code, found.verdict) == (0, "EQUAL"), found.why
        assert found.document["totals"]["compared_records"] == RECORDS
        assert "Fetch" in proxies[LEADER].api_names
        assert "Fetch" not in proxies[NEXT].api_names | proxies[1].api_names


def test_a_leader_that_moves_while_it_is_read(led: Trio, topics: Topics) -> None:
    def move() -> None:
        for partition in (0, 1):
            led.move_leader(topics.name, partition, NEXT)

    with proxied(led) as proxies:
        held_to_the_truth(compare_while(proxies, topics, move))
        served_by_both(proxies)
        assert "OffsetForLeaderEpoch" in proxies[NEXT].api_names


def test_a_leader_that_moves_and_comes_back(led: Trio, topics: Topics) -> None:
    def move() -> None:
        for node in (NEXT, LEADER):
            for partition in (0, 1):
                led.move_leader(topics.name, partition, node)

    with proxied(led) as proxies:
        held_to_the_truth(compare_while(proxies, topics, move))


def test_librdkafka_cannot_tell_what_a_new_leader_dropped(led: Trio, topics: Topics) -> None:
    """It reads on without a word; what was served in the old epoch may be gone, so nothing is proven."""
    with proxied(led) as proxies:
        found = compare_while(
            proxies,
            topics,
            lambda: led.move_leader(topics.name, 0, NEXT),
            *("--data-path", "consumer", "--partitions", "0"),
        )
    assert (found.code, found.verdict) == (3, "INCONCLUSIVE"), found.why
    assert ("right", "changed_while_reading") in found.unverified
    assert found.partition(0)["first_divergence"] is None
    assert found.document["run"]["seconds"] < BOUNDED_S


def test_a_leader_that_restarts_while_it_is_read(led: Trio, topics: Topics) -> None:
    """It hands over in order and comes back as a follower, before the run has ended or soon after."""
    with proxied(led) as proxies:
        held_to_the_truth(compare_while(proxies, topics, led.nodes[LEADER].stop, then=led.start))
        served_by_both(proxies)


def test_a_leader_that_dies_for_good(led: Trio, topics: Topics) -> None:
    """Two of three replicas are left, as many as have to be in sync: nothing that was acknowledged is lost."""
    with proxied(led) as proxies:
        held_to_the_truth(compare_while(proxies, topics, led.nodes[LEADER].kill))
        served_by_both(proxies)
        assert led.nodes[LEADER].broker.pid is None


def test_a_partition_without_a_replica_left_is_unverified_and_the_others_are_compared(led: Trio, kafka: Pair) -> None:
    """The broker that dies has the only copy of one partition; that of the other one is elsewhere."""
    name = fresh("half-replicated")
    kafka.left.create_topic(name, 2)
    led.create_topic(name, [[NEXT], [LEADER]])
    for cluster, partition in ((kafka.left, 0), (kafka.left, 1), (led.nodes[NEXT], 0), (led.nodes[LEADER], 1)):
        cluster.bulk_load(name, [partition], LOAD)
    with proxied(led) as proxies:
        chosen = Topics(name, kafka.left.view(name))
        found = compare_while(proxies, chosen, led.nodes[LEADER].kill, "--stall-timeout", "4s")
    assert found.verdicts == ["EQUAL", "INCONCLUSIVE"], found.why
    assert (found.code, found.verdict) == (5, "INCONCLUSIVE")
    assert {side for side, _ in found.unverified} == {"right"}
    assert {reason for _, reason in found.unverified} <= {"unreachable", "stalled", "partition_unavailable"}
    lost = found.partition(1)
    assert lost["first_divergence"] is None
    assert lost["right"]["uncovered_offsets"] > 0
    assert found.document["run"]["seconds"] < BOUNDED_S


def test_records_that_an_unclean_leader_dropped_are_never_equal(led: Trio, kafka: Pair) -> None:
    """The follower that lagged is elected while its dead leader is read: what was served is no longer the log."""
    name = fresh("unclean")
    kafka.left.create_topic(name)
    kafka.left.bulk_load(name, [0], LOAD)
    led.create_topic(name, [[LEADER, NEXT]], unclean_leader_election_enable="true")
    led.nodes[LEADER].bulk_load(name, [0], LOAD)
    led.nodes[NEXT].kill()
    led.wait_out_of_sync(name, 0, NEXT)
    for cluster in (kafka.left, led.nodes[LEADER]):
        load(cluster, name, {0: TAIL})

    with proxied(led) as proxies:
        chosen = Topics(name, kafka.left.view(name))
        dies, comes = led.nodes[LEADER].kill, lambda: led.launch(NEXT)
        # The new leader's log ends below the plan, which might be an open transaction for as long as one may take.
        found = compare_while(proxies, chosen, dies, "--settle", "1s", then=comes)
    assert (found.code, found.verdict) == (3, "INCONCLUSIVE"), found.why
    assert ("right", "truncated") in found.unverified
    assert found.partition(0)["first_divergence"] is None
    # Run again, the log is what it is now: shorter.
    again = compare(kafka.left.view(name), f"kafka://{led.nodes[NEXT].bootstrap}/{name}")
    assert (again.code, again.verdict) == (1, "DIFFERENT"), again.why
    assert again.partition(0)["first_divergence"] == divergence(LOAD.records, None)
