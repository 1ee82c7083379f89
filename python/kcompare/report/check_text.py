"""A check as one screen: the verdict first, then a row a partition, and what was found by what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.check_model import CheckEffect, Soundness
from kcompare.report.colour import paint
from kcompare.report.layout import counted, first_lines, listed, number, seconds, size, table
from kcompare.report.sanitize import sanitize
from kcompare.report.sentence import error_line, interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.check_model import CheckFinding, CheckPartition, CheckReport, CheckTopic, StartReport

SHOWN_PARTITIONS = 24
"""Rows of the table of a topic; those that are not SOUND are shown first."""

SHOWN_TOPICS = 10
SHOWN_LINES = 20
"""Lines of each list."""

_MORE = "--output json lists every one"
_HEADER = ("partition", "verdict", "offsets", "records", "batches", "segments", "ends by", "after a start")
_LEFT_ALIGNED = (1, 2, 6, 7)
_TITLES = {
    CheckEffect.DEFECT: "defects",
    CheckEffect.UNVERIFIED: "not checked",
    CheckEffect.EXPLAINED: "explained",
    CheckEffect.INFORMATION: "worth knowing",
}


def check_text(report: CheckReport, *, colour: bool = False) -> str:
    """The whole report. Every line but for its colour passes the sanitizer here, whatever it is made of."""
    blocks = [[_sentence(report)], _header(report), *_tables(report)]
    for effect, title in _TITLES.items():
        lines = [_told(report, finding) for finding in report.findings if finding.effect is effect]
        if lines:
            blocks.append([title, *(f"  {line}" for line in first_lines(lines, SHOWN_LINES, _MORE))])
    if report.findings_truncated:
        left_out = report.findings_total - len(report.findings)
        blocks[-1].append(f"  {counted(left_out, 'finding')} more than --max-findings keeps")
    errors = [error_line(error) for error in report.errors]
    if errors:
        blocks.append(first_lines(errors, SHOWN_LINES, _MORE))
    blocks.append(_totals(report))
    blocks = [[sanitize(line) for line in block] for block in blocks if block]
    if colour:
        blocks[0][0] = _painted(blocks[0][0], report.verdict)
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def check_line(report: CheckReport, *, colour: bool = False) -> str:
    """The first line alone, for ``--quiet``."""
    line = sanitize(_sentence(report))
    return (_painted(line, report.verdict) if colour else line) + "\n"


def _painted(line: str, verdict: Soundness | None) -> str:
    colours = {Soundness.SOUND: "green", Soundness.DAMAGED: "red", Soundness.INCONCLUSIVE: "yellow"}
    return line if verdict is None else paint(line, verdict.value, colours[verdict])


def _sentence(report: CheckReport) -> str:
    """One sentence: the word, what was checked, and the first thing that stands against more."""
    if report.verdict is None:
        return f"NOT CHECKED: {_error(report) or 'the run failed before it checked anything'}"
    partitions = [partition for topic in report.topics for partition in topic.partitions]
    places = counted(len(partitions), "partition")
    if len(report.topics) > 1:
        places += f" of {counted(len(report.topics), 'topic')}"
    subject = report.topics[0].topic if len(report.topics) == 1 else report.view.view
    records = counted(report.totals.records, "record")
    if report.verdict is Soundness.SOUND:
        return f"{report.verdict}: {subject} holds {records} in {places}, every one read and checked"
    first = report.findings[0] if report.findings else None
    cause = f"; first: {_place(report, first)}{_kind(first)}" if first else ""
    if report.verdict is Soundness.DAMAGED:
        hurt = sum(partition.verdict is Soundness.DAMAGED for partition in partitions)
        return f"{report.verdict}: {subject} has defects in {number(hurt)} of {places}{cause}"
    if not report.totals.records:
        return f"{report.verdict}: {subject}: nothing was checked{cause or _because(_error(report))}"
    open_ones = sum(partition.verdict is Soundness.INCONCLUSIVE for partition in partitions)
    return (
        f"{report.verdict}: {subject} shows no defect in {records}, but {number(open_ones)} of {places} are not "
        f"proven sound{cause or _because(_error(report))}"
    )


def _because(error: str) -> str:
    return f"; {error}" if error else ""


def _error(report: CheckReport) -> str:
    return report.errors[0].message if report.errors else ""


def _header(report: CheckReport) -> list[str]:
    view, options = report.view, report.options
    text = view.view or "unknown"
    text += f", cluster {view.cluster_id}" if view.cluster_id else ""
    text += "" if view.node_id is None else f", node {view.node_id}"
    text += f", topic id {view.topic_id}" if view.topic_id else ""
    lines = [f"view     {text}"]
    if view.data_path:
        lines.append(f"path     {view.data_path}" + (f" ({view.data_path_reason})" if view.data_path_reason else ""))
    if len(report.topics) == 1:
        lines.append(f"holes    {_holes(report.topics[0])}")
    if options is not None:
        if options.topics is not None:
            lines.append(f"topics   --topics {options.topics}")
        if options.partitions is not None:
            lines.append(f"only     partitions {', '.join(map(str, options.partitions))}")
        granted = (("gaps", options.allow_gaps), ("empty", options.allow_empty))
        if allowed := [f"--allow-{name}" for name, given in granted if given]:
            lines.append(f"allowed  {', '.join(allowed)}")
    if report.notes:
        lines.append(f"notes    {', '.join(report.notes)}")
    return lines


def _holes(topic: CheckTopic) -> str:
    """Whether offsets may lack a record."""
    may = {True: "explained by compaction", False: "not explained by compaction", None: "of unknown cause"}
    return f"{may[topic.compacted]} ({topic.compacted_reason})"


def _tables(report: CheckReport) -> Iterator[list[str]]:
    """A row a partition; where there are several topics, of those that are not SOUND, with a heading before each."""
    many = len(report.topics) > 1
    if many:
        rows = [
            (
                topic.topic,
                topic.verdict,
                number(len(topic.partitions)),
                number(sum(partition.coverage.records for partition in topic.partitions if partition.coverage)),
            )
            for topic in report.topics
        ]
        yield _block("topics", table(("topic", "verdict", "partitions", "records"), rows, left_aligned=(0, 1)))
    detailed = [
        topic for topic in report.topics if topic.partitions and not (many and topic.verdict is Soundness.SOUND)
    ]
    for topic in detailed[:SHOWN_TOPICS]:
        yield _block(f"partitions of {topic.topic}" if many else "partitions", _rows(topic))
    if len(detailed) > SHOWN_TOPICS:
        yield [f"and {counted(len(detailed) - SHOWN_TOPICS, 'more topic')} not SOUND; {_MORE}"]


def _block(title: str, lines: list[str]) -> list[str]:
    return [title, *(f"  {line}" for line in lines)]


def _rows(topic: CheckTopic) -> list[str]:
    urgent = sorted(topic.partitions, key=lambda entry: (entry.verdict is Soundness.SOUND, entry.partition))
    shown = sorted(urgent[:SHOWN_PARTITIONS], key=lambda entry: entry.partition)
    lines = table(_HEADER, [_row(entry) for entry in shown], left_aligned=_LEFT_ALIGNED)
    rest = urgent[SHOWN_PARTITIONS:]
    if rest:
        counts = [(verdict, sum(entry.verdict is verdict for entry in rest)) for verdict in Soundness]
        told = listed(f"{number(count)} {verdict}" for verdict, count in counts if count)
        lines.append(f"and {counted(len(rest), 'more partition')}: {told}; {_MORE}")
    return lines


def _row(entry: CheckPartition) -> tuple[str, ...]:
    covered = entry.coverage
    return (
        str(entry.partition),
        entry.verdict,
        "-" if covered is None else interval(covered.planned),
        "-" if covered is None else number(covered.records),
        number(entry.batches),
        "-" if entry.segments is None else number(entry.segments),
        "-" if covered is None else covered.end_reason,
        _after(entry.start),
    )


def _after(start: StartReport | None) -> str:
    """What a broker's start leaves of the log."""
    if start is None:
        return "-"
    if start.refused is not None:
        return "no start"
    lost = start.discarded_records + start.hidden_records
    return f"[{start.log_start_offset}, {start.log_end_offset})" + (f", {number(lost)} lost" if lost else "")


def _told(report: CheckReport, finding: CheckFinding) -> str:
    detail = f": {finding.detail}" if finding.detail else ""
    return f"{_place(report, finding)}{_kind(finding)}{detail}" + (f" ({finding.path})" if finding.path else "")


def _place(report: CheckReport, finding: CheckFinding) -> str:
    """Topic and partition, where they have to be told."""
    parts = [finding.topic] if finding.topic and len(report.topics) > 1 else []
    parts += [] if finding.partition is None else [f"partition {finding.partition}"]
    return f"{' '.join(parts)}, " if parts else ""


def _kind(finding: CheckFinding) -> str:
    words = finding.kind.value
    words += f" ({finding.reason})" if finding.reason and finding.reason != finding.kind else ""
    if finding.offsets is not None:
        words += f", {interval(finding.offsets)}"
    return words + (f", {counted(finding.records, 'record')}" if finding.records else "")


def _totals(report: CheckReport) -> list[str]:
    totals, run = report.totals, report.run
    lines = []
    if report.topics:
        lines.append(
            f"totals   {counted(totals.records, 'record')} in {_batches(totals.batches)}, {size(totals.bytes)}"
        )
    pieces = [seconds(run.seconds)]
    if run.records_per_second:
        pieces.append(f"{number(round(run.records_per_second))} records/s")
    if run.peak_rss_bytes:
        pieces.append(f"peak RSS {size(run.peak_rss_bytes)}")
    if run.workers:
        pieces.append(counted(run.workers, "worker"))
    lines.append(f"run      {', '.join(pieces)}; kcompare {run.version}, started {run.started}")
    return lines


def _batches(count: int) -> str:
    return f"{number(count)} batch" if count == 1 else f"{number(count)} batches"
