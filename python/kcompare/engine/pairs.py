"""Which topic is compared with which: a choice of names becomes pairs of views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.engine.turned import TurnedMap
from kcompare.errors import UsageError
from kcompare.model import SIDES, Side, View
from kcompare.settings.quoting import quoted
from kcompare.settings.topic_names import is_legal_topic
from kcompare.sources.kafka import INTERNAL_TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kcompare.settings.topics import TopicSelection

RIGHT_ONLY_UNKNOWN = "right_only_topics_not_searched"
"""Note of a run with a map that cannot be turned around, so that topics only the right side has stay unseen."""


@dataclass(frozen=True, slots=True)
class TopicPair:
    """Two topics that have to be the same; either may turn out not to exist.

    Attributes:
        listed: the sides whose cluster listed the topic, where topics were chosen from lists.
    """

    left: View
    right: View
    listed: tuple[Side, ...] = ()

    def view(self, side: Side) -> View:
        """The view of one side."""
        return self.left if side is Side.LEFT else self.right


def pair_names(selection: TopicSelection, left: Sequence[str], right: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names, by left name: every chosen left topic, and what only the right side has under the same rule.

    A left name comes with the right name that the rule gives it, whether or not that exists. A right topic that no
    left one gives belongs to the selection if a left name that does not exist would have given it.

    Args:
        selection: the rule.
        left: names of the topics that there are on the left.
        right: names of the topics that there are on the right.

    Raises:
        UsageError: the selection chooses no left topic, gives two the same right name or one a name that Kafka does
            not take, or there are not as many pairs as were expected.
    """
    pairs: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in left:
        if not selection.chooses(name):
            continue
        target = selection.right_name(name)
        if not is_legal_topic(target):
            raise UsageError(f"--map makes {quoted(target)} of the left topic {name!r}, which is no topic name")
        if target in owners:
            raise UsageError(
                f"the left topics {owners[target]!r} and {name!r} are both compared with the right topic {target!r}; "
                "narrow --topics or change --map so that each has its own"
            )
        owners[target] = name
        pairs[name] = target
    if not pairs:
        raise UsageError(
            f"{selection.text} chooses none of the {len(left)} topics that the left side shows; "
            "a pattern has to match a whole name"
        )
    pairs.update(_right_only(selection, frozenset(left), [name for name in right if name not in owners]))
    if selection.expected is not None and len(pairs) != selection.expected:
        raise UsageError(
            f"--expect-topics {selection.expected}: {selection.text} gives {len(pairs)} pairs of topics; "
            "look which are missing or too many, or expect another number"
        )
    return sorted(pairs.items())


def _right_only(selection: TopicSelection, left: frozenset[str], right: Sequence[str]) -> Iterator[tuple[str, str]]:
    turned = [TurnedMap(found) for found in selection.maps]
    for name in right:
        guesses = [name, *(guess for found in turned if (guess := found.left_name(name)) is not None)]
        for guess in guesses:
            fits = guess not in left and guess not in INTERNAL_TOPICS and is_legal_topic(guess)
            if fits and selection.chooses(guess) and selection.right_name(guess) == name:
                yield guess, name
                break


def choose_pairs(
    selection: TopicSelection, places: Mapping[Side, View], names: Mapping[Side, Sequence[str]]
) -> list[TopicPair]:
    """The pairs of two clusters, whose views end in ``/`` and which list these topics.

    Raises:
        UsageError: see :func:`pair_names`.
    """
    pairs = []
    known = {side: frozenset(found) for side, found in names.items()}
    for pair in pair_names(selection, names[Side.LEFT], names[Side.RIGHT]):
        chosen = dict(zip(SIDES, pair, strict=True))
        views = {side: places[side].of(name) for side, name in chosen.items()}
        listed = tuple(side for side, name in chosen.items() if name in known[side])
        pairs.append(TopicPair(views[Side.LEFT], views[Side.RIGHT], listed))
    return pairs


def notes_of(selection: TopicSelection) -> list[str]:
    """What the selection could not look for."""
    return [] if all(TurnedMap(found).possible for found in selection.maps) else [RIGHT_ONLY_UNKNOWN]
