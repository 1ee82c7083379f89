"""A check of one topic, held to everything that is true of every report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kcompare.check_model import CheckEffect, Soundness
from kcompare.cli.check_failures import checked_check
from kcompare.engine.check import CheckRequest, check
from kcompare.engine.progress import ProgressBoard
from kcompare.report.check_document import check_document
from kcompare.report.check_text import check_text
from kcompare.report.schemas import load
from kcompare.settings.cluster import ClusterSettings
from tests.support.clusters import HANG_S, STALL_S

if TYPE_CHECKING:
    from kcompare.check_model import CheckFinding, CheckPartition, CheckReport
    from kcompare.model import View

VALIDATOR = Draft202012Validator(load("check"))


def run_check(view: View, **options: Any) -> CheckReport:
    """Checks a view."""
    limit = round(1000 * options.pop("stall_timeout_s", STALL_S))
    settings = ClusterSettings(stall_timeout_ms=limit, request_timeout_ms=limit)
    started = time.monotonic()
    report = check(CheckRequest(view, **{"settings": settings, **options}), board=ProgressBoard())
    assert time.monotonic() - started < HANG_S
    hold_to_rules(report)
    return report


def hold_to_rules(report: CheckReport) -> None:
    """The ledger adds up, nothing unread is SOUND, and verdict, exit code and findings agree."""
    checked_check(report)
    VALIDATOR.validate(check_document(report))
    assert check_text(report).startswith(str(report.verdict))
    allowed = {Soundness.SOUND: {0}, Soundness.DAMAGED: {1, 130}, Soundness.INCONCLUSIVE: {3, 4, 5, 130}}
    assert report.verdict is not None
    assert report.exit_code in allowed[report.verdict]
    effects = {finding.effect for finding in report.findings}
    if not report.findings_truncated:
        assert (CheckEffect.DEFECT in effects) == (report.verdict is Soundness.DAMAGED)
    for topic in report.topics:
        for partition in topic.partitions:
            covered = partition.coverage
            if covered is None:
                assert partition.verdict is not Soundness.SOUND
                continue
            parts = covered.covered_offsets + covered.gap_offsets.total + covered.uncovered_offsets
            assert parts == len(covered.planned)
            assert covered.records == covered.covered_offsets
            if partition.verdict is Soundness.SOUND:
                assert covered.uncovered_offsets == 0


def of_effect(report: CheckReport, effect: CheckEffect) -> list[CheckFinding]:
    """The findings of one effect."""
    return [finding for finding in report.findings if finding.effect is effect]


def defects(report: CheckReport) -> list[tuple[str, int | None, tuple[int, int] | None]]:
    """What is wrong, with partition and offsets."""
    return [
        (one.kind.value, one.partition, (one.offsets.start, one.offsets.stop) if one.offsets else None)
        for one in of_effect(report, CheckEffect.DEFECT)
    ]


def the_partition(report: CheckReport) -> CheckPartition:
    """The partition of a report that has one."""
    (topic,) = report.topics
    (partition,) = topic.partitions
    return partition
