"""Slices on threads of this process. The native calls release the GIL, so threads are workers."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kcompare._native import CancelToken

Task = TypeVar("Task")
Result = TypeVar("Result")


class ThreadExecutor:
    """Runs tasks on a fixed number of threads and hands them out in order, one a thread at a time."""

    def __init__(self, workers: int, cancel: CancelToken) -> None:
        self.workers = workers
        self._cancel = cancel

    def run(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yields results as they come. Once the token is set no further task is started.

        Raises:
            Exception: whatever ``function`` raised, after the tasks that were running have ended.
        """
        queue = iter(tasks)
        return self.follow(function, lambda: None if self._cancel.is_cancelled() else next(queue, None))

    def follow(self, function: Callable[[Task], Result], next_task: Callable[[], Task | None]) -> Iterator[Result]:
        """The same for tasks that are not all known at the start: what comes of one may be another one.

        ``next_task`` is asked after each result was handed out. None means that there is none until the next result,
        and the end where nothing is running. It is for ``next_task`` to look at the token.
        """
        with ThreadPoolExecutor(self.workers, thread_name_prefix="kcompare") as pool:
            pending: set[Future[Result]] = set()
            while True:
                while len(pending) < self.workers and (task := next_task()) is not None:
                    pending.add(pool.submit(function, task))
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
