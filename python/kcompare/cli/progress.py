"""Progress on stderr while a comparison runs: drawn by a thread, for a terminal only, and gone at the end."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from kcompare.report.layout import number, seconds, size
from kcompare.report.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import TextIO

    from kcompare.engine.progress import ProgressSnapshot

POLL_SECONDS = 0.2
SHOWN_PARTITIONS = 8
BAR_WIDTH = 20

_RATE_SAMPLES = 50  # ten seconds of polling: long enough to be calm, short enough to show a stall
_JOIN_SECONDS = 0.1  # a terminal that was stopped with Ctrl-S must not hold up the end of the run


class Progress:
    """Draws while its ``with`` block runs. Where ``stream`` is None it does nothing at all."""

    def __init__(self, snapshot: Callable[[], ProgressSnapshot], stream: TextIO | None) -> None:
        self._snapshot = snapshot
        self._stream = stream
        self._samples: deque[ProgressSnapshot] = deque(maxlen=_RATE_SAMPLES)
        self._drawn_lines = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kcompare-progress", daemon=True)

    def __enter__(self) -> Self:
        if self._stream is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        # Whatever goes wrong here, from a terminal that went away to a mistake of ours, the run goes on
        # without being drawn: nothing of the verdict rests on it.
        with suppress(Exception):
            while not self._stopped.wait(POLL_SECONDS):
                self._keep(self._snapshot())
                self._draw(render(self._samples, *self._screen()))
        with suppress(Exception):
            self._draw([])

    def _keep(self, snapshot: ProgressSnapshot) -> None:
        # Clock and counters begin anew with each phase, and a rate across two of them means nothing.
        if self._samples and snapshot.phase != self._samples[-1].phase:
            self._samples.clear()
        self._samples.append(snapshot)

    def _screen(self) -> tuple[int, int]:
        """Columns and lines to use: one column less than there are, since some terminals wrap early."""
        columns, lines = 0, 0
        with suppress(OSError, ValueError):
            if self._stream is not None:
                columns, lines = os.get_terminal_size(self._stream.fileno())
        # A terminal that was never told its size, as under `docker exec -t`, says 0.
        return max((columns or 80) - 1, 20), max((lines or 24) - 1, 1)

    def _draw(self, lines: Sequence[str]) -> None:
        """Erases what was drawn before and draws these lines; the cursor stays on the last of them."""
        if self._stream is None or not (lines or self._drawn_lines):
            return
        up = f"\x1b[{self._drawn_lines - 1}A" if self._drawn_lines > 1 else ""
        self._stream.write(f"\r{up}\x1b[J" + "\n".join(lines))
        self._stream.flush()
        self._drawn_lines = len(lines)


def render(samples: Sequence[ProgressSnapshot], columns: int, lines: int) -> list[str]:
    """The lines to draw for the last of these snapshots; the earlier ones say how fast it goes."""
    now = samples[-1]
    shown = [_total(samples)]
    unfinished = [state for state in now.partitions if state.done_offsets < state.planned_offsets]
    # Those with most to do, since they say how long it takes; in a steady order, so that lines do not jump.
    chosen = sorted(unfinished, key=lambda state: state.done_offsets - state.planned_offsets)
    chosen = chosen[: min(SHOWN_PARTITIONS, max(lines - 2, 0))]
    names = {id(state): f"{state.side} {state.topic}-{state.partition}" for state in chosen}
    width = max((len(name) for name in names.values()), default=0)
    shown += [
        f"  {names[id(state)].ljust(width)}  {_bar(state.done_offsets, state.planned_offsets)}"
        for state in sorted(chosen, key=lambda state: (state.topic, state.partition, state.side))
    ]
    if len(unfinished) > len(chosen) and len(shown) < lines:
        shown.append(f"  and {number(len(unfinished) - len(chosen))} more partition sides")
    return [sanitize(line)[:columns] for line in shown]


def _total(samples: Sequence[ProgressSnapshot]) -> str:
    """Records, bytes, rates, share and time to go."""
    first, now = samples[0], samples[-1]
    parts = [now.phase, f"{number(now.records)} records", size(now.bytes)]
    elapsed = now.seconds - first.seconds
    if elapsed > 0:
        parts.append(f"{number(round((now.records - first.records) / elapsed))} records/s")
        parts.append(f"{size((now.bytes - first.bytes) / elapsed)}/s")
    if now.topics > 1:
        parts.append(f"{number(now.topics_done)} of {number(now.topics)} topics")
    if now.planned_offsets > 0:
        parts.append(f"{_percent(now.done_offsets, now.planned_offsets)}%")
        pace = (now.done_offsets - first.done_offsets) / elapsed if elapsed > 0 else 0.0
        if pace > 0:
            parts.append(f"ETA {seconds(max(now.planned_offsets - now.done_offsets, 0) / pace)}")
    return "  ".join(parts)


def _bar(done: int, planned: int) -> str:
    filled = BAR_WIDTH * min(max(done, 0), planned) // planned
    bar = "#" * filled + "." * (BAR_WIDTH - filled)
    return f"[{bar}] {_percent(done, planned):3}%  {number(done)} of {number(planned)} offsets"


def _percent(done: int, planned: int) -> int:
    return 100 * min(max(done, 0), planned) // planned
