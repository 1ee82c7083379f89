"""What segment files look like from outside, to tell whether they changed while they were read.

A log directory should be at rest, and nobody answers for one that is not: a running broker appends, rolls, deletes and
compacts. Size, inode, modification and change time of every segment file are taken before anything is read and held
against those at the end. The change time (ctime) moves with every write and cannot be set back by a copying tool.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kcompare.model import OffsetRange

# A segment, or one that a broker would take into use when it starts.
_SEGMENT = re.compile(r"([0-9]{20})\.log(\.swap)?", re.ASCII)

Look = tuple[int, int, int, int]
"""Device-less identity of a file: inode, size, mtime and ctime in nanoseconds."""

Footprint = dict[str, Look]
"""The segment files of one partition, by name."""


def footprint_of(path: str) -> Footprint:
    """Looks at the segment files of a partition's directory; one that goes away meanwhile is not in the answer.

    Raises:
        OSError: the directory cannot be listed.
    """
    found: Footprint = {}
    with os.scandir(path) as entries:
        for entry in entries:
            if not _SEGMENT.fullmatch(entry.name):
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            found[entry.name] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def changed_within(before: Footprint, now: Footprint, planned: OffsetRange) -> str | None:
    """The first file with planned offsets that is no longer what it was, as a clause; None without one."""
    for name, start, stop in _spans({**before, **now}):
        if start >= planned.stop or stop <= planned.start or before.get(name) == now.get(name):
            continue
        if name not in now:
            return f"segment file {name} is gone"
        return f"segment file {name} is new" if name not in before else f"segment file {name} was written to"
    return None


def _spans(names: Mapping[str, Look]) -> Iterator[tuple[str, int, float]]:
    """The offsets that each file may hold: from its own base offset up to the next one."""
    bases = sorted({_base(name) for name in names})
    following: dict[int, float] = dict(zip(bases, [*bases, float("inf")][1:], strict=True))
    for name in sorted(names):
        yield name, _base(name), following[_base(name)]


def _base(name: str) -> int:
    return int(name.partition(".")[0])
