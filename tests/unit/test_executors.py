"""Threads that take tasks in order, one each, and no further one once the run is cancelled."""

from __future__ import annotations

import threading

import pytest

from kcompare._native import CancelToken
from kcompare.executors.threads import ThreadExecutor

WAIT_S = 10.0
"""For events that come at once unless something is broken."""


def test_every_task_is_done_once() -> None:
    executor = ThreadExecutor(3, CancelToken())
    assert sorted(executor.run(lambda task: task * 2, range(50))) == [task * 2 for task in range(50)]


def test_no_tasks_are_no_results() -> None:
    assert list(ThreadExecutor(2, CancelToken()).run(str, [])) == []


@pytest.mark.parametrize("workers", [1, 4])
def test_tasks_are_started_in_order_and_one_a_worker(workers: int) -> None:
    started: list[int] = []
    running = 0
    most = 0
    lock = threading.Lock()

    def work(task: int) -> None:
        nonlocal running, most
        with lock:
            started.append(task)
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    list(ThreadExecutor(workers, CancelToken()).run(work, range(40)))
    assert most <= workers
    if workers == 1:
        assert started == list(range(40))


def test_workers_run_at_the_same_time() -> None:
    together = threading.Barrier(3)
    executor = ThreadExecutor(3, CancelToken())
    list(executor.run(lambda _: together.wait(WAIT_S), range(3)))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_cancelled_run_starts_nothing_more(workers: int) -> None:
    cancel = CancelToken()
    started: list[int] = []

    def work(task: int) -> int:
        started.append(task)
        if task == 0:
            cancel.cancel()
        return task

    results = list(ThreadExecutor(workers, cancel).run(work, range(1000)))
    # What had been handed out before is finished and not thrown away.
    assert sorted(results) == sorted(started)
    assert 0 in results
    assert len(started) < 1000


def test_an_error_is_raised_after_the_running_tasks_have_ended() -> None:
    other_runs, ended = threading.Event(), threading.Event()

    def work(task: int) -> None:
        if task == 0:
            assert other_runs.wait(WAIT_S)
            raise ValueError("task 0")
        other_runs.set()
        ended.set()

    with pytest.raises(ValueError, match="task 0"):
        list(ThreadExecutor(2, CancelToken()).run(work, range(2)))
    assert ended.is_set()
