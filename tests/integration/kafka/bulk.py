"""Millions of records in seconds: batches are filled in by numpy and appended with plain Produce requests.

Every record of a load is a function of (seed, partition, ordinal) alone, so two clusters that are loaded with
different batch sizes hold the same records in different batches, as a log and its mirror do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import google_crc32c
import numpy as np

from tests.integration.kafka.batches import CRC_START, Batch, compress_batch, seal, sized, varint
from tests.integration.kafka.wire import WireConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Bytes2D = npt.NDArray[np.uint8]

# Records are made in chunks of this many, from a generator that is seeded by the chunk.
CHUNK = 65_536
IN_FLIGHT = 4


@dataclass(frozen=True, kw_only=True)
class BulkLoad:
    """What one partition is filled with: records of one size, a millisecond apart, without headers."""

    records: int
    key_bytes: int = 16
    value_bytes: int = 84
    first_timestamp: int = 1_700_000_000_000
    seed: int = 1
    batch_records: int = 500
    codec: str = "none"

    def chunks(self, partition: int) -> Iterator[tuple[int, Bytes2D, Bytes2D]]:
        """Yields (ordinal of the first record, keys, values); a row of the two arrays is a record."""
        width = self.key_bytes + self.value_bytes
        for start in range(0, self.records, CHUNK):
            count = min(CHUNK, self.records - start)
            random = np.random.Generator(np.random.SFC64([self.seed, partition, start // CHUNK]))
            rows = np.frombuffer(random.bytes(CHUNK * width), np.uint8).reshape(CHUNK, width)[:count]
            yield start, rows[:, : self.key_bytes], rows[:, self.key_bytes :]


class _Template:
    """A whole batch in which only keys, values and the base fields are still to be filled in.

    With one millisecond between records both deltas of a record are its place in the batch, so every byte
    outside keys and values is the same in all batches of a size.
    """

    def __init__(self, load: BulkLoad, records: int) -> None:
        fixed = sized(bytes(load.key_bytes)), sized(bytes(load.value_bytes))
        rows = []
        for place in range(records):
            delta = varint(place)
            record = b"\0" + delta + delta + fixed[0] + fixed[1] + b"\0"
            rows.append(varint(len(record)) + record)
        self._records = records
        self._bytes = np.frombuffer(
            bytearray(seal(b"".join(rows), count=records, times=(0, 0), batch=Batch())), np.uint8
        )
        self._places = list(self._runs(load, rows))

    def _runs(self, load: BulkLoad, rows: list[bytes]) -> Iterator[tuple[int, int, Bytes2D, Bytes2D]]:
        """Yields runs of records of one encoded size: (first, last + 1, view of keys, view of values)."""
        at, first = self._bytes.size - sum(len(row) for row in rows), 0
        while first < len(rows):
            size = len(rows[first])
            stop = next((i for i in range(first, len(rows)) if len(rows[i]) != size), len(rows))
            block = self._bytes[at : at + size * (stop - first)].reshape(stop - first, size)
            value_at = size - 1 - load.value_bytes
            key_at = value_at - len(varint(load.value_bytes)) - load.key_bytes
            keys = block[:, key_at : key_at + load.key_bytes]
            yield first, stop, keys, block[:, value_at : value_at + load.value_bytes]
            at += block.size
            first = stop

    def fill(self, *, keys: Bytes2D, values: Bytes2D, timestamp: int) -> bytes:
        """Returns the batch of these records, the first of which has the timestamp."""
        for first, stop, key_view, value_view in self._places:
            key_view[:] = keys[first:stop]
            value_view[:] = values[first:stop]
        buffer = self._bytes.data
        # baseTimestamp and maxTimestamp
        struct.pack_into(">qq", buffer, 27, timestamp, timestamp + self._records - 1)
        struct.pack_into(">I", buffer, CRC_START - 4, google_crc32c.value(bytes(buffer[CRC_START:])))
        return bytes(buffer)


def bulk_batches(load: BulkLoad, partition: int) -> Iterator[bytes]:
    """Yields the encoded batches of a load, in order."""
    templates: dict[int, _Template] = {}
    for start, keys, values in load.chunks(partition):
        for first in range(0, len(keys), load.batch_records):
            part = slice(first, min(first + load.batch_records, len(keys)))
            count = part.stop - part.start
            template = templates.get(count) or templates.setdefault(count, _Template(load, count))
            timestamp = load.first_timestamp + start + first
            plain = template.fill(keys=keys[part], values=values[part], timestamp=timestamp)
            yield compress_batch(plain, load.codec)


def bulk_load(bootstrap: str, topic: str, partitions: Sequence[int], load: BulkLoad) -> None:
    """Fills partitions side by side, with a few requests under way, so that the broker never waits.

    Raises:
        WireError: The broker refused a request.
        RuntimeError: The last batch is not where the load puts it: something else was in the partition.
    """
    found: dict[int, int] = {}
    with WireConnection(bootstrap) as connection:
        waiting = 0
        for batches in zip(*(bulk_batches(load, partition) for partition in partitions), strict=True):
            connection.send_produce(topic, dict(zip(partitions, batches, strict=True)))
            waiting += 1
            if waiting == IN_FLIGHT:
                found = connection.receive_produce()
                waiting -= 1
        for _ in range(waiting):
            found = connection.receive_produce()
    # A chunk may end with a batch of its own, so the last one need not start at a multiple of the batch size.
    in_chunk = (load.records - 1) % CHUNK
    expected = load.records - 1 - in_chunk % load.batch_records
    for partition, offset in found.items():
        if offset != expected:
            raise RuntimeError(f"the last batch of {topic}-{partition} is at {offset}, not at {expected}")
