"""Directories that a real broker wrote: stopped, killed, running and copied hot, against clusters and one another."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka import Record, Writer, snapshot, start_pair
from tests.integration.support import (
    FIRST_TIMESTAMP,
    alter_topic,
    answer,
    compare,
    differences,
    load,
    odd_records,
    plain_records,
    run,
    tail,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.kafka import Pair
    from tests.integration.support import Answer

pytestmark = pytest.mark.timeout(900)

PARTITIONS = 3
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BIG = 700
"""Records of some 4 KB that fill several segments of the smallest size that Kafka 4 takes."""


class Written(NamedTuple):
    """Both brokers ran and hold the same; then the left one was stopped in order.

    Before that, while a producer wrote, ``copy`` was made and the comparisons ``running`` ran.
    """

    pair: Pair
    directory: Path
    copy: Path
    running: list[Answer]


def big_records() -> list[Record]:
    chance = random.Random(7)
    return [Record(b"%d" % number, chance.randbytes(4000), [], FIRST_TIMESTAMP + number) for number in range(BIG)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    folder = tmp_path_factory.mktemp("directories")
    with start_pair(logs=folder) as pair:
        for cluster in pair:
            cluster.create_topic("odd", PARTITIONS)
            odd = {number: odd_records(400, number) for number in range(PARTITIONS)}
            load(cluster, "odd", odd, sizes=(1, 40, 7), codecs=CODECS)
            cluster.create_topic("big", segment_bytes=1 << 20)
            load(cluster, "big", {0: big_records()}, sizes=(20,))
            cluster.create_topic("paid")
            for number, outcome in enumerate(("commit", "abort", "commit", "abort")):
                records = plain_records(30, first=number * 30)
                cluster.produce("paid", 0, records, {"transactional.id": f"paid-{cluster.name}"}, outcome=outcome)
            cluster.create_topic("open")
            cluster.produce("open", 0, plain_records(20))
            cluster.produce(
                "open",
                0,
                plain_records(10, first=20),
                {"transactional.id": "open", "transaction.timeout.ms": 900_000},
                outcome="open",
            )
            cluster.create_topic("live", PARTITIONS)
        writer = Writer(
            pair.left,
            "live",
            PARTITIONS,
            lambda _, at: plain_records(1, first=at)[0],
            at_once=2000,
            settings={},
        )
        writer.start()
        writer.wait_acknowledged([1000] * PARTITIONS)
        copy = folder / "copy"
        snapshot.hot_copy(pair.left.log_dir, copy, before=lambda _: None)
        # So slowly that records arrive meanwhile, however busy the machine is.
        slowly = ("--rate-limit", "200kB/s", "--allow-tail", "both")
        running = [compare(pair.left.view("live"), logdir(pair.left.log_dir, "live"), *slowly) for _ in range(3)]
        writer.stop()
        pair.left.stop()
        yield Written(pair, pair.left.log_dir, copy, running)


def logdir(path: Path, topic: str) -> str:
    return f"logdir:{path}/{topic}"


def check(view: str, *options: str) -> Answer:
    """Runs ``kcompare check --output json``."""
    return answer(run("check", view, "--output", "json", *options), schema="check")


@pytest.mark.parametrize("topic", ["odd", "big", "paid"])
@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_a_stopped_broker_holds_what_the_running_one_serves(written: Written, topic: str, isolation: str) -> None:
    directory, cluster = logdir(written.directory, topic), written.pair.right.view(topic)
    for views in ((directory, cluster), (cluster, directory)):
        found = compare(*views, "--isolation", isolation)
        assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    stopped = [one["right"] for one in found.partitions]
    assert {side["end_reason"] for side in stopped} == {"clean_shutdown"}
    assert {side["high_watermark"] for side in stopped} == {side["high_watermark_checkpoint"] for side in stopped}
    expected = {"odd": 1200, "big": BIG, "paid": 60 if isolation == "read_committed" else 120}
    assert found.document["totals"]["compared_records"] == expected[topic]


def test_an_open_transaction_stays_open_on_disk(written: Written) -> None:
    found = compare(logdir(written.directory, "open"), written.pair.right.view("open"), "--settle", "1s")
    assert (found.code, found.verdict) == (3, "INCONCLUSIVE")
    assert ("left", "open_transaction") in found.unverified
    assert found.partition(0)["left"]["last_stable_offset"] == 20


def test_a_stopped_broker_is_sound(written: Written) -> None:
    view = logdir(written.directory, "")
    found = check(view, "--topics", ".*", "--expect-topics", "5")
    assert (found.code, found.verdict) == (0, "SOUND"), found.document["findings"]
    topics = {topic["topic"]: topic for topic in found.document["topics"]}
    assert sum(one["coverage"]["records"] for one in topics["odd"]["partitions"]) == 1200
    assert topics["big"]["partitions"][0]["segments"] > 2
    for topic in topics.values():
        for one in topic["partitions"]:
            start, covered = one["start"], one["coverage"]
            assert (start["refused"], start["discarded_records"], start["hidden_records"]) == (None, 0, 0)
            assert start["log_end_offset"] == covered["high_watermark"]
    kinds = {(one["topic"], one["kind"]) for one in found.document["findings"] if one["effect"] != "explained"}
    assert ("open", "open_transaction") in kinds


def test_a_running_cluster_is_sound(written: Written) -> None:
    for topic, records in (("odd", 1200), ("paid", 120)):
        found = check(written.pair.right.view(topic))
        assert (found.code, found.document["totals"]["records"]) == (0, records)


def test_a_difference_is_found_between_disk_and_wire(written: Written, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(written.directory, copy)
    (segment, *_) = snapshot.segments(copy, "odd", 1)
    file = copy / "odd-1" / f"{segment.base_offset:020}.log"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    found = compare(logdir(copy, "odd"), written.pair.right.view("odd"))
    assert (found.code, found.verdicts) == (3, ["EQUAL", "INCONCLUSIVE", "EQUAL"])
    damaged = check(logdir(copy, "odd"))
    assert (damaged.code, damaged.verdict) == (1, "DAMAGED")


def test_a_segment_that_is_deleted_is_found_alone_and_beside_its_cluster(written: Written, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(written.directory, copy)
    gone = snapshot.segments(copy, "big", 0)[1]
    snapshot.remove_segment(copy, "big", 0, gone)
    found = check(logdir(copy, "big"))
    assert (found.code, found.verdict) == (1, "DAMAGED")
    defects = [one for one in found.document["findings"] if one["effect"] == "defect"]
    assert [(one["kind"], one["offsets"]) for one in defects] == [
        ("missing_segment", [gone.base_offset, gone.next_base_offset])
    ]
    for other in (written.pair.right.view("big"), logdir(written.directory, "big")):
        beside = compare(logdir(copy, "big"), other)
        assert (beside.code, beside.verdict) == (3, "INCONCLUSIVE")
        assert ("left", "missing_segment") in beside.unverified


@pytest.mark.parametrize("which", [0, -1])
def test_a_first_or_last_segment_that_is_deleted_is_never_sound(written: Written, tmp_path: Path, which: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(written.directory, copy)
    snapshot.remove_segment(copy, "big", 0, snapshot.segments(copy, "big", 0)[which])
    found = check(logdir(copy, "big"))
    assert found.verdict != "SOUND"
    assert found.code in {1, 3}
    words = {one["reason"] for one in found.document["findings"]}
    assert words & {"first_segment_missing", "last_segment_missing"}


def test_a_hot_copy_is_a_prefix_of_what_went_on(written: Written) -> None:
    for topic in ("odd", "big", "paid"):
        found = compare(logdir(written.copy, topic), written.pair.right.view(topic))
        assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    found = compare(logdir(written.copy, "live"), logdir(written.directory, "live"), "--allow-tail", "right")
    assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    assert found.document["notes"] == ["same_lineage"]
    ends = [one["left"]["high_watermark"] for one in found.partitions]
    assert all(0 < end < one["right"]["high_watermark"] for end, one in zip(ends, found.partitions, strict=True))
    strict = compare(logdir(written.copy, "live"), logdir(written.directory, "live"))
    assert (strict.code, strict.verdict) == (1, "DIFFERENT")
    assert {one["kind"] for each in strict.partitions for one in differences(each)} == {"only_right"}
    (view,) = tail(logdir(written.copy, "live")).document["views"]
    assert view["common_prefix_stop"] == min(ends)


def test_a_directory_under_a_broker_that_writes_is_never_equal(written: Written) -> None:
    assert len(written.running) == 3
    for found in written.running:
        assert (found.code, found.verdict) == (3, "INCONCLUSIVE"), found.why
        assert ("right", "changed_while_reading") in found.unverified


def test_the_same_directory_twice_is_refused(written: Written, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(written.directory)
    ended = run("compare", logdir(written.directory, "odd"), logdir(link, "odd"))
    assert ended.code == 2
    assert "lead to the same directory" in ended.stderr
    assert compare(logdir(written.directory, "odd"), logdir(link, "odd"), "--allow-same").verdict == "EQUAL"


def test_a_compacted_topic_is_sound_and_its_missing_segment_is_not(written: Written, tmp_path: Path) -> None:
    right = written.pair.right
    right.create_topic("compacted", cleanup_policy="compact", segment_bytes=1 << 20, min_cleanable_dirty_ratio=0.01)
    chance = random.Random(3)
    rows = [
        Record(b"%d" % (number % 50), chance.randbytes(4000), [], FIRST_TIMESTAMP + number) for number in range(1500)
    ]
    load(right, "compacted", {0: rows}, sizes=(20,))
    folder = right.log_dir / "compacted-0"
    checkpoint = right.log_dir / "cleaner-offset-checkpoint"

    def cleaned() -> bool:
        return any(line.startswith("compacted 0 ") for line in checkpoint.read_text().splitlines())

    wait_until(cleaned, "the cleaner never came")
    alter_topic(right, "compacted", min_cleanable_dirty_ratio="0.99")
    # Behind what was cleaned, and farther away from it than compaction nearby explains anything.
    load(right, "compacted", {0: plain_records(150_000)}, sizes=(2000,))
    copy = tmp_path / "copy"
    snapshot.hot_copy(right.log_dir, copy, before=lambda _: None)
    found = check(logdir(copy, "compacted"))
    assert (found.code, found.verdict) == (0, "SOUND"), found.document["findings"]
    (topic,) = found.document["topics"]
    assert (topic["compacted"], topic["partitions"][0]["coverage"]["gap_offsets"]["compacted"] > 0) == (True, True)
    assert len(snapshot.segments(copy, "compacted", 0)) == len(list(folder.glob("*.log")))
    assert compare(logdir(copy, "compacted"), right.view("compacted"), "--mode", "log").verdict == "EQUAL"
    assert compare(logdir(copy, "compacted"), right.view("compacted")).unverified == {(None, "mode_not_available")}
    gone = snapshot.segments(copy, "compacted", 0)[-2]
    snapshot.remove_segment(copy, "compacted", 0, gone)
    found = check(logdir(copy, "compacted"))
    assert (found.code, found.verdict) == (1, "DAMAGED")
    defects = [one for one in found.document["findings"] if one["effect"] == "defect"]
    assert [one["offsets"] for one in defects] == [[gone.base_offset, gone.next_base_offset]]


def test_the_document_of_a_check_keeps_its_schema(written: Written) -> None:
    ended = run("check", logdir(written.directory, "nowhere"), "--output", "json")
    found = answer(ended, schema="check")
    assert (found.code, found.verdict) == (2, None)
