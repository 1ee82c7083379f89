"""The consumer data path against real brokers: the report of the native path, or INCONCLUSIVE, never a false EQUAL."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.engine.compare import CompareRequest
from kcompare.engine.compare import compare as compare_request
from kcompare.engine.progress import ProgressBoard
from kcompare.errors import TopicNotFoundError
from kcompare.model import DataPath, Effect, IsolationLevel, Mode, Verdict, View
from kcompare.settings.cluster import ClusterSettings
from tests.integration.kafka import Batch, BulkLoad, Record, encode_batch
from tests.integration.kafka.batches import CODECS
from tests.integration.support import (
    GatedProxy,
    fresh,
    load,
    odd_records,
    plain_records,
    wait_until,
)
from tests.integration.test_compare_compacted import EAGER, compact, updates
from tests.integration.test_compare_transactions import PARTS, transactions
from tests.integration.test_promises import METADATA, auto_create
from tests.support.clusters import check_report, findings, only, reasons

if TYPE_CHECKING:
    from kcompare.model import Report
    from tests.integration.kafka import Cluster, Pair, RecordingProxy

# What librdkafka sends for a comparison: ListOffsets, Metadata and DescribeConfigs for the administrator, Fetch for
# records, and FindCoordinator because it will not assign() without a group.
SENT = {1, 2, 3, 10, 18, 32}
ALL_SIDES = ("left", "right")


def view(bootstrap: str, topic: str) -> View:
    host, port = bootstrap.rsplit(":", 1)
    return View(f"kafka://{bootstrap}/{topic}", "kafka", topic, ((host, int(port)),))


def compare(
    left: View, right: View, *, by: tuple[str, ...] = ("left",), timeout_s: float = 60.0, **options: Any
) -> Report:
    """Compares two views, with the sides that ``by`` names read by librdkafka."""
    limit = round(1000 * timeout_s)
    native = ClusterSettings(request_timeout_ms=min(limit, 30_000), stall_timeout_ms=limit)
    settings = {side: replace(native, data_path=DataPath.CONSUMER) if side in by else native for side in ALL_SIDES}
    request = CompareRequest(left, right, left_settings=settings["left"], right_settings=settings["right"], **options)
    report = compare_request(request, board=ProgressBoard())
    check_report(report)
    assert set(report.notes) == {f"{side}_headers_as_delivered" for side in by}
    return report


def compared(kafka: Pair, topic: str, *, by: tuple[str, ...] = ALL_SIDES, **options: Any) -> Report:
    """Compares a topic of both clusters."""
    return compare(*(view(cluster.bootstrap, topic) for cluster in kafka), by=by, **options)


def essence(report: Report) -> list[dict[str, Any]]:
    """Everything that a report says of its partitions."""
    return [asdict(partition) for topic in report.topics for partition in topic.partitions]


def deliverable(records: list[Record]) -> list[Record]:
    """Without header names that are no UTF-8."""
    return [
        record._replace(headers=[(name, value) for name, value in record.headers if isinstance(name, str)])
        for record in records
    ]


ODDEST = [
    Record(b"k", b"v", [], 0),
    Record(None, None, [], -1),
    Record(b"k", None, [("h", None), ("h", b""), ("h", None)]),
    Record(b"", b"", [("", None), ("\N{KEY}", b"\xff")], 1),
    Record(b"", None, [("h", b"")], -7),
]


@pytest.fixture(scope="module")
def odd(kafka: Pair) -> str:
    """Every kind of record in every codec, in batches of different shapes; one partition differs at offset 700."""
    topic = fresh("odd")
    data = {number: [*deliverable(odd_records(1200, seed=number)), *ODDEST] for number in range(3)}
    shapes = (([1, 37, 200], CODECS), ([90, 300, 5, 11], ["zstd", "none", "lz4", "snappy", "gzip", "snappy"]))
    for cluster, (sizes, codecs) in zip(kafka, shapes, strict=True):
        cluster.create_topic(topic, 3)
        load(cluster, topic, data, sizes=sizes, codecs=codecs)
        data[2] = [*data[2][:700], data[2][700]._replace(value=b"other"), *data[2][701:]]
    return topic


@pytest.mark.parametrize("by", [("left",), ("right",), ALL_SIDES], ids="+".join)
def test_the_report_is_that_of_the_native_path(kafka: Pair, odd: str, by: tuple[str, ...]) -> None:
    native = compared(kafka, odd, by=())
    assert [partition.verdict for partition in native.topics[0].partitions] == [
        Verdict.EQUAL,
        Verdict.EQUAL,
        Verdict.DIFFERENT,
    ]
    choices: tuple[dict[str, Any], ...] = ({}, {"workers": 1}, {"budget_bytes": 8 << 20})
    for options in choices:
        found = compared(kafka, odd, by=by, **options)
        assert found.exit_code == 1
        assert essence(found) == essence(native)
    assert (found.left.cluster_id, found.left.topic_id) == (native.left.cluster_id, native.left.topic_id)


def test_a_reader_goes_from_slice_to_slice(kafka: Pair, topic_name: str) -> None:
    for cluster, size in zip(kafka, (500, 333), strict=True):
        cluster.create_topic(topic_name, 2)
        cluster.bulk_load(topic_name, [0, 1], BulkLoad(records=200_000, batch_records=size))
    native = compared(kafka, topic_name, by=())
    # Slices are cells here, and one worker reads those of all partitions with one reader a side.
    for workers in (1, 3):
        found = compared(kafka, topic_name, workers=workers)
        assert found.verdict is Verdict.EQUAL
        assert found.totals.compared_records == 400_000
        assert essence(found) == essence(native)


def test_a_header_name_that_cannot_be_delivered_is_unverified(kafka: Pair, topic_name: str) -> None:
    records = plain_records(50)
    records[30] = records[30]._replace(headers=[("good", b"1"), (b"\xff\xfe", b"2"), (b"\xfd", b"3")])
    for cluster in kafka:
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: records}, sizes=[7])
    assert compared(kafka, topic_name, by=()).verdict is Verdict.EQUAL
    for by in (("left",), ALL_SIDES):
        report = compared(kafka, topic_name, by=by)
        assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
        assert "not_delivered" in reasons(report)
        left = only(report).left
        assert left is not None
        assert (left.records, left.uncovered_offsets) == (30, 20)


def test_what_follows_a_nul_in_a_header_name_is_not_seen_and_the_report_says_so(kafka: Pair, topic_name: str) -> None:
    """Librdkafka hands names out as C strings: a limit that nothing can lift from here, so it must never be silent."""
    for cluster, name in zip(kafka, (b"a\0one", b"a\0two"), strict=True):
        cluster.create_topic(topic_name)
        record = plain_records(1)[0]._replace(headers=[(name, b"1")])
        cluster.produce_batches(topic_name, 0, [encode_batch([record])])
    assert compared(kafka, topic_name, by=()).verdict is Verdict.DIFFERENT
    found = compared(kafka, topic_name)
    assert found.verdict is Verdict.EQUAL
    assert found.notes == ("left_headers_as_delivered", "right_headers_as_delivered")


def test_log_append_time(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name)
    kafka.right.create_topic(topic_name, message_timestamp_type="LogAppendTime")
    for cluster in kafka:
        load(cluster, topic_name, {0: plain_records(300)}, sizes=[40])
    native, found = compared(kafka, topic_name, by=()), compared(kafka, topic_name)
    assert found.verdict is Verdict.EQUAL
    assert only(found).fields == only(native).fields
    assert essence(found) == essence(native)


@pytest.fixture(scope="module")
def transactional(kafka: Pair) -> str:
    """Committed and aborted transactions on the left, a plain copy of what was committed on the right."""
    topic = fresh("transactional")
    kafka.left.create_topic(topic)
    kafka.right.create_topic(topic)
    records = transactions(kafka.left, topic, PARTS)
    load(kafka.right, topic, {0: [record for outcome, record in records if outcome == "commit"]})
    return topic


def test_markers_and_aborted_records_are_holes_without_a_cause(kafka: Pair, transactional: str) -> None:
    report = compared(kafka, transactional)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert reasons(report) == {"unexplained_gap"}
    assert not findings(report, Effect.DIFFERENCE)
    left = only(report).left
    assert left is not None
    # The last offset is that of a marker, so only the end of the partition says that it is passed.
    assert (left.records, left.gap_offsets.unexplained, left.uncovered_offsets) == (9, 7, 0)
    allowed = compared(kafka, transactional, allow_gaps=True)
    assert (allowed.verdict, only(allowed).compared_records) == (Verdict.EQUAL, 9)


def test_aborted_records_are_records_when_they_are_to_be_read(kafka: Pair, transactional: str) -> None:
    options: dict[str, Any] = {"left_isolation": IsolationLevel.READ_UNCOMMITTED, "allow_gaps": True}
    native, found = compared(kafka, transactional, by=(), **options), compared(kafka, transactional, **options)
    assert found.verdict is native.verdict is Verdict.DIFFERENT
    assert only(found).first_divergence == only(native).first_divergence


def test_an_open_transaction_is_unverified(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name)
    kafka.right.create_topic(topic_name)
    records = transactions(kafka.left, topic_name, [("commit", 6), ("open", 4)])
    load(kafka.right, topic_name, {0: [record for _, record in records]})
    started = time.monotonic()
    report = compared(kafka, topic_name, settle_s=1.0, allow_gaps=True)
    assert time.monotonic() - started < 30
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert "open_transaction" in reasons(report)


def test_a_compacted_log_against_its_survivors(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name, **EAGER)
    kafka.right.create_topic(topic_name)
    left = compact(kafka.left, topic_name, updates(300))
    load(kafka.right, topic_name, {0: left})
    assert compared(kafka, topic_name).verdict is Verdict.INCONCLUSIVE
    report = compared(kafka, topic_name, mode=Mode.LOG)
    assert (report.verdict, only(report).compared_records) == (Verdict.EQUAL, len(left))
    load(kafka.right, topic_name, {0: left[:1]})
    assert compared(kafka, topic_name, mode=Mode.LOG).verdict is Verdict.DIFFERENT


def flip_on_disk(cluster: Cluster, topic: str, at: int) -> None:
    """Flips a bit in the only segment of a partition; the page cache is what the broker reads."""
    (segment,) = (cluster.log_dir / f"{topic}-0").glob("*.log")
    with segment.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


# Where in the fifth of ten equal batches, and what it hits. Base offset, length and leader epoch lie outside the CRC.
PLACES = {"base_offset": 6, "length": 10, "leader_epoch": 15, "magic": 16, "crc": 18, "codec": 22, "value": 100}


@pytest.mark.parametrize("place", PLACES)
def test_a_bit_that_flips_on_disk_is_never_equal(kafka: Pair, topic_name: str, place: str) -> None:
    batches = [encode_batch(plain_records(20, first=first)) for first in range(0, 200, 20)]
    for cluster in kafka:
        cluster.create_topic(topic_name)
        cluster.produce_batches(topic_name, 0, batches)
    before = sum(map(len, batches[:4]))
    flip_on_disk(kafka.left, topic_name, before + PLACES[place])
    report = compared(kafka, topic_name, timeout_s=3.0)
    if place == "leader_epoch" and report.verdict is Verdict.EQUAL:
        # Not a byte of a record: all of them were read and compared.
        assert only(report).compared_records == 200
        return
    assert report.verdict is Verdict.INCONCLUSIVE
    assert not findings(report, Effect.DIFFERENCE)
    left = only(report).left
    assert left is not None
    assert left.uncovered_offsets + left.gap_offsets.unexplained >= 20


def test_nothing_but_reading_requests(kafka: Pair, topic_name: str) -> None:
    for cluster in kafka:
        cluster.create_topic(topic_name, 2)
        load(cluster, topic_name, {0: plain_records(500), 1: odd_records(10, seed=1)})
    with GatedProxy(kafka.left.broker) as proxy:
        compare(view(proxy.bootstrap, topic_name), view(kafka.right.bootstrap, topic_name))
        held_to_read_only(proxy)


def held_to_read_only(proxy: RecordingProxy) -> None:
    assert proxy.api_keys == SENT, proxy.api_names
    assert isinstance(proxy, GatedProxy)
    flags = {auto_create(body, version) for version, body in proxy.bodies(METADATA)}
    assert flags == {False}


def test_a_topic_that_does_not_exist_is_not_created(kafka: Pair, topic_name: str) -> None:
    kafka.right.create_topic(topic_name)
    typo = fresh("typo")
    with GatedProxy(kafka.left.broker) as proxy:
        with pytest.raises(TopicNotFoundError, match=typo):
            compare(view(proxy.bootstrap, typo), view(kafka.right.bootstrap, topic_name))
        assert all(not auto_create(body, version) for version, body in proxy.bodies(METADATA))
    assert typo not in kafka.left.admin.list_topics(timeout=30).topics


def test_a_broker_that_is_not_there(kafka: Pair, topic_name: str) -> None:
    kafka.right.create_topic(topic_name)
    nobody = "127.0.0.1:1"
    report = compare(view(nobody, topic_name), view(kafka.right.bootstrap, topic_name), timeout_s=5.0)
    assert report.exit_code == 5
    assert [error.code for error in report.errors] == ["UNREACHABLE"]


def test_retention_that_passes_the_reader(kafka: Pair, topic_name: str) -> None:
    from kcompare.sources.consumer_source import ConsumerSource

    for cluster in kafka:
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: plain_records(100)}, sizes=[10])
    original = ConsumerSource.read

    def late(self: ConsumerSource, *arguments: Any) -> Any:
        kafka.left.delete_records(topic_name, 0, 50)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConsumerSource, "read", late)
        report = compared(kafka, topic_name, by=("left",))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "lost_to_retention" in reasons(report)


def test_a_leader_that_changed_is_unverified(kafka: Pair, topic_name: str) -> None:
    from kcompare.sources.consumer_source import ConsumerSource

    for cluster in kafka:
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: plain_records(100)}, sizes=[10])
    original = ConsumerSource.bounds
    asked = set()

    def elected(self: ConsumerSource) -> Any:
        good, bad = original(self)
        again = self in asked
        asked.add(self)
        return tuple(replace(one, leader_epoch=one.leader_epoch + again) for one in good), bad

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConsumerSource, "bounds", elected)
        report = compared(kafka, topic_name, by=("left",))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "changed_while_reading" in reasons(report)


def test_a_segment_that_is_missing_is_unverified(kafka: Pair, topic_name: str) -> None:
    for cluster in kafka:
        cluster.create_topic(topic_name, segment_bytes=1 << 20)
    batch = encode_batch([record._replace(value=b"x" * 300_000) for record in plain_records(2)], Batch())
    for cluster in kafka:
        cluster.produce_batches(topic_name, 0, [batch] * 10)
    folder = kafka.left.log_dir / f"{topic_name}-0"
    segments = sorted(folder.glob("*.log"))
    assert len(segments) > 4
    kafka.left.stop()
    try:
        for file in folder.glob(f"{segments[2].stem}.*"):
            file.unlink()
    finally:
        kafka.left.start()
    wait_until(lambda: kafka.left.offsets(topic_name, 0) == (0, 20), "the partition did not come back")
    report = compared(kafka, topic_name)
    assert report.verdict is not Verdict.EQUAL
    assert "unexplained_gap" in reasons(report) or report.verdict is Verdict.DIFFERENT
