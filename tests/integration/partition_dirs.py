"""Partition directories written byte by byte, damaged at random, and read again without any of our own code."""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import google_crc32c

from tests.integration.kafka.batches import CRC_START, HEADER, LENGTH_START, TRANSACTIONAL, Batch, encode_batch

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST_MS = 1_700_000_000_000
CONTROL = 0x20
INDEX_INTERVAL_BYTES = 4096
SIZES = (10, 300, 900)
"""Bytes of a value; with the larger ones a segment gets several entries in its index."""


class Stored(NamedTuple):
    """A sound batch in a file."""

    file: str
    position: int
    end: int
    base_offset: int
    next_offset: int
    records: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What was written: the base offset of each segment, and where the log ends."""

    bases: list[int]
    end: int


def sound_batches(directory: Path) -> list[Stored]:
    """Returns every batch of version 2 in the `.log` and `.log.swap` files whose CRC fits, also behind damage."""
    found = []
    for path in sorted([*directory.glob("*.log"), *directory.glob("*.log.swap")]):
        found += list(_in_file(path.name, path.read_bytes()))
    return found


def _in_file(name: str, data: bytes) -> Iterator[Stored]:
    position = 0
    while position + HEADER.size <= len(data):
        end = _end_of(data, position)
        if not _is_sound(data, position, end):
            position = _behind_damage(data, position, end)
            continue
        base, attributes, delta, count = _fields(data, position)
        records = 0 if attributes & CONTROL else max(count, 0)
        yield Stored(name, position, end, base, base + delta + 1, records)
        position = end


def _fields(data: bytes, position: int) -> tuple[int, int, int, int]:
    base, _, _, _, _, attributes, delta, *_, count = HEADER.unpack_from(data, position)
    return base, attributes, delta, count


def _behind_damage(data: bytes, position: int, end: int) -> int:
    """A damaged batch ends where its length says if a sound one begins there, or else where the next sound one does."""
    if position < end <= len(data) and (end == len(data) or _is_sound(data, end, _end_of(data, end))):
        return end
    return next((at for at in range(position + 1, len(data) - HEADER.size + 1) if _sound_at(data, at)), len(data))


def _sound_at(data: bytes, position: int) -> bool:
    if position + HEADER.size > len(data) or data[position + 16] != 2 or data[position] & 0x80:
        return False
    return _is_sound(data, position, _end_of(data, position))


def _end_of(data: bytes, position: int) -> int:
    """Where a batch ends by its length; at its beginning if there is no length."""
    if position + LENGTH_START > len(data):
        return position
    (length,) = struct.unpack_from(">i", data, position + 8)
    return position + LENGTH_START + int(length)


def _is_sound(data: bytes, position: int, end: int) -> bool:
    if end > len(data) or end - position < HEADER.size or struct.unpack_from(">b", data, position + 16)[0] < 2:
        return False
    (stored,) = struct.unpack_from(">I", data, CRC_START - 4 + position)
    return bool(google_crc32c.value(data[position + CRC_START : end]) == stored)


def write_partition(directory: Path, chance: random.Random) -> Layout:
    """Writes up to five small segments with indexes as a broker writes them, some with transactions."""
    directory.mkdir(parents=True)
    offset = chance.choice([0, 0, 1000])
    (directory / "leader-epoch-checkpoint").write_text(f"0\n1\n0 {offset}\n")
    transactional = chance.random() < 0.3
    bases, open_ids = [], set[int]()
    for _ in range(chance.randint(1, 5)):
        bases.append(offset)
        segment = _Segment(offset)
        for _ in range(chance.randint(1, 12)):
            producer = chance.choice([7, 8]) if transactional else -1
            if producer in open_ids and chance.random() < 0.4:
                open_ids.discard(producer)
                offset = segment.append(marker(offset, producer, commit=chance.random() < 0.5))
            else:
                open_ids |= {producer} - {-1}
                offset = segment.append(data_batch(offset, chance, producer))
        segment.write(directory)
    return Layout(bases=bases, end=offset)


def data_batch(offset: int, chance: random.Random, producer: int = -1) -> bytes:
    """A batch of a few records; with a producer id it belongs to a transaction."""
    size = chance.choice(SIZES)
    places = range(offset, offset + chance.randint(1, 9))
    rows = [(b"k%d" % at, chance.randbytes(size), (), FIRST_MS + at) for at in places]
    if producer == -1:
        return encode_batch(rows, Batch(base_offset=offset, leader_epoch=0))
    sealed = Batch(
        base_offset=offset,
        leader_epoch=0,
        attributes=TRANSACTIONAL,
        producer_id=producer,
        producer_epoch=0,
        base_sequence=offset,
    )
    return encode_batch(rows, sealed)


def marker(offset: int, producer: int, *, commit: bool) -> bytes:
    """The control batch that ends a transaction."""
    key, value = struct.pack(">hh", 0, commit), struct.pack(">hi", 0, 0)
    sealed = Batch(
        base_offset=offset,
        leader_epoch=0,
        attributes=TRANSACTIONAL | CONTROL,
        producer_id=producer,
        producer_epoch=0,
    )
    return encode_batch([(key, value, (), FIRST_MS + offset)], sealed)


class _Segment:
    """A segment and its two indexes while they are written."""

    def __init__(self, base_offset: int) -> None:
        self._base = base_offset
        self._log, self._offsets, self._times = bytearray(), bytearray(), bytearray()
        self._since_entry = 0

    def append(self, batch: bytes) -> int:
        base, _, delta, _ = _fields(batch, 0)
        if self._since_entry > INDEX_INTERVAL_BYTES:
            relative = base + delta - self._base
            self._offsets += struct.pack(">ii", relative, len(self._log))
            self._times += struct.pack(">qi", FIRST_MS + base + delta, relative)
            self._since_entry = 0
        self._log += batch
        self._since_entry += len(batch)
        return base + delta + 1

    def write(self, directory: Path) -> None:
        for suffix, data in ((".log", self._log), (".index", self._offsets), (".timeindex", self._times)):
            (directory / f"{self._base:020d}{suffix}").write_bytes(data)


class _Target:
    """A segment file that is about to be damaged, and what stands around it."""

    def __init__(self, path: Path, layout: Layout, chance: random.Random) -> None:
        self.path, self.layout, self.chance = path, layout, chance
        self.data = bytearray(path.read_bytes())
        starts = [each.position for each in _in_file(path.name, bytes(self.data))]
        self.batch = chance.choice(starts) if starts else None

    def beside(self, suffix: str) -> Path:
        return self.path.with_suffix(suffix)

    def save(self) -> None:
        self.path.write_bytes(self.data)

    def put(self, at: int, form: str, *values: int) -> None:
        """Writes a field of the chosen batch."""
        if self.batch is not None:
            struct.pack_into(form, self.data, self.batch + at, *values)
            self.save()


def _flip(target: _Target) -> None:
    if target.data:
        target.data[target.chance.randrange(len(target.data))] ^= 1 << target.chance.randrange(8)
        target.save()


def _flip_header(target: _Target) -> None:
    if target.batch is not None:
        target.data[target.batch + target.chance.randrange(HEADER.size)] ^= 1 << target.chance.randrange(8)
        target.save()


def _cut(target: _Target) -> None:
    if target.data:
        keep = target.chance.choice([target.chance.randrange(len(target.data)), max(len(target.data) - 37, 0)])
        del target.data[keep:]
        target.save()


def _zeros_inside(target: _Target) -> None:
    if target.data:
        start = target.chance.randrange(len(target.data))
        stop = min(len(target.data), start + target.chance.choice([1, 20, 200, 5000]))
        target.data[start:stop] = bytes(stop - start)
        target.save()


def _zero_tail(target: _Target) -> None:
    target.data += bytes(target.chance.choice([1, 16, 17, 18, 61, 500, 9000]))
    target.save()


def _garbage_tail(target: _Target) -> None:
    target.data += target.chance.randbytes(target.chance.choice([1, 16, 17, 18, 61, 500]))
    target.save()


def _remove_log(target: _Target) -> None:
    target.path.unlink()


def _remove_segment(target: _Target) -> None:
    for path in target.path.parent.glob(f"{target.path.stem}.*"):
        path.unlink()


def _remove_index(target: _Target) -> None:
    target.beside(".index").unlink(missing_ok=True)


def _garbage_index(target: _Target) -> None:
    entry = struct.pack(">ii", target.chance.randrange(60), target.chance.randrange(len(target.data) + 50))
    garbage = target.chance.randbytes(target.chance.choice([3, 8, 16, 24, 800]))
    target.beside(".index").write_bytes(target.chance.choice([entry, garbage]))


def _preallocated_index(target: _Target) -> None:
    with target.beside(".index").open("ab") as file:
        file.write(bytes(8 * target.chance.randint(1, 600)))


def _swap_names(target: _Target) -> None:
    others = [path for path in sorted(target.path.parent.glob("*.log")) if path != target.path]
    if not others:
        return
    other = target.chance.choice(others)
    for suffix in target.chance.choice([(".log",), (".log", ".index", ".timeindex")]):
        one, two = target.beside(suffix), other.with_suffix(suffix)
        if one.exists() and two.exists():
            first, second = one.read_bytes(), two.read_bytes()
            one.write_bytes(second)
            two.write_bytes(first)


def _repeat_batch(target: _Target) -> None:
    if target.batch is not None:
        (length,) = struct.unpack_from(">i", target.data, target.batch + 8)
        end = target.batch + LENGTH_START + length
        at = target.chance.choice([end, len(target.data)])
        target.data[at:at] = target.data[target.batch : end]
        target.save()


def _drop_batch(target: _Target) -> None:
    if target.batch is not None:
        (length,) = struct.unpack_from(">i", target.data, target.batch + 8)
        del target.data[target.batch : target.batch + LENGTH_START + length]
        target.save()


def _wrong_length(target: _Target) -> None:
    target.put(8, ">i", target.chance.choice([0, -1, 13, 14, 20, 48, 49, 100, (1 << 31) - 1]))


def _wrong_offset(target: _Target) -> None:
    if target.batch is not None:
        (base,) = struct.unpack_from(">q", target.data, target.batch)
        far = [base + (1 << 31), base + (1 << 40), (1 << 63) - 1, -5]
        target.put(0, ">q", target.chance.choice([0, base + 1, base - 1, base + 5, *far]))


def _wrong_magic(target: _Target) -> None:
    target.put(16, ">B", target.chance.choice([3, 127]))


def _swap_file(target: _Target) -> None:
    for suffix in target.chance.choice([(".log", ".index", ".timeindex"), (".log",), (".index",)]):
        path = target.beside(suffix)
        if path.exists():
            path.rename(path.with_name(f"{path.name}.swap"))


def _copied_as_swap(target: _Target) -> None:
    shutil.copy(target.path, f"{target.path}.swap")


def _copied_as_cleaned(target: _Target) -> None:
    shutil.copy(target.path, f"{target.path}.cleaned")


def _deleted_file(target: _Target) -> None:
    target.path.rename(f"{target.path}.deleted")


def _snapshot(target: _Target) -> None:
    end = target.layout.end
    offset = target.chance.choice([*target.layout.bases, end, end + 50, target.chance.randrange(end + 1)])
    body = struct.pack(">i", 0)
    sound = struct.pack(">hI", 1, google_crc32c.value(body)) + body
    garbage = target.chance.randbytes(target.chance.choice([0, 5, 30]))
    (target.path.parent / f"{offset:020d}.snapshot").write_bytes(target.chance.choice([sound, garbage]))


def _transaction_index(target: _Target) -> None:
    base = int(target.path.stem)
    last = target.chance.choice([0, base, base + 3, target.layout.end])
    version = target.chance.choice([0, 0, 0, 1, 256, -256])
    target.beside(".txnindex").write_bytes(struct.pack(">hqqqq", version, 7, max(last - 2, 0), last, last + 1))


DAMAGES: tuple[Callable[[_Target], None], ...] = (
    _flip,
    _flip_header,
    _cut,
    _zeros_inside,
    _zero_tail,
    _garbage_tail,
    _remove_log,
    _remove_segment,
    _remove_index,
    _garbage_index,
    _preallocated_index,
    _swap_names,
    _repeat_batch,
    _drop_batch,
    _wrong_length,
    _wrong_offset,
    _wrong_magic,
    _swap_file,
    _copied_as_swap,
    _copied_as_cleaned,
    _deleted_file,
    _snapshot,
    _transaction_index,
)


def damage(directory: Path, layout: Layout, chance: random.Random) -> list[str]:
    """Damages a directory in up to three ways; the last segment is struck more often. Returns their names."""
    names = []
    for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 3])):
        logs = sorted(directory.glob("*.log"))
        if logs:
            path = chance.choice([*logs, logs[-1], logs[-1]])
            way = chance.choice(DAMAGES)
            way(_Target(path, layout, chance))
            names.append(f"{way.__name__.strip('_')} {int(path.stem)}")
    return names
