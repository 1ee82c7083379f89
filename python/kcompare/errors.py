"""The exception tree. Each message is one sentence that names the offending value, the place and the way out."""

from __future__ import annotations


class KcompareError(Exception):
    """Base of everything that kcompare raises on purpose. ``code`` is a stable word for the report's ``errors``."""

    code = "ERROR"


class UsageError(KcompareError):
    """What was asked for cannot be done as asked: an option, a view, or a name that does not exist (exit 2)."""

    code = "USAGE"


class SameSourceError(UsageError):
    """Both views are the same bytes, so that any comparison would be equal (exit 2)."""

    code = "SAME_SOURCE"


class TopicNotFoundError(UsageError):
    """A topic that was named does not exist (exit 2)."""

    code = "UNKNOWN_TOPIC_OR_PARTITION"


class SourceError(KcompareError):
    """A source could not be read."""

    code = "SOURCE"


class UnreachableError(SourceError):
    """A source is unreachable, timed out or stalled (exit 5)."""

    code = "UNREACHABLE"


class RefusedError(SourceError):
    """Authentication or authorization was refused (exit 4)."""

    code = "REFUSED"


class ProtocolError(SourceError):
    """A source answered with bytes that are no answer (exit 3)."""

    code = "PROTOCOL"


class UnsupportedError(SourceError):
    """A source lacks what is needed (exit 3)."""

    code = "UNSUPPORTED"


class InterruptedRunError(KcompareError):
    """The run was cancelled (exit 130)."""

    code = "INTERRUPTED"
