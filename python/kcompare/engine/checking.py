"""Both sides of a pair of topics held to what was pinned, once everything of it was read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare.engine.pinned import Moved, moved
from kcompare.engine.reading import LogChangedError, ReadAgainError
from kcompare.engine.retention import front_that_is_left
from kcompare.errors import RefusedError, SourceError
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
        if all(_met_nobody(log) for log in own.values()):
            # Nothing was read that could have moved, and whoever did not answer is not waited for again.
            continue
        found = held_to_pinned(shared, pair.view(side), pinned[side], own, reader)
        shared.unreachable = shared.unreachable or any(one.reason in AWAY for one in found.values())
        for partition, one in found.items():
            log = own[partition]
            logs[side, partition] = replace(log, distrust=Unread(log.planned, one.reason.value, one.detail))


def held_to_pinned(
    troubles: Troubles, view: View, pinned: Pinned, logs: dict[int, PartitionLog], reader: RowReader
) -> dict[int, Moved]:
    """The partitions of one side that are no longer what was pinned, and why."""
    try:
        found = moved(
            pinned,
            {partition: log.planned for partition, log in logs.items()},
            {partition: log.leader_epochs[-1][0] for partition, log in logs.items() if log.leader_epochs},
        )
    except SourceError as error:
        detail = f"the {pinned.side.value} side could not be checked again: {error}"
        reason = Reason.IO_ERROR if pinned.identity.is_directory else Reason.UNREACHABLE
        refused = isinstance(error, RefusedError)
        unreachable = not refused and reason is Reason.UNREACHABLE
        troubles.note(pinned.side, view, error.code, str(error), refused=refused, unreachable=unreachable)
        found = dict.fromkeys(logs, Moved(reason, detail))
    if pinned.identity.topic_id is None:
        found = {**_other_front(logs, reader), **found}
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
            found[partition] = Moved(Reason.CHANGED_WHILE_READING, str(error))
    return found
