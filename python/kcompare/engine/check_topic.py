"""One topic of a check: pinned, read, held to what was pinned, and what is found in each of its partitions."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare.check_model import CheckEffect, CheckFinding, CheckKind, CheckPartition, CheckTopic, Soundness, TimeReport
from kcompare.engine.check_findings import (
    Compaction,
    findings_of,
    is_in_doubt,
    ordered,
    settled_cells,
    without_bounds,
)
from kcompare.engine.check_times import joined_times, times_of
from kcompare.engine.checking import held_to_pinned
from kcompare.engine.holes import borders_of
from kcompare.engine.logs import join, not_read
from kcompare.engine.pinned import pin
from kcompare.engine.reading import RowReader
from kcompare.engine.retention import beginning_at, lost_up_to, read_again
from kcompare.errors import InterruptedRunError, RefusedError, SourceError, TopicNotFoundError
from kcompare.ledger import LedgerError, coverage, nothing_read
from kcompare.model import DataPath, IsolationLevel, OffsetRange, Reason, Side
from kcompare.planning import slices_of_one
from kcompare.sources.base import TimeOrder
from kcompare.verdict import combined_soundness, partition_soundness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kcompare.check_model import StartReport
    from kcompare.engine.check_run import CheckRun
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.pinned import Pinned
    from kcompare.model import Slice
    from kcompare.sources.base import Identity, SliceDigest, Source

SIDE = Side.LEFT
"""A check has one side, which goes by this name where code is shared with comparisons."""


class TopicCheck:
    """Checks one topic.

    Attributes:
        problem: why it could not be asked what it is; then nothing of it is read.
    """

    def __init__(self, run: CheckRun, source: Source) -> None:
        self.view = source.view
        self.identity: Identity | None = None
        self.problem: TopicNotFoundError | SourceError | None = None
        self._run = run
        self._source = source
        self._pinned: Pinned | None = None
        self._planned: dict[int, OffsetRange] = {}
        self._pieces: dict[tuple[Side, int], list[SliceDigest]] = {}
        self._orders: dict[int, dict[int, TimeOrder]] = {}
        self._read = (0, 0)

    def identify(self) -> None:
        """Asks what the topic is."""
        self.identity = self._source.identity()

    def pin(self) -> None:
        """Asks where its partitions begin and end."""
        assert self.identity is not None, "it was identified before"  # noqa: S101
        self._pinned = pin(self._source, SIDE, self.identity)

    def plan(self) -> None:
        """Settles what is read."""
        if self._pinned is None:
            return
        wanted = self._run.request.partitions
        planned = self._pinned.planned
        self._planned = {
            partition: planned[partition] for partition in sorted(planned) if _is_wanted(partition, wanted)
        }
        self._run.board.plan_one(self.view.topic, SIDE, self._planned)

    def slices(self) -> tuple[Slice, ...]:
        """What is to be read, in the order in which it should be started."""
        bounds = self._pinned.bounds.values() if self._pinned else ()
        return slices_of_one(SIDE, self._planned, borders_of(bounds))

    def read(self, piece: Slice) -> tuple[SliceDigest, TimeOrder]:
        """Reads one slice."""
        run, partition = self._run, piece.partition
        assert self._pinned is not None, "a slice comes from a plan"  # noqa: S101
        leader = self._pinned.bounds[partition].leader
        if run.is_hopeless(SIDE, leader, (self.view.topic, partition)):
            detail = f"not tried, because partition {partition} or its leader did not answer before"
            return not_read(piece, Reason.UNREACHABLE, detail), TimeOrder()
        bytes_read, offsets = self._read
        counter = run.board.counter(self.view.topic, SIDE, partition)
        return self._source.check(piece, bytes_read // offsets if offsets else 0, run.budget, run.cancel, counter)

    def keep(self, digest: SliceDigest, order: TimeOrder) -> None:
        """Keeps what came of a slice until the topic is finished."""
        self._pieces.setdefault((SIDE, digest.slice.partition), []).append(digest)
        self._count(digest, order)

    def _count(self, digest: SliceDigest, order: TimeOrder) -> None:
        assert self._pinned is not None, "a slice comes from a plan"  # noqa: S101
        offsets = digest.slice.range
        self._orders.setdefault(digest.slice.partition, {})[offsets.start] = order
        self._read = self._read[0] + digest.bytes, self._read[1] + len(offsets)
        self._run.bytes_read[SIDE] += digest.bytes
        self._run.note_end(self.view, self._pinned.bounds[digest.slice.partition].leader, digest)

    def finish(self) -> tuple[CheckTopic, list[CheckFinding]]:
        """What is found in the topic, and how many findings each partition may keep of it."""
        if self._pinned is None:
            return self._unread_topic()
        # An interrupt ends what asks a source, wherever it is; what is left of a slice is uncovered then.
        with suppress(InterruptedRunError):
            for _ in read_again(self._pieces, {SIDE: self._source}, self._read_more):
                pass
        logs = {
            partition: join(SIDE, self._pinned.bounds[partition], offsets, self._pieces.get((SIDE, partition), []))
            for partition, offsets in self._planned.items()
        }
        self._pieces.clear()
        reader = RowReader(
            {SIDE: self._source}, {SIDE: IsolationLevel.READ_UNCOMMITTED}, self._run.budget, self._run.cancel
        )
        logs = held_to_pinned(self._run, self.view, self._pinned, logs, reader)
        found = [self._partition(log) for log in logs.values()] + list(self._without_bounds())
        return self._topic(found)

    def _read_more(self, pieces: Sequence[Slice]) -> Iterator[SliceDigest]:
        for piece in pieces:
            digest, order = self.read(piece)
            self._count(digest, order)
            yield digest

    def _partition(self, log: PartitionLog) -> tuple[CheckPartition, list[CheckFinding]]:
        request, bounds = self._run.request, log.bounds
        findings: list[CheckFinding] = []
        start = None if log.distrust is not None else lost_up_to(log)
        if start is not None:
            gone = OffsetRange(log.planned.start, start)
            log = beginning_at(log, start)
            findings.append(
                self._finding(
                    CheckKind.RETENTION_DURING_RUN,
                    CheckEffect.INFORMATION,
                    log.partition,
                    gone,
                    "retention took these offsets during the run, so they are no part of the log any more",
                )
            )
        order = joined_times(self._orders.get(log.partition, {}))
        compaction = self._compaction()
        findings += findings_of(self.view.topic, log, order, compaction, allow_gaps=request.allow_gaps)
        try:
            covered = coverage(bounds, log.planned, settled_cells(log, compaction), allowed_records=0)
        except LedgerError as error:
            covered = nothing_read(bounds, log.planned)
            findings.append(self._unverified(log.partition, log.planned, error.code.lower(), str(error)))
        if log.distrust is not None:
            covered = nothing_read(bounds, log.planned)
        started = self._inspect(log.partition, findings)
        if is_in_doubt(log):
            findings = [_in_doubt(found) for found in findings]
        batches, _ = log.batches
        report = CheckPartition(
            partition=log.partition,
            verdict=partition_soundness(findings, covered),
            coverage=covered,
            batches=batches,
            bytes=log.bytes,
            segments=bounds.segments,
            times=times_of(log, order),
            leader_epochs=log.leader_epochs,
            start=started,
            findings_total=len(findings),
        )
        return report, findings

    def _inspect(self, partition: int, findings: list[CheckFinding]) -> StartReport | None:
        """Adds what the source says of a partition apart from its records; what it cannot say is no part of a proof."""
        try:
            more, started = self._source.inspect(partition)
        except SourceError as error:
            findings.append(self._unverified(partition, None, Reason.IO_ERROR.value, str(error)))
            return None
        except InterruptedRunError:
            detail = "the run was interrupted before the files beside the records were looked at"
            findings.append(self._unverified(partition, None, Reason.INTERRUPTED.value, detail))
            return None
        findings += more
        return started

    def _without_bounds(self) -> Iterator[tuple[CheckPartition, list[CheckFinding]]]:
        """Partitions that did not say where they begin and end."""
        assert self._pinned is not None, "it was pinned before"  # noqa: S101
        wanted = self._run.request.partitions
        for partition in self._pinned.identity.partitions:
            if partition in self._pinned.bounds or not _is_wanted(partition, wanted):
                continue
            problem = self._pinned.problems.get(partition)
            message = problem.message if problem else f"partition {partition} has no bounds"
            reason = problem.reason if problem else Reason.PARTITION_UNAVAILABLE
            refused = problem is not None and problem.refused
            self._run.note(
                SIDE,
                self.view,
                problem.code if problem else reason.name,
                message,
                partition=partition,
                refused=refused,
                unreachable=not refused and reason is Reason.PARTITION_UNAVAILABLE,
            )
            word = Reason.REFUSED if refused else reason
            findings = [without_bounds(self.view.topic, partition, word, message)]
            empty = TimeReport(None, None, None, None)
            yield (
                CheckPartition(
                    partition, partition_soundness(findings, None), None, 0, 0, None, empty, (), None, len(findings)
                ),
                findings,
            )

    def _topic(self, found: list[tuple[CheckPartition, list[CheckFinding]]]) -> tuple[CheckTopic, list[CheckFinding]]:
        request, compaction = self._run.request, self._compaction()
        partitions = tuple(sorted((report for report, _ in found), key=lambda report: report.partition))
        kept = [one for _, findings in found for one in ordered(findings)[: request.max_findings]]
        own: list[CheckFinding] = []
        records = sum(report.coverage.records for report in partitions if report.coverage)
        verdict = combined_soundness(report.verdict for report in partitions)
        if records == 0 and verdict is Soundness.SOUND and not request.allow_empty:
            detail = f"topic {self.view.topic!r} holds no record; say --allow-empty if that is right"
            own.append(self._unverified(None, None, "nothing_checked", detail))
            verdict = partition_soundness(own, None)
        report = CheckTopic(
            topic=self.view.topic,
            verdict=verdict,
            topic_id=self.identity.topic_id if self.identity else None,
            compacted=compaction.known,
            compacted_reason=compaction.reason,
            partitions=partitions,
            findings_total=len(own),
        )
        return report, [*own, *kept]

    def _unread_topic(self) -> tuple[CheckTopic, list[CheckFinding]]:
        """A topic that could not be asked what it is."""
        kinds = ((RefusedError, Reason.REFUSED), (TopicNotFoundError, Reason.TOPIC_RECREATED))
        reason = next((word for kind, word in kinds if isinstance(self.problem, kind)), Reason.PARTITION_UNAVAILABLE)
        finding = self._unverified(None, None, reason.value, str(self.problem))
        return CheckTopic(
            topic=self.view.topic,
            verdict=partition_soundness([finding], None),
            topic_id=self.identity.topic_id if self.identity else None,
            compacted=None,
            compacted_reason="nothing was read",
            partitions=(),
            findings_total=1,
        ), [finding]

    def _compaction(self) -> Compaction:
        assert self.identity is not None, "it was identified before"  # noqa: S101
        return Compaction.of(self.identity, without_causes=self._run.request.settings.data_path is DataPath.CONSUMER)

    def _unverified(self, partition: int | None, offsets: OffsetRange | None, reason: str, detail: str) -> CheckFinding:
        found = self._finding(CheckKind.UNVERIFIED, CheckEffect.UNVERIFIED, partition, offsets, detail)
        return replace(found, reason=reason)

    def _finding(
        self, kind: CheckKind, effect: CheckEffect, partition: int | None, offsets: OffsetRange | None, detail: str
    ) -> CheckFinding:
        return CheckFinding(kind, effect, self.view.topic, partition, offsets, detail=detail)


def _is_wanted(partition: int, wanted: tuple[int, ...] | None) -> bool:
    return wanted is None or partition in wanted


def _in_doubt(found: CheckFinding) -> CheckFinding:
    """A defect in a log that moved while it was read may be no more than that."""
    return replace(found, effect=CheckEffect.UNVERIFIED) if found.effect is CheckEffect.DEFECT else found
