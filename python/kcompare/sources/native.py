"""What a native call says of a slice, as the values of :mod:`kcompare.sources.base`: for clusters and directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.model import OffsetRange, Reason
from kcompare.sources.base import Rows, SliceDigest, StepBack, TimeOrder, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcompare._native import SliceRead
    from kcompare._native import TimeOrder as NativeTimeOrder
    from kcompare.model import Slice


def place_of(topic: str, partition: int) -> str:
    """A partition as a sentence names it."""
    return f"partition {partition} of topic {topic!r}"


def digest_of(found: SliceRead, piece: Slice, place: str, words: Mapping[str, Reason] | None = None) -> SliceDigest:
    """A slice that was digested; ``words`` are reasons that have another name at this source."""
    words = words or {}
    return SliceDigest(
        slice=piece,
        cells=found.rows,
        anchors=found.anchors,
        records=found.records,
        bytes=found.bytes,
        end=words.get(found.end, found.end),
        end_code=found.end_code,
        end_detail=found.end_detail,
        log_start_offset=found.log_start_offset,
        high_watermark=found.high_watermark,
        last_stable_offset=found.last_stable_offset,
        unread=unread_of(found, piece.range.stop, place, words),
        unexplained=tuple(OffsetRange(*gap) for gap in found.unexplained),
        unexplained_total=found.unexplained_total,
        leader_epochs=tuple(found.leader_epochs),
    )


def order_of(found: NativeTimeOrder) -> TimeOrder:
    """Whether the timestamps of a slice ascend."""
    return TimeOrder(
        first=found.first,
        last=found.last,
        steps=tuple(StepBack(*step) for step in found.steps),
        total=found.total,
        broker_total=found.broker_total,
        largest_ms=found.largest_ms,
    )


def rows_of(found: SliceRead, stop: int, place: str) -> Rows:
    """Records that were read again."""
    problem = problem_of(found, stop, place)
    return Rows(found.rows, whole=problem is None, problem=problem or "")


def problem_of(found: SliceRead, stop: int, place: str) -> str | None:
    """Why a range could not be read whole; None where it could."""
    unread = unread_of(found, stop, place, {})
    return unread[0].detail if unread else None


def unread_of(found: SliceRead, stop: int, place: str, words: Mapping[str, Reason]) -> tuple[Unread, ...]:
    """Every range that was not read or not trusted."""
    ranges = [
        Unread(OffsetRange(start, end), words.get(reason, reason), detail)
        for start, end, reason, detail in found.unread
    ]
    if found.position < stop:
        # Also where the fetch ended as it should: what no sound batch has accounted for was not read.
        reason, detail = found.end, found.end_detail
        if found.end == "reached":
            reason = Reason.CORRUPT_BATCH.value
            detail = f"no sound batch accounts for offsets [{found.position}, {stop}) of {place}"
        ranges.append(Unread(OffsetRange(found.position, stop), words.get(reason, reason), detail))
    return tuple(ranges)
