"""Choices of partitions such as ``0,3-5``."""

from __future__ import annotations

import re
from itertools import groupby

from kcompare.errors import UsageError
from kcompare.settings.quoting import quoted

MAX_PARTITION = (1 << 31) - 1
"""A partition index is an int32 on the wire."""

MAX_PARTITIONS = 1_000_000
"""More than any cluster hosts; a limit so that ``0-2147483647`` is a sentence and not all memory."""

_FORM = "write partitions such as 0,3-5"
_RANGE = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", re.ASCII)


def parse_partitions(text: str) -> tuple[int, ...]:
    """Reads partition numbers and inclusive ranges; the result is sorted, each partition once.

    Raises:
        UsageError: an entry that is neither, a range that ends before it starts, or a number no topic has.
    """
    chosen: set[int] = set()
    for entry in text.split(","):
        place = f"partitions {quoted(text)} hold {quoted(entry)}"
        found = _RANGE.fullmatch(entry)
        if found is None:
            raise UsageError(f"{place}, which is no number or range; {_FORM}")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UsageError(f"{place}, which ends before it starts; {_FORM}")
        if last > MAX_PARTITION or last - first >= MAX_PARTITIONS or len(chosen) > MAX_PARTITIONS:
            raise UsageError(f"{place}, which no topic can have; {_FORM}")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def format_partitions(partitions: tuple[int, ...]) -> str:
    """The shortest text that :func:`parse_partitions` reads to these partitions, which have to be sorted."""
    runs = groupby(enumerate(partitions), key=lambda pair: pair[1] - pair[0])
    return ",".join(_run([partition for _, partition in run]) for _, run in runs)


def _run(run: list[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
