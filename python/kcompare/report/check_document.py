"""A check's report as the document ``kcompare.check/1``, by the rules of :mod:`kcompare.report.document`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.report.document import (
    Document,
    coverage_document,
    error_documents,
    range_document,
    run_document,
    view_document,
)
from kcompare.report.sanitize import repair

if TYPE_CHECKING:
    from kcompare.check_model import (
        CheckFinding,
        CheckOptions,
        CheckPartition,
        CheckReport,
        CheckTopic,
        StartReport,
        TimeReport,
    )

SCHEMA = "kcompare.check/1"


def check_document(report: CheckReport) -> Document:
    """The whole report."""
    document = check_summary_document(report)
    document["topics"] = [
        check_topic_document(topic)
        | {"partitions": [check_partition_document(partition) for partition in topic.partitions]}
        for topic in report.topics
    ]
    document["findings"] = [check_finding_document(finding) for finding in report.findings]
    return document


def check_summary_document(report: CheckReport) -> Document:
    """The report without its partitions and findings, in the order in which a reader wants the keys."""
    return {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "view": view_document(report.view),
        "options": None if report.options is None else _options(report.options),
        "notes": [repair(note) for note in report.notes],
        "topics": [check_topic_document(topic) for topic in report.topics],
        "findings": [],
        "findings_total": report.findings_total,
        "findings_truncated": report.findings_truncated,
        "totals": {
            "records": report.totals.records,
            "batches": report.totals.batches,
            "bytes": report.totals.bytes,
        },
        "errors": error_documents(report.errors),
        "run": run_document(report.run),
    }


def check_topic_document(topic: CheckTopic) -> Document:
    """One topic without its partitions."""
    return {
        "topic": repair(topic.topic),
        "verdict": topic.verdict,
        "topic_id": topic.topic_id,
        "compacted": topic.compacted,
        "compacted_reason": repair(topic.compacted_reason),
    }


def check_partition_document(partition: CheckPartition) -> Document:
    """One partition."""
    return {
        "partition": partition.partition,
        "verdict": partition.verdict,
        "coverage": coverage_document(partition.coverage),
        "batches": partition.batches,
        "bytes": partition.bytes,
        "segments": partition.segments,
        "timestamps": _times(partition.times),
        "leader_epochs": [list(epoch) for epoch in partition.leader_epochs],
        "start": None if partition.start is None else _start(partition.start),
        "findings_total": partition.findings_total,
    }


def check_finding_document(finding: CheckFinding) -> Document:
    """One finding."""
    return {
        "kind": finding.kind,
        "effect": finding.effect,
        "topic": None if finding.topic is None else repair(finding.topic),
        "partition": finding.partition,
        "offsets": range_document(finding.offsets),
        "records": finding.records,
        "reason": finding.reason,
        "path": None if finding.path is None else repair(finding.path),
        "detail": repair(finding.detail),
    }


def _options(options: CheckOptions) -> Document:
    return {
        "allow_gaps": options.allow_gaps,
        "allow_empty": options.allow_empty,
        "partitions": None if options.partitions is None else list(options.partitions),
        "topics": options.topics,
    }


def _times(times: TimeReport) -> Document:
    return {
        "first": times.first,
        "last": times.last,
        "smallest": times.smallest,
        "largest": times.largest,
        "steps_back": times.steps_back,
        "largest_step_ms": times.largest_step_ms,
    }


def _start(start: StartReport) -> Document:
    return {
        "refused": None if start.refused is None else repair(start.refused),
        "log_start_offset": start.log_start_offset,
        "log_end_offset": start.log_end_offset,
        "stray": start.stray,
        "discarded_records": start.discarded_records,
        "hidden_records": start.hidden_records,
        "reused": range_document(start.reused),
        "deleted_files": start.deleted_files,
        "recovered_segments": start.recovered_segments,
        "truncated_bytes": start.truncated_bytes,
    }
