r"""A map of topic names turned around: the left name that would give a right one.

It is needed for topics that only the right side has. A map can be turned around where its pattern is names and plain
groups in a row, as in ``(.*)=src.\1``; what comes out is only a guess, which the caller holds to the map itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.settings.topics import TopicPattern

if TYPE_CHECKING:
    from kcompare.settings.topics import TopicMap

QUANTIFIERS = frozenset("*+?{")


class TurnedMap:
    """One map, the other way round.

    Attributes:
        possible: whether this map can be turned around.
    """

    def __init__(self, found: TopicMap) -> None:
        self._pieces = _pieces(found.pattern.text)
        self._groups = [part for part in found.replacement if isinstance(part, int)]
        needed = {piece for piece in self._pieces or () if isinstance(piece, int)}
        self.possible = self._pieces is not None and (needed <= set(self._groups) or 0 in self._groups)
        text = "".join(part.replace(".", r"\.") if isinstance(part, str) else "(.*)" for part in found.replacement)
        self._right = TopicPattern(text)

    def left_name(self, right: str) -> str | None:
        """A left name that may become this right one."""
        groups = self._right.groups(right) if self.possible else None
        if groups is None:
            return None
        values = {number: value or "" for number, value in zip(self._groups, groups[1:], strict=True)}
        if 0 in values:
            return values[0]
        return "".join(piece if isinstance(piece, str) else values[piece] for piece in self._pieces or ())


def _pieces(pattern: str) -> tuple[str | int, ...] | None:
    """The pattern as text and numbers of groups; None where it is more than that."""
    pieces: list[str | int] = []
    position, groups = 0, 0
    while position < len(pattern):
        character = pattern[position]
        if character == "(":
            position = _group_end(pattern, position)
            if not position:
                return None
            groups += 1
            pieces.append(groups)
        elif character == "\\" and pattern[position + 1 : position + 2] in {".", "-"}:
            pieces.append(pattern[position + 1])
            position += 2
        elif character.isalnum() or character in "._-":
            # A dot stands for any character, so also for itself.
            pieces.append(character)
            position += 1
        else:
            return None
        if pattern[position : position + 1] in QUANTIFIERS:
            return None
    return tuple(pieces)


def _group_end(pattern: str, start: int) -> int:
    """Where the group that starts here ends; 0 where it is no plain one."""
    inside = pattern[start + 1 :]
    body, closed, _ = inside.partition(")")
    plain = closed and not body.startswith("?") and not set(body) & set("([\\")
    return start + len(body) + 2 if plain else 0
