"""The same log gives the same digests from the files of a log directory as from a broker that serves it."""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcompare import _native
from kcompare.model import OffsetRelation, Verdict
from tests.support.clusters import only, run
from tests.support.files import log_directory, store, topic_view
from tests.support.random_logs import TIMESTAMPS, VALUES, Shape, random_records, store_plain, store_transactional

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clusters import Clusters
    from tests.support.logs import Log

SEEDS = st.integers(0, 2**32)
SHAPES = st.builds(
    Shape,
    seed=SEEDS,
    count=st.integers(0, 400),
    values=st.sampled_from(VALUES),
    timestamps=st.sampled_from(TIMESTAMPS),
    holes=st.booleans(),
)
FIELDS = ("rows", "anchors", "records", "bytes", "end", "position", "unread", "unexplained", "leader_epochs")

_numbers = itertools.count()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logdirs")


def random_log(shape: Shape, events: int, *, transactional: bool) -> Log:
    records = random_records(shape)
    if transactional:
        return store_transactional(records, Random(events), Random(events + 1))
    return store_plain(records, Random(events))


def on_disk(root: Path, log: Log, seed: int, **options: Any) -> Path:
    rng = Random(seed)
    path = log_directory(root / str(next(_numbers)))
    store(path, log, rolls=[number for number in range(1, len(log.frames)) if rng.random() < 0.2], **options)
    return path


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, events=SEEDS, seed=SEEDS, transactional=st.booleans())
def test_files_and_brokers_give_the_same_rows(
    clusters: Clusters, root: Path, shape: Shape, events: int, seed: int, *, transactional: bool
) -> None:
    log = random_log(shape, events, transactional=transactional)
    view = clusters.left.create([log], topic="logdirs")
    rng, cancel = Random(seed), _native.CancelToken()
    cluster = _native.Cluster(
        bootstrap=list(view.bootstrap),
        client_id="test",
        rack_id=None,
        connect_timeout_ms=1000,
        request_timeout_ms=5000,
        stall_timeout_ms=5000,
        cancel=cancel,
    )
    directories = _native.LogDirs(paths=[str(on_disk(root, log, seed))], cancel=cancel)
    try:
        (found,) = directories.bounds(topic="t")
        assert (found.error, found.log_end_offset, found.lost) == ("", log.end, [])
        for isolation in ("read_committed", "read_uncommitted"):
            ends = sorted((rng.randint(log.log_start_offset, log.end), rng.randint(log.log_start_offset, log.end)))
            for start, stop in ((log.log_start_offset, log.end), ends):
                shared: dict[str, Any] = {
                    "partition": 0,
                    "start": start,
                    "stop": stop,
                    "isolation_level": isolation,
                    "budget": _native.MemoryBudget(total_bytes=64 << 20, workers=1),
                    "cancel": cancel,
                }
                wire = {"topic": "logdirs", "topic_id": clusters.left.topic_ids["logdirs"], **shared}
                cells: dict[str, Any] = {"checkpoints": [(start + stop) // 2], "progress": _native.Progress()}
                expected = cluster.read_cells(settle_ms=0, bytes_per_offset=0, **wire, **cells)
                got = directories.read_cells(topic="t", **shared, **cells)
                names = [name for name in FIELDS if name != "bytes" or (start, stop) == (log.log_start_offset, log.end)]
                assert [getattr(got, name) for name in names] == [getattr(expected, name) for name in names]
                assert directories.read_rows(topic="t", limit=50, **shared).rows == (
                    cluster.read_rows(limit=50, **wire).rows
                )
                limits: dict[str, Any] = {"limit": 7, "value_limit_bytes": 5}
                assert (
                    directories.read_records(topic="t", **limits, **shared)[0]
                    == (cluster.read_records(**limits, **wire)[0])
                )
    finally:
        clusters.left.store.delete_topic(name="logdirs")


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES.filter(lambda shape: shape.count > 0), events=SEEDS, seed=SEEDS, transactional=st.booleans())
def test_a_directory_equals_the_cluster_and_another_directory(
    clusters: Clusters, root: Path, shape: Shape, events: int, seed: int, *, transactional: bool
) -> None:
    log = random_log(shape, events, transactional=transactional)
    left, right = (topic_view([on_disk(root, log, number)]) for number in (seed, seed + 1))
    cluster = clusters.left.create([log], topic="t")
    try:
        for views in ((left, cluster), (cluster, right), (left, right)):
            report = run(*views)
            assert (report.verdict, only(report).offsets.relation) == (Verdict.EQUAL, OffsetRelation.IDENTICAL)
    finally:
        clusters.left.store.delete_topic(name="t")
