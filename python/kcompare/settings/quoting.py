"""How an offending value stands in an error message."""

from __future__ import annotations

SHOWN_CHARACTERS = 200


def quoted(value: str) -> str:
    """The value quoted, in ASCII, and cut where it is absurdly long, so that a sentence stays one line."""
    return ascii(value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "...")
