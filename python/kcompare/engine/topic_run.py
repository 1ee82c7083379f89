"""One pair of topics: plan, read, check again, compare, report. Each step is called by the run, perhaps on a worker."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare.engine.assess import Terms, assess
from kcompare.engine.checking import checked_again
from kcompare.engine.effects import Allowances
from kcompare.engine.holes import borders_of
from kcompare.engine.incomplete import (
    lacks_partition,
    mode_missing,
    no_bounds,
    not_in_logdir,
    nothing_in,
    odd_end,
    unread_partition,
)
from kcompare.engine.logs import PartitionLog, join, not_read
from kcompare.engine.mode import chosen_mode, is_compacted
from kcompare.engine.reading import RowReader
from kcompare.engine.retention import read_again
from kcompare.engine.shared import workers_of
from kcompare.errors import InterruptedRunError, RefusedError
from kcompare.model import (
    SIDES,
    DataPath,
    Effect,
    Finding,
    FindingKind,
    Mode,
    PartitionReport,
    Reason,
    Side,
    TopicReport,
    Verdict,
)
from kcompare.planning import PartitionPlan, partition_plans, slices_of
from kcompare.verdict import combined_verdict, partition_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.engine.pairs import TopicPair
    from kcompare.engine.pinned import Pinned
    from kcompare.engine.shared import Shared
    from kcompare.model import Slice
    from kcompare.sources.base import SliceDigest


class TopicRun:
    """Compares one pair of topics that both sides have. ``partitions`` is what is planned of each partition."""

    def __init__(self, shared: Shared, pair: TopicPair, pinned: dict[Side, Pinned]) -> None:
        self._shared = shared
        self._request = shared.request
        self.pair = pair
        self._pinned = pinned
        self.mode, self.mode_reason = chosen_mode(shared.request.mode, pinned)
        wanted = shared.request.partitions
        every = (set(pinned[side].identity.partitions) for side in SIDES)
        self.partitions = partition_plans(
            pinned[Side.LEFT].planned,
            pinned[Side.RIGHT].planned,
            sorted(set.union(*every) if wanted is None else set(wanted)),
        )
        self._pieces: dict[tuple[Side, int], list[SliceDigest]] = {}
        self._logs: dict[tuple[Side, int], PartitionLog] = {}
        self._read = dict.fromkeys(SIDES, (0, 0))
        if self.mode is Mode.LOG:
            shared.board.plan({side: pair.view(side).topic for side in SIDES}, self.partitions)

    def slices(self) -> tuple[Slice, ...]:
        """What is to be read, in the order in which it should be started."""
        if self.mode is not Mode.LOG:
            return ()
        borders = borders_of(bounds for side in SIDES for bounds in self._pinned[side].bounds.values())
        if all(self._request.settings(side).data_path is DataPath.NATIVE for side in SIDES):
            return slices_of(self.partitions, borders=borders)
        # librdkafka has read ahead when a slice ends, and drops that when the next one begins: no more than it takes
        # to keep every worker busy.
        return slices_of(self.partitions, workers_of(self._request.workers), borders)

    def leader(self, piece: Slice) -> int:
        """The broker that a slice is read from."""
        return self._pinned[piece.side].bounds[piece.partition].leader

    def read(self, piece: Slice) -> SliceDigest:
        """Reads one slice."""
        shared, side = self._shared, piece.side
        topic = self.pair.view(side).topic
        if shared.is_hopeless(side, self.leader(piece), (topic, piece.partition)):
            detail = f"not tried, because partition {piece.partition} or its leader did not answer before"
            return not_read(piece, Reason.UNREACHABLE, detail)
        bytes_read, offsets = self._read[side]
        return self._pinned[side].source.read(
            piece,
            self._request.isolation(side),
            round(self._request.settle_s * 1000),
            bytes_read // offsets if offsets else 0,
            shared.budget,
            shared.cancel,
            shared.board.counter(topic, side, piece.partition),
        )

    def keep(self, piece: SliceDigest) -> None:
        """Keeps what came of a slice until the topic is compared."""
        side = piece.slice.side
        self._pieces.setdefault((side, piece.slice.partition), []).append(piece)
        self.count(piece)

    def count(self, piece: SliceDigest) -> None:
        """Counts the bytes of a slice, and notes how it ended."""
        side = piece.slice.side
        bytes_read, offsets = self._read[side]
        self._read[side] = bytes_read + piece.bytes, offsets + len(piece.slice.range)
        self._shared.bytes_read[side] += piece.bytes
        self._shared.note_end(self.pair.view(side), self.leader(piece.slice), piece)

    def finish_reading(self) -> list[SliceDigest]:
        """Follows retention, joins what was read, and holds both sides to what was pinned.

        Returns:
            What was read on the way, to be counted by :meth:`count` on the thread of the run.
        """
        if self.mode is not Mode.LOG:
            self._note_mode()
            return []
        sources = {side: self._pinned[side].source for side in SIDES}
        again: list[SliceDigest] = []
        # An interrupt ends what asks a source, wherever it is; what is left of a slice is uncovered then.
        with suppress(InterruptedRunError):
            for piece in read_again(self._pieces, sources, lambda rest: map(self.read, rest)):
                again.append(piece)  # noqa: PERF402 - those that came before an interrupt are kept
        for one in self.partitions:
            for side in SIDES:
                offsets = one.side(side)
                if offsets is not None:
                    found = self._pieces.get((side, one.partition), [])
                    bounds = self._pinned[side].bounds[one.partition]
                    self._logs[side, one.partition] = join(side, bounds, offsets, found)
        self._pieces.clear()
        checked_again(self._shared, self.pair, self._pinned, self._logs, self._reader())
        return again

    def _note_mode(self) -> None:
        if self.mode is not Mode.AUTO:
            return
        for side in SIDES:
            identity = self._pinned[side].identity
            if identity.policy_refused:
                message = identity.policy_error or ""
                self._shared.note(side, self.pair.view(side), RefusedError.code, message, refused=True)

    def _reader(self) -> RowReader:
        isolation = {side: self._request.isolation(side) for side in SIDES}
        sources = {side: self._pinned[side].source for side in SIDES}
        return RowReader(sources, isolation, self._shared.budget, self._shared.cancel)

    def assess(self, planned: PartitionPlan) -> PartitionReport:
        """Compares one partition, and lets go of what was read of it."""
        if self.mode is not Mode.LOG:
            say = "say --mode log to compare the two logs record by record"
            detail = f"{self.mode_reason}; mode latest is not in this version: {say}"
            return mode_missing(planned.partition, self._pinned, detail)
        left, right = (self._logs.pop((side, planned.partition), None) for side in SIDES)
        if left is None or right is None:
            return self._unread(planned)
        request = self._request
        terms = Terms(
            request.fields,
            Allowances(request.allow_head, request.allow_tail, request.allow_gaps, request.allow_empty),
            {side: is_compacted(self._pinned[side]) for side in SIDES},
            request.max_findings,
        )
        return self._within_ranges(assess(left, right, terms, self._reader()), planned)

    def _within_ranges(self, report: PartitionReport, planned: PartitionPlan) -> PartitionReport:
        """Says which part of a wanted range is not there, and that a range without an offset proves nothing."""
        cuts = [cut for side in SIDES for cut in self._pinned[side].cuts.get(planned.partition, ())]
        ends = [end for side in SIDES if (end := odd_end(side, self._pinned[side].bounds[planned.partition]))]
        report = replace(report, warnings=(*report.warnings, *cuts, *ends))
        if planned.left or planned.right or self._request.allow_empty:
            return report
        held = [self._pinned[side].bounds[planned.partition] for side in SIDES]
        if all(found.high_watermark <= found.log_start_offset for found in held):
            # Two empty logs, with or without a range.
            return report
        detail = "the ranges hold no offset on either side; widen them, or say --allow-empty if that is right"
        nothing = Finding(
            FindingKind.UNVERIFIED,
            Effect.UNVERIFIED,
            planned.partition,
            reason=Reason.NOTHING_COMPARED,
            detail=detail,
        )
        findings = (*report.findings, nothing)
        return replace(
            report,
            verdict=partition_verdict(findings, report.left, report.right, 0),
            findings=findings,
            findings_total=report.findings_total + 1,
        )

    def _unread(self, planned: PartitionPlan) -> PartitionReport:
        """A partition that a side lacks, or for which it gave no bounds."""
        partition = planned.partition
        findings = []
        for side in SIDES:
            pinned = self._pinned[side]
            if partition not in pinned.identity.partitions:
                lacks = not_in_logdir if pinned.identity.is_directory else lacks_partition
                findings.append(lacks(partition, side, planned.side(side.other)))
            elif partition not in pinned.bounds:
                problem = pinned.problems.get(partition)
                reason = problem.reason if problem else Reason.PARTITION_UNAVAILABLE
                refused = problem is not None and problem.refused
                message = problem.message if problem else f"partition {partition} has no bounds"
                code = problem.code if problem else "PARTITION_UNAVAILABLE"
                view = self.pair.view(side)
                self._shared.note(
                    side,
                    view,
                    code,
                    message,
                    partition=partition,
                    refused=refused,
                    unreachable=not refused and reason is Reason.PARTITION_UNAVAILABLE,
                )
                findings.append(no_bounds(partition, side, message, Reason.REFUSED if refused else reason))
        return unread_partition(partition, self._pinned, findings)

    def report(self, reports: Sequence[PartitionReport]) -> TopicReport:
        """The pair's report from those of its partitions, in any order."""
        allow_empty = self._request.allow_empty
        compared = sum(report.compared_records for report in reports)
        is_empty = compared == 0 and not allow_empty and all(found.verdict is Verdict.EQUAL for found in reports)
        findings = (nothing_in(self.pair),) if is_empty else ()
        return TopicReport(
            left=self.pair.left.topic,
            right=self.pair.right.topic,
            verdict=combined_verdict(
                [report.verdict for report in reports], findings, compared, allow_empty=allow_empty
            ),
            partitions=tuple(sorted(reports, key=lambda report: report.partition)),
            findings=findings,
            mode=self.mode,
            mode_reason=self.mode_reason,
            left_topic_id=self._pinned[Side.LEFT].identity.topic_id,
            right_topic_id=self._pinned[Side.RIGHT].identity.topic_id,
        )
