"""What is true of two logs under some terms, worked out from their records one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from kcompare.model import OffsetRange, RecordField, Side, Where
from kcompare.settings.allowances import DurationBound, RecordBound, TimeBound
from kcompare.settings.ranges import parse_range
from tests.support.oracle import AUTO, CONTENT, differing, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kcompare.model import Finding
    from kcompare.settings.allowances import Allowance
    from tests.support.logs import Record
    from tests.support.oracle import Fields
    from tests.support.pairs import Case, StoredLog, Terms

CELL = 65_536


def planned(log: StoredLog, text: str | None) -> OffsetRange:
    """What a range makes of a log."""
    start, stop = log.log_start_offset, max(log.end, log.log_start_offset)
    if text is None:
        return OffsetRange(start, stop)
    wanted = parse_range(text)
    if wanted.last is not None:
        return OffsetRange(max(start, stop - wanted.last), stop)
    edges = [getattr(edge, "offset", None) for edge in (wanted.start, wanted.stop)]
    first = start if edges[0] is None else min(max(edges[0], start), stop)
    return OffsetRange(first, stop if edges[1] is None else min(max(edges[1], first), stop))


@dataclass(frozen=True, slots=True)
class Seen:
    """One side of a case as its terms have it: the records that a reader gets of the planned range."""

    side: Side
    log: StoredLog
    plan: OffsetRange
    records: list[Record]
    unread: OffsetRange | None
    gaps: Counter[str]
    broker_times: bool

    @property
    def most_unread(self) -> int:
        """How many records may stand in what was not read."""
        return len(self.unread) if self.unread else 0

    def own(self, found: Finding) -> OffsetRange | None:
        """The range of a finding on this side."""
        return found.left if self.side is Side.LEFT else found.right

    def within(self, offsets: OffsetRange | None) -> list[Record]:
        """The records of a range."""
        return [record for record in self.records if offsets and offsets.start <= record.offset < offsets.stop]


def seen(case: Case, terms: Terms, side: Side) -> Seen:
    """What there is of one side."""
    log, level = case.logs[side], terms.isolation[side]
    plan = planned(log, terms.ranges[side])
    lost = log.unread(level)
    unread = None
    if lost is not None and lost.start < plan.stop and plan.start < lost.stop:
        unread = OffsetRange(max(lost.start, plan.start), min(lost.stop, plan.stop))
    records = [
        record
        for record in log.records(level)
        if plan.start <= record.offset < plan.stop and not (unread and unread.start <= record.offset < unread.stop)
    ]
    hidden = {"aborted"} if level == "read_uncommitted" else set()
    causes = Counter(
        cause for hole, cause in log.causes.items() if plan.start <= hole < plan.stop and cause not in hidden
    )
    if causes["compacted"]:
        # The logs are short: wherever a batch lacks records, the cleaner was near.
        causes["compacted"] += causes.pop("unexplained", 0)
    return Seen(side, log, plan, records, unread, causes, any(record.offset in log.broker_times for record in records))


@dataclass(frozen=True, slots=True)
class Explanation:
    """A way in which allowances make two logs equal: records that one side has more at its head and at its tail.

    Attributes:
        compared: records that both sides have.
        certain: no bound hangs on which timestamp of the other side is taken for its edge.
    """

    head: tuple[Side, list[Record]] | None
    tail: tuple[Side, list[Record]] | None
    compared: int
    certain: bool


def bound_holds(
    allowance: Allowance, where: Where, run: Sequence[Record], other: Sequence[Record]
) -> tuple[bool, bool]:
    """Whether a run may be within its bound, and whether it is for certain."""
    bound = allowance.bound
    if bound is None:
        return True, True
    if isinstance(bound, RecordBound):
        return (len(run) <= bound.records,) * 2
    times = [record.timestamp for record in run]
    if min(times) < 0:
        return False, False
    if isinstance(bound, TimeBound):
        held = min(times) >= bound.time_ms if where is Where.TAIL else max(times) < bound.time_ms
        return held, held
    assert isinstance(bound, DurationBound)
    if not other:
        return False, False
    end = other[-1] if where is Where.TAIL else other[0]
    edges = {record.timestamp for record in other if record.offset // CELL == end.offset // CELL}
    spans = {edge: max(abs(min(times) - edge), abs(max(times) - edge), max(times) - min(times)) for edge in edges}
    fits = [edge >= 0 and span <= bound.milliseconds for edge, span in spans.items()]
    return any(fits), all(fits)


def explanations(left: list[Record], right: list[Record], terms: Terms, fields: Fields) -> Iterator[Explanation]:
    """Every way in which the allowances make two logs equal; none where they are so by themselves."""
    sides = {Side.LEFT: left, Side.RIGHT: right}
    heads: list[tuple[Side, int] | None] = [None]
    for side in Side:
        if terms.head is not None and terms.head.covers(side):
            heads += [(side, count) for count in range(1, len(sides[side]) + 1)]
    for head in heads:
        rest = {side: records[head[1] :] if head and head[0] is side else records for side, records in sides.items()}
        common = min(map(len, rest.values()))
        if common == 0 and left and right:
            continue
        if not same(rest[Side.LEFT][:common], rest[Side.RIGHT][:common], fields):
            continue
        longer = max(Side, key=lambda side: len(rest[side]))
        more = rest[longer][common:]
        if more and (terms.tail is None or not terms.tail.covers(longer)):
            continue
        runs = []
        if head:
            runs.append((terms.head, Where.HEAD, head[0], sides[head[0]][: head[1]]))
        if more:
            runs.append((terms.tail, Where.TAIL, longer, more))
        bounds = [bound_holds(allowed, where, run, sides[side.other]) for allowed, where, side, run in runs if allowed]
        if runs and all(may for may, _ in bounds):
            certain = all(held for _, held in bounds)
            yield Explanation(
                (head[0], sides[head[0]][: head[1]]) if head else None,
                (longer, more) if more else None,
                common,
                certain,
            )


def _with_unread(found: Seen) -> Iterator[list[Record | None]]:
    """The records of a side with every number of unknown ones in what was not read."""
    unread = found.unread
    if unread is None:
        yield list(found.records)
        return
    before = [record for record in found.records if record.offset < unread.start]
    after = [record for record in found.records if record.offset >= unread.start]
    for count in range(found.most_unread + 1):
        yield [*before, *[None] * count, *after]


def may_be_equal(left: Seen, right: Seen, fields: Fields) -> bool:
    """Whether the logs may be equal, as they stand, whatever the unread records are."""
    for one, other in product(_with_unread(left), _with_unread(right)):
        if len(one) == len(other) and not any(
            a is not None and b is not None and differing(a, b, fields) for a, b in zip(one, other, strict=True)
        ):
            return True
    return False


def record_key(record: Record, fields: Fields) -> tuple[object, ...]:
    timestamp = record.timestamp if RecordField.TIMESTAMP in fields else 0
    return record.key, record.value, record.headers, timestamp


def repeats(run: Sequence[Record], log: Sequence[Record], fields: Fields) -> bool:
    """Whether a run holds two different records in a row that occur, once, elsewhere in its log: a repetition.

    The logs are shorter than what is searched record by record.
    """
    held = {record.offset for record in run}
    places = [
        [record for record in log if record.offset < run[0].offset],
        [record for record in log if record.offset > run[-1].offset],
    ]
    own = {pair for pair in pairwise(record_key(record, fields) for record in run) if pair[0] != pair[1]}
    assert len(held) == len(run)
    for place in places:
        found = Counter(pairwise(record_key(record, fields) for record in place))
        if any(found[pair] == 1 for pair in own):
            return True
    return False


def is_told_apart(left: Seen, right: Seen, fields: Fields) -> bool:
    """Whether no record occurs twice on a side, so that there is one way to lay the logs over one another."""
    for found in (left, right):
        keys = [record_key(record, fields) for record in found.records]
        if len(set(keys)) != len(keys):
            return False
    return True


def expected_fields(left: Seen, right: Seen, terms: Terms) -> Fields:
    """The fields that must agree."""
    if terms.fields is not None:
        return terms.fields
    return CONTENT if left.broker_times or right.broker_times else AUTO
