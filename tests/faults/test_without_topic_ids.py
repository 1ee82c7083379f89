"""Brokers older than topic ids (Kafka 2.8): only the records tell a topic from another one of the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kcompare.model import Verdict
from tests.support.clusters import FETCH, METADATA, Clusters, FakeCluster, only, reasons, topic_id
from tests.support.hooks import Hooks, install
from tests.support.logs import Record, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.model import View

RECORDS = numbered(200)
BEFORE_IDS = {FETCH: 11, METADATA: 7}


@pytest.fixture
def old() -> Iterator[Clusters]:
    with FakeCluster("a", max_versions=BEFORE_IDS) as left, FakeCluster("b", max_versions=BEFORE_IDS) as right:
        left.create([log_of(RECORDS)])
        right.create([log_of(RECORDS, batch=17)])
        yield Clusters(left, right)


def test_equal_topics_are_equal_without_ids(old: Clusters) -> None:
    report = old.run()
    assert report.verdict is Verdict.EQUAL
    assert report.left.topic_id is None
    assert only(report).compared_records == len(RECORDS)


@pytest.mark.parametrize("length", [len(RECORDS), len(RECORDS) + 50])
def test_a_recreated_topic_is_noticed_by_its_records(
    old: Clusters, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    others = [Record(n, 1_700_000_000_000 + n, b"other", b"other") for n in range(length)]

    def recreate(view: View) -> None:
        if view.bootstrap[0][1] == old.left.broker.port:
            old.left.store.recreate_topic(name="t", topic_id=topic_id())
            log_of(others).store(old.left.store, "t", 0)

    install(monkeypatch, Hooks(before_check=recreate))
    report = old.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "topic_recreated" in reasons(report)
    assert only(report).compared_records == 0
