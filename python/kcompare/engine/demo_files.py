"""The log directory of a broker, file by file, as the demo needs one."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SEGMENT_OFFSETS = 1000
"""Offsets of a segment; real ones are rolled by size, and hold far more."""

CHECKPOINTS = {
    "recovery-point-offset-checkpoint": "recovery_points",
    "replication-offset-checkpoint": "high_watermarks",
    "log-start-offset-checkpoint": "",
    "cleaner-offset-checkpoint": "",
}
"""The checkpoint files of a log directory, and which offsets of a side are in them."""


@dataclass(frozen=True, slots=True)
class Side:
    """What a log directory holds.

    Attributes:
        logs: for each partition its batches, with their base offsets.
        lost: partition and base offset of segments whose files are not there.
        clean: it carries the mark of a clean shutdown.
    """

    root: Path
    topic: str
    cluster_id: str
    node_id: int
    logs: tuple[list[tuple[int, bytes]], ...]
    stops: tuple[int, ...]
    recovery_points: tuple[int, ...]
    high_watermarks: tuple[int, ...]
    lost: tuple[tuple[int, int], ...] = ()
    clean: bool = False


def write(side: Side) -> None:
    """Writes the directory, which must not be there yet."""
    side.root.mkdir()
    directory_id = uuid.uuid5(uuid.NAMESPACE_URL, side.cluster_id)
    _text(
        side.root / "meta.properties",
        (
            "#",
            "version=1",
            f"cluster.id={side.cluster_id}",
            f"node.id={side.node_id}",
            f"directory.id={_id(directory_id)}",
        ),
    )
    for name, offsets in CHECKPOINTS.items():
        entries = [f"{side.topic} {number} {at}" for number, at in enumerate(getattr(side, offsets) if offsets else ())]
        _text(side.root / name, ("0", str(len(entries)), *entries))
    if side.clean:
        _text(side.root / ".kafka_cleanshutdown", ('{"version":0,"brokerEpoch":1}',))
    for number, log in enumerate(side.logs):
        _partition(side, number, log)


def _partition(side: Side, number: int, log: Sequence[tuple[int, bytes]]) -> None:
    path = side.root / f"{side.topic}-{number}"
    path.mkdir()
    _text(path / "partition.metadata", ("version: 0", f"topic_id: {_id(uuid.uuid5(uuid.NAMESPACE_URL, side.topic))}"))
    _text(path / "leader-epoch-checkpoint", ("0", "1", "0 0"))
    segments: dict[int, tuple[int, list[bytes]]] = {}
    for base_offset, batch in log:
        _, batches = segments.setdefault(base_offset // SEGMENT_OFFSETS, (base_offset, []))
        batches.append(batch)
    # A log without a record has a segment all the same.
    for base_offset, batches in segments.values() or [(0, [])]:
        if (number, base_offset) in side.lost:
            continue
        (path / f"{base_offset:020}.log").write_bytes(b"".join(batches))
        for suffix in (".index", ".timeindex"):
            (path / f"{base_offset:020}{suffix}").touch()


def _id(value: uuid.UUID) -> str:
    """An id as Kafka writes it: base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(value.bytes).decode().rstrip("=")


def _text(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
