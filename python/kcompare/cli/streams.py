"""stdout and stderr: bytes that always encode, colour only for terminals, and a reader that may go away."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from kcompare.report.sanitize import sanitize
from kcompare.settings.views import redact_within

if TYPE_CHECKING:
    from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person may be looking. A stream that was closed before we began is None."""
    with suppress(ValueError, OSError):
        return stream is not None and stream.isatty()
    return False


def takes_colour(stream: TextIO | None) -> bool:
    """Whether to paint: a terminal that can, and no NO_COLOR (https://no-color.org: any text but none)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show(text: str) -> None:
    """Writes a result to stdout.

    A reader that went away, as ``head`` does, is no error.

    Raises:
        OSError: stdout is closed or its disk is full.
    """
    if sys.stdout is None:
        raise OSError("stdout is closed")
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        _forget(sys.stdout)


def complain(sentence: str) -> None:
    """Writes one sentence to stderr, sanitized and without what may be a password. Never fails."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            _write(sys.stderr, f"kcompare: {sanitize(redact_within(sentence))}\n")


def trace(error: BaseException) -> None:
    """Writes an error's traceback to stderr, for ``--debug``; sanitized and redacted as sentences are."""
    if sys.stderr is not None:
        text = redact_within("".join(traceback.format_exception(error)))
        with suppress(OSError, ValueError):
            _write(sys.stderr, "".join(f"{sanitize(line)}\n" for line in text.splitlines()))


def _write(stream: TextIO, text: str) -> None:
    # A locale that cannot spell a character gets it escaped: a report must not end in UnicodeEncodeError.
    data = text.encode(stream.encoding or "ascii", "backslashreplace")
    stream.flush()
    stream.buffer.write(data)
    stream.buffer.flush()


def _forget(stream: TextIO) -> None:
    """Points a broken stdout at nothing, so that the interpreter's last flush does not complain."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
