"""The first line of a report: the verdict, what it is about, and where the two logs part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.model import Effect, Finding, FindingKind, FirstDivergence, OffsetRange, RecordField, Verdict
from kcompare.report.document import ordered
from kcompare.report.layout import counted, listed, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kcompare.model import ErrorEntry, PartitionReport, Report, TopicReport


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


def places(report: Report) -> Iterator[tuple[str, PartitionReport]]:
    """Every partition with the words for it, which name its topics where there are several pairs."""
    for topic in report.topics:
        front = f"{pair_name(topic)} " if len(report.topics) > 1 else ""
        for partition in topic.partitions:
            yield f"{front}partition {partition.partition}", partition


def pair_name(topic: TopicReport) -> str:
    """A pair of topics in as few words as will do."""
    return topic.left if topic.left == topic.right else f"{topic.left} / {topic.right}"


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
    every = list(places(report))
    parted = [(place, partition) for place, partition in every if partition.verdict is Verdict.DIFFERENT]
    missing = [topic for topic in report.topics if _is_missing(topic)]
    if not parted:
        shape = next((finding for finding in _findings(report) if finding.effect is Effect.DIFFERENCE), None)
        if missing:
            return f"{_subject(report)} differ: {_lacking(missing)}"
        return f"{_subject(report)} differ" + (f" in {shape.kind}" if shape else "")
    text = f"{_subject(report)} part in {number(len(parted))} of {_partitions(report)}"
    rest = f"; {_lacking(missing)}" if missing else ""
    place, first = next((found for found in parted if found[1].first_divergence), parted[0])
    text += f", first in {place}" if len(every) > 1 else ""
    if first.first_divergence is not None:
        return f"{text} {parting(first.first_divergence)}{rest}"
    cause = next((found for found in ordered(first.findings) if found.effect is Effect.DIFFERENCE), None)
    return (f"{text}: {cause.kind}" if cause else text) + rest


def _inconclusive(report: Report) -> str:
    compared = report.totals.compared_records
    if not compared:
        text = f"{_subject(report)}: nothing was compared"
    else:
        open_ones = sum(partition.verdict is Verdict.INCONCLUSIVE for partition in partitions(report))
        text = f"{_subject(report)} show no difference in {counted(compared, 'compared record')}, but "
        unread = sum(topic.verdict is Verdict.INCONCLUSIVE and not topic.partitions for topic in report.topics)
        unproven = [f"{number(open_ones)} of {_partitions(report)}"] if open_ones or not unread else []
        unproven += [f"{counted(unread, 'topic')} as a whole"] if unread else []
        text += f"{listed(unproven)} are not proven"
    if cause := _cause(report):
        text += f"; {cause}"
    return text


def _cause(report: Report) -> str:
    """The first thing that kept a run from a proof."""
    for place, partition in places(report):
        for finding in ordered(partition.findings):
            if finding.effect is Effect.UNVERIFIED:
                side = finding.side or "both sides"
                where = ranges(finding) or side
                return f"first: {place}, {where}: {finding.reason or finding.kind}"
    for topic in report.topics:
        for finding in ordered(topic.findings):
            if finding.effect is Effect.UNVERIFIED:
                return f"first: {pair_name(topic)}, {finding.side or 'both sides'}: {finding.reason or finding.kind}"
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
    text = counted(sum(1 for _ in partitions(report)), "partition")
    return text if len(report.topics) == 1 else f"{text} of {counted(len(report.topics), 'topic')}"


def _is_missing(topic: TopicReport) -> bool:
    return any(finding.kind is FindingKind.TOPIC_MISSING for finding in topic.findings)


def _lacking(missing: Sequence[TopicReport]) -> str:
    """How many topics a side lacks, and the first of them."""
    verb = "is" if len(missing) == 1 else "are"
    return f"{counted(len(missing), 'topic')} {verb} on one side only, such as {pair_name(missing[0])}"


def _end(finding: Finding) -> str:
    side = "left" if finding.right is None else "right" if finding.left is None else "both sides"
    return f"the {finding.where} of {side}" if finding.where else side
