"""Reports as JSON Lines: one line a partition, then one line with all the rest, which always comes last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.report.check_document import SCHEMA as CHECK_SCHEMA
from kcompare.report.check_document import (
    check_finding_document,
    check_partition_document,
    check_summary_document,
)
from kcompare.report.document import SCHEMA, partition_document, summary_document
from kcompare.report.json import compact
from kcompare.report.sanitize import repair
from kcompare.report.tail_document import SCHEMA as TAIL_SCHEMA
from kcompare.report.tail_document import tail_document, tail_partition_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.check_model import CheckReport
    from kcompare.model import Report, TailReport


def report_jsonl(report: Report) -> str:
    """Lines of ``"type": "partition"`` and, last, one of ``"type": "summary"``."""
    return "".join(_report_lines(report))


def tail_jsonl(report: TailReport) -> str:
    """Likewise for the ends of topics."""
    return "".join(_tail_lines(report))


def check_jsonl(report: CheckReport) -> str:
    """Lines of ``"type": "partition"`` and ``"type": "finding"`` and, last, one of ``"type": "summary"``."""
    return "".join(_check_lines(report))


def _check_lines(report: CheckReport) -> Iterator[str]:
    for topic in report.topics:
        for partition in topic.partitions:
            front = {"schema": CHECK_SCHEMA, "type": "partition", "topic": repair(topic.topic)}
            yield compact(front | check_partition_document(partition))
    for finding in report.findings:
        yield compact({"schema": CHECK_SCHEMA, "type": "finding"} | check_finding_document(finding))
    summary = check_summary_document(report)
    del summary["findings"]
    yield compact({"schema": summary.pop("schema"), "type": "summary"} | summary)


def _report_lines(report: Report) -> Iterator[str]:
    for topic in report.topics:
        names = {"topic": {"left": repair(topic.left), "right": repair(topic.right)}}
        for partition in topic.partitions:
            yield compact({"schema": SCHEMA, "type": "partition"} | names | partition_document(partition))
    summary = summary_document(report)
    yield compact({"schema": summary.pop("schema"), "type": "summary"} | summary)


def _tail_lines(report: TailReport) -> Iterator[str]:
    for view in report.views:
        for partition in view.partitions:
            yield compact(
                {"schema": TAIL_SCHEMA, "type": "partition", "view": repair(view.view)}
                | tail_partition_document(partition)
            )
    summary = tail_document(report)
    for entry in summary["views"]:
        del entry["partitions"]
    yield compact({"schema": summary.pop("schema"), "type": "summary"} | summary)
