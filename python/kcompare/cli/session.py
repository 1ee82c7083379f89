"""What a command has to know of the command line as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from kcompare.cli.exports import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

DEBUG = "--debug"


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the program.

    Attributes:
        arguments: the command line without ``--debug``, which may stand anywhere in it.
        debug: whether errors come with their traceback.
    """

    arguments: tuple[str, ...]
    debug: bool

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Session:
        """Takes the command line apart."""
        return cls(tuple(argument for argument in arguments if argument != DEBUG), DEBUG in arguments)

    @property
    def command(self) -> str:
        """The command that was called, empty where none was."""
        return next((argument for argument in self.arguments if not argument.startswith("-")), "")

    @property
    def format(self) -> Format:
        """What ``--output`` asks for, read without a parser: for a command line that has a mistake."""
        chosen = Format.TEXT
        for argument, following in pairwise((*self.arguments, "")):
            name, equals, value = argument.partition("=")
            if name == "--output":
                wanted = value if equals else following
                chosen = Format(wanted) if wanted in set(Format) else chosen
        return chosen
