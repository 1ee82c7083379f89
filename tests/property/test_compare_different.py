"""One mutation, and the comparison says where: the first divergence is that of the oracle, to the offset."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kcompare.model import FirstDivergence, RecordField, Verdict
from tests.support.clusters import differences, only, partitions
from tests.support.logs import Log, closed_up
from tests.support.oracle import AUTO, CONTENT, expect
from tests.support.random_logs import (
    CHANGES,
    MUTATIONS,
    TIMESTAMPS,
    VALUES,
    Mutated,
    Shape,
    change_value,
    double,
    drop_closed_up,
    drop_kept,
    random_records,
    store_plain,
    swap,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcompare.model import PartitionReport
    from tests.support.clusters import Clusters
    from tests.support.logs import Record

SEEDS = st.integers(0, 2**32)
SHAPES = st.builds(
    Shape,
    seed=SEEDS,
    count=st.integers(1, 400),
    values=st.sampled_from(VALUES),
    timestamps=st.sampled_from(TIMESTAMPS),
    holes=st.booleans(),
)
PLACES = st.integers(0, 399)


def place(at: FirstDivergence | None) -> tuple[int | None, int | None] | None:
    return None if at is None else (at.left_offset, at.right_offset)


def stored(records: list[Record], mutated: Mutated, seed: int) -> list[Log]:
    start = records[0].offset
    stop = records[-1].offset + 1
    right_start = mutated.start if mutated.start is not None else start
    return [
        store_plain(records, Random(seed), start=start, stop=stop),
        store_plain(mutated.records, Random(seed + 1), start=right_start, stop=mutated.stop),
    ]


def check_first(found: PartitionReport, records: list[Record], mutated: Mutated) -> None:
    expected = expect(records, mutated.records)
    first = found.first_divergence
    wanted = expected.by_offset if mutated.kept else expected.by_ordinal
    assert place(first) == place(wanted)


@settings(max_examples=300)
@given(mutation=st.sampled_from(MUTATIONS), shape=SHAPES, at=PLACES, seed=SEEDS)
@example(mutation=drop_kept, shape=Shape(0, 3, "constant", "none"), at=0, seed=0)
@example(mutation=drop_kept, shape=Shape(0, 3, "constant", "none"), at=2, seed=0)
@example(mutation=drop_closed_up, shape=Shape(0, 400), at=395, seed=0)
@example(mutation=double, shape=Shape(0, 400), at=395, seed=0)
@example(mutation=swap, shape=Shape(0, 2), at=0, seed=0)
def test_one_mutation_is_found_where_it_is(
    clusters: Clusters,
    mutation: Callable[[list[Record], int, Random], Mutated],
    shape: Shape,
    at: int,
    seed: int,
) -> None:
    records = random_records(shape)
    mutated = mutation(records, min(at, len(records) - 1), Random(seed))
    assume(mutated.records)
    expected = expect(records, mutated.records)
    left, right = stored(records, mutated, seed)
    found = only(clusters.compare([left], [right]))
    assert found.verdict is expected.verdict
    if expected.verdict is Verdict.EQUAL:
        return
    check_first(found, records, mutated)
    first = found.first_divergence
    assert first is not None
    if mutation in CHANGES:
        assert first.fields == CHANGES[mutation]
    assert found.findings[0].kind in mutated.kinds


@settings(max_examples=60)
@given(
    mutation=st.sampled_from(MUTATIONS),
    shape=SHAPES,
    at=PLACES,
    seed=SEEDS,
    which=st.integers(0, 2),
    flip=st.booleans(),
)
def test_only_the_partition_that_differs_is_different(
    clusters: Clusters,
    mutation: Callable[[list[Record], int, Random], Mutated],
    shape: Shape,
    at: int,
    seed: int,
    which: int,
    flip: bool,  # noqa: FBT001 - drawn
) -> None:
    records = random_records(shape)
    mutated = mutation(records, min(at, len(records) - 1), Random(seed))
    assume(mutated.records and expect(records, mutated.records).verdict is Verdict.DIFFERENT)
    pair = stored(records, mutated, seed)
    left, right = pair[::-1] if flip else pair
    sound = store_plain(records, Random(seed))
    topic = ([sound, sound, sound], [sound, sound, sound])
    topic[0][which], topic[1][which] = left, right
    report = clusters.compare(*topic)
    assert report.verdict is Verdict.DIFFERENT
    verdicts = [found.verdict for found in partitions(report)]
    assert verdicts == [Verdict.DIFFERENT if number == which else Verdict.EQUAL for number in range(3)]


@settings(max_examples=100)
@given(mutation=st.sampled_from(MUTATIONS), shape=SHAPES, at=PLACES, seed=SEEDS, shift=st.integers(1, 70_000))
def test_one_mutation_of_a_mirror_is_found_where_it_is(
    clusters: Clusters,
    mutation: Callable[[list[Record], int, Random], Mutated],
    shape: Shape,
    at: int,
    seed: int,
    shift: int,
) -> None:
    """A mirror has other offsets throughout, so places are counted in records."""
    records = random_records(shape)
    made = mutation(records, min(at, len(records) - 1), Random(seed)).records
    assume(made)
    mirror = closed_up(made, records[-1].offset + shift)
    expected = expect(records, mirror)
    found = only(clusters.compare([store_plain(records, Random(seed))], [store_plain(mirror, Random(seed + 1))]))
    assert found.verdict is expected.verdict
    assert place(found.first_divergence) == place(expected.by_ordinal)


@settings(max_examples=60)
@given(mutation=st.sampled_from(MUTATIONS), shape=SHAPES, at=PLACES, seed=SEEDS)
def test_with_offsets_compared_the_first_divergence_is_by_offset(
    clusters: Clusters,
    mutation: Callable[[list[Record], int, Random], Mutated],
    shape: Shape,
    at: int,
    seed: int,
) -> None:
    records = random_records(shape)
    mutated = mutation(records, min(at, len(records) - 1), Random(seed))
    assume(mutated.records)
    fields = (*AUTO, RecordField.OFFSET)
    expected = expect(records, mutated.records, fields)
    left, right = stored(records, mutated, seed)
    found = only(clusters.compare([left], [right], fields=fields))
    assert found.verdict is expected.verdict
    assert place(found.first_divergence) == place(expected.by_offset)


@settings(max_examples=40)
@given(shape=SHAPES, at=PLACES, seed=SEEDS)
def test_without_timestamps_a_changed_time_is_no_difference(
    clusters: Clusters, shape: Shape, at: int, seed: int
) -> None:
    records = random_records(shape)
    index = min(at, len(records) - 1)
    moved = records[index].timestamp + 1
    right = [*records]
    right[index] = type(right[index])(
        records[index].offset, moved, records[index].key, records[index].value, records[index].headers
    )
    logs = [store_plain(records, Random(seed))], [store_plain(right, Random(seed))]
    assert clusters.compare(*logs, fields=CONTENT).verdict is Verdict.EQUAL
    report = clusters.compare(*logs)
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    assert first.fields == (RecordField.TIMESTAMP,)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_mutation_is_told_apart_in_a_plain_log(
    clusters: Clusters, mutation: Callable[[list[Record], int, Random], Mutated]
) -> None:
    records = random_records(Shape(1, 100))
    at = next(i for i, record in enumerate(records) if i > 30 and len(set(record.headers)) > 1)
    mutated = mutation(records, at, Random(3))
    left, right = stored(records, mutated, 1)
    report = clusters.compare([left], [right])
    assert report.verdict is Verdict.DIFFERENT
    check_first(only(report), records, mutated)
    assert set(differences(report)) <= mutated.kinds


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    near=st.integers(-3, 3),
    cells=st.integers(1, 3),
    mutation=st.sampled_from((change_value, drop_kept, swap)),
)
def test_cell_borders_and_slices_hide_nothing(
    clusters: Clusters,
    seed: int,
    near: int,
    cells: int,
    mutation: Callable[[list[Record], int, Random], Mutated],
) -> None:
    """Few records around the borders of cells, and so many offsets that the plan has several slices."""
    rng = Random(seed)
    places = sorted({0, *(cell * 65_536 + d for cell in range(1, 20, 2) for d in (-2, -1, 0, 1))})
    records = [record.at(place) for record, place in zip(random_records(Shape(seed, len(places))), places, strict=True)]
    at = next(i for i, r in enumerate(records) if r.offset >= cells * 2 * 65_536 - 65_536 + near)
    mutated = mutation(records, at, rng)
    left, right = stored(records, mutated, seed)
    same = clusters.compare([left], [store_plain(records, Random(seed + 2), start=0)])
    assert same.verdict is Verdict.EQUAL
    found = only(clusters.compare([left], [right]))
    assert found.verdict is Verdict.DIFFERENT
    check_first(found, records, mutated)
