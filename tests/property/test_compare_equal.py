"""The same records, however they are stored, are EQUAL, and every one of them is counted."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kcompare.model import IsolationLevel, OffsetRelation, RecordField, Verdict
from tests.support.clusters import findings, only, partitions
from tests.support.logs import Log, closed_up, log_of
from tests.support.oracle import CONTENT
from tests.support.random_logs import (
    TIMESTAMPS,
    VALUES,
    Shape,
    random_cuts,
    random_records,
    store_plain,
    store_transactional,
)

if TYPE_CHECKING:
    from tests.support.clusters import Clusters

SEEDS = st.integers(0, 2**32)
SHAPES = st.builds(
    Shape,
    seed=SEEDS,
    count=st.integers(1, 400),
    values=st.sampled_from(VALUES),
    timestamps=st.sampled_from(TIMESTAMPS),
    holes=st.booleans(),
)


@settings(max_examples=80)
@given(shapes=st.lists(SHAPES, min_size=1, max_size=3), left=SEEDS, right=SEEDS)
def test_batches_and_codecs_do_not_matter(clusters: Clusters, shapes: list[Shape], left: int, right: int) -> None:
    topics = [random_records(shape) for shape in shapes]
    report = clusters.compare(
        [store_plain(records, Random(left)) for records in topics],
        [store_plain(records, Random(right)) for records in topics],
    )
    assert report.verdict is Verdict.EQUAL
    for found, records in zip(partitions(report), topics, strict=True):
        assert found.compared_records == len(records)
        assert (found.offsets.relation, found.offsets.shift) == (OffsetRelation.IDENTICAL, 0)


@settings(max_examples=60)
@given(shape=SHAPES, shift=st.integers(1, 200_000), left=SEEDS, right=SEEDS)
def test_shifted_offsets_are_equal_and_reported(
    clusters: Clusters, shape: Shape, shift: int, left: int, right: int
) -> None:
    records = random_records(shape)
    moved = [record.at(record.offset + shift) for record in records]
    report = clusters.compare([store_plain(records, Random(left))], [store_plain(moved, Random(right))])
    found = only(report)
    assert report.verdict is Verdict.EQUAL
    assert found.compared_records == len(records)
    assert (found.offsets.relation, found.offsets.shift) == (OffsetRelation.SHIFTED, shift)


@settings(max_examples=60)
@given(shape=SHAPES, events=SEEDS, left=SEEDS, right=SEEDS)
def test_a_mirror_of_transactions_is_equal(
    clusters: Clusters, shape: Shape, events: int, left: int, right: int
) -> None:
    records = random_records(shape)
    source = store_transactional(records, Random(events), Random(left))
    mirror = store_plain(closed_up(records), Random(right))
    report = clusters.compare([source], [mirror])
    found = only(report)
    assert report.verdict is Verdict.EQUAL
    assert found.compared_records == len(records)
    assert found.left is not None
    aborted = len(source.records("read_uncommitted")) - len(records)
    assert found.left.gap_offsets.aborted == aborted
    assert found.left.gap_offsets.control == source.end - len(records) - aborted


@settings(max_examples=40)
@given(shape=SHAPES, events=SEEDS, left=SEEDS, right=SEEDS)
def test_a_restored_copy_of_transactions_is_identical(
    clusters: Clusters, shape: Shape, events: int, left: int, right: int
) -> None:
    records = random_records(shape)
    copies = [store_transactional(records, Random(events), Random(seed)) for seed in (left, right)]
    found = only(clusters.compare(copies[:1], copies[1:]))
    assert found.verdict is Verdict.EQUAL
    assert found.offsets.relation is OffsetRelation.IDENTICAL


@settings(max_examples=40)
@given(shape=SHAPES, batches=SEEDS)
def test_times_of_the_broker_are_not_compared(clusters: Clusters, shape: Shape, batches: int) -> None:
    records = random_records(shape)
    rng = Random(batches)
    mirror = Log(records[0].offset).write(records, cuts=random_cuts(rng, len(records)), log_append_time=77)
    found = only(clusters.compare([store_plain(records, rng)], [mirror]))
    assert found.verdict is Verdict.EQUAL
    assert found.fields == CONTENT
    assert found.compared_records == len(records)


@settings(max_examples=40)
@given(shape=SHAPES, cut=st.integers(1, 399), left=SEEDS, right=SEEDS)
def test_a_log_may_start_inside_a_batch(clusters: Clusters, shape: Shape, cut: int, left: int, right: int) -> None:
    records = random_records(shape)
    start = records[min(cut, len(records) - 1)].offset
    whole = store_plain(records, Random(left)).cut_head(start)
    rest = [record for record in records if record.offset >= start]
    found = only(clusters.compare([whole], [store_plain(rest, Random(right))]))
    assert found.verdict is Verdict.EQUAL
    assert found.compared_records == len(rest)


@settings(max_examples=40)
@given(shape=SHAPES, shift=st.sampled_from((0, 1, 70_000)), left=SEEDS, right=SEEDS)
@example(shape=Shape(0, 1), shift=1, left=0, right=0)
def test_offsets_count_when_they_are_asked_for(
    clusters: Clusters, shape: Shape, shift: int, left: int, right: int
) -> None:
    records = random_records(shape)
    moved = [record.at(record.offset + shift) for record in records]
    logs = [store_plain(records, Random(left))], [store_plain(moved, Random(right))]
    report = clusters.compare(*logs, fields=(*CONTENT, RecordField.OFFSET))
    assert (report.verdict is Verdict.EQUAL) == (shift == 0)
    if shift:
        first = only(report).first_divergence
        assert first is not None
        assert first.left_offset == records[0].offset


def test_headers_keep_order_repeats_and_bytes(clusters: Clusters) -> None:
    shape = Shape(5, 400, "hot", "wild")
    records = random_records(shape)
    names = [name for record in records for name, _ in record.headers]
    assert any(names.count(name) > 1 for name in names)
    assert any(not name.isascii() for name in names)
    assert clusters.compare([log_of(records)], [log_of(records, batch=7)]).verdict is Verdict.EQUAL


def test_isolation_decides_whether_aborted_records_count(clusters: Clusters) -> None:
    source = store_transactional(random_records(Shape(3, 200)), Random(1), Random(2))
    everything = log_of(closed_up(source.records("read_uncommitted")))
    report = clusters.compare([source], [everything], left_isolation=IsolationLevel.READ_UNCOMMITTED)
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == len(source.records("read_uncommitted"))
    assert clusters.compare([source], [everything]).verdict is Verdict.DIFFERENT
    assert not findings(report, None) or only(report).left is not None
