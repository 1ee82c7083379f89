"""Random topics under random faults: whatever happens, the verdict is never wrong and the run ends.

``KCOMPARE_SCHEDULES`` sets how many seeds are tried, ``KCOMPARE_FIRST_SCHEDULE`` which is the first.
"""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.model import Verdict
from tests.support.clusters import FETCH, LIST_OFFSETS, METADATA, STALL_S, Clusters, FakeCluster, topic_id
from tests.support.hooks import Hooks, install
from tests.support.logs import Log, closed_up, log_of, numbered
from tests.support.oracle import same
from tests.support.random_logs import (
    MUTATIONS,
    TIMESTAMPS,
    VALUES,
    Shape,
    random_records,
    store_plain,
    store_transactional,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcompare.model import View
    from tests.support.logs import Record

FIRST = int(os.environ.get("KCOMPARE_FIRST_SCHEDULE", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("KCOMPARE_SCHEDULES", "60")))


def random_pair(rng: Random) -> tuple[Log, Log]:
    """One partition on both sides: equal, or one mutation apart, with offsets kept, shifted or mapped."""
    shape = Shape(
        rng.randrange(1 << 32), rng.randrange(1, 400), rng.choice(VALUES), rng.choice(TIMESTAMPS), rng.random() < 0.3
    )
    left = random_records(shape)
    right: list[Record] = left
    if rng.random() < 0.5:
        right = rng.choice(MUTATIONS)(left, rng.randrange(len(left)), rng).records or left
    match rng.randrange(3):
        case 0:
            return store_plain(left, rng), store_plain(right, rng)
        case 1:
            return store_plain(left, rng), store_plain(closed_up(right, rng.randrange(1, 70_000)), rng)
        case _:
            return store_transactional(left, rng, rng), store_plain(closed_up(right), rng)


def random_fault(rng: Random) -> dict[str, Any]:
    """A fault of a fetch that may last, or of another request that passes."""
    times = rng.choice((1, 1, 2, 3, None))
    fetch: dict[str, Any] = rng.choice(
        [
            {"action": "flip_byte", "number": rng.randrange(2000)},
            {"action": "flip_byte", "number": rng.randrange(120)},
            {"action": "truncate_records", "number": rng.randrange(3000)},
            {"action": "replace_records", "data": rng.randbytes(rng.randrange(300))},
            {"action": "empty"},
            {"action": "close"},
            {"action": "close_mid_response", "number": rng.randrange(4000)},
            {"action": "stall"},
            {"action": "throttle", "number": rng.randrange(1, 60)},
            {"action": "delay", "number": rng.randrange(1, 200)},
            {"action": "slow_bytes", "number": rng.choice((50, 400))},
            {"action": "wrong_correlation_id"},
            {"action": "garbage", "data": rng.randbytes(rng.randrange(1, 60))},
            {"action": "lie_high_watermark", "number": rng.randrange(500)},
            {"action": "lie_log_start", "number": rng.randrange(100)},
            {"action": "error_code", "number": rng.choice((1, 2, 3, 5, 6, 29, 56, 74, 75, 78, 100, 103))},
        ]
    )
    other: dict[str, Any] = rng.choice(
        [
            {"action": "close"},
            {"action": "delay", "number": 50},
            {"action": "close_mid_response", "number": rng.randrange(60)},
            {"action": "throttle", "number": 30},
        ]
    )
    if rng.random() < 0.8:
        start = rng.choice((None, rng.randrange(400)))
        if fetch["action"] in {"empty", "throttle"}:
            # Both together for ever have a test of their own.
            times = times or 3
        return {"api": FETCH, "skip": rng.choice((0, 1, 2)), "times": times, "from_offset": start, **fetch}
    return {"api": rng.choice((METADATA, LIST_OFFSETS)), "times": times or 2, **other}


def random_event(rng: Random, cluster: FakeCluster, topic: str) -> Callable[[], object]:
    """Something that happens to a partition while it is read."""
    store, offset = cluster.store, rng.randrange(400)

    def recreate() -> None:
        store.recreate_topic(name=topic, topic_id=topic_id())
        log_of(numbered(rng.randrange(1, 300))).store(store, topic, 0)

    events: list[Callable[[], object]] = [
        lambda: store.set_log_start_offset(topic=topic, partition=0, offset=min(offset, 50)),
        lambda: store.set_high_watermark(topic=topic, partition=0, offset=offset),
        lambda: store.set_last_stable_offset(topic=topic, partition=0, offset=offset),
        lambda: store.delete_topic(name=topic),
        recreate,
    ]
    return rng.choice(events)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_schedule_makes_the_verdict_wrong(clusters: Clusters, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(seed)
    pairs = [random_pair(rng) for _ in range(rng.choice((1, 1, 2)))]
    equal = all(same(left.records(), right.records()) for left, right in pairs)
    clusters.left.create([left for left, _ in pairs])
    clusters.right.create([right for _, right in pairs])
    sides = (clusters.left, clusters.right)
    faults = [(rng.choice(sides), random_fault(rng)) for _ in range(rng.randrange(1, 5))]
    for cluster, fault in faults:
        cluster.fault(**fault)
    happens = random_event(rng, rng.choice(sides), "t") if rng.random() < 0.25 else lambda: None
    done: list[bool] = []

    def before_read(_: View, __: object) -> None:
        if not done:
            done.append(True)
            happens()

    def before_check(_: View) -> None:
        for cluster in sides:
            cluster.broker.clear_faults()

    install(monkeypatch, Hooks(before_read=before_read, before_check=before_check))
    report = clusters.run()
    assert report.run.seconds < STALL_S + 5
    if report.verdict is Verdict.EQUAL:
        assert equal, faults
    if report.verdict is Verdict.DIFFERENT:
        assert not equal, faults
