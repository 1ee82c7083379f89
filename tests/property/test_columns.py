"""The same records give the same digests, whether they come as batches or as another client's messages."""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kcompare import _native
from kcompare.sources.columns import push
from kcompare.store import tables
from tests.support.logs import Record
from tests.support.messages import messages
from tests.support.random_logs import random_cuts, store_plain

if TYPE_CHECKING:
    from tests.support.clusters import Clusters

BYTES = st.none() | st.binary(max_size=200)
NAMES = st.text(max_size=80).map(str.encode)
RECORDS = st.lists(
    st.builds(
        Record,
        st.integers(1, 3),
        st.sampled_from((-1, 0, 1, 2**40)) | st.integers(-5, 2**45),
        BYTES,
        BYTES,
        st.lists(st.tuples(NAMES, BYTES), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=120,
)
# What tells digests and their places apart; bytes, batches and the causes of holes are a matter of the data path.
LANES = ["first_offset", "last_offset", "min_timestamp", "max_timestamp", "anchors", "count", "content"]
LANES += ["timestamps", "offsets", "sum_content", "sum_joint", "start", "stop"]


def spread(records: list[Record], start: int) -> list[Record]:
    """The records at ascending offsets: each says by its own how far it is from the one before."""
    at, found = start - 1, []
    for record in records:
        at += record.offset
        found.append(record.at(at))
    return found


def through_the_wire(clusters: Clusters, records: list[Record], rng: Random, stop: int) -> tuple[Any, Any]:
    view = clusters.left.create([store_plain(records, rng, start=records[0].offset, stop=stop)], topic="columns")
    cancel = _native.CancelToken()
    cluster = _native.Cluster(
        bootstrap=list(view.bootstrap),
        client_id="test",
        rack_id=None,
        connect_timeout_ms=1000,
        request_timeout_ms=5000,
        stall_timeout_ms=5000,
        cancel=cancel,
    )
    limits: dict[str, Any] = {
        "topic": "columns",
        "topic_id": clusters.left.topic_ids["columns"],
        "partition": 0,
        "start": records[0].offset,
        "stop": stop,
        "isolation_level": "read_committed",
        "budget": _native.MemoryBudget(total_bytes=64 << 20, workers=1),
        "cancel": cancel,
    }
    try:
        cells = cluster.read_cells(
            checkpoints=[], settle_ms=0, bytes_per_offset=0, progress=_native.Progress(), **limits
        )
        return cells, cluster.read_rows(limit=1 << 20, **limits)
    finally:
        clusters.left.store.delete_topic(name="columns")


@settings(max_examples=60)
@given(records=RECORDS, start=st.sampled_from((0, 7, 65_500)), copies=st.integers(1, 30), seed=st.integers(0, 2**32))
def test_columns_and_batches_give_the_same_digests(
    clusters: Clusters, records: list[Record], start: int, copies: int, seed: int
) -> None:
    # Many copies, so that there are anchors.
    records = spread(records * copies, start)
    rng = Random(seed)
    stop = records[-1].offset + 1
    native, native_rows = through_the_wire(clusters, records, rng, stop)
    cells = _native.ColumnSlice.cells(start=records[0].offset, stop=stop, checkpoints=[], progress=_native.Progress())
    rows = _native.ColumnSlice.row_table(start=records[0].offset, stop=stop, limit=1 << 20)
    borders = sorted({0, *random_cuts(rng, len(records)), len(records)})
    for begin, after in itertools.pairwise(borders):
        for taker in (cells, rows):
            push(taker, messages(records[begin:after]))
    found = cells.finish()
    assert native.end == "reached"
    assert (found.position, found.records) == (stop, len(records))
    ours, theirs = tables.cells(found.rows), tables.cells(native.rows)
    for lane in LANES:
        assert ours[lane].tolist() == theirs[lane].tolist(), lane
    assert found.anchors == native.anchors
    assert rows.finish().rows == native_rows.rows
