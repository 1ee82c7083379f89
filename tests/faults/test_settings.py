"""Settings of a side on their way through a run: what reads it, what the report says of that, and never less TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcompare.engine.tail import TailRequest, tail
from kcompare.model import DataPath, Verdict
from kcompare.settings.properties import cluster_settings
from tests.support.clusters import run
from tests.support.logs import log_of, numbered

if TYPE_CHECKING:
    from kcompare.model import View
    from kcompare.settings.cluster import ClusterSettings
    from tests.support.clusters import Clusters

UNVERIFIED = ("security.protocol=SSL", "enable.ssl.certificate.verification=false")


def settings(*entries: str) -> ClusterSettings:
    return cluster_settings("-L", entries, None, None, request_timeout_ms=1_000, stall_timeout_ms=1_000)


def views(clusters: Clusters) -> tuple[View, View]:
    return clusters.left.create([log_of(numbered(9))]), clusters.right.create([log_of(numbered(9))])


def test_each_side_has_its_own_settings(clusters: Clusters) -> None:
    asked = cluster_settings("-R", (), None, DataPath.NATIVE, request_timeout_ms=1_000, stall_timeout_ms=1_000)
    report = run(*views(clusters), left_settings=settings("client.id=audit", "client.rack=r"), right_settings=asked)
    assert report.verdict is Verdict.EQUAL
    assert (report.left.data_path, report.right.data_path) == (DataPath.NATIVE, DataPath.NATIVE)
    assert report.left.data_path_reason == "auto: no property needs librdkafka"
    assert report.right.data_path_reason == "--data-path native"
    assert report.notes == ()


def test_a_side_that_asks_for_tls_is_never_read_without(clusters: Clusters, side: str) -> None:
    left, right = views(clusters)
    options: dict[str, Any] = {f"{side}_settings": settings(*UNVERIFIED)}
    report = run(left, right, **options)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [error.side for error in report.errors] == [side]
    view = report.left if side == "left" else report.right
    assert (view.data_path, view.data_path_reason) == (
        DataPath.CONSUMER,
        "auto: security.protocol SSL needs librdkafka",
    )
    assert report.notes == (f"{side}_tls_unverified", f"{side}_headers_as_delivered")
    broker = (clusters.left if side == "left" else clusters.right).broker
    assert not broker.requests()


def test_a_tail_has_the_settings_of_each_view(clusters: Clusters) -> None:
    both = views(clusters)
    report = tail(TailRequest(both, settings=(settings("client.id=audit"), settings(*UNVERIFIED))))
    first, second = report.views
    assert (first.data_path, first.notes, len(first.partitions[0].records)) == (DataPath.NATIVE, (), 9)
    assert (second.data_path, second.notes, second.partitions) == (DataPath.CONSUMER, ("tls_unverified",), ())
    assert [error.view for error in report.errors] == [both[1].text]
    assert not clusters.right.broker.requests()
    assert tail(TailRequest(both)).errors == ()
