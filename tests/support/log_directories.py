"""Log directories on disk, as a broker writes them: for what is made of real files, read by the real module."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcompare.model import View
from tests.support.clusters import topic_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tests.support.logs import Log

CHECKPOINTS = {
    "recovery": "recovery-point-offset-checkpoint",
    "start": "log-start-offset-checkpoint",
    "watermark": "replication-offset-checkpoint",
    "cleaner": "cleaner-offset-checkpoint",
}


def spelled(id_: bytes) -> str:
    """A topic id as Kafka writes it."""
    return urlsafe_b64encode(id_).decode().rstrip("=")


@dataclass
class LogDirectory:
    """One log directory, made when the first topic is put into it."""

    path: Path
    cluster_id: str = "cluster"
    node_id: int = 1
    offsets: dict[str, dict[tuple[str, int], int]] = field(default_factory=lambda: {name: {} for name in CHECKPOINTS})

    def __post_init__(self) -> None:
        """Makes the directory."""
        self.path.mkdir(parents=True)
        (self.path / "meta.properties").write_text(
            f"#\n#Mon Nov 23 04:00:00 UTC 2026\ncluster.id={self.cluster_id}\n"
            f"directory.id={spelled(uuid.uuid4().bytes)}\nnode.id={self.node_id}\nversion=1\n"
        )
        self.write_checkpoints()

    def create(
        self,
        logs: Sequence[Log],
        topic: str = "t",
        *,
        id_: bytes | None = None,
        hosts: Iterable[int] | None = None,
        segment: int = 5,
    ) -> View:
        """Puts partitions of a topic here, ``segment`` batches in each file; ``hosts`` are their numbers."""
        id_ = id_ or topic_id()
        for partition, log in zip(range(len(logs)) if hosts is None else hosts, logs, strict=False):
            self.write(topic, partition, log, id_, segment)
        self.write_checkpoints()
        return self.view(topic)

    def write(self, topic: str, partition: int, log: Log, id_: bytes, segment: int) -> None:
        """Writes the files of one partition."""
        directory = self.directory(topic, partition)
        directory.mkdir()
        (directory / "partition.metadata").write_text(f"version: 0\ntopic_id: {spelled(id_)}\n")
        (directory / "leader-epoch-checkpoint").write_text(f"0\n1\n0 {log.log_start_offset}\n")
        frames = list(zip(log.spans, log.frames, strict=True))
        for begin in range(0, max(len(frames), 1), segment):
            part = frames[begin : begin + segment]
            base = part[0][0][0] if part else log.log_start_offset
            file = self.segment(topic, partition, base)
            file.write_bytes(b"".join(frame for _, frame in part))
            for suffix in (".index", ".timeindex"):
                file.with_suffix(suffix).touch()
        first = frames[0][0][0] if frames else log.log_start_offset
        if log.log_start_offset > first:
            self.offsets["start"][topic, partition] = log.log_start_offset

    def write_checkpoints(self) -> None:
        """Writes every checkpoint file anew."""
        for kind, name in CHECKPOINTS.items():
            lines = [f"{topic} {partition} {at}" for (topic, partition), at in sorted(self.offsets[kind].items())]
            (self.path / name).write_text("".join(f"{line}\n" for line in ("0", len(lines), *lines)))

    def checkpoint(self, kind: str, offset: int, topic: str = "t", partition: int = 0) -> None:
        """Writes an offset into one of the checkpoint files."""
        self.offsets[kind][topic, partition] = offset
        self.write_checkpoints()

    def shut_down(self) -> None:
        """Marks the directory as that of a broker that was shut down in order."""
        (self.path / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":5}')

    def directory(self, topic: str = "t", partition: int = 0) -> Path:
        """The directory of a partition."""
        return self.path / f"{topic}-{partition}"

    def segment(self, topic: str = "t", partition: int = 0, base_offset: int = 0) -> Path:
        """A segment file."""
        return self.directory(topic, partition) / f"{base_offset:020}.log"

    def segments(self, topic: str = "t", partition: int = 0) -> list[Path]:
        """All segment files of a partition, oldest first."""
        return sorted(self.directory(topic, partition).glob("*.log"))

    def remove_segment(self, number: int, topic: str = "t", partition: int = 0) -> None:
        """Removes a segment file and its indexes."""
        file = self.segments(topic, partition)[number]
        for one in (file, file.with_suffix(".index"), file.with_suffix(".timeindex")):
            one.unlink()

    def view(self, topic: str = "t", *others: LogDirectory) -> View:
        """The view of a topic here, and in other log directories of the broker; of all topics with an empty name."""
        paths = tuple(str(one.path) for one in (self, *others))
        text = "logdir:" + ",".join(f"{path}/{topic}" for path in paths)
        return View(text, "logdir", topic, paths=paths)


def flip(path: Path, at: int, bit: int = 1) -> None:
    """Flips a bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= bit
    path.write_bytes(data)
