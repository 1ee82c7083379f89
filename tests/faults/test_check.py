"""``check`` on a running cluster: every kind of finding, and what must keep it from SOUND."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.check_model import CheckEffect, CheckKind, Soundness
from kcompare.errors import TopicNotFoundError, UsageError
from kcompare.model import DataPath
from kcompare.settings.cluster import ClusterSettings
from kcompare.settings.topics import TopicPattern, TopicSelection
from kcompare.sources.kafka import KafkaSource
from tests.support.checks import defects, of_effect, run_check, the_partition
from tests.support.clusters import DESCRIBE_CONFIGS, FETCH, FakeCluster
from tests.support.logs import Log, Record, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.model import Slice, View

DELETE = {"cleanup.policy": "delete"}


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster() as found:
        yield found


def kinds(report: Any, effect: CheckEffect) -> set[CheckKind]:
    return {finding.kind for finding in of_effect(report, effect)}


def flipped(log: Log, frame: int, at: int = -1) -> Log:
    data = bytearray(log.frames[frame])
    data[at] ^= 1
    log.frames[frame] = bytes(data)
    return log


def test_a_whole_log_is_sound(cluster: FakeCluster) -> None:
    report = run_check(cluster.create([log_of(numbered(500)), log_of(numbered(70, 1000))], configs=DELETE))
    assert (report.verdict, report.exit_code, report.totals.records) == (Soundness.SOUND, 0, 570)
    assert report.totals.batches == 57
    first, second = report.topics[0].partitions
    assert first.times.first == first.times.smallest == 1_000_000
    assert second.coverage is not None
    assert (second.coverage.planned.start, second.coverage.planned.stop) == (1000, 1070)
    assert report.findings == ()
    assert report.topics[0].compacted is False


@pytest.mark.parametrize(("stop", "span"), [(100, (50, 100)), (70_000, (50, 70_000))])
def test_a_hole_is_a_defect_with_its_exact_offsets(cluster: FakeCluster, stop: int, span: tuple[int, int]) -> None:
    log = log_of(numbered(50)).skip_to(stop).write(numbered(50, stop))
    report = run_check(cluster.create([log], configs=DELETE))
    assert defects(report) == [("hole", 0, span)]
    assert report.exit_code == 1


def test_holes_of_a_compacted_topic_are_explained(cluster: FakeCluster) -> None:
    log = log_of(numbered(50)).skip_to(100).write(numbered(50, 100))
    report = run_check(cluster.create([log], configs={"cleanup.policy": "compact,delete"}))
    assert report.verdict is Soundness.SOUND
    assert kinds(report, CheckEffect.EXPLAINED) == {CheckKind.OFFSET_GAP}


def test_holes_are_unverified_where_nothing_tells_of_compaction(cluster: FakeCluster) -> None:
    cluster.fault("error_code", api=DESCRIBE_CONFIGS, number=29)
    report = run_check(cluster.create([log_of(numbered(5)).skip_to(9).write(numbered(5, 9))]))
    assert report.verdict is Soundness.INCONCLUSIVE
    assert kinds(report, CheckEffect.UNVERIFIED) == {CheckKind.HOLE}
    assert report.topics[0].compacted is None


def test_holes_may_be_allowed(cluster: FakeCluster) -> None:
    view = cluster.create([log_of(numbered(5)).skip_to(9).write(numbered(5, 9))], configs=DELETE)
    assert run_check(view, allow_gaps=True).verdict is Soundness.SOUND
    assert run_check(view).verdict is Soundness.DAMAGED


def test_compaction_inside_a_batch_explains_holes_nearby(cluster: FakeCluster) -> None:
    kept = [record for record in numbered(50) if record.offset % 3]
    log = Log().write(kept, stop=50).skip_to(60).write(numbered(5, 60))
    assert run_check(cluster.create([log], configs=DELETE)).verdict is Soundness.SOUND


@pytest.mark.parametrize("frame", [0, 2, 4])
def test_a_flipped_bit_is_damage_with_the_offsets_of_its_batch(cluster: FakeCluster, frame: int) -> None:
    report = run_check(cluster.create([flipped(log_of(numbered(50)), frame)], configs=DELETE))
    assert defects(report) == [("damage", 0, (frame * 10, frame * 10 + 10))]
    covered = the_partition(report).coverage
    assert covered is not None
    assert (covered.records, covered.uncovered_offsets) == (40, 10)


def test_offsets_that_repeat_are_damage(cluster: FakeCluster) -> None:
    log = log_of(numbered(30))
    view = cluster.create([log], configs=DELETE)
    cluster.store.append_unchecked(topic="t", partition=0, data=log.frames[1], next_offset=40)
    report = run_check(view)
    assert report.verdict is Soundness.DAMAGED
    assert defects(report)[0][0] == "damage"


def test_a_leader_epoch_that_goes_back_is_a_defect(cluster: FakeCluster) -> None:
    log = Log().write(numbered(10), leader_epoch=5).write(numbered(10, 10), leader_epoch=3)
    report = run_check(cluster.create([log], configs=DELETE))
    assert [kind for kind, _, _ in defects(report)] == ["leader_epoch_went_back"]


def test_a_leader_epoch_that_goes_back_between_slices_is_a_defect(cluster: FakeCluster) -> None:
    cell = 65_536
    log = Log().write(numbered(10), leader_epoch=5).skip_to(cell).write(numbered(10, cell), leader_epoch=3)
    report = run_check(cluster.create([log], configs={"cleanup.policy": "compact"}))
    # The whole log, of which nothing says what belongs to which history, and the hole over which the epoch went back.
    assert defects(report) == [("leader_epoch_went_back", 0, (0, cell + 10)), ("leader_epoch_went_back", 0, (10, cell))]
    assert {finding.kind for finding in report.findings} == {CheckKind.LEADER_EPOCH_WENT_BACK}
    assert report.exit_code == 1


def test_records_of_aborted_and_open_transactions_are_read_too(cluster: FakeCluster) -> None:
    log = Log().transaction(numbered(10), committed=False).transaction(numbered(5, 11), committed=True)
    log.write(numbered(4, log.end), producer_id=9)
    view = cluster.create([log], configs=DELETE)
    cluster.store.set_last_stable_offset(topic="t", partition=0, offset=17)
    report = run_check(view)
    assert (report.verdict, report.totals.records) == (Soundness.SOUND, 19)
    (opened,) = of_effect(report, CheckEffect.INFORMATION)
    assert opened.kind is CheckKind.OPEN_TRANSACTION
    assert opened.offsets is not None
    assert (opened.offsets.start, opened.offsets.stop) == (17, 21)


def test_timestamps_that_go_back_are_told_and_no_defect(cluster: FakeCluster) -> None:
    cell = 65_536
    records = [replace(record, timestamp=1_000 + record.offset) for record in numbered(100)]
    records[40] = replace(records[40], timestamp=900)
    later = [Record(cell + number, 500 + number, None, b"v") for number in range(5)]
    log = log_of(records).skip_to(cell).write(later)
    report = run_check(cluster.create([log], configs={"cleanup.policy": "compact"}))
    assert report.verdict is Soundness.SOUND
    (step,) = of_effect(report, CheckEffect.INFORMATION)
    assert (step.kind, step.records) == (CheckKind.TIMESTAMPS_GO_BACK, 2)
    assert step.offsets is not None
    assert step.offsets.start == 40
    times = the_partition(report).times
    assert (times.steps_back, times.largest_step_ms) == (2, 599)
    assert (times.first, times.last, times.smallest, times.largest) == (1000, 504, 500, 1099)


def test_a_topic_without_a_record_proves_nothing(cluster: FakeCluster) -> None:
    view = cluster.create([Log(), Log()], configs=DELETE)
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
    assert {finding.reason for finding in report.findings} == {"nothing_checked"}
    assert run_check(view, allow_empty=True).verdict is Soundness.SOUND


def test_a_broker_that_stalls_is_inconclusive_with_5(cluster: FakeCluster) -> None:
    view = cluster.create([log_of(numbered(50))], configs=DELETE)
    cluster.fault("stall", from_offset=0)
    report = run_check(view, stall_timeout_s=0.3)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 5)


def test_a_defect_counts_beside_what_could_not_be_read(cluster: FakeCluster) -> None:
    view = cluster.create([flipped(log_of(numbered(50)), 1), log_of(numbered(50))], configs=DELETE)
    cluster.fault("error_code", number=29, partition=1)
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.DAMAGED, 1)
    assert kinds(report, CheckEffect.UNVERIFIED) == {CheckKind.UNVERIFIED}


def test_a_batch_over_the_budget_is_never_sound(cluster: FakeCluster) -> None:
    big = [Record(0, 1, None, bytes(3 << 20))]
    report = run_check(cluster.create([log_of(big)], configs=DELETE), budget_bytes=1 << 20)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)


def test_a_log_that_moved_while_it_was_read_has_no_defects(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = cluster.create([flipped(log_of(numbered(50)), 1)], configs=DELETE)
    read = KafkaSource.check

    def then_recreate(self: KafkaSource, piece: Slice, *rest: Any) -> Any:
        found = read(self, piece, *rest)
        cluster.store.recreate_topic(name="t", topic_id=bytes(15) + b"\x77")
        return found

    monkeypatch.setattr(KafkaSource, "check", then_recreate)
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
    assert CheckKind.DAMAGE in kinds(report, CheckEffect.UNVERIFIED)


def test_retention_during_the_run_is_followed(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    view = cluster.create([log_of(numbered(100))], configs=DELETE)
    bounds = KafkaSource.bounds
    moved: list[int] = []

    def then_delete(self: KafkaSource) -> Any:
        found = bounds(self)
        if not moved:
            moved.append(1)
            cluster.store.set_log_start_offset(topic="t", partition=0, offset=40)
        return found

    monkeypatch.setattr(KafkaSource, "bounds", then_delete)
    report = run_check(view)
    assert (report.verdict, report.totals.records) == (Soundness.SOUND, 60)
    assert kinds(report, CheckEffect.INFORMATION) == {CheckKind.RETENTION_DURING_RUN}


def test_topics_are_chosen_by_a_pattern(cluster: FakeCluster) -> None:
    for name, log in (("a1", log_of(numbered(5))), ("a2", flipped(log_of(numbered(20)), 1)), ("b", Log())):
        cluster.create([log], topic=name, configs=DELETE)
    view = cluster.view("")
    report = run_check(view, topics=TopicSelection(TopicPattern("a.")))
    assert [(topic.topic, topic.verdict) for topic in report.topics] == [
        ("a1", Soundness.SOUND),
        ("a2", Soundness.DAMAGED),
    ]
    assert [finding.topic for finding in of_effect(report, CheckEffect.DEFECT)] == ["a2"]
    with pytest.raises(UsageError, match="chooses none of the 3 topics"):
        run_check(view, topics=TopicSelection(TopicPattern("x")))
    with pytest.raises(UsageError, match=r"--expect-topics 3: .* chooses 2 topics"):
        run_check(view, topics=TopicSelection(TopicPattern("a."), (), 3))


def test_a_name_that_does_not_exist_is_a_mistake(cluster: FakeCluster) -> None:
    view = cluster.create([log_of(numbered(5))], configs=DELETE)
    with pytest.raises(TopicNotFoundError, match="does not exist"):
        run_check(cluster.view("typo"))
    with pytest.raises(UsageError, match="partition 3 does not exist"):
        run_check(view, partitions=(3,))
    assert cluster.broker.requests().get(FETCH, 0) == 0


def test_only_the_named_partitions_are_read(cluster: FakeCluster) -> None:
    view = cluster.create([flipped(log_of(numbered(20)), 1), log_of(numbered(20))], configs=DELETE)
    report = run_check(view, partitions=(1,))
    assert (report.verdict, report.totals.records) == (Soundness.SOUND, 20)


def test_a_cluster_that_is_away_is_inconclusive_with_5(cluster: FakeCluster) -> None:
    view: View = cluster.create([log_of(numbered(5))])
    cluster.broker.stop()
    report = run_check(view, stall_timeout_s=0.3)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 5)
    assert report.topics == ()


def test_findings_are_cut_and_the_verdict_uses_all(cluster: FakeCluster) -> None:
    log = log_of(numbered(10))
    for start in range(20, 200, 20):
        log.skip_to(start).write(numbered(10, start))
    report = run_check(cluster.create([log], configs=DELETE), max_findings=2)
    assert (len(report.findings), report.findings_total, report.findings_truncated) == (2, 9, True)
    assert report.verdict is Soundness.DAMAGED


def test_librdkafka_reads_it_too_and_its_holes_are_no_defects(cluster: FakeCluster) -> None:
    settings = ClusterSettings(data_path=DataPath.CONSUMER, stall_timeout_ms=5_000)
    log = log_of(numbered(5)).skip_to(9).write(numbered(5, 9))
    whole = run_check(cluster.create([log_of(numbered(50))], topic="a", configs=DELETE), settings=settings)
    assert (whole.verdict, whole.totals.records) == (Soundness.SOUND, 50)
    assert whole.notes == ("headers_as_delivered",)
    holey = run_check(cluster.create([log], topic="b", configs=DELETE), settings=settings)
    assert (holey.verdict, kinds(holey, CheckEffect.UNVERIFIED)) == (Soundness.INCONCLUSIVE, {CheckKind.HOLE})
