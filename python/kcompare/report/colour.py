"""Three colours, as SGR sequences (ECMA-48). Used only where the caller knows that a terminal is there."""

from __future__ import annotations

from kcompare.model import Verdict

_RESET = "\x1b[0m"
_BOLD = {"green": "\x1b[1;32m", "red": "\x1b[1;31m", "yellow": "\x1b[1;33m"}
_COLOURS = {Verdict.EQUAL: "green", Verdict.DIFFERENT: "red", Verdict.INCONCLUSIVE: "yellow"}


def paint_verdict(line: str, verdict: Verdict | None) -> str:
    """The sanitized line with the verdict's word, which it begins with, in the verdict's colour."""
    return line if verdict is None else paint(line, verdict.value, _COLOURS[verdict])


def paint(line: str, word: str, colour: str) -> str:
    """The sanitized line with the word that it begins with in ``green``, ``red`` or ``yellow``."""
    return f"{_BOLD[colour]}{word}{_RESET}{line.removeprefix(word)}" if line.startswith(word) else line
