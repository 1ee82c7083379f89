"""Compacted topics: never compared as plain logs in silence, and compared as such when that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.kafka import Pair, Record
from tests.integration.support import (
    FIRST_TIMESTAMP,
    batches_on_disk,
    compare,
    load,
    plain_records,
    run,
    wait_until,
)

if TYPE_CHECKING:
    from tests.integration.kafka import Cluster

KEYS = 7
# A record that is a minute later ends a segment, and the cleaner looks at whatever is dirty.
EAGER: dict[str, Any] = {
    "cleanup_policy": "compact",
    "segment_ms": 60_000,
    "min_cleanable_dirty_ratio": 0.0,
}


def updates(count: int) -> list[Record]:
    """Values of a few keys by turns, so that only the last of each survive."""
    return [
        Record(b"key-%d" % (number % KEYS), b"value-%d" % number, [], FIRST_TIMESTAMP + number)
        for number in range(count)
    ]


def compact(cluster: Cluster, topic: str, records: list[Record]) -> list[Record]:
    """Writes the records and one that rolls the segment, waits for the cleaner, and returns what is left."""
    last = Record(b"last", b"last", [], FIRST_TIMESTAMP + 10_000_000)
    load(cluster, topic, {0: [*records, last]}, sizes=[10])
    wait_until(
        lambda: sum(batch.records for batch in batches_on_disk(cluster, topic)) == KEYS + 1,
        f"{topic} was not compacted",
    )
    return [*records[-KEYS:], last]


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_topic_needs_a_mode_that_is_named(kafka: Pair, topic_name: str, policy: str) -> None:
    kafka.left.create_topic(topic_name)
    kafka.right.create_topic(topic_name, cleanup_policy=policy)
    for cluster in kafka:
        load(cluster, topic_name, {0: plain_records(50)})
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    answer = compare(*views)
    assert (answer.code, answer.verdict) == (3, "INCONCLUSIVE")
    assert answer.unverified == {(None, "mode_not_available")}
    assert answer.document["options"]["mode"] == "latest"
    assert "right" in answer.document["options"]["mode_reason"]
    assert answer.document["totals"]["compared_records"] == 0
    assert "--mode log" in run("compare", *views).stdout
    named = compare(*views, "--mode", "log")
    assert (named.code, named.verdict) == (0, "EQUAL")
    assert named.partition(0)["compared_records"] == 50


def test_a_log_that_was_compacted_against_its_survivors(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name, **EAGER)
    kafka.right.create_topic(topic_name)
    left = compact(kafka.left, topic_name, updates(300))
    load(kafka.right, topic_name, {0: left})
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    answer = compare(*views, "--mode", "log")
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    one = answer.partition(0)
    assert one["compared_records"] == KEYS + 1
    assert one["left"]["planned"][1] == 301
    assert one["left"]["gap_offsets"]["compacted"] == 301 - one["left"]["planned"][0] - KEYS - 1
    # One byte is still one byte.
    load(kafka.right, topic_name, {0: left[:1]})
    assert compare(*views, "--mode", "log").code == 1


def test_a_log_against_its_compacted_self(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name)
    kafka.right.create_topic(topic_name, **EAGER)
    records = updates(200)
    survivors = compact(kafka.right, topic_name, records)
    load(kafka.left, topic_name, {0: [*records, survivors[-1]]})
    answer = compare(kafka.left.view(topic_name), kafka.right.view(topic_name), "--mode", "log")
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    # The first survivor on the right is at 193; on the left nothing was thrown away.
    assert answer.partition(0)["first_divergence"]["left_offset"] == 0
    assert answer.partition(0)["first_divergence"]["right_offset"] == 193
