"""The ceiling: raw fetches whose bytes are thrown away, one process a side and one connection a partition.

    python benches/ceiling.py LEFT RIGHT TOPIC

It looks at the headers of batches only, to count records and to find the next offset. Partitions are read at the
same time, because a connection rests from one answer to the next request: with one of them a side, kcompare, which asks
again before an answer is used up, read records of 1,000 B faster than this.
Prints {"counts": [[...], [...]]}: a list of partitions for each side.
"""

from __future__ import annotations

import json
import multiprocessing
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.integration.kafka.wire import FETCH, WireConnection, string

PARTITIONS = range(3)
FETCH_BYTES = 16 << 20
# baseOffset and batchLength, and from there to lastOffsetDelta and to recordsCount.
BATCH_FRONT = struct.Struct(">qi")
HEADER_BYTES = 61
LAST_OFFSET_DELTA_AT, RECORDS_COUNT_AT = 23, 57


class CeilingReader:
    """Fetches a partition and looks at nothing but batch headers.

    References:
        Fetch v11: https://kafka.apache.org/protocol.html#The_Messages_Fetch
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._connection = WireConnection(bootstrap)
        self._topic = topic
        self._buffer = bytearray(FETCH_BYTES + (1 << 20))

    def count(self, partition: int) -> int:
        """Reads a partition to its high watermark and returns how many records its batches claim."""
        offset = records = 0
        while True:
            batches, high_watermark = self._fetch(partition, offset)
            next_offset, found = walk(batches, offset)
            batches.release()
            records += found
            if next_offset >= high_watermark:
                return records
            if next_offset == offset:
                raise RuntimeError(f"no progress at {self._topic}-{partition}@{offset}")
            offset = next_offset

    def _fetch(self, partition: int, offset: int) -> tuple[memoryview, int]:
        # replica_id, max_wait_ms, min_bytes, max_bytes, isolation_level, session id and epoch
        request = struct.pack(">iiiibii", -1, 500, 1, FETCH_BYTES, 0, 0, -1)
        request += struct.pack(">i", 1) + string(self._topic)
        # partition, current leader epoch, fetch offset, log start offset, partition_max_bytes
        request += struct.pack(">iiiqqi", 1, partition, -1, offset, -1, FETCH_BYTES)
        request += struct.pack(">i", 0) + string("")  # no forgotten topics, no rack
        self._connection.send(FETCH, 11, request)
        body = self._connection.receive(self._buffer)
        # throttle_time_ms, error code, session id, topics = 1, name, partitions = 1
        at = 4 + 2 + 4 + 4 + 2 + len(self._topic) + 4
        _, code, high_watermark = struct.unpack_from(">ihq", body, at)
        # last stable offset and log start offset lie between
        (aborted,) = struct.unpack_from(">i", body, at + 30)
        if code != 0 or aborted > 0:
            raise RuntimeError(f"Fetch of {self._topic}-{partition}@{offset}: error code {code}, {aborted} aborted")
        # preferred read replica, size of the records
        at += 30 + 4 + 4
        (size,) = struct.unpack_from(">i", body, at)
        return body[at + 4 : at + 4 + size], high_watermark


def walk(batches: memoryview, offset: int) -> tuple[int, int]:
    """Returns (offset behind the last whole batch, records in them); the response may end inside a batch."""
    at = records = 0
    while at + HEADER_BYTES <= len(batches):
        base_offset, length = BATCH_FRONT.unpack_from(batches, at)
        stop = at + BATCH_FRONT.size + length
        if stop > len(batches):
            break
        (delta,) = struct.unpack_from(">i", batches, at + LAST_OFFSET_DELTA_AT)
        (count,) = struct.unpack_from(">i", batches, at + RECORDS_COUNT_AT)
        records += count
        offset = base_offset + delta + 1
        at = stop
    return offset, records


def _ceiling_side(bootstrap: str, topic: str) -> list[int]:
    # The interpreter lock is let go while bytes arrive, which is nearly all of the time.
    with ThreadPoolExecutor(len(PARTITIONS)) as threads:
        return list(threads.map(lambda partition: CeilingReader(bootstrap, topic).count(partition), PARTITIONS))


def main() -> None:
    """Reads both sides, each in a process of its own, so that no interpreter lock is between them."""
    left, right, topic = sys.argv[1:]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        counts = pool.starmap(_ceiling_side, [(left, topic), (right, topic)], chunksize=1)
    print(json.dumps({"counts": counts}))


if __name__ == "__main__":
    main()
