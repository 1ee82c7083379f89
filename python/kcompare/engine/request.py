"""What a comparison is asked to do; the defaults are those of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.errors import UsageError
from kcompare.model import IsolationLevel, Mode, RecordField, Side, View
from kcompare.settings.cluster import ClusterSettings
from kcompare.settings.topics import check_views

if TYPE_CHECKING:
    from kcompare.settings.allowances import Allowance
    from kcompare.settings.ranges import LogRange
    from kcompare.settings.topics import TopicSelection

DEFAULT_BUDGET_BYTES = 64 << 20
DEFAULT_SETTINGS = ClusterSettings()


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What to compare and how.

    Attributes:
        topics: which topics of both clusters, where the views end in ``/``.
        left_range: the part of every partition on the left that is compared; None is all of it.
        fields: fields that must agree; None is key, value, headers and, unless a broker wrote it, timestamp.
        settle_s: how long an open transaction may hold the last stable offset back, in seconds.
        workers: slices read at the same time; None is one a processor, at least two and at most eight.
        budget_bytes: memory for everything in flight and decoded.
        rate_limit_bytes: bytes a second that are read from both sides together; None is as fast as they come.
    """

    left: View
    right: View
    topics: TopicSelection | None = None
    mode: Mode = Mode.AUTO
    fields: tuple[RecordField, ...] | None = None
    left_isolation: IsolationLevel = IsolationLevel.READ_COMMITTED
    right_isolation: IsolationLevel = IsolationLevel.READ_COMMITTED
    settle_s: float = 15.0
    allow_head: Allowance | None = None
    allow_tail: Allowance | None = None
    allow_gaps: bool = False
    allow_empty: bool = False
    allow_same: bool = False
    partitions: tuple[int, ...] | None = None
    left_range: LogRange | None = None
    right_range: LogRange | None = None
    workers: int | None = None
    budget_bytes: int = DEFAULT_BUDGET_BYTES
    rate_limit_bytes: int | None = None
    max_findings: int = 100
    left_settings: ClusterSettings = DEFAULT_SETTINGS
    right_settings: ClusterSettings = DEFAULT_SETTINGS

    def view(self, side: Side) -> View:
        """The view of one side."""
        return self.left if side is Side.LEFT else self.right

    def isolation(self, side: Side) -> IsolationLevel:
        """The isolation level of one side."""
        return self.left_isolation if side is Side.LEFT else self.right_isolation

    def settings(self, side: Side) -> ClusterSettings:
        """How to talk to the cluster of one side."""
        return self.left_settings if side is Side.LEFT else self.right_settings

    def range(self, side: Side) -> LogRange | None:
        """The part of every partition on one side that is compared."""
        return self.left_range if side is Side.LEFT else self.right_range


def check_request(request: CompareRequest) -> None:
    """Refuses what this version cannot do, and what contradicts itself.

    Raises:
        UsageError: it says what.
    """
    if request.mode in {Mode.LATEST, Mode.SET}:
        raise UsageError(f"mode {request.mode.value!r} is not in this version; use --mode log")
    if request.fields is not None:
        missing = [
            name for name in (RecordField.KEY, RecordField.VALUE, RecordField.HEADERS) if name not in request.fields
        ]
        if missing:
            raise UsageError(
                f"--fields without {', '.join(missing)} is not in this version; "
                "name key, value and headers, with or without timestamp and offset"
            )
    check_views(request.left, request.right, request.topics)
