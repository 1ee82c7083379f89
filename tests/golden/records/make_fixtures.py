"""Writes the record batch fixtures beside this file with kafka-python's encoders.

kafka-python is an implementation of the record formats that shares no code with kcompare, so a mistake that
kcompare's own encoder and decoder have in common shows here. PROVENANCE.md says how to run this.

What a broker does to a produced batch (offsets, leader epoch, LogAppendTime, control batches) is done here
to the bytes, because no client library writes it.
"""
# ruff: noqa: INP001 - a script beside its products, not part of a package.

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import io
import json
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import lz4.frame
import snappy
import zstandard
from kafka.record import default_records, legacy_records
from kafka.record.util import calc_crc32c

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
START_MS = 1_700_000_000_000
APPEND_MS = 1_800_000_000_123
LEADER_EPOCH = 7
BATCH_SIZE = 1 << 24


class RawName(bytes):
    """A header name that is no UTF-8: kafka-python encodes names, this one is encoded already."""

    __slots__ = ()

    def encode(self, _encoding: str) -> bytes:
        """Give the bytes as they are."""
        return bytes(self)


def noise(seed: int, size: int) -> bytes:
    """Bytes that no codec can shrink, the same on every run."""
    blocks = (hashlib.sha256(f"{seed}:{block}".encode()).digest() for block in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def records(base: int) -> list[dict[str, Any]]:
    """Build records with every shape that a key, a value, a header or an offset can have."""
    some = [
        ("trace", b"abc"),
        ("trace", b"abc"),
        ("", b""),
        ("null", None),
        (RawName(b"\xff\xfe\x00name"), b"\x00\xff"),
    ]
    rows: list[tuple[int, int, bytes | None, bytes | None, list[Any]]] = [
        (0, 0, b"key", b"value", []),
        (1, 1, None, b"no key", some),
        (2, -5, b"", b"", [("only", b"one")]),
        (3, 7, b"tombstone", None, []),
        (7, 86_400_000 * 365 * 100, None, None, []),
        (8, 8, b"line\nbreak", b"\x00\x01\xff\xfe", [(f"h{index}", bytes([index])) for index in range(70)]),
        (200, 9, b"big", noise(1, 300) + b"kcompare " * 9000 + noise(2, 300), []),
        (201, 9, b"k" * 64, b"v" * 63, []),
    ]
    rows += [(202 + index, 10 + index, f"key-{index % 7}".encode(), b"same again", []) for index in range(300)]
    return [
        {
            "offset": base + delta,
            "timestamp": START_MS + after_ms,
            "key": key,
            "value": value,
            "headers": pairs,
        }
        for delta, after_ms, key, value, pairs in rows
    ]


def v2(codec: str, base: int, rows: list[dict[str, Any]], *, transactional: bool = False) -> bytearray:
    """Encode a v2 batch, then give it the offset and epoch that a broker gives it (outside the CRC)."""
    builder = default_records.DefaultRecordBatchBuilder(
        magic=2,
        compression_type=CODECS.index(codec),
        is_transactional=transactional,
        producer_id=4711 if transactional else -1,
        producer_epoch=3 if transactional else -1,
        base_sequence=0 if transactional else -1,
        batch_size=BATCH_SIZE,
    )
    for row in rows:
        builder.append(row["offset"] - base, row["timestamp"], row["key"], row["value"], row["headers"])
    batch = bytearray(builder.build())
    struct.pack_into(">q", batch, 0, base)
    struct.pack_into(">i", batch, 12, LEADER_EPOCH)
    stored = batch[22] & 7
    if stored != CODECS.index(codec):
        message = f"asked for {codec}, the encoder stored codec {stored}"
        raise ValueError(message)
    return batch


def reseal_v2(batch: bytearray) -> bytearray:
    """Compute the CRC-32C again after a field under it was changed."""
    struct.pack_into(">I", batch, 17, calc_crc32c(memoryview(batch)[21:]))
    return batch


def legacy(magic: int, codec: str, rows: list[dict[str, Any]]) -> bytearray:
    """Encode a message set; in a compressed v1 set the offsets inside are relative (KIP-31)."""
    builder = legacy_records.LegacyRecordBatchBuilder(magic, CODECS.index(codec), BATCH_SIZE)
    relative = magic == 1 and codec != "none"
    base = rows[0]["offset"] if relative else 0
    for row in rows:
        builder.append(row["offset"] - base, row["timestamp"], row["key"], row["value"])
    message_set = bytearray(builder.build())
    if codec != "none":
        # The broker gives a wrapper the offset of its last message; it lies outside the CRC.
        struct.pack_into(">q", message_set, 0, rows[-1]["offset"])
    return message_set


def legacy_append_time(wrapper: bytearray) -> bytearray:
    """Do what a broker of a LogAppendTime topic does to a v1 wrapper: attribute, timestamp, CRC (KIP-32)."""
    wrapper[17] |= 0x08
    struct.pack_into(">q", wrapper, 18, APPEND_MS)
    struct.pack_into(">I", wrapper, 12, zlib.crc32(memoryview(wrapper)[16:]))
    return wrapper


def gzip_members(payload: bytes) -> bytes:
    """Compress into three gzip members, one behind the other."""
    third = len(payload) // 3
    parts = (payload[:third], payload[third : 2 * third], payload[2 * third :])
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


def lz4_linked(payload: bytes) -> bytes:
    """Compress into linked blocks with every checksum that a frame can have."""
    frame: bytes = lz4.frame.compress(
        payload, block_size=4, block_linked=True, content_checksum=True, block_checksum=True, store_size=True
    )
    return frame


def zstd_streamed(payload: bytes) -> bytes:
    """Compress as a stream: no content size in the frame, and a window much larger than the content."""
    out = io.BytesIO()
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    writer = zstandard.ZstdCompressor(compression_params=parameters).stream_writer(out, closefd=False)
    writer.write(payload)
    writer.flush(zstandard.FLUSH_FRAME)
    return out.getvalue()


def with_codec(module: Any, name: str, encode: Callable[[bytes], bytes], build: Callable[[], bytearray]) -> bytearray:
    """Build with one of kafka-python's codec functions replaced by another encoder of the same codec."""
    kept = getattr(module, name)
    setattr(module, name, encode)
    try:
        return build()
    finally:
        setattr(module, name, kept)


class Fixtures:
    """What was built: the bytes, and for each the records that a reader must find."""

    def __init__(self) -> None:
        self.record_sets: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, tuple[bytes, dict[str, Any]]] = {}

    def add(self, name: str, data: bytearray, record_set: str, timestamp: int | None = None) -> None:
        """Add a file that holds a record set, all with one timestamp where that is given."""
        headers = data[16] == 2
        described = {"magic": data[16], "record_set": record_set, "timestamp": timestamp, "headers": headers}
        self.files[name] = (bytes(data), described | {"sha256": hashlib.sha256(data).hexdigest()})


def add_v2(out: Fixtures) -> None:
    """Add batches of every codec, the codecs' variants, and what only brokers write."""
    rows = out.record_sets["all"]
    base = rows[0]["offset"]
    for codec in CODECS:
        out.add(f"v2_{codec}", v2(codec, base, rows), "all")
    variants: list[tuple[str, str, str, Callable[[bytes], bytes]]] = [
        ("v2_gzip_members", "gzip", "gzip_encode", gzip_members),
        ("v2_snappy_raw", "snappy", "snappy_encode", snappy.compress),
        ("v2_lz4_linked", "lz4", "lz4_encode", lz4_linked),
        ("v2_zstd_streamed", "zstd", "zstd_encode", zstd_streamed),
    ]
    for name, codec, function, encode in variants:
        batch = with_codec(default_records, function, encode, functools.partial(v2, codec, base, rows))
        out.add(name, batch, "all")
    few = out.record_sets["few"]
    out.add("v2_transactional", v2("none", few[0]["offset"], few, transactional=True), "few")
    appended = v2("lz4", base, rows)
    struct.pack_into(">h", appended, 21, CODECS.index("lz4") | 0x08)
    struct.pack_into(">q", appended, 35, APPEND_MS)
    out.add("v2_log_append_time", reseal_v2(appended), "all", APPEND_MS)
    for name, kind in (("abort", 0), ("commit", 1)):
        key, value = struct.pack(">hh", 0, kind), struct.pack(">hi", 0, 12)
        marker = {"offset": 44, "timestamp": START_MS, "key": key, "value": value, "headers": []}
        out.record_sets[name] = [marker]
        batch = v2("none", 44, [marker], transactional=True)
        struct.pack_into(">h", batch, 21, 0x30)
        struct.pack_into(">i", batch, 53, -1)
        out.add(f"v2_{name}_marker", reseal_v2(batch), name)


def add_legacy(out: Fixtures) -> None:
    """Add message sets of both magics and every codec that they may have."""
    rows = out.record_sets["all"]
    for magic, timestamp in ((0, -1), (1, None)):
        for codec in CODECS[:4]:
            out.add(f"v{magic}_{codec}", legacy(magic, codec, rows), "all", timestamp)
        raw = with_codec(
            legacy_records,
            "snappy_encode",
            snappy.compress,
            functools.partial(legacy, magic, "snappy", rows),
        )
        out.add(f"v{magic}_snappy_raw", raw, "all", timestamp)
    out.add("v1_log_append_time", legacy_append_time(legacy(1, "gzip", rows)), "all", APPEND_MS)


def text(value: bytes | str | None) -> str | None:
    """Bytes as base64; null stays null."""
    if value is None:
        return None
    data = value.encode("utf-8") if isinstance(value, str) else bytes(value)
    return base64.b64encode(data).decode("ascii")


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A record as JSON holds it."""
    headers = [[text(name), text(value)] for name, value in row["headers"]]
    return row | {"key": text(row["key"]), "value": text(row["value"]), "headers": headers}


def main() -> None:
    """Write the .bin files, and records.json that describes them."""
    out = Fixtures()
    out.record_sets["all"] = records(1_000_000)
    out.record_sets["few"] = records(5)[:3]
    # gzip writes the time of day into its header; a fixed one keeps the files the same on every run.
    with mock.patch("time.time", return_value=START_MS / 1000):
        add_v2(out)
        add_legacy(out)
    for name, (data, _) in out.files.items():
        (HERE / f"{name}.bin").write_bytes(data)
    document = {
        "record_sets": {name: [plain(row) for row in rows] for name, rows in out.record_sets.items()},
        "files": {f"{name}.bin": described for name, (_, described) in out.files.items()},
    }
    (HERE / "records.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
