"""What all topics of a run share: one budget, one cancel token, one list of what went wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcompare.errors import RefusedError, UnreachableError
from kcompare.model import SIDES, ErrorEntry, Reason, Side

if TYPE_CHECKING:
    from kcompare import _native
    from kcompare.engine.progress import ProgressBoard
    from kcompare.engine.request import CompareRequest
    from kcompare.errors import KcompareError
    from kcompare.model import View
    from kcompare.sources.base import SliceDigest

MAX_WORKERS = 8

REFUSALS = frozenset({Reason.REFUSED.value})
"""Ends of a slice that mean a missing permission: exit 4."""

ABSENCES = frozenset({Reason.UNREACHABLE.value, Reason.STALLED.value, Reason.PARTITION_UNAVAILABLE.value})
"""Ends of a slice that mean an absent or stalled broker: exit 5."""

SILENT_PARTITIONS = 2
"""Partitions of one leader that have to be silent before the leader is given up."""

Place = tuple[str, int]
"""A topic and a partition of it."""


def workers_of(wanted: int | None) -> int:
    """How many slices are read, checked or compared at the same time; None is by the machine."""
    return wanted or min(MAX_WORKERS, max(2, os.cpu_count() or 1))


@dataclass(kw_only=True)
class Troubles:
    """What went wrong in a run. Written by its threads; each write is one step of Python."""

    errors: list[ErrorEntry] = field(default_factory=list)
    refused: bool = False
    unreachable: bool = False
    bytes_read: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    _silent: dict[tuple[Side, int], set[Place]] = field(default_factory=dict)

    def failed(self, error: KcompareError, side: Side | None = None, view: View | None = None, *, fatal: bool) -> None:
        """Keeps an error that ended the run or one of its sides (fatal), or one of its topics."""
        self._mark(refused=isinstance(error, RefusedError), unreachable=isinstance(error, UnreachableError))
        text, topic = (view.text, view.topic or None) if view else (None, None)
        self.errors.append(ErrorEntry(error.code, str(error), fatal=fatal, side=side, view=text, topic=topic))

    def note(
        self,
        side: Side,
        view: View,
        code: str,
        message: str,
        *,
        partition: int | None = None,
        refused: bool,
        unreachable: bool | None = None,
    ) -> None:
        """Keeps an error that the run goes on from; what kind it was decides the exit code.

        Who did not refuse was not there, unless ``unreachable`` says that it was something else.
        """
        self.errors.append(
            ErrorEntry(code, message, fatal=False, side=side, view=view.text, topic=view.topic, partition=partition)
        )
        self._mark(refused=refused, unreachable=not refused if unreachable is None else unreachable)

    def _mark(self, *, refused: bool, unreachable: bool) -> None:
        # Only ever set: a thread that wrote back what it had read before would undo what another wrote.
        if refused:
            self.refused = True
        if unreachable:
            self.unreachable = True

    def note_end(self, view: View, leader: int, piece: SliceDigest) -> None:
        """Keeps how a slice ended, where it did not end as it should."""
        side, partition = piece.slice.side, piece.slice.partition
        if piece.end in ABSENCES:
            self._silent.setdefault((side, leader), set()).add((view.topic, partition))
        if piece.end in REFUSALS or piece.end in ABSENCES:
            code = piece.end_code or piece.end.upper()
            refused = piece.end in REFUSALS
            self.note(side, view, code, piece.end_detail, partition=partition, refused=refused)

    def is_hopeless(self, side: Side, leader: int, place: Place) -> bool:
        """Whether an earlier slice of the partition, or slices of two partitions of its leader, met nobody there.

        Each slice waits for the stall timeout on its own, so a run over many would last many of them.
        """
        silent = self._silent.get((side, leader), set())
        return place in silent or len(silent) >= SILENT_PARTITIONS


@dataclass
class Shared(Troubles):
    """What all topics of a comparison share."""

    request: CompareRequest
    cancel: _native.CancelToken
    board: ProgressBoard
    budget: _native.MemoryBudget
