"""Logs that a broker has written, and what can happen to their files before the next start."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.grafts import METADATA
from tests.integration.kafka.batches import encode_batch
from tests.integration.partition_dirs import sound_batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Harm = Callable[[Path, "Layout"], None]

RECORDS, BATCH = 3600, 20
VALUE_BYTES = 1000
FIRST_MS = 1_700_000_000_000
TORN_BYTES = 37


class Layout(NamedTuple):
    """The base offsets of a log's segments, and where it ends."""

    bases: list[int]
    end: int


class Case(NamedTuple):
    """One damaged partition.

    Attributes:
        source: the topic whose log is damaged.
        harm: what is done to the copy.
        recovery_point: where, as a segment of the log; 0 is everything past it, -1 is the end of the log.
        clean: the log directory has the marker of a clean shutdown.
        log_start: the log-start checkpoint, as an offset from the end of the log.
    """

    name: str
    source: str
    harm: Harm
    recovery_point: int = 0
    clean: bool = False
    log_start: int | None = None

    def recovery_offset(self, layout: Layout) -> int:
        """The recovery point."""
        return layout.end if self.recovery_point == -1 else layout.bases[self.recovery_point]


def layout_of(directory: Path) -> Layout:
    """The layout of a sound log."""
    return Layout(
        [int(path.stem) for path in sorted(directory.glob("*.log"))],
        max(batch.next_offset for batch in sound_batches(directory)),
    )


def batches(count: int = RECORDS) -> list[bytes]:
    """What fills four segments of a mebibyte."""
    chance = random.Random(20_261_125)
    rows = [(b"key-%d" % (at % 97), chance.randbytes(VALUE_BYTES), (), FIRST_MS + at) for at in range(count)]
    return [encode_batch(rows[at : at + BATCH]) for at in range(0, count, BATCH)]


def _file(directory: Path, base: int, suffix: str = ".log") -> Path:
    return directory / f"{base:020d}{suffix}"


def nothing(_: Path, __: Layout) -> None:
    """Leaves everything as it is."""


def without_segment(place: int) -> Harm:
    """A segment is gone, with its indexes."""

    def harm(directory: Path, layout: Layout) -> None:
        for suffix in (".log", ".index", ".timeindex", ".txnindex"):
            _file(directory, layout.bases[place], suffix).unlink(missing_ok=True)

    return harm


def swapped(directory: Path, layout: Layout) -> None:
    """The second and the third segment have each other's names."""
    for suffix in (".log", ".index", ".timeindex"):
        one, two = (_file(directory, base, suffix) for base in layout.bases[1:3])
        aside = one.with_suffix(".aside")
        one.rename(aside)
        two.rename(one)
        aside.rename(two)


def cut(place: int, keep: Callable[[int], int]) -> Harm:
    """A segment file ends early."""

    def harm(directory: Path, layout: Layout) -> None:
        path = _file(directory, layout.bases[place])
        with path.open("r+b") as file:
            file.truncate(keep(path.stat().st_size))

    return harm


torn = cut(-1, lambda size: size - TORN_BYTES)


def zero_tail(directory: Path, layout: Layout) -> None:
    """Blocks were given to the file and never written."""
    with _file(directory, layout.bases[-1]).open("ab") as file:
        file.write(bytes(8192))


def flipped(place: int) -> Harm:
    """A bit in the middle of a segment is another one."""

    def harm(directory: Path, layout: Layout) -> None:
        path = _file(directory, layout.bases[place])
        batch = [each for each in sound_batches(directory) if each.file == path.name]
        data = bytearray(path.read_bytes())
        data[batch[len(batch) // 2].end - 5] ^= 1
        path.write_bytes(data)

    return harm


def without_index(place: int) -> Harm:
    """An offset index is gone."""
    return lambda directory, layout: _file(directory, layout.bases[place], ".index").unlink()


def garbage_index(place: int) -> Harm:
    """An offset index leads behind the end of its file."""

    def harm(directory: Path, layout: Layout) -> None:
        _file(directory, layout.bases[place], ".index").write_bytes(bytes.fromhex("0000000100f0f0f0") * 5)

    return harm


def both(first: Harm, second: Harm) -> Harm:
    """One after the other."""

    def harm(directory: Path, layout: Layout) -> None:
        first(directory, layout)
        second(directory, layout)

    return harm


def unfinished_compaction(directory: Path, layout: Layout) -> None:
    """The cleaner was about to put one file in the place of the first segment, and writes the next."""
    first, second = layout.bases[:2]
    for suffix in (".log", ".index", ".timeindex"):
        path = _file(directory, first, suffix)
        path.rename(path.with_name(path.name + ".swap"))
    _file(directory, second, ".log.cleaned").write_bytes(b"not yet")
    _file(directory, layout.end + 7, ".log.deleted").write_bytes(b"no longer")


def without_topic_id(directory: Path, _: Layout) -> None:
    """The file with the topic's id is gone."""
    (directory / METADATA).unlink()


PLAIN, COMPACTED, TRANSACTIONAL = "plain", "compacted", "transactional"

CASES = (
    Case("nothing", PLAIN, nothing),
    Case("nothing, clean", PLAIN, nothing, -1, clean=True),
    Case("first segment deleted before the recovery point", PLAIN, without_segment(0), -1),
    Case("first segment deleted past the recovery point", PLAIN, without_segment(0), 0),
    Case("middle segment deleted before the recovery point", PLAIN, without_segment(1), -1),
    Case("middle segment deleted past the recovery point", PLAIN, without_segment(1), 0),
    Case("last segment deleted before the recovery point", PLAIN, without_segment(-1), -1),
    Case("last segment deleted past the recovery point", PLAIN, without_segment(-1), -2),
    Case("last segment deleted, clean", PLAIN, without_segment(-1), -1, clean=True),
    Case("two segments swapped before the recovery point", PLAIN, swapped, -1),
    Case("torn tail past the recovery point", PLAIN, torn, 1),
    Case("torn tail at the recovery point", PLAIN, torn, -1),
    Case("clean-shutdown marker beside a torn tail", PLAIN, torn, -1, clean=True),
    Case("zero tail past the recovery point", PLAIN, zero_tail, 1),
    Case("byte flipped before the recovery point", PLAIN, flipped(1), -1),
    Case("byte flipped past the recovery point", PLAIN, flipped(1), 0),
    Case("byte flipped in the last segment", PLAIN, flipped(-1), 1),
    Case("last segment cut to a half", PLAIN, cut(-1, lambda size: size // 2), 1),
    Case("middle segment cut to a half past the recovery point", PLAIN, cut(1, lambda size: size // 2), 0),
    Case("middle segment cut to a half before the recovery point", PLAIN, cut(1, lambda size: size // 2), -1),
    Case("index missing, clean", PLAIN, without_index(1), -1, clean=True),
    Case("index missing beside a flipped byte, clean", PLAIN, both(flipped(1), without_index(1)), -1, clean=True),
    Case("index garbage past the recovery point", PLAIN, garbage_index(1), 0),
    Case("last index garbage, clean", PLAIN, garbage_index(-1), -1, clean=True),
    Case("log-start checkpoint above the end", PLAIN, nothing, 0, log_start=5),
    Case("topic id missing", PLAIN, without_topic_id),
    Case("compacted, torn", COMPACTED, torn, 0),
    Case("compacted, byte flipped", COMPACTED, flipped(-1), 0),
    Case("compacted, compaction not finished", COMPACTED, unfinished_compaction, 0),
    Case("transactional, torn", TRANSACTIONAL, torn, 0),
    Case("transactional, byte flipped", TRANSACTIONAL, flipped(1), 0),
    Case("transactional, middle segment deleted", TRANSACTIONAL, without_segment(1), -1),
)

REFUSED = {
    Case("two segments swapped past the recovery point", PLAIN, swapped, 0): (
        "Split operation is only permitted for segments with overflow"
    ),
    Case("clean-shutdown marker beside a zero tail", PLAIN, zero_tail, -1, clean=True): "CorruptRecordException",
}
"""Cases that no broker survives, and what both the broker and the simulation say of them."""
