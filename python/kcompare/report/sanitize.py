"""The one way by which text that we did not write comes to a terminal.

Topic names, error messages of brokers, keys and values may hold escape sequences that move the cursor,
retitle the window or hide what follows, and bidirectional controls that show text in another order than it
has (CVE-2021-42574). They are shown as escapes instead, so that a line stays one line and says what it holds.
JSON needs none of this: it is written in ASCII and keeps every value exactly.
"""

from __future__ import annotations

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_FIRST_ESCAPED_BYTE, _LAST_ESCAPED_BYTE = 0xDC80, 0xDCFF
_LAST_BYTE, _LAST_BMP = 0xFF, 0xFFFF


def sanitize(value: str | bytes) -> str:
    r"""The value with nothing in it but printable characters and spaces.

    Everything else becomes an escape: control characters (C0, DEL, C1), bidirectional and other format
    controls, line and paragraph separators, odd spaces, unassigned and private code points, and bytes that
    are no UTF-8 (``\xff``). A backslash stays as it is, so a second time changes nothing.
    """
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def cut(value: str | bytes, width: int) -> str:
    """The sanitized value, with ``...`` for what is over ``width`` characters.

    The input is cut before it is escaped, so that a value of many megabytes costs no more than a screen line.
    """
    text = sanitize(value[: 4 * width + 4] if isinstance(value, bytes) else value[: width + 1])
    whole = len(text) <= width
    return text if whole else text[: max(width - 3, 0)] + "..."[:width]


def repair(text: str) -> str:
    """The text without lone surrogates, which are no characters and which many JSON readers refuse."""
    if text.isascii():
        return text
    return "".join(_escape(character) if "\ud800" <= character <= "\udfff" else character for character in text)


def _escape(character: str) -> str:
    if named := _NAMED.get(character):
        return named
    code = ord(character)
    if _FIRST_ESCAPED_BYTE <= code <= _LAST_ESCAPED_BYTE:
        # A byte that was no UTF-8, as the error handler "surrogateescape" keeps it (PEP 383).
        return f"\\x{code - 0xDC00:02x}"
    if code <= _LAST_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_BMP else f"\\U{code:08x}"
