"""Secrets: which properties hold one, how a value is fetched from elsewhere, and how none gets into any output.

What every user of a machine can read, its command lines, never holds a secret: a value may be ``{env=NAME}`` or
``{file=PATH}`` instead. What such a reference stood for is remembered by this process, and :func:`hide` takes it out
of every sentence and traceback on its way out, whoever wrote it: librdkafka repeats values that it does not like.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from kcompare.errors import UsageError
from kcompare.settings.quoting import quoted

HIDDEN = "***"
MAX_FILE_BYTES = 1 << 20
"""Far more than any key or certificate chain; a limit so that a wrong path is a sentence and not all memory."""

_WORDS = r"pass(?:word|phrase|wd)|pwd|secret|token|credential|jaas|private|key\.pem|api\.?key|oauthbearer\.config"
_SECRET = re.compile(_WORDS + r"|keystore\.key$|oauthbearer\.extensions", re.IGNORECASE)
# What names a secret's place or kind is none itself.
_PLACES = (".location", ".file", ".url", ".id", ".type", ".method", ".scope", ".algorithm", ".name", ".ms", ".seconds")
_REFERENCE = re.compile(r"\{(env|file)=([^{}]+)\}")
_BROKEN_REFERENCE = re.compile(r"\{(env|file)\b")
_PAIR = re.compile(rf"(?i)([\w.-]*(?:{_WORDS})[\w.-]*\s*=\s*)(?!\{{(?:env|file)=)[^\s*]\S*")
_ARGUMENT = re.compile(rf"(?is)([\w.-]*(?:{_WORDS})[\w.-]*\s*=).*")
_WHOLE_WORD_BELOW = 4
_SHORTEST_LINE = 8

_remembered: dict[str, re.Pattern[str]] = {}


def is_secret(name: str) -> bool:
    """Whether a property may hold a secret; generous, since librdkafka does not mark all of its own as such."""
    return bool(_SECRET.search(name)) and not name.lower().endswith(_PLACES)


def has_reference(text: str) -> bool:
    """Whether a value stands elsewhere, wholly or in part."""
    return bool(_REFERENCE.search(text))


def resolve(text: str, place: str) -> str:
    """Replaces each ``{env=NAME}`` and ``{file=PATH}``, once: what is put in is not looked at again.

    Args:
        text: the value as the user wrote it.
        place: where it stands, for the message.

    Raises:
        UsageError: a reference that leads nowhere or to nothing; it names the reference and never a content.
    """
    if _BROKEN_REFERENCE.search(_REFERENCE.sub("", text)):
        raise UsageError(f"{place} has a reference that does not end; write {{env=NAME}} or {{file=PATH}}")
    return _REFERENCE.sub(lambda found: _fetch(found[1], found[2], f"{place} refers to {quoted(found[0])}"), text)


def _fetch(kind: str, name: str, problem: str) -> str:
    if kind == "file":
        value = read_text(name, problem).removesuffix("\n").removesuffix("\r")
    else:
        found = os.environ.get(name)
        if found is None:
            raise UsageError(f"{problem}, but the environment has no such variable; export it")
        value = found
    if not value:
        raise UsageError(f"{problem}, which is empty; put the value there")
    return value


def read_text(name: str, problem: str) -> str:
    """A small text file as UTF-8.

    Raises:
        UsageError: it cannot be read, is no text or is too large; ``problem`` is the beginning of the sentence.
    """
    try:
        with Path(name).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such name can be"
        raise UsageError(f"{problem}, which cannot be read ({reason}); name a file that can") from None
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{problem}, which is over {MAX_FILE_BYTES >> 20} MiB; name the file that was meant")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Not `from error`: it holds the file's content.
        raise UsageError(f"{problem}, which is no UTF-8 text; name the file that was meant") from None


def remember(value: str) -> None:
    """Has :func:`hide` take a value out of everything from now on, also where it is escaped or torn into lines."""
    lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE]
    for text in {value, *lines} - {""}:
        for form in {text, ascii(text)[1:-1], json.dumps(text)[1:-1]}:
            # A secret of three letters would tear holes into any sentence: it is looked for as a word.
            short = len(form) < _WHOLE_WORD_BELOW
            _remembered[form] = re.compile(rf"(?<!\w){re.escape(form)}(?!\w)" if short else re.escape(form))


def hide(text: str) -> str:
    """The text with ``***`` for every secret that is known, and for what stands behind ``password=`` and its like."""
    for form in sorted(_remembered, key=len, reverse=True):
        text = _remembered[form].sub(HIDDEN, text)
    return _PAIR.sub(rf"\1{HIDDEN}", text)


def speaks_of_a_secret(text: str) -> bool:
    """Whether a text holds something like ``password=x``."""
    return bool(_ARGUMENT.search(text))


def hide_arguments(text: str) -> str:
    """The same for what a parser says of a command line: an argument may hold blanks, so all behind its name goes."""
    return _ARGUMENT.sub(rf"\1{HIDDEN}", hide(text))


def forget() -> None:
    """Forgets every value: for programs that run command after command, as tests do."""
    _remembered.clear()
