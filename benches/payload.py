"""The records of the bench, and what a reader that read them right has to say.

Every record is a function of (partition, ordinal) alone: a key of 16 hexadecimal digits and a value that looks like a
line of JSON, a third of it random, so that codecs have about as much to do as with real events (random bytes would be
stored as they are, and zeros would vanish). No byte is a line break, so tools that print lines print them whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tests.integration.kafka.bulk import CHUNK, BulkLoad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.kafka.bulk import Bytes2D

PARTITIONS = (0, 1, 2)
KEY_BYTES = 16
# 'X' stands for a random hexadecimal digit.
FIELDS = b'{"customer_id":"XXXXXXXXXXXX","sku":"XXXXXXXX","note":"delivered","city":"Lyon"},'
DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)

# How a reader turns records into the bytes that it hashes.
KEY_VALUE = "key_value"
VALUE_LINES = "value_lines"
KEY_VALUE_LINES = "key_value_lines"


@dataclass(frozen=True, kw_only=True)
class TextLoad(BulkLoad):
    """Records of text, of one size."""

    def chunks(self, partition: int) -> Iterator[tuple[int, Bytes2D, Bytes2D]]:
        """Yields (ordinal of the first record, keys, values); a row of the two arrays is a record."""
        pattern = b"X" * self.key_bytes + (FIELDS * (self.value_bytes // len(FIELDS) + 1))[: self.value_bytes]
        template = np.frombuffer(pattern, np.uint8)
        places = np.flatnonzero(template == ord("X"))
        for start in range(0, self.records, CHUNK):
            count = min(CHUNK, self.records - start)
            random = np.random.Generator(np.random.SFC64([self.seed, partition, start // CHUNK]))
            digits = np.frombuffer(random.bytes(CHUNK * places.size), np.uint8).reshape(CHUNK, places.size)[:count]
            rows = np.empty((count, template.size), np.uint8)
            rows[:] = template
            rows[:, places] = DIGITS[digits & 0x0F]
            yield start, rows[:, : self.key_bytes], rows[:, self.key_bytes :]


def text_load(*, size: int, records: int, batch_records: int, codec: str) -> TextLoad:
    """Returns a load of records whose keys and values are `size` bytes together."""
    if size <= KEY_BYTES:
        raise ValueError(f"size {size} leaves no room for a value behind a key of {KEY_BYTES} bytes")
    value_bytes = size - KEY_BYTES
    return TextLoad(
        records=records, key_bytes=KEY_BYTES, value_bytes=value_bytes, batch_records=batch_records, codec=codec
    )


@dataclass(frozen=True)
class Expected:
    """What there is to be read in every partition of either side."""

    size: int
    records: int

    @property
    def payload_bytes(self) -> int:
        """Keys and values of one side."""
        return self.size * self.records * len(PARTITIONS)

    def digests(self, form: str) -> list[str]:
        """Returns the md5 of each partition, made from the records themselves: no broker and no client is in it."""
        return list(_digests(self.size, self.records, form))


@cache
def _digests(size: int, records: int, form: str) -> tuple[str, ...]:
    load = text_load(size=size, records=records, batch_records=1, codec="none")
    found = []
    for partition in PARTITIONS:
        digest = hashlib.md5(usedforsecurity=False)
        for _, keys, values in load.chunks(partition):
            digest.update(_formed(keys, values, form))
        found.append(digest.hexdigest())
    return tuple(found)


def _formed(keys: Bytes2D, values: Bytes2D, form: str) -> bytes:
    tab, line = (np.full((len(keys), 1), ord(each), np.uint8) for each in "\t\n")
    columns = {
        KEY_VALUE: (keys, values),
        VALUE_LINES: (values, line),
        KEY_VALUE_LINES: (keys, tab, values, line),
    }
    return np.concatenate(columns[form], axis=1).tobytes()
