"""Partition directories that take the place of those of a stopped broker, which then starts on them as on its own."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

RECOVERY_POINT = "recovery-point-offset-checkpoint"
LOG_START = "log-start-offset-checkpoint"
HIGH_WATERMARK = "replication-offset-checkpoint"
CLEANER = "cleaner-offset-checkpoint"
CHECKPOINTS = (RECOVERY_POINT, LOG_START, HIGH_WATERMARK, CLEANER)
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
METADATA = "partition.metadata"


class Place(NamedTuple):
    """A partition in a log directory."""

    root: Path
    topic: str
    partition: int

    @property
    def directory(self) -> Path:
        """Its directory."""
        return self.root / f"{self.topic}-{self.partition}"


def read_checkpoint(path: Path) -> dict[tuple[str, int], int]:
    """The offsets of a checkpoint file; none where there is no file."""
    found = {}
    for line in path.read_text().splitlines()[2:] if path.exists() else ():
        topic, partition, offset = line.split(" ")
        found[topic, int(partition)] = int(offset)
    return found


def set_checkpoints(root: Path, name: str, offsets: Mapping[tuple[str, int], int | None]) -> None:
    """Writes entries into a checkpoint file beside those of other partitions; None takes one out."""
    entries = {**read_checkpoint(root / name), **offsets}
    lines = [f"{topic} {partition} {offset}\n" for (topic, partition), offset in entries.items() if offset is not None]
    (root / name).write_text(f"0\n{len(lines)}\n{''.join(lines)}")


def epoch_starts(directory: Path) -> list[tuple[int, int]]:
    """The leader epochs of a partition's `leader-epoch-checkpoint`, and where each begins."""
    lines = (directory / "leader-epoch-checkpoint").read_text().splitlines()[2:]
    return [(int(epoch), int(offset)) for epoch, offset in (line.split(" ") for line in lines)]


def graft(pairs: Iterable[tuple[Place, Place]]) -> None:
    """Copies partition directories over those of a stopped broker, with what the checkpoints say of them.

    A directory keeps the topic id of the place that it takes, or the broker would set it aside.

    Args:
        pairs: What is copied, and over which partition.
    """
    changes: dict[tuple[Path, str], dict[tuple[str, int], int | None]] = {}
    for source, target in pairs:
        identity = (target.directory / METADATA).read_text()
        shutil.rmtree(target.directory)
        shutil.copytree(source.directory, target.directory)
        (target.directory / METADATA).write_text(identity)
        for name in CHECKPOINTS:
            offset = read_checkpoint(source.root / name).get(source[1:])
            changes.setdefault((target.root, name), {})[target[1:]] = offset
    for (root, name), offsets in changes.items():
        set_checkpoints(root, name, offsets)


def contents(folder: Path) -> dict[str, tuple[str, int, int]]:
    """What each file of a folder holds, as a digest, with its size and its time of modification."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_size,
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
