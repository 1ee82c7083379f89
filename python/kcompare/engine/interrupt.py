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
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again on the thread that asked
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="kcompare-engine", daemon=True)
    try:
        thread.start()
    except KeyboardInterrupt:
        # The work may have begun all the same: then it ends by itself, and what it has is kept.
        cancel.cancel()
        if thread.ident is None:
            raise
    _wait(done, cancel)
    if errors:
        raise errors[0]
    return results[0]


def _wait(done: threading.Event, cancel: CancelToken) -> None:
    while True:
        try:
            while not done.wait(POLL_S):
                pass
        except KeyboardInterrupt:
            if cancel.is_cancelled():
                raise
            cancel.cancel()
        else:
            return
