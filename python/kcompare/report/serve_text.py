"""What ``kcompare serve`` shows when it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.report.layout import counted
from kcompare.report.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.serve_model import Served, ServedTopic

MAX_PARTITIONS = 12
"""Partitions of a topic whose ends are shown for each reason; the others are counted."""

MAX_LOST = 20
"""Lost ranges that are shown; the others are counted."""

ENDS = {
    "clean_shutdown": "closed cleanly",
    "end_of_segment": "whole",
    "torn_tail": "last batch cut off",
    "zero_tail": "zeros behind the last batch",
    "corrupt_tail": "nothing sound behind the last batch",
    "recovery_point": "flushed records are gone",
    "damage_before_end": "ends in damage",
}


def render_served(served: Served) -> str:
    """The topics that are served, where each log ends and why, and how to read them; every line sanitized."""
    return "".join(f"{sanitize(line)}\n" for line in _lines(served))


def _lines(served: Served) -> Iterator[str]:
    who = [f"cluster {served.cluster_id}"] if served.cluster_id else []
    who += [f"node {served.node_id}"] if served.node_id is not None else []
    whose = f" ({', '.join(who)})" if who else ""
    yield f"Serving {served.view}"
    yield f"on {served.address}, read-only{whose}."
    if served.everywhere:
        yield "Everybody who can connect to it reads everything: there is no TLS and no login."
    yield ""
    width = max(len(topic.name) for topic in served.topics)
    for topic in served.topics:
        yield f"  {topic.name:{width}}  {_ends(topic)}"
    lost = list(_lost(served))
    if lost:
        yield ""
        yield "Lost offsets answer CORRUPT_MESSAGE, so that no consumer jumps over them unawares:"
        yield from lost[:MAX_LOST]
        if len(lost) > MAX_LOST:
            yield f"  and {counted(len(lost) - MAX_LOST, 'more range')}; kcompare check {served.view} has all"
    yield ""
    yield "  kcat -b " + f"{served.address} -C -t {served.topics[0].name} -o beginning -e"
    yield ""
    yield "Writes and commits are refused; a group has one member. Ctrl-C ends it."


def _ends(topic: ServedTopic) -> str:
    """Where the logs end, together where it is for the same reason."""
    reasons: dict[str, list[str]] = {}
    for found in topic.partitions:
        at = f"{found.bounds.partition} at {found.bounds.high_watermark}"
        reasons.setdefault(found.bounds.end_reason or "", []).append(at)
    told = []
    for reason, ends in reasons.items():
        shown = ends[:MAX_PARTITIONS]
        if len(ends) > MAX_PARTITIONS:
            shown.append(f"{len(ends) - MAX_PARTITIONS} more")
        told.append(f"{', '.join(shown)} ({ENDS.get(reason, reason)})")
    return f"{counted(len(topic.partitions), 'partition')}, ends: {'; '.join(told)}"


def _lost(served: Served) -> Iterator[str]:
    for topic in served.topics:
        for partition in topic.partitions:
            for lost in partition.lost:
                place = f"{topic.name}-{partition.bounds.partition}"
                yield f"  {place} [{lost.offsets.start}, {lost.offsets.stop}) {lost.reason}: {lost.detail}"
