"""A hot copy of a broker's data folder, its restore, and segment files that get lost on the way."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.kafka.broker import Broker

TRIES = 10
SEGMENT_FILES = (".log", ".index", ".timeindex", ".txnindex")


class Segment(NamedTuple):
    """A segment by the offsets of its records; the last one of a log has no end on disk."""

    base_offset: int
    next_base_offset: int | None


def hot_copy(
    source: Path, target: Path, *, before: Callable[[str], None], key: Callable[[Path], Any] | None = None
) -> None:
    """Copies a data folder with `cp -r` while its broker runs, one entry of it after the other.

    So every partition is captured at a moment of its own, as when each one lies on another volume.

    Args:
        source: The data folder.
        target: Where the copy goes; must not exist.
        before: Is called with the name of each entry before that is copied.
        key: What the entries are sorted by, if not by their names.
    """
    target.mkdir()
    for entry in sorted(source.iterdir(), key=key):
        before(entry.name)
        _copy(entry, target / entry.name)


def _copy(source: Path, target: Path) -> None:
    """Copies an entry that still exists; `cp` objects when the broker replaces a checkpoint file under it."""
    complaint = ""
    for _ in range(TRIES):
        if not source.exists():
            return
        done = subprocess.run(["/bin/cp", "-r", str(source), str(target)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        complaint = done.stderr
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
    raise RuntimeError(f"{source} could not be copied in {TRIES} tries: {complaint}")


def restore(broker: Broker, copy: Path) -> None:
    """Puts a copy in the place of a stopped broker's data: the same path, ports and settings, other contents."""
    if broker.pid is not None:
        raise RuntimeError(f"broker {broker.name} still runs as process {broker.pid}: stop it before its data go")
    shutil.rmtree(broker.log_dir)
    shutil.copytree(copy, broker.log_dir)


def segments(log_dir: Path, topic: str, partition: int) -> list[Segment]:
    """Returns the segments of a partition, oldest first."""
    bases = sorted(int(file.stem) for file in (log_dir / f"{topic}-{partition}").glob("*.log"))
    return [Segment(base, following) for base, following in zip(bases, [*bases[1:], None], strict=True)]


def remove_segment(log_dir: Path, topic: str, partition: int, segment: Segment) -> None:
    """Removes the segment's file and its indexes from the data folder of a stopped broker."""
    folder = log_dir / f"{topic}-{partition}"
    (folder / f"{segment.base_offset:020d}.log").unlink()
    for suffix in SEGMENT_FILES[1:]:
        (folder / f"{segment.base_offset:020d}{suffix}").unlink(missing_ok=True)
