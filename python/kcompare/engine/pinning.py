"""All topics of a run pinned, several at a time: what they are, and where their partitions begin and end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcompare.engine.incomplete import topic_missing, topic_not_compared, topic_unknown
from kcompare.engine.pinned import check_not_the_same, check_partitions, pin
from kcompare.engine.topic_run import TopicRun
from kcompare.errors import InterruptedRunError, SourceError, TopicNotFoundError, UnreachableError
from kcompare.executors.threads import ThreadExecutor
from kcompare.model import SIDES, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kcompare.engine.pairs import TopicPair
    from kcompare.engine.pinned import Pinned
    from kcompare.engine.shared import Shared
    from kcompare.model import TopicReport
    from kcompare.sources.base import Cluster, Identity, Source

PINNERS = 16
"""Topics that are asked about at the same time: requests wait for brokers, not for processors."""

GIVEN_UP_AFTER = 4
"""Topics of a side that met nobody, with none that was answered, before the others are not tried."""


@dataclass
class PinnedTopic:
    """A pair of topics as far as it could be pinned; ``problems`` and ``missing`` say what of it could not."""

    pair: TopicPair
    sources: dict[Side, Source]
    identities: dict[Side, Identity] = field(default_factory=dict)
    pinned: dict[Side, Pinned] = field(default_factory=dict)
    missing: dict[Side, TopicNotFoundError] = field(default_factory=dict)
    problems: dict[Side, SourceError] = field(default_factory=dict)

    def run(self, shared: Shared) -> TopicRun | None:
        """What compares it; None where a side lacks it or could not be asked."""
        return TopicRun(shared, self.pair, self.pinned) if len(self.pinned) == len(SIDES) else None

    def report(self, shared: Shared) -> TopicReport:
        """The report of a pair that cannot be compared."""
        findings = [topic_missing(side, self.pair) for side in self.missing]
        for side, error in self.problems.items():
            findings.append(topic_unknown(side, error))
        ids = {side: identity.topic_id for side, identity in self.identities.items()}
        return topic_not_compared(self.pair, findings, ids, shared.request.mode)


class Silence:
    """Counts topics of each side that met nobody: a cluster that is gone is not waited for once a topic."""

    def __init__(self) -> None:
        self._met_nobody: dict[Side, UnreachableError] = {}
        self._count = dict.fromkeys(SIDES, 0)

    def ask(self, side: Side, question: Callable[[], None]) -> None:
        """Asks, unless the side is given up.

        Raises:
            SourceError: what the question raised, or what the last one before raised.
        """
        if self._count[side] >= GIVEN_UP_AFTER:
            raise self._met_nobody[side]
        try:
            question()
        except UnreachableError as error:
            self._met_nobody[side] = error
            self._count[side] += 1
            raise
        self._count[side] = 0


def pin_topics(shared: Shared, pairs: Sequence[TopicPair], clusters: Mapping[Side, Cluster]) -> list[PinnedTopic]:
    """Pins every pair; one that fails says so and leaves the others as they are.

    Raises:
        UsageError: two views are the same bytes, or lack a partition that was named; nothing was fetched.
        InterruptedRunError: the run was interrupted.
    """
    topics = [
        PinnedTopic(pair, {side: cluster.source(pair.view(side)) for side, cluster in clusters.items()})
        for pair in pairs
    ]
    _each(shared, topics, _identify)
    for topic in topics:
        if len(topic.identities) == len(SIDES) and not shared.request.allow_same:
            # Before the bounds, which take a Fetch: what cannot be done as asked fails before any.
            check_not_the_same(topic.sources, topic.identities)
        views = {side: topic.pair.view(side) for side in SIDES}
        check_partitions(shared.request.partitions, topic.identities, views)
    _each(shared, [topic for topic in topics if not topic.missing], _pin)
    return topics


def _each(
    shared: Shared,
    topics: Sequence[PinnedTopic],
    ask: Callable[[Shared, PinnedTopic, Side], None],
) -> None:
    """Asks about every side of every topic that nothing is known against."""
    silence = Silence()

    def one(task: tuple[PinnedTopic, Side]) -> None:
        topic, side = task
        try:
            silence.ask(side, lambda: ask(shared, topic, side))
        except TopicNotFoundError as error:
            topic.missing[side] = error
        except SourceError as error:
            topic.problems[side] = error

    tasks = [(topic, side) for topic in topics for side in topic.sources if side not in topic.problems]
    for _ in ThreadExecutor(min(PINNERS, max(1, len(tasks))), shared.cancel).run(one, tasks):
        pass
    if shared.cancel.is_cancelled():
        raise InterruptedRunError("interrupted before the bounds of every topic were known; nothing was read")


def _identify(_: Shared, topic: PinnedTopic, side: Side) -> None:
    topic.identities[side] = topic.sources[side].identity()


def _pin(shared: Shared, topic: PinnedTopic, side: Side) -> None:
    topic.pinned[side] = pin(topic.sources[side], side, topic.identities[side], shared.request.range(side))
