"""Requests written by hand over one socket: Produce for fixtures, Fetch for the ceiling of a bench.

The product itself has no Produce request at all; only its tests write to a broker.

References:
    https://kafka.apache.org/protocol.html
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRODUCE, FETCH = 0, 1
OFFSET_OUT_OF_RANGE = 1
CLIENT_ID = b"kcompare-fixture"


def string(text: str) -> bytes:
    """Returns a STRING: a length of two bytes and the text."""
    return struct.pack(">h", len(text)) + text.encode()


class WireError(RuntimeError):
    """A broker answered a hand-made request with an error code."""


class WireConnection:
    """A socket to one broker; answers come in the order of the requests."""

    def __init__(self, bootstrap: str, *, timeout_s: float = 60.0) -> None:
        host, port = bootstrap.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sent = 0
        self._answered = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def send(self, api_key: int, version: int, *parts: bytes) -> None:
        """Sends a request with a header of version 1."""
        self._sent += 1
        header = struct.pack(">hhi", api_key, version, self._sent)
        header += struct.pack(">h", len(CLIENT_ID)) + CLIENT_ID
        size = len(header) + sum(len(part) for part in parts)
        self._socket.sendall(struct.pack(">i", size) + header)
        for part in parts:
            self._socket.sendall(part)

    def receive(self, buffer: bytearray) -> memoryview:
        """Reads a response into the front of the buffer, which grows if it has to; returns its body."""
        size, correlation = struct.unpack(">ii", self._read_exactly(bytearray(8), 8))
        self._answered += 1
        if correlation != self._answered:
            raise WireError(f"response {correlation} came for request {self._answered}")
        body = size - 4
        if len(buffer) < body:
            buffer.extend(bytes(body - len(buffer)))
        return self._read_exactly(buffer, body)

    def _read_exactly(self, buffer: bytearray, size: int) -> memoryview:
        view = memoryview(buffer)[:size]
        have = 0
        while have < size:
            got = self._socket.recv_into(view[have:])
            if got == 0:
                raise WireError(f"the broker closed the connection after {have} of {size} bytes")
            have += got
        return view

    def send_produce(self, topic: str, batches: Mapping[int, bytes]) -> None:
        """Sends Produce v7 with acks=all and a batch for each partition, without waiting for the answer.

        It is the first version that takes zstd. A broker takes one record batch a partition in a request.
        Several requests may be under way.
        """
        front = struct.pack(">hhi", -1, -1, 60_000)  # transactional_id null, acks all, timeout_ms
        front += struct.pack(">i", 1) + string(topic) + struct.pack(">i", len(batches))
        parts = [front]
        for partition, batch in batches.items():
            parts += [struct.pack(">ii", partition, len(batch)), batch]
        self.send(PRODUCE, 7, *parts)

    def receive_produce(self) -> dict[int, int]:
        """Reads the answer to a `send_produce` and returns the base offset of the batch of each partition.

        Raises:
            WireError: The broker refused a batch.
        """
        body = self.receive(bytearray(1024))
        (name_size,) = struct.unpack_from(">h", body, 4)
        at = 6 + name_size
        (count,) = struct.unpack_from(">i", body, at)
        found = {}
        for place in range(count):
            # partition, error code, base offset, log append time, log start offset
            partition, code, offset, _, _ = struct.unpack_from(">ihqqq", body, at + 4 + 30 * place)
            if code != 0:
                raise WireError(f"a batch for partition {partition} was refused with error code {code}")
            found[partition] = offset
        return found

    def first_batches(self, topic: str, partition: int, offsets: Sequence[int]) -> list[int | None]:
        """Fetches at each offset and returns the base offset of the first batch; None where the broker has none for it.

        The requests are Fetch v11 without a session, and all under way at once.
        """
        for offset in offsets:
            # replica_id, max_wait_ms, min_bytes, max_bytes, isolation_level, session id and epoch
            request = struct.pack(">iiiibii", -1, 0, 1, 1, 0, 0, -1) + struct.pack(">i", 1) + string(topic)
            # partition, current leader epoch, fetch offset, log start offset, partition_max_bytes
            request += struct.pack(">iiiqqi", 1, partition, -1, offset, -1, 1)
            self.send(FETCH, 11, request, struct.pack(">i", 0), string(""))
        return [self._receive_first_batch(topic) for _ in offsets]

    def _receive_first_batch(self, topic: str) -> int | None:
        body = self.receive(bytearray(1 << 16))
        # throttle_time_ms, error code, session id, topics = 1, name, partitions = 1, partition
        at = 4 + 2 + 4 + 4 + 2 + len(topic) + 4 + 4
        code, aborted = struct.unpack_from(">h24xi", body, at)
        if code == OFFSET_OUT_OF_RANGE:
            return None
        if code != 0:
            raise WireError(f"a fetch of {topic} failed with error code {code}")
        # The aborted transactions, 16 bytes each, and the preferred read replica lie between.
        records = body[at + 30 + 16 * max(aborted, 0) + 4 :]
        (size,) = struct.unpack_from(">i", records)
        return int(struct.unpack_from(">q", records, 4)[0]) if size else None
