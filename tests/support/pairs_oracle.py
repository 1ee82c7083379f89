"""What a comparison of two logs may say, by what is true of them and by docs/semantics.md alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from kcompare.model import Effect, FindingKind, OffsetRelation, Reason, RecordField, Side, Verdict, Where
from kcompare.settings.allowances import RecordBound
from tests.support.oracle import differing, divergence_by_offset, divergence_by_ordinal, same
from tests.support.pairs_truth import (
    bound_holds,
    expected_fields,
    explanations,
    is_told_apart,
    may_be_equal,
    record_key,
    repeats,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.model import Finding, PartitionReport
    from tests.support.logs import Record
    from tests.support.oracle import Fields
    from tests.support.pairs import Case, Terms
    from tests.support.pairs_truth import Explanation, Seen

ONE_SIDED = {Side.LEFT: FindingKind.ONLY_LEFT, Side.RIGHT: FindingKind.ONLY_RIGHT}
UNREAD = {Reason.OPEN_TRANSACTION, Reason.CORRUPT_BATCH}
NEVER_ALLOWED = {
    FindingKind.DUPLICATED,
    FindingKind.ABORTED_COPIED,
    FindingKind.REORDERED,
    FindingKind.UNCLASSIFIED,
}
"""Kinds that come before a run of one side, and that no allowance covers."""


class DeviationError(AssertionError):
    """A report says what it may not say."""


def need(held: object, what: str) -> None:
    """Raises unless something holds.

    Raises:
        DeviationError: it does not.
    """
    if not held:
        raise DeviationError(what)


def _whole_key(record: Record, fields: Fields) -> tuple[object, ...]:
    return *record_key(record, fields), record.offset if RecordField.OFFSET in fields else 0


def check(case: Case, terms: Terms, report: PartitionReport) -> None:
    """Holds the report of a partition to everything that is known of it.

    Raises:
        DeviationError: something does not hold.
    """
    left, right = (seen(case, terms, side) for side in Side)
    fields = expected_fields(left, right, terms)
    need(set(report.fields) == set(fields), f"fields {report.fields}, not {fields}")
    need(report.findings_total == len(report.findings), "findings are cut")
    for found in (left, right):
        _check_ledger(found, report)
    unread = {finding.reason for finding in report.findings if finding.effect is Effect.UNVERIFIED}
    if left.unread or right.unread:
        need(report.verdict is not Verdict.EQUAL, "EQUAL beside unread offsets")
        need(unread & UNREAD, f"unread offsets without a reason: {unread}")
        if report.verdict is Verdict.DIFFERENT and not terms.head and not terms.tail:
            need(not may_be_equal(left, right, fields), "DIFFERENT where the unread records may make them equal")
        return
    _check_verdict(left, right, terms, fields, report)
    _check_findings(left, right, terms, fields, report)
    _check_first_divergence(left, right, terms, fields, report)


def _check_ledger(found: Seen, report: PartitionReport) -> None:
    covered = report.left if found.side is Side.LEFT else report.right
    side = found.side.value
    assert covered is not None
    need(covered.planned == found.plan, f"{side} is planned as {covered.planned}, not {found.plan}")
    if found.unread:
        need(covered.uncovered_offsets > 0, f"{side}: nothing is uncovered")
        need(covered.records <= len(found.records) + found.most_unread, f"{side}: {covered.records} records")
        return
    need(covered.records == len(found.records), f"{side}: {covered.records} records, not {len(found.records)}")
    need(covered.uncovered_offsets == 0, f"{side}: {covered.uncovered_offsets} uncovered")
    for cause in ("control", "aborted", "compacted", "unexplained"):
        count = getattr(covered.gap_offsets, cause)
        need(count == found.gaps[cause], f"{side}: {count} {cause} offsets, not {found.gaps[cause]}")


def _has_gaps(left: Seen, right: Seen, terms: Terms) -> bool:
    return not terms.gaps and bool(left.gaps["unexplained"] or right.gaps["unexplained"])


def _compares_nothing(left: Seen, right: Seen, terms: Terms) -> bool:
    """Whether ranges hold no offset of logs that have some."""
    logs = (left.log, right.log)
    nothing = not len(left.plan) and not len(right.plan)
    return nothing and not terms.empty and any(log.end > log.log_start_offset for log in logs)


def _check_verdict(left: Seen, right: Seen, terms: Terms, fields: Fields, report: PartitionReport) -> None:
    verdict = report.verdict
    reasons = {found.reason for found in report.findings if found.effect is Effect.UNVERIFIED}
    if Reason.NOT_TESTED in reasons:
        # Damage below a range: what an allowed run might repeat cannot be read.
        lost = [found for found in (left, right) if found.log.damaged or found.log.last_stable_offset is not None]
        need(lost and verdict is not Verdict.EQUAL, "a run could not be tested")
        return
    need(reasons <= {Reason.UNEXPLAINED_GAP, Reason.NOTHING_COMPARED}, f"unverified for {reasons}")
    if same(left.records, right.records, fields):
        doubt = _has_gaps(left, right, terms) or _compares_nothing(left, right, terms)
        wanted = Verdict.INCONCLUSIVE if doubt else Verdict.EQUAL
        need(verdict is wanted, f"{verdict} for equal records, not {wanted}")
        need(report.compared_records == len(left.records), f"{report.compared_records} compared")
        _check_relation(left, right, report)
        return
    ways = list(explanations(left.records, right.records, terms, fields))
    if not left.records or not right.records:
        _check_one_empty(left, right, terms, ways, report)
        return
    need(Reason.NOTHING_COMPARED not in reasons, "nothing compared")
    if verdict is Verdict.DIFFERENT:
        _check_not_allowed(left, right, ways, fields, report)
        return
    need(ways, f"FALSE {verdict}: the records differ and no allowance explains how")
    need(verdict is Verdict.INCONCLUSIVE or not _has_gaps(left, right, terms), "EQUAL with holes")
    fits = [way for way in ways if way.compared == report.compared_records]
    need(fits, f"{report.compared_records} compared, and {[way.compared for way in ways]} would be right")
    sides = {Side.LEFT: left.records, Side.RIGHT: right.records}
    for finding in report.findings:
        for found in (left, right):
            run = found.within(found.own(finding))
            if finding.effect is Effect.ALLOWED and run:
                need(not repeats(run, sides[found.side], fields), f"FALSE {verdict}: a repetition is allowed")


def _check_relation(left: Seen, right: Seen, report: PartitionReport) -> None:
    if not left.records:
        return
    shifts = {b.offset - a.offset for a, b in zip(left.records, right.records, strict=True)}
    relation = OffsetRelation.MAPPED
    if len(shifts) == 1:
        relation = OffsetRelation.IDENTICAL if shifts == {0} else OffsetRelation.SHIFTED
        need(report.offsets.shift == shifts.pop(), f"shift {report.offsets.shift}")
    need(report.offsets.relation is relation, f"offsets are {report.offsets.relation}, not {relation}")


def _check_one_empty(left: Seen, right: Seen, terms: Terms, ways: list[Explanation], report: PartitionReport) -> None:
    """An allowance covers a side against an empty one only with --allow-empty; at a head, only if it lost records."""
    empty, full = (left, right) if not left.records else (right, left)
    covers = [terms.tail] if terms.tail and terms.tail.covers(full.side) else []
    if terms.head and terms.head.covers(full.side) and empty.plan.start > 0:
        covers.append(terms.head)
    ends = [Where.TAIL if allowed is terms.tail else Where.HEAD for allowed in covers]
    within = any(bound_holds(allowed, where, full.records, [])[0] for allowed, where in zip(covers, ends, strict=True))
    repeated = {finding.kind for finding in report.findings} & NEVER_ALLOWED
    if report.verdict is Verdict.EQUAL:
        need(terms.empty and within and ways, "FALSE EQUAL: one side is empty")
    elif report.verdict is Verdict.INCONCLUSIVE:
        need(covers and (not terms.empty or _has_gaps(left, right, terms)), "INCONCLUSIVE: one side is empty")
    else:
        first = covers[:1] and bound_holds(covers[0], ends[0], full.records, [])[1]
        need(not covers or (terms.empty and (not first or repeated)), "FALSE DIFFERENT: one side is empty")


def _check_not_allowed(
    left: Seen, right: Seen, ways: list[Explanation], fields: Fields, report: PartitionReport
) -> None:
    """DIFFERENT although an allowance explains it: a repetition, an aborted copy, or a hole where offsets show one."""
    certain = [way for way in ways if way.certain]
    kinds = {finding.kind for finding in report.findings if finding.effect is Effect.DIFFERENCE}
    if not certain or kinds & NEVER_ALLOWED or RecordField.OFFSET in fields:
        return
    if not is_told_apart(left, right, fields):
        return
    (way, *_) = certain
    runs = sum(len(run[1]) for run in (way.head, way.tail) if run)
    by_offset = _unmatched_by_offset(left.records, right.records, fields)
    need(by_offset <= runs, f"FALSE DIFFERENT: {runs} records are allowed, by offset {by_offset} are without another")


def _unmatched_by_offset(left: Sequence[Record], right: Sequence[Record], fields: Fields) -> int:
    """Records without the same one at the same offset; two others at one offset count once."""
    at = ({record.offset: record for record in left}, {record.offset: record for record in right})
    offsets = at[0].keys() | at[1].keys()
    return sum(
        1
        for offset in offsets
        if offset not in at[0] or offset not in at[1] or differing(at[0][offset], at[1][offset], fields)
    )


def _check_findings(left: Seen, right: Seen, terms: Terms, fields: Fields, report: PartitionReport) -> None:
    """The findings do not overlap, count what they hold, are what they are called, and leave equal logs behind."""
    runs = [
        finding for finding in report.findings if finding.kind not in {FindingKind.OFFSET_GAP, FindingKind.UNVERIFIED}
    ]
    rest = []
    for found in (left, right):
        ranges = sorted((own.start, own.stop) for finding in runs if (own := found.own(finding)))
        need(all(a[1] <= b[0] for a, b in pairwise(ranges)), f"{found.side.value} findings overlap: {ranges}")
        need(
            all(found.plan.start <= start < stop <= found.plan.stop for start, stop in ranges),
            f"{found.side.value} findings {ranges} reach out of {found.plan}",
        )
        rest.append([record for record in found.records if not any(a <= record.offset < b for a, b in ranges)])
    need(same(rest[0], rest[1], fields), f"{len(rest[0])} and {len(rest[1])} records beside the findings differ")
    for finding in runs:
        _check_finding(left, right, terms, fields, finding)


def _check_finding(left: Seen, right: Seen, terms: Terms, fields: Fields, finding: Finding) -> None:
    own = {found.side: found.within(found.own(finding)) for found in (left, right)}
    counts = [len(own[side]) for side in Side]
    told = f"{finding.kind.value} {finding.left} {finding.right} of {finding.records} with {counts} records"
    kind = finding.kind
    if kind in {FindingKind.CHANGED, FindingKind.REORDERED}:
        need(0 < finding.records <= min(counts), told)
    else:
        need(finding.records == sum(counts), told)
    if kind is FindingKind.CHANGED:
        need(counts[0] == counts[1] == finding.records, told)
        names = [differing(a, b, fields) for a, b in zip(own[Side.LEFT], own[Side.RIGHT], strict=True)]
        need(all(names), f"{told}: some are equal")
        need(set(finding.fields) == {name for found in names for name in found}, f"{told}: {finding.fields}")
    elif kind is FindingKind.REORDERED:
        held = [Counter(_whole_key(record, fields) for record in own[side]) for side in Side]
        need(held[0] == held[1], f"{told}: not the same records")
    elif kind is FindingKind.FORKED:
        held = [Counter(_whole_key(record, fields) for record in own[side]) for side in Side]
        need(not held[0] & held[1] and min(counts) > 1, f"{told}: a fork with something in common")
    elif kind in set(ONE_SIDED.values()):
        side = Side.LEFT if kind is FindingKind.ONLY_LEFT else Side.RIGHT
        found = left if side is Side.LEFT else right
        need(own[side] and not own[side.other], told)
        _check_end(found, own[side], terms, finding, told)
    elif kind is FindingKind.DUPLICATED:
        need(_is_repeated(left, right, fields, finding), f"{told}: it repeats nothing")


def _is_repeated(left: Seen, right: Seen, fields: Fields, finding: Finding) -> bool:
    for found in (left, right):
        run = found.within(found.own(finding))
        offsets = {record.offset for record in run}
        others = {
            record_key(record, fields)
            for record in found.log.records("read_uncommitted")
            if record.offset not in offsets
        }
        if any(record_key(record, fields) in others for record in run):
            return True
    return False


def _check_end(found: Seen, run: list[Record], terms: Terms, finding: Finding, told: str) -> None:
    """A tail is at the end and a head at the start; what is allowed is covered, and within its bound."""
    if finding.where is Where.TAIL:
        need(run[-1] == found.records[-1], f"{told}: no tail")
    if finding.where is Where.HEAD and len(run) < len(found.records):
        need(run[0] == found.records[0], f"{told}: no head")
    if finding.effect is not Effect.ALLOWED:
        return
    allowed = {Where.HEAD: terms.head, Where.TAIL: terms.tail}.get(finding.where) if finding.where else None
    need(allowed is not None and allowed.covers(found.side), f"{told}: allowed at the {finding.where}")
    if allowed is not None and isinstance(allowed.bound, RecordBound):
        need(len(run) <= allowed.bound.records, f"{told}: past {allowed.text}")


def _check_first_divergence(left: Seen, right: Seen, terms: Terms, fields: Fields, report: PartitionReport) -> None:
    first = report.first_divergence
    if report.verdict is not Verdict.DIFFERENT:
        need(first is None, f"a first divergence {first} without a difference")
        return
    need(first is not None, "no first divergence")
    assert first is not None
    at = [{record.offset: record for record in found.records} for found in (left, right)]
    offsets = (first.left_offset, first.right_offset)
    need(any(offset is not None for offset in offsets), "a first divergence at nothing")
    for held, offset in zip(at, offsets, strict=True):
        need(offset is None or offset in held, f"no record at the first divergence {first}")
    if first.fields:
        assert first.left_offset is not None
        assert first.right_offset is not None
        names = differing(at[0][first.left_offset], at[1][first.right_offset], fields)
        need(set(first.fields) == set(names), f"{first} differs in {names}")
    if terms.head or terms.tail:
        return
    exact = [
        None if found is None else (found.left_offset, found.right_offset)
        for found in (
            divergence(left.records, right.records, fields)
            for divergence in (divergence_by_ordinal, divergence_by_offset)
        )
    ]
    need(offsets in exact, f"first divergence {offsets}; by ordinal {exact[0]}, by offset {exact[1]}")
