"""Names that Kafka takes for a topic."""

from __future__ import annotations

import re

# org.apache.kafka.common.internals.Topic: legal characters, at most 249 of them, and neither `.` nor `..`.
_LEGAL = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)


def is_legal_topic(name: str) -> bool:
    """Whether a topic can have this name."""
    return _LEGAL.fullmatch(name) is not None and name not in {".", ".."}
