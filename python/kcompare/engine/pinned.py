"""What a run pins before it reads, and checks again when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.errors import SameSourceError, SourceError, TopicNotFoundError, UsageError
from kcompare.model import SIDES, Reason
from kcompare.planning import limited, whole
from kcompare.sources.base import PartitionProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcompare.model import OffsetRange, PartitionBounds, Side, View
    from kcompare.settings.ranges import LogRange
    from kcompare.sources.base import Identity, Source


@dataclass(frozen=True, slots=True)
class Pinned:
    """One side as it was when the run started.

    Attributes:
        planned: what is compared of each partition that has bounds.
        cuts: for a partition of which not all that was wanted is there, sentences that say so.
    """

    side: Side
    source: Source
    identity: Identity
    bounds: dict[int, PartitionBounds]
    problems: dict[int, PartitionProblem]
    planned: dict[int, OffsetRange]
    cuts: dict[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Moved:
    """Why nothing that was read of a partition counts any more."""

    reason: Reason
    detail: str


def pin(source: Source, side: Side, identity: Identity, wanted: LogRange | None = None) -> Pinned:
    """Asks a source of a known identity where its partitions begin and end, and what of them is wanted.

    Raises:
        SourceError: the source could not be asked.
    """
    good, bad = source.bounds()
    bounds = {found.partition: found for found in good}
    problems = {problem.partition: problem for problem in bad}
    planned = {partition: whole(found) for partition, found in bounds.items()}
    cuts: dict[int, tuple[str, ...]] = {}
    if wanted is not None:
        # After the bounds, and only once: what is written meanwhile lies past the high watermark and is cut off.
        offsets = {time_ms: source.offsets_at(time_ms) for time_ms in wanted.times}
        for partition, found in list(bounds.items()):
            if any(partition not in at for at in offsets.values()):
                del bounds[partition], planned[partition]
                problems[partition] = PartitionProblem(
                    partition,
                    "PARTITION_UNAVAILABLE",
                    f"partition {partition} of {source.view.text} did not say where the times of {wanted.text} lie",
                    refused=False,
                )
                continue
            times = {time_ms: at[partition] for time_ms, at in offsets.items()}
            planned[partition], told = limited(found, wanted, times)
            cuts[partition] = tuple(f"--{side.value}-range: {sentence}" for sentence in told)
    return Pinned(side, source, identity, bounds, problems, planned, cuts)


def check_not_the_same(sources: Mapping[Side, Source], identities: Mapping[Side, Identity]) -> None:
    """Refuses to hold bytes against themselves: any comparison of them would be equal.

    A restored snapshot rightly has the cluster and topic ids of its original, so a common broker is part of it. A log
    directory is the same as another by device and inode, whatever links or mounts lead to it.

    Raises:
        SameSourceError: both views are the same topic on the same brokers, or in the same directory.
    """
    left, right = (identities[side] for side in SIDES)
    views = [sources[side].view for side in SIDES]
    if left.directories & right.directories:
        raise SameSourceError(
            f"{views[0].text} and {views[1].text} lead to the same directory, which is equal to itself; name another "
            "view, or say --allow-same to test kcompare"
        )
    same_cluster = left.cluster_id == right.cluster_id
    if left.topic_id is not None and right.topic_id is not None:
        same_topic = left.topic_id == right.topic_id
    else:
        same_topic = views[0].topic == views[1].topic
    if same_cluster and same_topic and left.endpoints & right.endpoints:
        raise SameSourceError(
            f"{views[0].text} and {views[1].text} are the same topic on the same brokers, which is "
            "equal to itself; name another view, or say --allow-same to test kcompare"
        )


def check_partitions(
    wanted: tuple[int, ...] | None, identities: Mapping[Side, Identity], views: Mapping[Side, View]
) -> None:
    """Refuses partitions that a side does not have, which is a mistake in what was asked for.

    Raises:
        UsageError: the first one that is missing.
    """
    for side, identity in identities.items():
        missing = sorted(set(wanted or ()) - set(identity.partitions))
        if missing:
            view = views[side]
            raise UsageError(
                f"partition {missing[0]} does not exist in topic {view.topic!r} of {view.text}, which has "
                f"{len(identity.partitions)}; name others with --partitions"
            )


def moved(pinned: Pinned, planned: dict[int, OffsetRange], last_epochs: dict[int, int]) -> dict[int, Moved]:
    """Checks a side again after it was read: which partitions are no longer what was pinned, and why.

    A topic that was recreated has another id. A log that was truncated below what was read tells by a high watermark
    below the plan, and, where the leader changed, by the end of the last leader epoch that was read (KIP-101). Files of
    a log directory look different once they were written to.

    Args:
        pinned: the side as it was.
        planned: what was planned of each partition.
        last_epochs: the leader epoch of the last batch that was read of each partition, where batches have one.

    Raises:
        SourceError: the source could not be asked.
    """
    try:
        identity = pinned.source.identity()
    except TopicNotFoundError as error:
        gone = Reason.CHANGED_WHILE_READING if pinned.identity.is_directory else Reason.TOPIC_RECREATED
        return {partition: Moved(gone, str(error)) for partition in planned}
    if identity.topic_id != pinned.identity.topic_id or identity.cluster_id != pinned.identity.cluster_id:
        detail = (
            f"topic {pinned.source.view.topic!r} had id {pinned.identity.topic_id} when the run started and has "
            f"{identity.topic_id} now"
        )
        return {partition: Moved(Reason.TOPIC_RECREATED, detail) for partition in planned}
    if identity.partitions != pinned.identity.partitions:
        detail = (
            f"topic {pinned.source.view.topic!r} had {len(pinned.identity.partitions)} partitions when the run started "
            f"and has {len(identity.partitions)} now; run again"
        )
        return {partition: Moved(Reason.CHANGED_WHILE_READING, detail) for partition in planned}
    good, _ = pinned.source.bounds()
    now = {bounds.partition: bounds for bounds in good}
    found = {}
    epochs = []
    for partition, offsets in planned.items():
        bounds, before = now.get(partition), pinned.bounds[partition]
        if bounds is None:
            detail = f"partition {partition} had no leader when it was checked at the end"
            found[partition] = Moved(Reason.PARTITION_UNAVAILABLE, detail)
        elif bounds.high_watermark < offsets.stop:
            detail = f"partition {partition} now ends at {bounds.high_watermark}, below the planned {offsets.stop}"
            found[partition] = Moved(Reason.TRUNCATED, detail)
        elif bounds.log_start_offset < before.log_start_offset:
            detail = (
                f"partition {partition} now starts at {bounds.log_start_offset}, below the pinned "
                f"{before.log_start_offset}"
            )
            found[partition] = Moved(Reason.CHANGED_WHILE_READING, detail)
        elif bounds.leader_epoch != before.leader_epoch and partition in last_epochs:
            epochs.append((partition, last_epochs[partition]))
    changed = {
        partition: Moved(Reason.CHANGED_WHILE_READING, detail)
        for partition, detail in pinned.source.changes(planned).items()
    }
    return {**found, **_truncated(pinned, planned, epochs), **changed}


def _truncated(pinned: Pinned, planned: dict[int, OffsetRange], epochs: list[tuple[int, int]]) -> dict[int, Moved]:
    """A new leader may have dropped what the old one served: the old epoch then ends below the plan."""
    if not epochs:
        return {}
    try:
        ends = pinned.source.epoch_ends(epochs)
    except SourceError as error:
        detail = f"the leader changed and the end of its epoch could not be asked: {error}"
        return {partition: Moved(Reason.PARTITION_UNAVAILABLE, detail) for partition, _ in epochs}
    found = {}
    for partition, epoch in epochs:
        if partition not in ends:
            detail = (
                f"the leader of partition {partition} changed while it was read, and nothing tells where leader epoch "
                f"{epoch} ended; run again"
            )
            found[partition] = Moved(Reason.CHANGED_WHILE_READING, detail)
            continue
        found_epoch, end = ends[partition]
        if found_epoch != epoch or end < planned[partition].stop:
            detail = (
                f"partition {partition} was read up to {planned[partition].stop} in leader epoch {epoch}, and its "
                f"new leader knows epoch {found_epoch} up to {end}"
            )
            found[partition] = Moved(Reason.TRUNCATED, detail)
    return found
