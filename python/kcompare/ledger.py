"""The coverage ledger: for each side and partition, planned offsets = covered + gaps + allowed + uncovered.

An offset counts where it first fits in the order uncovered, gap, allowed, covered. The parts come from different
places (cells, findings, the plan), so the sum is a check that can fail, and a failure is never an EQUAL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.errors import KcompareError
from kcompare.model import GapOffsets, OffsetRange, PartitionBounds, SideCoverage
from kcompare.store import tables

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


class LedgerError(KcompareError):
    """The parts of a planned range do not add up: a bug of kcompare, reported as an uncovered partition."""

    code = "LEDGER"


def gap_offsets(cells: NDArray[Any]) -> tuple[GapOffsets, int]:
    """Offsets without records in the cells, by cause, and the uncovered ones."""
    sums = {name: int(cells["gaps"][:, column].sum()) for column, name in enumerate(tables.GAPS)}
    uncovered = sums.pop("uncovered")
    return GapOffsets(**sums), uncovered


def coverage(
    bounds: PartitionBounds,
    planned: OffsetRange,
    cells: NDArray[Any],
    *,
    allowed_records: int,
) -> SideCoverage:
    """One side of one partition.

    Args:
        bounds: as pinned.
        planned: as planned.
        cells: what was read; they must tile ``planned``.
        allowed_records: records of this side in allowed findings.

    Raises:
        LedgerError: the cells do not tile the planned range, or the parts do not add up to it.
    """
    place = f"partition {bounds.partition} at [{planned.start}, {planned.stop})"
    if len(cells) == 0:
        tiled = planned.start == planned.stop
    else:
        starts, stops = cells["start"], cells["stop"]
        tiled = bool(starts[0] == planned.start and stops[-1] == planned.stop and (starts[1:] == stops[:-1]).all())
    if not tiled:
        raise LedgerError(f"{place}: what was read does not tile the plan; report this as a bug")
    gaps, uncovered = gap_offsets(cells)
    records = int(cells["count"].sum())
    covered = records - allowed_records
    if covered < 0 or covered + gaps.total + allowed_records + uncovered != len(planned):
        raise LedgerError(
            f"{place}: {covered} covered, {gaps.total} gaps, {allowed_records} allowed and {uncovered} uncovered "
            f"offsets do not add up to {len(planned)}; report this as a bug"
        )
    return SideCoverage(
        log_start_offset=bounds.log_start_offset,
        high_watermark=bounds.high_watermark,
        last_stable_offset=bounds.last_stable_offset,
        planned=planned,
        records=records,
        covered_offsets=covered,
        gap_offsets=gaps,
        allowed_offsets=allowed_records,
        uncovered_offsets=uncovered,
        end_reason=bounds.end_reason,
        recovery_point=bounds.recovery_point,
        high_watermark_checkpoint=bounds.high_watermark_checkpoint,
    )


def nothing_read(bounds: PartitionBounds, planned: OffsetRange) -> SideCoverage:
    """One side of one partition of which nothing counts as read."""
    return SideCoverage(
        log_start_offset=bounds.log_start_offset,
        high_watermark=bounds.high_watermark,
        last_stable_offset=bounds.last_stable_offset,
        planned=planned,
        records=0,
        covered_offsets=0,
        gap_offsets=GapOffsets(),
        allowed_offsets=0,
        uncovered_offsets=len(planned),
        end_reason=bounds.end_reason,
        recovery_point=bounds.recovery_point,
        high_watermark_checkpoint=bounds.high_watermark_checkpoint,
    )
