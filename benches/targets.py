"""What kcompare has to reach, and whether a case shows that it does. Pure.

A target is met by a median of ratios between rows that were right in every round, and by nothing else: a row that is
missing, wrong or timed for less than a second leaves the target unmet, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.summary import ratio, summarize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benches.summary import Case, Spread

RSS_LIMIT_BYTES = 150_000_000
# Below it a rate is mostly about how much one start-up differs from the next.
LEAST_TIMED_S = 1.0


@dataclass(frozen=True)
class Target:
    """`row` is to be at least `factor` times as fast as `base`, for uncompressed records of a size (0: of any)."""

    row: str
    base: str
    factor: float
    size: int = 0


TARGETS = (
    Target("kcompare", "consumer", 20, size=100),
    Target("kcompare", "console-consumer", 80, size=100),
    Target("kcompare", "franz-go", 5, size=100),
    Target("kcompare", "ceiling", 0.6, size=100),
    Target("kcompare", "consumer", 8, size=1000),
    Target("kcompare", "ceiling", 0.7, size=1000),
    Target("kcompare-consumer", "consume-alone", 0.8),
)


@dataclass(frozen=True)
class Verdict:
    """A target beside what was measured; `passed` is never true where `why_not` says something."""

    case: str
    target: str
    wanted: str
    measured: str
    passed: bool
    why_not: str = ""


def verdicts(case: Case, asked: Iterable[str]) -> list[Verdict]:
    """Returns the targets that this case is about, of those whose rows were all asked for."""
    rows = set(asked)
    found = [
        _speed(case, target)
        for target in TARGETS
        if case.codec == "none" and target.size in {0, case.size} and {target.row, target.base} <= rows
    ]
    if "kcompare" in rows:
        found.append(_memory(case))
    return found


def _speed(case: Case, target: Target) -> Verdict:
    name, wanted = f"{target.row} / {target.base}", f">= {target.factor:g}"
    both = (target.row, target.base)
    complaint = next(filter(None, (look(case, row) for look in (_complaint, _too_short) for row in both)), "")
    measured = None if complaint else ratio(case, target.row, target.base)
    if measured is None:
        why_not = complaint or "the rows did not run in the same rounds"
        return Verdict(case.name, name, wanted, "", passed=False, why_not=why_not)
    return Verdict(case.name, name, wanted, times(measured), passed=measured.median >= target.factor)


def _memory(case: Case) -> Verdict:
    name, wanted = "peak memory of kcompare", f"<= {RSS_LIMIT_BYTES / 1e6:.0f} MB"
    complaint = _complaint(case, "kcompare")
    if complaint:
        return Verdict(case.name, name, wanted, "", passed=False, why_not=complaint)
    peak = summarize(case)["kcompare"].peak_rss_bytes
    return Verdict(case.name, name, wanted, f"{peak / 1e6:.0f} MB", passed=0 < peak <= RSS_LIMIT_BYTES)


def _complaint(case: Case, row: str) -> str:
    """Returns what keeps a row from counting."""
    summary = summarize(case).get(row)
    if summary is None:
        return f"{row} did not run"
    return "" if summary.correct else f"{row}: {'; '.join(summary.complaints)}"


def _too_short(case: Case, row: str) -> str:
    """Returns what keeps the rate of a row from counting."""
    shortest = min((each.timed_seconds for each in case.samples if each.row == row), default=0.0)
    if shortest >= LEAST_TIMED_S:
        return ""
    return f"{row}: {shortest:.1f} s behind its start-up are too short for a rate; give it more records"


def times(measured: Spread) -> str:
    """Renders a ratio: median (smallest - largest)."""
    return f"{measured.median:.2f} ({measured.low:.2f} - {measured.high:.2f})"
