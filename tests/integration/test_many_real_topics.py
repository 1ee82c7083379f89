"""Parts of logs and many topics on real brokers: ranges, maps, expectations, and a thousand partitions in one run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from kcompare.settings.quantities import format_time
from tests.integration.kafka.cluster import QUIET, TIMEOUT_S
from tests.integration.support import FIRST_TIMESTAMP, compare, divergence, fresh, load, plain_records, run

if TYPE_CHECKING:
    from tests.integration.kafka import Cluster, Pair
    from tests.integration.support import Answer

COUNT, CHANGED_AT = 400, 200
RECORDS = plain_records(COUNT)
CHANGED = [*RECORDS[:CHANGED_AT], RECORDS[CHANGED_AT]._replace(value=b"other"), *RECORDS[CHANGED_AT + 1 :]]

TOPICS, PARTITIONS, EACH = 200, 5, 7
BAD_TOPIC, BAD_PARTITION = 199, 3


def time(ordinal: float) -> str:
    """The time of a record, or one between two of them."""
    return format_time(FIRST_TIMESTAMP + round(1000 * ordinal))


@pytest.fixture(scope="module")
def ranged(kafka: Pair) -> tuple[str, str]:
    """A log on the left, and on the right the same with another record at 200, 100 offsets later."""
    topic = fresh("ranged")
    for cluster in kafka:
        cluster.create_topic(topic)
    load(kafka.left, topic, {0: RECORDS}, sizes=[33])
    load(kafka.right, topic, {0: plain_records(100, first=-100)})
    load(kafka.right, topic, {0: CHANGED}, sizes=[50, 7], codecs=["zstd", "none"])
    return kafka.left.view(topic), kafka.right.view(topic)


class Part(NamedTuple):
    """The range of either side, and what it is of the 400 records."""

    left: str
    right: str
    start: int
    stop: int


PARTS = [
    Part("0:200", "100:300", 0, 200),
    Part("201:", "301:", 201, 400),
    Part(":150", "100:250", 0, 150),
    Part("33:77", "133:177", 33, 77),
    Part("-199", "-199", 201, 400),
    Part("201:", "-199", 201, 400),
    Part(f":{time(200)}", f"100:{time(200)}", 0, 200),
    Part(f"{time(200.5)}:", f"{time(200.5)}:500", 201, 400),
    Part(f"{time(30)}:{time(31)}", f"{time(30)}:131", 30, 31),
    Part(f"{time(10)}:60", f"110:{time(60)}", 10, 60),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.left} {part.right}")
def test_only_what_lies_in_the_range_is_compared(ranged: tuple[str, str], part: Part) -> None:
    found = compare(*ranged, f"--left-range={part.left}", f"--right-range={part.right}")
    assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    one = found.partition(0)
    assert one["left"]["planned"] == [part.start, part.stop]
    assert one["right"]["planned"] == [100 + part.start, 100 + part.stop]
    assert one["compared_records"] == part.stop - part.start
    options = found.document["options"]
    assert (options["left_range"], options["right_range"]) == (part.left, part.right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("0:201", "100:301"),
        ("-200", "-200"),
        ("", "100:"),
        (f"{time(200)}:", f"{time(200)}:500"),
        (f":{time(200.5)}", f"100:{time(200.5)}"),
    ],
)
def test_a_difference_in_the_range_is_found_where_it_is(ranged: tuple[str, str], left: str, right: str) -> None:
    options = [f"--left-range={left}"] if left else []
    found = compare(*ranged, *options, f"--right-range={right}")
    assert (found.code, found.verdict) == (1, "DIFFERENT"), found.why
    assert found.partition(0)["first_divergence"] == divergence(CHANGED_AT, 100 + CHANGED_AT, "value")


def test_a_range_without_a_record_is_never_equal(ranged: tuple[str, str]) -> None:
    empty = f"{time(5000)}:"
    found = compare(*ranged, f"--left-range={empty}", f"--right-range={empty}")
    assert (found.code, found.verdict) == (3, "INCONCLUSIVE"), found.document
    assert found.document["totals"]["compared_records"] == 0


@pytest.fixture(scope="module")
def mirrored(kafka: Pair) -> str:
    """Topics whose right names have a prefix; one differs, one has a partition more, two are on one side only."""
    prefix = fresh("mirrored")
    for name in ("blogs", "news", "wide", "lost"):
        kafka.left.create_topic(f"{prefix}.{name}")
        load(kafka.left, f"{prefix}.{name}", {0: RECORDS})
    for name, records in (("blogs", RECORDS), ("news", CHANGED), ("wide", RECORDS), ("extra", RECORDS)):
        topic = f"src.{prefix}.{name}"
        kafka.right.create_topic(topic, 2 if name == "wide" else 1)
        load(kafka.right, topic, {0: records})
    return prefix


def mapped(kafka: Pair, prefix: str, pattern: str, *options: str) -> Answer:
    selection = ("--topics", f"{prefix}[.]({pattern})", "--map", r"(.*)=src.\1")
    return compare(kafka.left.view(""), kafka.right.view(""), *selection, *options)


def verdicts(found: Answer, prefix: str) -> dict[str, str]:
    assert all(topic["right"] == f"src.{topic['left']}" for topic in found.document["topics"])
    return {topic["left"].removeprefix(f"{prefix}."): topic["verdict"] for topic in found.document["topics"]}


def test_names_are_mapped_and_what_is_missing_is_said_while_the_rest_is_compared(kafka: Pair, mirrored: str) -> None:
    found = mapped(kafka, mirrored, ".*", "--expect-topics", "5")
    assert (found.code, found.verdict) == (1, "DIFFERENT"), found.document
    assert verdicts(found, mirrored) == {
        "blogs": "EQUAL",
        "news": "DIFFERENT",
        "wide": "DIFFERENT",
        "lost": "DIFFERENT",
        "extra": "DIFFERENT",
    }
    of_topics = {topic["left"].removeprefix(f"{mirrored}."): topic for topic in found.document["topics"]}
    missing = {name: [(each["kind"], each["side"]) for each in topic["findings"]] for name, topic in of_topics.items()}
    assert missing["lost"] == [("topic_missing", "right")]
    assert missing["extra"] == [("topic_missing", "left")]
    (only,) = of_topics["news"]["partitions"]
    assert only["first_divergence"] == divergence(CHANGED_AT, CHANGED_AT, "value")
    assert [one["verdict"] for one in of_topics["wide"]["partitions"]] == ["EQUAL", "DIFFERENT"]
    assert [each["kind"] for each in of_topics["wide"]["partitions"][1]["findings"]] == ["partition_count"]


def test_a_pattern_that_chooses_what_is_equal(kafka: Pair, mirrored: str) -> None:
    found = mapped(kafka, mirrored, "blogs", "--expect-topics", "1")
    assert (found.code, found.verdict) == (0, "EQUAL"), found.document


@pytest.mark.parametrize(("pattern", "expected"), [("blogs|news", "3"), ("blogs", "2"), ("nothing", "1")])
def test_another_number_of_topics_than_expected_is_refused(
    kafka: Pair, mirrored: str, pattern: str, expected: str
) -> None:
    selection = ("--topics", f"{mirrored}[.]({pattern})", "--map", r"(.*)=src.\1", "--expect-topics", expected)
    ended = run("compare", kafka.left.view(""), kafka.right.view(""), *selection)
    assert ended.code == 2
    assert "--topics" in ended.stderr


@pytest.fixture(scope="module")
def thousand(kafka: Pair) -> str:
    """Two hundred topics with a thousand partitions on either side; one record of one of them differs."""
    prefix = fresh("thousand")

    def fill(cluster: Cluster) -> None:
        names = [f"{prefix}.{number:03}" for number in range(TOPICS)]
        wanted = [NewTopic(name, PARTITIONS, 1, config={"retention.ms": "-1"}) for name in names]
        for done in cluster.admin.create_topics(wanted, operation_timeout=TIMEOUT_S).values():
            done.result(4 * TIMEOUT_S)
        producer = Producer({"bootstrap.servers": cluster.bootstrap, **QUIET, "enable.idempotence": True})
        for number, name in enumerate(names):
            for partition in range(PARTITIONS):
                for ordinal in range(EACH):
                    bad = (number, partition, ordinal) == (BAD_TOPIC, BAD_PARTITION, EACH // 2)
                    value = b"other" if bad and cluster is kafka.right else f"{name}-{partition}-{ordinal}".encode()
                    producer.produce(name, value, b"k", partition, timestamp=FIRST_TIMESTAMP + ordinal)
        assert producer.flush(4 * TIMEOUT_S) == 0

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, kafka))
    return prefix


def test_a_thousand_partitions_in_one_run(kafka: Pair, thousand: str) -> None:
    pattern = ("--topics", f"{thousand}[.].*", "--expect-topics", str(TOPICS))
    found = compare(kafka.left.view(""), kafka.right.view(""), *pattern)
    assert (found.code, found.verdict) == (1, "DIFFERENT"), found.stderr
    topics = found.document["topics"]
    partitions = [(topic["left"], one) for topic in topics for one in topic["partitions"]]
    assert (len(topics), len(partitions)) == (TOPICS, TOPICS * PARTITIONS)
    bad = f"{thousand}.{BAD_TOPIC:03}"
    others = [(name, one) for name, one in partitions if one["verdict"] != "EQUAL"]
    assert [(name, one["partition"]) for name, one in others] == [(bad, BAD_PARTITION)]
    assert others[0][1]["first_divergence"] == divergence(EACH // 2, EACH // 2, "value")
    # Both of a pair of records that differ were compared.
    assert found.document["totals"]["compared_records"] == TOPICS * PARTITIONS * EACH
    seconds = found.document["run"]
    print(f"planning {seconds['planning_seconds']} s, {seconds['seconds']} s in all")  # noqa: T201 - shown by pytest -rP


def test_all_but_the_bad_one_are_equal(kafka: Pair, thousand: str) -> None:
    pattern = ("--topics", f"{thousand}[.](0..|1[0-8].|19[0-8])", "--expect-topics", str(TOPICS - 1))
    found = compare(kafka.left.view(""), kafka.right.view(""), *pattern)
    assert (found.code, found.verdict) == (0, "EQUAL"), found.document["errors"]
    assert found.document["totals"]["compared_records"] == (TOPICS - 1) * PARTITIONS * EACH
