"""Allowances: which side may hold more at an end of its log, and how much more."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kcompare.errors import UsageError
from kcompare.model import SIDES, Side
from kcompare.settings.quantities import format_duration, format_time, parse_duration_ms, parse_time_ms
from kcompare.settings.quoting import quoted

_FORM = "write SIDE[:BOUND], such as right, right:1000, right:30s or both:@2026-11-01T00:00:00Z"
_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_SIDES = {"left": (Side.LEFT,), "right": (Side.RIGHT,), "both": SIDES}


@dataclass(frozen=True, slots=True)
class RecordBound:
    """At most so many records a partition."""

    records: int

    @property
    def text(self) -> str:
        """As a user writes it."""
        return str(self.records)


@dataclass(frozen=True, slots=True)
class DurationBound:
    """At most so long, by record timestamps, from the end (or start) of the other side."""

    milliseconds: int

    @property
    def text(self) -> str:
        """As a user writes it."""
        return format_duration(self.milliseconds)


@dataclass(frozen=True, slots=True)
class TimeBound:
    """At a tail only records from this time on, at a head only records before it. Milliseconds since 1970."""

    time_ms: int

    @property
    def text(self) -> str:
        """As a user writes it."""
        return format_time(self.time_ms)


Bound = RecordBound | DurationBound | TimeBound


@dataclass(frozen=True, slots=True)
class Allowance:
    """What ``--allow-head`` and ``--allow-tail`` grant.

    Attributes:
        sides: the sides that may hold more, ``left`` before ``right``.
        bound: how much more; None is unbounded, which the report has to say.
    """

    sides: tuple[Side, ...]
    bound: Bound | None = None

    def covers(self, side: Side) -> bool:
        """Whether this side may hold more."""
        return side in self.sides

    @property
    def text(self) -> str:
        """The canonical spelling, which :func:`parse_allowance` reads to the same value."""
        side = next(name for name, sides in _SIDES.items() if sides == self.sides)
        return side if self.bound is None else f"{side}:{self.bound.text}"


def parse_allowance(text: str) -> Allowance:
    """Reads ``SIDE[:BOUND]``: a side, and a record count, a duration such as ``30s`` or a time ``@TIME``.

    Raises:
        UsageError: an unknown side or a bound of no such form.
    """
    name, colon, bound = text.partition(":")
    sides = _SIDES.get(name)
    if sides is None:
        raise UsageError(f"allowance {quoted(text)} names the side {quoted(name)}, not left, right or both; {_FORM}")
    return Allowance(sides, _bound(bound, text) if colon else None)


def _bound(bound: str, text: str) -> Bound:
    if _COUNT.fullmatch(bound):
        return RecordBound(int(bound))
    try:
        if bound.startswith("@"):
            return TimeBound(parse_time_ms(bound))
        return DurationBound(parse_duration_ms(bound))
    except UsageError as error:
        raise UsageError(f"allowance {quoted(text)} has no bound behind its ':', since {error}") from error
