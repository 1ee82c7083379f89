"""The one gate to EQUAL, and the exit code that goes with each end of a run."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kcompare.check_model import CheckEffect, Soundness
from kcompare.model import Effect, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kcompare.check_model import CheckFinding
    from kcompare.model import Finding, SideCoverage


class ExitCode(IntEnum):
    """What scripts depend on; see docs/semantics.md."""

    EQUAL = 0
    DIFFERENT = 1
    USAGE = 2
    INCONCLUSIVE = 3
    REFUSED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


def partition_verdict(
    findings: Iterable[Finding],
    left: SideCoverage | None,
    right: SideCoverage | None,
    compared_records: int,
) -> Verdict:
    """The verdict of one partition.

    EQUAL is a claim about every planned record of both sides: no difference, nothing unverified, nothing uncovered,
    and as many records compared as each side has outside its allowed ranges.
    """
    effects = {finding.effect for finding in findings}
    if Effect.DIFFERENCE in effects:
        return Verdict.DIFFERENT
    if Effect.UNVERIFIED in effects or left is None or right is None:
        return Verdict.INCONCLUSIVE
    for side in (left, right):
        accounted = side.covered_offsets + side.gap_offsets.total + side.allowed_offsets + side.uncovered_offsets
        if (
            side.uncovered_offsets != 0
            or accounted != len(side.planned)
            or side.covered_offsets != compared_records
            or side.records != side.covered_offsets + side.allowed_offsets
        ):
            return Verdict.INCONCLUSIVE
    return Verdict.EQUAL


def combined_verdict(
    verdicts: Iterable[Verdict], findings: Iterable[Finding], compared_records: int, *, allow_empty: bool
) -> Verdict:
    """The verdict of a topic over its partitions, or of a run over its topics.

    Where no record was compared nothing was shown, unless the user said that it may be so. Without any partition, or
    any topic, there is nothing that could be equal, whatever the user said.
    """
    all_verdicts = set(verdicts)
    effects = {finding.effect for finding in findings}
    if Verdict.DIFFERENT in all_verdicts or Effect.DIFFERENCE in effects:
        return Verdict.DIFFERENT
    if Verdict.INCONCLUSIVE in all_verdicts or Effect.UNVERIFIED in effects:
        return Verdict.INCONCLUSIVE
    if not all_verdicts or (compared_records == 0 and not allow_empty):
        return Verdict.INCONCLUSIVE
    return Verdict.EQUAL


def partition_soundness(findings: Iterable[CheckFinding], coverage: SideCoverage | None) -> Soundness:
    """The verdict of one partition that was checked alone.

    SOUND is a claim about every planned offset: a record that was read, or a gap with a cause, and no defect.
    """
    effects = {finding.effect for finding in findings}
    if CheckEffect.DEFECT in effects:
        return Soundness.DAMAGED
    if CheckEffect.UNVERIFIED in effects or coverage is None or coverage.uncovered_offsets:
        return Soundness.INCONCLUSIVE
    accounted = coverage.covered_offsets + coverage.gap_offsets.total
    if accounted != len(coverage.planned) or coverage.covered_offsets != coverage.records or coverage.allowed_offsets:
        return Soundness.INCONCLUSIVE
    return Soundness.SOUND


def combined_soundness(verdicts: Iterable[Soundness]) -> Soundness:
    """The verdict of a topic over its partitions, or of a run over its topics; of none at all nothing is known."""
    all_verdicts = set(verdicts)
    if Soundness.DAMAGED in all_verdicts:
        return Soundness.DAMAGED
    return Soundness.SOUND if all_verdicts == {Soundness.SOUND} else Soundness.INCONCLUSIVE


def check_exit_code(verdict: Soundness, *, interrupted: bool, refused: bool, unreachable: bool) -> ExitCode:
    """The exit code of a check, by the same table."""
    words = {
        Soundness.SOUND: Verdict.EQUAL,
        Soundness.DAMAGED: Verdict.DIFFERENT,
        Soundness.INCONCLUSIVE: Verdict.INCONCLUSIVE,
    }
    return exit_code(words[verdict], interrupted=interrupted, refused=refused, unreachable=unreachable)


def exit_code(verdict: Verdict, *, interrupted: bool, refused: bool, unreachable: bool) -> ExitCode:
    """The exit code; where several apply the order is 130, then 1, 4, 5, 3."""
    if interrupted:
        return ExitCode.INTERRUPTED
    if verdict is Verdict.DIFFERENT:
        return ExitCode.DIFFERENT
    if verdict is Verdict.EQUAL:
        return ExitCode.EQUAL
    if refused:
        return ExitCode.REFUSED
    if unreachable:
        return ExitCode.UNREACHABLE
    return ExitCode.INCONCLUSIVE
