"""Transactions as real brokers keep them: markers, aborted records, and one that is still open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.integration.support import compare, differences, divergence, fresh, load, plain_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.kafka import Cluster, Pair, Record

Part = tuple[str, int]

# Outcomes and records: 3 + 1 marker, 4 + 1, 6 + 1.
PARTS: list[Part] = [("commit", 3), ("abort", 4), ("commit", 6)]


def transactions(cluster: Cluster, topic: str, parts: Sequence[Part]) -> list[tuple[str, Record]]:
    """Writes one transaction after the other and returns each record with what became of it."""
    written: list[tuple[str, Record]] = []
    for number, (outcome, count) in enumerate(parts):
        records = plain_records(count, first=len(written))
        # Open ones must not be ended by the broker while a test looks at them.
        settings: dict[str, Any] = {
            "transactional.id": f"{topic}-{cluster.name}-{number}",
            "transaction.timeout.ms": 600_000,
        }
        cluster.produce(topic, 0, records, settings, outcome=outcome)
        written += [(outcome, record) for record in records]
    return written


class Written(NamedTuple):
    """A topic with committed and aborted transactions on the left, and two plain copies of it."""

    left: str
    committed: str
    all: str


@pytest.fixture(scope="module")
def written(kafka: Pair) -> Written:
    source, committed, all_copied = fresh("transactions"), fresh("committed"), fresh("all-copied")
    kafka.left.create_topic(source)
    records = transactions(kafka.left, source, PARTS)
    for topic, copied in ((committed, {"commit"}), (all_copied, {"commit", "abort"})):
        kafka.right.create_topic(topic)
        load(kafka.right, topic, {0: [record for outcome, record in records if outcome in copied]})
    return Written(kafka.left.view(source), kafka.right.view(committed), kafka.right.view(all_copied))


def test_aborted_records_and_markers_are_no_records(written: Written) -> None:
    answer = compare(written.left, written.committed)
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    one = answer.partition(0)
    assert one["compared_records"] == 9
    # The last offset of the log is that of a marker: 13 records and 3 markers.
    assert one["left"]["planned"] == [0, 16]
    assert one["left"]["gap_offsets"] == {"control": 3, "aborted": 4, "compacted": 0, "unexplained": 0}
    assert one["right"]["planned"] == [0, 9]
    (gap,) = one["findings"]
    assert (gap["kind"], gap["effect"], gap["side"]) == ("offset_gap", "explained", "left")


def test_a_mirror_that_copied_aborted_records(written: Written) -> None:
    answer = compare(written.left, written.all)
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    one = answer.partition(0)
    # On the left the second transaction is at 4 to 7, its marker at 8; the copy is dense.
    assert one["first_divergence"] == divergence(9, 3)
    (found,) = (found for found in one["findings"] if found["effect"] == "difference")
    assert (found["right"], found["records"]) == ([3, 7], 4)
    assert found["kind"] in {"only_right", "aborted_copied"}


def test_a_mirror_that_copied_aborted_records_as_it_was_told_to(written: Written) -> None:
    answer = compare(written.left, written.all, "--left-isolation", "read_uncommitted")
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    assert answer.partition(0)["compared_records"] == 13
    assert answer.partition(0)["left"]["gap_offsets"]["aborted"] == 0
    options = answer.document["options"]
    assert (options["left_isolation"], options["right_isolation"]) == ("read_uncommitted", "read_committed")


def test_transactions_on_both_sides(kafka: Pair, topic_name: str) -> None:
    for cluster, parts in (
        (kafka.left, [("commit", 5), ("commit", 4), ("abort", 3)]),
        (kafka.right, [("commit", 5), ("commit", 4)]),
    ):
        cluster.create_topic(topic_name)
        transactions(cluster, topic_name, parts)
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    answer = compare(*views)
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    # Aborted records and a marker are all that the left side has more; the tail holds no record.
    assert [answer.partition(0)[side]["planned"] for side in ("left", "right")] == [[0, 15], [0, 11]]
    assert answer.partition(0)["compared_records"] == 9
    strict = compare(*views, "--isolation", "read_uncommitted")
    assert strict.code == 1
    assert strict.partition(0)["first_divergence"] == divergence(11, None)


@pytest.fixture(scope="module")
def hanging(kafka: Pair) -> tuple[str, str]:
    """Equal committed records, then an open transaction on the left, of which the right has the records."""
    topic = fresh("open")
    kafka.left.create_topic(topic)
    kafka.right.create_topic(topic)
    records = transactions(kafka.left, topic, [("commit", 6), ("open", 4)])
    load(kafka.right, topic, {0: [record for _, record in records]})
    return kafka.left.view(topic), kafka.right.view(topic)


def test_an_open_transaction_is_unverified(hanging: tuple[str, str]) -> None:
    answer = compare(*hanging, "--settle", "1s", "--allow-tail", "right")
    assert (answer.code, answer.verdict) == (3, "INCONCLUSIVE")
    one = answer.partition(0)
    assert (one["left"]["last_stable_offset"], one["left"]["high_watermark"]) == (7, 11)
    assert one["left"]["uncovered_offsets"] == 4
    (found,) = (found for found in one["findings"] if found["reason"] == "open_transaction")
    assert (found["effect"], found["side"], found["left"]) == ("unverified", "left", [7, 11])
    # What the right side has more may be the open records, so nothing is said of it.
    assert differences(one) == []
    assert answer.stderr == ""


def test_a_difference_before_an_open_transaction_is_one(kafka: Pair, hanging: tuple[str, str]) -> None:
    topic = fresh("open-changed")
    kafka.right.create_topic(topic)
    records = plain_records(10)
    records[2] = records[2]._replace(value=b"other")
    load(kafka.right, topic, {0: records})
    answer = compare(hanging[0], kafka.right.view(topic), "--settle", "1s")
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    assert answer.partition(0)["first_divergence"] == divergence(2, 2, "value")


def test_an_open_transaction_that_is_read_uncommitted(hanging: tuple[str, str]) -> None:
    answer = compare(*hanging, "--isolation", "read_uncommitted")
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    assert answer.partition(0)["compared_records"] == 10


def test_a_transaction_that_ends_within_the_settling_time(kafka: Pair, topic_name: str) -> None:
    from confluent_kafka import Producer

    from tests.integration.support import answer, finish, start

    records = plain_records(8)
    for cluster in kafka:
        cluster.create_topic(topic_name)
    load(kafka.right, topic_name, {0: records})
    producer = Producer({"bootstrap.servers": kafka.left.bootstrap, "transactional.id": topic_name, "log_level": 2})
    producer.init_transactions(30)
    producer.begin_transaction()
    for record in records:
        producer.produce(topic_name, record.value, record.key, 0, timestamp=record.timestamp)
    producer.flush(30)
    process = start(
        "compare",
        kafka.left.view(topic_name),
        kafka.right.view(topic_name),
        "--settle",
        "60s",
        "--output",
        "json",
    )
    # Whether the run has begun to wait by now or not, the end of the transaction lets it go on.
    producer.commit_transaction(30)
    found = answer(finish(process))
    assert (found.code, found.verdict) == (0, "EQUAL")
    assert found.partition(0)["compared_records"] == 8
