"""Brokers of this process that serve model logs, and the comparison of two of their topics."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from kcompare import _native
from kcompare.engine.compare import CompareRequest, compare
from kcompare.engine.progress import ProgressBoard
from kcompare.model import Effect, Verdict, View
from kcompare.settings.cluster import ClusterSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.model import Finding, FindingKind, PartitionReport, Report
    from tests.support.logs import Log

FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, LEADER_EPOCHS, DESCRIBE_CONFIGS = 1, 2, 3, 18, 23, 32

READ_ONLY_APIS = {FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, LEADER_EPOCHS, DESCRIBE_CONFIGS}
"""Everything that a comparison may ask for."""

STALL_S = 1.0
HANG_S = 30.0
"""Far beyond any stall timeout here: what takes longer hangs, whatever else the machine is doing."""

_numbers = itertools.count(1)


def topic_id() -> bytes:
    """Another id at every call."""
    return next(_numbers).to_bytes(16, "big")


class FakeCluster:
    """One broker, or several that share a store, under one cluster id."""

    def __init__(
        self,
        cluster_id: str = "cluster",
        *,
        max_versions: dict[int, int] | None = None,
        store: _native.MemoryStore | None = None,
        node_id: int = 1,
    ) -> None:
        self.store = store or _native.MemoryStore()
        self.node_id = node_id
        self.broker = _native.Broker(
            store=self.store,
            cluster_id=cluster_id,
            node_id=node_id,
            listen="127.0.0.1:0",
            max_versions=max_versions or {},
        )
        self.topic_ids: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.stop()

    def create(
        self, logs: Sequence[Log], *, topic: str = "t", configs: dict[str, str] | None = None, id_: bytes | None = None
    ) -> View:
        """Creates a topic of these partitions and gives its view."""
        self.topic_ids[topic] = id_ or topic_id()
        self.store.create_topic(name=topic, topic_id=self.topic_ids[topic], partitions=len(logs), configs=configs or {})
        for partition, log in enumerate(logs):
            log.store(self.store, topic, partition)
        return self.view(topic)

    def view(self, topic: str = "t") -> View:
        """The view of a topic here."""
        port = self.broker.port
        return View(f"kafka://127.0.0.1:{port}/{topic}", "kafka", topic, (("127.0.0.1", port),))

    def fault(self, action: str, *, api: int = FETCH, **filters: Any) -> int:
        """Scripts a fault of every request of an API, or of those that ``filters`` name."""
        return self.broker.add_fault(api_key=api, action=action, **filters)


@dataclass(frozen=True)
class Clusters:
    """The two sides of a comparison."""

    left: FakeCluster
    right: FakeCluster

    def compare(self, left: Sequence[Log], right: Sequence[Log], **options: Any) -> Report:
        """Creates a topic of its own on either side, compares the two and deletes them again."""
        topic = f"t{next(_numbers)}"
        views = self.left.create(left, topic=topic), self.right.create(right, topic=topic)
        try:
            return run(*views, **options)
        finally:
            for side in (self.left, self.right):
                side.store.delete_topic(name=topic)

    def run(self, topic: str = "t", **options: Any) -> Report:
        """Compares the topic of that name on both sides."""
        return run(self.left.view(topic), self.right.view(topic), **options)


def run(left: View, right: View, *, hang_s: float = HANG_S, **options: Any) -> Report:
    """Compares two views and holds the report to everything that is true of every report."""
    settings = ClusterSettings(
        stall_timeout_ms=round(options.pop("stall_timeout_s", STALL_S) * 1000), request_timeout_ms=round(STALL_S * 1000)
    )
    defaults: dict[str, Any] = {"left_settings": settings, "right_settings": settings, "settle_s": 0.2}
    started = time.monotonic()
    report = compare(CompareRequest(left, right, **{**defaults, **options}), board=ProgressBoard())
    seconds = time.monotonic() - started
    assert seconds < hang_s, f"the comparison took {seconds:.1f} s"
    check_report(report)
    return report


def partitions(report: Report) -> list[PartitionReport]:
    """Every partition of the report."""
    return [found for topic in report.topics for found in topic.partitions]


def only(report: Report) -> PartitionReport:
    """The partition of a report that has one."""
    (found,) = partitions(report)
    return found


def findings(report: Report, effect: Effect | None = None) -> list[Finding]:
    """All findings of partitions, or those of one effect."""
    return [
        finding
        for partition in partitions(report)
        for finding in partition.findings
        if effect is None or finding.effect is effect
    ]


def differences(report: Report) -> list[FindingKind]:
    """The kinds of the findings that are differences, in the order of the report."""
    return [finding.kind for finding in findings(report, Effect.DIFFERENCE)]


def reasons(report: Report) -> set[str]:
    """The reason words of everything unverified."""
    return {finding.reason.value for finding in findings(report, Effect.UNVERIFIED) if finding.reason}


def check_report(report: Report) -> None:
    """The ledger adds up, no EQUAL lacks its proof, and verdicts and exit codes agree with the findings."""
    for found in partitions(report):
        for side in (found.left, found.right):
            if side is None:
                continue
            parts = side.covered_offsets + side.gap_offsets.total + side.allowed_offsets + side.uncovered_offsets
            assert parts == len(side.planned), f"the ledger of partition {found.partition} does not add up: {side}"
            assert side.records == side.covered_offsets + side.allowed_offsets
        effects = {finding.effect for finding in found.findings}
        if not found.findings_truncated:
            assert (found.verdict is Verdict.DIFFERENT) == (Effect.DIFFERENCE in effects)
        if Effect.DIFFERENCE not in effects:
            assert found.first_divergence is None
        if found.verdict is Verdict.EQUAL:
            assert effects <= {Effect.ALLOWED, Effect.EXPLAINED}
            assert found.left is not None
            assert found.right is not None
            assert found.left.uncovered_offsets == found.right.uncovered_offsets == 0
            assert found.left.covered_offsets == found.right.covered_offsets == found.compared_records
    allowed_codes = {
        Verdict.EQUAL: {0},
        Verdict.DIFFERENT: {1, 130},
        Verdict.INCONCLUSIVE: {3, 4, 5, 130},
    }
    assert report.verdict is not None
    assert report.exit_code in allowed_codes[report.verdict]
    verdicts = {found.verdict for found in partitions(report)}
    if report.verdict is Verdict.EQUAL:
        assert verdicts == {Verdict.EQUAL}
    assert (report.verdict is Verdict.DIFFERENT) == (Verdict.DIFFERENT in verdicts)
