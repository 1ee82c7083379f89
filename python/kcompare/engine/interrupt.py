"""Signals reach only the main thread, and only between two steps of Python: so the main thread does nothing else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcompare._native import CancelToken

Result = TypeVar("Result")

POLL_S = 0.05


def interruptible(work: Callable[[], Result], cancel: CancelToken) -> Result:
    """Runs ``work`` on a thread. The first interrupt sets the token and waits for the work to end by itself.

    Raises:
        KeyboardInterrupt: at the second interrupt.
        Exception: whatever ``work`` raised.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again on the thread that asked
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name="kcompare-engine", daemon=True).start()
    # Not Thread.join: when it is interrupted, Python up to 3.12 takes the thread for one that has ended (gh-90882).
    while not ended.is_set():
        try:
            ended.wait(POLL_S)
        except KeyboardInterrupt:
            if cancel.is_cancelled():
                raise
            cancel.cancel()
    if errors:
        raise errors[0]
    return results[0]
