"""The seed of this project as a scenario: a restored hot snapshot, and the mirror that went on.

Both are log directories in a temporary folder, served by read-only brokers of this process on loopback. The numbers
are a hundredth of those of the run that the project began with.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.engine.demo_files import Side, write
from kcompare.engine.serve import ServeRequest, serving
from kcompare.settings.views import parse_cluster_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.serve_model import Served

RESTORED_TOPIC = "blogs"
MIRRORED_TOPIC = "my-source-cluster.blogs"
CLUSTER_ID = "hot-snapshot"
RESTORED_STOPS = (12_330, 12_246, 12_507)
MIRRORED_STOPS = (15_635, 15_467, 15_659)
RESTORED_AT = tuple(datetime(2021, 6, 23, 14, 24, second, tzinfo=UTC) for second in (34, 35, 55))
STEP_MS = 55
RECORDS_PER_BATCH = 200
MIRRORED_PER_BATCH = 77
RECOVERY_POINT = 11_000
"""Up to where the broker had told the disk to keep what it has, some twenty seconds before the snapshot."""

UNSAVED = 91
"""Records since the high watermark was last written down, which happens every five seconds."""

TORN_PARTITION = 1
LOOPBACK = "127.0.0.1"
DAMAGED_PARTITION = 1
DAMAGED_OFFSET = 7_411
SEGMENT = range(6_000, 7_000)
"""Offsets of the segment that ``drop-segment`` removes, one file of many."""

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
class DemoSide:
    """One side: its log directory, and the broker that serves it. The views are what a user would type."""

    path: str
    topic: str
    served: Served

    @property
    def directory(self) -> str:
        """The view of the topic on disk."""
        return f"logdir:{self.path}/{self.topic}"

    @property
    def wire(self) -> str:
        """The view of the topic over the wire."""
        return f"kafka://{self.served.address}/{self.topic}"


@dataclass(frozen=True, slots=True)
class Demo:
    """Both sides, and what was done to the restored one."""

    restored: DemoSide
    mirror: DemoSide
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


def batches(blogs: list[Record], per_batch: int, codec: str, *, flip: bool = False) -> list[tuple[int, bytes]]:
    """Record batches as a broker stores them, with their base offsets.

    With ``flip``, one bit of the damaged offset's batch is wrong.
    """
    stored = []
    for chunk in _chunks(blogs, per_batch):
        batch = _native.encode_batch(base_offset=chunk[0][0], records=chunk, codec=codec)
        if flip and chunk[0][0] <= DAMAGED_OFFSET <= chunk[-1][0]:
            middle = len(batch) // 2
            batch = batch[:middle] + bytes([batch[middle] ^ 0x10]) + batch[middle + 1 :]
        stored.append((chunk[0][0], batch))
    return stored


def _chunks(blogs: list[Record], size: int) -> list[list[Record]]:
    """Records of one batch each: at most ``size``, and none with a hole, which only compaction leaves."""
    chunks: list[list[Record]] = []
    for blog in blogs:
        if chunks and len(chunks[-1]) < size and blog[0] == chunks[-1][-1][0] + 1:
            chunks[-1].append(blog)
        else:
            chunks.append([blog])
    return chunks


def _restored(root: Path, damage: Damage) -> Side:
    """The hot snapshot: nobody closed it, its checkpoints are old, and the last batch of one partition is cut off."""
    logs = []
    for partition, stop in enumerate(RESTORED_STOPS):
        blogs = records(partition, stop + RECORDS_PER_BATCH)
        kept, unflushed = blogs[:stop], blogs[stop:]
        harmed = partition == DAMAGED_PARTITION
        log = batches(
            damaged(kept, damage) if harmed else kept,
            RECORDS_PER_BATCH,
            "none",
            flip=harmed and damage is Damage.FLIP_BIT,
        )
        if partition == TORN_PARTITION:
            ((_, whole),) = batches(unflushed, RECORDS_PER_BATCH, "none")
            log.append((stop, whole[: len(whole) // 2]))
        logs.append(log)
    return Side(
        root=root / "restored",
        topic=RESTORED_TOPIC,
        cluster_id=f"{CLUSTER_ID}-source",
        node_id=1,
        logs=tuple(logs),
        stops=RESTORED_STOPS,
        recovery_points=(RECOVERY_POINT,) * len(RESTORED_STOPS),
        high_watermarks=tuple(stop - UNSAVED for stop in RESTORED_STOPS),
        lost=((DAMAGED_PARTITION, SEGMENT.start),) if damage is Damage.DROP_SEGMENT else (),
        clean=False,
    )


def _mirror(root: Path) -> Side:
    logs = (batches(records(number, stop), MIRRORED_PER_BATCH, "lz4") for number, stop in enumerate(MIRRORED_STOPS))
    return Side(
        root=root / "mirror",
        topic=MIRRORED_TOPIC,
        cluster_id=f"{CLUSTER_ID}-mirror",
        node_id=2,
        logs=tuple(logs),
        stops=MIRRORED_STOPS,
        recovery_points=MIRRORED_STOPS,
        high_watermarks=MIRRORED_STOPS,
        clean=True,
    )


@contextlib.contextmanager
def running(damage: Damage) -> Iterator[Demo]:
    """Writes both sides, serves them until the block ends, and leaves nothing.

    Raises:
        OSError: the temporary folder cannot be written.
        UsageError: no port of the loopback interface could be opened.
    """
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kcompare-demo-")))
        shown = []
        for side in (_restored(root, damage), _mirror(root)):
            write(side)
            view = parse_cluster_view(f"logdir:{side.root}/")
            served = stack.enter_context(serving(ServeRequest(view, LOOPBACK, 0)))
            shown.append(DemoSide(str(side.root), side.topic, served))
        yield Demo(shown[0], shown[1], STORIES[damage])
