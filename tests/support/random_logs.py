"""Random records, random ways to store them, and the mutations that a comparison must find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from kcompare.model import FindingKind, RecordField
from tests.support.logs import CODECS, Log, Record, closed_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.logs import Header

NAMES = (b"a", b"trace", b"\xff\xfe", b"\x80")
"""Names of headers are bytes: two of these are no UTF-8."""

HUGE = 1 << 61
"""As large as a timestamp can be here: the delta of two of them still fits the format."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a random log looks like; the seed decides the rest.

    Attributes:
        values: ``unique``, ``hot`` (few distinct, most of them one) or ``constant``.
        timestamps: ``rising``, ``equal``, ``none`` (-1) or ``wild``.
        holes: whether offsets have holes inside batches.
    """

    seed: int
    count: int
    values: str = "unique"
    timestamps: str = "rising"
    holes: bool = False


VALUES = ("unique", "hot", "constant")
TIMESTAMPS = ("rising", "equal", "none", "wild")


def random_records(shape: Shape) -> list[Record]:
    """The records of a shape."""
    rng = Random(shape.seed)
    offset = rng.choice((0, 0, 1, 1000, 65_536 - rng.randrange(1, 200)))
    records = []
    for index in range(shape.count):
        records.append(_record(rng, shape, offset, index))
        offset += rng.choice((1, 1, 1, 2, 5)) if shape.holes else 1
    return records


def _record(rng: Random, shape: Shape, offset: int, index: int) -> Record:
    timestamp = {
        "rising": 1_000_000 + index * 7,
        "equal": 1_000_000,
        "none": -1,
        "wild": rng.choice((-1, 0, 1, HUGE, 1_000_000 - index, rng.randrange(HUGE))),
    }[shape.timestamps]
    if shape.values == "constant":
        return Record(offset, timestamp, None, b"tick")
    if shape.values == "hot" and rng.random() < 0.8:
        return Record(offset, timestamp, b"hot", b"payload")
    number = b"%d" % (rng.randrange(3) if shape.values == "hot" else index)
    key = rng.choice((None, b"", b"k", b"k" + number))
    value = rng.choice((None, b"", number, number * 40)) if shape.values == "hot" else b"v" + number
    return Record(offset, timestamp, key, value, _headers(rng))


def _headers(rng: Random) -> tuple[Header, ...]:
    count = rng.choice((0, 0, 1, 2, 3))
    return tuple((rng.choice(NAMES), rng.choice((None, b"", b"x", b"y"))) for _ in range(count))


def random_cuts(rng: Random, count: int) -> list[int]:
    """Where batches begin: sometimes one for all, sometimes one a record."""
    if count == 0:
        return []
    number = rng.choice((0, 1, 3, count // 3, count))
    return [rng.randrange(count) for _ in range(number)]


def store_plain(records: Sequence[Record], rng: Random, *, start: int | None = None, stop: int | None = None) -> Log:
    """The records at their offsets in random batches; every hole lies inside a batch."""
    log = Log(start if start is not None else (records[0].offset if records else 0))
    return log.write(
        records,
        cuts=random_cuts(rng, len(records)),
        codecs=rng.sample(CODECS, rng.randrange(1, len(CODECS) + 1)),
        stop=stop,
    )


def store_transactional(records: Sequence[Record], events: Random, batches: Random) -> Log:
    """The records in transactions and outside them, at offsets that make room for markers and aborted records.

    The same ``events`` give the same offsets, whatever ``batches`` make of them.
    """
    log = Log(0)
    index = 0
    while index < len(records):
        part = closed_up(records[index : index + events.choice((1, 2, 5, 20))], log.end)
        index += len(part)
        cuts, codec = random_cuts(batches, len(part)), [batches.choice(CODECS)]
        if events.random() < 0.5:
            log.write(part, cuts=cuts, codecs=codec)
        else:
            log.transaction(part, committed=True, cuts=cuts, codecs=codec)
        if events.random() < 0.4:
            # An aborted attempt at what was just written: the bytes alone do not tell it from the real ones.
            again = closed_up(part, log.end)
            log.transaction(again, committed=False, producer_id=events.choice((8, 9)), codecs=codec)
    return log


@dataclass(frozen=True, slots=True)
class Mutated:
    """What a mutation makes of the right side.

    Attributes:
        records: what the right side holds.
        kept: whether the other records kept their offsets.
        kinds: what the first difference may be called.
        start: the right side's log start, where it is not that of its first record.
        stop: the right side's end, likewise.
    """

    records: list[Record]
    kept: bool
    kinds: frozenset[FindingKind]
    start: int | None = None
    stop: int | None = None


def _kinds(*kinds: FindingKind) -> frozenset[FindingKind]:
    return frozenset(kinds)


ONE_SIDED = (FindingKind.ONLY_LEFT, FindingKind.ONLY_RIGHT, FindingKind.DUPLICATED)


def _replaced(records: list[Record], at: int, record: Record) -> Mutated:
    mutated = [*records[:at], record, *records[at + 1 :]]
    return Mutated(mutated, kept=True, kinds=_kinds(FindingKind.CHANGED))


def change_value(records: list[Record], at: int, _: Random) -> Mutated:
    value = records[at].value
    changed = b"!" if not value else bytes([value[0] ^ 1]) + value[1:]
    return _replaced(records, at, replace(records[at], value=changed))


def change_key(records: list[Record], at: int, _: Random) -> Mutated:
    return _replaced(records, at, replace(records[at], key=(records[at].key or b"") + b"!"))


def change_timestamp(records: list[Record], at: int, rng: Random) -> Mutated:
    timestamp = records[at].timestamp + rng.choice((1, 2, 1000))
    return _replaced(records, at, replace(records[at], timestamp=timestamp))


def change_header(records: list[Record], at: int, rng: Random) -> Mutated:
    headers = list(records[at].headers)
    if headers and rng.random() < 0.5:
        name, value = headers[0]
        headers[0] = (name, b"" if value is None else None)
    else:
        headers.append((b"\xff", b"new"))
    return _replaced(records, at, replace(records[at], headers=tuple(headers)))


def null_or_empty(records: list[Record], at: int, rng: Random) -> Mutated:
    record = records[at]
    if rng.random() < 0.5:
        return _replaced(records, at, replace(record, key=b"" if record.key is None else None))
    return _replaced(records, at, replace(record, value=b"" if record.value is None else None))


def swap_headers(records: list[Record], at: int, _: Random) -> Mutated:
    headers = records[at].headers
    return _replaced(records, at, replace(records[at], headers=headers[::-1]))


def move_bytes(records: list[Record], at: int, _: Random) -> Mutated:
    """The same bytes, on the other side of the border between key and value."""
    record = records[at]
    joined = (record.key or b"") + (record.value or b"")
    split = 0 if len(record.key or b"") > 0 else len(joined)
    return _replaced(records, at, replace(record, key=joined[:split], value=joined[split:]))


def drop_kept(records: list[Record], at: int, _: Random) -> Mutated:
    mutated = records[:at] + records[at + 1 :]
    return Mutated(mutated, kept=True, kinds=_kinds(*ONE_SIDED), start=records[0].offset, stop=records[-1].offset + 1)


def drop_closed_up(records: list[Record], at: int, _: Random) -> Mutated:
    mutated = records[:at] + [
        record.at(before.offset) for before, record in zip(records[at:], records[at + 1 :], strict=False)
    ]
    return Mutated(mutated, kept=at == len(records) - 1, kinds=_kinds(*ONE_SIDED), start=records[0].offset)


def double(records: list[Record], at: int, _: Random) -> Mutated:
    offsets = [record.offset for record in records] + [records[-1].offset + 1]
    doubled = [*records[: at + 1], records[at], *records[at + 1 :]]
    mutated = [record.at(offset) for record, offset in zip(doubled, offsets, strict=True)]
    return Mutated(mutated, kept=False, kinds=_kinds(FindingKind.DUPLICATED, FindingKind.ONLY_RIGHT))


def swap(records: list[Record], at: int, rng: Random) -> Mutated:
    other = min(len(records) - 1, at + rng.choice((1, 1, 2, 30)))
    mutated = list(records)
    mutated[at] = records[other].at(records[at].offset)
    mutated[other] = records[at].at(records[other].offset)
    return Mutated(mutated, kept=True, kinds=_kinds(FindingKind.REORDERED))


def truncate_tail(records: list[Record], at: int, _: Random) -> Mutated:
    return Mutated(records[:at], kept=True, kinds=_kinds(*ONE_SIDED), start=records[0].offset)


def extend_tail(records: list[Record], at: int, _: Random) -> Mutated:
    last = records[-1]
    more = [replace(last, offset=last.offset + 1 + index, value=b"more%d" % index) for index in range(at % 7 + 1)]
    return Mutated(records + more, kept=True, kinds=_kinds(*ONE_SIDED))


def drop_head(records: list[Record], at: int, _: Random) -> Mutated:
    start = records[at].offset if at else records[0].offset + 1
    left = [record for record in records if record.offset >= start]
    return Mutated(left, kept=True, kinds=_kinds(*ONE_SIDED), start=start, stop=records[-1].offset + 1)


def fork(records: list[Record], at: int, rng: Random) -> Mutated:
    """Another history from here on: other keys, values, headers and times, and another length if the seed says so."""
    count = max(2, len(records) - at + rng.choice((-3, 0, 5)))
    start = records[at].offset
    other = [
        Record(start + index, HUGE + index, b"fork%d" % index, b"other%d" % index, ((b"fork", b"%d" % index),))
        for index in range(count)
    ]
    return Mutated(records[:at] + other, kept=True, kinds=_kinds(FindingKind.FORKED, FindingKind.CHANGED, *ONE_SIDED))


MUTATIONS = (
    change_value,
    change_key,
    change_timestamp,
    change_header,
    null_or_empty,
    swap_headers,
    move_bytes,
    drop_kept,
    drop_closed_up,
    double,
    swap,
    truncate_tail,
    extend_tail,
    drop_head,
    fork,
)

CHANGES = {
    change_value: (RecordField.VALUE,),
    change_key: (RecordField.KEY,),
    change_timestamp: (RecordField.TIMESTAMP,),
    change_header: (RecordField.HEADERS,),
    swap_headers: (RecordField.HEADERS,),
}
"""Mutations of one field, and which."""
