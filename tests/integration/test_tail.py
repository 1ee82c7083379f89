"""The last records of real topics, and how far apart their ends lie."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.integration.kafka import Record
from tests.integration.support import FIRST_TIMESTAMP, fresh, load, plain_records, run, tail

if TYPE_CHECKING:
    from tests.integration.kafka import Pair

COUNTS = (30, 12, 0)


class Views(NamedTuple):
    """Two topics whose partitions hold 30, 12 and no records; the right one has deleted the first five."""

    left: str
    right: str


@pytest.fixture(scope="module")
def views(kafka: Pair) -> Views:
    topic = fresh("tail")
    for cluster in kafka:
        cluster.create_topic(topic, len(COUNTS))
        load(cluster, topic, {number: plain_records(count) for number, count in enumerate(COUNTS)}, sizes=[4])
    kafka.right.delete_records(topic, 0, 5)
    load(kafka.right, topic, {1: [Record(None, None, [], FIRST_TIMESTAMP + 100_500)]})
    return Views(kafka.left.view(topic), kafka.right.view(topic))


def record(ordinal: int) -> dict[str, Any]:
    key, value = b"key-%d" % ordinal, b"value-%d" % ordinal
    return {
        "offset": ordinal,
        "timestamp": FIRST_TIMESTAMP + ordinal * 1000,
        "key_bytes": len(key),
        "value_bytes": len(value),
    }


def test_two_topics(views: Views) -> None:
    found = tail(*views, "-n", "3")
    assert found.code == 0
    assert found.stderr == ""
    left, right = found.document["views"]
    assert (left["view"], right["view"]) == views
    first, second, empty = left["partitions"]
    assert (first["log_start_offset"], first["start"], first["stop"]) == (0, 27, 30)
    assert first["records"] == [record(27), record(28), record(29)]
    assert first["last_timestamp"] == FIRST_TIMESTAMP + 29_000
    assert second["records"] == [record(9), record(10), record(11)]
    assert (empty["start"], empty["stop"], empty["records"], empty["last_timestamp"]) == (0, 0, [], None)
    # The ends of the partitions are 18 s apart; the empty one has none.
    assert left["end_skew_ms"] == 18_000
    assert left["common_prefix_stop"] == 0
    assert right["partitions"][0]["log_start_offset"] == 5
    last = right["partitions"][1]["records"][-1]
    assert last == {
        "offset": 12,
        "timestamp": FIRST_TIMESTAMP + 100_500,
        "key_bytes": None,
        "value_bytes": None,
    }
    assert right["end_skew_ms"] == 71_500


def test_more_records_than_there_are(views: Views) -> None:
    found = tail(views.right, "-n", "1000")
    (view,) = found.document["views"]
    sizes = [len(one["records"]) for one in view["partitions"]]
    assert sizes == [25, 13, 0]
    assert view["partitions"][0]["start"] == 5
    assert [one["offset"] for one in view["partitions"][0]["records"]] == list(range(5, 30))


def test_values_are_shown_when_asked_for(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name)
    hostile = Record(b"\xff\xfe", b"\x1b]0;owned\x07\x1b[2J\r\nDIFFERENT: \xe2\x80\xae", [], FIRST_TIMESTAMP)
    load(kafka.left, topic_name, {0: [Record("schlüssel".encode(), b"", [], FIRST_TIMESTAMP), hostile]})
    found = tail(kafka.left.view(topic_name), "--show-values")
    plain, odd = found.document["views"][0]["partitions"][0]["records"]
    assert plain["key_text"] == "schlüssel"
    assert plain["value_text"] == ""
    assert b64decode(odd["key_base64"]) == hostile.key
    value = odd["value_text"].encode() if "value_text" in odd else b64decode(odd["value_base64"])
    assert value == hostile.value
    # `run` holds every output to having no control characters; here also no line of a record's own.
    text = run("tail", kafka.left.view(topic_name), "--show-values")
    assert text.code == 0
    assert not any(line.startswith("DIFFERENT") for line in text.stdout.splitlines())
    assert "\u202e" not in text.stdout
    hidden = tail(kafka.left.view(topic_name)).document["views"][0]["partitions"][0]["records"]
    assert all(name not in each for each in hidden for name in ("key_text", "value_text", "key_base64"))


def test_markers_and_aborted_records_are_passed_over(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name)
    for number, outcome in enumerate(("commit", "abort")):
        settings = {"transactional.id": f"{topic_name}-{number}"}
        kafka.left.produce(topic_name, 0, plain_records(40), settings, outcome=outcome)
    view = kafka.left.view(topic_name)
    (one,) = tail(view, "-n", "2").document["views"][0]["partitions"]
    assert (one["stop"], [each["offset"] for each in one["records"]]) == (82, [38, 39])
    (one,) = tail(view, "-n", "2", "--isolation", "read_uncommitted").document["views"][0]["partitions"]
    assert [each["offset"] for each in one["records"]] == [79, 80]


def test_the_text_shows_ends_and_skew(views: Views) -> None:
    ended = run("tail", *views, "-n", "2")
    assert ended.code == 0
    lines = ended.stdout.splitlines()
    assert views.left in lines
    assert "partition 0: offsets [0, 30), last 2 records" in lines
    assert "partition 0: offsets [5, 30), last 2 records" in lines
    assert "partition 2: offsets [0, 0), no records" in lines
    assert any("2023-11-14T22:13:49" in line or "2023-11-14 22:13:49" in line for line in lines)
    assert any("18" in line and "skew" in line for line in lines), ended.stdout
