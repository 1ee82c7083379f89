"""Parts of logs: ``--left-range`` and ``--right-range`` as ``START:STOP`` or ``-N``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kcompare.errors import UsageError
from kcompare.settings.quantities import format_time, parse_time_ms
from kcompare.settings.quoting import quoted

_FORM = "write START:STOP with offsets or times such as 100:2000, @2026-11-01T00:00:00Z: or :5000, or -N for the last N"
# A time has colons of its own, and ends at its only Z.
_RANGE = re.compile(r"([0-9]{1,18}|@[^@]*?Z)?:([0-9]{1,18}|@[^@]*Z)?", re.ASCII)
_LAST = re.compile(r"-([0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class OffsetEdge:
    """An offset."""

    offset: int

    @property
    def text(self) -> str:
        """As a user writes it."""
        return str(self.offset)


@dataclass(frozen=True, slots=True)
class TimeEdge:
    """The first record at or past a time, in milliseconds since 1970."""

    time_ms: int

    @property
    def text(self) -> str:
        """As a user writes it."""
        return format_time(self.time_ms)


Edge = OffsetEdge | TimeEdge


@dataclass(frozen=True, slots=True)
class LogRange:
    """The part of every partition of one side that is compared.

    Attributes:
        start: from here on; None is the start of the log.
        stop: up to here, exclusive; None is the end of the log.
        last: the last so many offsets, which need not all hold a record; then neither of the others is given.
    """

    start: Edge | None = None
    stop: Edge | None = None
    last: int | None = None

    @property
    def times(self) -> tuple[int, ...]:
        """The times whose offsets have to be asked for, in milliseconds since 1970."""
        return tuple(edge.time_ms for edge in (self.start, self.stop) if isinstance(edge, TimeEdge))

    @property
    def text(self) -> str:
        """The canonical spelling, which :func:`parse_range` reads to the same value."""
        if self.last is not None:
            return f"-{self.last}"
        return f"{self.start.text if self.start else ''}:{self.stop.text if self.stop else ''}"


def parse_range(text: str) -> LogRange:
    """Reads ``START:STOP``, either of which may be empty and both of which are offsets or times, or ``-N``.

    Raises:
        UsageError: not of that form, or a range that holds nothing.
    """
    if last := _LAST.fullmatch(text):
        if int(last[1]) == 0:
            raise UsageError(f"range {quoted(text)} holds nothing; {_FORM}")
        return LogRange(last=int(last[1]))
    found = _RANGE.fullmatch(text)
    if found is None:
        raise UsageError(f"range {quoted(text)} is no range; {_FORM}")
    if not found[1] and not found[2]:
        raise UsageError(f"range {quoted(text)} names neither a start nor a stop; {_FORM}")
    try:
        start, stop = (_edge(part) for part in found.groups())
    except UsageError as error:
        raise UsageError(f"range {quoted(text)} has an edge that is none, since {error}") from error
    match start, stop:
        case (OffsetEdge(first), OffsetEdge(last_)) | (TimeEdge(first), TimeEdge(last_)) if first >= last_:
            raise UsageError(f"range {quoted(text)} ends where it starts or before; {_FORM}")
        case _:
            return LogRange(start, stop)


def _edge(text: str | None) -> Edge | None:
    if not text:
        return None
    return TimeEdge(parse_time_ms(text)) if text.startswith("@") else OffsetEdge(int(text))
