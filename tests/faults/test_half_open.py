"""Sockets whose other end is gone without a word: whatever was under way, the run ends and proves nothing false."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from kcompare.model import Verdict, View
from tests.support.clusters import (
    API_VERSIONS,
    FETCH,
    LIST_OFFSETS,
    METADATA,
    STALL_S,
    FakeCluster,
    only,
    partitions,
    reasons,
    run,
)
from tests.support.half_open import HalfOpenProxy, How, swallowing_port
from tests.support.hooks import Hooks, install
from tests.support.logs import log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.clusters import Clusters

RECORDS = numbered(200)
HOWS = get_args(How)
BEHIND = 2
"""The node id of the leader, which is reached through the proxy alone."""


class Lossy:
    """One side of a comparison: its leader can be lost, and the broker beside it goes on telling who leads."""

    def __init__(self, clusters: Clusters, side: str, proxy: HalfOpenProxy) -> None:
        self.proxy = proxy
        self.front: FakeCluster = getattr(clusters, side)
        self.views = clusters.left.create([log_of(RECORDS)]), clusters.right.create([log_of(RECORDS, batch=17)])


@pytest.fixture
def lossy(clusters: Clusters, side: str) -> Iterator[Lossy]:
    front: FakeCluster = getattr(clusters, side)
    with (
        FakeCluster(side, store=front.store, node_id=BEHIND) as leader,
        HalfOpenProxy(leader.broker.port) as proxy,
    ):
        found = Lossy(clusters, side, proxy)
        front.store.set_leader(topic="t", partition=0, node_id=BEHIND)
        front.broker.set_peers(peers=[(BEHIND, "127.0.0.1", proxy.port)])
        leader.broker.set_peers(peers=[(1, "127.0.0.1", front.broker.port)])
        yield found


def test_a_leader_behind_the_proxy_is_read_through_it(lossy: Lossy) -> None:
    assert run(*lossy.views).verdict is Verdict.EQUAL
    assert lossy.front.broker.requests().get(FETCH, 0) == 0


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("api", "skip"),
    [(API_VERSIONS, 0), (LIST_OFFSETS, 0), (FETCH, 0), (FETCH, 1)],
    ids=["handshake", "bounds", "end", "records"],
)
def test_a_leader_that_is_lost_is_given_up(lossy: Lossy, how: How, api: int, skip: int) -> None:
    lossy.proxy.lose(how, api, skip=skip)
    report = run(*lossy.views)
    assert lossy.proxy.lost == 1
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 5), report
    assert reasons(report) <= {"stalled", "unreachable", "partition_unavailable"}
    assert report.run.seconds < STALL_S + 5
    assert all(found.first_divergence is None for found in partitions(report))


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("api", [LIST_OFFSETS, FETCH])
def test_a_leader_that_is_lost_before_the_check_proves_nothing(
    lossy: Lossy, how: How, api: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All records were read, and nobody says that they are still there."""
    port = lossy.front.broker.port

    def lose(view: View) -> None:
        if view.bootstrap[0][1] == port:
            lossy.proxy.lose(how, api)

    install(monkeypatch, Hooks(before_check=lose))
    report = run(*lossy.views)
    assert lossy.proxy.lost == 1
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 5), report
    assert reasons(report) <= {"stalled", "unreachable", "partition_unavailable"}
    assert report.run.seconds < STALL_S + 5


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(("api", "skip"), [(LIST_OFFSETS, 0), (FETCH, 0), (FETCH, 1)], ids=["bounds", "end", "records"])
def test_one_lost_connection_is_replaced(lossy: Lossy, how: How, api: int, skip: int) -> None:
    """The request timeout tells, well before the stall timeout does."""
    lossy.proxy.lose(how, api, skip=skip, once=True)
    report = run(*lossy.views, stall_timeout_s=20.0, request_timeout_s=STALL_S)
    assert lossy.proxy.lost == 1
    assert (report.verdict, report.exit_code) == (Verdict.EQUAL, 0), report
    assert only(report).compared_records == len(RECORDS)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("api", [API_VERSIONS, METADATA])
def test_a_bootstrap_server_that_is_lost_is_unreachable(clusters: Clusters, how: How, api: int) -> None:
    right = clusters.right.create([log_of(RECORDS)])
    clusters.left.create([log_of(RECORDS)])
    with HalfOpenProxy(clusters.left.broker.port) as proxy:
        proxy.lose(how, api)
        report = run(View(f"kafka://127.0.0.1:{proxy.port}/t", "kafka", "t", (("127.0.0.1", proxy.port),)), right)
        assert proxy.lost == 1
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 5), report
    assert report.run.seconds < STALL_S + 5


def test_a_host_that_answers_no_connection_is_unreachable(clusters: Clusters) -> None:
    right = clusters.right.create([log_of(RECORDS)])
    with swallowing_port() as port:
        report = run(View(f"kafka://127.0.0.1:{port}/t", "kafka", "t", (("127.0.0.1", port),)), right)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 5), report
    assert report.run.seconds < STALL_S + 5
