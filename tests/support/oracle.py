"""What must come out of a comparison, worked out record by record: slow, and too simple to be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.model import FirstDivergence, RecordField, Verdict, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.logs import Record

CONTENT = (RecordField.KEY, RecordField.VALUE, RecordField.HEADERS)
AUTO = (*CONTENT, RecordField.TIMESTAMP)

Fields = tuple[RecordField, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The verdict of one partition and, where the sides differ, the first place in each order of looking.

    Attributes:
        by_ordinal: the end of the longest common prefix.
        by_offset: the first offset at which the sides do not hold the same record.
    """

    verdict: Verdict
    by_ordinal: FirstDivergence | None
    by_offset: FirstDivergence | None


def differing(left: Record, right: Record, fields: Fields) -> Fields:
    """The fields in which two records differ."""
    return tuple(field for field in fields if getattr(left, field.value) != getattr(right, field.value))


def same(left: Sequence[Record], right: Sequence[Record], fields: Fields = AUTO) -> bool:
    """Whether two logs hold the same records in the same order."""
    return len(left) == len(right) and not any(differing(a, b, fields) for a, b in zip(left, right, strict=True))


def _offset(records: Sequence[Record], index: int) -> int | None:
    return records[index].offset if index < len(records) else None


def divergence_by_ordinal(
    left: Sequence[Record], right: Sequence[Record], fields: Fields = AUTO
) -> FirstDivergence | None:
    """Where the longest common prefix ends; None for equal logs."""
    if same(left, right, fields):
        return None
    index = 0
    while index < min(len(left), len(right)) and not differing(left[index], right[index], fields):
        index += 1
    both = index < len(left) and index < len(right)
    names = differing(left[index], right[index], fields) if both else ()
    return FirstDivergence(_offset(left, index), _offset(right, index), names)


def divergence_by_offset(
    left: Sequence[Record], right: Sequence[Record], fields: Fields = AUTO
) -> FirstDivergence | None:
    """The first offset at which one side has no record or another one; None for logs equal at the same offsets."""
    at = ({record.offset: record for record in left}, {record.offset: record for record in right})
    for offset in sorted(at[0].keys() | at[1].keys()):
        a, b = at[0].get(offset), at[1].get(offset)
        names = differing(a, b, fields) if a and b else ()
        if a is None or b is None or names:
            nexts = [min((found for found in side if found >= offset), default=None) for side in at]
            return FirstDivergence(nexts[0], nexts[1], names)
    return None


def expect(left: Sequence[Record], right: Sequence[Record], fields: Fields = AUTO) -> Expected:
    """What a comparison of two partitions must say, with nothing allowed and everything read."""
    if same(left, right, fields):
        return Expected(Verdict.EQUAL, None, None)
    return Expected(
        Verdict.DIFFERENT,
        divergence_by_ordinal(left, right, fields),
        divergence_by_offset(left, right, fields),
    )


def explained_by_an_allowance(
    shorter: Sequence[Record], longer: Sequence[Record], where: Where, fields: Fields = AUTO
) -> bool:
    """Whether all that the longer log has more stands at one end: it begins, or ends, with all of the other."""
    more = len(longer) - len(shorter)
    if more < 0:
        return False
    part = longer[: len(shorter)] if where is Where.TAIL else longer[more:]
    return same(shorter, part, fields)
