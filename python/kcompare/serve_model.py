"""What is served of log directories: the nouns of ``kcompare serve``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcompare.model import OffsetRange, PartitionBounds


@dataclass(frozen=True, slots=True)
class LostOffsets:
    """Offsets of a log that are known not to be readable; ``reason`` is a word, ``detail`` a sentence."""

    offsets: OffsetRange
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ServedPartition:
    """A partition that is served.

    Attributes:
        bounds: where its log starts and ends, and why.
        lost: offsets between them that answer CORRUPT_MESSAGE.
    """

    bounds: PartitionBounds
    lost: tuple[LostOffsets, ...] = ()


@dataclass(frozen=True, slots=True)
class ServedTopic:
    """A topic that is served, with its partitions in order."""

    name: str
    partitions: tuple[ServedPartition, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What a broker over log directories serves, and where.

    Attributes:
        view: the view as the user wrote it.
        address: ``HOST:PORT``, as clients name it.
        everywhere: it listens on other addresses than those of loopback.
    """

    view: str
    address: str
    everywhere: bool
    cluster_id: str | None
    node_id: int | None
    topics: tuple[ServedTopic, ...]
