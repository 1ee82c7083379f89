"""Reports as JSON Lines: one line a partition, then one line with all the rest, which always comes last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.report.document import SCHEMA, partition_document, summary_document
from kcompare.report.json import compact
from kcompare.report.sanitize import repair
from kcompare.report.tail_document import SCHEMA as TAIL_SCHEMA
from kcompare.report.tail_document import tail_document, tail_partition_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.model import Report, TailReport


def report_jsonl(report: Report) -> str:
    """Lines of ``"type": "partition"`` and, last, one of ``"type": "summary"``."""
    return "".join(_report_lines(report))


def tail_jsonl(report: TailReport) -> str:
    """Likewise for the ends of topics."""
    return "".join(_tail_lines(report))


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
