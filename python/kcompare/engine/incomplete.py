"""Reports of partitions and topics that could not be compared: each says why, and none is EQUAL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.engine.examine import UNRELATED
from kcompare.errors import RefusedError, UnreachableError
from kcompare.ledger import nothing_read
from kcompare.model import (
    SIDES,
    Effect,
    Finding,
    FindingKind,
    Mode,
    OffsetRange,
    PartitionReport,
    Reason,
    Side,
    TopicReport,
    Verdict,
)
from kcompare.verdict import combined_verdict, partition_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcompare.engine.pairs import TopicPair
    from kcompare.engine.pinned import Pinned
    from kcompare.errors import SourceError
    from kcompare.model import PartitionBounds, SideCoverage

ODD_ENDS = frozenset({"torn_tail", "zero_tail", "corrupt_tail"})
"""Ends of a log directory behind which bytes lie that no broker would keep."""


def lacks_partition(partition: int, side: Side, other: OffsetRange | None) -> Finding:
    """A side that lacks a partition; ``other`` is what the other side has of it."""
    return Finding(
        FindingKind.PARTITION_COUNT,
        Effect.DIFFERENCE,
        partition,
        left=None if side is Side.LEFT else other,
        right=None if side is Side.RIGHT else other,
        side=side,
        detail=f"the {side.value} side has no partition {partition}",
    )


def not_in_logdir(partition: int, side: Side, other: OffsetRange | None) -> Finding:
    """A partition that a broker's log directories never hosted, which says nothing of the topic."""
    return Finding(
        FindingKind.UNVERIFIED,
        Effect.UNVERIFIED,
        partition,
        left=None if side is Side.LEFT else other,
        right=None if side is Side.RIGHT else other,
        side=side,
        reason=Reason.NOT_IN_LOGDIR,
        detail=f"the log directories of the {side.value} side hold no partition {partition}; name those that do, too",
    )


def odd_end(side: Side, bounds: PartitionBounds) -> str | None:
    """A sentence about a log directory that ends in bytes which are no batch, as a hot snapshot may."""
    if bounds.end_reason not in ODD_ENDS:
        return None
    return f"the {side.value} side ends at offset {bounds.high_watermark} ({bounds.end_reason}): {bounds.end_detail}"


def no_bounds(partition: int, side: Side, message: str, reason: Reason) -> Finding:
    """A side that did not tell where a partition begins and ends."""
    return Finding(FindingKind.UNVERIFIED, Effect.UNVERIFIED, partition, side=side, reason=reason, detail=message)


def unread_partition(partition: int, pinned: Mapping[Side, Pinned], findings: Sequence[Finding]) -> PartitionReport:
    """A partition of which nothing was read, for the reasons that the findings give."""
    covered: dict[Side, SideCoverage | None] = {}
    for side in SIDES:
        bounds = pinned[side].bounds.get(partition)
        covered[side] = None if bounds is None else nothing_read(bounds, pinned[side].planned[partition])
    return PartitionReport(
        partition=partition,
        verdict=partition_verdict(findings, covered[Side.LEFT], covered[Side.RIGHT], 0),
        left=covered[Side.LEFT],
        right=covered[Side.RIGHT],
        compared_records=0,
        offsets=UNRELATED,
        first_divergence=None,
        findings=tuple(findings),
        findings_total=len(findings),
    )


def mode_missing(partition: int, pinned: Mapping[Side, Pinned], detail: str) -> PartitionReport:
    """A partition of a topic that needs a mode which this version lacks."""
    finding = Finding(
        FindingKind.UNVERIFIED,
        Effect.UNVERIFIED,
        partition,
        left=pinned[Side.LEFT].planned.get(partition),
        right=pinned[Side.RIGHT].planned.get(partition),
        reason=Reason.MODE_NOT_AVAILABLE,
        detail=detail,
    )
    return unread_partition(partition, pinned, [finding])


def topic_missing(side: Side, pair: TopicPair) -> Finding:
    """A topic that one side lacks; one that was there a moment ago proves nothing."""
    name = pair.view(side).topic
    if side in pair.listed:
        detail = f"the {side.value} side listed topic {name!r}, which was deleted before it could be compared"
        gone = Reason.CHANGED_WHILE_READING if pair.view(side).is_directory else Reason.TOPIC_RECREATED
        return _topic_unverified(side, gone, detail)
    if pair.view(side).is_directory:
        detail = f"the log directories of the {side.value} side hold no partition of topic {name!r}"
        return _topic_unverified(side, Reason.NOT_IN_LOGDIR, detail)
    return Finding(
        FindingKind.TOPIC_MISSING,
        Effect.DIFFERENCE,
        None,
        side=side,
        detail=f"the {side.value} side has no topic {name!r}",
    )


def topic_unknown(side: Side, error: SourceError) -> Finding:
    """A side that could not be asked about a topic."""
    reasons = ((RefusedError, Reason.REFUSED), (UnreachableError, Reason.UNREACHABLE))
    reason = next((reason for kind, reason in reasons if isinstance(error, kind)), Reason.PARTITION_UNAVAILABLE)
    return _topic_unverified(side, reason, str(error))


def _topic_unverified(side: Side, reason: Reason, detail: str) -> Finding:
    return Finding(FindingKind.UNVERIFIED, Effect.UNVERIFIED, None, side=side, reason=reason, detail=detail)


def nothing_in(pair: TopicPair) -> Finding:
    """Two topics without a record between them, which prove nothing."""
    return Finding(
        FindingKind.UNVERIFIED,
        Effect.UNVERIFIED,
        None,
        reason=Reason.NOTHING_COMPARED,
        detail=f"no record of {pair.left.topic!r} was compared; say --allow-empty if both sides may be empty",
    )


def topic_not_compared(
    pair: TopicPair, findings: Sequence[Finding], ids: Mapping[Side, str | None], mode: Mode
) -> TopicReport:
    """A pair of topics of which no partition was looked at."""
    verdict = combined_verdict([], findings, 0, allow_empty=False)
    assert verdict is not Verdict.EQUAL, "a topic without partitions is never equal"  # noqa: S101
    return TopicReport(
        left=pair.left.topic,
        right=pair.right.topic,
        verdict=verdict,
        partitions=(),
        findings=tuple(findings),
        mode=mode,
        mode_reason="as named by --mode" if mode is not Mode.AUTO else "auto: not chosen, because nothing was compared",
        left_topic_id=ids.get(Side.LEFT),
        right_topic_id=ids.get(Side.RIGHT),
    )
