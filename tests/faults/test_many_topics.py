"""Many topics in one run: each has its own entry, one that fails leaves the others as they are, and none is skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kcompare.engine import compare as engine
from kcompare.engine.interrupt import interruptible
from kcompare.engine.schedule import Schedule
from kcompare.errors import SameSourceError, UsageError
from kcompare.model import Effect, FindingKind, Mode, Reason, Side, Verdict
from kcompare.settings.topics import TopicPattern, TopicSelection, parse_map
from kcompare.sources.kafka import KafkaCluster
from tests.support.clusters import (
    FETCH,
    LIST_OFFSETS,
    METADATA,
    Clusters,
    FakeCluster,
    partitions,
    reasons,
    run,
    topic_id,
)
from tests.support.hooks import Hooks, install
from tests.support.logs import log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcompare._native import CancelToken
    from kcompare.model import Finding, Report, Slice, TopicReport, View

RECORDS = numbered(60)
TOPIC_AUTHORIZATION_FAILED = 29
UNKNOWN_TOPIC_OR_PARTITION = 3
TOPICS, PARTITIONS = 200, 5


def choice(topics: str | None = ".*", *maps: str, expected: int | None = None) -> TopicSelection:
    return TopicSelection(
        None if topics is None else TopicPattern(topics), tuple(parse_map(text) for text in maps), expected
    )


def compare(clusters: Clusters, selection: TopicSelection | None = None, **options: Any) -> Report:
    """Compares the topics of both sides."""
    return run(clusters.left.view(""), clusters.right.view(""), topics=selection or choice(), **options)


def fill(cluster: FakeCluster, names: Sequence[str], partitions: int = 2) -> None:
    for name in names:
        cluster.create([log_of(RECORDS) for _ in range(partitions)], topic=name)


@pytest.fixture
def three(clusters: Clusters) -> Clusters:
    """Three topics of two partitions that are the same on both sides."""
    for side in (clusters.left, clusters.right):
        fill(side, ["a", "b", "c"])
    return clusters


def verdicts(report: Report) -> dict[str, str]:
    return {topic.left: topic.verdict.value for topic in report.topics}


def topic(report: Report, name: str) -> TopicReport:
    (found,) = [entry for entry in report.topics if entry.left == name]
    return found


def about(report: Report, name: str) -> Finding:
    """The only finding about a pair of topics as a whole."""
    (found,) = topic(report, name).findings
    return found


def test_every_pair_has_its_entry(three: Clusters) -> None:
    report = compare(three)
    assert (report.verdict, report.exit_code) == (Verdict.EQUAL, 0)
    assert [(found.left, found.right) for found in report.topics] == [("a", "a"), ("b", "b"), ("c", "c")]
    assert report.totals.left_records == report.totals.compared_records == 3 * 2 * len(RECORDS)
    for found in report.topics:
        assert (found.mode, found.left_topic_id) == (Mode.LOG, three.left.topic_ids[found.left].hex())
        assert found.right_topic_id == three.right.topic_ids[found.right].hex()
    assert report.options is not None
    assert (report.options.mode, report.options.topics) == (Mode.LOG, ".*")
    assert (report.left.topic_id, report.left.cluster_id) == (None, "left")


@pytest.fixture(scope="module")
def large() -> Any:
    """Two hundred topics with a thousand partitions, on two brokers a side that lead half of them each."""
    with FakeCluster("left") as left, FakeCluster("right") as right:
        logs = [log_of(RECORDS) for _ in range(PARTITIONS)]
        for side in (left, right):
            for number in range(TOPICS):
                side.create(logs, topic=f"topic-{number:03}")
        yield Clusters(left, right)


def test_200_topics_and_1000_partitions_are_equal(large: Clusters) -> None:
    report = compare(large, choice("topic-.*", expected=TOPICS))
    assert (report.verdict, report.exit_code) == (Verdict.EQUAL, 0)
    assert len(report.topics) == TOPICS
    assert len(partitions(report)) == TOPICS * PARTITIONS
    assert report.totals.compared_records == TOPICS * PARTITIONS * len(RECORDS)
    assert report.run.planning_seconds > 0


def test_one_bad_topic_among_200_is_found(large: Clusters) -> None:
    bad = RECORDS[:30] + [record.at(record.offset - 1) for record in RECORDS[31:]]
    for side, records in ((large.left, RECORDS), (large.right, bad)):
        side.create([log_of(RECORDS), log_of(records)], topic="zz-bad")
    try:
        report = compare(large)
    finally:
        for side in (large.left, large.right):
            side.store.delete_topic(name="zz-bad")
    assert (report.verdict, report.exit_code) == (Verdict.DIFFERENT, 1)
    assert [found.left for found in report.topics if found.verdict is not Verdict.EQUAL] == ["zz-bad"]
    first = topic(report, "zz-bad").partitions[1].first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (30, 30)


@pytest.mark.parametrize("missing", ["left", "right"])
def test_a_missing_topic_is_a_difference_and_the_rest_is_compared(three: Clusters, missing: str) -> None:
    getattr(three, missing).store.delete_topic(name="b")
    report = compare(three)
    assert (report.verdict, report.exit_code) == (Verdict.DIFFERENT, 1)
    assert verdicts(report) == {"a": "EQUAL", "b": "DIFFERENT", "c": "EQUAL"}
    found = about(report, "b")
    assert (found.kind, found.effect, found.side) == (FindingKind.TOPIC_MISSING, Effect.DIFFERENCE, Side(missing))
    assert found.partition is None
    assert topic(report, "b").partitions == ()


def test_names_are_mapped(clusters: Clusters) -> None:
    fill(clusters.left, ["blogs", "news", "other"])
    fill(clusters.right, ["src.blogs", "mirror-news", "src.lost", "unrelated"])
    selection = choice("blogs|news|lost", "news=mirror-news", r"(.*)=src.\1")
    report = compare(clusters, selection, allow_empty=True)
    assert {(found.left, found.right, found.verdict.value) for found in report.topics} == {
        ("blogs", "src.blogs", "EQUAL"),
        ("news", "mirror-news", "EQUAL"),
        ("lost", "src.lost", "DIFFERENT"),
    }
    assert about(report, "lost").side is Side.LEFT
    assert report.options is not None
    assert report.options.map == ("news=mirror-news", r"(.*)=src.\1")


def test_internal_topics_are_left_out(three: Clusters) -> None:
    fill(three.left, ["__consumer_offsets"])
    assert len(compare(three).topics) == 3
    fill(three.right, ["src.a", "src.b", "src.c", "src.__consumer_offsets"])
    report = compare(three, choice(None, r"(.*)=src.\1"))
    assert verdicts(report) == {"a": "EQUAL", "b": "EQUAL", "c": "EQUAL"}


@pytest.mark.parametrize("api", [METADATA, LIST_OFFSETS, FETCH])
def test_a_topic_that_is_refused_leaves_the_others(three: Clusters, side: str, api: int) -> None:
    getattr(three, side).fault("error_code", api=api, number=TOPIC_AUTHORIZATION_FAILED, topic="b")
    report = compare(three)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert verdicts(report) == {"a": "EQUAL", "b": "INCONCLUSIVE", "c": "EQUAL"}
    assert {(error.topic, error.side) for error in report.errors} == {("b", Side(side))}
    assert not any(error.fatal for error in report.errors)


def hide(monkeypatch: pytest.MonkeyPatch, sides: set[str], name: str) -> None:
    """Lets clusters leave a topic out of their lists, as they do where it may not be described."""
    listed = KafkaCluster.topics

    def shown(self: KafkaCluster) -> tuple[str, ...]:
        hidden = self._native.metadata(topics=None).cluster_id in sides
        return tuple(found for found in listed(self) if not hidden or found != name)

    monkeypatch.setattr(KafkaCluster, "topics", shown)


def test_a_topic_that_is_hidden_is_not_missing(three: Clusters, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, {side}, "b")
    getattr(three, side).fault("error_code", api=METADATA, number=TOPIC_AUTHORIZATION_FAILED, topic="b")
    report = compare(three)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert verdicts(report) == {"a": "EQUAL", "b": "INCONCLUSIVE", "c": "EQUAL"}
    assert about(report, "b").reason is Reason.REFUSED


def test_a_topic_that_both_sides_hide_is_what_expect_topics_is_for(
    three: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, {"left", "right"}, "b")
    assert verdicts(compare(three)) == {"a": "EQUAL", "c": "EQUAL"}
    with pytest.raises(UsageError, match=r"--expect-topics 3: --topics .* gives 2 pairs"):
        compare(three, choice(expected=3))


def meanwhile(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster, name: str, act: Any) -> None:
    """Lets something happen to a topic of one side once, before its first slice is read."""
    done: list[bool] = []

    def before(view: View, _: Slice) -> None:
        if view.topic == name and view.bootstrap[0][1] == cluster.broker.port and not done:
            done.append(True)
            act()

    install(monkeypatch, Hooks(before_read=before))


@pytest.mark.parametrize("again", [False, True])
def test_a_topic_that_is_deleted_or_recreated_meanwhile_proves_nothing(
    three: Clusters, side: str, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    cluster: FakeCluster = getattr(three, side)

    def act() -> None:
        cluster.store.delete_topic(name="b")
        if again:
            cluster.create([log_of(RECORDS), log_of(RECORDS)], topic="b", id_=topic_id())

    meanwhile(monkeypatch, cluster, "b", act)
    report = compare(three)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert verdicts(report) == {"a": "EQUAL", "b": "INCONCLUSIVE", "c": "EQUAL"}
    assert "topic_recreated" in reasons(report)


@pytest.mark.parametrize("action", ["deleted", "unknown"])
def test_a_topic_that_is_gone_does_not_make_its_leader_absent_for_the_others(
    three: Clusters, side: str, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """Two partitions that fail are the end of their leader only where it is the leader that is away."""
    others = [f"d{number}" for number in range(6)]
    fill(three.left, others)
    fill(three.right, others)
    cluster: FakeCluster = getattr(three, side)
    if action == "deleted":
        meanwhile(monkeypatch, cluster, "b", lambda: cluster.store.delete_topic(name="b"))
    else:
        cluster.fault("error_code", number=UNKNOWN_TOPIC_OR_PARTITION, topic="b")
    report = compare(three, workers=1)
    assert {name for name, verdict in verdicts(report).items() if verdict != "EQUAL"} == {"b"}
    assert report.verdict is Verdict.INCONCLUSIVE


def test_a_topic_that_goes_between_the_list_and_its_first_question_proves_nothing(
    three: Clusters, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster: FakeCluster = getattr(three, side)
    source = KafkaCluster.source

    def deleting(self: KafkaCluster, view: View) -> Any:
        cluster.store.delete_topic(name="b")
        return source(self, view)

    monkeypatch.setattr(KafkaCluster, "source", deleting)
    report = compare(three)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert verdicts(report) == {"a": "EQUAL", "b": "INCONCLUSIVE", "c": "EQUAL"}
    assert about(report, "b").reason is Reason.TOPIC_RECREATED


def test_a_partition_more_is_a_difference_and_the_common_ones_are_compared(three: Clusters) -> None:
    three.left.create([log_of(RECORDS)] * 3, topic="d")
    three.right.create([log_of(RECORDS)] * 2, topic="d")
    report = compare(three)
    found = topic(report, "d")
    assert [one.verdict.value for one in found.partitions] == ["EQUAL", "EQUAL", "DIFFERENT"]
    assert [one.kind for one in found.partitions[2].findings] == [FindingKind.PARTITION_COUNT]


def test_a_compacted_topic_is_inconclusive_by_itself(three: Clusters) -> None:
    for cluster in (three.left, three.right):
        cluster.create([log_of(RECORDS)], topic="d", configs={"cleanup.policy": "compact"})
    report = compare(three)
    assert verdicts(report) == {"a": "EQUAL", "b": "EQUAL", "c": "EQUAL", "d": "INCONCLUSIVE"}
    assert report.exit_code == 3
    assert report.options is not None
    assert report.options.mode is Mode.AUTO
    assert "1 latest, 3 log" in report.options.mode_reason
    assert topic(report, "d").mode is Mode.LATEST


def test_a_pair_of_empty_topics_is_not_silently_equal(three: Clusters) -> None:
    for cluster in (three.left, three.right):
        cluster.create([log_of([])], topic="d")
    report = compare(three)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert about(report, "d").reason is Reason.NOTHING_COMPARED
    assert compare(three, allow_empty=True).verdict is Verdict.EQUAL


def test_only_missing_topics_are_never_equal(clusters: Clusters) -> None:
    fill(clusters.left, ["a"])
    assert compare(clusters, allow_empty=True).verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (choice("x.*"), "--topics x.* chooses none of the 3 topics"),
        (choice(expected=4), "--expect-topics 4: --topics .* gives 3 pairs"),
        (choice(".*", ".*=same"), "the left topics 'a' and 'b' are both compared with the right topic 'same'"),
        (choice(".*", "a=b"), "the left topics 'a' and 'b' are both compared with the right topic 'b'"),
        (choice("a", "a=.."), "--map makes '..' of the left topic 'a', which is no topic name"),
    ],
)
def test_a_choice_that_cannot_be_meant_reads_nothing(three: Clusters, selection: TopicSelection, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        compare(three, selection)
    assert told in str(caught.value)
    assert FETCH not in three.left.broker.requests()


def test_one_pair_of_the_same_topic_refuses_the_run(three: Clusters) -> None:
    fill(three.left, ["copy-of-b"])
    view = three.left.view("")
    with pytest.raises(SameSourceError, match="/a and "):
        run(view, view, topics=choice("a|b", "b=copy-of-b"))
    report = run(view, view, topics=choice("b", "b=copy-of-b"))
    assert report.verdict is Verdict.EQUAL


def test_partitions_are_those_of_every_topic(three: Clusters) -> None:
    report = compare(three, partitions=(1,))
    assert [one.partition for one in partitions(report)] == [1, 1, 1]
    three.left.create([log_of(RECORDS)], topic="d")
    three.right.create([log_of(RECORDS)], topic="d")
    with pytest.raises(UsageError, match="partition 1 does not exist in topic 'd'"):
        compare(three, partitions=(1,))


def test_an_interrupted_run_has_an_entry_for_every_topic(three: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read counts, what was not is uncovered, and nothing is left out."""
    tokens: list[CancelToken] = []

    def remembering(work: Callable[[], Any], cancel: CancelToken) -> Any:
        tokens.append(cancel)
        return interruptible(work, cancel)

    monkeypatch.setattr(engine, "interruptible", remembering)
    install(monkeypatch, Hooks(after_read=lambda *_: tokens[0].cancel()))
    report = compare(three)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 130)
    assert list(verdicts(report)) == ["a", "b", "c"]
    assert "interrupted" in reasons(report)


def test_a_leader_that_is_gone_is_not_waited_for_once_a_topic(large: Clusters, side: str) -> None:
    cluster: FakeCluster = getattr(large, side)
    fault = cluster.fault("stall")
    try:
        report = compare(large, choice("topic-0[0-4].*"))
    finally:
        cluster.broker.clear_faults()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 5
    assert len(report.topics) == 50
    assert cluster.broker.fault_count(fault=fault) < 50


def test_what_is_held_at_one_time_is_bounded(large: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics are compared and let go while later ones are read."""
    most = [0]
    was_read = Schedule.was_read

    def counting(self: Schedule, *rest: Any) -> None:
        was_read(self, *rest)
        most[0] = max(most[0], len(self._open))

    monkeypatch.setattr(Schedule, "was_read", counting)
    assert compare(large).verdict is Verdict.EQUAL
    assert 1 < most[0] < 20
