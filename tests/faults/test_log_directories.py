"""Real directories, read by the real module: what a comparison, a tail and a check say of them, harmed and unharmed."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.check_model import Soundness
from kcompare.engine.tail import TailRequest, tail
from kcompare.errors import SameSourceError, TopicNotFoundError, UsageError
from kcompare.model import Effect, FindingKind, IsolationLevel, Mode, Reason, Side, Verdict
from kcompare.settings.allowances import parse_allowance
from kcompare.settings.ranges import parse_range
from kcompare.settings.topics import TopicPattern, TopicSelection
from kcompare.sources.logdir import LogdirSource
from tests.support.checks import run_check
from tests.support.clusters import FakeCluster, differences, findings, only, reasons, run
from tests.support.log_directories import LogDirectory, flip
from tests.support.logs import CODECS, Log, Record, log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ID = bytes(15) + b"\x42"
BATCH = 10
SEGMENT = 50
"""Offsets of a batch, and of a segment."""


@pytest.fixture
def left(tmp_path: Path) -> LogDirectory:
    return LogDirectory(tmp_path / "left")


@pytest.fixture
def right(tmp_path: Path) -> LogDirectory:
    return LogDirectory(tmp_path / "right", cluster_id="other", node_id=2)


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster("third") as found:
        yield found


def changed(records: list[Record], offset: int) -> list[Record]:
    return [Record(one.offset, one.timestamp, one.key, b"other") if one.offset == offset else one for one in records]


def varied(count: int) -> Log:
    """Every codec, keys and headers, transactions of which one is aborted."""
    log = Log().write(numbered(count), cuts=range(0, count, 7), codecs=CODECS)
    log.transaction(numbered(20, log.end), committed=False, cuts=[5])
    log.transaction(numbered(20, log.end), committed=True, codecs=["zstd"])
    return log.write(numbered(15, log.end), cuts=[4])


def test_directories_and_clusters_are_equal_in_every_pairing(
    left: LogDirectory, right: LogDirectory, cluster: FakeCluster
) -> None:
    logs = [varied(300), log_of(numbered(20, 7)), Log()]
    views = [left.create(logs, segment=3), right.create(logs, segment=50), cluster.create(logs)]
    for one, other in ((0, 1), (0, 2), (2, 1)):
        for isolation in IsolationLevel:
            report = run(views[one], views[other], left_isolation=isolation, right_isolation=isolation)
            expected = sum(len(log.records(isolation)) for log in logs)
            assert (report.verdict, report.totals.compared_records) == (Verdict.EQUAL, expected)
    assert (report.left.kind, report.right.kind, report.right.node_id) == ("kafka", "logdir", 2)


def test_the_first_divergence_is_exact_whatever_the_segments(
    left: LogDirectory, right: LogDirectory, cluster: FakeCluster
) -> None:
    records = numbered(1000)
    view = left.create([log_of(records)])
    other = changed(records, 617)
    for second in (right.create([log_of(other, batch=3)], segment=2), cluster.create([log_of(other, batch=13)])):
        report = run(view, second)
        assert (report.verdict, differences(report)) == (Verdict.DIFFERENT, [FindingKind.CHANGED])
        first = only(report).first_divergence
        assert first is not None
        assert (first.left_offset, first.right_offset, first.fields) == (617, 617, ("value",))


def test_a_directory_that_lags_is_allowed_to(left: LogDirectory, cluster: FakeCluster) -> None:
    view, other = left.create([log_of(numbered(100))]), cluster.create([log_of(numbered(140))])
    assert run(view, other, allow_tail=parse_allowance("right:40")).verdict is Verdict.EQUAL
    assert run(view, other, allow_tail=parse_allowance("right:39")).verdict is Verdict.DIFFERENT


def test_many_topics_of_directories(left: LogDirectory, right: LogDirectory) -> None:
    for name in ("a", "b", "c.d"):
        left.create([log_of(numbered(10))] * 2, name)
    right.create([log_of(numbered(10))] * 2, "a")
    right.create([log_of(changed(numbered(10), 4))] * 2, "b")
    report = run(left.view(""), right.view(""), topics=TopicSelection(TopicPattern(".*")))
    assert [(topic.left, topic.verdict) for topic in report.topics] == [
        ("a", Verdict.EQUAL),
        ("b", Verdict.DIFFERENT),
        ("c.d", Verdict.INCONCLUSIVE),
    ]
    assert {found.reason for found in report.topics[2].findings} == {Reason.NOT_IN_LOGDIR}


def test_several_log_directories_of_one_broker(tmp_path: Path, left: LogDirectory, cluster: FakeCluster) -> None:
    logs = [log_of(numbered(30, start)) for start in (0, 5, 9)]
    second = LogDirectory(tmp_path / "second")
    left.create(logs[:1], id_=ID, hosts=[0])
    second.create(logs[1:], id_=ID, hosts=[1, 2])
    report = run(left.view("t", second), cluster.create(logs))
    assert (report.verdict, report.totals.compared_records) == (Verdict.EQUAL, 90)


def test_directories_that_do_not_belong_together_are_refused(
    tmp_path: Path, left: LogDirectory, right: LogDirectory, cluster: FakeCluster
) -> None:
    log = log_of(numbered(10))
    other = cluster.create([log])
    left.create([log])
    right.create([log])
    with pytest.raises(UsageError, match=r"node.id 1 of cluster .* node.id 2 of cluster"):
        run(left.view("t", right), other)
    second = LogDirectory(tmp_path / "second")
    second.create([log])
    with pytest.raises(UsageError, match=r"partition 0 of topic .* is in .*left/t-0 and in .*second/t-0"):
        run(left.view("t", second), other)
    link = LogDirectory(tmp_path / "third")
    shutil.rmtree(link.path)
    link.path.symlink_to(left.path)
    with pytest.raises(UsageError, match="is the same directory as"):
        run(left.view("t", link), other)


def test_the_same_bytes_are_refused_and_a_copy_is_not(tmp_path: Path, left: LogDirectory) -> None:
    view = left.create([log_of(numbered(10))] * 2)
    linked = LogDirectory(tmp_path / "linked")
    for link in (left.path, left.path / "t-0"):
        shutil.rmtree(linked.path, ignore_errors=True)
        linked.path.unlink(missing_ok=True)
        if link is left.path:
            linked.path.symlink_to(link)
        else:
            shutil.copytree(left.path, linked.path)
            shutil.rmtree(linked.path / "t-0")
            (linked.path / "t-0").symlink_to(link)
        with pytest.raises(SameSourceError, match="lead to the same directory"):
            run(view, linked.view())
        assert run(view, linked.view(), allow_same=True).verdict is Verdict.EQUAL
    shutil.copytree(left.path, tmp_path / "copy")
    linked.path = tmp_path / "copy"
    report = run(view, linked.view())
    assert (report.verdict, report.notes) == (Verdict.EQUAL, ("same_lineage",))


def test_partitions_that_are_not_hosted_are_unverified(left: LogDirectory, cluster: FakeCluster) -> None:
    logs = [log_of(numbered(10))] * 3
    view, other = left.create(logs[:2], hosts=[0, 2]), cluster.create(logs)
    for views, side in (((view, other), Side.LEFT), ((other, view), Side.RIGHT)):
        report = run(*views)
        assert (report.verdict, report.exit_code, differences(report)) == (Verdict.INCONCLUSIVE, 3, [])
        (found,) = findings(report, Effect.UNVERIFIED)
        assert (found.partition, found.reason, found.side) == (1, Reason.NOT_IN_LOGDIR, side)


@pytest.mark.parametrize("kind", ["-delete", "-future", "-stray"])
def test_what_is_set_aside_is_not_read(left: LogDirectory, cluster: FakeCluster, kind: str) -> None:
    logs = [log_of(numbered(10))] * 2
    view, other = left.create(logs), cluster.create(logs)
    left.directory("t", 1).rename(left.path / f"t-1.0123456789abcdef0123456789abcdef{kind}")
    report = run(view, other)
    assert (report.verdict, reasons(report)) == (Verdict.INCONCLUSIVE, {"not_in_logdir"})


def test_names_that_do_not_exist_are_mistakes(left: LogDirectory, cluster: FakeCluster) -> None:
    log = log_of(numbered(10))
    view, other = left.create([log]), cluster.create([log])
    with pytest.raises(TopicNotFoundError, match="has no partition of a topic 'typo'; they hold t"):
        run(left.view("typo"), other)
    with pytest.raises(TopicNotFoundError, match="name its topic, 't'"):
        run(left.view("t-0"), other)
    with pytest.raises(UsageError, match="partition 3 does not exist"):
        run(view, other, partitions=(3,))


@pytest.mark.parametrize("segment", range(6))
def test_a_segment_that_is_missing_on_both_sides_is_never_equal(
    left: LogDirectory, right: LogDirectory, segment: int
) -> None:
    """Not even the first or the last one, as far as anything on disk tells of it."""
    log = log_of(numbered(300))
    views = left.create([log]), right.create([log])
    for side in (left, right):
        side.checkpoint("recovery", 300)
        side.checkpoint("start", 0)
        side.remove_segment(segment)
    for options in ({}, {"allow_gaps": True}, {"allow_tail": parse_allowance("both")}):
        report = run(*views, **options)
        assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    gone = {(at.start, at.stop) for found in findings(report) for at in (found.left, found.right) if at}
    assert gone >= {(segment * SEGMENT, segment * SEGMENT + SEGMENT)}


def test_records_that_are_missing_where_the_cleaner_has_not_been_are_never_equal(
    left: LogDirectory, right: LogDirectory
) -> None:
    """A hole within a segment, on both sides alike, in a topic that is compacted."""
    log = log_of(numbered(30)).skip_to(35).write(numbered(30, 35))
    views = left.create([log, log], segment=100), right.create([log, log], segment=100)
    for directory in (left, right):
        directory.checkpoint("cleaner", 35)
    report = run(*views, mode=Mode.LOG)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert [one.verdict for one in report.topics[0].partitions] == [Verdict.EQUAL, Verdict.INCONCLUSIVE]
    assert reasons(report) == {"unexplained_gap"}
    for directory in (left, right):
        directory.checkpoint("cleaner", 20, partition=1)
    assert run(*views, mode=Mode.LOG).topics[0].partitions[1].verdict is Verdict.INCONCLUSIVE
    for directory in (left, right):
        directory.checkpoint("cleaner", 50, partition=1)
    assert run(*views, mode=Mode.LOG).verdict is Verdict.EQUAL


def test_a_segment_that_one_side_lacks_is_never_equal(left: LogDirectory, cluster: FakeCluster) -> None:
    log = log_of(numbered(300))
    view, other = left.create([log]), cluster.create([log])
    left.remove_segment(3)
    for views in ((view, other), (other, view)):
        report = run(*views)
        assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
        assert "missing_segment" in reasons(report)


def test_a_difference_counts_beside_a_missing_segment(left: LogDirectory, cluster: FakeCluster) -> None:
    records = numbered(200_000)
    view = left.create([log_of(records, batch=1000)], segment=10)
    other = cluster.create([log_of(changed(records, 150_001), batch=1000)])
    left.remove_segment(3)
    report = run(view, other)
    assert (report.verdict, differences(report)) == (Verdict.DIFFERENT, [FindingKind.CHANGED])
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (150_001, 150_001)
    assert "missing_segment" in reasons(report)


def test_segments_that_were_swapped_are_never_equal(left: LogDirectory, right: LogDirectory) -> None:
    log = log_of(numbered(300))
    views = left.create([log]), right.create([log])
    for side in (left, right):
        one, other = side.segments()[1:3]
        data = one.read_bytes(), other.read_bytes()
        one.write_bytes(data[1])
        other.write_bytes(data[0])
    report = run(*views)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    covered = only(report).left
    assert covered is not None
    assert covered.uncovered_offsets > 0


def test_between_log_start_and_first_segment_there_is_no_head(left: LogDirectory, cluster: FakeCluster) -> None:
    log = log_of(numbered(300))
    view, other = left.create([log]), cluster.create([log])
    left.remove_segment(0)
    left.checkpoint("start", 20)
    report = run(view, other, allow_head=parse_allowance("right"))
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    found = next(one for one in findings(report) if one.reason is Reason.MISSING_SEGMENT)
    assert found.left is not None
    assert (found.left.start, found.left.stop) == (20, 50)


def test_a_log_that_ends_below_its_start_is_not_empty(left: LogDirectory, right: LogDirectory) -> None:
    """Its end is missing on both sides, and nothing tells how much: another partition must not make that EQUAL."""
    logs = [log_of(numbered(300)), log_of(numbered(300)).cut_head(270)]
    views = left.create(logs), right.create(logs)
    assert run(*views).verdict is Verdict.EQUAL
    for side in (left, right):
        side.remove_segment(5, partition=1)
    report = run(*views)
    assert (report.verdict, report.exit_code, reasons(report)) == (Verdict.INCONCLUSIVE, 3, {"missing_segment"})
    assert [found.verdict for found in report.topics[0].partitions] == [Verdict.EQUAL, Verdict.INCONCLUSIVE]
    checked = run_check(views[0])
    assert (checked.verdict, checked.exit_code) == (Soundness.DAMAGED, 1)
    ends = tail(TailRequest((views[0],))).views[0].partitions[1]
    assert "its end is missing" in (ends.error or "")


def test_a_partition_without_any_segment_file_is_unverified(left: LogDirectory, right: LogDirectory) -> None:
    logs = [log_of(numbered(30)), Log(), log_of(numbered(30))]
    views = left.create(logs), right.create(logs)
    for side in (left, right):
        side.remove_segment(0, partition=0)
        side.remove_segment(0, partition=1)
    report = run(*views)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    verdicts = [found.verdict for found in report.topics[0].partitions]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.EQUAL]
    assert run_check(views[0]).verdict is Soundness.DAMAGED


def test_what_is_in_remote_storage_is_unverified(left: LogDirectory, cluster: FakeCluster) -> None:
    log = log_of(numbered(300))
    view, other = left.create([log]), cluster.create([log])
    left.remove_segment(0)
    left.checkpoint("start", 0)
    (left.path / "remote-log-index-cache").mkdir()
    report = run(view, other)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "remote_only" in reasons(report)


def torn(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


def zeroed(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(4096))


def rubbish(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\xa5" * 300)


@pytest.mark.parametrize(
    ("harm", "end", "reason"), [(torn, 290, "torn_tail"), (zeroed, 300, "zero_tail"), (rubbish, 300, "corrupt_tail")]
)
def test_damage_at_the_very_end_is_an_end(
    left: LogDirectory, right: LogDirectory, cluster: FakeCluster, harm: Callable[[Path], None], end: int, reason: str
) -> None:
    log = log_of(numbered(300))
    view, other = left.create([log]), cluster.create([log])
    harm(left.segments()[-1])
    report = run(view, other, allow_tail=parse_allowance("right"))
    covered = only(report).left
    assert covered is not None
    assert (covered.high_watermark, covered.end_reason, report.verdict) == (end, reason, Verdict.EQUAL)
    assert any(reason in warning for warning in only(report).warnings)
    if end < 300:
        assert run(view, other).verdict is Verdict.DIFFERENT
    # The same damage below what was flushed is no end, on both sides alike.
    second = right.create([log])
    harm(right.segments()[-1])
    for side in (left, right):
        side.checkpoint("recovery", 300 if end < 300 else 310)
    flushed = run(view, second)
    assert (flushed.verdict, flushed.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert run(view, other, allow_tail=parse_allowance("right")).verdict is not Verdict.EQUAL


@pytest.mark.parametrize("place", [0, 25, 60, 12, 16, 203])
@pytest.mark.parametrize("segment", [0, 2, 5])
def test_the_same_damage_on_both_sides_is_never_equal(
    left: LogDirectory, right: LogDirectory, segment: int, place: int
) -> None:
    """Whatever byte of the first batch of a segment: offset, length, leader epoch, magic, CRC or the last value."""
    log = log_of(numbered(300))
    views = left.create([log]), right.create([log])
    for side in (left, right):
        flip(side.segments()[segment], place)
    report = run(*views)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    whole = right.segments()[segment]
    flip(whole, place)
    assert run(*views).verdict is not Verdict.EQUAL


def test_damage_hides_what_it_hides_and_no_more(left: LogDirectory, cluster: FakeCluster) -> None:
    log = log_of(numbered(300))
    view, other = left.create([log]), cluster.create([log])
    flip(left.segments()[2], 100)
    report = run(view, other)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "damage_before_end" in reasons(report)
    covered = only(report).left
    assert covered is not None
    assert (covered.uncovered_offsets, covered.covered_offsets) == (10, 290)


@pytest.mark.parametrize("both", [False, True])
def test_a_marker_that_damage_hides_lets_nothing_pass(left: LogDirectory, right: LogDirectory, *, both: bool) -> None:
    """An aborted transaction whose marker cannot be read looks like one that is open, or committed."""
    log = log_of(numbered(50)).transaction(numbered(20, 50), committed=False).write(numbered(50, 71), cuts=[25])
    other = log_of(numbered(50)).transaction(numbered(20, 50), committed=True).write(numbered(50, 71), cuts=[25])
    views = left.create([log], segment=100), right.create([log if both else other], segment=100)
    position = sum(len(frame) for frame in log.frames[:6])
    for side in (left, right) if both else (left,):
        flip(side.segments()[0], position + 40)
    report = run(*views)
    assert report.verdict is not Verdict.EQUAL
    assert report.exit_code in {1, 3}
    assert only(report).left is not None
    assert run(*views, left_isolation=IsolationLevel.READ_UNCOMMITTED).verdict is not Verdict.EQUAL


def test_open_transactions_are_unverified_at_once(left: LogDirectory, right: LogDirectory) -> None:
    log = log_of(numbered(50)).write(numbered(20, 50), producer_id=7).write(numbered(10, 70))
    views = left.create([log]), right.create([log])
    report = run(*views, settle_s=60.0, hang_s=20.0)
    assert (report.verdict, reasons(report)) == (Verdict.INCONCLUSIVE, {"open_transaction"})
    covered = only(report).left
    assert covered is not None
    assert (covered.last_stable_offset, covered.uncovered_offsets) == (50, 30)
    uncommitted = IsolationLevel.READ_UNCOMMITTED
    whole = run(*views, left_isolation=uncommitted, right_isolation=uncommitted)
    assert (whole.verdict, whole.totals.compared_records) == (Verdict.EQUAL, 80)


@pytest.mark.parametrize(("checkpoint", "verdict"), [(50, Verdict.INCONCLUSIVE), (51, Verdict.DIFFERENT)])
def test_a_difference_above_the_high_watermark_checkpoint_is_unverified(
    left: LogDirectory, cluster: FakeCluster, checkpoint: int, verdict: Verdict
) -> None:
    records = numbered(100)
    view = left.create([log_of(changed(records, 50))])
    left.checkpoint("watermark", checkpoint)
    left.checkpoint("recovery", 30)
    report = run(view, cluster.create([log_of(records)]))
    assert report.verdict is verdict
    covered = only(report).left
    assert covered is not None
    assert (covered.high_watermark_checkpoint, covered.recovery_point) == (checkpoint, 30)
    if verdict is Verdict.INCONCLUSIVE:
        assert reasons(report) == {"above_high_watermark"}


def test_a_time_is_found_in_a_directory(left: LogDirectory, cluster: FakeCluster) -> None:
    records = numbered(300)
    view, other = left.create([log_of(records)]), cluster.create([log_of(changed(records, 20))])
    report = run(view, other, left_range=parse_range("@1970-01-01T00:16:41Z:"), right_range=parse_range("100:"))
    assert (report.verdict, report.totals.compared_records) == (Verdict.EQUAL, 200)


def test_the_tail_of_a_directory(left: LogDirectory, right: LogDirectory) -> None:
    logs = [log_of(numbered(50)), log_of(numbered(300))]
    views = left.create(logs), right.create([varied(40), log_of(numbered(9))])
    one, other = tail(TailRequest(views, count=3)).views
    assert [[record.offset for record in found.records] for found in one.partitions] == [[47, 48, 49], [297, 298, 299]]
    assert (one.common_prefix_stop, other.common_prefix_stop) == (50, 9)
    committed = varied(40).records("read_committed")
    assert [record.offset for record in other.partitions[0].records] == [one.offset for one in committed[-3:]]


def appended(directory: LogDirectory) -> None:
    file = directory.segments()[-1]
    file.write_bytes(file.read_bytes() + log_of(numbered(10, 300)).frames[0])


def cut(directory: LogDirectory) -> None:
    file = directory.segments()[2]
    os.truncate(file, file.stat().st_size // 2)


def gone(directory: LogDirectory) -> None:
    directory.segments()[3].unlink()


def vanished(directory: LogDirectory) -> None:
    directory.directory().rename(directory.path / "elsewhere")


def rewritten(directory: LogDirectory) -> None:
    file = directory.segments()[1]
    before = file.stat()
    other = [replace(one, value=b"w-70") if one.offset == 70 else one for one in numbered(300)]
    file.write_bytes(b"".join(log_of(other).frames[5:10]))
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("harm", [appended, cut, gone, vanished, rewritten])
@pytest.mark.parametrize("moment", ["bounds", "read"])
def test_a_directory_that_changes_while_it_is_read_is_never_equal(
    left: LogDirectory, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, harm: Any, moment: str
) -> None:
    log = log_of(numbered(300))
    view, other = left.create([log]), cluster.create([log])
    step = getattr(LogdirSource, moment)
    done: list[int] = []

    def then_harm(self: LogdirSource, *rest: Any, **options: Any) -> Any:
        found = step(self, *rest, **options)
        if not done:
            done.append(1)
            harm(left)
        return found

    monkeypatch.setattr(LogdirSource, moment, then_harm)
    report = run(view, other)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert "changed_while_reading" in reasons(report)


def test_files_that_cannot_be_opened_are_unverified(left: LogDirectory, cluster: FakeCluster) -> None:
    """A directory in the place of a file is what nobody can read, root included."""
    log = log_of(numbered(300))
    view, other = left.create([log, log]), cluster.create([log, log])
    file = left.segments("t", 1)[2]
    file.unlink()
    file.mkdir()
    report = run(view, other)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    verdicts = [found.verdict for found in report.topics[0].partitions]
    assert verdicts == [Verdict.EQUAL, Verdict.INCONCLUSIVE]


def test_nothing_in_a_directory_is_changed(left: LogDirectory, cluster: FakeCluster) -> None:
    log = log_of(numbered(300))
    view, other = left.create([log, varied(100)]), cluster.create([log, varied(100)])
    flip(left.segments()[2], 100)
    zeroed(left.segments("t", 1)[-1])

    def look() -> dict[str, tuple[int, int, int, bytes]]:
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.read_bytes())
            for path in left.path.rglob("*")
            if path.is_file()
        }

    before, names = look(), sorted(map(str, left.path.rglob("*")))
    run(view, other)
    run_check(view)
    tail(TailRequest((view,)))
    assert (look(), sorted(map(str, left.path.rglob("*")))) == (before, names)
