"""``check`` of real directories: every kind of finding, each harm alone, and what a broker's start would do."""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING, Any

import pytest

from kcompare.check_model import CheckEffect, CheckKind, Soundness
from kcompare.engine.tail import TailRequest, tail
from kcompare.model import OffsetRange
from kcompare.report.check_document import check_document
from kcompare.settings.topics import TopicPattern, TopicSelection
from kcompare.sources.logdir import LogdirSource
from tests.support.checks import defects, of_effect, run_check, the_partition
from tests.support.log_directories import LogDirectory, flip
from tests.support.logs import Log, Record, log_of, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from kcompare.check_model import CheckFinding, CheckReport, StartReport


@pytest.fixture
def directory(tmp_path: Path) -> LogDirectory:
    return LogDirectory(tmp_path / "log")


def span(finding: CheckFinding) -> tuple[int, int] | None:
    return None if finding.offsets is None else (finding.offsets.start, finding.offsets.stop)


def told(report: CheckReport, effect: CheckEffect) -> list[tuple[str, str | None, tuple[int, int] | None]]:
    return [(one.kind.value, one.reason, span(one)) for one in of_effect(report, effect)]


def the_start(report: CheckReport) -> StartReport:
    start = the_partition(report).start
    assert start is not None
    return start


def test_a_whole_directory_is_sound(directory: LogDirectory) -> None:
    logs = [log_of(numbered(300)), log_of(numbered(70, 1000)), Log()]
    report = run_check(directory.create(logs))
    assert (report.verdict, report.exit_code, report.totals.records) == (Soundness.SOUND, 0, 370)
    assert (report.view.node_id, report.view.cluster_id, report.findings) == (1, "cluster", ())
    first, second, _ = report.topics[0].partitions
    assert (first.segments, first.batches, first.leader_epochs) == (6, 30, ((0, 0),))
    assert first.start is not None
    assert (first.start.log_start_offset, first.start.log_end_offset, first.start.recovered_segments) == (0, 300, 6)
    assert second.coverage is not None
    assert second.coverage.planned == OffsetRange(1000, 1070)


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("recovery", [0, 120, 300])
@pytest.mark.parametrize("segment", [1, 2, 3, 4])
def test_a_middle_segment_that_is_missing_is_found_alone(
    directory: LogDirectory, segment: int, recovery: int, *, clean: bool
) -> None:
    view = directory.create([log_of(numbered(300))])
    directory.checkpoint("recovery", recovery)
    if clean:
        directory.shut_down()
    directory.remove_segment(segment)
    for options in ({}, {"allow_gaps": True}):
        report = run_check(view, **options)
        assert (report.verdict, report.exit_code) == (Soundness.DAMAGED, 1)
        assert defects(report) == [("missing_segment", 0, (segment * 50, segment * 50 + 50))]
    covered = the_partition(report).coverage
    assert covered is not None
    assert (covered.uncovered_offsets, covered.covered_offsets) == (50, 250)
    # No broker notices: its log has the same start and end as before.
    assert (the_start(report).log_start_offset, the_start(report).log_end_offset) == (0, 300)


def test_two_missing_segments_are_two_findings(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    directory.remove_segment(4)
    directory.remove_segment(1)
    assert defects(run_check(view)) == [("missing_segment", 0, (50, 100)), ("missing_segment", 0, (200, 250))]


def test_a_segment_that_is_missing_over_the_edge_of_a_slice_is_one_finding(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(140_000), batch=7_000)], segment=1)
    directory.remove_segment(9)
    # Slices are of whole cells, which have 65,536 offsets.
    assert defects(run_check(view)) == [("missing_segment", 0, (63_000, 70_000))]


def test_a_first_segment_that_is_missing_is_never_sound(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    directory.remove_segment(0)
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
    assert told(report, CheckEffect.UNVERIFIED) == [("evidence", "first_segment_missing", (0, 50))]
    directory.checkpoint("start", 10)
    report = run_check(view)
    assert ("missing_segment", 0, (10, 50)) in defects(report)


@pytest.mark.parametrize("file", ["recovery", "watermark", "snapshot", "epochs"])
def test_a_last_segment_that_is_missing_is_never_sound_where_a_file_knows_of_it(
    directory: LogDirectory, file: str
) -> None:
    view = directory.create([log_of(numbered(300))])
    directory.remove_segment(5)
    assert run_check(view).verdict is Soundness.SOUND
    if file == "snapshot":
        (directory.directory() / f"{280:020}.snapshot").touch()
    elif file == "epochs":
        (directory.directory() / "leader-epoch-checkpoint").write_text("0\n2\n0 0\n4 280\n")
    else:
        directory.checkpoint(file, 280)
    report = run_check(view)
    assert report.verdict is not Soundness.SOUND
    assert ("evidence", "last_segment_missing", (250, 280)) in told(report, CheckEffect.UNVERIFIED)


def test_compaction_explains_holes_as_far_as_it_went(directory: LogDirectory) -> None:
    log = log_of(numbered(50)).skip_to(120).write(numbered(50, 120), cuts=range(0, 50, 10))
    log.skip_to(250).write(numbered(20, 250))
    view = directory.create([log])
    assert [kind for kind, _, _ in defects(run_check(view))] == ["missing_segment", "missing_segment"]
    directory.checkpoint("cleaner", 250)
    report = run_check(view)
    assert (report.verdict, report.topics[0].compacted) == (Soundness.SOUND, True)
    assert told(report, CheckEffect.EXPLAINED) == [("offset_gap", None, (0, 270))]
    # The cleaner has not been over the second hole, so that a segment is missing there.
    directory.checkpoint("cleaner", 170)
    assert defects(run_check(view)) == [("missing_segment", 0, (170, 250))]


@pytest.mark.parametrize("stop", [65, 140_000])
def test_a_hole_within_a_segment_where_the_cleaner_has_not_been_is_never_sound(
    directory: LogDirectory, stop: int
) -> None:
    """The checkpoint speaks of one partition and up to one offset, and says nothing of the rest."""
    log = log_of(numbered(30)).skip_to(35).write(numbered(30, 35)).skip_to(stop + 5).write(numbered(9, stop + 5))
    view = directory.create([log, log], segment=100)
    directory.checkpoint("cleaner", 35)
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
    holes = [("hole", one.partition, span(one)) for one in of_effect(report, CheckEffect.UNVERIFIED)]
    assert holes == [("hole", 0, (65, stop + 5)), ("hole", 1, (30, 35)), ("hole", 1, (65, stop + 5))]
    directory.checkpoint("cleaner", stop + 5)
    directory.checkpoint("cleaner", stop + 5, partition=1)
    assert run_check(view).verdict is Soundness.SOUND


def test_a_hole_within_a_segment_is_a_defect(directory: LogDirectory) -> None:
    log = log_of(numbered(30)).skip_to(35).write(numbered(30, 35))
    view = directory.create([log], segment=100)
    report = run_check(view)
    assert (report.verdict, defects(report)) == (Soundness.DAMAGED, [("hole", 0, (30, 35))])
    assert run_check(view, allow_gaps=True).verdict is Soundness.SOUND


def test_what_the_cleaner_did_is_unknown_without_its_checkpoint(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(30)).skip_to(35).write(numbered(30, 35))], segment=100)
    checkpoint = directory.path / "cleaner-offset-checkpoint"
    for harm in (lambda: checkpoint.write_text("0\nrubbish\n"), checkpoint.unlink):
        harm()
        report = run_check(view)
        assert (report.verdict, report.topics[0].compacted) == (Soundness.INCONCLUSIVE, None)
        assert told(report, CheckEffect.UNVERIFIED) == [("hole", None, (30, 35))]


def test_damage_in_the_middle_and_what_a_start_makes_of_it(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    flip(directory.segments()[3], 250)
    report = run_check(view)
    assert told(report, CheckEffect.DEFECT) == [
        ("damage", "damage_before_end", (160, 170)),
        ("start_discards", "behind_damage", (170, 200)),
        ("start_discards", "later_segment", (200, 250)),
        ("start_discards", "later_segment", (250, 300)),
    ]
    start = the_start(report)
    assert (start.log_end_offset, start.discarded_records, start.reused) == (160, 130, OffsetRange(160, 300))
    # Below the recovery point a start looks at nothing.
    directory.checkpoint("recovery", 300)
    report = run_check(view)
    assert told(report, CheckEffect.DEFECT)[0] == ("damage", "damage_before_end", (160, 170))


@pytest.mark.parametrize(("name", "reason", "end"), [("cut", "torn_tail", 290), ("zeros", "zero_tail", 300)])
def test_an_odd_end_is_told_and_no_defect(directory: LogDirectory, name: str, reason: str, end: int) -> None:
    view = directory.create([log_of(numbered(300))])
    last = directory.segments()[-1]
    data = last.read_bytes()
    last.write_bytes(data[:-7] if name == "cut" else data + bytes(1000))
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.SOUND, 0)
    assert ("odd_end", reason, (end, end)) in told(report, CheckEffect.INFORMATION)
    start = the_start(report)
    assert (start.log_end_offset, start.discarded_records) == (end, 0)
    assert start.truncated_bytes == (len(data) // 5 - 7 if name == "cut" else 1000)


def test_the_mark_of_a_clean_shutdown_beside_a_torn_tail_is_a_trap(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    directory.shut_down()
    last = directory.segments()[-1]
    size = last.stat().st_size
    # The index leads to the last batch, which is not whole any more: a start takes the segment for empty.
    last.with_suffix(".index").write_bytes(struct.pack(">ii", 49, size - size // 5))
    os.truncate(last, size - 7)
    report = run_check(view)
    start = the_start(report)
    assert report.verdict is Soundness.DAMAGED
    assert ("start_hides", "above_log_end", (250, 290)) in told(report, CheckEffect.DEFECT)
    assert (start.log_end_offset, start.hidden_records, start.reused) == (250, 40, OffsetRange(250, 290))


def test_segments_that_were_swapped_are_damage(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    one, other = directory.segments()[1:3]
    data = one.read_bytes(), other.read_bytes()
    one.write_bytes(data[1])
    other.write_bytes(data[0])
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.DAMAGED, 1)


@pytest.mark.parametrize("name", [40, 60])
def test_a_file_whose_first_batch_does_not_fit_its_name_is_found(directory: LogDirectory, name: int) -> None:
    view = directory.create([log_of(numbered(300))])
    file = directory.segments()[1]
    file.rename(directory.segment("t", 0, name))
    report = run_check(view)
    reasons = {one.reason for one in report.findings}
    assert "first_batch_elsewhere" in reasons
    assert report.verdict is Soundness.DAMAGED


def test_a_first_file_that_begins_before_its_first_batch_is_found(directory: LogDirectory) -> None:
    log = log_of(numbered(30, 10))
    view = directory.create([log])
    directory.segments()[0].rename(directory.segment("t", 0, 0))
    report = run_check(view)
    assert report.verdict is Soundness.DAMAGED
    assert defects(report)[0][0] in {"hole", "missing_segment"}
    assert defects(report)[0][2] == (0, 10)


def test_offsets_that_repeat_are_damage(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    file = directory.segments()[2]
    data = file.read_bytes()
    file.write_bytes(data + data[: len(data) // 5])
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.DAMAGED, 1)


def test_leader_epochs_that_go_back_are_a_defect(directory: LogDirectory) -> None:
    log = Log().write(numbered(10), leader_epoch=5).write(numbered(10, 10), leader_epoch=3)
    report = run_check(directory.create([log]))
    assert "leader_epoch_went_back" in {kind for kind, _, _ in defects(report)}


def test_earlier_restores_are_told(directory: LogDirectory) -> None:
    log = Log()
    for epoch, start in ((0, 0), (1, 100), (4, 160)):
        log.write(numbered(60 if start else 100, start), cuts=range(0, 100, 10), leader_epoch=epoch)
    view = directory.create([log])
    (directory.directory() / "leader-epoch-checkpoint").write_text("0\n3\n0 0\n1 100\n4 160\n")
    report = run_check(view)
    assert report.verdict is Soundness.SOUND
    assert told(report, CheckEffect.INFORMATION) == [
        ("evidence", "epoch_start", (100, 100)),
        ("evidence", "epoch_start", (160, 160)),
    ]
    assert the_partition(report).leader_epochs == ((0, 0), (1, 100), (4, 160))


def test_a_directory_without_a_topic_id_is_renamed_by_a_start(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))] * 2)
    (directory.directory() / "partition.metadata").unlink()
    report = run_check(view, partitions=(0,))
    assert {(kind, reason) for kind, reason, _ in told(report, CheckEffect.DEFECT)} == {("start_hides", "stray")}
    assert the_start(report).stray
    # None of an old broker has a topic id, and it needs none.
    (directory.directory("t", 1) / "partition.metadata").unlink()
    report = run_check(view)
    assert report.verdict is Soundness.SOUND
    assert {(kind, reason) for kind, reason, _ in told(report, CheckEffect.INFORMATION)} == {("start_hides", "stray")}


@pytest.mark.parametrize("file", ["partition.metadata", "leader-epoch-checkpoint"])
def test_a_directory_that_no_broker_starts_on_is_a_defect(directory: LogDirectory, file: str) -> None:
    view = directory.create([log_of(numbered(300))])
    (directory.directory() / file).write_text("rubbish")
    report = run_check(view)
    assert report.verdict is Soundness.DAMAGED
    assert [kind for kind, _, _ in told(report, CheckEffect.DEFECT)] == ["start_refused"]
    assert the_start(report).refused is not None
    assert (the_start(report).log_start_offset, the_start(report).log_end_offset) == (-1, -1)


@pytest.mark.parametrize("name", ["lost+found", ".snapshot", "t-x", "t-0-delete"])
def test_a_directory_that_is_no_partition_keeps_a_broker_from_starting(directory: LogDirectory, name: str) -> None:
    """The log itself is sound; what is in the way is moved away in a moment, if one knows of it before."""
    view = directory.create([log_of(numbered(300))] * 2)
    foreign = directory.path / name
    foreign.mkdir()
    for harmless in ("remote-log-index-cache", "u-1.0123456789abcdef-stray"):
        (directory.path / harmless).mkdir()
    (directory.path / "notes").write_text("a file is nothing to a broker")
    report = run_check(view)
    assert report.verdict is Soundness.SOUND
    (found,) = (one for one in report.findings if one.kind is CheckKind.START_REFUSED)
    assert (found.effect, found.partition, found.path) == (CheckEffect.INFORMATION, 0, str(foreign))
    assert all(one.start is not None and one.start.refused is None for one in report.topics[0].partitions)
    (found,) = (one for one in run_check(view, partitions=(1,)).findings if one.kind is CheckKind.START_REFUSED)
    assert (found.partition, found.path) == (1, str(foreign))


def test_a_checkpoint_that_cannot_be_read_is_told(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))] * 2)
    (directory.path / "recovery-point-offset-checkpoint").write_text("rubbish")
    report = run_check(view)
    unreadable = [one for one in report.findings if one.reason == "file_unreadable"]
    assert [one.partition for one in unreadable] == [0]
    assert "recovery-point-offset-checkpoint" in unreadable[0].detail


def test_what_lies_beside_the_log_is_worth_knowing(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    (directory.path / "t-0.0123456789abcdef0123456789abcdef-delete").mkdir()
    (directory.directory() / f"{0:020}.log.deleted").write_bytes(bytes(10))
    (directory.directory() / f"{500:020}.index").touch()
    report = run_check(view)
    assert report.verdict is Soundness.SOUND
    found = {(kind, reason) for kind, reason, _ in told(report, CheckEffect.INFORMATION)}
    assert found == {
        ("set_aside", "delete"),
        ("start_deletes", "deleted"),
        ("start_deletes", "orphaned_index"),
    }
    assert the_start(report).deleted_files == 2


def test_open_transactions_are_told(directory: LogDirectory) -> None:
    log = log_of(numbered(50)).write(numbered(20, 50), producer_id=7)
    report = run_check(directory.create([log]))
    assert (report.verdict, report.totals.records) == (Soundness.SOUND, 70)
    assert ("open_transaction", None, (50, 70)) in told(report, CheckEffect.INFORMATION)


def test_a_directory_that_changes_while_it_is_read_has_no_defects(
    directory: LogDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = directory.create([log_of(numbered(300))])
    flip(directory.segments()[1], 100)
    check = LogdirSource.check

    def then_append(self: LogdirSource, *rest: Any) -> Any:
        found = check(self, *rest)
        file = directory.segments()[-1]
        file.write_bytes(file.read_bytes() + log_of(numbered(10, 300)).frames[0])
        return found

    monkeypatch.setattr(LogdirSource, "check", then_append)
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
    assert of_effect(report, CheckEffect.DEFECT) == []


def test_a_file_that_cannot_be_read_is_never_sound(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))] * 2)
    file = directory.segments()[2]
    file.unlink()
    file.mkdir()
    report = run_check(view)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
    assert [one.verdict for one in report.topics[0].partitions] == [Soundness.INCONCLUSIVE, Soundness.SOUND]
    one, other = tail(TailRequest((view,))).views[0].partitions
    assert one.error
    assert not other.error


def test_a_batch_over_the_budget_is_never_sound(directory: LogDirectory) -> None:
    log = log_of(numbered(30)).write([Record(30, 1, None, bytes(3 << 20))]).write(numbered(9, 31))
    view = directory.create([log])
    report = run_check(view, budget_bytes=1 << 20)
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 3)
    assert told(report, CheckEffect.UNVERIFIED) == [("unverified", "batch_too_large", (30, 31))]
    assert run_check(view).verdict is Soundness.SOUND


def test_a_special_file_in_the_place_of_a_segment_is_never_waited_for(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    file = directory.segments()[2]
    file.unlink()
    os.mkfifo(file)
    assert run_check(view).verdict is Soundness.INCONCLUSIVE


def test_a_swap_that_was_not_finished_is_a_segment(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(300))])
    for file in directory.segments()[:2]:
        file.rename(file.with_name(f"{file.name}.swap"))
    report = run_check(view)
    assert (report.verdict, report.totals.records) == (Soundness.SOUND, 300)
    assert the_partition(report).segments == 6


def test_topics_and_partitions_are_chosen(directory: LogDirectory) -> None:
    for name in ("a1", "a2", "b"):
        directory.create([log_of(numbered(300))] * 2, name)
    directory.remove_segment(2, "b")
    directory.remove_segment(2, "a2", 1)
    selection = TopicSelection(TopicPattern("a."))
    report = run_check(directory.view(""), topics=selection)
    assert [(one.topic, one.verdict) for one in report.topics] == [
        ("a1", Soundness.SOUND),
        ("a2", Soundness.DAMAGED),
    ]
    assert run_check(directory.view(""), topics=selection, partitions=(0,)).verdict is Soundness.SOUND


def test_the_options_of_a_run_change_nothing_of_what_is_found(directory: LogDirectory) -> None:
    view = directory.create([log_of(numbered(3000))] * 3)
    directory.remove_segment(7)
    flip(directory.segments("t", 2)[3], 300)

    def found(**options: Any) -> str:
        document = check_document(run_check(view, **options))
        return json.dumps({**document, "run": None})

    plain = found()
    assert '"verdict": "DAMAGED"' in plain
    for options in ({"workers": 1}, {"workers": 7}, {"budget_bytes": 1 << 20}, {"rate_limit_bytes": 20_000_000}):
        assert found(**options) == plain
