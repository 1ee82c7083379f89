"""Logs that change under the reader: what was pinned is what counts, and what is not proven is never EQUAL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kcompare.model import FindingKind, Verdict
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import (
    FETCH,
    LIST_OFFSETS,
    Clusters,
    FakeCluster,
    findings,
    only,
    reasons,
    run,
    topic_id,
)
from tests.support.hooks import Hooks, install
from tests.support.logs import Log, Record, closed_up, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcompare.model import View

RECORDS = numbered(200)
OTHERS = [Record(r.offset, r.timestamp, b"other", b"other") for r in RECORDS]


@pytest.fixture
def moving(clusters: Clusters, side: str) -> FakeCluster:
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS, batch=17)])
    cluster: FakeCluster = getattr(clusters, side)
    return cluster


def once_before_read(monkeypatch: pytest.MonkeyPatch, moving: FakeCluster, act: Callable[[], object]) -> None:
    """Lets something happen to one side after its bounds are pinned and before its first slice is read."""
    done: list[bool] = []

    def before(view: View, _: object) -> None:
        if view.bootstrap[0][1] == moving.broker.port and not done:
            done.append(True)
            act()

    install(monkeypatch, Hooks(before_read=before))


def before_check(monkeypatch: pytest.MonkeyPatch, moving: FakeCluster, act: Callable[[], object]) -> None:
    """Lets something happen to one side after everything was read."""

    def check(view: View) -> None:
        if view.bootstrap[0][1] == moving.broker.port:
            act()

    install(monkeypatch, Hooks(before_check=check))


def test_retention_that_passes_the_reader_is_a_lost_range(
    clusters: Clusters, moving: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_before_read(monkeypatch, moving, lambda: moving.store.set_log_start_offset(topic="t", partition=0, offset=55))
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "lost_to_retention" in reasons(report)
    assert report.exit_code == 3


def test_retention_behind_the_reader_changes_nothing(
    clusters: Clusters, moving: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_check(monkeypatch, moving, lambda: moving.store.set_log_start_offset(topic="t", partition=0, offset=55))
    assert clusters.run().verdict is Verdict.EQUAL


def refill(moving: FakeCluster, log: Log) -> None:
    moving.store.recreate_topic(name="t", topic_id=topic_id())
    log.store(moving.store, "t", 0)


@pytest.mark.parametrize("records", [RECORDS, OTHERS, RECORDS[:50], numbered(300), []])
@pytest.mark.parametrize("when", [once_before_read, before_check])
def test_a_topic_that_was_recreated_is_another_topic(
    clusters: Clusters,
    moving: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    records: list[Record],
    when: Callable[[pytest.MonkeyPatch, FakeCluster, Callable[[], object]], None],
) -> None:
    when(monkeypatch, moving, lambda: refill(moving, log_of(records)))
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"topic_recreated"}


@pytest.mark.parametrize("when", [once_before_read, before_check])
def test_a_deleted_topic_proves_nothing(
    clusters: Clusters,
    moving: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    when: Callable[[pytest.MonkeyPatch, FakeCluster, Callable[[], object]], None],
) -> None:
    when(monkeypatch, moving, lambda: moving.store.delete_topic(name="t"))
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "topic_recreated" in reasons(report)


@pytest.mark.parametrize("when", [once_before_read, before_check])
def test_a_truncated_log_proves_nothing(
    clusters: Clusters,
    moving: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    when: Callable[[pytest.MonkeyPatch, FakeCluster, Callable[[], object]], None],
) -> None:
    when(monkeypatch, moving, lambda: moving.store.set_high_watermark(topic="t", partition=0, offset=120))
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "truncated" in reasons(report)


def test_a_log_that_grows_is_compared_to_its_pinned_end(
    clusters: Clusters, moving: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = Log(200).write(numbered(30, 200))
    once_before_read(monkeypatch, moving, lambda: moving.store.append(topic="t", partition=0, batches=more.frames[0]))
    report = clusters.run()
    assert report.verdict is Verdict.EQUAL
    assert only(report).compared_records == 200


@pytest.mark.parametrize("versions", [{}, {3: 9, 1: 12}])
def test_a_topic_without_an_id_that_was_recreated_with_other_records_is_not_equal(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, versions: dict[int, int]
) -> None:
    """Old brokers have no topic ids; the first record's digest tells then that another log was put there."""
    with FakeCluster("old", max_versions=versions) as old:
        old.create([log_of(RECORDS)])
        clusters.right.create([log_of(RECORDS)])
        before_check(monkeypatch, old, lambda: refill(old, log_of(OTHERS)))
        report = run(old.view(), clusters.right.view())
        assert report.verdict is Verdict.INCONCLUSIVE


def test_an_open_transaction_holds_the_verdict_back(clusters: Clusters, moving: FakeCluster) -> None:
    moving.store.set_last_stable_offset(topic="t", partition=0, offset=170)
    report = clusters.run(settle_s=0.2)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "open_transaction" in reasons(report)
    assert report.exit_code == 3
    other = only(report)
    assert other.left is not None
    assert other.right is not None
    assert {other.left.uncovered_offsets, other.right.uncovered_offsets} == {0, 30}


def test_a_transaction_that_ends_in_time_is_waited_for(
    clusters: Clusters, moving: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving.store.set_last_stable_offset(topic="t", partition=0, offset=170)
    once_before_read(
        monkeypatch, moving, lambda: moving.store.set_last_stable_offset(topic="t", partition=0, offset=None)
    )
    assert clusters.run(settle_s=0.2).verdict is Verdict.EQUAL


def test_a_mirror_that_copied_aborted_records_is_different(clusters: Clusters) -> None:
    source = Log(0).write(numbered(50), cuts=[20]).transaction(numbered(10, 50), committed=False)
    source.write(numbered(40, 61), cuts=[7])
    clusters.left.create([source])
    clusters.right.create([log_of(closed_up(source.records("read_uncommitted")))])
    report = clusters.run()
    assert report.verdict is Verdict.DIFFERENT
    (found,) = findings(report)[:1]
    assert found.kind in {FindingKind.ONLY_RIGHT, FindingKind.ABORTED_COPIED}
    assert found.records == 10
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (61, 50)


@pytest.mark.parametrize("api", [FETCH, LIST_OFFSETS])
@pytest.mark.parametrize("lie", [150, 260])
def test_two_answers_about_the_end_are_not_believed_both(
    clusters: Clusters, moving: FakeCluster, api: int, lie: int
) -> None:
    """The larger one is planned; what is not there is unverified, and nothing below it is left out."""
    moving.fault("lie_high_watermark", api=api, number=lie)
    report = clusters.run()
    if lie < 200:
        assert report.verdict is Verdict.EQUAL
        assert only(report).compared_records == 200
    else:
        assert report.verdict is Verdict.INCONCLUSIVE


LIARS = {"left": ["left"], "right": ["right"], "both": ["left", "right"]}


@pytest.mark.parametrize("differs", [False, True], ids=["equal", "different"])
@pytest.mark.parametrize("liars", LIARS.values(), ids=LIARS)
@pytest.mark.parametrize("allow", [None, "both"])
def test_records_below_a_listed_log_start_are_read_where_a_fetch_knows_of_them(
    clusters: Clusters, liars: list[str], allow: str | None, *, differs: bool
) -> None:
    """A log start above the true one would leave records out of the plan, or pass as a head that is allowed."""
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of([*RECORDS[:5], OTHERS[5], *RECORDS[6:]] if differs else RECORDS)])
    for liar in liars:
        getattr(clusters, liar).fault("lie_log_start", api=LIST_OFFSETS, number=90)
    report = clusters.run(allow_head=parse_allowance(allow) if allow else None)
    assert report.verdict is (Verdict.DIFFERENT if differs else Verdict.EQUAL)
    found = only(report)
    assert found.compared_records == 200
    if differs:
        assert found.first_divergence is not None
        assert (found.first_divergence.left_offset, found.first_divergence.right_offset) == (5, 5)


@pytest.mark.parametrize("allow", [None, "both"])
def test_a_log_start_that_every_answer_but_the_reader_s_puts_too_high_is_not_believed(
    clusters: Clusters, allow: str | None
) -> None:
    """Both answers that the plan and the check at the end rest on lie, and only those that bring the records do not."""
    for cluster, records in ((clusters.left, RECORDS), (clusters.right, OTHERS[:90] + RECORDS[90:])):
        cluster.create([log_of(records)])
        cluster.fault("lie_log_start", api=LIST_OFFSETS, number=90)
        cluster.fault("lie_log_start", api=FETCH, number=90, from_offset=200)
    report = clusters.run(allow_head=parse_allowance(allow) if allow else None)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"changed_while_reading"}
    assert only(report).compared_records == 0


def test_a_log_start_that_lies_above_the_reader_is_a_lost_range(clusters: Clusters, moving: FakeCluster) -> None:
    moving.fault("lie_log_start", number=90)
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "lost_to_retention" in reasons(report)


def test_a_leader_epoch_that_goes_back_is_never_equal(clusters: Clusters) -> None:
    back = Log(0).write(RECORDS[:80], leader_epoch=5).write(RECORDS[80:120], leader_epoch=4)
    back.write(RECORDS[120:], leader_epoch=5)
    clusters.left.create([back])
    clusters.right.create([log_of(RECORDS)])
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "leader_epoch_went_back" in reasons(report)


def test_a_leader_epoch_that_goes_back_between_slices_is_never_equal(clusters: Clusters) -> None:
    border = 65_536
    sparse = [record.at(place) for record, place in zip(RECORDS, range(0, 200 * 5000, 5000), strict=True)]
    low = [record for record in sparse if record.offset < 2 * border]
    high = [record for record in sparse if record.offset >= 2 * border]
    back = Log(0).write(low, leader_epoch=9, stop=2 * border)
    back.write(high, leader_epoch=3)
    whole = Log(0).write(sparse)
    clusters.left.create([back])
    clusters.right.create([whole])
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "leader_epoch_went_back" in reasons(report)


@pytest.mark.parametrize("moved", [True, False])
def test_a_moved_leader_is_followed(clusters: Clusters, side: str, *, moved: bool) -> None:
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS)])
    first: FakeCluster = getattr(clusters, side)
    with FakeCluster(side, store=first.store, node_id=2) as second:
        first.broker.set_peers(peers=[(2, "127.0.0.1", second.broker.port)])
        second.broker.set_peers(peers=[(1, "127.0.0.1", first.broker.port)])
        if moved:
            first.fault("move_leader", number=2, skip=1, times=1)
        else:
            first.store.set_leader(topic="t", partition=0, node_id=2)
        report = clusters.run(stall_timeout_s=6.0)
        assert second.broker.requests()[FETCH] > 0
    assert report.verdict is Verdict.EQUAL, report


def test_a_leader_that_is_nowhere_is_not_waited_for(clusters: Clusters, moving: FakeCluster) -> None:
    moving.store.set_leader(topic="t", partition=0, node_id=9)
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 5


def fail_second_reading(clusters: Clusters, monkeypatch: pytest.MonkeyPatch, act: Callable[[View, Any], None]) -> None:
    changed = list(RECORDS)
    changed[60] = Record(60, changed[60].timestamp, b"k", b"changed")
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(changed)])
    install(monkeypatch, Hooks(before_rows=act))


def test_other_records_at_the_second_reading_are_no_finding(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the digests say is no longer there, so nothing can be told: the log changed."""

    def act(view: View, _: object) -> None:
        if view.bootstrap[0][1] == clusters.right.broker.port:
            clusters.right.store.delete_topic(name="t")
            clusters.right.create([log_of(OTHERS)], id_=clusters.right.topic_ids["t"])

    fail_second_reading(clusters, monkeypatch, act)
    report = clusters.run()
    assert report.verdict is not Verdict.EQUAL


def test_a_second_reading_that_fails_leaves_a_difference(clusters: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests differ, which is a proof; only the place is not known."""

    def act(_: View, __: object) -> None:
        clusters.right.fault("stall")

    fail_second_reading(clusters, monkeypatch, act)
    report = clusters.run()
    assert report.verdict is Verdict.DIFFERENT
    assert only(report).first_divergence is None
