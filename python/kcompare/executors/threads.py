"""Slices on threads of this process. The native calls release the GIL, so threads are workers."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kcompare._native import CancelToken

Task = TypeVar("Task")
Result = TypeVar("Result")


class ThreadExecutor:
    """Runs tasks on a fixed number of threads and hands them out in order, one a thread at a time."""

    def __init__(self, workers: int, cancel: CancelToken) -> None:
        self.workers = workers
        self._cancel = cancel

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yields results as they come. Once the token is set no further task is started.

        Raises:
            Exception: whatever ``function`` raised, after the tasks that were running have ended.
        """
        queue = iter(tasks)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="kcompare") as pool:
            pending = {pool.submit(function, task) for task in _take(queue, self.workers)}
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                if not self._cancel.is_cancelled():
                    pending |= {pool.submit(function, task) for task in _take(queue, len(done))}
                for future in done:
                    yield future.result()


def _take(queue: Iterator[Task], count: int) -> list[Task]:
    return [task for _, task in zip(range(count), queue, strict=False)]
