"""The seed of this project as a scenario: a restored hot snapshot, and the mirror that went on.

Both clusters are small read-only brokers of this process, on loopback, with their topics in memory. The numbers are
a hundredth of those of the run that the project began with.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from kcompare import _native

if TYPE_CHECKING:
    from collections.abc import Iterator

RESTORED_TOPIC = "blogs"
MIRRORED_TOPIC = "my-source-cluster.blogs"
CLUSTER_ID = "hot-snapshot"
RESTORED_STOPS = (12_330, 12_246, 12_507)
MIRRORED_STOPS = (15_635, 15_467, 15_659)
RESTORED_AT = tuple(datetime(2021, 6, 23, 14, 24, second, tzinfo=UTC) for second in (34, 35, 55))
STEP_MS = 55
RECORDS_PER_BATCH = {"restored": 200, "mirrored": 77}
CODECS = {"restored": "none", "mirrored": "lz4"}
DAMAGED_PARTITION = 1
DAMAGED_OFFSET = 7_411
SEGMENT = range(6_000, 7_000)
"""Offsets of the segment that ``drop-segment`` removes."""

Record = tuple[int, int, bytes | None, bytes | None, tuple[tuple[bytes, bytes | None], ...]]
"""Offset, timestamp in ms, key, value, headers."""


class Damage(StrEnum):
    """What happens to the restored side before it is compared."""

    NONE = "none"
    DROP_SEGMENT = "drop-segment"
    DROP_RECORD = "drop-record"
    DUPLICATE = "duplicate"
    SWAP = "swap"
    CHANGE_VALUE = "change-value"
    CHANGE_HEADER = "change-header"
    FORK = "fork"
    FLIP_BIT = "flip-bit"


STORIES = {
    Damage.NONE: "nothing was harmed: every record up to each partition's end is there",
    Damage.DROP_SEGMENT: f"offsets [{SEGMENT.start}, {SEGMENT.stop}) of partition {DAMAGED_PARTITION} are missing, "
    "as when one segment file was not restored",
    Damage.DROP_RECORD: f"the record at offset {DAMAGED_OFFSET} of partition {DAMAGED_PARTITION} is missing",
    Damage.DUPLICATE: f"the record at offset {DAMAGED_OFFSET} of partition {DAMAGED_PARTITION} stands there twice",
    Damage.SWAP: f"the records at offsets {DAMAGED_OFFSET} and {DAMAGED_OFFSET + 1} of partition "
    f"{DAMAGED_PARTITION} are swapped",
    Damage.CHANGE_VALUE: f"one byte of the value at offset {DAMAGED_OFFSET} of partition {DAMAGED_PARTITION} differs",
    Damage.CHANGE_HEADER: f"a header at offset {DAMAGED_OFFSET} of partition {DAMAGED_PARTITION} differs",
    Damage.FORK: f"producers wrote to partition {DAMAGED_PARTITION} again after a restore to offset {DAMAGED_OFFSET}: "
    "the same offsets, other records",
    Damage.FLIP_BIT: f"one bit on disk flipped in the batch of offset {DAMAGED_OFFSET}, partition {DAMAGED_PARTITION}",
}


@dataclass(frozen=True, slots=True)
class DemoClusters:
    """Two running clusters. The views are what a user would type."""

    restored_view: str
    mirrored_view: str
    story: str


def _timestamp(partition: int, offset: int) -> int:
    end_ms = round(RESTORED_AT[partition].timestamp() * 1000)
    return end_ms - (RESTORED_STOPS[partition] - 1 - offset) * STEP_MS


def records(partition: int, stop: int) -> list[Record]:
    """The blogs of one partition up to ``stop``; the same every time."""
    source = random.Random(partition)  # noqa: S311 - the same blogs every time, not a secret
    pods = (b"4xqhs", b"jzjdd", b"x6wbp", b"cd9zz")
    found: list[Record] = []
    for offset in range(stop):
        timestamp = _timestamp(partition, offset)
        when = datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
        pod = source.choice(pods)
        identity = uuid.UUID(int=source.getrandbits(128), version=4)
        value = f"{when} -- blogs-f5d8f5d58-{pod.decode()} {identity}".encode()
        found.append((offset, timestamp, None, value, ((b"pod", pod),)))
    return found


def damaged(blogs: list[Record], damage: Damage) -> list[Record]:  # noqa: PLR0911 - one for each kind
    """The restored partition after the damage; a flipped bit is not a change of records and comes later."""
    at = DAMAGED_OFFSET
    offset, timestamp, key, value, headers = blogs[at]
    match damage:
        case Damage.DROP_SEGMENT:
            return [blog for blog in blogs if blog[0] not in SEGMENT]
        case Damage.DROP_RECORD:
            return blogs[:at] + blogs[at + 1 :]
        case Damage.DUPLICATE:
            later = [(found[0] + 1, *found[1:]) for found in blogs[at:]]
            return blogs[: at + 1] + later
        case Damage.SWAP:
            first, second = blogs[at], blogs[at + 1]
            return [*blogs[:at], (first[0], *second[1:]), (second[0], *first[1:]), *blogs[at + 2 :]]
        case Damage.CHANGE_VALUE:
            changed = (value or b"")[:-1] + b"?"
            return [*blogs[:at], (offset, timestamp, key, changed, headers), *blogs[at + 1 :]]
        case Damage.CHANGE_HEADER:
            return [*blogs[:at], (offset, timestamp, key, value, ((b"pod", None),)), *blogs[at + 1 :]]
        case Damage.FORK:
            other = [
                (found[0], found[1] + 600_000, None, b"written after the restore, number %d" % found[0], ())
                for found in blogs[at:]
            ]
            return blogs[:at] + other
        case Damage.NONE | Damage.FLIP_BIT:
            return blogs


def batches(blogs: list[Record], per_batch: int, codec: str, *, flip: bool = False) -> bytes:
    """Record batches as a broker stores them; with ``flip``, one bit of the damaged offset's batch is wrong."""
    stored = []
    for chunk in _chunks(blogs, per_batch):
        batch = _native.encode_batch(base_offset=chunk[0][0], records=chunk, codec=codec)
        if flip and chunk[0][0] <= DAMAGED_OFFSET <= chunk[-1][0]:
            middle = len(batch) // 2
            batch = batch[:middle] + bytes([batch[middle] ^ 0x10]) + batch[middle + 1 :]
        stored.append(batch)
    return b"".join(stored)


def _chunks(blogs: list[Record], size: int) -> list[list[Record]]:
    """Records of one batch each: at most ``size``, and none with a hole, which only compaction leaves."""
    chunks: list[list[Record]] = []
    for blog in blogs:
        if chunks and len(chunks[-1]) < size and blog[0] == chunks[-1][-1][0] + 1:
            chunks[-1].append(blog)
        else:
            chunks.append([blog])
    return chunks


def _store(topic: str, name: str, stops: tuple[int, ...], damage: Damage) -> _native.MemoryStore:
    store = _native.MemoryStore()
    # A restored cluster has the ids of its original; its mirror has its own.
    topic_id = uuid.uuid5(uuid.NAMESPACE_URL, topic).bytes
    store.create_topic(name=topic, topic_id=topic_id, partitions=len(stops), configs={})
    for partition, stop in enumerate(stops):
        blogs = records(partition, stop)
        harmed = partition == DAMAGED_PARTITION
        if harmed:
            blogs = damaged(blogs, damage)
        flip = harmed and damage is Damage.FLIP_BIT
        stored = batches(blogs, RECORDS_PER_BATCH[name], CODECS[name], flip=flip)
        store.append(topic=topic, partition=partition, batches=stored)
    return store


@contextlib.contextmanager
def running(damage: Damage) -> Iterator[DemoClusters]:
    """Runs both clusters until the block ends.

    Raises:
        OSError: no port of the loopback interface could be opened.
    """
    with contextlib.ExitStack() as stack:
        ports = []
        sides = (
            (RESTORED_TOPIC, "restored", RESTORED_STOPS, damage),
            (MIRRORED_TOPIC, "mirrored", MIRRORED_STOPS, Damage.NONE),
        )
        for node_id, (topic, name, stops, harm) in enumerate(sides, start=1):
            broker = _native.Broker(
                store=_store(topic, name, stops, harm),
                cluster_id=f"{CLUSTER_ID}-{name}",
                node_id=node_id,
                listen="127.0.0.1:0",
                max_versions={},
            )
            stack.callback(broker.stop)
            ports.append(broker.port)
        yield DemoClusters(
            f"kafka://127.0.0.1:{ports[0]}/{RESTORED_TOPIC}",
            f"kafka://127.0.0.1:{ports[1]}/{MIRRORED_TOPIC}",
            STORIES[damage],
        )
