"""A million records in three partitions: equal in other batches and codecs, and one changed byte anywhere."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka import BulkLoad
from tests.integration.support import compare, divergence, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.kafka import Cluster, Pair
    from tests.integration.kafka.bulk import Bytes2D

COUNTS = (333_334, 333_333, 333_333)
MILLION = sum(COUNTS)
LOAD = BulkLoad(records=0, key_bytes=16, value_bytes=84, seed=7)
CHANCE = random.Random(20_261_123)


class Place(NamedTuple):
    """One byte of one record: ``at`` counts from the first byte of the key to the last one of the value."""

    partition: int
    offset: int
    at: int

    @property
    def field(self) -> str:
        return "key" if self.at < LOAD.key_bytes else "value"


@dataclass(frozen=True, kw_only=True)
class Changed(BulkLoad):
    """The same records but for one bit in each of some places."""

    places: tuple[Place, ...]

    def chunks(self, partition: int) -> Iterator[tuple[int, Bytes2D, Bytes2D]]:
        for start, keys, values in super().chunks(partition):
            own_keys, own_values = keys.copy(), values.copy()
            for place in self.places:
                if place.partition == partition and start <= place.offset < start + len(keys):
                    row = place.offset - start
                    if place.field == "key":
                        own_keys[row, place.at] ^= 1 << place.offset % 8
                    else:
                        own_values[row, place.at - self.key_bytes] ^= 1 << place.offset % 8
            yield start, own_keys, own_values


def load_million(cluster: Cluster, topic: str, load: BulkLoad) -> None:
    cluster.bulk_load(topic, [0], replace(load, records=COUNTS[0]))
    cluster.bulk_load(topic, [1, 2], replace(load, records=COUNTS[1]))


def anywhere(partition: int) -> Place:
    """A random byte of a random record, the same in every run."""
    return Place(partition, CHANCE.randrange(COUNTS[partition]), CHANCE.randrange(100))


LAST = tuple(count - 1 for count in COUNTS)
# One topic has one changed byte in a million records; the others have one in each partition.
VARIANTS: dict[str, tuple[str, int, tuple[Place, ...]]] = {
    "one": ("zstd", 999, (anywhere(1),)),
    "ends": ("uncompressed", 4_000, (Place(0, 0, 0), Place(1, LAST[1], 99), Place(2, LAST[2], 3))),
    "anywhere": ("lz4", 321, tuple(anywhere(number) for number in range(3))),
    # A cell has 65,536 offsets: its first record and its last one.
    "borders": ("snappy", 1_500, (Place(0, 65_536, 50), Place(1, 131_071, 15), Place(2, 0, 99))),
}


@pytest.fixture(scope="module")
def left(kafka: Pair) -> str:
    topic = fresh("million")
    kafka.left.create_topic(topic, 3)
    load_million(kafka.left, topic, replace(LOAD, batch_records=2_000))
    return kafka.left.view(topic)


def test_a_million_equal_records(kafka: Pair, left: str, topic_name: str) -> None:
    kafka.right.create_topic(topic_name, 3, compression_type="gzip")
    load_million(kafka.right, topic_name, replace(LOAD, batch_records=437))
    found = compare(left, kafka.right.view(topic_name))
    assert (found.code, found.verdict, found.verdicts) == (0, "EQUAL", ["EQUAL"] * 3), found.why
    assert found.document["totals"]["compared_records"] == MILLION
    assert [one["compared_records"] for one in found.partitions] == list(COUNTS)
    assert [one["findings"] for one in found.partitions] == [[], [], []]
    for side in ("left", "right"):
        assert found.document["totals"][f"{side}_records"] == MILLION
        assert [one[side]["covered_offsets"] for one in found.partitions] == list(COUNTS)
    kafka.right.delete_topic(topic_name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_changed_byte_in_a_million(kafka: Pair, left: str, topic_name: str, variant: str) -> None:
    codec, batch_records, places = VARIANTS[variant]
    kafka.right.create_topic(topic_name, 3, compression_type=codec)
    changed = Changed(
        **{name: getattr(LOAD, name) for name in ("records", "key_bytes", "value_bytes", "seed")},
        batch_records=batch_records,
        places=places,
    )
    load_million(kafka.right, topic_name, changed)
    found = compare(left, kafka.right.view(topic_name))
    assert (found.code, found.verdict) == (1, "DIFFERENT"), found.why
    expected = {place.partition: place for place in places}
    for number, one in enumerate(found.partitions):
        assert one["compared_records"] == COUNTS[number]
        if number not in expected:
            assert (one["verdict"], one["first_divergence"], one["findings"]) == ("EQUAL", None, [])
            continue
        place = expected[number]
        assert one["verdict"] == "DIFFERENT"
        assert one["first_divergence"] == divergence(place.offset, place.offset, place.field)
        (change,) = one["findings"]
        assert (change["kind"], change["records"], change["fields"]) == ("changed", 1, [place.field])
        assert change["left"] == change["right"] == [place.offset, place.offset + 1]
    kafka.right.delete_topic(topic_name)


@pytest.mark.parametrize("kind", ["missing", "doubled"])
def test_one_record_missing_or_doubled_in_many(kafka: Pair, left: str, topic_name: str, kind: str) -> None:
    # The tail of a bulk load is shifted by one where a batch of one record lacks or comes twice.
    at, partition = 200_000, 1
    kafka.right.create_topic(topic_name, 3)
    load = replace(LOAD, records=COUNTS[partition], batch_records=1_000)
    kafka.right.produce_batches(topic_name, partition, shifted(load, partition, at, kind))
    found = compare(left, kafka.right.view(topic_name), "--partitions", str(partition))
    assert (found.code, found.verdict) == (1, "DIFFERENT"), found.why
    one = found.partition(partition)
    (only,) = one["findings"]
    if kind == "missing":
        assert one["first_divergence"] == divergence(at, at)
        assert (only["kind"], only["left"], only["records"]) == ("only_left", [at, at + 1], 1)
    else:
        assert one["first_divergence"] == divergence(at + 1, at + 1)
        assert (only["kind"], only["right"], only["records"]) == ("duplicated", [at + 1, at + 2], 1)
    kafka.right.delete_topic(topic_name)


def shifted(load: BulkLoad, partition: int, at: int, kind: str) -> Iterator[bytes]:
    """The batches of a load without the record at an offset, or with it twice."""
    import numpy as np

    from tests.integration.kafka.bulk import _Template

    templates: dict[int, _Template] = {}

    def batch(keys: Bytes2D, values: Bytes2D, first: int) -> bytes:
        count = len(keys)
        template = templates.get(count) or templates.setdefault(count, _Template(load, count))
        return template.fill(keys=keys, values=values, timestamp=load.first_timestamp + first)

    for start, keys, values in load.chunks(partition):
        cuts = {*range(0, len(keys), load.batch_records), len(keys)}
        if start <= at < start + len(keys):
            cuts |= {at - start, at - start + 1}
        edges = sorted(cuts)
        for begin, end in pairwise(edges):
            is_it = start + begin == at
            repeats = 1 if not is_it else {"missing": 0, "doubled": 2}[kind]
            for _ in range(repeats):
                yield batch(np.asarray(keys[begin:end]), np.asarray(values[begin:end]), start + begin)
