"""Runs a program and says what it cost: wall and CPU time and the peak of its memory.

python benches/measure.py RESULT COMMAND...     # the launcher that `run_measured` starts
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Linux counts ru_maxrss in KiB, macOS in bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Run:
    """A program that has ended."""

    exit_code: int
    stdout: str
    stderr: str
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


def run_measured(command: Sequence[str]) -> Run:
    """Runs a command to its end.

    CPU time is that of the command and its children together. The peak of memory is the largest sum over all of
    them that was seen (pages that they share count more than once), or the exact peak of one if that is more.
    A small launcher stands between, because Linux counts the memory of the process that called exec into the
    peak of the one that it became: without it every command would seem as large as this process.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        launcher = [sys.executable, "-S", "-E", __file__, str(result)]
        done = subprocess.run([*launcher, *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} could not be run: {done.stderr}")
        return Run(stdout=done.stdout, stderr=done.stderr, **json.loads(result.read_text()))


def family_rss_bytes(pid: int) -> int:
    """Returns what a process and its descendants hold right now; 0 where there is no /proc to ask."""
    found, waiting = 0, [pid]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        # Any of them may end between two looks.
        with contextlib.suppress(OSError):
            found += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for children in folder.glob("task/*/children"):
                waiting += map(int, children.read_text().split())
    return found


def watch(pid: int, ended: threading.Event, peaks: list[int]) -> None:
    """Notes what the family holds, often enough for a peak and seldom enough to cost nothing."""
    while not ended.wait(LOOK_EVERY_S):
        peaks.append(family_rss_bytes(pid))


def main() -> None:
    """The launcher: runs a command whose output is its own, and writes what it cost."""
    result, *command = sys.argv[1:]
    ended = threading.Event()
    peaks = [0]
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ)
    watcher = threading.Thread(target=watch, args=(pid, ended, peaks))
    watcher.start()
    _, status, usage = os.wait4(pid, 0)
    wall_seconds = time.monotonic() - began
    ended.set()
    watcher.join()
    cost = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "wall_seconds": wall_seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_rss_bytes": max(usage.ru_maxrss * RSS_UNIT, *peaks),
    }
    Path(result).write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
