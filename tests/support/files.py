"""Log directories as a broker writes them, with the batches of model logs in their segments."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kcompare.model import View

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tests.support.logs import Log


def log_directory(path: Path, *, node_id: int = 1, cluster_id: str = "cluster") -> Path:
    """Makes a log directory without a partition: a broker ran on it and was not shut down."""
    path.mkdir(parents=True)
    (path / "meta.properties").write_text(f"version=1\ncluster.id={cluster_id}\nnode.id={node_id}\n")
    for name in ("recovery-point", "log-start", "replication", "cleaner"):
        (path / f"{name}-offset-checkpoint").write_text("0\n0\n")
    return path


def checkpoint(path: Path, name: str, offsets: dict[tuple[str, int], int]) -> None:
    """Writes a file of offsets by partition."""
    lines = [f"{topic} {partition} {offset}" for (topic, partition), offset in offsets.items()]
    (path / f"{name}-offset-checkpoint").write_text("\n".join(["0", str(len(lines)), *lines, ""]))


def segment(path: Path, topic: str, partition: int, base_offset: int) -> Path:
    """A segment file."""
    return path / f"{topic}-{partition}" / f"{base_offset:020}.log"


def store(
    path: Path, log: Log, *, topic: str = "t", partition: int = 0, rolls: Collection[int] = (), id_: bytes | None = None
) -> None:
    """Writes a partition; ``rolls`` are the numbers of batches that begin a segment."""
    folder = path / f"{topic}-{partition}"
    folder.mkdir()
    if id_ is not None:
        text = base64.urlsafe_b64encode(id_).decode().rstrip("=")
        (folder / "partition.metadata").write_text(f"version: 0\ntopic_id: {text}")
    base = log.spans[0][0] if log.spans else log.end
    files: dict[int, list[bytes]] = {base: []}
    for number, (frame, (start, _)) in enumerate(zip(log.frames, log.spans, strict=True)):
        if number in rolls:
            base = start
        files.setdefault(base, []).append(frame)
    for base_offset, frames in files.items():
        segment(path, topic, partition, base_offset).write_bytes(b"".join(frames))


def topic_view(paths: Sequence[Path], topic: str = "t") -> View:
    """The view of a topic in log directories."""
    items = ",".join(f"{path}/{topic}" for path in paths)
    return View(f"logdir:{items}", "logdir", topic, paths=tuple(map(str, paths)))
