"""What workers do next: fair to brokers, bounded in what is held, and without a topic lost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from kcompare import _native
from kcompare.engine.schedule import WINDOW, Reading, Schedule
from kcompare.model import OffsetRange, Side, Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcompare.engine.schedule import Task
    from kcompare.engine.topic_run import TopicRun
    from kcompare.sources.base import SliceDigest


class FakeRun:
    """A topic whose partitions are led by the brokers of these numbers, one slice each."""

    def __init__(self, name: str, leaders: list[int]) -> None:
        self.name = name
        self.leaders = leaders
        self.partitions = tuple(range(len(leaders)))
        self.read_slices: list[int] = []
        self.steps: list[str] = []

    def slices(self) -> tuple[Slice, ...]:
        return tuple(Slice(Side.LEFT, number, OffsetRange(0, 1)) for number in self.partitions)

    def leader(self, piece: Slice) -> int:
        return self.leaders[piece.partition]

    def read(self, piece: Slice) -> Slice:
        return piece

    def keep(self, piece: Slice) -> None:
        assert self.steps == []
        self.read_slices.append(piece.partition)

    def finish_reading(self) -> list[SliceDigest]:
        self.steps.append("finished")
        return []

    def assess(self, planned: int) -> int:
        assert self.steps[0] == "finished"
        self.steps.append("assessed")
        return planned

    def report(self, reports: list[int]) -> tuple[str, int]:
        return self.name, len(reports)


class Driver:
    """Runs a schedule step by step with a number of workers; tasks end in the order in which they began."""

    def __init__(self, runs: list[FakeRun], workers: int) -> None:
        self.cancel = _native.CancelToken()
        self.finished: list[Any] = []
        self.schedule = Schedule(cast("list[TopicRun]", runs), workers, self.cancel, self.finished.append)
        self.workers = workers
        self.running: list[Task] = []
        self.most_open = 0

    def fill(self) -> None:
        while len(self.running) < self.workers and (task := self.schedule.next_task()) is not None:
            self.running.append(task)
        self.most_open = max(self.most_open, len(self.schedule._open))

    def step(self) -> bool:
        self.fill()
        if not self.running:
            return False
        self.running.pop(0).work()()
        return True

    def run(self, watch: Callable[[], None] = lambda: None) -> None:
        while self.step():
            watch()


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_every_topic_is_read_checked_compared_and_reported(workers: int) -> None:
    runs = [FakeRun(f"t{number}", [0] * (number % 4)) for number in range(40)]
    driver = Driver(runs, workers)
    driver.run()
    assert sorted(driver.finished) == sorted((run.name, len(run.leaders)) for run in runs)
    for run in runs:
        assert sorted(run.read_slices) == list(run.partitions)
    assert not driver.schedule.is_reading


def test_no_leader_gets_all_workers_while_another_rests() -> None:
    driver = Driver([FakeRun("t", [1] * 20 + [2] * 20 + [3] * 20)], 6)
    driver.fill()
    assert Counter(task.leader for task in driver.running if isinstance(task, Reading)) == {
        (Side.LEFT, number): 2 for number in (1, 2, 3)
    }


def test_topics_come_in_order_and_few_are_open() -> None:
    runs = [FakeRun(f"t{number:04}", [number % 3] * 5) for number in range(500)]
    driver = Driver(runs, 4)
    driver.run()
    # What the window spans, and what is under way.
    assert driver.most_open <= WINDOW // 5 + 4 + 1
    places = [int(name[1:]) for name, _ in driver.finished]
    assert max(abs(place - index) for index, place in enumerate(places)) < WINDOW


def test_what_is_read_is_compared_before_anything_else_is_read() -> None:
    driver = Driver([FakeRun("a", [0]), FakeRun("b", [0]), FakeRun("c", [0])], 1)
    driver.run()
    assert [name for name, _ in driver.finished] == ["a", "b", "c"]
    assert driver.most_open == 3


@pytest.mark.parametrize("after", range(12))
def test_a_cancelled_run_begins_no_slice_and_reports_every_topic(after: int) -> None:
    runs = [FakeRun(f"t{number}", [0, 1, 2]) for number in range(50)]
    driver = Driver(runs, 3)
    for _ in range(after):
        driver.step()
    driver.cancel.cancel()
    begun = sum(len(run.read_slices) for run in runs) + sum(isinstance(task, Reading) for task in driver.running)
    driver.run()
    assert sum(len(run.read_slices) for run in runs) == begun
    assert sorted(driver.finished) == sorted((run.name, 3) for run in runs)
