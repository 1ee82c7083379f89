"""Three colours, as SGR sequences (ECMA-48). Used only where the caller knows that a terminal is there."""

from __future__ import annotations

from kcompare.model import Verdict

_RESET = "\x1b[0m"
_BOLD = {"green": "\x1b[1;32m", "red": "\x1b[1;31m", "yellow": "\x1b[1;33m"}
_COLOURS = {Verdict.EQUAL: "green", Verdict.DIFFERENT: "red", Verdict.INCONCLUSIVE: "yellow"}


def paint_verdict(line: str, verdict: Verdict | None) -> str:
    """The sanitized line with the verdict's word, which it begins with, in the verdict's colour."""
    if verdict is None or not line.startswith(verdict):
        return line
    return f"{_BOLD[_COLOURS[verdict]]}{verdict}{_RESET}{line.removeprefix(verdict)}"
