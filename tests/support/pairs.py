"""Seeded pairs of partition logs and the options to compare them with: what both sides hold, and how it is stored.

A case begins with records that both sides share. Each side mutates its own copy, stores it in its own way (batches,
codecs, transactions, holes, the broker's times) and perhaps loses a part to an open transaction or a damaged batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

from kcompare.model import IsolationLevel, OffsetRange, RecordField, Side
from kcompare.settings.allowances import parse_allowance
from kcompare.settings.ranges import parse_range
from tests.support.logs import CODECS, Log, Record
from tests.support.oracle import AUTO, CONTENT

if TYPE_CHECKING:
    from kcompare import _native
    from kcompare.settings.allowances import Allowance

PARTITIONS = 16
"""Pairs that one comparison takes: they share its options."""

KINDS = ("unique", "unique", "unique", "constant", "hot", "period")
TIMES = ("rising", "rising", "equal", "none", "wild")
STYLES = ("plain", "plain", "plain", "transactions", "holes", "gaps")
STARTS = (0, 0, 0, 7, 65_530, 131_022)
COUNTS = (0, 1, 2, 5, 30, 30, 100, 300)
LOSSY = 80
"""Every so many cases one loses a part, where it is small: an open transaction takes a second to be told."""

HUGE = 1 << 50
NOW_MS = 1_000_000


class StoredLog(Log):
    """A log whose last stable offset an open transaction may hold back, and of which a batch may be damaged."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.last_stable_offset: int | None = None
        self.damaged: OffsetRange | None = None
        self.causes: dict[int, str] = {}
        self.broker_times: set[int] = set()

    def store(self, store: _native.MemoryStore, topic: str, partition: int) -> None:
        super().store(store, topic, partition)
        if self.last_stable_offset is not None:
            store.set_last_stable_offset(topic=topic, partition=partition, offset=self.last_stable_offset)

    def unread(self, isolation: IsolationLevel) -> OffsetRange | None:
        """The offsets that a reader cannot have."""
        if self.damaged is not None:
            return self.damaged
        if self.last_stable_offset is not None and isolation is IsolationLevel.READ_COMMITTED:
            return OffsetRange(self.last_stable_offset, self.end)
        return None


@dataclass(frozen=True, slots=True)
class Terms:
    """The options of one comparison."""

    isolation: dict[Side, IsolationLevel]
    head: Allowance | None
    tail: Allowance | None
    gaps: bool
    empty: bool
    fields: tuple[RecordField, ...] | None
    ranges: dict[Side, str | None]
    partitions: tuple[int, ...] | None
    workers: int

    def options(self) -> dict[str, Any]:
        """As a request takes them."""
        named: dict[str, Any] = {
            "allow_head": self.head,
            "allow_tail": self.tail,
            "allow_gaps": self.gaps,
            "allow_empty": self.empty,
            "fields": self.fields,
            "partitions": self.partitions,
            "workers": self.workers,
            "max_findings": 1 << 20,
        }
        for side in Side:
            named[f"{side.value}_isolation"] = self.isolation[side]
            text = self.ranges[side]
            if text is not None:
                named[f"{side.value}_range"] = parse_range(text)
        return named

    def describe(self) -> str:
        """What there is to know about it, for a failure."""
        allowed = ", ".join(
            f"{name} {found.text}" for name, found in (("head", self.head), ("tail", self.tail)) if found
        )
        ranges = "/".join(self.ranges[side] or "all" for side in Side)
        levels = "/".join(self.isolation[side].value for side in Side)
        names = "auto" if self.fields is None else ",".join(self.fields)
        return f"allow {allowed or 'nothing'}; ranges {ranges}; {levels}; fields {names}; {self.gaps=} {self.empty=}"


@dataclass(frozen=True, slots=True)
class Case:
    """Two logs of a partition. ``kind`` is what their records look like, ``how`` how each came to be."""

    kind: str
    logs: dict[Side, StoredLog]
    how: dict[Side, str] = field(default_factory=dict)

    def describe(self) -> str:
        """What there is to know about it, for a failure."""
        return f"{self.kind}: " + "; ".join(f"{side.value} {self.how[side]}" for side in Side)


def record(rng: Random, kind: str, number: int, times: str) -> Record:
    """One record; its offset comes when it is stored."""
    timestamp = {
        "rising": NOW_MS + number * 7,
        "equal": NOW_MS,
        "none": -1,
        "wild": rng.choice((-1, 0, 5, NOW_MS - number, HUGE)),
    }[times]
    if kind == "constant":
        return Record(0, timestamp, None, b"tick")
    if kind == "hot":
        return Record(0, timestamp, rng.choice((None, b"", b"k")), rng.choice((None, b"", b"p", b"q")))
    if kind == "period":
        return Record(0, timestamp, b"k", b"v%d" % (number % 3))
    headers = rng.choice(((), (), ((b"h", None),), ((b"h", b""), (b"h", b""))))
    return Record(0, timestamp, rng.choice((None, b"", b"k%d" % number)), b"v%d" % number, headers)


@dataclass
class Mutating:
    """The records of one side while they are changed at some place."""

    rng: Random
    kind: str
    times: str
    records: list[Record]
    at: int = 0

    def more(self, first: int) -> list[Record]:
        """Records that nobody has had before."""
        return [record(self.rng, self.kind, first + index, self.times) for index in range(self.rng.choice((1, 3, 20)))]

    def change(self, changed: Record) -> None:
        """Puts another record in the place of one."""
        self.records[self.at] = changed


def _move(side: Mutating) -> None:
    count = side.rng.choice((1, 3))
    part = side.records[side.at : side.at + count]
    del side.records[side.at : side.at + count]
    to = side.rng.randrange(len(side.records) + 1)
    side.records[to:to] = part


def _swap(side: Mutating) -> None:
    other = side.rng.randrange(len(side.records))
    records = side.records
    records[side.at], records[other] = records[other], records[side.at]


def _fork(side: Mutating) -> None:
    left = len(side.records) - side.at
    count = side.rng.choice((1, 2, left, left + 3))
    fresh = [replace(record(side.rng, "unique", 30_000 + index, side.times), key=b"f") for index in range(count)]
    side.records[side.at :] = fresh


def _double(side: Mutating) -> None:
    count = side.rng.choice((1, 1, 2, 5, 20))
    side.records[side.at : side.at] = side.records[side.at : side.at + count]


def _drop(side: Mutating) -> None:
    del side.records[side.at : side.at + side.rng.choice((1, 1, 2, 5, 30))]


def _null(side: Mutating) -> None:
    old = side.records[side.at]
    side.change(replace(old, key=b"" if old.key is None else None))


def _value(side: Mutating) -> None:
    old = side.records[side.at]
    side.change(replace(old, value=(old.value or b"") + b"!"))


def _timestamp(side: Mutating) -> None:
    old = side.records[side.at]
    side.change(replace(old, timestamp=old.timestamp + 1))


def _tail(side: Mutating) -> None:
    side.records += side.more(10_000 if side.rng.random() < 0.5 else len(side.records))


def _head(side: Mutating) -> None:
    side.records[:0] = side.more(-100)


def _repeat(side: Mutating) -> None:
    side.records += side.records[: side.rng.choice((1, 2, len(side.records)))]


def _cut(side: Mutating) -> None:
    del side.records[side.at :]


def _cut_head(side: Mutating) -> None:
    del side.records[: side.at]


EVERYWHERE = (_tail, _tail, _head, _head)
INSIDE = (_value, _timestamp, _null, _drop, _double, _swap, _move, _fork, _repeat, _cut, _cut_head)


def mutated(rng: Random, base: list[Record], kind: str, times: str) -> tuple[list[Record], str]:
    """A copy of the records after some mutations, and their names."""
    side = Mutating(rng, kind, times, list(base))
    names = []
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
        mutation = rng.choice((*EVERYWHERE, *INSIDE) if side.records else EVERYWHERE)
        side.at = rng.randrange(len(side.records)) if side.records else 0
        mutation(side)
        names.append(mutation.__name__[1:])
    return side.records, "+".join(names) or "as it was"


def _transaction(log: StoredLog, rng: Random, part: list[Record], codec: str) -> bool:
    """Stores a part in a transaction, or an aborted attempt at it; tells whether the part is stored."""
    committed = rng.random() < 0.6
    junk = [Record(0, 9, b"j", b"junk%d" % rng.randrange(99)) for _ in range(rng.choice((1, 3)))]
    what = part if committed else rng.choice((part, junk))
    placed = [found.at(log.end + index) for index, found in enumerate(what)]
    log.transaction(
        placed, committed=committed, producer_id=rng.choice((3, 4) if committed else (8, 9)), codecs=[codec]
    )
    if not committed:
        log.causes.update((found.offset, "aborted") for found in placed)
    log.causes[log.end - 1] = "control"
    return committed


def _batch(log: StoredLog, rng: Random, part: list[Record], codec: str, *, style: str, broker_time: int | None) -> None:
    placed = []
    offset, start = log.end, log.end
    for found in part:
        if style == "holes" and rng.random() < 0.3:
            offset += rng.choice((1, 2, 9))
        placed.append(found.at(offset))
        offset += 1
    stop = offset + (rng.choice((0, 0, 1, 4)) if style == "holes" else 0)
    log.write(placed, codecs=[codec], stop=stop, log_append_time=broker_time)
    held = {found.offset for found in placed}
    log.causes.update((hole, "compacted") for hole in range(start, stop) if hole not in held)
    if broker_time is not None:
        log.broker_times |= held


def stored(rng: Random, records: list[Record], start: int, style: str, broker_times: str) -> StoredLog:
    """A log of the records. ``broker_times``: ``none``, ``some`` or ``all`` of its batches carry the broker's time."""
    log = StoredLog(start)
    index = 0
    while index < len(records):
        part = records[index : index + rng.choice((1, 1, 2, 3, 7, 20))]
        codec = rng.choice(CODECS)
        if style == "gaps" and rng.random() < 0.15:
            stop = log.end + rng.choice((1, 3, 10))
            log.causes.update((hole, "unexplained") for hole in range(log.end, stop))
            log.skip_to(stop)
        if style == "transactions" and rng.random() < 0.6:
            if not _transaction(log, rng, part, codec):
                continue
        else:
            theirs = broker_times == "all" or (broker_times == "some" and rng.random() < 0.3)
            time_ms = 3 * NOW_MS + index * 3 if theirs else None
            _batch(log, rng, part, codec, style=style, broker_time=time_ms)
        index += len(part)
    return log


def _lose_a_part(rng: Random, log: StoredLog) -> str:
    """An open transaction at the end, or a damaged batch of plain records."""
    if rng.random() < 0.5:
        log.last_stable_offset = log.end
        count = rng.choice((1, 3))
        log.write(
            [Record(log.end + index, 9, b"o", b"open%d" % index) for index in range(count)],
            producer_id=5,
        )
        return "open transaction"
    plain = [
        index
        for index, (start, stop) in enumerate(log.spans)
        if not any(log.causes.get(offset) in {"control", "aborted"} for offset in range(start, stop))
    ]
    if not plain:
        return "whole"
    index = rng.choice(plain)
    frame = bytearray(log.frames[index])
    frame[-1] ^= 1
    log.frames[index] = bytes(frame)
    # A damaged header leads nowhere: the range ends where the next sound batch begins.
    stop = log.spans[index + 1][0] if index + 1 < len(log.spans) else log.end
    log.damaged = OffsetRange(log.spans[index][0], stop)
    return "damaged"


def case_of(seed: int) -> Case:
    """The two logs of a seed."""
    rng = Random(seed)
    kind, times = rng.choice(KINDS), rng.choice(TIMES)
    count = rng.choice(COUNTS)
    base = [record(rng, kind, number, times) for number in range(count)]
    broker_times = {side: rng.choice(("none",) * 5 + ("all", "some")) for side in Side}
    if rng.random() < 0.4:
        broker_times = dict.fromkeys(Side, "none")
    contents = {
        Side.LEFT: mutated(rng, base, kind, times) if rng.random() < 0.3 else (base, "as it was"),
        Side.RIGHT: mutated(rng, base, kind, times),
    }
    styles = {side: rng.choice(STYLES) for side in Side}
    starts = {side: rng.choice(STARTS) for side in Side}
    if rng.random() < 0.6:
        starts[Side.RIGHT] = starts[Side.LEFT]
    seeds = {side: rng.randrange(1 << 30) for side in Side}
    if rng.random() < 0.4:
        seeds[Side.RIGHT], styles[Side.RIGHT] = seeds[Side.LEFT], styles[Side.LEFT]
    logs, how = {}, {}
    for side in Side:
        records, what = contents[side]
        log = stored(Random(seeds[side]), records, starts[side], styles[side], broker_times[side])
        lost = _lose_a_part(rng, log) if count <= 30 and seed % LOSSY == 0 else "whole"
        if rng.random() < 0.15 and log.end > log.log_start_offset:
            log.cut_head(rng.randrange(log.log_start_offset, log.end + 1))
        logs[side] = log
        how[side] = f"{what}, {styles[side]}, {broker_times[side]} of the broker's times, {lost}"
    return Case(f"{kind} {times}", logs, how)


BOUNDS = ("", "", ":0", ":3", ":20", ":50ms", ":1s", ":100s", ":@1970-01-01T00:16:40Z", ":@1970-01-01T00:16:41Z")


def _allowance(rng: Random) -> Allowance | None:
    if rng.random() < 0.5:
        return None
    return parse_allowance(rng.choice(("left", "right", "both")) + rng.choice(BOUNDS))


def _range(rng: Random) -> str | None:
    if rng.random() < 0.7:
        return None
    start = rng.choice((0, 0, 65_500, 131_022)) + rng.choice((0, 3, 10, 50))
    stop = start + rng.choice((1, 5, 40, 300))
    return rng.choice((f"{start}:{stop}", f"{start}:", f":{stop}", f"-{rng.choice((1, 10, 100))}"))


def terms_of(seed: int) -> Terms:
    """The options of a seed."""
    rng = Random(seed)
    levels = (IsolationLevel.READ_COMMITTED,) * 3 + (IsolationLevel.READ_UNCOMMITTED,)
    left_range = _range(rng)
    return Terms(
        isolation={side: rng.choice(levels) for side in Side},
        head=_allowance(rng),
        tail=_allowance(rng),
        gaps=rng.random() < 0.4,
        empty=rng.random() < 0.2,
        fields=rng.choice(
            (None, None, None, CONTENT, AUTO, (*AUTO, RecordField.OFFSET), (*CONTENT, RecordField.OFFSET))
        ),
        ranges={Side.LEFT: left_range, Side.RIGHT: left_range if rng.random() < 0.6 else _range(rng)},
        partitions=None if rng.random() < 0.8 else tuple(sorted(rng.sample(range(PARTITIONS), 5))),
        workers=rng.choice((1, 2, 2, 4)),
    )
