"""What a check is asked to do, and what its topics share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.engine.request import DEFAULT_BUDGET_BYTES, DEFAULT_SETTINGS
from kcompare.engine.shared import Troubles

if TYPE_CHECKING:
    from kcompare import _native
    from kcompare.engine.progress import ProgressBoard
    from kcompare.model import View
    from kcompare.settings.cluster import ClusterSettings
    from kcompare.settings.topics import TopicSelection


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What to check and how; the meanings are those of :class:`kcompare.engine.request.CompareRequest`."""

    view: View
    topics: TopicSelection | None = None
    partitions: tuple[int, ...] | None = None
    allow_gaps: bool = False
    allow_empty: bool = False
    workers: int | None = None
    budget_bytes: int = DEFAULT_BUDGET_BYTES
    rate_limit_bytes: int | None = None
    max_findings: int = 100
    settings: ClusterSettings = DEFAULT_SETTINGS


@dataclass
class CheckRun(Troubles):
    """One run, written by its threads."""

    request: CheckRequest
    board: ProgressBoard
    cancel: _native.CancelToken
    budget: _native.MemoryBudget
