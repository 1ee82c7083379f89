"""The same records are EQUAL, however they lie in batches; what was not compared is said."""

from __future__ import annotations

import re

from tests.integration.kafka import Pair, Record
from tests.integration.kafka.batches import CODECS
from tests.integration.support import (
    alter_topic,
    batches_on_disk,
    compare,
    load,
    odd_records,
    plain_records,
    run,
)


def test_other_batch_sizes_and_codecs_of_every_kind_of_record(kafka: Pair, topic_name: str) -> None:
    oddest = [
        Record(b"k", b"v", [], 0),
        Record(None, None, [], -1),
        Record(b"k", None, [("h", None), ("h", b""), ("h", None)]),
        Record(b"", b"", [(b"\xff\xfe", b"\xff"), ("", None)], 1),
    ]
    data = {number: [*odd_records(1200, seed=number), *oddest] for number in range(3)}
    shapes = (([1, 37, 200], CODECS), ([90, 300, 5, 11], ["zstd", "none", "lz4", "snappy", "gzip", "snappy"]))
    for cluster, (sizes, codecs) in zip(kafka, shapes, strict=True):
        cluster.create_topic(topic_name, 3)
        load(cluster, topic_name, data, sizes=sizes, codecs=codecs)
    answer = compare(kafka.left.view(topic_name), kafka.right.view(topic_name))
    assert (answer.code, answer.verdict, answer.verdicts) == (0, "EQUAL", ["EQUAL"] * 3)
    assert answer.document["totals"]["compared_records"] == sum(len(records) for records in data.values())
    for one in answer.partitions:
        assert one["fields"] == ["key", "value", "headers", "timestamp"]
        assert one["offsets"] == {"relation": "identical", "shift": 0, "segments": 1}
        assert one["first_divergence"] is None
        assert one["findings"] == []
        assert one["left"]["planned"] == one["right"]["planned"] == [0, 1204]
    assert answer.document["options"]["mode"] == "log"


def test_what_real_producers_write_with_other_settings(kafka: Pair, topic_name: str) -> None:
    # librdkafka has no way to write header names that are no UTF-8, nor timestamps below 1.
    data = {
        number: [
            each._replace(headers=[(name, value) for name, value in each.headers if isinstance(name, str)])
            for each in odd_records(3000, seed=10 + number)
        ]
        for number in range(3)
    }
    settings = (("none", "gzip"), ("snappy", "lz4"), ("zstd", "snappy"))
    for place, cluster in enumerate(kafka):
        cluster.create_topic(topic_name, 3)
        for number, codecs in enumerate(settings):
            size = 50 if place else 2000
            shape = {"compression.type": codecs[place], "batch.num.messages": size, "linger.ms": 20}
            cluster.produce(topic_name, number, data[number], shape | {"enable.idempotence": bool(place)})
    answer = compare(kafka.left.view(topic_name), kafka.right.view(topic_name))
    assert (answer.code, answer.verdicts) == (0, ["EQUAL"] * 3)
    assert [one["compared_records"] for one in answer.partitions] == [3000] * 3


def test_other_offsets_are_a_property_and_a_difference_only_when_asked(kafka: Pair, topic_name: str) -> None:
    records = plain_records(400)
    for cluster in kafka:
        cluster.create_topic(topic_name)
    load(kafka.left, topic_name, {0: records})
    # The right side once held 25 records more at its start.
    load(kafka.right, topic_name, {0: [*odd_records(25, seed=3), *records]}, sizes=[25, 60])
    kafka.right.delete_records(topic_name, 0, 25)
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    answer = compare(*views)
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    one = answer.partition(0)
    assert one["offsets"] == {"relation": "shifted", "shift": 25, "segments": 1}
    assert one["compared_records"] == 400
    assert (one["left"]["planned"], one["right"]["planned"]) == ([0, 400], [25, 425])
    strict = compare(*views, "--fields", "key,value,headers,timestamp,offset")
    assert (strict.code, strict.verdict) == (1, "DIFFERENT")


def test_log_append_time_is_not_compared_and_the_report_says_so(kafka: Pair, topic_name: str) -> None:
    records = plain_records(300)
    kafka.left.create_topic(topic_name)
    kafka.right.create_topic(topic_name, message_timestamp_type="LogAppendTime")
    for cluster in kafka:
        load(cluster, topic_name, {0: records}, sizes=[40])
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    answer = compare(*views)
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    assert answer.partition(0)["fields"] == ["key", "value", "headers"]
    assert "timestamp" in answer.document["options"]["fields_reason"]
    text = run("compare", *views)
    assert text.code == 0
    assert re.search(r"(?s)\nnot compared\n.*timestamp", text.stdout), text.stdout
    # Who names the timestamp gets it compared: the broker's own are later than those of the records.
    strict = compare(*views, "--fields", "key,value,headers,timestamp")
    assert (strict.code, strict.verdict) == (1, "DIFFERENT")
    assert strict.partition(0)["first_divergence"]["fields"] == ["timestamp"]


def test_only_some_log_append_time_batches_bring_a_warning(kafka: Pair, topic_name: str) -> None:
    records = plain_records(100)
    kafka.left.create_topic(topic_name)
    load(kafka.left, topic_name, {0: records}, sizes=[10])
    kafka.right.create_topic(topic_name)
    load(kafka.right, topic_name, {0: records[:60]}, sizes=[10])
    alter_topic(kafka.right, topic_name, message_timestamp_type="LogAppendTime")
    load(kafka.right, topic_name, {0: records[60:]}, sizes=[10])
    answer = compare(kafka.left.view(topic_name), kafka.right.view(topic_name))
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    stamped = sum(batch.attributes & 8 > 0 for batch in batches_on_disk(kafka.right, topic_name))
    assert 0 < stamped < 10
    (warning,) = answer.partition(0)["warnings"]
    assert f"{stamped} of 10 batches on the right side" in warning


def test_some_partitions_of_a_topic(kafka: Pair, topic_name: str) -> None:
    for cluster in kafka:
        cluster.create_topic(topic_name, 5)
        load(cluster, topic_name, {number: plain_records(10 + number) for number in range(4)})
    load(kafka.right, topic_name, {2: plain_records(1)})
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    answer = compare(*views, "--partitions", "0,3")
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    assert [one["partition"] for one in answer.partitions] == [0, 3]
    assert answer.document["totals"]["compared_records"] == 23
    assert compare(*views, "--partitions", "1-3").code == 1


def test_the_cluster_and_the_topic_are_named_in_the_report(kafka: Pair, topic_name: str) -> None:
    for cluster in kafka:
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: plain_records(3)})
    document = compare(kafka.left.view(topic_name), kafka.right.view(topic_name)).document
    left, right = document["left"], document["right"]
    assert left["view"] == kafka.left.view(topic_name)
    assert left["cluster_id"] != right["cluster_id"]
    assert left["topic_id"] != right["topic_id"]
    assert document["notes"] == []
