"""Files of ``--export FORMAT=FILE``: opened before the long run, whole or not there after it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kcompare.errors import UsageError
from kcompare.settings.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import BinaryIO


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


@dataclass(slots=True)
class _Export:
    """One open file. ``partial`` is the name it has until it is whole, None where it is written in place."""

    format: Format
    path: Path
    partial: Path | None
    file: BinaryIO


class Exports:
    """The files of one run; a context manager, at whose end unfinished ones are gone.

    A regular file is written under another name beside its own and renamed when it is whole, so that a run
    that dies leaves the last good report where it was. Pipes and devices are written in place.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Opens all of them.

        Raises:
            UsageError: no such format, a file that is named twice, or one that cannot be opened.
        """
        self._open: list[_Export] = []
        wanted = [_parse(text) for text in texts]
        for path in (paths := [path for _, path in wanted]):
            if paths.count(path) > 1:
                raise UsageError(f"--export names the file {quoted(str(path))} twice; write each to its own file")
        try:
            for format_, path in wanted:
                self._open.append(_opened(format_, path))
        except UsageError:
            self._close()
            raise

    def write(self, render: Callable[[Format], str]) -> list[str]:
        """Writes every file and returns a sentence for each that could not be written."""
        problems = []
        for export in self._open:
            try:
                export.file.write(render(export.format).encode())
                export.file.close()
                if export.partial is not None:
                    export.partial.replace(export.path)
                    export.partial = None
            except OSError as error:
                name, cause = quoted(str(export.path)), error.strerror or error
                problems.append(f"the {export.format} report could not be written to {name}: {cause}")
        return problems

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for export in self._open:
            with suppress(OSError):
                export.file.close()
            if export.partial is not None:
                export.partial.unlink(missing_ok=True)
        self._open.clear()


def _parse(text: str) -> tuple[Format, Path]:
    name, equals, file = text.partition("=")
    if not equals or name not in set(Format) or not file or file == "-" or "\0" in file:
        raise UsageError(
            f"--export {quoted(text)} is no format and file; write text=FILE, json=FILE or jsonl=FILE, "
            "and use --output for stdout"
        )
    # A link keeps pointing to its file: the file is replaced, not the link.
    return Format(name), Path(os.path.realpath(file))


def _opened(format_: Format, path: Path) -> _Export:
    try:
        if path.exists() and not path.is_file():
            return _Export(format_, path, None, path.open("wb"))
        partial = path.with_name(f".{path.name[:200]}.{os.getpid()}.partial")
        return _Export(format_, path, partial, partial.open("xb"))
    except OSError as error:
        raise UsageError(
            f"--export file {quoted(str(path))} cannot be opened: {error.strerror or error}; name another one"
        ) from error
