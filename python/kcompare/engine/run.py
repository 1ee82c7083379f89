"""All topics of a run, through one executor and one budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.engine.schedule import Schedule
from kcompare.errors import KcompareError
from kcompare.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.engine.shared import Shared
    from kcompare.engine.topic_run import TopicRun
    from kcompare.model import TopicReport


class LostTopicError(KcompareError):
    """A topic was planned and not reported: a bug of kcompare, which must not pass as a topic that is equal."""

    code = "LOST_TOPIC"


def run_topics(shared: Shared, runs: Sequence[TopicRun], workers: int, reports: list[TopicReport]) -> None:
    """Reads and compares every topic, and adds its report to ``reports``; an interrupted run has one of each, too.

    Raises:
        LostTopicError: one has no report.
    """
    board = shared.board
    before = len(reports)

    def finished(report: TopicReport) -> None:
        reports.append(report)
        board.topics_done += 1

    schedule = Schedule(runs, workers, shared.cancel, finished)
    executor = ThreadExecutor(workers, shared.cancel)
    board.phase = "reading"
    for done in executor.follow(lambda task: task.work(), schedule.next_task):
        done()
        if not schedule.is_reading:
            board.phase = "comparing"
    compared = len(reports) - before
    if compared != len(runs):
        raise LostTopicError(f"{len(runs)} topics were planned and {compared} compared; report this as a bug")
