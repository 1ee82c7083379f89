"""Durations, sizes and times with their units: ``30s``, ``64MiB``, ``@2026-11-01T00:00:00Z``.

Durations are whole milliseconds, as Kafka's timestamps are; sizes are bytes; times are milliseconds since
the epoch.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from kcompare.errors import UsageError
from kcompare.settings.quoting import quoted

MAX_DURATION_MS = 3_650 * 86_400_000
"""Ten years: longer than any retention that can be meant, and far from where arithmetic on i64 ends."""

MAX_SIZE_BYTES = 1 << 50

_DURATION_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
# At most 18 digits, and 9 behind the point: no number of these overflows or takes long to read.
_QUANTITY = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?([A-Za-z]*)", re.ASCII)
_TIME = re.compile(r"@([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,3}))?Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration_ms(text: str) -> int:
    """Reads a duration such as ``250ms``, ``1.5s``, ``5m``, ``2h`` or ``7d`` as whole milliseconds.

    Raises:
        UsageError: no number, no unit, not a whole number of milliseconds, or over ten years.
    """
    form = "write a number with ms, s, m, h or d, such as 30s"
    milliseconds = _quantity(text, _DURATION_UNITS, what="duration", form=form)
    if milliseconds > MAX_DURATION_MS:
        raise UsageError(f"duration {quoted(text)} is over ten years; {form}")
    return milliseconds


def parse_size_bytes(text: str) -> int:
    """Reads a size such as ``64MiB`` (1024s) or ``200MB`` (1000s) as bytes.

    Raises:
        UsageError: no number, no unit, not a whole number of bytes, or over 1 PiB.
    """
    form = "write a number with B, kB, MB, GB, KiB, MiB or GiB, such as 64MiB"
    size = _quantity(text, _SIZE_UNITS, what="size", form=form)
    if size > MAX_SIZE_BYTES:
        raise UsageError(f"size {quoted(text)} is over 1 PiB; {form}")
    return size


def parse_rate_bytes(text: str) -> int:
    """Reads a rate such as ``200MB/s`` as bytes a second.

    Raises:
        UsageError: no size with ``/s`` behind it, or none at all.
    """
    form = "write a size a second, such as 200MB/s"
    size, slash, unit = text.partition("/")
    if not slash or unit != "s":
        raise UsageError(f"rate {quoted(text)} does not end in '/s'; {form}")
    try:
        rate = parse_size_bytes(size)
    except UsageError as error:
        raise UsageError(f"rate {quoted(text)} holds no size, since {error}") from error
    if rate == 0:
        raise UsageError(f"rate {quoted(text)} never reads anything; {form}")
    return rate


def parse_time_ms(text: str) -> int:
    """Reads a UTC time such as ``@2026-11-01T00:00:00Z`` as milliseconds since the epoch.

    Raises:
        UsageError: not of that form, no such day or hour, or before 1970.
    """
    problem = f"time {quoted(text)} is no UTC time; write one such as @2026-11-01T00:00:00Z"
    found = _TIME.fullmatch(text)
    if found is None:
        raise UsageError(problem)
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    milliseconds = int((found[7] or "0").ljust(3, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, second, milliseconds * 1_000, tzinfo=UTC)
    except ValueError as error:
        raise UsageError(problem) from error
    if moment < _EPOCH:
        raise UsageError(f"time {quoted(text)} lies before 1970, where timestamps begin; name a later one")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def format_duration(milliseconds: int) -> str:
    """The duration in the largest unit that holds it exactly: ``30s``, ``5m``, ``1500ms``."""
    return _format(milliseconds, _DURATION_UNITS, zero="0s")


def format_size(size_bytes: int) -> str:
    """The size in the largest unit that holds it exactly: ``64MiB``, ``200MB``, ``1001B``."""
    return _format(size_bytes, _SIZE_UNITS, zero="0B")


def format_time(time_ms: int) -> str:
    """The UTC time as :func:`parse_time_ms` reads it, with milliseconds only where there are some."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return f"@{moment.isoformat(timespec='milliseconds').removesuffix('+00:00').removesuffix('.000')}Z"


def _quantity(text: str, units: dict[str, int], *, what: str, form: str) -> int:
    """A number with one of the units, as a whole number of the smallest."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise UsageError(f"{what} {quoted(text)} is no number with a unit; {form}")
    whole, fraction, unit = found[1], found[2] or "", found[3]
    if not unit:
        raise UsageError(f"{what} {quoted(text)} has no unit; {form}")
    if unit not in units:
        raise UsageError(f"{what} {quoted(text)} has the unknown unit {quoted(unit)}; {form}")
    # Integers only: a float would turn 0.3s into 299 ms.
    value, rest = divmod(int(whole + fraction) * units[unit], int(10 ** len(fraction)))
    if rest:
        smallest = min(units, key=lambda name: units[name])
        raise UsageError(f"{what} {quoted(text)} is not a whole number of {smallest}; {form}")
    return value


def _format(value: int, units: dict[str, int], *, zero: str) -> str:
    if value == 0:
        return zero
    unit = max((name for name in units if value % units[name] == 0), key=lambda name: units[name])
    return f"{value // units[unit]}{unit}"
