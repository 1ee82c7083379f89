"""A difference before it has an effect: what stands where, on which side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.model import FindingKind, FirstDivergence, OffsetRange, RecordField, Side, Where

if TYPE_CHECKING:
    from kcompare.model import OffsetsReport

PAIRED = frozenset({FindingKind.CHANGED, FindingKind.REORDERED})
"""Kinds whose records have a counterpart on the other side."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A run of records in which the two logs differ.

    Attributes:
        left: offsets on the left, None where that side has no record of the run; ``right`` likewise.
        left_records: records on the left that belong to it, counted; ``right_records`` likewise.
        at: the next record's offset on each side where the run begins; None where it could not be read again.
        other_is_empty: the other side has no record in the whole partition.
        unread: the records could not be read again, so that nothing is known of it but that digests differ.
    """

    kind: FindingKind
    left: OffsetRange | None
    right: OffsetRange | None
    left_records: int
    right_records: int
    at: FirstDivergence | None
    where: Where | None = None
    fields: tuple[RecordField, ...] = ()
    detail: str = ""
    other_is_empty: bool = False
    unread: bool = False

    @property
    def records(self) -> int:
        """Records it is about: pairs count once."""
        if self.kind in PAIRED:
            return max(self.left_records, self.right_records)
        return self.left_records + self.right_records

    def offsets(self, side: Side) -> OffsetRange | None:
        """Its offsets on one side."""
        return self.left if side is Side.LEFT else self.right

    def unpaired(self, side: Side) -> int:
        """Its records on one side that have no counterpart."""
        if self.kind in PAIRED:
            return 0
        return self.left_records if side is Side.LEFT else self.right_records


@dataclass(frozen=True, slots=True)
class Examination:
    """What two sides of a partition have in common and where they differ, in alignment order.

    Attributes:
        unverified: why differences in the rest of the partition could not be told, where that is so.
    """

    differences: tuple[Difference, ...]
    offsets: OffsetsReport
    unverified: tuple[str, str] | None = None
