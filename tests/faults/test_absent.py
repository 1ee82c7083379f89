"""Brokers that go away: for how long a run waits for them, and that it goes on when they are back."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from kcompare import _native
from kcompare.model import Verdict
from tests.support.clusters import FETCH, only, reasons
from tests.support.hooks import Hooks, install
from tests.support.logs import log_of, numbered

if TYPE_CHECKING:
    from kcompare.model import View
    from tests.support.clusters import Clusters, FakeCluster

RECORDS = numbered(200)
STALL_S = 4.0
"""Long enough for a run that waits for it twice to be told from one that waits once."""


@pytest.mark.parametrize(
    ("action", "options"), [("close", {}), ("stall", {}), ("empty", {}), ("error_code", {"number": 6})]
)
def test_several_slices_in_a_row_wait_once_for_the_same_broker(
    clusters: Clusters, side: str, action: str, options: dict[str, int]
) -> None:
    clusters.left.create([log_of(RECORDS)] * 4)
    clusters.right.create([log_of(RECORDS)] * 4)
    faulty: FakeCluster = getattr(clusters, side)
    faulty.fault(action, skip=1, **options)
    report = clusters.run(stall_timeout_s=STALL_S, request_timeout_s=STALL_S, workers=1)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 5
    assert report.run.seconds < STALL_S + 5


def test_a_leader_that_moves_late_is_followed(clusters: Clusters, side: str) -> None:
    """Later than a fixed number of tries with back-off would last."""
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS, batch=17)])
    faulty: FakeCluster = getattr(clusters, side)
    fault = faulty.fault("error_code", number=6, api=FETCH, skip=1, times=9)
    report = clusters.run(stall_timeout_s=60.0)
    assert report.verdict is Verdict.EQUAL, report
    assert faulty.broker.fault_count(fault=fault) == 9


def test_a_broker_that_restarts_while_it_is_read_changes_nothing(
    clusters: Clusters, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS, batch=17)])
    cluster: FakeCluster = getattr(clusters, side)
    port = cluster.broker.port
    back: list[threading.Thread] = []

    def start() -> None:
        time.sleep(1.0)
        cluster.broker = _native.Broker(
            store=cluster.store, cluster_id=side, node_id=1, listen=f"127.0.0.1:{port}", max_versions={}
        )

    def stop(view: View, _: object) -> None:
        if view.bootstrap[0][1] == port and not back:
            back.append(threading.Thread(target=start))
            cluster.broker.stop()
            back[0].start()

    install(monkeypatch, Hooks(before_read=stop))
    report = clusters.run(stall_timeout_s=20.0)
    back[0].join()
    assert report.verdict is Verdict.EQUAL, (report, reasons(report))
    assert only(report).compared_records == len(RECORDS)
