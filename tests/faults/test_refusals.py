"""What a cluster refuses, and clusters that are not there: the exit code tells which."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from kcompare.errors import SameSourceError, TopicNotFoundError, UsageError
from kcompare.model import Mode, Verdict, View
from tests.support.clusters import (
    DESCRIBE_CONFIGS,
    FETCH,
    LIST_OFFSETS,
    METADATA,
    Clusters,
    FakeCluster,
    only,
    partitions,
    reasons,
    run,
)
from tests.support.logs import log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = numbered(60)
TOPIC_AUTHORIZATION_FAILED = 29


@pytest.fixture
def pair(clusters: Clusters) -> Clusters:
    clusters.left.create([log_of(RECORDS), log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS), log_of(RECORDS)])
    return clusters


@pytest.mark.parametrize("api", [FETCH, METADATA, LIST_OFFSETS, DESCRIBE_CONFIGS])
def test_a_missing_permission_is_exit_4(pair: Clusters, side: str, api: int) -> None:
    getattr(pair, side).fault("error_code", api=api, number=TOPIC_AUTHORIZATION_FAILED)
    report = pair.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 4
    assert report.totals.compared_records == 0


def test_a_permission_that_one_partition_lacks_loses_that_partition(pair: Clusters, side: str) -> None:
    getattr(pair, side).fault("error_code", number=TOPIC_AUTHORIZATION_FAILED, topic="t", partition=1)
    report = pair.run()
    assert report.exit_code == 4
    assert [found.verdict for found in partitions(report)] == [Verdict.EQUAL, Verdict.INCONCLUSIVE]


def test_a_difference_outweighs_a_refusal(clusters: Clusters) -> None:
    clusters.left.create([log_of(RECORDS), log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS[:50]), log_of(RECORDS)])
    clusters.left.fault("error_code", number=TOPIC_AUTHORIZATION_FAILED, topic="t", partition=1)
    report = clusters.run()
    assert (report.verdict, report.exit_code) == (Verdict.DIFFERENT, 1)


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port on which nobody listens, and nobody will while the test runs."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_an_unreachable_cluster_is_exit_5(pair: Clusters, dead_port: int, host: str) -> None:
    view = View(f"kafka://{host}:{dead_port}/t", "kafka", "t", ((host, dead_port),))
    report = run(view, pair.right.view())
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 5)
    assert report.errors
    assert host in report.errors[0].message


def test_a_second_bootstrap_server_will_do(pair: Clusters, dead_port: int) -> None:
    view = pair.left.view()
    several = View(view.text, "kafka", "t", (("127.0.0.1", dead_port), *view.bootstrap))
    assert run(several, pair.right.view()).verdict is Verdict.EQUAL


def test_a_listener_that_says_nothing_is_exit_5(pair: Clusters) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        view = View(f"kafka://127.0.0.1:{port}/t", "kafka", "t", (("127.0.0.1", port),))
        assert run(view, pair.right.view()).exit_code == 5


def test_a_topic_that_does_not_exist_is_exit_2_and_is_not_created(pair: Clusters, side: str) -> None:
    views = {"left": pair.left.view(), "right": pair.right.view()}
    cluster: FakeCluster = getattr(pair, side)
    views[side] = cluster.view("typo")
    with pytest.raises(TopicNotFoundError, match="typo"):
        run(views["left"], views["right"])
    assert FETCH not in cluster.broker.requests()
    with pytest.raises(TopicNotFoundError):
        run(views["left"], views["right"])


def test_the_same_topic_twice_is_exit_2_before_any_fetch(pair: Clusters) -> None:
    with pytest.raises(SameSourceError):
        run(pair.left.view(), pair.left.view())
    assert FETCH not in pair.left.broker.requests()


def test_the_same_topic_twice_may_be_asked_for(pair: Clusters) -> None:
    report = run(pair.left.view(), pair.left.view(), allow_same=True)
    assert report.verdict is Verdict.EQUAL


def test_a_restored_cluster_with_the_same_ids_is_compared() -> None:
    with FakeCluster("one") as original, FakeCluster("one") as restored:
        original.create([log_of(RECORDS)], id_=b"0123456789abcdef")
        restored.create([log_of(RECORDS)], id_=b"0123456789abcdef")
        report = run(original.view(), restored.view())
        assert report.verdict is Verdict.EQUAL
        assert "same_lineage" in report.notes


def test_a_partition_that_does_not_exist_is_exit_2(pair: Clusters) -> None:
    with pytest.raises(UsageError, match="partition 7"):
        pair.run(partitions=(0, 7))


def test_chosen_partitions_alone_are_read(pair: Clusters) -> None:
    report = pair.run(partitions=(1,))
    assert report.verdict is Verdict.EQUAL
    assert only(report).partition == 1


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_topic_is_not_compared_as_a_log_in_silence(clusters: Clusters, side: str, policy: str) -> None:
    for name, cluster in (("left", clusters.left), ("right", clusters.right)):
        configs = {"cleanup.policy": policy} if name == side else {}
        cluster.create([log_of(RECORDS)], configs=configs)
    report = clusters.run()
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert reasons(report) == {"mode_not_available"}
    assert report.totals.left_bytes == report.totals.right_bytes == 0
    assert clusters.run(mode=Mode.LOG).verdict is Verdict.EQUAL


@pytest.mark.parametrize("counts", [(1, 2), (2, 1), (3, 1)])
def test_partition_counts_that_differ_are_a_difference(clusters: Clusters, counts: tuple[int, int]) -> None:
    clusters.left.create([log_of(RECORDS)] * counts[0])
    clusters.right.create([log_of(RECORDS)] * counts[1])
    report = clusters.run()
    assert (report.verdict, report.exit_code) == (Verdict.DIFFERENT, 1)
    verdicts = [found.verdict for found in partitions(report)]
    assert verdicts == [Verdict.EQUAL] * min(counts) + [Verdict.DIFFERENT] * abs(counts[0] - counts[1])


@pytest.mark.parametrize(
    "versions",
    [
        *[{FETCH: version} for version in range(4, 14)],
        *[{METADATA: version} for version in range(1, 13)],
        {FETCH: 4, METADATA: 1, LIST_OFFSETS: 1, DESCRIBE_CONFIGS: 1},
    ],
    ids=str,
)
def test_old_brokers_are_read(clusters: Clusters, versions: dict[int, int]) -> None:
    with FakeCluster("old", max_versions=versions) as old:
        old.create([log_of(RECORDS)])
        clusters.right.create([log_of(RECORDS)])
        report = run(old.view(), clusters.right.view())
        supported = versions.get(FETCH, 99) >= 4 and versions.get(METADATA, 99) >= 1
        if supported and report.verdict is not Verdict.EQUAL:
            # A version that kcompare does not speak is named, and nothing is claimed.
            assert report.verdict is Verdict.INCONCLUSIVE
            assert any("version" in error.message.lower() for error in report.errors), report.errors
        else:
            assert only(report).compared_records == len(RECORDS)
