"""The fault campaign: many seeded schedules, held to the oracle, to the clock and to the memory budget.

    python -m tests.faults.schedules --seeds 200
    python -m tests.faults.schedules --first 1234 --seeds 1 --verbose

The brokers and the truth live in this process. Comparisons run in fresh processes, a few after one another in each,
so that the peak of a process's memory is that of comparing alone; such a process says when it is about to read
or to check, and waits until what the schedule wants to happen then has happened.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TextIO, cast

from kcompare.model import View
from tests.support.hooks import Hooks, install
from tests.support.schedules import (
    BUDGET_BYTES,
    Outcome,
    Schedule,
    Stage,
    outcome_of,
    problems,
    schedule_of,
    staged,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

GRACE_S = 5.0
RSS_BYTES = BUDGET_BYTES + 100_000_000


@dataclass
class Tally:
    """What a campaign has seen so far."""

    verdicts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    deviations: list[str] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    peak_bytes: int = 0

    def add(self, schedule: Schedule, outcome: Outcome, peak_bytes: int) -> None:
        """Counts one run and judges it."""
        truth = "equal" if schedule.equal else "different"
        self.verdicts[f"{truth} data: {outcome.verdict or 'refused'}"] += 1
        self.faults.update(fault["action"] for _, _, fault in schedule.faults)
        self.slowest = max(self.slowest, (outcome.seconds - schedule.stall_s, schedule.seed))
        self.peak_bytes = max(self.peak_bytes, peak_bytes)
        found = problems(schedule, outcome)
        if outcome.seconds > schedule.stall_s + GRACE_S:
            found.append(f"{outcome.seconds:.1f} s with a stall timeout of {schedule.stall_s} s")
        if peak_bytes > RSS_BYTES:
            found.append(f"a peak of {peak_bytes / 1e6:.0f} MB")
        self.deviations += [f"seed {schedule.seed}: {problem}; {schedule.describe()}" for problem in found]


class Worker:
    """A process that compares, one schedule after the other."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.schedules", "--worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def play(self, schedule: Schedule, stage: Stage) -> tuple[Outcome, int]:
        """Plays a schedule; the outcome, and the peak of the process's memory up to now."""
        ports = [view.bootstrap[0][1] for view in stage.views]
        self._tell({"ports": ports, "stall_s": schedule.stall_s})
        while True:
            heard = self._hear()
            if "outcome" in heard:
                return Outcome(**heard["outcome"]), heard["peak_bytes"]
            stage.reached(heard["reached"])
            self._tell({"go": True})

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _tell(self, message: dict[str, Any]) -> None:
        stream = cast("TextIO", self._process.stdin)
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    def _hear(self) -> dict[str, Any]:
        line = cast("TextIO", self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"the comparing process ended with code {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard


def work() -> None:
    """Compares what stdin asks for. Hooks wait for the other process, one at a time."""
    lock = threading.Lock()
    out = sys.stdout

    def tell(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    def reached(moment: str) -> None:
        with lock:
            tell({"reached": moment})
            sys.stdin.readline()

    patch = cast("pytest.MonkeyPatch", SimpleNamespace(setattr=setattr))
    install(patch, Hooks(before_read=lambda _, __: reached("read"), before_check=lambda _: reached("check")))
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        left, right = (View(f"kafka://127.0.0.1:{p}/t", "kafka", "t", (("127.0.0.1", p),)) for p in order["ports"])
        outcome = outcome_of(left, right, order["stall_s"])
        tell({"outcome": outcome.document(), "peak_bytes": _peak_bytes()})


def _peak_bytes() -> int:
    """The most memory that this process has ever held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def campaign(seeds: Sequence[int], *, jobs: int, group: int, verbose: bool) -> Tally:
    """Plays the seeds, some at the same time."""
    tally, lock = Tally(), threading.Lock()

    def play(part: Sequence[int]) -> None:
        worker = Worker()
        for seed in part:
            schedule = schedule_of(seed)
            with staged(schedule) as stage:
                outcome, peak_bytes = worker.play(schedule, stage)
            with lock:
                tally.add(schedule, outcome, peak_bytes)
                if verbose:
                    print(f"seed {seed}: {schedule.describe()}\n  {outcome}, peak {peak_bytes / 1e6:.0f} MB")
        worker.close()

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(play, _parts(seeds, group)))
    return tally


def _parts(seeds: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(seeds), size):
        yield seeds[start : start + size]


def main() -> int:
    """Runs a campaign; 1 means that something did not hold."""
    parser = argparse.ArgumentParser(description="Play seeded fault schedules on the scripted broker.")
    parser.add_argument("--seeds", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="how many run at the same time (default: 2)")
    parser.add_argument("--group", type=int, default=10, help="how many share a comparing process (default: 10)")
    parser.add_argument("--verbose", action="store_true", help="print every schedule and its outcome")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work()
        return 0
    started = time.monotonic()
    seeds = range(options.first, options.first + options.seeds)
    tally = campaign(seeds, jobs=options.jobs, group=options.group, verbose=options.verbose)
    print(f"{len(seeds)} schedules from seed {options.first} in {time.monotonic() - started:.0f} s")
    for name, count in sorted(tally.verdicts.items()):
        print(f"  {name:32}{count:5}")
    print("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(tally.faults.items())))
    print(
        f"longest past the stall timeout: {tally.slowest[0]:.2f} s (seed {tally.slowest[1]}; at most {GRACE_S:.0f} s)"
    )
    print(f"peak memory of a comparing process: {tally.peak_bytes / 1e6:.0f} MB (at most {RSS_BYTES / 1e6:.0f} MB)")
    print(f"deviations: {len(tally.deviations)}")
    print("".join(f"  {line}\n" for line in tally.deviations), end="")
    return bool(tally.deviations)


if __name__ == "__main__":
    raise SystemExit(main())
