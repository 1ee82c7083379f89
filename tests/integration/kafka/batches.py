"""Record batches of format v2, written byte by byte: what a producer library cannot or will not write.

References:
    The record batch format: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import google_crc32c
import lz4.frame
import snappy
import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEADER = struct.Struct(">qiibIhiqqqhii")
# The CRC covers everything from the attributes on, so the broker may write base offset and leader epoch.
CRC_START = 21
# baseOffset and batchLength are not part of batchLength.
LENGTH_START = 12
# By their numbers in the attributes.
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10


def varint(number: int) -> bytes:
    """Returns the zigzag encoding of a signed number of up to 64 bits, as short as it gets."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def sized(data: bytes | None) -> bytes:
    """Returns bytes behind their length; null is the length -1."""
    return varint(-1) if data is None else varint(len(data)) + data


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The header fields that a test may want to choose; the rest follows from the records."""

    base_offset: int = 0
    attributes: int = 0
    leader_epoch: int = -1
    producer_id: int = -1
    producer_epoch: int = -1
    base_sequence: int = -1


def encode_batch(
    records: Sequence[tuple[bytes | None, bytes | None, Iterable[tuple[str | bytes, bytes | None]], int]],
    batch: Batch | None = None,
) -> bytes:
    """Returns one uncompressed batch of (key, value, headers, timestamp) records.

    Unlike a client it writes timestamps 0 and -1 and header names that are no UTF-8.
    """
    base_timestamp = records[0][3]
    body = bytearray()
    for delta, (key, value, headers, timestamp) in enumerate(records):
        entries = list(headers)
        record = b"".join(
            [
                b"\0",
                varint(timestamp - base_timestamp),
                varint(delta),
                sized(key),
                sized(value),
                varint(len(entries)),
                *(sized(n.encode() if isinstance(n, str) else n) + sized(v) for n, v in entries),
            ]
        )
        body += varint(len(record)) + record
    times = (base_timestamp, max(record[3] for record in records))
    return seal(bytes(body), count=len(records), times=times, batch=batch or Batch())


def seal(body: bytes, *, count: int, times: tuple[int, int], batch: Batch) -> bytes:
    """Returns the batch around encoded records; `times` are its base and its maximum timestamp."""
    tail = struct.pack(
        ">hiqqqhii",
        batch.attributes,
        count - 1,
        *times,
        batch.producer_id,
        batch.producer_epoch,
        batch.base_sequence,
        count,
    )
    crc = google_crc32c.extend(google_crc32c.value(tail), body)
    length = HEADER.size - LENGTH_START + len(body)
    front = struct.pack(">qiibI", batch.base_offset, length, batch.leader_epoch, 2, crc)
    return front + tail + body


def compress_batch(plain: bytes, codec: str) -> bytes:
    """Returns an uncompressed batch as a producer with this codec would have sent it."""
    body = plain[HEADER.size :]
    match codec:
        case "none":
            return plain
        case "gzip":
            body = gzip.compress(body)
        case "snappy":
            body = _xerial(body)
        case "lz4":
            body = lz4.frame.compress(body, block_linked=False)
        case "zstd":
            body = zstandard.ZstdCompressor().compress(body)
    base, largest = struct.unpack_from(">qq", plain, 27)
    (count,) = struct.unpack_from(">i", plain, HEADER.size - 4)
    return seal(body, count=count, times=(base, largest), batch=Batch(attributes=CODECS.index(codec)))


def _xerial(data: bytes) -> bytes:
    """Snappy as Java writes it: blocks behind a header of their own."""
    out = bytearray(b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1))
    for start_at in range(0, len(data), 32_768):
        block = snappy.compress(data[start_at : start_at + 32_768])
        out += struct.pack(">i", len(block)) + block
    return bytes(out)
