"""Timestamps of a partition, slice after slice: where they go back, and what they span."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcompare.check_model import CheckEffect, CheckFinding, CheckKind, TimeReport
from kcompare.model import OffsetRange
from kcompare.sources.base import StepBack, TimeOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcompare.engine.logs import PartitionLog


def joined_times(orders: Mapping[int, TimeOrder]) -> TimeOrder:
    """The order of a whole partition; ``orders`` are those of its slices by their start."""
    whole = TimeOrder()
    for _, order in sorted(orders.items()):
        whole = _followed_by(whole, order)
    return whole


def _followed_by(before: TimeOrder, after: TimeOrder) -> TimeOrder:
    if before.last is None or after.first is None:
        # One of them has no timestamp, so that nothing lies between the two.
        return after if before.last is None else before
    joined = replace(
        before,
        last=after.last,
        steps=before.steps + after.steps,
        total=before.total + after.total,
        broker_total=before.broker_total + after.broker_total,
        largest_ms=max(before.largest_ms, after.largest_ms),
    )
    offset, timestamp, of_broker = after.first
    earlier, was_broker = before.last
    if timestamp >= earlier:
        return joined
    step = StepBack(offset, earlier, timestamp, broker=of_broker and was_broker)
    return replace(
        joined,
        steps=(*before.steps, step, *after.steps),
        total=joined.total + 1,
        broker_total=joined.broker_total + step.broker,
        largest_ms=max(joined.largest_ms, earlier - timestamp),
    )


def times_of(log: PartitionLog, order: TimeOrder) -> TimeReport:
    """What the report says of a partition's timestamps."""
    filled = log.table[log.table["count"] > 0]
    smallest = int(filled["min_timestamp"].min()) if len(filled) else -1
    largest = int(filled["max_timestamp"].max()) if len(filled) else -1
    return TimeReport(
        first=order.first[1] if order.first else None,
        last=order.last[0] if order.last else None,
        smallest=smallest if smallest >= 0 else None,
        largest=largest if largest >= 0 else None,
        steps_back=order.total,
        largest_step_ms=order.largest_ms,
    )


def steps_back(topic: str, log: PartitionLog, order: TimeOrder) -> CheckFinding | None:
    """Timestamps that go back, which is ordinary where producers write them and odd where a broker does."""
    if not order.total:
        return None
    first = order.steps[0]
    noun = "1 record is" if order.total == 1 else f"{order.total} records are"
    whose = f", {order.broker_total} of them by a broker's own clock" if order.broker_total else ""
    return CheckFinding(
        CheckKind.TIMESTAMPS_GO_BACK,
        CheckEffect.INFORMATION,
        topic,
        log.partition,
        OffsetRange(first.offset, first.offset + 1),
        records=order.total,
        detail=(
            f"{noun} older than the one before, by {order.largest_ms} ms at most{whose}; the first from "
            f"{first.before} to {first.timestamp}"
        ),
    )
