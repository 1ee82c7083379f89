"""What a broker's start would make of a partition of a log directory, and what was left in it before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.check_model import CheckEffect, CheckFinding, CheckKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare import _native
    from kcompare.check_model import StartReport


def inspected(
    native: _native.LogDirs, topic: str, partition: int
) -> tuple[tuple[CheckFinding, ...], StartReport | None]:
    """Everything that is to be said of a partition without reading its records."""
    return tuple(_set_aside(native, topic, partition)), None


def _set_aside(native: _native.LogDirs, topic: str, partition: int) -> Iterator[CheckFinding]:
    """Directories that carry the partition's name and that a broker would not serve."""
    for path, name, number, kind in native.set_aside():
        if (name, number) == (topic, partition):
            yield CheckFinding(
                CheckKind.SET_ASIDE,
                CheckEffect.INFORMATION,
                topic,
                partition,
                reason=kind,
                path=path,
                detail=_WORDS.get(kind, "a broker does not serve it"),
            )


_WORDS = {
    "delete": "a broker deletes this directory when it starts",
    "future": "a broker was about to move the partition here, and has not finished",
    "stray": "a broker set this directory aside, because it was not to host the partition",
}
