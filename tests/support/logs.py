"""Model records, and partition logs made of them with chosen batch cuts, codecs, holes and transactions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from kcompare import _native

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kcompare.model import IsolationLevel

Header = tuple[bytes, bytes | None]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@dataclass(frozen=True, slots=True)
class Record:
    """A record as a reader sees it."""

    offset: int
    timestamp: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[Header, ...] = ()

    def at(self, offset: int) -> Record:
        """The same record at another offset."""
        return replace(self, offset=offset)


def numbered(count: int, start: int = 0, *, text: str = "v", timestamp: int = 1_000_000) -> list[Record]:
    """Records that differ from one another in value and timestamp."""
    return [
        Record(offset, timestamp + offset * 10, b"k%d" % (offset % 7), b"%s-%d" % (text.encode(), offset))
        for offset in range(start, start + count)
    ]


def heartbeats(count: int, start: int = 0) -> list[Record]:
    """Records that are all the same, without a timestamp."""
    return [Record(offset, -1, None, b"tick") for offset in range(start, start + count)]


def closed_up(records: Iterable[Record], start: int = 0) -> list[Record]:
    """The records at consecutive offsets, as a mirror writes them."""
    return [record.at(start + index) for index, record in enumerate(records)]


class Log:
    """One partition: batches and markers in order of offsets, and the records that a reader is to see.

    ``end`` is the next offset; holes that a batch spans have the cause ``compacted``, those between batches have none.
    """

    def __init__(self, start: int = 0) -> None:
        self.end = start
        self.log_start_offset = start
        self.frames: list[bytes] = []
        self.spans: list[tuple[int, int]] = []
        self.aborted: list[tuple[int, int, int]] = []
        self._stored: list[Record] = []
        self._hidden: set[int] = set()

    def records(self, isolation: IsolationLevel | str = "read_committed") -> list[Record]:
        """What a reader of the isolation level sees from the log start on."""
        return [
            record
            for record in self._stored
            if record.offset >= self.log_start_offset
            and (isolation == "read_uncommitted" or record.offset not in self._hidden)
        ]

    def write(
        self,
        records: Sequence[Record],
        *,
        cuts: Iterable[int] = (),
        codecs: Sequence[str] = ("none",),
        stop: int | None = None,
        producer_id: int = -1,
        leader_epoch: int = 0,
        log_append_time: int | None = None,
    ) -> Self:
        """Appends records in batches that begin at the indices ``cuts``; each batch ends where the next one begins."""
        if not records:
            return self
        last = records[-1].offset + 1 if stop is None else stop
        borders = sorted({0, *(cut for cut in cuts if 0 < cut < len(records))})
        for number, (begin, after) in enumerate(zip(borders, [*borders[1:], len(records)], strict=True)):
            part = records[begin:after]
            part_stop = last if after == len(records) else records[after].offset
            self.append(
                _native.encode_batch(
                    base_offset=self.end,
                    records=[(r.offset, r.timestamp, r.key, r.value, r.headers) for r in part],
                    codec=codecs[number % len(codecs)],
                    leader_epoch=leader_epoch,
                    producer_id=producer_id,
                    transactional=producer_id >= 0,
                    log_append_time=log_append_time,
                    last_offset_delta=part_stop - 1 - self.end,
                ),
                part_stop,
            )
            self._stored += [r if log_append_time is None else replace(r, timestamp=log_append_time) for r in part]
        return self

    def append(self, frame: bytes, stop: int) -> Self:
        """Appends one batch, whatever is in it, that ends before ``stop``."""
        self.frames.append(frame)
        self.spans.append((self.end, stop))
        self.end = stop
        return self

    def mark(self, producer_id: int, *, committed: bool, timestamp: int = 5) -> Self:
        """Appends the control batch that ends a transaction."""
        frame = _native.encode_marker(
            offset=self.end, timestamp=timestamp, producer_id=producer_id, committed=committed
        )
        return self.append(frame, self.end + 1)

    def transaction(
        self,
        records: Sequence[Record],
        *,
        committed: bool,
        producer_id: int = 7,
        cuts: Iterable[int] = (),
        codecs: Sequence[str] = ("none",),
    ) -> Self:
        """Appends a whole transaction: its records and its marker."""
        first = self.end
        self.write(records, cuts=cuts, codecs=codecs, producer_id=producer_id)
        if not committed:
            self._hidden |= {record.offset for record in records}
            self.aborted.append((producer_id, first, self.end))
        return self.mark(producer_id, committed=committed)

    def skip_to(self, offset: int) -> Self:
        """Leaves a hole without a cause before the next batch."""
        self.end = offset
        return self

    def cut_head(self, offset: int) -> Self:
        """Moves the log start, perhaps into a batch, as DeleteRecords does."""
        self.log_start_offset = offset
        return self

    def store(self, store: _native.MemoryStore, topic: str, partition: int) -> None:
        """Puts the log into a broker's store."""
        for frame in self.frames:
            store.append(topic=topic, partition=partition, batches=frame)
        for producer_id, first, last in self.aborted:
            store.add_aborted(
                topic=topic, partition=partition, producer_id=producer_id, first_offset=first, last_offset=last
            )
        if self.log_start_offset:
            store.set_log_start_offset(topic=topic, partition=partition, offset=self.log_start_offset)


def log_of(records: Sequence[Record], *, batch: int = 10, codecs: Sequence[str] = ("none",)) -> Log:
    """A log of these records, so many a batch."""
    log = Log(records[0].offset if records else 0)
    return log.write(records, cuts=range(0, len(records), batch), codecs=codecs)
