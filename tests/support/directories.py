"""Log directories whose records come from a broker of this process: for what the engine makes of a directory.

The files are there, with names and times, and hold nothing. What the native module would find in them a test says here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kcompare import _native
from kcompare.errors import UsageError
from kcompare.model import View
from tests.support.clusters import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from tests.support.logs import Log

LIMIT_MS = 1_000


@dataclass
class Directory:
    """One log directory.

    Attributes:
        bounds: what the bounds of a partition say otherwise than its log does.
        cleaned_to: what the cleaner's checkpoint says of every partition.
    """

    path: Path
    cluster: FakeCluster
    cluster_id: str | None = "cluster"
    node_id: int | None = 1
    cleaned_to: int | None = None
    partitions: dict[str, list[int]] = field(default_factory=dict)
    bounds: dict[int, dict[str, Any]] = field(default_factory=dict)
    aside: list[tuple[str, str, int, str]] = field(default_factory=list)

    def create(
        self, logs: Sequence[Log], topic: str = "t", *, id_: bytes | None = None, hosts: Sequence[int] | None = None
    ) -> View:
        """Puts partitions of a topic here; ``hosts`` are their numbers."""
        self.cluster.create(logs, topic=topic, id_=id_)
        self.partitions[topic] = list(range(len(logs))) if hosts is None else list(hosts)
        (self.path / "cleaner-offset-checkpoint").write_text("0\n0\n")
        for partition in self.partitions[topic]:
            self.directory(topic, partition).mkdir()
            self.segment(topic, partition).touch()
        return self.view(topic)

    def directory(self, topic: str, partition: int) -> Path:
        """The directory of a partition."""
        return self.path / f"{topic}-{partition}"

    def segment(self, topic: str, partition: int, base_offset: int = 0) -> Path:
        """A segment file."""
        return self.directory(topic, partition) / f"{base_offset:020}.log"

    def view(self, topic: str = "t") -> View:
        """The view of a topic here; of all of them with an empty name."""
        return View(f"logdir:{self.path}/{topic}", "logdir", topic, paths=(str(self.path),))


class Disk:
    """Every log directory of a test, where the native module would look for them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self._root = root
        self._found: dict[str, Directory] = {}
        monkeypatch.setattr(_native, "LogDirs", self._open, raising=False)

    def directory(self, name: str, **options: Any) -> Directory:
        """Makes a log directory."""
        path = self._root / name
        path.mkdir()
        found = Directory(path, FakeCluster(name), **options)
        self._found[str(path)] = found
        return found

    def close(self) -> None:
        """Stops what serves the records."""
        for found in self._found.values():
            found.cluster.broker.stop()

    def _open(self, *, paths: Sequence[str], cancel: _native.CancelToken, rate_limit: Any = None) -> _Native:
        (path,) = paths
        found = self._found.get(path) or self._found.get(str(Path(path).resolve()))
        if found is None:
            raise UsageError(f"{path!r} is no log directory")
        return _Native(found, cancel, rate_limit)


class _Native:
    """``_native.LogDirs`` over a broker."""

    def __init__(self, directory: Directory, cancel: _native.CancelToken, rate_limit: Any) -> None:
        self._directory = directory
        self._cluster = _native.Cluster(
            bootstrap=[("127.0.0.1", directory.cluster.broker.port)],
            client_id="test",
            rack_id=None,
            connect_timeout_ms=LIMIT_MS,
            request_timeout_ms=LIMIT_MS,
            stall_timeout_ms=LIMIT_MS,
            cancel=cancel,
            rate_limit=rate_limit,
        )

    def roots(self) -> list[Any]:
        found = self._directory
        return [
            SimpleNamespace(
                path=str(found.path), cluster_id=found.cluster_id, node_id=found.node_id, problems=[], foreign=[]
            )
        ]

    def topics(self) -> list[str]:
        return sorted(self._directory.partitions)

    def set_aside(self) -> list[tuple[str, str, int, str]]:
        return self._directory.aside

    def partitions(self, *, topic: str) -> list[Any]:
        return [
            SimpleNamespace(
                partition=partition,
                path=str(path),
                root=0,
                problems=[],
                topic_id=self._directory.cluster.topic_ids[topic],
                cleaner_checkpoint=self._directory.cleaned_to,
                device=path.stat().st_dev,
                inode=path.stat().st_ino,
            )
            for partition in self._directory.partitions.get(topic, [])
            if (path := self._directory.directory(topic, partition)).exists()
        ]

    def bounds(self, *, topic: str) -> list[Any]:
        hosted = self._directory.partitions[topic]
        return [self._bounds(found) for found in self._cluster.bounds(topic=topic) if found.partition in hosted]

    def _bounds(self, found: _native.NativeBounds) -> Any:
        values: dict[str, Any] = {
            "partition": found.partition,
            "log_start_offset": found.log_start_offset,
            "log_end_offset": found.high_watermark,
            "last_stable_offset": found.last_stable_offset,
            "leader_epoch": 0,
            "readable_end_offset": found.high_watermark,
            "end_reason": "end_of_segment",
            "end_detail": "",
            "recovery_point": None,
            "high_watermark_checkpoint": None,
            "segments": 1,
            "segment_holes": [],
            "cleaner_checkpoint": self._directory.cleaned_to,
            "error": "",
        }
        return SimpleNamespace(**{**values, **self._directory.bounds.get(found.partition, {})})

    def offsets_at(self, *, topic: str, timestamp_ms: int) -> list[tuple[int, int, str]]:
        answers = self._cluster.offsets_at(topic=topic, timestamp_ms=timestamp_ms)
        return [(partition, offset, error) for partition, offset, _, error in answers]

    def epoch_ends(self, *, topic: str, epochs: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
        return self._cluster.epoch_ends(topic=topic, epochs=epochs)

    def read_cells(self, *, topic: str, **options: Any) -> _native.SliceRead:
        return self._cluster.read_cells(
            topic=topic, topic_id=self._id(topic), settle_ms=0, bytes_per_offset=0, **options
        )

    def read_check(self, *, topic: str, **options: Any) -> tuple[_native.SliceRead, _native.TimeOrder]:
        return self._cluster.read_check(topic=topic, topic_id=self._id(topic), bytes_per_offset=0, **options)

    def read_rows(self, *, topic: str, **options: Any) -> _native.SliceRead:
        return self._cluster.read_rows(topic=topic, topic_id=self._id(topic), **options)

    def read_records(self, *, topic: str, **options: Any) -> Any:
        return self._cluster.read_records(topic=topic, topic_id=self._id(topic), **options)

    def start_of(self, **_: Any) -> Any:
        """A start that changes nothing."""
        return SimpleNamespace(
            refused=None,
            stray=False,
            log_start_offset=0,
            log_end_offset=0,
            deleted_files=[],
            recovered=[],
            discarded=[],
            hidden=[],
            reused=None,
            evidence=[],
        )

    def _id(self, topic: str) -> bytes:
        return self._directory.cluster.topic_ids[topic]
