"""Bytes that flip in old segments of a real broker: their batches are named to the offset, the rest is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka import encode_batch
from tests.integration.kafka.snapshot import segments
from tests.integration.support import compare, differences, divergence, fresh, plain_records

if TYPE_CHECKING:
    from tests.integration.kafka import Pair, Record
    from tests.integration.kafka.guarded import GuardedCluster
    from tests.integration.support import Document

BATCH, BATCHES = 100, 120
COUNT = BATCH * BATCHES
RECORDS = [record._replace(value=(record.value or b"") * 20) for record in plain_records(COUNT)]
"""Some 2.5 MB, and a segment takes one."""

CHANGED_AT = 9_000
CRC_AT, VALUE_AT = 18, 200
"""Where in a batch a byte is flipped: in the checksum itself, and among the records."""

DAMAGED = {7: VALUE_AT, 8: CRC_AT, 30: VALUE_AT}
"""By their numbers the batches with a flipped byte, all in the first segment: two that follow one another, and one."""

RUNS = [[700, 900], [3000, 3100]]
LOST = 300


class Topics(NamedTuple):
    """Topics of two partitions on both sides, the first partition with damage on the right."""

    same: tuple[str, str]
    changed: tuple[str, str]


def batches(records: list[Record]) -> list[bytes]:
    return [encode_batch(records[at : at + BATCH]) for at in range(0, COUNT, BATCH)]


@pytest.fixture(scope="module")
def topics(kafka: Pair, guarded: GuardedCluster) -> Topics:
    names = {"same": fresh("damaged"), "changed": fresh("damaged-and-changed")}
    whole = batches(RECORDS)
    changed = batches([*RECORDS[:CHANGED_AT], RECORDS[CHANGED_AT]._replace(key=b"other"), *RECORDS[CHANGED_AT + 1 :]])
    for kind, name in names.items():
        for cluster, written in ((kafka.left, whole), (guarded, changed if kind == "changed" else whole)):
            cluster.create_topic(name, 2, segment_bytes=1 << 20)
            cluster.produce_batches(name, 0, written)
            cluster.produce_batches(name, 1, whole)
    guarded.stop()
    for name in names.values():
        first, *_, last = segments(guarded.log_dir, name, 0)
        assert first.next_base_offset is not None
        assert first.next_base_offset > max(DAMAGED) * BATCH
        assert last.base_offset > max(DAMAGED) * BATCH
        file = guarded.log_dir / f"{name}-0" / f"{first.base_offset:020d}.log"
        data = bytearray(file.read_bytes())
        for number, place in DAMAGED.items():
            data[sum(map(len, whole[:number])) + place] ^= 0x04
        file.write_bytes(data)
    guarded.start()
    same, other = ((kafka.left.view(name), guarded.view(name)) for name in names.values())
    return Topics(same, other)


def unverified(partition: Document) -> list[Document]:
    return [found for found in partition["findings"] if found["effect"] == "unverified"]


@pytest.mark.parametrize("damaged", ["left", "right"])
@pytest.mark.parametrize("workers", ["1", "4"])
def test_what_a_bad_checksum_takes_is_unverified_and_the_rest_is_compared(
    topics: Topics, damaged: str, workers: str
) -> None:
    views = topics.same if damaged == "right" else topics.same[::-1]
    found = compare(*views, "--workers", workers)
    assert (found.code, found.verdict) == (3, "INCONCLUSIVE"), found.why
    assert found.verdicts == ["INCONCLUSIVE", "EQUAL"]
    one = found.partition(0)
    assert one["first_divergence"] is None
    told = unverified(one)
    assert {(each["reason"], each["side"]) for each in told} == {("corrupt_batch", damaged)}
    assert [each[damaged] for each in told] == RUNS
    assert one[damaged]["uncovered_offsets"] == LOST
    assert one[damaged]["records"] == COUNT - LOST
    assert one["compared_records"] == COUNT - LOST
    assert found.document["totals"]["compared_records"] == 2 * COUNT - LOST


def test_a_difference_behind_a_bad_checksum_is_found_where_it_is(topics: Topics) -> None:
    found = compare(*topics.changed)
    assert (found.code, found.verdict) == (1, "DIFFERENT"), found.why
    assert found.verdicts == ["DIFFERENT", "EQUAL"]
    one = found.partition(0)
    assert one["first_divergence"] == divergence(CHANGED_AT, CHANGED_AT, "key")
    assert [each["kind"] for each in differences(one)] == ["changed"]
    assert [each["right"] for each in unverified(one) if each["reason"] == "corrupt_batch"] == RUNS
