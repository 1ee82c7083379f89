"""The first line of a report: the verdict, what it is about, and where the two logs part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.model import Effect, Finding, FirstDivergence, OffsetRange, RecordField, Verdict
from kcompare.report.document import ordered
from kcompare.report.layout import counted, listed, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.model import ErrorEntry, PartitionReport, Report


def verdict_sentence(report: Report) -> str:
    """One sentence: the word, what was compared, and the first thing that stands against more."""
    if report.verdict is None:
        return f"NOT COMPARED: {_error_message(report) or 'the run failed before it compared anything'}"
    tellers = {
        Verdict.EQUAL: _equal,
        Verdict.DIFFERENT: _different,
        Verdict.INCONCLUSIVE: _inconclusive,
    }
    return f"{report.verdict}: {tellers[report.verdict](report)}"


def ranges(finding: Finding) -> str:
    """The offsets of a finding on the sides that have some: ``left [17, 18), right [17, 18)``."""
    sides = (("left", finding.left), ("right", finding.right))
    return ", ".join(f"{side} {interval(offsets)}" for side, offsets in sides if offsets is not None)


def interval(offsets: OffsetRange) -> str:
    """``[start, stop)``."""
    return f"[{offsets.start}, {offsets.stop})"


def parting(divergence: FirstDivergence) -> str:
    """Where two sequences part, and how."""
    left, right = divergence.left_offset, divergence.right_offset
    if left is None and right is None:
        return "at the end of both"
    if left is None:
        return f"where left ends and right goes on at offset {right}"
    if right is None:
        return f"where right ends and left goes on at offset {left}"
    place = f"at left offset {left} and right offset {right}"
    if divergence.fields:
        verb = "differs" if len(divergence.fields) == 1 else "differ"
        return f"{place}, where {listed(divergence.fields)} {verb}"
    return f"{place}, where one side has a record that the other lacks"


def error_line(error: ErrorEntry) -> str:
    """An error with its place and its code."""
    place = [part for part in (error.side, error.view, error.topic) if part]
    if error.partition is not None:
        place.append(f"partition {error.partition}")
    where = f" {', '.join(place)}:" if place else ""
    return f"error{where} {error.message} ({error.code}{', fatal' if error.fatal else ''})"


def compared_fields(report: Report) -> tuple[tuple[RecordField, ...], bool]:
    """The fields that were compared in every partition, and whether some partition compared more."""
    chosen = report.options.fields if report.options else ()
    sets = [set(partition.fields or chosen) for partition in partitions(report)] or [set(chosen)]
    common = set.intersection(*sets)
    return tuple(field for field in RecordField if field in common), any(fields != common for fields in sets)


def partitions(report: Report) -> Iterator[PartitionReport]:
    """Every partition of every topic."""
    for topic in report.topics:
        yield from topic.partitions


def _equal(report: Report) -> str:
    fields, more = compared_fields(report)
    records, places = counted(report.totals.compared_records, "record"), _partitions(report)
    by = f"by {'at least ' if more else ''}{listed(fields)}" if fields else "by no field"
    text = f"{_subject(report)} hold the same {records} in {places}, {by}"
    allowed = [found for found in _findings(report) if found.effect is Effect.ALLOWED and found.records]
    if allowed:
        least = "at least " if any(partition.findings_truncated for partition in partitions(report)) else ""
        records = least + counted(sum(finding.records for finding in allowed), "record")
        ends = listed(dict.fromkeys(_end(finding) for finding in allowed))
        text += f"; {records} more at {ends} are allowed, not compared"
    return text


def _different(report: Report) -> str:
    all_partitions = list(partitions(report))
    parted = [partition for partition in all_partitions if partition.verdict is Verdict.DIFFERENT]
    if not parted:
        shape = next((finding for finding in _findings(report) if finding.effect is Effect.DIFFERENCE), None)
        return f"{_subject(report)} differ" + (f" in {shape.kind}" if shape else "")
    text = f"{_subject(report)} part in {number(len(parted))} of {_partitions(report)}"
    first = next((partition for partition in parted if partition.first_divergence), parted[0])
    text += f", first in partition {first.partition}" if len(all_partitions) > 1 else ""
    if first.first_divergence is not None:
        return f"{text} {parting(first.first_divergence)}"
    cause = next((found for found in ordered(first.findings) if found.effect is Effect.DIFFERENCE), None)
    return f"{text}: {cause.kind}" if cause else text


def _inconclusive(report: Report) -> str:
    compared = report.totals.compared_records
    if not compared:
        text = f"{_subject(report)}: nothing was compared"
    else:
        open_ones = sum(partition.verdict is Verdict.INCONCLUSIVE for partition in partitions(report))
        text = f"{_subject(report)} show no difference in {counted(compared, 'compared record')}, but "
        text += f"{number(open_ones)} of {_partitions(report)} are not proven"
    if cause := _cause(report):
        text += f"; {cause}"
    return text


def _cause(report: Report) -> str:
    """The first thing that kept a run from a proof."""
    for partition in partitions(report):
        for finding in ordered(partition.findings):
            if finding.effect is Effect.UNVERIFIED:
                side = finding.side or "both sides"
                where = ranges(finding) or side
                return f"first: partition {partition.partition}, {where}: {finding.reason or finding.kind}"
    return _error_message(report)


def _error_message(report: Report) -> str:
    """The message of the error that ended the run, else of the first one that it met."""
    errors = sorted(report.errors, key=lambda error: not error.fatal)
    return errors[0].message if errors else ""


def _findings(report: Report) -> Iterator[Finding]:
    for topic in report.topics:
        yield from topic.findings
        for partition in topic.partitions:
            yield from partition.findings


def _subject(report: Report) -> str:
    """What was compared: the pair of topics, or the pair of views where there are several pairs or none."""
    if len(report.topics) != 1:
        return f"left {report.left.view} and right {report.right.view}"
    (topic,) = report.topics
    if topic.left == topic.right:
        return f"left and right {topic.left}"
    return f"left {topic.left} and right {topic.right}"


def _partitions(report: Report) -> str:
    return counted(sum(1 for _ in partitions(report)), "partition")


def _end(finding: Finding) -> str:
    side = "left" if finding.right is None else "right" if finding.left is None else "both sides"
    return f"the {finding.where} of {side}" if finding.where else side
