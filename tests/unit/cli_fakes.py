"""An engine that answers with what a test gives it, put where the command line imports the real one.

As a script it runs the command line with such an engine, for tests that need a process of their own:
``python tests/unit/cli_fakes.py WAY compare LEFT RIGHT``.
"""

import sys
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from kcompare.check_model import CheckReport
from kcompare.cli.main import run
from kcompare.model import IsolationLevel, Mode, Report, TailReport
from kcompare.settings.cluster import ClusterSettings
from tests.unit.check_samples import CHECKS
from tests.unit.report_samples import REPORTS, TAILS

DEFAULTS = ClusterSettings()


@dataclass(frozen=True)
class CompareRequest:
    left: Any
    right: Any
    topics: Any = None
    mode: Any = Mode.AUTO
    fields: Any = None
    left_isolation: Any = IsolationLevel.READ_COMMITTED
    right_isolation: Any = IsolationLevel.READ_COMMITTED
    settle_s: float = 15.0
    allow_head: Any = None
    allow_tail: Any = None
    allow_gaps: bool = False
    allow_empty: bool = False
    allow_same: bool = False
    partitions: Any = None
    left_range: Any = None
    right_range: Any = None
    workers: Any = None
    budget_bytes: int = 64 << 20
    rate_limit_bytes: Any = None
    max_findings: int = 100
    left_settings: Any = DEFAULTS
    right_settings: Any = DEFAULTS


@dataclass(frozen=True)
class TailRequest:
    views: Any
    count: int = 10
    show_values: bool = False
    isolation: Any = IsolationLevel.READ_COMMITTED
    settings: Any = ()


@dataclass(frozen=True)
class CheckRequest:
    view: Any
    topics: Any = None
    partitions: Any = None
    allow_gaps: bool = False
    allow_empty: bool = False
    workers: Any = None
    budget_bytes: int = 64 << 20
    rate_limit_bytes: Any = None
    max_findings: int = 100
    settings: Any = DEFAULTS


@dataclass(frozen=True)
class PartitionProgress:
    topic: str
    side: str
    partition: int
    done_offsets: int
    planned_offsets: int


@dataclass(frozen=True)
class ProgressSnapshot:
    phase: str = "reading"
    records: int = 0
    bytes: int = 0
    done_offsets: int = 0
    planned_offsets: int = 0
    seconds: float = 0.0
    partitions: tuple[PartitionProgress, ...] = ()
    topics: int = 1
    topics_done: int = 0


class ProgressBoard:
    def __init__(self) -> None:
        self.begun = time.monotonic()

    def snapshot(self) -> Any:
        age = time.monotonic() - self.begun
        states = tuple(PartitionProgress("blogs", "left", number, 1, 9) for number in range(12))
        return ProgressSnapshot("reading", 1_000, 95_000, 12, 108, age, states)


@dataclass
class FakeEngine:
    """Keeps the requests that it got, and answers or raises what it was told to."""

    answer: Callable[[], Report] = REPORTS["equal_with_tail"]
    tail_answer: Callable[[], TailReport] = TAILS["tail"]
    check_answer: Callable[[], CheckReport] = CHECKS["check_sound"]
    requests: list[Any] = field(default_factory=list)

    def compare(self, request: CompareRequest, *, board: ProgressBoard) -> Report:
        assert isinstance(board, ProgressBoard)
        self.requests.append(request)
        return self.answer()

    def tail(self, request: TailRequest) -> TailReport:
        self.requests.append(request)
        return self.tail_answer()

    def check(self, request: CheckRequest, *, board: ProgressBoard) -> CheckReport:
        assert isinstance(board, ProgressBoard)
        self.requests.append(request)
        return self.check_answer()

    def install(self, modules: MutableMapping[str, ModuleType]) -> None:
        """Puts the engine's modules into ``sys.modules`` or a stand-in for it."""
        contents: dict[str, dict[str, Any]] = {
            "kcompare.engine.compare": {"CompareRequest": CompareRequest, "compare": self.compare},
            "kcompare.engine.check": {"CheckRequest": CheckRequest, "check": self.check},
            "kcompare.engine.tail": {"TailRequest": TailRequest, "tail": self.tail},
            "kcompare.engine.progress": {"ProgressBoard": ProgressBoard},
        }
        for name, values in contents.items():
            module = ModuleType(name)
            vars(module).update(values)
            modules[name] = module


def install(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """A new engine, in place until the test ends."""
    fake = FakeEngine()
    modules: dict[str, ModuleType] = {}
    fake.install(modules)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return fake


def hang() -> Report:
    """A run that says that it has begun and then waits to be interrupted."""
    sys.stderr.write("begun\n")
    sys.stderr.flush()
    time.sleep(60)
    return REPORTS["equal_with_tail"]()


def linger() -> Report:
    """A run that takes long enough for progress to be drawn."""
    time.sleep(0.7)
    return REPORTS["equal_with_tail"]()


WAYS: dict[str, Callable[[], Report]] = {"hang": hang, "linger": linger, **REPORTS}

if __name__ == "__main__":
    FakeEngine(answer=WAYS[sys.argv[1]]).install(sys.modules)
    sys.exit(run(sys.argv[2:]))
