"""The parts of the text report below its table: what was found, and what was not compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.model import Effect, RecordField, Side, Where
from kcompare.report.document import ordered
from kcompare.report.layout import counted, first_lines, listed, number
from kcompare.report.sentence import error_line, pair_name, parting, places, ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.model import Finding, Report

SHOWN_LINES = 20
"""Lines of each kind on the operator's one screen; the documents hold all of them."""

_MORE = "--output json lists every one"


def found(report: Report) -> list[str]:
    """Differences with the place where the logs part, then what was explained, then warnings."""
    shapes = [
        f"{pair_name(topic) if len(report.topics) > 1 else 'topics'}: {_told(finding)}"
        for topic in report.topics
        for finding in ordered(topic.findings)
        if finding.effect is not Effect.UNVERIFIED
    ]
    lines = first_lines(shapes, SHOWN_LINES, _MORE)
    lines += first_lines(list(_differences(report)), SHOWN_LINES, _MORE)
    explained = [
        f"{place}: {_told(finding)}"
        for place, partition in places(report)
        for finding in ordered(partition.findings)
        if finding.effect is Effect.EXPLAINED
    ]
    lines += first_lines(explained, SHOWN_LINES, _MORE)
    warnings = [f"{place}: warning: {warning}" for place, partition in places(report) for warning in partition.warnings]
    return lines + first_lines(warnings, SHOWN_LINES, _MORE)


def not_compared(report: Report) -> list[str]:
    """Everything that the verdict does not rest on: uncovered, allowed, absent, uncompared fields, errors."""
    lines: list[str] = []
    for kind in (_missing(report), _uncovered(report), _allowed(report)):
        lines += first_lines(list(kind), SHOWN_LINES, _MORE)
    lines += _fields(report)
    return lines + first_lines([error_line(error) for error in report.errors], SHOWN_LINES, _MORE)


def _differences(report: Report) -> Iterator[str]:
    for place, partition in places(report):
        if partition.first_divergence is not None:
            yield f"{place}: first divergence {parting(partition.first_divergence)}"
        for finding in ordered(partition.findings):
            if finding.effect is Effect.DIFFERENCE:
                yield f"{place}: {_told(finding)}"
        if partition.findings_truncated:
            left_out = partition.findings_total - len(partition.findings)
            yield f"{place}: {counted(left_out, 'finding')} more than --max-findings keeps"


def _missing(report: Report) -> Iterator[str]:
    for place, partition in places(report):
        for side, coverage in ((Side.LEFT, partition.left), (Side.RIGHT, partition.right)):
            if coverage is None:
                yield f"{place}: {side} lacks it"


def _uncovered(report: Report) -> Iterator[str]:
    """Every unverified finding, and each side with uncovered offsets that no finding in the list is about."""
    for topic in report.topics:
        for finding in ordered(topic.findings):
            if finding.effect is Effect.UNVERIFIED:
                yield f"{pair_name(topic)}: {_told(finding)}"
    for place, partition in places(report):
        told: set[Side | None] = set()
        for finding in ordered(partition.findings):
            if finding.effect is Effect.UNVERIFIED:
                told.add(finding.side)
                yield f"{place}: {_told(finding)}"
        for side, coverage in ((Side.LEFT, partition.left), (Side.RIGHT, partition.right)):
            if coverage is None or not coverage.uncovered_offsets or told & {side, None}:
                continue
            offsets, planned = number(coverage.uncovered_offsets), number(len(coverage.planned))
            yield f"{place}: uncovered, {side} {offsets} of {planned} planned offsets"


def _allowed(report: Report) -> Iterator[str]:
    options = report.options
    unbounded = {
        where
        for where, allowance in (
            (Where.HEAD, options and options.allow_head),
            (Where.TAIL, options and options.allow_tail),
        )
        if allowance and ":" not in allowance
    }
    for place, partition in places(report):
        for finding in ordered(partition.findings):
            if finding.effect is Effect.ALLOWED:
                bound = f", {finding.where} unbounded" if finding.where in unbounded else ""
                yield f"{place}: allowed, {_told(finding, bound=bound)}"


def _fields(report: Report) -> list[str]:
    """One line for each set of fields that some partitions did not compare."""
    chosen = report.options.fields if report.options else ()
    groups: dict[tuple[RecordField, ...], list[str]] = {}
    many = len(report.topics) > 1
    for place, partition in places(report):
        fields = partition.fields or chosen
        left_out = tuple(field for field in RecordField if field not in fields)
        groups.setdefault(left_out, []).append(place if many else str(partition.partition))
    lines = []
    for left_out, members in groups.items():
        if left_out:
            where = f"in {_some(members, 'place' if many else 'partition')}" if len(groups) > 1 else "in any partition"
            verb = "is" if len(left_out) == 1 else "are"
            lines.append(f"{listed(left_out)} {verb} not compared {where}")
    return lines


def _some(names: list[str], noun: str) -> str:
    """Partitions, as many as a line holds."""
    shown = 12
    noun = noun if len(names) == 1 else f"{noun}s"
    rest = f" and {number(len(names) - shown)} more" if len(names) > shown else ""
    return f"{noun} {', '.join(names[:shown])}{rest}"


def _told(finding: Finding, *, bound: str = "") -> str:
    """One finding in one line."""
    words = [finding.kind.value]
    if finding.reason is not None:
        words.append(f"({finding.reason})")
    if finding.where is not None:
        words.append(f"{'in' if finding.where is Where.MIDDLE else 'at'} the {finding.where}")
    parts = [" ".join(words)]
    if place := ranges(finding):
        parts.append(place)
    elif finding.side is not None:
        parts.append(finding.side)
    if finding.records:
        parts.append(counted(finding.records, "record"))
    if finding.fields:
        parts.append(f"{listed(finding.fields)} {'differs' if len(finding.fields) == 1 else 'differ'}")
    detail = f": {finding.detail}" if finding.detail else ""
    return ", ".join(parts) + bound + detail
