"""From samples to figures: medians, spreads, ratios between rows of the same round. Pure.

A figure of a row that ever gave a wrong answer is shown, with that fact beside it, and is never the base of a ratio.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Sample:
    """One row of one round.

    `records` are those of both sides together, `wall_seconds` and `startup_seconds` those of the program from its start
    to its end, over all its records and over one record in each partition.
    """

    row: str
    round: int
    records: int
    startup_records: int
    wall_seconds: float
    startup_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    complaint: str = ""

    @property
    def correct(self) -> bool:
        """Whether both runs gave the right answer."""
        return not self.complaint

    @property
    def records_per_second(self) -> float:
        """The rate after start-up: 0 when the run was over before its start-up would have been."""
        seconds = self.timed_seconds
        return (self.records - self.startup_records) / seconds if seconds > 0 else 0.0

    @property
    def timed_seconds(self) -> float:
        """What the rate is about: the time behind the start-up."""
        return self.wall_seconds - self.startup_seconds


@dataclass(frozen=True)
class Case:
    """One size of records under one codec: what was stored, and what the rows made of it."""

    size: int
    codec: str
    records: int
    stored_bytes: int
    samples: tuple[Sample, ...] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As a heading says it."""
        return f"{self.size} B, {self.codec}"

    def document(self) -> dict[str, Any]:
        """As it stands in the JSON output."""
        return asdict(self)


def case_from(document: Mapping[str, Any]) -> Case:
    """The inverse of `Case.document`."""
    samples = tuple(Sample(**each) for each in document["samples"])
    return Case(**{**document, "samples": samples})


@dataclass(frozen=True)
class Spread:
    """What several rounds gave."""

    median: float
    low: float
    high: float


def spread(numbers: Sequence[float]) -> Spread:
    """Returns the median, the smallest and the largest."""
    return Spread(statistics.median(numbers), min(numbers), max(numbers))


@dataclass(frozen=True)
class RowSummary:
    """What a row did over all rounds of a case; `correct` only if every run of it was."""

    row: str
    correct: bool
    complaints: tuple[str, ...]
    records: int = 0
    records_per_second: Spread | None = None
    startup_seconds: Spread | None = None
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0


def summarize(case: Case) -> dict[str, RowSummary]:
    """Returns the rows in the order of their first samples, those that could not run last."""
    rows: dict[str, list[Sample]] = {}
    for each in case.samples:
        rows.setdefault(each.row, []).append(each)
    found = {row: _summary(row, samples) for row, samples in rows.items()}
    for row, why in case.unavailable.items():
        found[row] = RowSummary(row, correct=False, complaints=(f"not available: {why}",))
    return found


def _summary(row: str, samples: Sequence[Sample]) -> RowSummary:
    complaints = {each.complaint for each in samples if each.complaint}
    complaints |= {"not timed: no slower than its start-up" for each in samples if each.records_per_second <= 0}
    return RowSummary(
        row,
        correct=not complaints,
        complaints=tuple(sorted(complaints)),
        records=max(each.records for each in samples),
        records_per_second=spread([each.records_per_second for each in samples]),
        startup_seconds=spread([each.startup_seconds for each in samples]),
        cpu_seconds=statistics.median(each.cpu_seconds for each in samples),
        peak_rss_bytes=max(each.peak_rss_bytes for each in samples),
    )


def ratio(case: Case, row: str, base: str) -> Spread | None:
    """Returns how many times as fast `row` is as `base`, round by round.

    None when there is nothing to divide: a row is missing from a round, or either of them was ever wrong.
    """
    rows = summarize(case)
    if row == base or not all(name in rows and rows[name].correct for name in (row, base)):
        return None
    rates = {
        name: {each.round: each.records_per_second for each in case.samples if each.row == name} for name in (row, base)
    }
    if rates[row].keys() != rates[base].keys():
        return None
    return spread([rate / rates[base][number] for number, rate in rates[row].items()])
