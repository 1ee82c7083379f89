"""The first interrupt asks the work to end and keeps what it has; the second does not wait for it."""

from __future__ import annotations

import _thread
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from kcompare._native import CancelToken
from kcompare.engine.interrupt import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 10.0


def wait_for(cancel: CancelToken) -> None:
    tick = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if cancel.is_cancelled():
            return
        tick.wait(0.01)
    raise AssertionError("the token was never set")


def interrupt_while_it_waits() -> None:
    """Interrupts the main thread once it has started the work; while it starts it, another rule holds."""
    main = threading.main_thread().ident
    assert main is not None
    names: set[str] = set()
    while "interruptible" not in names or "start" in names:
        frame, names = sys._current_frames().get(main), set()
        while frame is not None:
            names.add(frame.f_code.co_name)
            frame = frame.f_back
    _thread.interrupt_main()


def test_the_result_comes_back() -> None:
    assert interruptible(lambda: 42, CancelToken()) == 42


def test_the_work_runs_on_another_thread() -> None:
    assert interruptible(threading.current_thread, CancelToken()) is not threading.current_thread()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_work_raises_is_raised_here(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        interruptible(work, CancelToken())


@pytest.mark.parametrize("interrupt", [_thread.interrupt_main, interrupt_while_it_waits])
def test_an_interrupt_sets_the_token_and_waits(interrupt: Callable[[], None]) -> None:
    cancel = CancelToken()

    def work() -> str:
        interrupt()
        wait_for(cancel)
        return "what was done"

    assert interruptible(work, cancel) == "what was done"
    assert cancel.is_cancelled()


def test_a_second_interrupt_does_not_wait() -> None:
    cancel, released = CancelToken(), threading.Event()

    def work() -> None:
        _thread.interrupt_main()
        wait_for(cancel)
        _thread.interrupt_main()
        released.wait(WAIT_S)

    with pytest.raises(KeyboardInterrupt):
        interruptible(work, cancel)
    released.set()


def test_without_an_interrupt_the_token_stays_clear() -> None:
    cancel = CancelToken()
    interruptible(lambda: None, cancel)
    assert not cancel.is_cancelled()
