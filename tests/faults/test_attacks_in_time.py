"""Brokers that never come to an end, and topics that are something else by the time they are checked again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.engine import compare as engine
from kcompare.engine.interrupt import interruptible
from kcompare.model import Verdict
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import FETCH, HANG_S, METADATA, STALL_S, FakeCluster, only, partitions, reasons, run
from tests.support.hooks import Hooks, install
from tests.support.logs import Log, closed_up, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcompare._native import CancelToken
    from kcompare.model import View
    from tests.support.clusters import Clusters

RECORDS = numbered(300)


def of_epochs(*parts: tuple[int, int, int], text: str = "v") -> Log:
    """A log whose records from, up to an offset were written in a leader epoch."""
    log = Log()
    for start, stop, epoch in parts:
        log.write(numbered(stop - start, start, text=text), cuts=range(0, stop - start, 50), leader_epoch=epoch)
    return log


def replaced(cluster: FakeCluster, logs: Sequence[Log]) -> Callable[[], object]:
    """Puts other logs in the place of the topic, which keeps its id."""

    def act() -> None:
        cluster.store.delete_topic(name="t")
        cluster.create(logs, id_=cluster.topic_ids["t"])

    return act


def before_check(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster, act: Callable[[], object]) -> None:
    """Lets something happen to one side, once, after everything was read."""
    done: list[bool] = []

    def check(view: View) -> None:
        if view.bootstrap[0][1] == cluster.broker.port and not done:
            done.append(True)
            act()

    install(monkeypatch, Hooks(before_check=check))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("throttle_ms", [1, 300, 5000])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_broker_that_throttles_and_gives_nothing_for_ever_is_given_up(
    clusters: Clusters, side: str, throttle_ms: int, skip: int
) -> None:
    """To say "later" is no progress, however often it is said and whenever it begins."""
    clusters.left.create([log_of(RECORDS)] * 2)
    clusters.right.create([log_of(RECORDS)] * 2)
    cluster: FakeCluster = getattr(clusters, side)
    cluster.fault("throttle", number=throttle_ms, skip=skip)
    cluster.fault("empty", skip=skip)
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE, report
    assert report.exit_code == 5
    assert "stalled" in reasons(report)
    assert report.run.seconds < 3 * STALL_S + 5 < HANG_S


@pytest.mark.parametrize(
    ("history", "text"),
    [
        ([(0, 300, 3), (300, 310, 7)], "OTHER"),
        ([(0, 300, 3), (300, 310, 7)], "v"),
        ([(0, 200, 5), (200, 310, 7)], "OTHER"),
        ([(0, 300, 4)], "OTHER"),
        ([(0, 300, 9)], "OTHER"),
    ],
    ids=["the epoch is unknown", "with the same records", "the epoch ended earlier", "lower", "higher"],
)
def test_another_history_of_leader_epochs_before_the_check_is_a_truncation(
    clusters: Clusters,
    side: str,
    monkeypatch: pytest.MonkeyPatch,
    history: list[tuple[int, int, int]],
    text: str,
) -> None:
    """The ends and the topic id are as before, and the records that were read are not in the log any more."""
    clusters.left.create([of_epochs((0, 300, 5))])
    clusters.right.create([of_epochs((0, 300, 5))])
    cluster: FakeCluster = getattr(clusters, side)
    before_check(monkeypatch, cluster, replaced(cluster, [of_epochs(*history, text=text)]))
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE, report
    assert report.exit_code == 3
    assert reasons(report) == {"truncated"}
    assert only(report).compared_records == 0


@pytest.mark.parametrize("history", [[(0, 300, 5), (300, 310, 7)], [(0, 300, 5), (300, 310, 6), (310, 320, 9)]])
def test_a_new_leader_that_goes_on_from_what_was_read_changes_nothing(
    clusters: Clusters, side: str, monkeypatch: pytest.MonkeyPatch, history: list[tuple[int, int, int]]
) -> None:
    clusters.left.create([of_epochs((0, 300, 5))])
    clusters.right.create([of_epochs((0, 300, 5))])
    cluster: FakeCluster = getattr(clusters, side)
    before_check(monkeypatch, cluster, replaced(cluster, [of_epochs(*history)]))
    report = clusters.run()
    assert report.verdict is Verdict.EQUAL, report
    assert only(report).compared_records == 300


@pytest.mark.parametrize("after", [[RECORDS, RECORDS, RECORDS], [RECORDS, RECORDS, []], [RECORDS]])
@pytest.mark.parametrize("versions", [{}, {METADATA: 7, FETCH: 11}], ids=["new", "without topic ids"])
def test_a_topic_with_another_number_of_partitions_at_the_check_proves_nothing(
    side: str, monkeypatch: pytest.MonkeyPatch, after: list[list[object]], versions: dict[int, int]
) -> None:
    """A partition that was never read may hold anything; the verdict is about the whole topic."""
    with FakeCluster("left", max_versions=versions) as left, FakeCluster("right", max_versions=versions) as right:
        views = left.create([log_of(RECORDS)] * 2), right.create([log_of(RECORDS)] * 2)
        cluster = left if side == "left" else right
        logs = [log_of(RECORDS) if records else Log() for records in after]
        before_check(monkeypatch, cluster, replaced(cluster, logs))
        report = run(*views)
    assert report.verdict is Verdict.INCONCLUSIVE, report
    assert report.exit_code == 3
    assert reasons(report) == {"changed_while_reading"}
    assert report.totals.compared_records == 0


def interrupt(monkeypatch: pytest.MonkeyPatch, when: str, number: int = 1) -> None:
    """Interrupts at a hook, the ``number``-th time that it is reached."""
    tokens: list[CancelToken] = []
    left = [number]

    def remembering(work: Callable[[], Any], cancel: CancelToken) -> Any:
        tokens.append(cancel)
        return interruptible(work, cancel)

    def act(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            tokens[0].cancel()

    monkeypatch.setattr(engine, "interruptible", remembering)
    hooks = Hooks()
    setattr(hooks, when, act)
    install(monkeypatch, hooks)


@pytest.mark.parametrize(
    ("when", "number"), [("after_read", 4), ("before_check", 1), ("before_check", 2)], ids=["read", "left", "right"]
)
def test_what_was_not_checked_again_before_an_interrupt_is_not_equal(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, when: str, number: int
) -> None:
    """Everything was read, and by the time of the check the topic might be another one."""
    clusters.left.create([log_of(RECORDS)] * 2)
    clusters.right.create([log_of(RECORDS)] * 2)
    interrupt(monkeypatch, when, number)
    report = clusters.run(workers=1)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 130)
    assert [topic.verdict for topic in report.topics] == [Verdict.INCONCLUSIVE]
    assert [found.verdict for found in partitions(report)] == [Verdict.INCONCLUSIVE] * 2
    assert reasons(report) == {"interrupted"}


@pytest.mark.parametrize(
    ("when", "number"),
    [("after_read", 4), ("before_check", 1), ("before_check", 2), ("before_rows", 1), ("before_rows", 2)],
)
def test_an_interrupt_does_not_hide_a_difference_in_what_was_read(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, when: str, number: int
) -> None:
    changed = [replace(record, value=b"other") if record.offset == 7 else record for record in RECORDS]
    clusters.left.create([log_of(RECORDS)] * 2)
    clusters.right.create([log_of(RECORDS), log_of(changed)])
    interrupt(monkeypatch, when, number)
    report = clusters.run(workers=1)
    assert (report.verdict, report.exit_code) == (Verdict.DIFFERENT, 130)
    assert partitions(report)[1].verdict is Verdict.DIFFERENT


def test_an_interrupt_while_retention_is_followed_loses_nothing_else(
    clusters: Clusters, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log start is asked for again, and by then the run is interrupted."""
    changed = [replace(record, value=b"other") if record.offset == 7 else record for record in RECORDS]
    clusters.left.create([log_of(RECORDS)] * 2)
    clusters.right.create([log_of(changed), log_of(RECORDS)])
    cluster: FakeCluster = getattr(clusters, side)
    interrupt(monkeypatch, "after_read", 4)
    cluster.fault("lie_log_start", number=200, partition=1)
    report = clusters.run(workers=1)
    assert (report.verdict, report.exit_code) == (Verdict.DIFFERENT, 130)
    assert [found.verdict for found in partitions(report)] == [Verdict.DIFFERENT, Verdict.INCONCLUSIVE]


@pytest.mark.parametrize("when", ["before_check", "before_rows"])
@pytest.mark.parametrize(("bound", "verdict"), [("both", Verdict.INCONCLUSIVE), ("both:9", Verdict.DIFFERENT)])
def test_an_interrupt_makes_no_difference_of_an_allowed_tail(
    clusters: Clusters, side: str, monkeypatch: pytest.MonkeyPatch, when: str, bound: str, verdict: Verdict
) -> None:
    """It can no longer be tested for repetition; only its records can be too many."""
    longer = {"left": 300, "right": 300, side: 310}
    clusters.left.create([log_of(numbered(longer["left"]))])
    clusters.right.create([log_of(numbered(longer["right"]))])
    interrupt(monkeypatch, when)
    report = clusters.run(workers=1, allow_tail=parse_allowance(bound))
    assert (report.verdict, report.exit_code) == (verdict, 130)


@pytest.mark.parametrize("when", ["before_check", "before_rows"])
@pytest.mark.parametrize("options", [{"allow_tail": "SIDE"}, {"allow_head": "SIDE"}, {"allow_tail": "both:10"}])
@pytest.mark.parametrize("shift", [0, 5000])
def test_an_interrupt_makes_no_difference_of_a_shifted_log_with_more_at_an_end(
    clusters: Clusters, side: str, monkeypatch: pytest.MonkeyPatch, when: str, options: dict[str, str], shift: int
) -> None:
    """Where the common part ends is known once records are read again; until then it may be all that is allowed."""
    records = numbered(310)
    short = closed_up(records[10:] if "allow_head" in options else records[:300], shift)
    logs = {"left": log_of(short), "right": log_of(short), side: log_of(records)}
    clusters.left.create([logs["left"]])
    clusters.right.create([logs["right"]])
    allowances: dict[str, Any] = {name: parse_allowance(text.replace("SIDE", side)) for name, text in options.items()}
    assert clusters.run(workers=1, **allowances).verdict is Verdict.EQUAL
    interrupt(monkeypatch, when)
    report = clusters.run(workers=1, **allowances)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 130)
