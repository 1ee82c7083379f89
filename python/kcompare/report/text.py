"""The operator's one screen: the verdict first, then what was compared, found, and left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.model import OffsetRelation, Verdict
from kcompare.report.colour import paint_verdict
from kcompare.report.layout import counted, listed, number, seconds, size, table
from kcompare.report.sanitize import sanitize
from kcompare.report.sections import found, not_compared
from kcompare.report.sentence import interval, pair_name, partitions, verdict_sentence

if TYPE_CHECKING:
    from kcompare.model import OffsetsReport, OptionsReport, PartitionReport, Report, SideCoverage, ViewReport

SHOWN_PARTITIONS = 24
"""Rows of the table. Where a topic has more, those that are not EQUAL are shown first."""

SHOWN_TOPICS = 10
"""Topics whose partitions are shown, where a run has several: those that are not EQUAL."""

_TOPIC_HEADER = ("topic", "verdict", "partitions", "left records", "right records", "compared")
_TOPIC_LEFT_ALIGNED = (0, 1)
_HEADER = (
    "partition",
    "verdict",
    "left records",
    "right records",
    "left offsets",
    "right offsets",
    "compared",
    "offsets",
)
_LEFT_ALIGNED = (1, 4, 5, 7)


def report_text(report: Report, *, colour: bool = False) -> str:
    """The whole report. Every line but for its colour passes the sanitizer here, whatever it is made of."""
    blocks = [[verdict_sentence(report)], _header(report)]
    for title, lines in (
        ("topics", _topics(report)),
        ("partitions", _table(report)),
        ("found", found(report)),
        ("not compared", not_compared(report)),
    ):
        if lines:
            blocks.append([title, *(f"  {line}" for line in lines)])
    blocks.append(_totals(report))
    blocks = [[sanitize(line) for line in block] for block in blocks if block]
    if colour:
        blocks[0][0] = paint_verdict(blocks[0][0], report.verdict)
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def report_line(report: Report, *, colour: bool = False) -> str:
    """The first line alone, for ``--quiet``."""
    line = sanitize(verdict_sentence(report))
    return (paint_verdict(line, report.verdict) if colour else line) + "\n"


def _header(report: Report) -> list[str]:
    lines = [f"left     {_view(report.left)}", f"right    {_view(report.right)}"]
    lines += _path(report)
    options = report.options
    if options is not None:
        lines.append(f"mode     {options.mode}{_because(options.mode_reason)}")
        lines.append(f"fields   {listed(options.fields)}{_because(options.fields_reason)}")
        left, right = options.left_isolation, options.right_isolation
        lines.append(f"records  {left}" if left is right else f"records  {left} on left, {right} on right")
        lines += _choices(options)
        allowed = [
            f"--allow-{name} {value}"
            for name, value in (("head", options.allow_head), ("tail", options.allow_tail))
            if value
        ]
        granted = (("gaps", options.allow_gaps), ("empty", options.allow_empty))
        allowed += [f"--allow-{name}" for name, given in granted if given]
        if allowed:
            lines.append(f"allowed  {', '.join(allowed)}")
    if report.notes:
        lines.append(f"notes    {', '.join(report.notes)}")
    return lines


def _path(report: Report) -> list[str]:
    """What read the two sides; nothing where a run failed before it knew."""
    left, right = (
        f"{view.data_path}{_because(view.data_path_reason)}" if view.data_path else ""
        for view in (report.left, report.right)
    )
    if left == right:
        return [f"path     {left}"] if left else []
    return [f"path     {left or 'unknown'} on left, {right or 'unknown'} on right"]


def _choices(options: OptionsReport) -> list[str]:
    """Which topics and which parts of them were compared, where that was chosen."""
    lines = []
    chosen = [f"--topics {options.topics}"] if options.topics is not None else []
    chosen += [f"--map {text}" for text in options.map]
    if chosen:
        lines.append(f"topics   {' '.join(chosen)}")
    ranges = [f"{side} {text}" for side, text in (("left", options.left_range), ("right", options.right_range)) if text]
    if ranges:
        lines.append(f"range    {', '.join(ranges)}")
    return lines


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _view(view: ViewReport) -> str:
    text = view.view or "unknown"
    text += f", cluster {view.cluster_id}" if view.cluster_id else ""
    text += "" if view.node_id is None else f", node {view.node_id}"
    return text + (f", topic id {view.topic_id}" if view.topic_id else "")


def _topics(report: Report) -> list[str]:
    """A row a pair of topics, where there are several."""
    if len(report.topics) <= 1:
        return []
    rows = [
        (
            pair_name(topic),
            topic.verdict,
            number(len(topic.partitions)),
            number(sum(entry.left.records for entry in topic.partitions if entry.left)),
            number(sum(entry.right.records for entry in topic.partitions if entry.right)),
            number(sum(entry.compared_records for entry in topic.partitions)),
        )
        for topic in report.topics
    ]
    return table(_TOPIC_HEADER, rows, left_aligned=_TOPIC_LEFT_ALIGNED)


def _table(report: Report) -> list[str]:
    """A row a partition; where there are several topics, of those that are not EQUAL, with a heading before each."""
    lines: list[str] = []
    many = len(report.topics) > 1
    detailed = [topic for topic in report.topics if topic.partitions and not (many and topic.verdict is Verdict.EQUAL)]
    for topic in detailed[:SHOWN_TOPICS]:
        if many:
            lines.append(f"{topic.verdict}: {pair_name(topic)}")
        shown, rest = _choose(topic.partitions)
        lines += table(_HEADER, [_row(entry) for entry in shown], left_aligned=_LEFT_ALIGNED)
        lines += _hidden(rest)
    if len(detailed) > SHOWN_TOPICS:
        left_out = counted(len(detailed) - SHOWN_TOPICS, "more topic")
        lines.append(
            f"and {left_out} that {'is' if left_out.startswith('1 ') else 'are'} not EQUAL; "
            "--output json lists every one"
        )
    return lines


def _choose(entries: tuple[PartitionReport, ...]) -> tuple[list[PartitionReport], list[PartitionReport]]:
    """The rows that fit and those that do not: a row that is not EQUAL never makes way for one that is."""
    urgent = sorted(entries, key=lambda entry: (entry.verdict is Verdict.EQUAL, entry.partition))
    shown = sorted(urgent[:SHOWN_PARTITIONS], key=lambda entry: entry.partition)
    return shown, urgent[SHOWN_PARTITIONS:]


def _hidden(rest: list[PartitionReport]) -> list[str]:
    if not rest:
        return []
    counts = [(verdict, sum(entry.verdict is verdict for entry in rest)) for verdict in Verdict]
    told = listed(f"{number(count)} {verdict}" for verdict, count in counts if count)
    return [f"and {counted(len(rest), 'more partition')}: {told}; --output json lists every one"]


def _row(entry: PartitionReport) -> tuple[str, ...]:
    left, right = entry.left, entry.right
    return (
        str(entry.partition),
        entry.verdict,
        _records(left),
        _records(right),
        "-" if left is None else interval(left.planned),
        "-" if right is None else interval(right.planned),
        number(entry.compared_records),
        _relation(entry.offsets),
    )


def _records(side: SideCoverage | None) -> str:
    return "-" if side is None else number(side.records)


def _relation(offsets: OffsetsReport) -> str:
    if offsets.relation is None:
        return "-"
    if offsets.relation is OffsetRelation.SHIFTED and offsets.shift is not None:
        return f"shifted {offsets.shift:+d}"
    if offsets.relation is OffsetRelation.MAPPED and offsets.segments is not None:
        return f"mapped in {counted(offsets.segments, 'segment')}"
    return offsets.relation


def _totals(report: Report) -> list[str]:
    totals, run = report.totals, report.run
    lines = []
    if any(True for _ in partitions(report)):
        lines.append(
            f"totals   {counted(totals.left_records, 'record')} left, {number(totals.right_records)} right, "
            f"{number(totals.compared_records)} compared; "
            f"{size(totals.left_bytes)} left, {size(totals.right_bytes)} right"
        )
        gaps = _gaps(report)
        if gaps:
            lines.append(f"gaps     {gaps}")
    pieces = [seconds(run.seconds)]
    if run.records_per_second:
        pieces.append(f"{number(round(run.records_per_second))} records/s")
    if run.peak_rss_bytes:
        pieces.append(f"peak RSS {size(run.peak_rss_bytes)}")
    if run.workers:
        pieces.append(counted(run.workers, "worker"))
    lines.append(f"run      {', '.join(pieces)}; kcompare {run.version}, started {run.started}")
    return lines


def _gaps(report: Report) -> str:
    """Offsets without a record on each side, by cause."""
    told = []
    for name, sides in (
        ("left", [entry.left for entry in partitions(report)]),
        ("right", [entry.right for entry in partitions(report)]),
    ):
        held = [side.gap_offsets for side in sides if side is not None]
        causes = {
            "control": sum(gap.control for gap in held),
            "aborted": sum(gap.aborted for gap in held),
            "compacted": sum(gap.compacted for gap in held),
            "unexplained": sum(gap.unexplained for gap in held),
        }
        if any(causes.values()):
            told.append(f"{name} {listed(f'{number(n)} {cause}' for cause, n in causes.items() if n)}")
    return f"offsets without a record: {'; '.join(told)}" if told else ""
