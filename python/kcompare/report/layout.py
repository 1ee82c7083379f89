"""Numbers, lists and tables as people read them, in ASCII, so that a log file in any encoding keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kcompare.report.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_TIMESTAMP_MS = 253_402_300_799_999  # the end of the year 9999, where datetime ends
_STEP = 1000
_MINUTE, _HOUR = 60, 3600


def number(value: int) -> str:
    """A count with separators. Offsets never get them: an offset is something to paste."""
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """A count with its noun: ``1 record``, ``2 records``."""
    return f"{number(value)} {noun}" if value == 1 else f"{number(value)} {noun}s"


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *front, last = list(words) or [""]
    return f"{', '.join(front)} and {last}" if front else last


def size(size_bytes: float) -> str:
    """Bytes in decimal units with one digit behind the point."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if abs(size_bytes) < _STEP:
            break
        size_bytes /= _STEP
        unit = larger
    return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"


def seconds(value: float) -> str:
    """A duration: ``0.3 s``, ``42.0 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if value < _MINUTE:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"


def milliseconds(value: int) -> str:
    """A difference of timestamps to the millisecond, where it is short enough for that to be of use."""
    return f"{value / _STEP:.3f} s" if abs(value) < _MINUTE * _STEP else seconds(value / _STEP)


def timestamp(value: int | None) -> str:
    """A record's timestamp in UTC. Kafka stores any 64 bits, so what is no date is shown as its number."""
    if value is None or value == -1:
        return "none"
    if not 0 <= value <= _LAST_TIMESTAMP_MS:
        return f"{value} ms"
    moment = _EPOCH + timedelta(milliseconds=value)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left_aligned: Iterable[int] = ()) -> list[str]:
    """Lines of aligned columns with two spaces between them; columns are right-aligned unless named."""
    cells = [[sanitize(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    to_the_left = set(left_aligned)
    return [
        "  ".join(
            cell.ljust(width) if column in to_the_left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def first_lines(lines: Sequence[str], limit: int, more: str) -> list[str]:
    """At most ``limit`` lines, and one that says how many were left out, so that none goes in silence."""
    if len(lines) <= limit:
        return list(lines)
    return [*lines[:limit], f"and {number(len(lines) - limit)} more; {more}"]
