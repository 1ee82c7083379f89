"""Differences when records are matched from the starts and from the ends of two logs, at whatever offsets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kcompare import _native
from kcompare.engine.differences import Difference
from kcompare.engine.reading import ReadAgainError
from kcompare.engine.runs import EDIT_LIMIT, ONE_SIDED, ROW_LIMIT, Converter, Stretch, differing_fields
from kcompare.engine.whole import more_at_an_end
from kcompare.model import SIDES, FindingKind, FirstDivergence, OffsetRange, Side, Where
from kcompare.store import tables

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from kcompare._native import Alignment
    from kcompare.engine.examine import Pair
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.reading import RowReader

CONTEXT_OFFSETS = 1024
"""Offsets before a stretch that are read with it, so that a repeat of what came before it is seen."""

WINDOW_RECORDS = 16_384
"""Records that the search for the first divergence compares at a time."""


def differences_by_ordinal(pair: Pair, found: Alignment, reader: RowReader) -> tuple[Difference, ...]:
    """Every run that differs, when the logs are laid over one another from their starts and from their ends.

    Raises:
        LogChangedError: what was read again holds other records than before.
    """
    differences = _between_the_ends(pair, found, reader)
    if _is_settled(pair, differences):
        return differences
    try:
        one = more_at_an_end(pair, found, reader)
    except ReadAgainError:
        one = None
    return differences if one is None else (one,)


def _is_settled(pair: Pair, differences: tuple[Difference, ...]) -> bool:
    """Whether no other way to lay the logs over one another could say less, or what is allowed."""
    if len(differences) != 1:
        return False
    (one,) = differences
    if one.kind not in ONE_SIDED:
        return False
    side = Side.LEFT if one.left_records else Side.RIGHT
    only_head = side in pair.heads and side not in pair.tails
    return one.kind is FindingKind.DUPLICATED or one.where is (Where.HEAD if only_head else Where.TAIL)


def _between_the_ends(pair: Pair, found: Alignment, reader: RowReader) -> tuple[Difference, ...]:
    """Every run between the common prefix and the common suffix; one ``unclassified`` past the limits.

    Raises:
        LogChangedError: the stretch holds other records than before.
    """
    starts = {Side.LEFT: found.prefix[0], Side.RIGHT: found.prefix[1]}
    stops = {Side.LEFT: found.suffix[0], Side.RIGHT: found.suffix[1]}
    matched = found.prefix[2] + found.suffix[2]
    counts = {Side.LEFT: found.left_records - matched, Side.RIGHT: found.right_records - matched}
    try:
        if max(counts.values()) <= ROW_LIMIT:
            rows = {side: reader.checked_rows(pair.log(side), starts[side], stops[side], ROW_LIMIT) for side in SIDES}
            differences = _diff(pair, found, rows, starts, stops, reader)
            if differences is not None:
                return _where_they_part(pair, found, rows, starts, stops, reader, differences)
        elif min(counts.values()) <= ROW_LIMIT and found.suffix[2] == 0:
            differences = _before_a_long_tail(pair, found, starts, counts, reader)
            if differences is not None:
                return differences
        ends = {side: pair.log(side).planned.stop for side in SIDES}
        at, same = first_divergence(pair, starts, ends, reader)
        return (_unclassified(pair, found, at, same, counts, starts, stops),)
    except ReadAgainError as error:
        ranges = {side: OffsetRange(starts[side], stops[side]) for side in SIDES}
        return (
            Difference(
                FindingKind.UNCLASSIFIED,
                ranges[Side.LEFT],
                ranges[Side.RIGHT],
                counts[Side.LEFT],
                counts[Side.RIGHT],
                None,
                detail=str(error),
                unread=True,
            ),
        )


def _where_they_part(
    pair: Pair,
    found: Alignment,
    rows: dict[Side, bytes],
    starts: dict[Side, int],
    stops: dict[Side, int],
    reader: RowReader,
    differences: tuple[Difference, ...],
) -> tuple[Difference, ...]:
    """The same run of one side where the logs first part.

    Equal records in a row may belong to the common prefix or to the common suffix, and what is found of the suffix may
    have taken some that the prefix goes on with. So many of the suffix are looked at again, unless a head is allowed.
    """
    if len(differences) != 1 or differences[0].kind not in ONE_SIDED:
        return differences
    (one,) = differences
    side = Side.LEFT if one.left_records else Side.RIGHT
    if found.suffix[2] == 0 or (one.where is Where.HEAD and side in pair.heads):
        return differences
    _, same = first_divergence(pair, starts, {side: pair.log(side).planned.stop for side in SIDES}, reader)
    more = same + 1 - min(len(tables.records(rows[side])) for side in SIDES)
    if not 1 < more <= ROW_LIMIT:
        return differences
    later = {side: reader.rows(pair.log(side), stops[side], pair.log(side).planned.stop, more) for side in SIDES}
    ends = {side: int(tables.records(later[side])["offset"][-1]) + 1 for side in SIDES}
    joined = {side: rows[side] + later[side] for side in SIDES}
    return _diff(pair, found, joined, starts, ends, reader) or differences


def _before_a_long_tail(
    pair: Pair, found: Alignment, starts: dict[Side, int], counts: dict[Side, int], reader: RowReader
) -> tuple[Difference, ...] | None:
    """One side goes on for long past the other's end: as much of it is read as the other can match.

    The tail that this leaves is whole only if the diff ended with it, and nothing else stands there.
    """
    shorter = min(SIDES, key=lambda side: counts[side])
    longer = shorter.other
    logs = {side: pair.log(side) for side in SIDES}
    stop, room = _reach(logs[longer], starts[longer], counts[shorter] + EDIT_LIMIT + 1)
    stops = {shorter: logs[shorter].planned.stop, longer: stop}
    rows = {
        shorter: reader.checked_rows(logs[shorter], starts[shorter], stops[shorter], ROW_LIMIT),
        longer: reader.checked_rows(logs[longer], starts[longer], stop, room),
    }
    differences = _diff(pair, found, rows, starts, stops, reader)
    if not differences or differences[-1].where is not Where.TAIL:
        return None
    last = differences[-1]
    offsets = last.offsets(longer)
    if offsets is None:
        return None
    more = counts[longer] - len(tables.records(rows[longer]))
    whole = OffsetRange(offsets.start, logs[longer].planned.stop)
    if longer is Side.LEFT:
        last = replace(last, left=whole, left_records=last.left_records + more)
    else:
        last = replace(last, right=whole, right_records=last.right_records + more)
    return (*differences[:-1], last)


def _reach(log: PartitionLog, start: int, records: int) -> tuple[int, int]:
    """The end of the cell by which ``records`` records follow ``start``, and how many there are at most up to it."""
    cells = log.table[log.table["stop"] > start]
    counts = cells["count"].cumsum()
    # The first cell may begin before the start, so its records do not count on.
    whole = int(np.searchsorted(counts, records + int(cells["count"][0])))
    index = min(whole, len(cells) - 1)
    return int(cells["stop"][index]), int(counts[index])


def _diff(
    pair: Pair,
    found: Alignment,
    rows: dict[Side, bytes],
    starts: dict[Side, int],
    stops: dict[Side, int],
    reader: RowReader,
) -> tuple[Difference, ...] | None:
    context = {
        side: reader.rows(
            pair.log(side),
            max(pair.log(side).planned.start, starts[side] - CONTEXT_OFFSETS),
            starts[side],
            CONTEXT_OFFSETS,
        )
        for side in SIDES
    }
    # As many on both sides: offsets may have holes on one, and the prefixes are equal record by record.
    kept = min(len(context[side]) for side in SIDES)
    rows = {side: context[side][len(context[side]) - kept :] + rows[side] for side in SIDES}
    at_end = found.suffix[2] == 0
    same = _native.common_rows(
        left_rows=rows[Side.LEFT],
        right_rows=rows[Side.RIGHT],
        timestamps=pair.timestamps,
        offsets=pair.offsets,
    )
    runs = _native.diff_rows(
        left_rows=rows[Side.LEFT],
        right_rows=rows[Side.RIGHT],
        timestamps=pair.timestamps,
        offsets=pair.offsets,
        by_offset=False,
        to_the_end=at_end,
        epoch_starts=_epoch_starts(pair, rows, same),
        limit=EDIT_LIMIT,
    )
    if runs is None:
        return None
    at_start = found.prefix[2] == 0
    stretch = Stretch(rows, stops, at_start=at_start, at_end=at_end, by_offset=False)
    converter = Converter(pair, stretch, reader)
    return tuple(converter.difference(run) for run in runs)


def _epoch_starts(pair: Pair, rows: dict[Side, bytes], same: int) -> bool:
    """Whether a leader epoch begins, on one side only, at the first record without a counterpart."""
    begins = []
    for side in SIDES:
        offsets = tables.records(rows[side])["offset"]
        epochs = {start for _, start in pair.log(side).leader_epochs[1:]}
        begins.append(same < len(offsets) and int(offsets[same]) in epochs)
    return begins[0] != begins[1]


def first_divergence(
    pair: Pair, starts: dict[Side, int], ends: dict[Side, int], reader: RowReader
) -> tuple[FirstDivergence, int]:
    """Reads both sides on from a place that is proven equal until they part or end; also how many records agree.

    Raises:
        ReadAgainError: the records could not be read.
    """
    position = dict(starts)
    pending = dict.fromkeys(SIDES, b"")
    agreed = 0
    while True:
        for side in SIDES:
            log = pair.log(side)
            if len(pending[side]) == 0:
                pending[side] = reader.rows(log, position[side], ends[side], WINDOW_RECORDS)
                read = tables.records(pending[side])["offset"]
                position[side] = int(read[-1]) + 1 if len(read) else ends[side]
        views = {side: tables.records(pending[side]) for side in SIDES}
        same = _native.common_rows(
            left_rows=pending[Side.LEFT],
            right_rows=pending[Side.RIGHT],
            timestamps=pair.timestamps,
            offsets=pair.offsets,
        )
        agreed += same
        lengths = {side: len(views[side]) for side in SIDES}
        if same < min(lengths.values()) or 0 in lengths.values():
            return _parting(pair, views, same), agreed
        pending = {side: pending[side][same * _native.ROW_BYTES :] for side in SIDES}


def _parting(pair: Pair, views: dict[Side, NDArray[Any]], index: int) -> FirstDivergence:
    rows = {side: views[side][index] if index < len(views[side]) else None for side in SIDES}
    fields = differing_fields(rows[Side.LEFT], rows[Side.RIGHT], timestamps=pair.timestamps, offsets=pair.offsets)
    offset = {side: None if row is None else int(row["offset"]) for side, row in rows.items()}
    return FirstDivergence(offset[Side.LEFT], offset[Side.RIGHT], fields)


def _unclassified(
    pair: Pair,
    found: Alignment,
    at: FirstDivergence,
    same: int,
    counts: dict[Side, int],
    starts: dict[Side, int],
    stops: dict[Side, int],
) -> Difference:
    if same > min(counts.values()):
        # They agree on into what counts as the common suffix: the run can be told from its first place only.
        begins, same = {side: starts[side] if counts[side] else None for side in SIDES}, 0
    else:
        begins = {Side.LEFT: at.left_offset, Side.RIGHT: at.right_offset}
    ranges: dict[Side, OffsetRange | None] = {}
    for side, offset in begins.items():
        ranges[side] = None if offset is None or offset >= stops[side] else OffsetRange(offset, stops[side])
    forked = found.suffix[2] == 0 and any(
        any(start == offset for _, start in pair.log(side).leader_epochs[1:])
        for side, offset in ((Side.LEFT, at.left_offset), (Side.RIGHT, at.right_offset))
    )
    return Difference(
        FindingKind.FORKED if forked else FindingKind.UNCLASSIFIED,
        ranges[Side.LEFT],
        ranges[Side.RIGHT],
        max(0, counts[Side.LEFT] - same),
        max(0, counts[Side.RIGHT] - same),
        at,
        detail=(
            "a leader epoch begins where the logs part"
            if forked
            else f"more than {ROW_LIMIT} records or {EDIT_LIMIT} edits lie between the common start and the common end"
        ),
    )
