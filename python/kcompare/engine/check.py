"""One log alone: whether every record of it is there and sound."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.check_model import CheckFinding, CheckOptions, CheckReport, CheckTopic, CheckTotals, Soundness
from kcompare.engine.check_findings import ordered
from kcompare.engine.check_run import CheckRequest, CheckRun
from kcompare.engine.check_topic import SIDE, TopicCheck
from kcompare.engine.interrupt import interruptible
from kcompare.engine.pinned import check_partitions
from kcompare.engine.pinning import PINNERS, Silence
from kcompare.engine.shared import workers_of
from kcompare.errors import InterruptedRunError, KcompareError, SourceError, TopicNotFoundError, UsageError
from kcompare.executors.threads import ThreadExecutor
from kcompare.model import DataPath, RunInfo, ViewReport
from kcompare.settings.topics import check_view
from kcompare.sources.opening import open_cluster
from kcompare.verdict import check_exit_code, combined_soundness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kcompare.engine.progress import ProgressBoard
    from kcompare.model import ErrorEntry, Slice, View
    from kcompare.sources.base import Cluster, SliceDigest, TimeOrder

__all__ = ["CheckRequest", "check"]


@dataclass
class Outcome:
    """What a run has found so far; what is missing when it fails is what it did not reach."""

    topics: list[CheckTopic] = field(default_factory=list)
    findings: list[CheckFinding] = field(default_factory=list)
    findings_total: int = 0
    cluster_id: str | None = None
    topic_id: str | None = None
    node_id: int | None = None


def check(request: CheckRequest, *, board: ProgressBoard) -> CheckReport:
    """Reads every record of one topic, or of several, and says what is not as it should be.

    Raises:
        UsageError: what was asked for cannot be done as asked; nothing was fetched.
    """
    check_view(request.view, request.topics)
    cancel = _native.CancelToken()
    budget = _native.MemoryBudget(total_bytes=request.budget_bytes, workers=workers_of(request.workers))
    run, outcome = CheckRun(request, board, cancel, budget), Outcome()
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        interruptible(lambda: _run(run, outcome), cancel)
    except UsageError:
        raise
    except InterruptedRunError:
        cancel.cancel()
    except KcompareError as error:
        run.failed(error, None, request.view, fatal=True)
    return _report(run, outcome, started, time.monotonic() - clock)


def _run(run: CheckRun, outcome: Outcome) -> None:
    request, board = run.request, run.board
    limit = request.rate_limit_bytes
    rate = None if limit is None else _native.RateLimit(bytes_per_second=limit)
    cluster = open_cluster(request.view, request.settings, run.cancel, rate)
    topics = [TopicCheck(run, cluster.source(view)) for view in _views(request, cluster)]
    board.phase, board.topics = "planning", len(topics)
    _pin(run, topics, outcome)
    for topic in topics:
        topic.plan()
    board.phase = "reading"
    for topic, digest, order in ThreadExecutor(workers_of(request.workers), run.cancel).run(_read, _slices(topics)):
        topic.keep(digest, order)
    board.phase = "checking"
    # Every topic gets its report, also when the run is interrupted: what was not read is uncovered.
    for topic in topics:
        report, findings = topic.finish()
        outcome.topics.append(report)
        outcome.findings.extend(findings)
        outcome.findings_total += sum(one.findings_total for one in report.partitions) + report.findings_total
        board.topics_done += 1


def _views(request: CheckRequest, cluster: Cluster) -> list[View]:
    """One view a topic.

    Raises:
        UsageError: none is chosen, or not as many as expected.
    """
    if request.view.topic:
        return [request.view]
    selection = request.topics
    assert selection is not None, "the request was checked"  # noqa: S101
    there = cluster.topics()
    names = sorted(name for name in there if selection.chooses(name))
    if not names:
        raise UsageError(
            f"{selection.text} chooses none of the {len(there)} topics of {request.view.text}; "
            "a pattern has to match a whole name"
        )
    if selection.expected is not None and len(names) != selection.expected:
        raise UsageError(
            f"--expect-topics {selection.expected}: {selection.text} chooses {len(names)} topics; "
            "look which are missing or too many, or expect another number"
        )
    return [request.view.of(name) for name in names]


def _pin(run: CheckRun, topics: Sequence[TopicCheck], outcome: Outcome) -> None:
    """Asks every topic what it is and where it begins and ends.

    Raises:
        UsageError: a topic that was named does not exist, or a partition that was named.
        SourceError: a topic that was named could not be asked.
        InterruptedRunError: interrupted before all of them were known.
    """
    _each(run, topics, TopicCheck.identify)
    for topic in topics:
        if topic.identity is not None:
            check_partitions(run.request.partitions, {SIDE: topic.identity}, {SIDE: topic.view})
            outcome.cluster_id = outcome.cluster_id or topic.identity.cluster_id
            outcome.node_id = topic.identity.node_id if outcome.node_id is None else outcome.node_id
    _each(run, topics, TopicCheck.pin)
    if run.request.view.topic:
        (topic,) = topics
        outcome.topic_id = topic.identity.topic_id if topic.identity else None
        if topic.problem is not None:
            raise topic.problem
    for topic in topics:
        if topic.problem is not None:
            run.failed(topic.problem, None, topic.view, fatal=False)


def _each(run: CheckRun, topics: Sequence[TopicCheck], step: Callable[[TopicCheck], None]) -> None:
    """Takes a step with every topic that nothing is known against."""
    silence = Silence()

    def one(topic: TopicCheck) -> None:
        try:
            silence.ask(SIDE, lambda: step(topic))
        except (TopicNotFoundError, SourceError) as error:
            topic.problem = error

    asked = [topic for topic in topics if topic.problem is None]
    for _ in ThreadExecutor(min(PINNERS, max(1, len(asked))), run.cancel).run(one, asked):
        pass
    if run.cancel.is_cancelled():
        raise InterruptedRunError("interrupted before the bounds of every topic were known; nothing was read")


def _slices(topics: Sequence[TopicCheck]) -> Iterator[tuple[TopicCheck, Slice]]:
    for topic in topics:
        for piece in topic.slices():
            yield topic, piece


def _read(task: tuple[TopicCheck, Slice]) -> tuple[TopicCheck, SliceDigest, TimeOrder]:
    topic, piece = task
    return topic, *topic.read(piece)


def _report(run: CheckRun, outcome: Outcome, started: datetime, seconds: float) -> CheckReport:
    request, settings, interrupted = run.request, run.request.settings, run.cancel.is_cancelled()
    partitions = [found for topic in outcome.topics for found in topic.partitions]
    totals = CheckTotals(
        records=sum(found.coverage.records for found in partitions if found.coverage),
        batches=sum(found.batches for found in partitions),
        bytes=run.bytes_read[SIDE],
    )
    verdict = combined_soundness(topic.verdict for topic in outcome.topics)
    if verdict is Soundness.SOUND and (interrupted or any(error.fatal for error in run.errors)):
        verdict = Soundness.INCONCLUSIVE
    code = check_exit_code(verdict, interrupted=interrupted, refused=run.refused, unreachable=run.unreachable)
    notes = ["tls_unverified"] if settings.tls_unverified else []
    notes += ["headers_as_delivered"] if settings.data_path is DataPath.CONSUMER else []
    chosen = request.topics.topics if request.topics else None
    return CheckReport(
        verdict=verdict,
        exit_code=int(code),
        view=ViewReport(
            view=request.view.text,
            kind=request.view.kind,
            cluster_id=outcome.cluster_id,
            topic_id=outcome.topic_id,
            data_path=settings.data_path,
            data_path_reason=settings.data_path_reason,
            node_id=outcome.node_id,
        ),
        options=CheckOptions(
            request.allow_gaps, request.allow_empty, request.partitions, chosen.text if chosen else None
        ),
        topics=tuple(outcome.topics),
        findings=ordered(outcome.findings),
        findings_total=outcome.findings_total,
        totals=totals,
        errors=tuple(sorted((replace(error, side=None) for error in run.errors), key=_place)),
        run=RunInfo(
            started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            seconds=round(seconds, 3),
            records_per_second=round(totals.records / max(seconds, 1e-9), 1),
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            version=_native.__version__,
            workers=workers_of(request.workers),
        ),
        notes=tuple(notes),
    )


def _place(error: ErrorEntry) -> tuple[bool, str, int, str]:
    """Fatal errors first, then by place: threads meet errors in any order, and two runs say the same."""
    return not error.fatal, error.topic or "", error.partition or 0, error.message
