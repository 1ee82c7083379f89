"""What a broker's start would make of a partition of a log directory, and what was left in it before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kcompare.check_model import CheckEffect, CheckFinding, CheckKind, StartReport
from kcompare.model import OffsetRange
from kcompare.sources.kafka import NO_TOPIC_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kcompare import _native

MISSING = frozenset({"first_segment_missing", "last_segment_missing"})
"""Evidence of a part of the log that is not there. Retention or a copy that took its time may be the reason, too."""

TOLD_BY_READING = frozenset({"segment_hole"})
"""Evidence of what the reading of the records finds itself, and judges."""


def inspected(
    native: _native.LogDirs,
    partitions: Sequence[_native.LogDirPartition],
    topic: str,
    partition: int,
    cancel: _native.CancelToken,
    told: set[str],
) -> tuple[tuple[CheckFinding, ...], StartReport | None]:
    """Everything that is to be said of a partition without reading its records.

    Args:
        native: the log directories.
        partitions: all of the topic's.
        topic: the topic.
        partition: one of them.
        cancel: ends it early.
        told: what was said already of the log directories around the partitions, which is not said again.

    Raises:
        SourceError: a file cannot be read.
        InterruptedRunError: interrupted.
    """
    place = next(found for found in partitions if found.partition == partition)
    start = native.start_of(topic=topic, partition=partition, cancel=cancel)
    aged = start.stray and not _has_topic_ids(native)
    found = [
        *_foreign(native, topic, place, told),
        *_unreadable(native, topic, place, told),
        *_set_aside(native, topic, partition),
        *_start(start, topic, place, aged=aged),
        *_evidence(start, topic, place),
    ]
    return tuple(found), _report(start)


def _report(start: _native.BrokerStart) -> StartReport:
    if start.refused is not None:
        return StartReport(start.refused, -1, -1)
    return StartReport(
        None,
        start.log_start_offset,
        start.log_end_offset,
        stray=start.stray,
        discarded_records=sum(loss.records for loss in start.discarded),
        hidden_records=sum(loss.records for loss in start.hidden),
        reused=None if start.reused is None else OffsetRange(*start.reused),
        deleted_files=len(start.deleted_files),
        recovered_segments=len(start.recovered),
        truncated_bytes=sum(cut for *_, cut in start.recovered),
    )


def _start(
    start: _native.BrokerStart, topic: str, place: _native.LogDirPartition, *, aged: bool
) -> Iterator[CheckFinding]:
    """What a start would refuse, discard, hide and delete."""
    if start.refused is not None:
        detail = f"a broker would not start on this log directory: {start.refused}"
        yield CheckFinding(
            CheckKind.START_REFUSED, CheckEffect.DEFECT, topic, place.partition, path=place.path, detail=detail
        )
        return
    for loss in start.discarded:
        yield _loss(loss, CheckKind.START_DISCARDS, topic, place)
    for loss in start.hidden:
        effect = CheckEffect.INFORMATION if aged else None
        yield _loss(loss, CheckKind.START_HIDES, topic, place, effect)
    for name, size, why in start.deleted_files:
        yield CheckFinding(
            CheckKind.START_DELETES,
            CheckEffect.INFORMATION,
            topic,
            place.partition,
            reason=why,
            path=str(Path(place.path, name)),
            detail=f"a start deletes this file of {size} bytes, which is no part of the log",
        )


def _loss(
    loss: _native.StartLoss,
    kind: CheckKind,
    topic: str,
    place: _native.LogDirPartition,
    effect: CheckEffect | None = None,
) -> CheckFinding:
    """Batches that a start takes out of the log; bytes that are no batch are no loss."""
    lost = loss.batches > 0
    detail = f"bytes {loss.position} to {loss.end_position} of the file: {_CAUSES.get(loss.cause, loss.cause)}"
    if loss.damaged_bytes:
        detail += f"; {loss.damaged_bytes} bytes at the front of them are no sound batch"
    return CheckFinding(
        kind,
        effect or (CheckEffect.DEFECT if lost else CheckEffect.INFORMATION),
        topic,
        place.partition,
        OffsetRange(loss.start, loss.stop) if lost else None,
        records=loss.records,
        reason=loss.cause,
        path=str(Path(place.path, loss.file)),
        detail=detail,
    )


_CAUSES = {
    "behind_damage": "a start cuts the segment off at the first batch that is not valid",
    "later_segment": "a start deletes every segment after one that it cuts off",
    "offsets_out_of_order": "a start empties a segment whose offsets do not ascend",
    "below_log_start": "the whole log ends below the log-start checkpoint, and a start deletes such a log",
    "overwritten": "a start puts a segment of the same name in their place",
    "above_log_end": "they stay on disk above the log end that a start works out, and new records get their offsets",
    "misplaced": (
        "they stay where no fetch finds them: the name of the file does not cover their offsets, or an index or damage "
        "leads past them"
    ),
    "stray": "without partition.metadata a broker of Kafka 4 renames the directory to -stray and makes an empty log",
}


def _evidence(start: _native.BrokerStart, topic: str, place: _native.LogDirPartition) -> Iterator[CheckFinding]:
    """What the small files of a partition know."""
    for kind, first, stop, sentence in start.evidence:
        if kind not in TOLD_BY_READING:
            effect = CheckEffect.UNVERIFIED if kind in MISSING else CheckEffect.INFORMATION
            offsets = OffsetRange(first, stop)
            yield CheckFinding(
                CheckKind.EVIDENCE, effect, topic, place.partition, offsets, reason=kind, detail=sentence
            )


def _has_topic_ids(native: _native.LogDirs) -> bool:
    """Whether any partition has a topic id: before Kafka 2.8 none had, and its brokers need none."""
    return any(found.topic_id != NO_TOPIC_ID for topic in native.topics() for found in native.partitions(topic=topic))


def _foreign(
    native: _native.LogDirs, topic: str, place: _native.LogDirPartition, told: set[str]
) -> Iterator[CheckFinding]:
    """Directories over which a broker ends before it looks at any log."""
    for path in (path for root in native.roots() for path in root.foreign):
        if path not in told:
            told.add(path)
            yield CheckFinding(
                CheckKind.START_REFUSED,
                CheckEffect.INFORMATION,
                topic,
                place.partition,
                path=path,
                detail=(
                    "a broker would not start on a log directory with this directory in it, whose name is no "
                    "partition's; move it away, then the rest is as said here"
                ),
            )


def _unreadable(
    native: _native.LogDirs, topic: str, place: _native.LogDirPartition, told: set[str]
) -> Iterator[CheckFinding]:
    """Small files that cannot be read, those of the log directory among them."""
    for problem in (*place.problems, *native.roots()[place.root].problems):
        if problem not in told:
            told.add(problem)
            yield CheckFinding(
                CheckKind.EVIDENCE,
                CheckEffect.INFORMATION,
                topic,
                place.partition,
                reason="file_unreadable",
                detail=f"{problem}; what it says counts as unknown",
            )


def _set_aside(native: _native.LogDirs, topic: str, partition: int) -> Iterator[CheckFinding]:
    """Directories that carry the partition's name and that a broker would not serve."""
    for path, name, number, kind in native.set_aside():
        if (name, number) == (topic, partition):
            yield CheckFinding(
                CheckKind.SET_ASIDE,
                CheckEffect.INFORMATION,
                topic,
                partition,
                reason=kind,
                path=path,
                detail=_WORDS.get(kind, "a broker does not serve it"),
            )


_WORDS = {
    "delete": "a broker deletes this directory when it starts",
    "future": "a broker was about to move the partition here, and has not finished",
    "stray": "a broker set this directory aside, because it was not to host the partition",
}
