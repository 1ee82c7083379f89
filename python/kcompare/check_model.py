"""The nouns of a check: what is found in one log alone, and what its report says.

Frozen values only, like :mod:`kcompare.model`; the meanings are those of docs/semantics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcompare.model import ErrorEntry, OffsetRange, RunInfo, SideCoverage, ViewReport


class Soundness(StrEnum):
    """The three words of a check."""

    SOUND = "SOUND"
    DAMAGED = "DAMAGED"
    INCONCLUSIVE = "INCONCLUSIVE"


class CheckEffect(StrEnum):
    """What a finding does to the verdict."""

    DEFECT = "defect"
    UNVERIFIED = "unverified"
    EXPLAINED = "explained"
    INFORMATION = "information"


class CheckKind(StrEnum):
    """What was found."""

    DAMAGE = "damage"
    MISSING_SEGMENT = "missing_segment"
    HOLE = "hole"
    LEADER_EPOCH_WENT_BACK = "leader_epoch_went_back"
    START_REFUSED = "start_refused"
    START_DISCARDS = "start_discards"
    START_HIDES = "start_hides"
    START_DELETES = "start_deletes"
    EVIDENCE = "evidence"
    OPEN_TRANSACTION = "open_transaction"
    ODD_END = "odd_end"
    SET_ASIDE = "set_aside"
    TIMESTAMPS_GO_BACK = "timestamps_go_back"
    RETENTION_DURING_RUN = "retention_during_run"
    OFFSET_GAP = "offset_gap"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One thing found in one log.

    Attributes:
        topic: None where it is about the view as a whole; ``partition`` likewise where it is about a topic.
        offsets: the offsets it is about, None where it is about none.
        records: how many records, counted; 0 where that is not known or none.
        reason: a word that says more than the kind: why offsets are unverified, why a start discards.
        path: the file it is about, or None.
        detail: one sentence for a person; never compared by a program.
    """

    kind: CheckKind
    effect: CheckEffect
    topic: str | None
    partition: int | None
    offsets: OffsetRange | None = None
    records: int = 0
    reason: str | None = None
    path: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StartReport:
    """What a broker's start would make of a partition of a log directory.

    Attributes:
        refused: why the broker would not come up; None where it would.
        log_start_offset: afterwards; -1 where it would not come up.
        stray: the directory would be renamed, and an empty log made in its place.
        discarded_records: records in sound batches that it would delete.
        hidden_records: records that would stay on disk and be served to nobody.
        reused: offsets that records on disk have and new records would get again.
        deleted_files: files that go without any part of the log going with them.
        recovered_segments: segments that it would check batch by batch, and write new indexes for.
        truncated_bytes: bytes that it would cut off of them.
    """

    refused: str | None
    log_start_offset: int
    log_end_offset: int
    stray: bool = False
    discarded_records: int = 0
    hidden_records: int = 0
    reused: OffsetRange | None = None
    deleted_files: int = 0
    recovered_segments: int = 0
    truncated_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TimeReport:
    """Timestamps of a partition, in ms since 1970; None without any.

    Attributes:
        steps_back: records whose timestamp is earlier than that of the record before them.
        largest_step_ms: by how much at most.
    """

    first: int | None
    last: int | None
    smallest: int | None
    largest: int | None
    steps_back: int = 0
    largest_step_ms: int = 0


@dataclass(frozen=True, slots=True)
class CheckPartition:
    """What was found in one partition.

    Attributes:
        coverage: what was read of it; None where it has no bounds. Nothing is ever allowed here.
        batches: record batches with a record.
        segments: segment files; None in a cluster.
        leader_epochs: ``(leader epoch, base offset of its first batch)``.
        start: what a broker's start would do; None in a cluster, or where that could not be told.
    """

    partition: int
    verdict: Soundness
    coverage: SideCoverage | None
    batches: int
    bytes: int
    segments: int | None
    times: TimeReport
    leader_epochs: tuple[tuple[int, int], ...]
    start: StartReport | None
    findings_total: int = 0


@dataclass(frozen=True, slots=True)
class CheckTopic:
    """What was found in one topic.

    Attributes:
        compacted: whether compaction explains holes; None where nothing tells.
        compacted_reason: how that is known.
        findings_total: how many findings are about the topic as a whole.
    """

    topic: str
    verdict: Soundness
    topic_id: str | None
    compacted: bool | None
    compacted_reason: str
    partitions: tuple[CheckPartition, ...]
    findings_total: int = 0


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options that the verdict rests on."""

    allow_gaps: bool
    allow_empty: bool
    partitions: tuple[int, ...] | None
    topics: str | None


@dataclass(frozen=True, slots=True)
class CheckTotals:
    """Sums over all partitions; bytes are those of record batches as read."""

    records: int = 0
    batches: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The answer of ``kcompare check``. ``verdict`` is None where nothing was checked because of a mistake (exit 2).

    Attributes:
        findings: defects first, then what is unverified, then the rest, each in the order of topics and offsets.
        findings_total: all of them; the list may be cut, the verdict used all.
    """

    verdict: Soundness | None
    exit_code: int
    view: ViewReport
    options: CheckOptions | None
    topics: tuple[CheckTopic, ...]
    findings: tuple[CheckFinding, ...]
    findings_total: int
    totals: CheckTotals
    errors: tuple[ErrorEntry, ...]
    run: RunInfo
    notes: tuple[str, ...] = ()

    @property
    def findings_truncated(self) -> bool:
        """Whether the list was cut."""
        return self.findings_total > len(self.findings)
