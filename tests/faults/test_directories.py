"""What a comparison, a tail and a check say where a side is a log directory; the records come from a broker here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.check_model import CheckEffect, CheckKind, Soundness
from kcompare.engine.tail import TailRequest, tail
from kcompare.errors import SameSourceError, TopicNotFoundError, UsageError
from kcompare.model import Effect, FindingKind, FirstDivergence, Mode, Reason, Side, Verdict
from kcompare.settings.allowances import parse_allowance
from kcompare.settings.topics import TopicPattern, TopicSelection
from kcompare.sources.logdir import LogdirSource
from tests.support.checks import defects, run_check
from tests.support.clusters import FakeCluster, differences, findings, only, reasons, run
from tests.support.directories import Directory, Disk
from tests.support.logs import Log, Record, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kcompare.model import Slice

ID = bytes(15) + b"\x42"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Disk]:
    found = Disk(monkeypatch, tmp_path)
    yield found
    found.close()


@pytest.fixture
def left(disk: Disk) -> Directory:
    return disk.directory("left")


@pytest.fixture
def right(disk: Disk) -> Directory:
    return disk.directory("right")


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster() as found:
        yield found


def changed(records: list[Record], offset: int) -> list[Record]:
    return [Record(one.offset, one.timestamp, one.key, b"other") if one.offset == offset else one for one in records]


def test_directories_and_clusters_are_equal_in_every_pairing(
    left: Directory, right: Directory, cluster: FakeCluster
) -> None:
    logs = [log_of(numbered(300)), log_of(numbered(20, 7))]
    views = [left.create(logs), right.create(logs), cluster.create(logs)]
    for one, other in ((views[0], views[1]), (views[0], views[2]), (views[2], views[0])):
        report = run(one, other)
        assert (report.verdict, report.totals.compared_records) == (Verdict.EQUAL, 320)
    report = run(views[0], views[2])
    assert (report.left.kind, report.left.node_id, report.right.node_id) == ("logdir", 1, None)
    assert report.topics[0].mode is Mode.LOG
    assert "cleaner's checkpoint does not list it on the left side" in report.topics[0].mode_reason


def test_the_same_ids_are_a_lineage_and_no_refusal(left: Directory, cluster: FakeCluster) -> None:
    log = log_of(numbered(10))
    report = run(left.create([log], id_=ID), cluster.create([log], id_=ID))
    assert (report.verdict, report.notes) == (Verdict.EQUAL, ("same_lineage",))


def test_the_same_directory_is_refused_whatever_leads_to_it(left: Directory, tmp_path: Path) -> None:
    view = left.create([log_of(numbered(10))])
    link = tmp_path / "link"
    link.symlink_to(left.path)
    linked = Directory(link, left.cluster).view()
    for other in (view, linked):
        with pytest.raises(SameSourceError, match="lead to the same directory"):
            run(view, other)
        assert run(view, other, allow_same=True).verdict is Verdict.EQUAL


def test_a_partition_that_is_not_there_is_no_difference(left: Directory, cluster: FakeCluster) -> None:
    logs = [log_of(numbered(10)), log_of(numbered(10)), log_of(numbered(10))]
    report = run(left.create(logs, hosts=[0, 2]), cluster.create(logs))
    assert (report.verdict, report.exit_code, differences(report)) == (Verdict.INCONCLUSIVE, 3, [])
    assert [found.verdict for found in report.topics[0].partitions] == [
        Verdict.EQUAL,
        Verdict.INCONCLUSIVE,
        Verdict.EQUAL,
    ]
    (found,) = findings(report, Effect.UNVERIFIED)
    assert (found.reason, found.side, found.partition) == (Reason.NOT_IN_LOGDIR, Side.LEFT, 1)
    assert found.right is not None
    assert (found.right.start, found.right.stop) == (0, 10)


def test_a_topic_that_is_not_there_is_no_difference_either(left: Directory, cluster: FakeCluster) -> None:
    log = log_of(numbered(10))
    cluster.create([log], topic="a")
    cluster.create([log], topic="b")
    left.create([log], "a")
    selection = TopicSelection(TopicPattern("."))
    report = run(cluster.view(""), left.view(""), topics=selection)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    a, b = report.topics
    assert (a.verdict, b.verdict) == (Verdict.EQUAL, Verdict.INCONCLUSIVE)
    assert [(one.kind, one.reason) for one in b.findings] == [(FindingKind.UNVERIFIED, Reason.NOT_IN_LOGDIR)]


def test_names_that_do_not_exist_are_mistakes(left: Directory, cluster: FakeCluster, tmp_path: Path) -> None:
    log = log_of(numbered(10))
    view, other = left.create([log]), cluster.create([log])
    with pytest.raises(TopicNotFoundError, match="has no partition of a topic 'typo'; they hold t"):
        run(left.view("typo"), other)
    with pytest.raises(TopicNotFoundError, match="name its topic, 't'"):
        run(left.view("t-0"), other)
    with pytest.raises(UsageError, match="is no log directory"):
        run(Directory(tmp_path / "nowhere", left.cluster).view(), other)
    with pytest.raises(UsageError, match="partition 3 does not exist"):
        run(view, other, partitions=(3,))


def test_directories_of_two_topics_of_one_name_are_refused(
    left: Directory, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [log_of(numbered(10))] * 2
    view, other = left.create(logs), cluster.create(logs)
    found = LogdirSource._partitions

    def with_a_stale_one(self: LogdirSource) -> Any:
        first, second = found(self)
        second.topic_id = ID
        return [first, second]

    monkeypatch.setattr(LogdirSource, "_partitions", with_a_stale_one)
    report = run(view, other)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert "one is left over from a topic of the same name" in report.errors[0].message


@pytest.mark.parametrize(("checkpoint", "verdict"), [(50, Verdict.INCONCLUSIVE), (51, Verdict.DIFFERENT)])
def test_a_difference_above_the_high_watermark_checkpoint_is_unverified(
    left: Directory, cluster: FakeCluster, checkpoint: int, verdict: Verdict
) -> None:
    records = numbered(100)
    left.bounds[0] = {"high_watermark_checkpoint": checkpoint}
    report = run(left.create([log_of(changed(records, 50))]), cluster.create([log_of(records)]))
    assert report.verdict is verdict
    (found,) = only(report).findings
    assert found.kind is FindingKind.CHANGED
    if verdict is Verdict.INCONCLUSIVE:
        assert (found.effect, found.reason, found.side) == (Effect.UNVERIFIED, Reason.ABOVE_HIGH_WATERMARK, Side.LEFT)
        assert only(report).first_divergence is None
    else:
        assert only(report).first_divergence is not None
    covered = only(report).left
    assert covered is not None
    assert (covered.high_watermark_checkpoint, covered.end_reason) == (checkpoint, "end_of_segment")


def test_what_a_directory_holds_more_above_its_checkpoint_is_unverified(left: Directory, cluster: FakeCluster) -> None:
    left.bounds[0] = {"high_watermark_checkpoint": 80}
    report = run(left.create([log_of(numbered(100))]), cluster.create([log_of(numbered(80))]))
    assert (report.verdict, reasons(report)) == (Verdict.INCONCLUSIVE, {"above_high_watermark"})
    allowed = run(left.view(), cluster.view(), allow_tail=parse_allowance("left"))
    assert allowed.verdict is Verdict.EQUAL


@pytest.mark.parametrize("checkpoint", [0, 60, 80])
def test_what_a_directory_lacks_is_a_difference_whatever_its_checkpoint(
    left: Directory, cluster: FakeCluster, checkpoint: int
) -> None:
    left.bounds[0] = {"high_watermark_checkpoint": checkpoint}
    report = run(left.create([log_of(numbered(80))]), cluster.create([log_of(numbered(100))]))
    assert (report.verdict, differences(report)) == (Verdict.DIFFERENT, [FindingKind.ONLY_RIGHT])
    assert only(report).first_divergence == FirstDivergence(None, 80)


def test_the_first_divergence_is_one_that_counts(left: Directory, cluster: FakeCluster) -> None:
    records = numbered(100)
    left.bounds[0] = {"high_watermark_checkpoint": 90}
    report = run(left.create([log_of(changed(changed(records, 20), 95))]), cluster.create([log_of(records)]))
    assert report.verdict is Verdict.DIFFERENT
    assert reasons(report) == {"above_high_watermark"}
    first = only(report).first_divergence
    assert first is not None
    assert first.left_offset == 20


def test_a_hole_between_segment_files_is_a_missing_segment(left: Directory, right: Directory) -> None:
    log = log_of(numbered(50)).skip_to(120).write(numbered(50, 120))
    for side in (left, right):
        side.bounds[0] = {"segment_holes": [(50, 120)], "segments": 2}
    report = run(left.create([log]), right.create([log]))
    assert (report.verdict, reasons(report)) == (Verdict.INCONCLUSIVE, {"missing_segment"})
    sides = [(one.side, one.left or one.right) for one in findings(report, Effect.UNVERIFIED)]
    assert [side for side, _ in sides] == [Side.LEFT, Side.RIGHT]
    assert {(at.start, at.stop) for _, at in sides if at} == {(50, 120)}


def test_other_holes_beside_a_missing_segment_are_told_apart(left: Directory, right: Directory) -> None:
    log = log_of(numbered(10)).skip_to(20).write(numbered(10, 20)).skip_to(60).write(numbered(5, 60))
    for side in (left, right):
        side.bounds[0] = {"segment_holes": [(30, 50)]}
    report = run(left.create([log]), right.create([log]))
    own = [one for one in findings(report, Effect.UNVERIFIED) if one.side is Side.LEFT]
    told = [(one.reason, (one.left.start, one.left.stop)) for one in own if one.left]
    # The second hole is the missing segment and the front of the file behind it.
    assert told == [(Reason.MISSING_SEGMENT, (30, 50)), (Reason.UNEXPLAINED_GAP, (10, 60))]
    assert "20 offsets have no record and no cause, at [10, 20), [50, 60)" in own[1].detail


def test_a_compacted_directory_needs_another_mode(disk: Disk, cluster: FakeCluster) -> None:
    directory = disk.directory("compacted", cleaned_to=1000)
    log = log_of(numbered(10)).skip_to(20).write(numbered(10, 20))
    view, other = directory.create([log]), cluster.create([log], configs={"cleanup.policy": "delete"})
    report = run(view, other)
    assert (report.verdict, reasons(report)) == (Verdict.INCONCLUSIVE, {"mode_not_available"})
    assert "the cleaner's checkpoint lists it on the left side" in report.topics[0].mode_reason
    by_record = run(view, other, mode=Mode.LOG)
    assert [one.side for one in findings(by_record, Effect.UNVERIFIED)] == [Side.RIGHT]


def touched(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def rewritten_with_its_old_time(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.rename(path)


@pytest.mark.parametrize("harm", [touched, rewritten_with_its_old_time, replaced, os.unlink])
@pytest.mark.parametrize("checked", [False, True])
def test_a_file_that_changes_while_it_is_read_is_never_equal(
    left: Directory, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, harm: Any, *, checked: bool
) -> None:
    log = log_of(numbered(50))
    view, other = left.create([log]), cluster.create([log], configs={"cleanup.policy": "delete"})
    name = "check" if checked else "read"
    read = getattr(LogdirSource, name)

    def then_harm(self: LogdirSource, piece: Slice, *rest: Any, **options: Any) -> Any:
        found = read(self, piece, *rest, **options)
        harm(left.segment("t", 0))
        return found

    monkeypatch.setattr(LogdirSource, name, then_harm)
    if checked:
        report = run_check(view)
        assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
        assert {one.reason for one in report.findings} == {"changed_while_reading"}
        return
    compared = run(view, other)
    assert (compared.verdict, compared.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert reasons(compared) == {"changed_while_reading"}
    (found,) = findings(compared, Effect.UNVERIFIED)
    assert f"{0:020}.log" in found.detail


def test_a_file_that_changed_before_the_run_does_not_matter(left: Directory, cluster: FakeCluster) -> None:
    log = log_of(numbered(50))
    view, other = left.create([log]), cluster.create([log])
    touched(left.segment("t", 0))
    assert run(view, other).verdict is Verdict.EQUAL


def test_files_without_planned_offsets_may_change(
    left: Directory, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(numbered(50))
    view, other = left.create([log]), cluster.create([log])
    read = LogdirSource.read

    def then_roll(self: LogdirSource, piece: Slice, *rest: Any, **options: Any) -> Any:
        found = read(self, piece, *rest, **options)
        left.segment("t", 0, 50).touch()
        touched(left.segment("t", 0, 50))
        return found

    monkeypatch.setattr(LogdirSource, "read", then_roll)
    assert run(view, other).verdict is Verdict.EQUAL


def test_a_directory_that_vanishes_while_it_is_read_is_never_equal(
    left: Directory, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(numbered(50))
    view, other = left.create([log]), cluster.create([log])
    read = LogdirSource.read

    def then_remove(self: LogdirSource, piece: Slice, *rest: Any, **options: Any) -> Any:
        found = read(self, piece, *rest, **options)
        left.directory("t", 0).rename(left.path / "gone")
        return found

    monkeypatch.setattr(LogdirSource, "read", then_remove)
    report = run(view, other)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert reasons(report) == {"changed_while_reading"}


def test_damage_has_its_own_word(left: Directory, cluster: FakeCluster) -> None:
    whole, log = log_of(numbered(50)), log_of(numbered(50))
    log.frames[2] = log.frames[2][:-1] + bytes([log.frames[2][-1] ^ 1])
    view = left.create([log])
    report = run(view, cluster.create([whole]))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "damage_before_end" in reasons(report)
    assert "corrupt_batch" not in reasons(report)
    checked = run_check(view)
    assert defects(checked) == [("damage", 0, (20, 30))]


def test_a_partition_that_cannot_be_read_is_inconclusive_with_3(left: Directory, cluster: FakeCluster) -> None:
    log = log_of(numbered(10))
    left.bounds[0] = {"error": "permission denied"}
    view, other = left.create([log]), cluster.create([log])
    report = run(view, other)
    assert (report.verdict, report.exit_code, reasons(report)) == (Verdict.INCONCLUSIVE, 3, {"io_error"})
    checked = run_check(view)
    assert (checked.verdict, checked.exit_code) == (Soundness.INCONCLUSIVE, 3)
    (found,) = tail(TailRequest((view,))).views
    assert "permission denied" in (found.partitions[0].error or "")


def test_odd_ends_are_told(left: Directory, cluster: FakeCluster) -> None:
    log = log_of(numbered(10))
    left.bounds[0] = {"end_reason": "torn_tail", "end_detail": "the last batch is cut off", "recovery_point": 3}
    view = left.create([log])
    report = run(view, cluster.create([log]))
    assert report.verdict is Verdict.EQUAL
    assert only(report).warnings == ("the left side ends at offset 10 (torn_tail): the last batch is cut off",)
    covered = only(report).left
    assert covered is not None
    assert (covered.end_reason, covered.recovery_point) == ("torn_tail", 3)
    checked = run_check(view)
    assert checked.verdict is Soundness.SOUND
    assert [(one.kind, one.reason) for one in checked.findings] == [(CheckKind.ODD_END, "torn_tail")]


def test_a_missing_segment_is_a_defect_of_one_log_alone(left: Directory) -> None:
    left.bounds[0] = {"segment_holes": [(50, 120)]}
    view = left.create([log_of(numbered(50)).skip_to(120).write(numbered(50, 120))])
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.DAMAGED, 1)
    assert defects(report) == [("missing_segment", 0, (50, 120))]
    (left.path / "cleaner-offset-checkpoint").unlink()
    unsure = run_check(view)
    assert (unsure.verdict, unsure.exit_code) == (Soundness.INCONCLUSIVE, 3)
    assert unsure.topics[0].compacted is None


def test_what_is_set_aside_is_worth_knowing(left: Directory) -> None:
    left.aside = [("/x/t-0.8e-delete", "t", 0, "delete"), ("/x/u-0-future", "u", 0, "future")]
    report = run_check(left.create([log_of(numbered(5))]))
    assert report.verdict is Soundness.SOUND
    (found,) = report.findings
    assert (found.kind, found.effect, found.reason) == (CheckKind.SET_ASIDE, CheckEffect.INFORMATION, "delete")


def test_the_tail_of_a_directory(left: Directory) -> None:
    log: Log = log_of(numbered(50))
    view = left.create([log])
    (found,) = tail(TailRequest((view,), count=3)).views
    assert [record.offset for record in found.partitions[0].records] == [47, 48, 49]
    assert found.common_prefix_stop == 50
