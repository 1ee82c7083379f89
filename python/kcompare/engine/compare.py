"""The main job: two views, one verdict."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.engine.interrupt import interruptible
from kcompare.engine.pinned import Pinned, check_not_the_same, check_partitions, pin
from kcompare.engine.run import TopicRun
from kcompare.errors import (
    InterruptedRunError,
    KcompareError,
    RefusedError,
    SourceError,
    UnreachableError,
    UsageError,
)
from kcompare.model import (
    SIDES,
    ErrorEntry,
    IsolationLevel,
    Mode,
    OptionsReport,
    RecordField,
    Report,
    RunInfo,
    Side,
    TopicReport,
    Totals,
    Verdict,
    View,
    ViewReport,
)
from kcompare.settings.cluster import ClusterSettings
from kcompare.sources.opening import open_cluster
from kcompare.verdict import combined_verdict, exit_code

if TYPE_CHECKING:
    from kcompare.engine.progress import ProgressBoard
    from kcompare.settings.allowances import Allowance
    from kcompare.sources.base import Identity, Source

DEFAULT_BUDGET_BYTES = 64 << 20
DEFAULT_SETTINGS = ClusterSettings()


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What to compare and how; the defaults are those of the command line.

    Attributes:
        fields: fields that must agree; None is key, value, headers and, unless a broker wrote it, timestamp.
        settle_s: how long an open transaction may hold the last stable offset back, in seconds.
        workers: slices read at the same time; None is two a processor, at least two and at most eight.
        budget_bytes: memory for everything in flight and decoded.
    """

    left: View
    right: View
    mode: Mode = Mode.AUTO
    fields: tuple[RecordField, ...] | None = None
    left_isolation: IsolationLevel = IsolationLevel.READ_COMMITTED
    right_isolation: IsolationLevel = IsolationLevel.READ_COMMITTED
    settle_s: float = 15.0
    allow_head: Allowance | None = None
    allow_tail: Allowance | None = None
    allow_gaps: bool = False
    allow_empty: bool = False
    allow_same: bool = False
    partitions: tuple[int, ...] | None = None
    workers: int | None = None
    budget_bytes: int = DEFAULT_BUDGET_BYTES
    max_findings: int = 100
    left_settings: ClusterSettings = DEFAULT_SETTINGS
    right_settings: ClusterSettings = DEFAULT_SETTINGS

    def view(self, side: Side) -> View:
        """The view of one side."""
        return self.left if side is Side.LEFT else self.right

    def isolation(self, side: Side) -> IsolationLevel:
        """The isolation level of one side."""
        return self.left_isolation if side is Side.LEFT else self.right_isolation

    def settings(self, side: Side) -> ClusterSettings:
        """How to talk to one side."""
        return self.left_settings if side is Side.LEFT else self.right_settings


@dataclass
class Outcome:
    """What a run has found so far; what is missing when it fails is what it did not reach."""

    pinned: dict[Side, Pinned] = field(default_factory=dict)
    options: OptionsReport | None = None
    topics: list[TopicReport] = field(default_factory=list)
    errors: list[ErrorEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: bool = False
    unreachable: bool = False
    left_bytes: int = 0
    right_bytes: int = 0
    reading_s: float = 0.0
    workers: int = 0

    def failed(self, error: KcompareError, view: View | None = None, side: Side | None = None) -> None:
        """Keeps an error that ended the run, or one of its sides."""
        self.refused = self.refused or isinstance(error, RefusedError)
        self.unreachable = self.unreachable or isinstance(error, UnreachableError)
        text, topic = (view.text, view.topic) if view else (None, None)
        self.errors.append(ErrorEntry(error.code, str(error), fatal=True, side=side, view=text, topic=topic))


def compare(request: CompareRequest, *, board: ProgressBoard) -> Report:
    """Compares two topics.

    Raises:
        UsageError: what was asked for cannot be done as asked; nothing was fetched.
    """
    _check(request)
    cancel = _native.CancelToken()
    outcome = Outcome()
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        interruptible(lambda: _run(request, board, cancel, outcome), cancel)
    except UsageError:
        raise
    except InterruptedRunError:
        cancel.cancel()
    except KcompareError as error:
        outcome.failed(error)
    return _report(request, outcome, cancel, started, time.monotonic() - clock)


def _check(request: CompareRequest) -> None:
    if request.mode in {Mode.LATEST, Mode.SET}:
        raise UsageError(f"mode {request.mode.value!r} is not in this version; use --mode log")
    if request.fields is not None:
        missing = [
            name for name in (RecordField.KEY, RecordField.VALUE, RecordField.HEADERS) if name not in request.fields
        ]
        if missing:
            raise UsageError(
                f"--fields without {', '.join(missing)} is not in this version; "
                "name key, value and headers, with or without timestamp and offset"
            )


def _run(request: CompareRequest, board: ProgressBoard, cancel: _native.CancelToken, outcome: Outcome) -> None:
    sources: dict[Side, Source] = {}
    identities: dict[Side, Identity] = {}
    outcome.notes.extend(f"{side}_tls_unverified" for side in SIDES if request.settings(side).tls_unverified)
    for side in SIDES:
        view = request.view(side)
        try:
            source = open_cluster(view.bootstrap, request.settings(side), cancel).source(view)
            identities[side] = source.identity()
            sources[side] = source
        except SourceError as error:
            outcome.failed(error, view, side)
    if len(sources) == len(SIDES) and not request.allow_same:
        # Before the bounds, which take a Fetch: what cannot be done as asked fails before any.
        check_not_the_same(sources, identities)
    check_partitions(request.partitions, identities, {side: request.view(side) for side in SIDES})
    for side, opened in sources.items():
        try:
            outcome.pinned[side] = pin(opened, side, identities[side])
        except SourceError as error:
            outcome.failed(error, request.view(side), side)
    if len(outcome.pinned) < len(SIDES):
        # Both sides were asked, so that one report names everything that is wrong.
        return
    pinned = outcome.pinned
    left, right = identities[Side.LEFT], identities[Side.RIGHT]
    if left.cluster_id and left.cluster_id == right.cluster_id and left.topic_id == right.topic_id:
        outcome.notes.append("same_lineage")
    run = TopicRun(request, sources, pinned, cancel, board)
    outcome.options = run.options()
    outcome.workers = run.workers
    try:
        outcome.topics.append(run.compare())
    finally:
        outcome.errors.extend(run.errors)
        outcome.refused = outcome.refused or run.refused
        outcome.unreachable = outcome.unreachable or run.unreachable
        outcome.left_bytes, outcome.right_bytes = run.bytes_read[Side.LEFT], run.bytes_read[Side.RIGHT]
        outcome.reading_s = run.reading_s


def _report(
    request: CompareRequest,
    outcome: Outcome,
    cancel: _native.CancelToken,
    started: datetime,
    seconds: float,
) -> Report:
    partitions = [found for topic in outcome.topics for found in topic.partitions]
    totals = Totals(
        left_records=sum(found.left.records for found in partitions if found.left),
        right_records=sum(found.right.records for found in partitions if found.right),
        compared_records=sum(found.compared_records for found in partitions),
        left_bytes=outcome.left_bytes,
        right_bytes=outcome.right_bytes,
    )
    verdict = combined_verdict(
        [topic.verdict for topic in outcome.topics],
        [],
        totals.compared_records,
        allow_empty=request.allow_empty and bool(outcome.topics),
    )
    if verdict is Verdict.EQUAL and (cancel.is_cancelled() or any(error.fatal for error in outcome.errors)):
        verdict = Verdict.INCONCLUSIVE
    code = exit_code(
        verdict,
        interrupted=cancel.is_cancelled(),
        refused=outcome.refused,
        unreachable=outcome.unreachable,
    )
    return Report(
        verdict=verdict,
        exit_code=int(code),
        left=_view_report(request, Side.LEFT, outcome.pinned.get(Side.LEFT)),
        right=_view_report(request, Side.RIGHT, outcome.pinned.get(Side.RIGHT)),
        options=outcome.options,
        topics=tuple(outcome.topics),
        totals=totals,
        errors=tuple(sorted(outcome.errors, key=_place)),
        run=RunInfo(
            started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            seconds=round(seconds, 3),
            records_per_second=round((totals.left_records + totals.right_records) / max(seconds, 1e-9), 1),
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            version=_native.__version__,
            workers=outcome.workers,
        ),
        notes=tuple(outcome.notes),
    )


def _place(error: ErrorEntry) -> tuple[bool, str, str, int, str]:
    """Fatal errors first, then by place: threads meet errors in any order, and two runs say the same."""
    return not error.fatal, error.side or "", error.topic or "", error.partition or 0, error.message


def _view_report(request: CompareRequest, side: Side, pinned: Pinned | None) -> ViewReport:
    view, settings = request.view(side), request.settings(side)
    identity = pinned.identity if pinned else None
    return ViewReport(
        view=view.text,
        kind=view.kind,
        cluster_id=identity.cluster_id if identity else None,
        topic_id=identity.topic_id if identity else None,
        data_path=settings.data_path,
        data_path_reason=settings.data_path_reason,
    )
