"""What is found in one partition of a check: damage, holes, and what is ordinary but worth a line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kcompare.check_model import CheckEffect, CheckFinding, CheckKind
from kcompare.engine import holes
from kcompare.engine.check_times import steps_back
from kcompare.engine.incomplete import ODD_ENDS
from kcompare.ledger import gap_offsets
from kcompare.model import OffsetRange, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from numpy.typing import NDArray

    from kcompare.engine.logs import PartitionLog
    from kcompare.sources.base import Identity, TimeOrder, Unread

DEFECTS = {
    Reason.CORRUPT_BATCH: CheckKind.DAMAGE,
    Reason.DAMAGE_BEFORE_END: CheckKind.DAMAGE,
    Reason.MISSING_SEGMENT: CheckKind.MISSING_SEGMENT,
    Reason.LEADER_EPOCH_WENT_BACK: CheckKind.LEADER_EPOCH_WENT_BACK,
}
"""What is wrong with the log itself; every other reason only says why it could not be looked at."""

_ORDER = tuple(CheckEffect)


@dataclass(frozen=True, slots=True)
class Compaction:
    """Whether compaction explains holes in a topic.

    Attributes:
        known: None where nothing tells.
        without_causes: holes have no cause that could be seen (consumer data path), so that none is a defect.
    """

    known: bool | None
    reason: str
    without_causes: bool = False

    @classmethod
    def of(cls, identity: Identity, *, without_causes: bool) -> Compaction:
        """What a topic's identity says of it."""
        policy = identity.cleanup_policy
        if identity.is_directory:
            if policy:
                return cls(known=True, reason="the cleaner's checkpoint lists the topic")
            if identity.policy_is_known:
                return cls(known=False, reason="the cleaner's checkpoint does not list the topic")
            return cls(known=None, reason="the log directory has no checkpoint of the cleaner")
        if policy is None:
            return cls(None, f"cleanup.policy could not be read: {identity.policy_error}", without_causes)
        compacted = "compact" in policy
        return cls(compacted, f"cleanup.policy contains {'' if compacted else 'no '}compact", without_causes)


def ordered(findings: Iterable[CheckFinding]) -> tuple[CheckFinding, ...]:
    """Defects first, then what is unverified, explained and to be known; each by place."""
    return tuple(
        sorted(
            findings,
            key=lambda found: (
                _ORDER.index(found.effect),
                found.topic or "",
                -1 if found.partition is None else found.partition,
                -1 if found.offsets is None else found.offsets.start,
                found.kind.value,
                found.reason or "",
                found.path or "",
                found.records,
                found.detail,
            ),
        )
    )


def settled_cells(log: PartitionLog, compaction: Compaction) -> NDArray[Any]:
    """The cells of a log, with the holes that compaction explains counted as such."""
    return holes.explained(log.table, compacted_to=holes.compacted_to(log.bounds, compacted=bool(compaction.known)))


def is_in_doubt(log: PartitionLog) -> bool:
    """Whether the log moved while it was read, so that what looks like a defect may be no more than that."""
    return log.distrust is not None and log.distrust.reason != Reason.LEADER_EPOCH_WENT_BACK.value


def findings_of(
    topic: str, log: PartitionLog, order: TimeOrder, compaction: Compaction, *, allow_gaps: bool
) -> list[CheckFinding]:
    """Everything that the reading of one partition showed."""
    cells = settled_cells(log, compaction)
    found = [_unread(one) for one in (log.distrust, log.unchecked) if one is not None]
    found += [_unread(one) for one in log.unread]
    found += _holes(log, cells, compaction, allow_gaps=allow_gaps)
    found += _explained(log, cells)
    found += _end(log)
    found = [replace(one, topic=topic, partition=log.partition) for one in found]
    if (step := steps_back(topic, log, order)) is not None:
        found.append(step)
    return found


def without_bounds(topic: str, partition: int, reason: Reason, detail: str) -> CheckFinding:
    """A partition that has no bounds: a defect of the log, or a reason why it could not be looked at."""
    kind = DEFECTS.get(reason)
    effect = CheckEffect.UNVERIFIED if kind is None else CheckEffect.DEFECT
    return CheckFinding(kind or CheckKind.UNVERIFIED, effect, topic, partition, reason=reason.value, detail=detail)


def _unread(one: Unread) -> CheckFinding:
    """Offsets without trust: a defect of the log, or a reason why it could not be looked at."""
    kind = DEFECTS.get(Reason(one.reason))
    effect = CheckEffect.UNVERIFIED if kind is None else CheckEffect.DEFECT
    return CheckFinding(
        kind or CheckKind.UNVERIFIED, effect, None, None, one.range, reason=one.reason, detail=one.detail
    )


def _holes(
    log: PartitionLog, cells: NDArray[Any], compaction: Compaction, *, allow_gaps: bool
) -> Iterator[CheckFinding]:
    """Offsets without a record and without a cause: lost, where compaction cannot have taken them."""
    effect = CheckEffect.DEFECT
    told = f"{compaction.reason}, so that nothing but a loss explains it"
    if compaction.without_causes:
        effect, told = CheckEffect.UNVERIFIED, "librdkafka does not say what is missing there"
    elif compaction.known:
        effect, told = CheckEffect.UNVERIFIED, f"{_cleaned(log)}, and the cleaner may have come further since"
    elif compaction.known is None:
        effect, told = CheckEffect.UNVERIFIED, f"it may have been compacted ({compaction.reason})"
    if allow_gaps:
        effect, told = CheckEffect.EXPLAINED, "--allow-gaps was given"
    for hole in holes.missing_segments(log, cells):
        detail = f"no segment file holds these {len(hole)} offsets; {told}"
        yield CheckFinding(CheckKind.MISSING_SEGMENT, effect, None, None, hole, detail=detail)
    listed, rest = holes.unexplained_holes(log, cells)
    for hole in listed:
        detail = f"{len(hole)} offsets have no record; {told}"
        yield CheckFinding(CheckKind.HOLE, effect, None, None, hole, detail=detail)
    if rest:
        detail = f"{rest} more offsets have no record, in holes too many to list; {told}"
        yield CheckFinding(CheckKind.HOLE, effect, None, None, log.planned, detail=detail)


def _cleaned(log: PartitionLog) -> str:
    """Up to where compaction explains holes in a log directory whose topic is compacted."""
    if log.bounds.cleaned_to is None:
        return "the cleaner's checkpoint lists other partitions of the topic and not this one"
    return f"the cleaner's checkpoint lists the partition only up to offset {log.bounds.cleaned_to}"


def _explained(log: PartitionLog, cells: NDArray[Any]) -> Iterator[CheckFinding]:
    gaps, _ = gap_offsets(cells)
    causes = {"control records": gaps.control, "aborted records": gaps.aborted, "compacted records": gaps.compacted}
    words = ", ".join(f"{count} {cause}" for cause, count in causes.items() if count)
    if words:
        yield CheckFinding(
            CheckKind.OFFSET_GAP,
            CheckEffect.EXPLAINED,
            None,
            None,
            log.planned,
            records=sum(causes.values()),
            detail=f"offsets without a record: {words}",
        )


def _end(log: PartitionLog) -> Iterator[CheckFinding]:
    """How the log ends."""
    bounds = log.bounds
    if bounds.end_reason in ODD_ENDS:
        yield CheckFinding(
            CheckKind.ODD_END,
            CheckEffect.INFORMATION,
            None,
            None,
            OffsetRange(bounds.high_watermark, bounds.high_watermark),
            reason=bounds.end_reason,
            detail=bounds.end_detail,
        )
    if bounds.log_start_offset <= bounds.last_stable_offset < bounds.high_watermark:
        yield CheckFinding(
            CheckKind.OPEN_TRANSACTION,
            CheckEffect.INFORMATION,
            None,
            None,
            OffsetRange(bounds.last_stable_offset, bounds.high_watermark),
            detail="a transaction that begins here has no end; read_committed readers stop before it",
        )
