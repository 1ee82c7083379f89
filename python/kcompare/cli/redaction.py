"""The last look at a report before it is rendered: no sentence in it holds a secret, whoever wrote that sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare.settings.secrets import hide

if TYPE_CHECKING:
    from kcompare.check_model import CheckReport
    from kcompare.model import ErrorEntry, Finding, PartitionReport, Report, TailPartition, TailReport, TailView


def without_secrets(report: Report) -> Report:
    """The report with every sentence that brokers, librdkafka or the operating system may have had a part in."""
    topics = tuple(
        replace(
            topic,
            partitions=tuple(_partition(entry) for entry in topic.partitions),
            findings=_findings(topic.findings),
        )
        for topic in report.topics
    )
    options = report.options
    if options is not None:
        options = replace(options, mode_reason=hide(options.mode_reason), fields_reason=hide(options.fields_reason))
    return replace(report, topics=topics, options=options, errors=_errors(report.errors))


def check_without_secrets(report: CheckReport) -> CheckReport:
    """The same for a check."""
    findings = tuple(replace(found, detail=hide(found.detail)) for found in report.findings)
    topics = tuple(replace(topic, compacted_reason=hide(topic.compacted_reason)) for topic in report.topics)
    return replace(report, topics=topics, findings=findings, errors=_errors(report.errors))


def tail_without_secrets(report: TailReport) -> TailReport:
    """The same for the ends of topics. Keys and values of records are data, which ``--show-values`` asks for."""
    return replace(report, views=tuple(_view(view) for view in report.views), errors=_errors(report.errors))


def _partition(entry: PartitionReport) -> PartitionReport:
    warnings = tuple(hide(warning) for warning in entry.warnings)
    return replace(entry, findings=_findings(entry.findings), warnings=warnings)


def _findings(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(replace(found, detail=hide(found.detail)) if found.detail else found for found in findings)


def _errors(errors: tuple[ErrorEntry, ...]) -> tuple[ErrorEntry, ...]:
    return tuple(replace(error, message=hide(error.message)) for error in errors)


def _view(view: TailView) -> TailView:
    return replace(view, partitions=tuple(_tail_partition(entry) for entry in view.partitions))


def _tail_partition(entry: TailPartition) -> TailPartition:
    return entry if entry.error is None else replace(entry, error=hide(entry.error))
