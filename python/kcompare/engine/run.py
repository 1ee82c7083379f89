"""One pair of topics: plan, read, check again, compare, report."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.engine.assess import CONTENT, Terms, assess
from kcompare.engine.effects import Allowances
from kcompare.engine.examine import UNRELATED
from kcompare.engine.logs import PartitionLog, join, not_read
from kcompare.engine.pinned import Moved, moved
from kcompare.engine.reading import LogChangedError, ReadAgainError, RowReader
from kcompare.engine.retention import front_that_is_left, read_again
from kcompare.errors import RefusedError, SourceError
from kcompare.executors.threads import ThreadExecutor
from kcompare.ledger import nothing_read
from kcompare.model import (
    SIDES,
    Effect,
    ErrorEntry,
    Finding,
    FindingKind,
    Mode,
    OffsetRange,
    OptionsReport,
    PartitionBounds,
    PartitionReport,
    Reason,
    RecordField,
    Side,
    TopicReport,
    Verdict,
)
from kcompare.planning import PartitionPlan, Plan, plan
from kcompare.sources.base import Unread
from kcompare.verdict import combined_verdict, partition_verdict

if TYPE_CHECKING:
    from kcompare._native import CancelToken
    from kcompare.engine.compare import CompareRequest
    from kcompare.engine.pinned import Pinned
    from kcompare.engine.progress import ProgressBoard
    from kcompare.model import Slice
    from kcompare.sources.base import SliceDigest, Source

MAX_WORKERS = 8

REFUSALS = frozenset({Reason.REFUSED.value})
"""Ends of a slice that mean a missing permission: exit 4."""

SILENT_PARTITIONS = 2
"""Partitions of one leader that have to be silent before the leader is given up."""

ABSENCES = frozenset({Reason.UNREACHABLE.value, Reason.STALLED.value, Reason.PARTITION_UNAVAILABLE.value})
"""Ends of a slice that mean an absent or stalled broker: exit 5."""


class TopicRun:
    """Compares one pair of topics; ``errors``, ``bytes_read`` and ``reading_s`` hold even when that fails."""

    def __init__(
        self,
        request: CompareRequest,
        sources: dict[Side, Source],
        pinned: dict[Side, Pinned],
        cancel: CancelToken,
        board: ProgressBoard,
    ) -> None:
        self._request = request
        self._sources = sources
        self._pinned = pinned
        self._cancel = cancel
        self._board = board
        self.workers = request.workers or min(MAX_WORKERS, max(2, os.cpu_count() or 1))
        self._budget = _native.MemoryBudget(total_bytes=request.budget_bytes, workers=self.workers)
        self._executor = ThreadExecutor(self.workers, cancel)
        self._silent: dict[tuple[Side, int], set[int]] = {}
        self.errors: list[ErrorEntry] = []
        self.refused = False
        self.unreachable = False
        self.bytes_read = dict.fromkeys(SIDES, 0)
        self.reading_s = 0.0

    def _compacted(self, side: Side) -> bool:
        return "compact" in (self._pinned[side].identity.cleanup_policy or "")

    def options(self) -> OptionsReport:
        """What the verdict rests on, with reasons for what was chosen by itself."""
        request = self._request
        mode, mode_reason = self._mode()
        fields = request.fields
        return OptionsReport(
            mode=mode,
            mode_reason=mode_reason,
            fields=fields or (*CONTENT, RecordField.TIMESTAMP),
            fields_reason=(
                "auto: key, value, headers and timestamp, without timestamp in a partition where a batch carries "
                "the broker's"
                if fields is None
                else "as named by --fields"
            ),
            left_isolation=request.left_isolation,
            right_isolation=request.right_isolation,
            allow_head=request.allow_head.text if request.allow_head else None,
            allow_tail=request.allow_tail.text if request.allow_tail else None,
            allow_gaps=request.allow_gaps,
            allow_empty=request.allow_empty,
        )

    def _mode(self) -> tuple[Mode, str]:
        if self._request.mode is Mode.LOG:
            return Mode.LOG, "as named by --mode"
        compacted = [side.value for side in SIDES if self._compacted(side)]
        if compacted:
            return (
                Mode.LATEST,
                f"auto: cleanup.policy contains compact on the {' and the '.join(compacted)} side",
            )
        unknown = [side for side in SIDES if self._pinned[side].identity.cleanup_policy is None]
        if unknown:
            reasons = "; ".join(f"{side.value}: {self._pinned[side].identity.policy_error}" for side in unknown)
            return Mode.AUTO, f"auto: cleanup.policy could not be read ({reasons})"
        return Mode.LOG, "auto: cleanup.policy contains no compact"

    def compare(self) -> TopicReport:
        """Reads and compares every partition."""
        partitions = self._partitions()
        mode, reason = self._mode()
        if mode is not Mode.LOG:
            for side in SIDES:
                identity = self._pinned[side].identity
                if mode is Mode.AUTO and identity.policy_refused:
                    self._note(side, RefusedError.code, identity.policy_error or "", refused=True)
            say = "say --mode log to compare the two logs record by record"
            detail = f"{reason}; mode latest is not in this version: {say}"
            return self._topic([self._mode_missing(partition, detail) for partition in partitions], ())
        bounds = {side: self._pinned[side].bounds for side in SIDES}
        planned = plan(bounds[Side.LEFT], bounds[Side.RIGHT], partitions)
        logs = self._read(planned)
        self._check_again(planned, logs)
        reports = self._assess(planned, logs)
        return self._topic(reports, ())

    def _partitions(self) -> tuple[int, ...]:
        known = {side: set(self._pinned[side].identity.partitions) for side in SIDES}
        every = known[Side.LEFT] | known[Side.RIGHT]
        wanted = self._request.partitions
        return tuple(sorted(every if wanted is None else set(wanted)))

    def _read(self, planned: Plan) -> dict[tuple[Side, int], PartitionLog]:
        topics = {side: self._request.view(side).topic for side in SIDES}
        self._board.plan(topics, planned)
        started = time.monotonic()
        pieces: dict[tuple[Side, int], list[SliceDigest]] = {}
        for piece in self._executor.run(self._read_slice, planned.slices):
            pieces.setdefault((piece.slice.side, piece.slice.partition), []).append(piece)
            self.bytes_read[piece.slice.side] += piece.bytes
            self._note_end(piece)
        for piece in read_again(pieces, self._sources, lambda rest: self._executor.run(self._read_slice, rest)):
            self.bytes_read[piece.slice.side] += piece.bytes
            self._note_end(piece)
        self.reading_s = time.monotonic() - started
        logs = {}
        for one in planned.partitions:
            for side in SIDES:
                offsets = one.side(side)
                if offsets is not None:
                    found = pieces.get((side, one.partition), [])
                    bounds = self._pinned[side].bounds[one.partition]
                    logs[side, one.partition] = join(side, bounds, offsets, found)
        return logs

    def _is_hopeless(self, piece: Slice) -> bool:
        """Whether an earlier slice of the partition, or slices of two partitions of its leader, met nobody there.

        Each slice waits for the stall timeout on its own, so a run over many would last many of them.
        """
        silent = self._silent.get((piece.side, self._leader(piece)), set())
        return piece.partition in silent or len(silent) >= SILENT_PARTITIONS

    def _leader(self, piece: Slice) -> int:
        return self._pinned[piece.side].bounds[piece.partition].leader

    def _read_slice(self, piece: Slice) -> SliceDigest:
        request = self._request
        if self._is_hopeless(piece):
            detail = f"not tried, because partition {piece.partition} or its leader did not answer before"
            return not_read(piece, Reason.UNREACHABLE, detail)
        seen = self.bytes_read[piece.side]
        counter = self._board.counter(request.view(piece.side).topic, piece.side, piece.partition)
        return self._sources[piece.side].read(
            piece,
            request.isolation(piece.side),
            round(request.settle_s * 1000),
            0 if seen == 0 else self._bytes_per_offset(piece.side),
            self._budget,
            self._cancel,
            counter,
        )

    def _bytes_per_offset(self, side: Side) -> int:
        """What an offset took so far on this side, as a hint for how much to ask for at the end of a slice."""
        topic = self._request.view(side).topic
        snapshot = self._board.snapshot()
        done = sum(found.done_offsets for found in snapshot.partitions if (found.topic, found.side) == (topic, side))
        return self.bytes_read[side] // done if done else 0

    def _note_end(self, piece: SliceDigest) -> None:
        if piece.end in ABSENCES:
            key = (piece.slice.side, self._leader(piece.slice))
            self._silent.setdefault(key, set()).add(piece.slice.partition)
        if piece.end in REFUSALS or piece.end in ABSENCES:
            self._note(
                piece.slice.side,
                piece.end_code or piece.end.upper(),
                piece.end_detail,
                partition=piece.slice.partition,
                refused=piece.end in REFUSALS,
            )

    def _note(self, side: Side, code: str, message: str, *, partition: int | None = None, refused: bool) -> None:
        """Keeps an error that the run goes on from; what kind it was decides the exit code."""
        view = self._request.view(side)
        self.errors.append(
            ErrorEntry(code, message, fatal=False, side=side, view=view.text, topic=view.topic, partition=partition)
        )
        self.refused = self.refused or refused
        self.unreachable = self.unreachable or not refused

    def _check_again(self, planned: Plan, logs: dict[tuple[Side, int], PartitionLog]) -> None:
        """Holds each side to what was pinned; what is no longer that, was not read."""
        if self._cancel.is_cancelled():
            return
        self._board.phase = "checking again"
        for side in SIDES:
            ranges = {one.partition: offsets for one in planned.partitions if (offsets := one.side(side)) is not None}
            try:
                epochs = {
                    partition: logs[side, partition].leader_epochs[-1][0]
                    for partition in ranges
                    if logs[side, partition].leader_epochs
                }
                found = moved(self._pinned[side], ranges, epochs)
            except SourceError as error:
                detail = f"the {side.value} side could not be checked again: {error}"
                found = {partition: Moved(Reason.UNREACHABLE, detail) for partition in ranges}
                self._note(side, error.code, str(error), refused=isinstance(error, RefusedError))
            if self._pinned[side].identity.topic_id is None:
                found = {**self._other_front(side, ranges, logs), **found}
            away = {Reason.PARTITION_UNAVAILABLE, Reason.UNREACHABLE}
            self.unreachable = self.unreachable or any(reason.reason in away for reason in found.values())
            for partition, reason in found.items():
                log = logs[side, partition]
                logs[side, partition] = replace(log, distrust=Unread(log.planned, reason.reason.value, reason.detail))

    def _other_front(
        self, side: Side, ranges: dict[int, OffsetRange], logs: dict[tuple[Side, int], PartitionLog]
    ) -> dict[int, Moved]:
        """Without topic ids only records tell a topic from another of its name: the first ones are read again."""
        reader = self._reader()
        found = {}
        for partition in ranges:
            log = logs[side, partition]
            front = front_that_is_left(log)
            cells = [cell for cell in log.table if cell["count"] and front is not None and cell["start"] >= front]
            if not cells:
                continue
            start, stop = int(cells[0]["start"]), int(cells[0]["stop"])
            try:
                reader.checked_rows(log, start, stop, int(cells[0]["count"]))
            except LogChangedError as error:
                found[partition] = Moved(Reason.TOPIC_RECREATED, str(error))
            except ReadAgainError as error:
                found[partition] = Moved(Reason.CHANGED_WHILE_READING, str(error))
        return found

    def _reader(self) -> RowReader:
        isolation = {side: self._request.isolation(side) for side in SIDES}
        return RowReader(self._sources, isolation, self._budget, self._cancel)

    def _assess(self, planned: Plan, logs: dict[tuple[Side, int], PartitionLog]) -> list[PartitionReport]:
        self._board.phase = "comparing"
        request = self._request
        reader = self._reader()
        terms = Terms(
            request.fields,
            Allowances(request.allow_head, request.allow_tail, request.allow_gaps, request.allow_empty),
            {side: self._compacted(side) for side in SIDES},
            request.max_findings,
        )

        def one(found: PartitionPlan) -> PartitionReport:
            left = logs.get((Side.LEFT, found.partition))
            right = logs.get((Side.RIGHT, found.partition))
            if left is None or right is None:
                return self._incomplete(found.partition, left, right)
            return assess(left, right, terms, reader)

        assessed: dict[int, PartitionReport] = {}
        # A cancelled run compares what it has, without reading anything again.
        executor = ThreadExecutor(self.workers, _native.CancelToken())
        for report in executor.run(one, planned.partitions):
            assessed[report.partition] = report
        return [assessed[one.partition] for one in planned.partitions]

    def _incomplete(self, partition: int, left: PartitionLog | None, right: PartitionLog | None) -> PartitionReport:
        """A partition that a side lacks, or for which it gave no bounds."""
        findings = []
        logs = {Side.LEFT: left, Side.RIGHT: right}
        for side in SIDES:
            problem = self._pinned[side].problems.get(partition)
            if partition not in self._pinned[side].identity.partitions:
                findings.append(_no_partition(partition, side, logs[side.other]))
            elif logs[side] is None:
                refused = problem is not None and problem.refused
                message = problem.message if problem else f"partition {partition} has no bounds"
                code = problem.code if problem else "PARTITION_UNAVAILABLE"
                self._note(side, code, message, partition=partition, refused=refused)
                reason = Reason.REFUSED if refused else Reason.PARTITION_UNAVAILABLE
                findings.append(
                    Finding(
                        FindingKind.UNVERIFIED,
                        Effect.UNVERIFIED,
                        partition,
                        side=side,
                        reason=reason,
                        detail=message,
                    )
                )
        covered = {
            side: None if (log := logs[side]) is None else nothing_read(log.bounds, log.planned) for side in SIDES
        }
        return PartitionReport(
            partition=partition,
            verdict=partition_verdict(findings, covered[Side.LEFT], covered[Side.RIGHT], 0),
            left=covered[Side.LEFT],
            right=covered[Side.RIGHT],
            compared_records=0,
            offsets=UNRELATED,
            first_divergence=None,
            findings=tuple(findings),
            findings_total=len(findings),
        )

    def _mode_missing(self, partition: int, detail: str) -> PartitionReport:
        ranges: dict[Side, OffsetRange | None] = {}
        covered = {}
        for side in SIDES:
            bounds = self._pinned[side].bounds.get(partition)
            ranges[side] = None if bounds is None else _range(bounds)
            covered[side] = None if bounds is None else nothing_read(bounds, _range(bounds))
        finding = Finding(
            FindingKind.UNVERIFIED,
            Effect.UNVERIFIED,
            partition,
            left=ranges[Side.LEFT],
            right=ranges[Side.RIGHT],
            reason=Reason.MODE_NOT_AVAILABLE,
            detail=detail,
        )
        return PartitionReport(
            partition=partition,
            verdict=Verdict.INCONCLUSIVE,
            left=covered[Side.LEFT],
            right=covered[Side.RIGHT],
            compared_records=0,
            offsets=UNRELATED,
            first_divergence=None,
            findings=(finding,),
            findings_total=1,
        )

    def _topic(self, reports: list[PartitionReport], findings: tuple[Finding, ...]) -> TopicReport:
        return TopicReport(
            left=self._request.left.topic,
            right=self._request.right.topic,
            verdict=combined_verdict(
                [report.verdict for report in reports],
                findings,
                sum(report.compared_records for report in reports),
                allow_empty=self._request.allow_empty,
            ),
            partitions=tuple(reports),
            findings=findings,
        )


def _range(bounds: PartitionBounds) -> OffsetRange:
    return OffsetRange(bounds.log_start_offset, max(bounds.log_start_offset, bounds.high_watermark))


def _no_partition(partition: int, side: Side, other: PartitionLog | None) -> Finding:
    return Finding(
        FindingKind.PARTITION_COUNT,
        Effect.DIFFERENCE,
        partition,
        left=None if side is Side.LEFT or other is None else other.planned,
        right=None if side is Side.RIGHT or other is None else other.planned,
        records=0 if other is None else other.records,
        side=side,
        detail=f"the {side.value} side has no partition {partition}",
    )
