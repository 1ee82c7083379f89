"""The last records of every partition, and how far apart the partitions end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.engine.interrupt import interruptible
from kcompare.errors import InterruptedRunError, RefusedError, SourceError, UnreachableError
from kcompare.executors.threads import ThreadExecutor
from kcompare.model import (
    ErrorEntry,
    IsolationLevel,
    OffsetRange,
    Reason,
    TailPartition,
    TailReport,
    TailView,
)
from kcompare.settings.cluster import ClusterSettings
from kcompare.sources.opening import open_cluster

if TYPE_CHECKING:
    from kcompare.model import PartitionBounds, TailRecord, View
    from kcompare.sources.base import PartitionProblem

WORKERS = 8
BUDGET_BYTES = 64 << 20
SHOWN_BYTES = 256
"""Bytes of a key or a value that are shown at most."""

WIDEN = 16
"""Where markers and compaction leave too few records, the next look goes so many times as far back."""

MAX_OFFSETS_BACK = 1 << 20
"""How far back a look goes at most."""


@dataclass(frozen=True, slots=True)
class TailRequest:
    """Which views to look at.

    Attributes:
        count: the number of records for each partition.
        settings: how to talk to each view, in the order of the views; none is the default for all of them.
    """

    views: tuple[View, ...]
    count: int = 10
    show_values: bool = False
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED
    settings: tuple[ClusterSettings, ...] = ()


def tail(request: TailRequest) -> TailReport:
    """Reads the last records of every partition of every view.

    Raises:
        UsageError: a topic that does not exist.
        InterruptedRunError: interrupted.
    """
    cancel = _native.CancelToken()

    def work() -> TailReport:
        """Every view in turn; what is wrong with one does not keep the others from being shown."""
        views: list[TailView] = []
        errors: list[ErrorEntry] = []
        chosen = request.settings or tuple(ClusterSettings() for _ in request.views)
        for view, settings in zip(request.views, chosen, strict=True):
            try:
                found = _Tail(request, view, settings, cancel).read()
            except SourceError as error:
                errors.append(_entry(view, error.code, str(error), fatal=True))
                found = TailView(view.text, (), None, None)
            else:
                errors.extend(_partition_errors(view, found))
            views.append(_with_settings(found, settings))
        return TailReport(tuple(views), tuple(errors))

    report = interruptible(work, cancel)
    if cancel.is_cancelled():
        raise InterruptedRunError("interrupted before every partition was read")
    return report


def _with_settings(view: TailView, settings: ClusterSettings) -> TailView:
    """The view with what read it, and what has to be said about that."""
    notes = ("tls_unverified",) if settings.tls_unverified else ()
    return replace(view, data_path=settings.data_path, data_path_reason=settings.data_path_reason, notes=notes)


def _entry(view: View, code: str, message: str, *, fatal: bool, partition: int | None = None) -> ErrorEntry:
    return ErrorEntry(code, message, fatal=fatal, view=view.text, topic=view.topic, partition=partition)


def _partition_errors(view: View, found: TailView) -> list[ErrorEntry]:
    return [
        _entry(view, one.error_code, one.error, fatal=False, partition=one.partition)
        for one in found.partitions
        if one.error
    ]


def _code(problem: PartitionProblem) -> str:
    """The word that decides the exit code: no permission, nobody there, or no file."""
    if problem.refused:
        return RefusedError.code
    return UnreachableError.code if problem.reason is Reason.PARTITION_UNAVAILABLE else problem.code


class _Tail:
    """The end of one view."""

    def __init__(
        self, request: TailRequest, view: View, settings: ClusterSettings, cancel: _native.CancelToken
    ) -> None:
        self._request = request
        self._source = open_cluster(view, settings, cancel).source(view)
        self._view = view
        self._cancel = cancel
        self._budget = _native.MemoryBudget(total_bytes=BUDGET_BYTES, workers=WORKERS)

    def read(self) -> TailView:
        """The view's partitions, those without bounds included."""
        self._source.identity()
        good, bad = self._source.bounds()
        executor = ThreadExecutor(WORKERS, self._cancel)
        partitions = list(executor.run(self._partition, good))
        partitions += [
            TailPartition(
                partition=problem.partition,
                log_start_offset=-1,
                stop=-1,
                start=-1,
                records=(),
                last_timestamp=None,
                error=problem.message,
                error_code=_code(problem),
            )
            for problem in bad
        ]
        ends = [one.last_timestamp for one in partitions if one.last_timestamp is not None]
        stops = [one.stop for one in partitions]
        return TailView(
            view=self._view.text,
            partitions=tuple(sorted(partitions, key=lambda one: one.partition)),
            end_skew_ms=max(ends) - min(ends) if ends else None,
            common_prefix_stop=min(stops) if stops and not bad else None,
        )

    def _partition(self, bounds: PartitionBounds) -> TailPartition:
        stop = max(bounds.log_start_offset, bounds.high_watermark)
        back = self._request.count
        while True:
            start = max(bounds.log_start_offset, stop - back)
            records, problem = self._records(bounds.partition, start, stop)
            enough = len(records) >= self._request.count or start == bounds.log_start_offset
            if enough or problem or back >= MAX_OFFSETS_BACK or self._cancel.is_cancelled():
                break
            back = min(back * WIDEN, MAX_OFFSETS_BACK)
        last = records[-1].timestamp if records else None
        return TailPartition(
            partition=bounds.partition,
            log_start_offset=bounds.log_start_offset,
            stop=stop,
            start=records[0].offset if records else stop,
            records=records,
            last_timestamp=last if last is not None and last >= 0 else None,
            error=problem or None,
            error_code="PARTITION_UNREAD" if problem else "",
        )

    def _records(self, partition: int, start: int, stop: int) -> tuple[tuple[TailRecord, ...], str]:
        if start == stop:
            return (), ""
        return self._source.records(
            partition,
            OffsetRange(start, stop),
            self._request.isolation,
            self._request.count,
            SHOWN_BYTES if self._request.show_values else 0,
            self._budget,
            self._cancel,
        )
