r"""A map of topic names turned around: the left names that may give a right one.

It is needed for topics that only the right side has. A map can be turned around where its pattern is names and plain
groups in a row, as in ``(.*)=src.\1``. A right name does not tell where its groups end, nor what stood for a dot, so
there may be many left names; each is a guess, which the caller holds to the map itself.
"""

from __future__ import annotations

import string
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kcompare.settings.topics import TopicMap

QUANTIFIERS = frozenset("*+?{")

LEGAL = "." + "-_" + string.ascii_letters + string.digits
"""What a topic name is made of. The dot comes first: who writes one in a pattern mostly means it."""


class TurnedMap:
    """One map, the other way round.

    Attributes:
        possible: whether this map can be turned around.
    """

    def __init__(self, found: TopicMap) -> None:
        self._pieces = _pieces(found.pattern.text)
        self._replacement = found.replacement
        groups = {part for part in found.replacement if isinstance(part, int)}
        needed = {piece for piece in self._pieces or () if isinstance(piece, int)}
        self.possible = self._pieces is not None and (needed <= groups or 0 in groups)

    def left_names(self, right: str) -> Iterator[str | None]:
        """Every left name that may become this right one, the likeliest first.

        Some come more than once, and a None stands for a step of the search that gave none: there may be so many steps
        that the caller has to count them.
        """
        if not self.possible:
            return
        for values in _assignments(self._replacement, right):
            if values is None:
                yield None
            elif 0 in values:
                yield values[0]
            else:
                choices = [_choices(piece, values) for piece in self._pieces or ()]
                yield from map("".join, product(*choices))


def _choices(piece: str | int | None, values: dict[int, str]) -> Sequence[str]:
    if piece is None:
        return LEGAL
    return (values[piece] if isinstance(piece, int) else piece,)


def _assignments(parts: Sequence[str | int], text: str) -> Iterator[dict[int, str] | None]:
    """Every way in which the groups of a replacement may have given a text, those with long first groups first.

    None where the search has come to a place from which no way leads on.
    """
    states: list[tuple[int, int, dict[int, str]]] = [(0, 0, {})]
    while states:
        index, position, values = states.pop()
        if index == len(parts):
            yield values if position == len(text) else None
            continue
        part = parts[index]
        if isinstance(part, int) and part not in values:
            last = index + 1 == len(parts)
            ends = range(len(text) if last else position, len(text) + 1)
            states.extend((index + 1, end, {**values, part: text[position:end]}) for end in ends)
            continue
        known = values[part] if isinstance(part, int) else part
        if text.startswith(known, position):
            states.append((index + 1, position + len(known), values))
        else:
            yield None


def _pieces(pattern: str) -> tuple[str | int | None, ...] | None:
    """The pattern as text, numbers of groups, and None for any character; no tuple where it is more than that."""
    pieces: list[str | int | None] = []
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
            pieces.append(None if character == "." else character)
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
