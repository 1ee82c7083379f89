"""The gate: never EQUAL unless everything holds, over every small combination; and the order of exit codes."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from kcompare.model import (
    Effect,
    Finding,
    FindingKind,
    GapOffsets,
    OffsetRange,
    SideCoverage,
    Verdict,
)
from kcompare.verdict import ExitCode, combined_verdict, exit_code, partition_verdict

PLANNED = 4


def side(planned: int, covered: int, gaps: int, allowed: int, uncovered: int, records: int) -> SideCoverage:
    return SideCoverage(
        log_start_offset=0,
        high_watermark=planned,
        last_stable_offset=planned,
        planned=OffsetRange(0, planned),
        records=records,
        covered_offsets=covered,
        gap_offsets=GapOffsets(compacted=gaps),
        allowed_offsets=allowed,
        uncovered_offsets=uncovered,
    )


def found(effect: Effect) -> Finding:
    return Finding(FindingKind.ONLY_LEFT, effect, 0)


SIDES = [
    side(PLANNED, covered, gaps, allowed, uncovered, records)
    for covered, gaps, allowed, uncovered, records in product(range(4), range(3), range(2), range(2), range(5))
]


def holds(one: SideCoverage, compared: int) -> bool:
    """What an EQUAL needs of a side, said the long way round."""
    adds_up = one.covered_offsets + one.gap_offsets.total + one.allowed_offsets + one.uncovered_offsets == PLANNED
    everything_read = one.uncovered_offsets == 0
    everything_compared = one.covered_offsets == compared
    records_in_place = one.records == one.covered_offsets + one.allowed_offsets
    return adds_up and everything_read and everything_compared and records_in_place


def test_equal_needs_both_ledgers_whole_and_compared() -> None:
    sound = side(PLANNED, 3, 1, 0, 0, 3)
    for one, compared in product(SIDES, range(5)):
        for left, right in ((one, sound), (sound, one)):
            verdict = partition_verdict([], left, right, compared)
            wanted = holds(left, compared) and holds(right, compared)
            assert (verdict is Verdict.EQUAL) == wanted, (left, right, compared)
            assert verdict in {Verdict.EQUAL, Verdict.INCONCLUSIVE}


def test_every_combination_of_effects() -> None:
    sound = side(PLANNED, 4, 0, 0, 0, 4)
    broken = side(PLANNED, 3, 0, 0, 1, 3)
    effects = [subset for size in range(5) for subset in combinations(Effect, size)]
    for subset, left, right in product(effects, (sound, broken, None), (sound, broken, None)):
        verdict = partition_verdict([found(effect) for effect in subset], left, right, 4)
        if Effect.DIFFERENCE in subset:
            assert verdict is Verdict.DIFFERENT
        elif Effect.UNVERIFIED in subset or left is not sound or right is not sound:
            assert verdict is Verdict.INCONCLUSIVE
        else:
            assert verdict is Verdict.EQUAL


def test_verdicts_are_combined_with_the_worst_first() -> None:
    verdicts = [subset for size in range(4) for subset in combinations(Verdict, size)]
    effects = [subset for size in range(5) for subset in combinations(Effect, size)]
    for subset, extra, compared, allow_empty in product(verdicts, effects, (0, 1), (False, True)):
        findings = [found(effect) for effect in extra]
        verdict = combined_verdict(subset, findings, compared, allow_empty=allow_empty)
        if Verdict.DIFFERENT in subset or Effect.DIFFERENCE in extra:
            assert verdict is Verdict.DIFFERENT
        elif Verdict.INCONCLUSIVE in subset or Effect.UNVERIFIED in extra or not (compared or allow_empty):
            assert verdict is Verdict.INCONCLUSIVE
        elif not subset:
            # Of no partition, or no topic, nothing was shown, whatever may be empty.
            assert verdict is Verdict.INCONCLUSIVE
        else:
            assert verdict is Verdict.EQUAL


def test_nothing_at_all_is_not_equal() -> None:
    assert combined_verdict([], [], 0, allow_empty=False) is Verdict.INCONCLUSIVE
    assert combined_verdict([], [], 0, allow_empty=True) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("unreachable", [False, True])
def test_exit_codes_go_by_130_then_1_4_5_3(
    verdict: Verdict, *, interrupted: bool, refused: bool, unreachable: bool
) -> None:
    code = exit_code(verdict, interrupted=interrupted, refused=refused, unreachable=unreachable)
    if interrupted:
        assert code == 130
    elif verdict is Verdict.DIFFERENT:
        assert code == 1
    elif verdict is Verdict.EQUAL:
        assert code == 0
    elif refused:
        assert code == 4
    elif unreachable:
        assert code == 5
    else:
        assert code == 3


def test_exit_codes_are_the_published_ones() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "EQUAL": 0,
        "DIFFERENT": 1,
        "USAGE": 2,
        "INCONCLUSIVE": 3,
        "REFUSED": 4,
        "UNREACHABLE": 5,
        "INTERRUPTED": 130,
    }
