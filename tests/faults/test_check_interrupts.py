"""A check that is interrupted at some moment: never SOUND, and no defect that was read is lost for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kcompare.check_model import CheckEffect, CheckKind, Soundness
from kcompare.cli.main import run
from kcompare.engine import check as engine
from kcompare.engine.interrupt import interruptible
from kcompare.settings.topics import TopicPattern, TopicSelection
from kcompare.sources.kafka import KafkaSource
from kcompare.sources.logdir import LogdirSource
from tests.support.checks import of_effect, run_check
from tests.support.clusters import FakeCluster
from tests.support.log_directories import LogDirectory, flip
from tests.support.logs import log_of, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kcompare._native import CancelToken
    from kcompare.check_model import CheckReport
    from kcompare.model import View

RECORDS = numbered(300)
SOURCES: dict[str, type] = {"cluster": KafkaSource, "directory": LogdirSource}


class Logs:
    """Two partitions of a topic at a source of either kind; the second one may be damaged."""

    def __init__(self, kind: str, cluster: FakeCluster, directory: LogDirectory) -> None:
        self.source = SOURCES[kind]
        self._cluster, self._directory = cluster, directory

    def create(self, topic: str = "t", *, damaged: bool = False) -> View:
        """Makes a topic."""
        sound, other = log_of(RECORDS), log_of(RECORDS)
        if self.source is KafkaSource:
            if damaged:
                frame = bytearray(other.frames[3])
                frame[100] ^= 1
                other.frames[3] = bytes(frame)
            return self._cluster.create([sound, other], topic=topic, configs={"cleanup.policy": "delete"})
        view = self._directory.create([sound, other], topic)
        if damaged:
            flip(self._directory.segments(topic, 1)[1], 100)
        return view

    def view(self) -> View:
        """All topics."""
        return self._cluster.view("") if self.source is KafkaSource else self._directory.view("")


@pytest.fixture(params=["cluster", "directory"])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Logs]:
    with FakeCluster("left") as cluster:
        yield Logs(request.param, cluster, LogDirectory(tmp_path / "log"))


def interrupt(
    monkeypatch: pytest.MonkeyPatch, source: type, step: str, number: int, *, after: bool = True
) -> Callable[[], int]:
    """Interrupts when a step of a source is done, or about to be, for the ``number``-th time; gives the count."""
    tokens: list[CancelToken] = []
    taken: list[int] = []
    original = getattr(source, step)

    def remembering(work: Callable[[], Any], cancel: CancelToken) -> Any:
        tokens.append(cancel)
        return interruptible(work, cancel)

    def stepping(self: Any, *rest: Any, **options: Any) -> Any:
        taken.append(1)
        now = len(taken) == number
        if now and not after:
            tokens[0].cancel()
        found = original(self, *rest, **options)
        if now:
            tokens[0].cancel()
        return found

    monkeypatch.setattr(engine, "interruptible", remembering)
    monkeypatch.setattr(source, step, stepping)
    return lambda: len(taken)


MOMENTS = [("check", 2), ("identity", 2), ("bounds", 2), ("inspect", 1), ("inspect", 2)]
"""The last slice is read; the topic is asked again what it is, and where it ends; each partition is inspected."""


@pytest.mark.parametrize(("step", "number"), MOMENTS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_interrupted_check_is_never_sound(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, step: str, number: int, *, after: bool
) -> None:
    """Everything may have been read: what was not held to what was pinned proves nothing."""
    view = logs.create()
    taken = interrupt(monkeypatch, logs.source, step, number, after=after)
    report = run_check(view, workers=1)
    assert taken() >= number
    assert (report.verdict, report.exit_code) == (Soundness.INCONCLUSIVE, 130)


def unchecked(report: CheckReport) -> set[int | None]:
    """The partitions that were read as a whole and not checked again."""
    return {
        one.partition
        for one in of_effect(report, CheckEffect.UNVERIFIED)
        if one.reason == "interrupted" and "before it read" not in one.detail
    }


@pytest.mark.parametrize(("step", "number", "after"), [("check", 2, True), ("identity", 2, False)])
def test_what_was_read_and_not_checked_again_is_inconclusive(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, step: str, number: int, *, after: bool
) -> None:
    view = logs.create()
    interrupt(monkeypatch, logs.source, step, number, after=after)
    report = run_check(view, workers=1)
    (topic,) = report.topics
    assert [one.verdict for one in topic.partitions] == [Soundness.INCONCLUSIVE] * 2
    assert unchecked(report) == {0, 1}
    assert report.totals.records == 600


@pytest.mark.parametrize(("step", "number"), MOMENTS)
def test_an_interrupt_hides_no_defect_that_was_read(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    view = logs.create(damaged=True)
    interrupt(monkeypatch, logs.source, step, number)
    report = run_check(view, workers=1)
    assert (report.verdict, report.exit_code) == (Soundness.DAMAGED, 130)
    assert CheckKind.DAMAGE in {one.kind for one in of_effect(report, CheckEffect.DEFECT)}


@pytest.mark.parametrize("number", [1, 2])
def test_an_interrupt_while_a_partition_is_inspected_loses_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The start of a broker is worked out last, and takes its time where a log is damaged."""
    logs = Logs("directory", None, LogDirectory(tmp_path / "log"))  # type: ignore[arg-type]
    logs.create("a", damaged=True)
    logs.create("b", damaged=True)
    interrupt(monkeypatch, LogdirSource, "inspect", number, after=False)
    report = run_check(logs.view(), topics=TopicSelection(TopicPattern(".")), workers=1)
    assert (report.verdict, report.exit_code) == (Soundness.DAMAGED, 130)
    assert [topic.topic for topic in report.topics] == ["a", "b"]
    assert [one.verdict for topic in report.topics for one in topic.partitions].count(Soundness.SOUND) <= number - 1
    damaged = {(one.topic, one.partition) for one in of_effect(report, CheckEffect.DEFECT)}
    assert damaged == {("a", 1), ("b", 1)}


def test_the_command_says_130_and_not_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    view = LogDirectory(tmp_path / "log").create([log_of(RECORDS)])
    interrupt(monkeypatch, LogdirSource, "check", 1)
    assert run(["check", view.text]) == 130
    said = capsys.readouterr().out
    assert said.startswith("INCONCLUSIVE")
    assert "SOUND" not in said
