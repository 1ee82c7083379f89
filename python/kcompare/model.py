"""The nouns: what a log view is, what is found in two of them, and what a report says.

Frozen values only. Nothing here reads, prints or decides; the meanings are those of docs/semantics.md and the
field names are those of the JSON report, so that a report can be rendered again from a saved document.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self


class Side(StrEnum):
    """One of the two sides of a comparison, spelled the same in the CLI, the JSON and the code."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> Side:
        """The side across."""
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


SIDES = (Side.LEFT, Side.RIGHT)


class IsolationLevel(StrEnum):
    """Whether records of aborted transactions are records (KIP-98)."""

    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


class DataPath(StrEnum):
    """What reads a cluster: our own client, or librdkafka for what that cannot authenticate to."""

    NATIVE = "native"
    CONSUMER = "consumer"


class Mode(StrEnum):
    """What must hold between the two logs."""

    AUTO = "auto"
    LOG = "log"
    LATEST = "latest"
    SET = "set"


class RecordField(StrEnum):
    """A part of a record that can be compared."""

    KEY = "key"
    VALUE = "value"
    HEADERS = "headers"
    TIMESTAMP = "timestamp"
    OFFSET = "offset"


class Verdict(StrEnum):
    """The three words."""

    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    INCONCLUSIVE = "INCONCLUSIVE"


class Effect(StrEnum):
    """What a finding does to the verdict."""

    DIFFERENCE = "difference"
    ALLOWED = "allowed"
    EXPLAINED = "explained"
    UNVERIFIED = "unverified"


class FindingKind(StrEnum):
    """What was found; the order is the order in which the kinds are tried."""

    DUPLICATED = "duplicated"
    ABORTED_COPIED = "aborted_copied"
    REORDERED = "reordered"
    CHANGED = "changed"
    FORKED = "forked"
    ONLY_LEFT = "only_left"
    ONLY_RIGHT = "only_right"
    UNCLASSIFIED = "unclassified"
    PARTITION_COUNT = "partition_count"
    TOPIC_MISSING = "topic_missing"
    OFFSET_GAP = "offset_gap"
    UNVERIFIED = "unverified"


class Where(StrEnum):
    """The part of a log in which a one-sided run lies."""

    HEAD = "head"
    MIDDLE = "middle"
    TAIL = "tail"


class Reason(StrEnum):
    """Why a planned range is unverified, or what allows that it is not there."""

    ABOVE_HIGH_WATERMARK = "above_high_watermark"
    BATCH_TOO_LARGE = "batch_too_large"
    CHANGED_WHILE_READING = "changed_while_reading"
    CORRUPT_BATCH = "corrupt_batch"
    DAMAGE_BEFORE_END = "damage_before_end"
    INTERRUPTED = "interrupted"
    IO_ERROR = "io_error"
    LEADER_EPOCH_WENT_BACK = "leader_epoch_went_back"
    LOST_TO_RETENTION = "lost_to_retention"
    MISSING_SEGMENT = "missing_segment"
    MODE_NOT_AVAILABLE = "mode_not_available"
    NOT_ALIGNED = "not_aligned"
    NOT_DELIVERED = "not_delivered"
    NOT_TESTED = "not_tested"
    NOTHING_COMPARED = "nothing_compared"
    NOT_IN_LOGDIR = "not_in_logdir"
    OPEN_TRANSACTION = "open_transaction"
    PARTITION_UNAVAILABLE = "partition_unavailable"
    REFUSED = "refused"
    REMOTE_ONLY = "remote_only"
    RETENTION_DURING_RUN = "retention_during_run"
    STALLED = "stalled"
    TOPIC_RECREATED = "topic_recreated"
    TRUNCATED = "truncated"
    UNEXPLAINED_GAP = "unexplained_gap"
    UNREACHABLE = "unreachable"


class OffsetRelation(StrEnum):
    """How the offsets of equal records relate."""

    IDENTICAL = "identical"
    SHIFTED = "shifted"
    MAPPED = "mapped"


@dataclass(frozen=True, slots=True, order=True)
class OffsetRange:
    """Offsets ``start <= offset < stop``.

    Raises:
        ValueError: when ``stop`` lies below ``start``.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.stop < self.start:
            message = f"offset range [{self.start}, {self.stop}) ends before it starts"
            raise ValueError(message)

    def __len__(self) -> int:
        return self.stop - self.start

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.stop

    def intersection(self, other: Self) -> OffsetRange | None:
        """The offsets in both ranges, or None where there are none."""
        start, stop = max(self.start, other.start), min(self.stop, other.stop)
        return OffsetRange(start, stop) if start < stop else None


@dataclass(frozen=True, slots=True)
class View:
    """One topic at one source, as the user named it.

    Attributes:
        text: what the user wrote, never with a secret in it.
        kind: ``kafka`` or ``logdir`` (later ``fingerprint``).
        topic: topic name; empty where the view is a whole cluster.
        bootstrap: host and port pairs of a running cluster.
        paths: log directories.
    """

    text: str
    kind: str
    topic: str
    bootstrap: tuple[tuple[str, int], ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def is_directory(self) -> bool:
        """Whether it is read from log directories, without a broker."""
        return self.kind == "logdir"

    def of(self, topic: str) -> Self:
        """A topic of the cluster that this view is."""
        text = self.text + topic
        if self.is_directory:
            items = (f"{path.removesuffix('/')}/{topic}" for path in self.paths)
            text = "logdir:" + ",".join(item.replace(",", ",,") for item in items)
        return replace(self, text=text, topic=topic)


@dataclass(frozen=True, slots=True)
class PartitionBounds:
    """Where a partition began and ended when the run pinned it. Offsets; -1 is unknown.

    Attributes:
        high_watermark: in a log directory, where the log ends: what a broker started on it would make of it.
        listed_end: the end by ListOffsets, when it differs from the high watermark of a Fetch.
        end_reason: what makes the high watermark the end, as a word.
        end_detail: the same as a sentence, or empty.
        recovery_point: up to where the broker of a log directory had flushed; likewise the next one.
        high_watermark_checkpoint: the high watermark that it last wrote down, which is no bound.
        segment_holes: offsets between the last batch of a segment file and the next file's first offset.
        segments: how many segment files there are; None in a cluster.
        cleaned_to: up to where the log cleaner of a directory has come; None where its checkpoint does not list the
            partition, and in a cluster.
    """

    partition: int
    log_start_offset: int
    high_watermark: int
    last_stable_offset: int
    leader: int = -1
    leader_epoch: int = -1
    listed_end: int = -1
    end_reason: str = "high_watermark"
    end_detail: str = ""
    recovery_point: int | None = None
    high_watermark_checkpoint: int | None = None
    segment_holes: tuple[OffsetRange, ...] = ()
    segments: int | None = None
    cleaned_to: int | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A share of the work: offsets of one partition at one side, read by one worker in one call.

    Attributes:
        range: the offsets, aligned to cells or to pinned bounds.
        checkpoints: pinned offsets inside the range at which digests must be kept.
    """

    side: Side
    partition: int
    range: OffsetRange
    checkpoints: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GapOffsets:
    """Offsets without a record, counted by cause."""

    control: int = 0
    aborted: int = 0
    compacted: int = 0
    unexplained: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.control + self.aborted + self.compacted + self.unexplained


@dataclass(frozen=True, slots=True)
class SideCoverage:
    """One side of one partition in the coverage ledger.

    ``planned`` is split, to the offset and without overlap, into covered, gaps, allowed and uncovered; an offset
    counts where it first fits in the order uncovered, gap, allowed, covered. ``kcompare.ledger`` builds these and
    holds them to that sum.
    """

    log_start_offset: int
    high_watermark: int
    last_stable_offset: int
    planned: OffsetRange
    records: int
    covered_offsets: int
    gap_offsets: GapOffsets
    allowed_offsets: int
    uncovered_offsets: int
    end_reason: str = "high_watermark"
    recovery_point: int | None = None
    high_watermark_checkpoint: int | None = None


@dataclass(frozen=True, slots=True)
class FirstDivergence:
    """Where the two sequences part: the next record's offset on each side, and the fields that differ.

    An offset is None only where that side has no more records; ``fields`` is empty where a record stands on one side
    only.
    """

    left_offset: int | None
    right_offset: int | None
    fields: tuple[RecordField, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in one partition.

    Attributes:
        partition: None where it is about a topic.
        left: offsets on the left side, None where that side has none.
        right: offsets on the right side, likewise.
        records: how many records it is about, counted, never subtracted.
        fields: for ``changed``, the fields that differ.
        side: for ``unverified`` and ``offset_gap``, the side it is about.
        reason: for ``unverified``, why.
        detail: one sentence for a person; never compared by a program.
    """

    kind: FindingKind
    effect: Effect
    partition: int | None
    left: OffsetRange | None = None
    right: OffsetRange | None = None
    records: int = 0
    where: Where | None = None
    fields: tuple[RecordField, ...] = ()
    side: Side | None = None
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OffsetsReport:
    """How offsets of equal records relate: ``shift`` is right minus left; None where there is not one shift."""

    relation: OffsetRelation | None
    shift: int | None
    segments: int | None


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """What was found in one partition. A side that lacks the partition is None."""

    partition: int
    verdict: Verdict
    left: SideCoverage | None
    right: SideCoverage | None
    compared_records: int
    offsets: OffsetsReport
    first_divergence: FirstDivergence | None
    findings: tuple[Finding, ...]
    findings_total: int
    fields: tuple[RecordField, ...] = ()
    warnings: tuple[str, ...] = ()
    unit: str = "records"

    @property
    def findings_truncated(self) -> bool:
        """Whether the list was cut; the verdict used all of them."""
        return self.findings_total > len(self.findings)


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What was found in one pair of topics; ``findings`` are about the topics as a whole."""

    left: str
    right: str
    verdict: Verdict
    partitions: tuple[PartitionReport, ...]
    findings: tuple[Finding, ...] = ()
    mode: Mode = Mode.AUTO
    mode_reason: str = ""
    left_topic_id: str | None = None
    right_topic_id: str | None = None


@dataclass(frozen=True, slots=True)
class ViewReport:
    """One side, as the report names it.

    Attributes:
        data_path: None where the run failed before it was chosen.
        node_id: the broker that a log directory belongs to.
    """

    view: str
    kind: str
    cluster_id: str | None = None
    topic_id: str | None = None
    data_path: DataPath | None = None
    data_path_reason: str = ""
    node_id: int | None = None


@dataclass(frozen=True, slots=True)
class OptionsReport:
    """The options that the verdict rests on, with the reason for each that was chosen by itself."""

    mode: Mode
    mode_reason: str
    fields: tuple[RecordField, ...]
    fields_reason: str
    left_isolation: IsolationLevel
    right_isolation: IsolationLevel
    allow_head: str | None = None
    allow_tail: str | None = None
    allow_gaps: bool = False
    allow_empty: bool = False
    left_range: str | None = None
    right_range: str | None = None
    topics: str | None = None
    map: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """An error that the run met and went on from, or ended with."""

    code: str
    message: str
    fatal: bool
    side: Side | None = None
    view: str | None = None
    topic: str | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all partitions. Bytes are record batch bytes as read."""

    left_records: int = 0
    right_records: int = 0
    compared_records: int = 0
    left_bytes: int = 0
    right_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Everything that may differ between two runs over the same data. Times are UTC, ISO 8601.

    Attributes:
        planning_seconds: from the start until bounds of all topics were pinned.
    """

    started: str
    seconds: float
    records_per_second: float
    peak_rss_bytes: int
    version: str
    workers: int = 0
    planning_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of ``kcompare compare``. ``verdict`` is None where the run failed before it compared (exit 2)."""

    verdict: Verdict | None
    exit_code: int
    left: ViewReport
    right: ViewReport
    options: OptionsReport | None
    topics: tuple[TopicReport, ...]
    totals: Totals
    errors: tuple[ErrorEntry, ...]
    run: RunInfo
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TailRecord:
    """One of the last records: offset, timestamp in ms since the epoch (-1 none), and sizes in bytes (-1 null)."""

    offset: int
    timestamp: int
    key_bytes: int
    value_bytes: int
    key: bytes | None = None
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class TailPartition:
    """The end of one partition: ``records`` are the last ones below ``stop``."""

    partition: int
    log_start_offset: int
    stop: int
    start: int
    records: tuple[TailRecord, ...]
    last_timestamp: int | None
    error: str | None = None
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class TailView:
    """The ends of a topic's partitions: skew in ms between them, and the smallest stop.

    ``notes`` are words about how the view was read, such as ``tls_unverified``.
    """

    view: str
    partitions: tuple[TailPartition, ...]
    end_skew_ms: int | None
    common_prefix_stop: int | None
    data_path: DataPath | None = None
    data_path_reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TailReport:
    """The answer of ``kcompare tail``."""

    views: tuple[TailView, ...]
    errors: tuple[ErrorEntry, ...] = field(default=())
