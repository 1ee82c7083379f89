"""One partition, from what was read to its report: differences, gaps, unread ranges, ledger, verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kcompare.engine import holes, retention
from kcompare.engine.differences import Examination
from kcompare.engine.effects import Allowances, findings_of
from kcompare.engine.examine import UNRELATED, Pair, examine
from kcompare.ledger import LedgerError, coverage, nothing_read
from kcompare.model import (
    SIDES,
    Effect,
    Finding,
    FindingKind,
    OffsetRange,
    PartitionReport,
    Reason,
    RecordField,
    Side,
)
from kcompare.verdict import partition_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from kcompare.engine.differences import Difference
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader
    from kcompare.model import FirstDivergence, SideCoverage

CONTENT = (RecordField.KEY, RecordField.VALUE, RecordField.HEADERS)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is compared, and what is allowed, in every partition of a topic.

    Attributes:
        fields: as the user named them; None lets each partition decide about its timestamps.
        compacted: the side's topic is compacted, so that holes between batches have a cause.
    """

    fields: tuple[RecordField, ...] | None
    allowances: Allowances
    compacted: Mapping[Side, bool]
    max_findings: int


def compared_fields(
    fields: tuple[RecordField, ...] | None, left: PartitionLog, right: PartitionLog
) -> tuple[tuple[RecordField, ...], tuple[str, ...]]:
    """The fields that must agree in one partition, and warnings about the choice.

    By itself the timestamp counts, unless a batch on either side carries the broker's own.
    """
    if fields is not None:
        return fields, ()
    warnings = []
    broker_times = False
    for log in (left, right):
        batches, log_append = log.batches
        broker_times = broker_times or log_append > 0
        if 0 < log_append < batches:
            warnings.append(
                f"{log_append} of {batches} batches on the {log.side.value} side carry the broker's timestamps "
                "(LogAppendTime), so no timestamp of this partition was compared"
            )
    chosen = CONTENT if broker_times else (*CONTENT, RecordField.TIMESTAMP)
    return chosen, tuple(warnings)


def assess(left: PartitionLog, right: PartitionLog, terms: Terms, reader: RowReader) -> PartitionReport:
    """Compares one partition that both sides have."""
    fields, warnings = compared_fields(terms.fields, left, right)
    head, tail = terms.allowances.head, terms.allowances.tail
    left, right, granted = retention.allowed(left, right, head, reader)
    pair = Pair(
        left,
        right,
        timestamps=RecordField.TIMESTAMP in fields,
        offsets=RecordField.OFFSET in fields,
        heads=head.sides if head else (),
        tails=tail.sides if tail else (),
    )
    unverified = _unverified(pair)
    distrusted = left.distrust is not None or right.distrust is not None
    examination = Examination((), UNRELATED) if distrusted else examine(pair, reader)
    findings = findings_of(pair, examination.differences, terms.allowances, reader)
    first: FirstDivergence | None = None
    parted = False
    for difference, found in zip(examination.differences, findings, strict=True):
        if found.effect is Effect.DIFFERENCE and not parted:
            # Of a run that could not be read again nothing exact is known, and a later one is not the first.
            first, parted = difference.at, True
    if examination.unverified is not None:
        unverified.append(_whole(pair, Reason(examination.unverified[0]), examination.unverified[1]))
    for log in (left, right):
        unverified.extend(_gap_findings(log, terms))
    findings.extend([*unverified, *granted])
    covered, findings = _ledger(pair, findings, terms)
    compared = max(0, min(_compared(pair.log(side), examination.differences) for side in SIDES))
    if distrusted:
        compared = 0
    return PartitionReport(
        partition=left.partition,
        verdict=partition_verdict(findings, covered[Side.LEFT], covered[Side.RIGHT], compared),
        left=covered[Side.LEFT],
        right=covered[Side.RIGHT],
        compared_records=compared,
        offsets=examination.offsets,
        first_divergence=first,
        findings=_shown(findings, terms.max_findings),
        findings_total=len(findings),
        fields=fields,
        warnings=warnings,
    )


def _compared(log: PartitionLog, differences: tuple[Difference, ...]) -> int:
    return log.records - sum(difference.unpaired(log.side) for difference in differences)


def _shown(findings: list[Finding], limit: int) -> tuple[Finding, ...]:
    """Differences first, in alignment order; a limit only cuts the list."""
    ordered = sorted(findings, key=lambda found: found.effect is not Effect.DIFFERENCE)
    return tuple(ordered[:limit])


def _side_finding(log: PartitionLog, offsets: OffsetRange, reason: Reason, detail: str) -> Finding:
    return Finding(
        kind=FindingKind.UNVERIFIED,
        effect=Effect.UNVERIFIED,
        partition=log.partition,
        left=offsets if log.side is Side.LEFT else None,
        right=offsets if log.side is Side.RIGHT else None,
        side=log.side,
        reason=reason,
        detail=detail,
    )


def _unverified(pair: Pair) -> list[Finding]:
    found: list[Finding] = []
    for log in (pair.left, pair.right):
        doubts = [doubt for doubt in (log.distrust, log.unchecked) if doubt is not None]
        found.extend(_side_finding(log, one.range, Reason(one.reason), one.detail) for one in (*doubts, *log.unread))
    return found


def _whole(pair: Pair, reason: Reason, detail: str) -> Finding:
    return Finding(
        kind=FindingKind.UNVERIFIED,
        effect=Effect.UNVERIFIED,
        partition=pair.left.partition,
        left=pair.left.planned,
        right=pair.right.planned,
        reason=reason,
        detail=detail,
    )


def _cells(log: PartitionLog, terms: Terms) -> NDArray[Any]:
    return holes.explained(log.table, compacted_to=holes.compacted_to(log.bounds, compacted=terms.compacted[log.side]))


def _gap_findings(log: PartitionLog, terms: Terms) -> list[Finding]:
    """Offsets without records and without a cause are unverified unless the user allows them."""
    cells = _cells(log, terms)
    missing = "no segment file of the log directory holds these offsets"
    found = [(hole, Reason.MISSING_SEGMENT, missing) for hole in holes.missing_segments(log, cells)]
    if (others := holes.without_a_cause(log, cells)) is not None:
        found.append((others[0], Reason.UNEXPLAINED_GAP, others[1]))
    gaps = [_side_finding(log, *one) for one in found]
    if terms.allowances.gaps:
        return [replace(gap, kind=FindingKind.OFFSET_GAP, effect=Effect.EXPLAINED, reason=None) for gap in gaps]
    return [replace(gap, detail=f"{gap.detail}; say --allow-gaps if that is right") for gap in gaps]


def _ledger(pair: Pair, findings: list[Finding], terms: Terms) -> tuple[dict[Side, SideCoverage], list[Finding]]:
    covered: dict[Side, SideCoverage] = {}
    for side in SIDES:
        log = pair.log(side)
        if log.distrust is not None:
            covered[side] = nothing_read(log.bounds, log.planned)
            continue
        own = FindingKind.ONLY_LEFT if side is Side.LEFT else FindingKind.ONLY_RIGHT
        allowed = sum(found.records for found in findings if found.effect is Effect.ALLOWED and found.kind is own)
        try:
            covered[side] = coverage(
                log.bounds,
                log.planned,
                _cells(log, terms),
                allowed_records=allowed,
            )
        except LedgerError as error:
            covered[side] = nothing_read(log.bounds, log.planned)
            findings = [*findings, _side_finding(log, log.planned, Reason.CHANGED_WHILE_READING, str(error))]
        gaps = covered[side].gap_offsets
        findings = [*findings, *_explained(log, gaps.control, gaps.aborted, gaps.compacted)]
    return covered, findings


def _explained(log: PartitionLog, control: int, aborted: int, compacted: int) -> list[Finding]:
    causes = {"control records": control, "aborted records": aborted, "compacted records": compacted}
    words = ", ".join(f"{count} {cause}" for cause, count in causes.items() if count)
    if not words:
        return []
    found = _side_finding(log, log.planned, Reason.UNEXPLAINED_GAP, f"offsets without a record: {words}")
    total = control + aborted + compacted
    return [replace(found, kind=FindingKind.OFFSET_GAP, effect=Effect.EXPLAINED, reason=None, records=total)]
