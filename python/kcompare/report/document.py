"""A comparison's report as the document ``kcompare.report/1``: dictionaries, lists, strings and numbers.

Ranges are ``[start, stop]``, half-open. A value that does not apply is null; no key is ever left out, so that
a script may read ``finding["where"]`` of any finding. docs/formats.md describes each key, and the JSON Schema
beside this module holds the documents to it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kcompare.model import Effect
from kcompare.report.sanitize import repair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kcompare.model import (
        ErrorEntry,
        Finding,
        FirstDivergence,
        OffsetRange,
        OptionsReport,
        PartitionReport,
        Report,
        RunInfo,
        SideCoverage,
        TopicReport,
        Totals,
        ViewReport,
    )

SCHEMA = "kcompare.report/1"

Document = dict[str, Any]


def report_document(report: Report) -> Document:
    """The whole report."""
    document = summary_document(report)
    document["topics"] = [
        topic_document(topic) | {"partitions": [partition_document(entry) for entry in topic.partitions]}
        for topic in report.topics
    ]
    return document


def summary_document(report: Report) -> Document:
    """The report without its partitions, in the order in which a reader wants the keys."""
    return {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "left": view_document(report.left),
        "right": view_document(report.right),
        "options": None if report.options is None else _options(report.options),
        "notes": [repair(note) for note in report.notes],
        "topics": [topic_document(topic) for topic in report.topics],
        "totals": _totals(report.totals),
        "errors": error_documents(report.errors),
        "run": run_document(report.run),
    }


def topic_document(topic: TopicReport) -> Document:
    """One pair of topics without its partitions."""
    return {
        "left": repair(topic.left),
        "right": repair(topic.right),
        "verdict": topic.verdict,
        "mode": topic.mode,
        "mode_reason": repair(topic.mode_reason),
        "left_topic_id": topic.left_topic_id,
        "right_topic_id": topic.right_topic_id,
        "findings": [_finding(finding) for finding in ordered(topic.findings)],
    }


def partition_document(partition: PartitionReport) -> Document:
    """One partition with its findings, differences first."""
    return {
        "partition": partition.partition,
        "verdict": partition.verdict,
        "unit": partition.unit,
        "fields": list(partition.fields),
        "left": coverage_document(partition.left),
        "right": coverage_document(partition.right),
        "compared_records": partition.compared_records,
        "offsets": {
            "relation": partition.offsets.relation,
            "shift": partition.offsets.shift,
            "segments": partition.offsets.segments,
        },
        "first_divergence": _divergence(partition.first_divergence),
        "findings": [_finding(finding) for finding in ordered(partition.findings)],
        "findings_total": partition.findings_total,
        "findings_truncated": partition.findings_truncated,
        "warnings": [repair(warning) for warning in partition.warnings],
    }


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Differences first, then by partition, left start, right start and kind; no range sorts first."""
    return sorted(
        findings,
        key=lambda finding: (
            finding.effect is not Effect.DIFFERENCE,
            -1 if finding.partition is None else finding.partition,
            -1 if finding.left is None else finding.left.start,
            -1 if finding.right is None else finding.right.start,
            finding.kind.value,
            # What follows only settles ties, so that the same findings always come in one order.
            finding.effect.value,
            finding.reason or "",
            finding.side or "",
            finding.records,
            finding.detail,
        ),
    )


def error_documents(errors: Iterable[ErrorEntry]) -> list[Document]:
    """Errors in the order in which they were met."""
    return [
        {
            "side": error.side,
            "view": None if error.view is None else repair(error.view),
            "topic": None if error.topic is None else repair(error.topic),
            "partition": error.partition,
            "code": error.code,
            "message": repair(error.message),
            "fatal": error.fatal,
        }
        for error in errors
    ]


def view_document(view: ViewReport) -> Document:
    """A side of a comparison, or the view of a check."""
    return {
        "view": repair(view.view),
        "kind": view.kind,
        "cluster_id": None if view.cluster_id is None else repair(view.cluster_id),
        "topic_id": view.topic_id,
        "data_path": view.data_path,
        "data_path_reason": repair(view.data_path_reason),
        "node_id": view.node_id,
    }


def _options(options: OptionsReport) -> Document:
    return {
        "mode": options.mode,
        "mode_reason": options.mode_reason,
        "fields": list(options.fields),
        "fields_reason": options.fields_reason,
        "left_isolation": options.left_isolation,
        "right_isolation": options.right_isolation,
        "allow_head": options.allow_head,
        "allow_tail": options.allow_tail,
        "allow_gaps": options.allow_gaps,
        "allow_empty": options.allow_empty,
        "left_range": options.left_range,
        "right_range": options.right_range,
        "topics": options.topics,
        "map": list(options.map),
    }


def coverage_document(side: SideCoverage | None) -> Document | None:
    """One side of one partition in the ledger."""
    if side is None:
        return None
    gaps = side.gap_offsets
    return {
        "log_start_offset": side.log_start_offset,
        "high_watermark": side.high_watermark,
        "last_stable_offset": side.last_stable_offset,
        "planned": range_document(side.planned),
        "records": side.records,
        "covered_offsets": side.covered_offsets,
        "gap_offsets": {
            "control": gaps.control,
            "aborted": gaps.aborted,
            "compacted": gaps.compacted,
            "unexplained": gaps.unexplained,
        },
        "allowed_offsets": side.allowed_offsets,
        "uncovered_offsets": side.uncovered_offsets,
        "end_reason": side.end_reason,
        "recovery_point": side.recovery_point,
        "high_watermark_checkpoint": side.high_watermark_checkpoint,
    }


def _finding(finding: Finding) -> Document:
    return {
        "kind": finding.kind,
        "where": finding.where,
        "effect": finding.effect,
        "partition": finding.partition,
        "left": range_document(finding.left),
        "right": range_document(finding.right),
        "records": finding.records,
        "fields": list(finding.fields),
        "side": finding.side,
        "reason": finding.reason,
        "detail": repair(finding.detail),
    }


def _divergence(divergence: FirstDivergence | None) -> Document | None:
    if divergence is None:
        return None
    return {
        "left_offset": divergence.left_offset,
        "right_offset": divergence.right_offset,
        "fields": list(divergence.fields),
    }


def range_document(offsets: OffsetRange | None) -> list[int] | None:
    """Half-open."""
    return None if offsets is None else [offsets.start, offsets.stop]


def _totals(totals: Totals) -> Document:
    return {
        "left_records": totals.left_records,
        "right_records": totals.right_records,
        "compared_records": totals.compared_records,
        "left_bytes": totals.left_bytes,
        "right_bytes": totals.right_bytes,
    }


def run_document(run: RunInfo) -> Document:
    """Everything that may differ between two runs over the same data."""
    return {
        "started": run.started,
        "seconds": _finite(run.seconds),
        "records_per_second": _finite(run.records_per_second),
        "peak_rss_bytes": run.peak_rss_bytes,
        "version": run.version,
        "workers": run.workers,
        "planning_seconds": _finite(run.planning_seconds),
    }


def _finite(value: float) -> float:
    """JSON has neither NaN nor infinity; a rate over no time at all is 0."""
    return value if math.isfinite(value) else 0.0
