"""Both sides of a pair of topics held to what was pinned, once everything of it was read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare.engine.pinned import Moved, moved
from kcompare.engine.reading import LogChangedError, ReadAgainError
from kcompare.engine.retention import front_that_is_left
from kcompare.errors import InterruptedRunError, RefusedError, SourceError
from kcompare.model import SIDES, Reason, Side
from kcompare.sources.base import Unread

if TYPE_CHECKING:
    from kcompare.engine.logs import PartitionLog
    from kcompare.engine.pairs import TopicPair
    from kcompare.engine.pinned import Pinned
    from kcompare.engine.reading import RowReader
    from kcompare.engine.shared import Shared

Logs = dict[tuple[Side, int], "PartitionLog"]

AWAY = frozenset({Reason.PARTITION_UNAVAILABLE, Reason.UNREACHABLE})


def checked_again(shared: Shared, pair: TopicPair, pinned: dict[Side, Pinned], logs: Logs, reader: RowReader) -> None:
    """Distrusts, in ``logs``, everything that is no longer what was pinned: it does not count as read.

    After an interrupt nobody is asked any more. What was read then stays unchecked, which is no EQUAL.
    """
    for side in SIDES:
        own = {partition: log for (found, partition), log in logs.items() if found is side}
        found: dict[int, Moved] | None = None
        if not shared.cancel.is_cancelled():
            with suppress(InterruptedRunError):
                found = _moved(shared, pair, pinned[side], own, reader)
        if found is None:
            for partition, log in own.items():
                if log.unread and not log.records:
                    continue
                detail = f"the run was interrupted before the {side.value} side was checked again"
                unchecked = Unread(log.planned, Reason.INTERRUPTED.value, detail)
                logs[side, partition] = replace(log, unchecked=unchecked)
            continue
        for partition, one in found.items():
            log = own[partition]
            logs[side, partition] = replace(log, distrust=Unread(log.planned, one.reason.value, one.detail))


def _moved(
    shared: Shared, pair: TopicPair, pinned: Pinned, own: dict[int, PartitionLog], reader: RowReader
) -> dict[int, Moved]:
    """The partitions of a side that are no longer what was pinned.

    Raises:
        InterruptedRunError: before that was known.
    """
    if all(_met_nobody(log) for log in own.values()):
        # Nothing was read that could have moved, and whoever did not answer is not waited for again.
        return {}
    side = pinned.side
    try:
        found = moved(
            pinned,
            {partition: log.planned for partition, log in own.items()},
            {partition: log.leader_epochs[-1][0] for partition, log in own.items() if log.leader_epochs},
        )
    except SourceError as error:
        detail = f"the {side.value} side could not be checked again: {error}"
        found = dict.fromkeys(own, Moved(Reason.UNREACHABLE, detail))
        shared.note(side, pair.view(side), error.code, str(error), refused=isinstance(error, RefusedError))
    if pinned.identity.topic_id is None:
        found = {**_other_front(shared, own, reader), **found}
    if any(one.reason in AWAY for one in found.values()):
        shared.unreachable = True
    return found


def _met_nobody(log: PartitionLog) -> bool:
    return bool(log.unread) and not log.records and all(one.reason == Reason.UNREACHABLE.value for one in log.unread)


def _other_front(shared: Shared, logs: dict[int, PartitionLog], reader: RowReader) -> dict[int, Moved]:
    """Without topic ids only records tell a topic from another of its name: the first ones are read again."""
    found = {}
    for partition, log in logs.items():
        front = front_that_is_left(log)
        cells = [cell for cell in log.table if cell["count"] and front is not None and cell["start"] >= front]
        if not cells:
            continue
        start, stop = int(cells[0]["start"]), int(cells[0]["stop"])
        try:
            reader.checked_rows(log, start, stop, int(cells[0]["count"]))
        except LogChangedError as error:
            found[partition] = Moved(Reason.TOPIC_RECREATED, str(error))
        except ReadAgainError as error:
            if shared.cancel.is_cancelled():
                raise InterruptedRunError("interrupted before the first records were read again") from error
            found[partition] = Moved(Reason.CHANGED_WHILE_READING, str(error))
    return found
