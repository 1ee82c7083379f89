"""What a source is: one topic somewhere, with bounds that can be pinned and slices that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kcompare.model import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcompare._native import CancelToken, MemoryBudget, Progress
    from kcompare.check_model import CheckFinding, StartReport
    from kcompare.model import DataPath, IsolationLevel, OffsetRange, PartitionBounds, Slice, TailRecord, View


@dataclass(frozen=True, slots=True)
class Identity:
    """What a topic is, pinned when the run starts and checked again when it ends.

    Attributes:
        topic_id: 32 hex digits, None where the source has no ids.
        endpoints: ``host:port`` of every broker, for the question whether two views are the same bytes.
        cleanup_policy: None where it could not be read; ``policy_error`` then says why, and ``policy_refused`` whether
            a permission is missing. Of log directories ``compact`` where the cleaner's checkpoint lists the topic.
        policy_is_known: False of log directories without that checkpoint, where ``""`` only means that nothing says so.
        partitions: partition numbers, ascending.
        node_id: the broker that log directories belong to.
        is_directory: only what a broker hosted is there, so that a partition that is not says nothing of the topic.
        directories: device and inode of every partition's directory, for the same question as ``endpoints``.
    """

    cluster_id: str | None
    topic_id: str | None
    endpoints: frozenset[str]
    cleanup_policy: str | None
    policy_error: str | None
    partitions: tuple[int, ...]
    policy_refused: bool = False
    policy_is_known: bool = True
    node_id: int | None = None
    is_directory: bool = False
    directories: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class PartitionProblem:
    """Why a partition has no bounds. ``refused`` tells a missing permission from a broker that is away.

    Attributes:
        reason: the word of the report; without a permission it is ``refused``.
    """

    partition: int
    code: str
    message: str
    refused: bool
    reason: Reason = Reason.PARTITION_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Unread:
    """Offsets that were read and not trusted, or not read: a reason word of the report and a sentence."""

    range: OffsetRange
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SliceDigest:
    """What came of a slice: digest tables that account for every offset of it, and what the stream looked like.

    Attributes:
        cells: cell rows, see :mod:`kcompare.store.tables`.
        anchors: anchor rows.
        end: ``reached``, or the reason word why the offsets from ``unread[-1]`` on are missing.
        end_code: the broker's error name, or empty.
        unexplained: the first gaps without a cause; ``unexplained_total`` counts all of them.
        leader_epochs: ``(leader epoch, base offset of its first batch)``.
    """

    slice: Slice
    cells: bytes
    anchors: bytes
    records: int
    bytes: int
    end: str
    end_code: str
    end_detail: str
    log_start_offset: int
    high_watermark: int
    last_stable_offset: int
    unread: tuple[Unread, ...]
    unexplained: tuple[OffsetRange, ...]
    unexplained_total: int
    leader_epochs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Records read again: record rows, and whether every offset of the range was read."""

    rows: bytes
    whole: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class StepBack:
    """A record with an earlier timestamp than the one before it, in ms; ``broker`` if both are a broker's."""

    offset: int
    before: int
    timestamp: int
    broker: bool


@dataclass(frozen=True, slots=True)
class TimeOrder:
    """Timestamps of a slice: whether they ascend.

    Attributes:
        first: ``(offset, timestamp, whether it is the broker's)`` of the first record that has one; None without.
        last: ``(timestamp, whether it is the broker's)`` of the last one.
        steps: the first steps back; ``total`` counts all, ``broker_total`` those between two timestamps of a broker.
    """

    first: tuple[int, int, bool] | None = None
    last: tuple[int, bool] | None = None
    steps: tuple[StepBack, ...] = ()
    total: int = 0
    broker_total: int = 0
    largest_ms: int = 0


class Source(Protocol):
    """One topic at one place. Safe to use from several threads."""

    view: View

    def identity(self) -> Identity:
        """Asks what the topic is.

        Raises:
            TopicNotFoundError: it does not exist.
            SourceError: the source could not be asked.
        """
        ...

    def bounds(self) -> tuple[tuple[PartitionBounds, ...], tuple[PartitionProblem, ...]]:
        """Asks where each partition begins and ends; a partition is in exactly one of the two tuples."""
        ...

    def offsets_at(self, timestamp_ms: int) -> dict[int, int | None]:
        """Asks each partition for its first offset whose timestamp is at or past a time, None where it has none yet.

        A partition that did not answer is left out.

        Raises:
            SourceError: the source could not be asked, or refuses it.
        """
        ...

    def prepare(self, partition: int) -> None:
        """What has to be known before slices of a partition can be read on their own."""
        ...

    def read(
        self,
        piece: Slice,
        isolation: IsolationLevel,
        settle_ms: int,
        bytes_per_offset: int,
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> SliceDigest:
        """Reads and digests a slice; what the source does wrong ends in uncovered offsets, never in an exception."""
        ...

    def check(
        self,
        piece: Slice,
        bytes_per_offset: int,
        budget: MemoryBudget,
        cancel: CancelToken,
        progress: Progress,
    ) -> tuple[SliceDigest, TimeOrder]:
        """Reads every record of a slice, those of aborted transactions too, and looks at their timestamps as well."""
        ...

    def inspect(self, partition: int) -> tuple[tuple[CheckFinding, ...], StartReport | None]:
        """What is to be said of a partition without reading its records: of a log directory, what a start would do.

        Raises:
            SourceError: that could not be found out.
        """
        ...

    def rows(
        self,
        partition: int,
        offsets: OffsetRange,
        isolation: IsolationLevel,
        limit: int,
        budget: MemoryBudget,
        cancel: CancelToken,
    ) -> Rows:
        """Reads the first ``limit`` records of a range again, as rows."""
        ...

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
        """Reads the last ``limit`` records of a range; the text says why it could not be read whole, or is empty."""
        ...

    def changes(self, planned: Mapping[int, OffsetRange]) -> dict[int, str]:
        """Partitions whose planned offsets lie in files that changed since the bounds were asked, with a sentence each.

        None of a cluster, whose brokers answer for their logs.
        """
        ...

    def epoch_ends(self, epochs: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """For ``(partition, leader epoch)``: the largest epoch not above it in the log by now, and where that ends.

        Both are -1 where the log has no such epoch. A partition that cannot be asked about is not in the answer.
        """
        ...


class Cluster(Protocol):
    """A place that holds topics. Safe to use from several threads; its sources share its connections."""

    data_path: DataPath

    def topics(self) -> tuple[str, ...]:
        """Names of the topics that the cluster shows us, ascending, without its internal ones.

        Raises:
            SourceError: the cluster could not be asked.
        """
        ...

    def source(self, view: View) -> Source:
        """One topic of the cluster; asks nothing yet."""
        ...
