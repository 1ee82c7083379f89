"""Which topics to compare: ``--topics REGEX``, ``--map 'REGEX=REPLACEMENT'`` and ``--expect-topics N``.

Patterns are those of Rust's ``regex`` crate: the usual ones, without look-around and back-references in the pattern.
They are matched by an automaton in time linear in the name, so that no pattern can hang a run, and they have to match
the whole name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.errors import UsageError
from kcompare.settings.quoting import quoted

if TYPE_CHECKING:
    from kcompare.model import View

MAX_PATTERN_LENGTH = 1000
"""Longer than any list of names that a person writes."""

_MAP_FORM = r"write REGEX=REPLACEMENT, such as '(.*)=my-source-cluster.\1'"
_REPLACEMENT = re.compile(r"\\([0-9]{1,2})|([A-Za-z0-9._-]+)", re.ASCII)


@dataclass(frozen=True)
class TopicPattern:
    """A pattern for whole topic names.

    Raises:
        UsageError: it is no pattern.
    """

    text: str
    _native: _native.NamePattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.text:
            raise UsageError("a pattern is empty, which matches no topic; write one such as 'orders-.*'")
        if len(self.text) > MAX_PATTERN_LENGTH:
            raise UsageError(
                f"pattern {quoted(self.text)} has {len(self.text)} characters, over the limit of {MAX_PATTERN_LENGTH}; "
                "write a shorter one"
            )
        try:
            compiled = _native.NamePattern(pattern=self.text)
        except ValueError as error:
            raise UsageError(
                f"pattern {quoted(self.text)} is no regular expression ({error}); write one such as 'orders-.*'"
            ) from error
        object.__setattr__(self, "_native", compiled)

    @property
    def group_count(self) -> int:
        """How many groups it has."""
        return self._native.group_count

    def groups(self, name: str) -> list[str | None] | None:
        """The groups of a name that it matches as a whole, the name itself first; None where it does not."""
        return self._native.groups(name=name)

    def matches(self, name: str) -> bool:
        """Whether it matches the whole name."""
        return self.groups(name) is not None


@dataclass(frozen=True, slots=True)
class TopicMap:
    r"""From left names to right names.

    Attributes:
        replacement: text, and numbers of groups of the pattern (``\1``, ``\0`` the whole name).
    """

    pattern: TopicPattern
    replacement: tuple[str | int, ...]
    text: str

    def right_name(self, left: str) -> str | None:
        """What a left name becomes; None where the pattern does not match it."""
        groups = self.pattern.groups(left)
        if groups is None:
            return None
        return "".join(part if isinstance(part, str) else groups[part] or "" for part in self.replacement)


@dataclass(frozen=True, slots=True)
class TopicSelection:
    """Which left topics are compared, each with which right one.

    Attributes:
        topics: chooses left names; None leaves it to the maps' patterns.
        maps: the first whose pattern matches a left name gives its right name; without one it is the same name.
        expected: how many pairs there have to be.
    """

    topics: TopicPattern | None
    maps: tuple[TopicMap, ...] = ()
    expected: int | None = None

    def chooses(self, left: str) -> bool:
        """Whether a left topic of this name is compared."""
        if self.topics is not None:
            return self.topics.matches(left)
        return any(found.pattern.matches(left) for found in self.maps)

    def right_name(self, left: str) -> str:
        """The right topic that a left one is compared with."""
        names = (found.right_name(left) for found in self.maps)
        return next((name for name in names if name is not None), left)

    @property
    def text(self) -> str:
        """The options that say the same."""
        parts = [] if self.topics is None else [f"--topics {self.topics.text}"]
        return " ".join([*parts, *(f"--map {found.text}" for found in self.maps)])


def parse_map(text: str) -> TopicMap:
    r"""Reads ``REGEX=REPLACEMENT``; the last ``=`` divides them, because a replacement cannot hold one.

    Raises:
        UsageError: not of that form, no regular expression, or a replacement that gives no topic name.
    """
    pattern_text, equals, replacement = text.rpartition("=")
    if not equals or not pattern_text or not replacement:
        raise UsageError(f"map {quoted(text)} has no pattern and replacement around a '='; {_MAP_FORM}")
    pattern = TopicPattern(pattern_text)
    parts: list[str | int] = []
    position = 0
    while position < len(replacement):
        found = _REPLACEMENT.match(replacement, position)
        if found is None:
            raise UsageError(
                rf"map {quoted(text)} has a replacement with {quoted(replacement[position])}, which is neither part of "
                rf"a topic name nor a group such as \1; {_MAP_FORM}"
            )
        parts.append(found[2] if found[1] is None else int(found[1]))
        position = found.end()
    for part in parts:
        if isinstance(part, int) and part > pattern.group_count:
            raise UsageError(
                rf"map {quoted(text)} names the group \{part}, and its pattern has {pattern.group_count}; {_MAP_FORM}"
            )
    return TopicMap(pattern, tuple(parts), text)


def check_view(view: View, selection: TopicSelection | None) -> None:
    """Holds a choice of topics to a command's only view: it names a topic, or ends in ``/`` and comes with a choice.

    Raises:
        UsageError: it does not.
    """
    if not view.topic and (selection is None or selection.topics is None):
        example = quoted(view.of("TOPIC").text)
        raise UsageError(f"view {quoted(view.text)} names no topic; write {example}, or say --topics REGEX")
    if view.topic and selection is not None:
        if selection.topics is not None:
            raise UsageError(
                f"--topics chooses among the topics of a cluster, and view {quoted(view.text)} names one already; "
                "end it in '/'"
            )
        if selection.expected != 1:
            raise UsageError(f"--expect-topics {selection.expected}: the view names 1 topic")


def check_views(left: View, right: View, selection: TopicSelection | None) -> None:
    """Holds a choice of topics to the views: both name a topic, or both end in ``/`` and come with a choice.

    Raises:
        UsageError: they do not.
    """
    named = [view for view in (left, right) if view.topic]
    unnamed = [view for view in (left, right) if not view.topic]
    chooses = selection is not None and (selection.topics is not None or bool(selection.maps))
    if named and unnamed:
        raise UsageError(
            f"view {quoted(unnamed[0].text)} names no topic and view {quoted(named[0].text)} names one; name one in "
            "both, or end both in '/' and say --topics REGEX"
        )
    if unnamed and not chooses:
        raise UsageError(
            f"view {quoted(unnamed[0].text)} names no topic; write {quoted(unnamed[0].of('TOPIC').text)}, or say "
            "--topics REGEX"
        )
    if named and chooses:
        raise UsageError(
            f"--topics and --map choose among the topics of two clusters, and view {quoted(named[0].text)} names one "
            "already; end both views in '/'"
        )
    if named and selection is not None and selection.expected != 1:
        raise UsageError(f"--expect-topics {selection.expected}: the two views name 1 pair of topics")
