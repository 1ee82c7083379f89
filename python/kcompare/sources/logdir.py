"""A topic in the log directories of a broker that is stopped, or of a snapshot of them: read without Kafka."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.errors import SourceError, TopicNotFoundError
from kcompare.model import DataPath, OffsetRange, PartitionBounds, Reason, TailRecord
from kcompare.serve_model import LostOffsets
from kcompare.settings.quoting import quoted
from kcompare.sources.base import Identity, PartitionProblem
from kcompare.sources.footprint import changed_within, footprint_of
from kcompare.sources.kafka import INTERNAL_TOPICS, NO_TOPIC_ID
from kcompare.sources.native import digest_of, order_of, place_of, problem_of, rows_of
from kcompare.sources.starting import inspected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcompare._native import (
        CancelToken,
        DirectoryBroker,
        LogDirBounds,
        LogDirPartition,
        LogDirRoot,
        MemoryBudget,
        Progress,
        RateLimit,
    )
    from kcompare.check_model import CheckFinding, StartReport
    from kcompare.model import IsolationLevel, Slice, View
    from kcompare.sources.base import Rows, SliceDigest, TimeOrder
    from kcompare.sources.footprint import Footprint

WORDS = {"corrupt_batch": Reason.DAMAGE_BEFORE_END, "partition_unavailable": Reason.IO_ERROR}
"""Ends and reasons that mean something else where no broker is: what is damaged here is not the end of the log."""

SHOWN_TOPICS = 5

CLEANER_CHECKPOINT = "cleaner-offset-checkpoint"

_PARTITION_DIRECTORY = re.compile(r"(.+)-[0-9]+", re.ASCII)


@dataclass
class _Directories:
    """What the sources of one cluster share.

    Attributes:
        looks: the segment files of each partition before anything of it was read; a sentence where that failed.
    """

    native: _native.LogDirs
    cancel: CancelToken
    looks: dict[tuple[str, int], Footprint | str] = field(default_factory=dict)


class LogdirCluster:
    """The log directories of one broker."""

    data_path = DataPath.NATIVE

    def __init__(self, paths: Sequence[str], cancel: CancelToken, rate: RateLimit | None = None) -> None:
        """Looks at the directories; opens no segment. Reading records keeps to ``rate``.

        Raises:
            UsageError: a path is no log directory, or they do not belong together.
            SourceError: one cannot be read.
        """
        native = _native.LogDirs(paths=list(paths), cancel=cancel, rate_limit=rate)
        self._directories = _Directories(native, cancel)

    def topics(self) -> tuple[str, ...]:
        """See :class:`kcompare.sources.base.Cluster`."""
        return tuple(name for name in self._directories.native.topics() if name not in INTERNAL_TOPICS)

    def source(self, view: View) -> LogdirSource:
        """See :class:`kcompare.sources.base.Cluster`."""
        return LogdirSource(view, self._directories)

    def serve(self, topics: Sequence[str], host: str, port: int, cancel: CancelToken) -> DirectoryBroker:
        """Serves topics as a read-only broker.

        Raises:
            SourceError: a partition cannot be read.
            InterruptedRunError: the cancel token was set.
            OSError: the address cannot be listened on.
        """
        return _native.DirectoryBroker(
            directories=self._directories.native, topics=list(topics), host=host, port=port, cancel=cancel
        )


class LogdirSource:
    """One topic in log directories."""

    def __init__(self, view: View, directories: _Directories) -> None:
        self.view = view
        self._native = directories.native
        self._cancel = directories.cancel
        self._found: list[LogDirPartition] = []
        self._looks = directories.looks
        self._told = set[str]()

    def identity(self) -> Identity:
        """See :class:`kcompare.sources.base.Source`."""
        found = self._partitions()
        roots = self._native.roots()
        return Identity(
            cluster_id=next((root.cluster_id for root in roots if root.cluster_id is not None), None),
            topic_id=self._topic_id(found),
            endpoints=frozenset(),
            cleanup_policy="compact" if any(partition.cleaner_checkpoint is not None for partition in found) else "",
            policy_error=None,
            policy_is_known=all(_has_cleaner_checkpoint(root) for root in roots),
            partitions=tuple(partition.partition for partition in found),
            node_id=next((root.node_id for root in roots if root.node_id is not None), None),
            is_directory=True,
            directories=frozenset((partition.device, partition.inode) for partition in found),
        )

    def _partitions(self) -> list[LogDirPartition]:
        topic = self.view.topic
        # What is there was listed once, when the directories were opened.
        if found := self._found or self._native.partitions(topic=topic):
            self._found = found
            return found
        there = [name for name in self._native.topics() if name not in INTERNAL_TOPICS]
        part = _PARTITION_DIRECTORY.fullmatch(topic)
        if part and part[1] in there:
            hint = f"name its topic, {part[1]!r}"
        elif there:
            more = f" and {len(there) - SHOWN_TOPICS} more" if len(there) > SHOWN_TOPICS else ""
            hint = f"they hold {', '.join(there[:SHOWN_TOPICS])}{more}"
        else:
            hint = "they hold no topic at all"
        raise TopicNotFoundError(f"view {quoted(self.view.text)} has no partition of a topic {topic!r}; {hint}")

    def _topic_id(self, found: Sequence[LogDirPartition]) -> str | None:
        """The topic's id, which has to be the same in all of its partitions."""
        first: LogDirPartition | None = None
        for partition in found:
            if partition.topic_id == NO_TOPIC_ID:
                continue
            if first is not None and partition.topic_id != first.topic_id:
                raise SourceError(
                    f"{quoted(first.path)} has topic id {first.topic_id.hex()} and {quoted(partition.path)} has "
                    f"{partition.topic_id.hex()}: one is left over from a topic of the same name; move it away"
                )
            first = first or partition
        return None if first is None else first.topic_id.hex()

    def bounds(self) -> tuple[tuple[PartitionBounds, ...], tuple[PartitionProblem, ...]]:
        """See :class:`kcompare.sources.base.Source`. The files are looked at before anything in them is."""
        for partition in self._partitions():
            key = (self.view.topic, partition.partition)
            if key not in self._looks:
                self._looks[key] = _look(partition.path)
        good, bad = [], []
        for found in self._native.bounds(topic=self.view.topic):
            reason, why = _without_bounds(found)
            if reason is None:
                good.append(_bounds(found))
                continue
            message = f"partition {found.partition} of {self.view.text} has no bounds: {why}"
            bad.append(PartitionProblem(found.partition, reason.name, message, refused=False, reason=reason))
        return tuple(good), tuple(bad)

    def lost(self) -> dict[int, tuple[LostOffsets, ...]]:
        """Offsets within the bounds of each partition that are known not to be readable."""
        answers = self._native.bounds(topic=self.view.topic)
        return {
            found.partition: tuple(
                LostOffsets(OffsetRange(start, stop), reason, detail) for start, stop, reason, detail in found.lost
            )
            for found in answers
        }

    def changes(self, planned: Mapping[int, OffsetRange]) -> dict[int, str]:
        """See :class:`kcompare.sources.base.Source`."""
        paths = {found.partition: found.path for found in self._partitions()}
        changed = {}
        for partition, offsets in planned.items():
            before = self._looks.get((self.view.topic, partition), "its files were not looked at before")
            now = _look(paths[partition]) if partition in paths else "its directory is gone"
            problem = next((look for look in (before, now) if isinstance(look, str)), None)
            if isinstance(before, dict) and isinstance(now, dict):
                problem = changed_within(before, now, offsets)
            if problem is not None:
                changed[partition] = (
                    f"{place_of(self.view.topic, partition)} was not at rest while it was read: {problem}; stop the "
                    "broker, or read a snapshot"
                )
        return changed

    def offsets_at(self, timestamp_ms: int) -> dict[int, int | None]:
        """See :class:`kcompare.sources.base.Source`."""
        answers = self._native.offsets_at(topic=self.view.topic, timestamp_ms=timestamp_ms)
        return {partition: offset if offset >= 0 else None for partition, offset, error in answers if not error}

    def prepare(self, partition: int) -> None:
        """The pass over all batches that gives the bounds finds the aborted transactions as well."""

    def read(
        self,
        piece: Slice,
        isolation: IsolationLevel,
        settle_ms: int,  # noqa: ARG002 - a log at rest has nothing to wait for
        bytes_per_offset: int,  # noqa: ARG002
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> SliceDigest:
        """See :class:`kcompare.sources.base.Source`."""
        found = self._native.read_cells(
            topic=self.view.topic,
            partition=piece.partition,
            start=piece.range.start,
            stop=piece.range.stop,
            isolation_level=isolation.value,
            checkpoints=list(piece.checkpoints),
            budget=budget,
            cancel=cancel,
            progress=progress,
        )
        return digest_of(found, piece, place_of(self.view.topic, piece.partition), WORDS)

    def check(
        self,
        piece: Slice,
        bytes_per_offset: int,  # noqa: ARG002
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> tuple[SliceDigest, TimeOrder]:
        """See :class:`kcompare.sources.base.Source`."""
        found, order = self._native.read_check(
            topic=self.view.topic,
            partition=piece.partition,
            start=piece.range.start,
            stop=piece.range.stop,
            budget=budget,
            cancel=cancel,
            progress=progress,
        )
        return digest_of(found, piece, place_of(self.view.topic, piece.partition), WORDS), order_of(order)

    def inspect(self, partition: int) -> tuple[tuple[CheckFinding, ...], StartReport | None]:
        """See :class:`kcompare.sources.base.Source`."""
        return inspected(self._native, self._partitions(), self.view.topic, partition, self._cancel, self._told)

    def rows(
        self,
        partition: int,
        offsets: OffsetRange,
        isolation: IsolationLevel,
        limit: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> Rows:
        """See :class:`kcompare.sources.base.Source`."""
        found = self._native.read_rows(
            topic=self.view.topic,
            partition=partition,
            start=offsets.start,
            stop=offsets.stop,
            isolation_level=isolation.value,
            limit=limit,
            budget=budget,
            cancel=cancel,
        )
        return rows_of(found, offsets.stop, place_of(self.view.topic, partition))

    def records(
        self,
        partition: int,
        offsets: OffsetRange,
        isolation: IsolationLevel,
        limit: int,
        value_limit_bytes: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> tuple[tuple[TailRecord, ...], str]:
        """See :class:`kcompare.sources.base.Source`."""
        records, found = self._native.read_records(
            topic=self.view.topic,
            partition=partition,
            start=offsets.start,
            stop=offsets.stop,
            isolation_level=isolation.value,
            limit=limit,
            value_limit_bytes=value_limit_bytes,
            budget=budget,
            cancel=cancel,
        )
        problem = problem_of(found, offsets.stop, place_of(self.view.topic, partition))
        return tuple(TailRecord(*record) for record in records), problem or ""

    def epoch_ends(self, epochs: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """See :class:`kcompare.sources.base.Source`."""
        answers = self._native.epoch_ends(topic=self.view.topic, epochs=list(epochs))
        return {partition: (epoch, end) for partition, epoch, end in answers}


def _has_cleaner_checkpoint(root: LogDirRoot) -> bool:
    """Whether the log cleaner's checkpoint is there and can be read; every broker has one, if only an empty one."""
    path = str(Path(root.path, CLEANER_CHECKPOINT))
    try:
        with Path(path).open("rb") as file:
            return bool(file.read(1)) and not any(CLEANER_CHECKPOINT in problem for problem in root.problems)
    except OSError:
        return False


def _look(path: str) -> Footprint | str:
    try:
        return footprint_of(path)
    except OSError as error:
        return f"{quoted(path)} cannot be listed ({error.strerror or error})"


def _without_bounds(found: LogDirBounds) -> tuple[Reason | None, str]:
    """Why a partition has no bounds to go by."""
    if found.error:
        return Reason.IO_ERROR, found.error
    if found.readable_end_offset < found.log_start_offset and found.log_end_offset <= found.log_start_offset:
        # It would pass for an empty log, on both sides alike.
        return Reason.MISSING_SEGMENT, (
            f"its log begins at offset {found.log_start_offset} and what is there ends at {found.readable_end_offset}, "
            f"so that its end is missing: {found.end_detail}"
        )
    return None, ""


def _bounds(found: LogDirBounds) -> PartitionBounds:
    return PartitionBounds(
        partition=found.partition,
        log_start_offset=found.log_start_offset,
        high_watermark=found.log_end_offset,
        last_stable_offset=found.last_stable_offset,
        leader_epoch=found.leader_epoch,
        end_reason=found.end_reason,
        end_detail=found.end_detail,
        recovery_point=found.recovery_point,
        high_watermark_checkpoint=found.high_watermark_checkpoint,
        segments=found.segments,
        segment_holes=tuple(OffsetRange(*hole) for hole in found.segment_holes),
        cleaned_to=found.cleaner_checkpoint,
    )
