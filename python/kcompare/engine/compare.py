"""The main job: two views, one verdict."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.engine.interrupt import interruptible
from kcompare.engine.options import options_of
from kcompare.engine.pairs import TopicPair, choose_pairs, notes_of
from kcompare.engine.pinning import pin_topics
from kcompare.engine.request import CompareRequest, check_request
from kcompare.engine.run import run_topics
from kcompare.engine.shared import Shared, workers_of
from kcompare.errors import InterruptedRunError, KcompareError, SourceError, UsageError
from kcompare.model import (
    SIDES,
    DataPath,
    ErrorEntry,
    OptionsReport,
    Report,
    RunInfo,
    Side,
    TopicReport,
    Totals,
    Verdict,
    ViewReport,
)
from kcompare.sources.opening import open_cluster
from kcompare.verdict import combined_verdict, exit_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcompare.engine.pinning import PinnedTopic
    from kcompare.engine.progress import ProgressBoard
    from kcompare.sources.base import Cluster, Identity

__all__ = ["CompareRequest", "compare"]


@dataclass
class Outcome:
    """What a run has found so far; what is missing when it fails is what it did not reach."""

    topics: list[TopicReport] = field(default_factory=list)
    cluster_ids: dict[Side, str | None] = field(default_factory=dict)
    topic_ids: dict[Side, str | None] = field(default_factory=dict)
    node_ids: dict[Side, int | None] = field(default_factory=dict)
    options: OptionsReport | None = None
    notes: list[str] = field(default_factory=list)
    workers: int = 0
    planning_s: float = 0.0


def compare(request: CompareRequest, *, board: ProgressBoard) -> Report:
    """Compares two topics, or many pairs of them.

    Raises:
        UsageError: what was asked for cannot be done as asked; nothing was fetched.
    """
    check_request(request)
    cancel = _native.CancelToken()
    budget = _native.MemoryBudget(total_bytes=request.budget_bytes, workers=workers_of(request.workers))
    shared, outcome = Shared(request, cancel, board, budget), Outcome()
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        interruptible(lambda: _run(shared, outcome, clock), cancel)
    except UsageError:
        raise
    except InterruptedRunError:
        cancel.cancel()
    except KcompareError as error:
        shared.failed(error, fatal=True)
    return _report(shared, outcome, started, time.monotonic() - clock)


def _run(shared: Shared, outcome: Outcome, clock: float) -> None:
    request, board = shared.request, shared.board
    clusters = _open(shared, outcome)
    if request.left.topic:
        pairs = [TopicPair(request.left, request.right)]
    elif len(clusters) == len(SIDES):
        pairs = _chosen(shared, clusters, outcome)
    else:
        return
    board.phase, board.topics = "planning", len(pairs)
    topics = pin_topics(shared, pairs, clusters)
    outcome.planning_s = time.monotonic() - clock
    chosen = request.topics is not None and not request.left.topic
    _keep_ids(topics, outcome, one=not chosen)
    if not chosen:
        # Of two topics that were named there is nothing to report but why they cannot be compared.
        for error in topics[0].missing.values():
            raise error
    _keep_problems(shared, topics, fatal=not chosen)
    runs = [run for topic in topics if (run := topic.run(shared)) is not None]
    if chosen:
        outcome.topics.extend(topic.report(shared) for topic in topics if len(topic.pinned) < len(SIDES))
        board.topics_done = len(outcome.topics)
    elif not runs:
        return
    outcome.options = options_of(request, [(run.mode, run.mode_reason) for run in runs])
    outcome.workers = workers_of(request.workers)
    run_topics(shared, runs, outcome.workers, outcome.topics)


def _open(shared: Shared, outcome: Outcome) -> dict[Side, Cluster]:
    """Both clusters, or those that could be reached; the others are noted."""
    request = shared.request
    limit = request.rate_limit_bytes
    rate = None if limit is None else _native.RateLimit(bytes_per_second=limit)
    clusters: dict[Side, Cluster] = {}
    outcome.notes.extend(f"{side}_tls_unverified" for side in SIDES if request.settings(side).tls_unverified)
    # What librdkafka keeps from us of a header leaves no trace, so every report that rests on it has to say so.
    outcome.notes.extend(
        f"{side}_headers_as_delivered" for side in SIDES if request.settings(side).data_path is DataPath.CONSUMER
    )
    for side in SIDES:
        view = request.view(side)
        try:
            clusters[side] = open_cluster(view, request.settings(side), shared.cancel, rate)
        except SourceError as error:
            shared.failed(error, side, view, fatal=True)
    return clusters


def _chosen(shared: Shared, clusters: Mapping[Side, Cluster], outcome: Outcome) -> list[TopicPair]:
    """The pairs that the request chooses; none where a side does not list its topics."""
    request = shared.request
    assert request.topics is not None, "the request was checked"  # noqa: S101
    names: dict[Side, tuple[str, ...]] = {}
    for side, cluster in clusters.items():
        try:
            names[side] = cluster.topics()
        except SourceError as error:
            shared.failed(error, side, request.view(side), fatal=True)
    if len(names) < len(SIDES):
        return []
    outcome.notes.extend(notes_of(request.topics))
    return choose_pairs(request.topics, {side: request.view(side) for side in SIDES}, names)


def _keep_ids(topics: Sequence[PinnedTopic], outcome: Outcome, *, one: bool) -> None:
    """What the report says of each side, and whether a pair is a restored snapshot and its original."""
    for topic in topics:
        for side, identity in topic.identities.items():
            outcome.cluster_ids.setdefault(side, identity.cluster_id)
            outcome.node_ids.setdefault(side, identity.node_id)
            if one and side in topic.pinned:
                outcome.topic_ids[side] = identity.topic_id
    both = [topic.identities for topic in topics if len(topic.pinned) == len(SIDES)]
    if any(_same_lineage(*(found[side] for side in SIDES)) for found in both):
        outcome.notes.append("same_lineage")


def _same_lineage(left: Identity, right: Identity) -> bool:
    return bool(left.cluster_id) and left.cluster_id == right.cluster_id and left.topic_id == right.topic_id


def _keep_problems(shared: Shared, topics: Sequence[PinnedTopic], *, fatal: bool) -> None:
    for topic in topics:
        for side, error in topic.problems.items():
            shared.failed(error, side, topic.pair.view(side), fatal=fatal)


def _report(shared: Shared, outcome: Outcome, started: datetime, seconds: float) -> Report:
    request, interrupted = shared.request, shared.cancel.is_cancelled()
    topics = sorted(outcome.topics, key=lambda topic: (topic.left, topic.right))
    partitions = [found for topic in topics for found in topic.partitions]
    totals = Totals(
        left_records=sum(found.left.records for found in partitions if found.left),
        right_records=sum(found.right.records for found in partitions if found.right),
        compared_records=sum(found.compared_records for found in partitions),
        left_bytes=shared.bytes_read[Side.LEFT],
        right_bytes=shared.bytes_read[Side.RIGHT],
    )
    verdict = combined_verdict(
        [topic.verdict for topic in topics], [], totals.compared_records, allow_empty=request.allow_empty
    )
    if verdict is Verdict.EQUAL and (interrupted or any(error.fatal for error in shared.errors)):
        verdict = Verdict.INCONCLUSIVE
    code = exit_code(verdict, interrupted=interrupted, refused=shared.refused, unreachable=shared.unreachable)
    return Report(
        verdict=verdict,
        exit_code=int(code),
        left=_view_report(shared, outcome, Side.LEFT),
        right=_view_report(shared, outcome, Side.RIGHT),
        options=outcome.options,
        topics=tuple(topics),
        totals=totals,
        errors=tuple(sorted(shared.errors, key=_place)),
        run=RunInfo(
            started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            seconds=round(seconds, 3),
            records_per_second=round((totals.left_records + totals.right_records) / max(seconds, 1e-9), 1),
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            version=_native.__version__,
            workers=outcome.workers,
            planning_seconds=round(outcome.planning_s, 3),
        ),
        notes=tuple(outcome.notes),
    )


def _place(error: ErrorEntry) -> tuple[bool, str, str, int, str]:
    """Fatal errors first, then by place: threads meet errors in any order, and two runs say the same."""
    return not error.fatal, error.side or "", error.topic or "", error.partition or 0, error.message


def _view_report(shared: Shared, outcome: Outcome, side: Side) -> ViewReport:
    view, settings = shared.request.view(side), shared.request.settings(side)
    return ViewReport(
        view=view.text,
        kind=view.kind,
        cluster_id=outcome.cluster_ids.get(side),
        topic_id=outcome.topic_ids.get(side),
        data_path=settings.data_path,
        data_path_reason=settings.data_path_reason,
        node_id=outcome.node_ids.get(side),
    )
