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
    from kcompare.engine.shared import Shared, Troubles
    from kcompare.model import View

Logs = dict[tuple[Side, int], "PartitionLog"]

AWAY = frozenset({Reason.PARTITION_UNAVAILABLE, Reason.UNREACHABLE})


def checked_again(shared: Shared, pair: TopicPair, pinned: dict[Side, Pinned], logs: Logs, reader: RowReader) -> None:
    """Distrusts, in ``logs``, everything that is no longer what was pinned: it does not count as read."""
    for side in SIDES:
        own = {partition: log for (found, partition), log in logs.items() if found is side}
        held = held_to_pinned(shared, pair.view(side), pinned[side], own, reader)
        logs.update({(side, partition): log for partition, log in held.items()})


def held_to_pinned(
    troubles: Troubles, view: View, pinned: Pinned, logs: dict[int, PartitionLog], reader: RowReader
) -> dict[int, PartitionLog]:
    """The logs of one side, held to what was pinned: what is no longer that is distrusted.

    After an interrupt nobody is asked any more. What was read then stays unchecked, which proves nothing.
    """
    found: dict[int, Moved] | None = None
    if not reader.is_cancelled:
        with suppress(InterruptedRunError):
            found = _moved(troubles, view, pinned, logs, reader)
    if found is None:
        detail = f"the run was interrupted before {view.text} was checked again"
        return {
            partition: log
            if log.unread and not log.records
            else replace(log, unchecked=Unread(log.planned, Reason.INTERRUPTED.value, detail))
            for partition, log in logs.items()
        }
    distrusts = {
        partition: Unread(logs[partition].planned, one.reason.value, one.detail) for partition, one in found.items()
    }
    return {
        partition: replace(log, distrust=distrusts[partition]) if partition in distrusts else log
        for partition, log in logs.items()
    }


def _moved(
    troubles: Troubles, view: View, pinned: Pinned, logs: dict[int, PartitionLog], reader: RowReader
) -> dict[int, Moved]:
    """The partitions of a side that are no longer what was pinned, and why.

    Raises:
        InterruptedRunError: before that was known.
    """
    if all(_met_nobody(log) for log in logs.values()):
        # Nothing was read that could have moved, and whoever did not answer is not waited for again.
        return {}
    try:
        found = moved(
            pinned,
            {partition: log.planned for partition, log in logs.items()},
            {partition: log.leader_epochs[-1][0] for partition, log in logs.items() if log.leader_epochs},
        )
    except SourceError as error:
        detail = f"{view.text} could not be checked again: {error}"
        reason = Reason.IO_ERROR if pinned.identity.is_directory else Reason.UNREACHABLE
        refused = isinstance(error, RefusedError)
        unreachable = not refused and reason is Reason.UNREACHABLE
        troubles.note(pinned.side, view, error.code, str(error), refused=refused, unreachable=unreachable)
        found = dict.fromkeys(logs, Moved(reason, detail))
    if pinned.identity.topic_id is None:
        found = {**_other_front(logs, reader), **found}
    if any(one.reason in AWAY for one in found.values()):
        troubles.unreachable = True
    return found


def _met_nobody(log: PartitionLog) -> bool:
    return bool(log.unread) and not log.records and all(one.reason == Reason.UNREACHABLE.value for one in log.unread)


def _other_front(logs: dict[int, PartitionLog], reader: RowReader) -> dict[int, Moved]:
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
            if reader.is_cancelled:
                raise InterruptedRunError("interrupted before the first records were read again") from error
            found[partition] = Moved(Reason.CHANGED_WHILE_READING, str(error))
    return found
