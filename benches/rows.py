"""The rows of the bench: what runs, over which topic, and how its answer is checked.

Every row is a program that reads both sides of a topic whole. The slow ones get a topic that holds the first records
of the large one, so that nobody fetches what nobody counts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benches import answers
from benches.payload import KEY_VALUE, KEY_VALUE_LINES, PARTITIONS, VALUE_LINES
from tests.integration.kafka.libs import class_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.answers import Check

HERE = Path(__file__).parent
FRANZ = HERE.parent / ".cache" / "franz"
KCOMPARE = str(Path(sys.executable).with_name("kcompare"))

# How much of the records a row reads.
WHOLE, LONG_PREFIX, PREFIX = "whole", "long-prefix", "prefix"


@dataclass(frozen=True)
class Reading:
    """What a row reads: the same topic of two clusters."""

    left: str
    right: str
    topic: str
    records: int

    def views(self) -> list[str]:
        """Both sides as kcompare takes them."""
        return [f"kafka://{bootstrap}/{self.topic}" for bootstrap in (self.left, self.right)]

    def arguments(self) -> list[str]:
        """Both sides as the programs of this folder take them."""
        return [self.left, self.right, self.topic, str(self.records)]


@dataclass(frozen=True)
class Row:
    """One row; `missing` says why its tool cannot run here, or nothing."""

    name: str
    length: str
    command: Callable[[Reading], list[str]]
    check: Check
    missing: Callable[[], str] = str


def _ceiling(reading: Reading) -> list[str]:
    return [sys.executable, str(HERE / "ceiling.py"), *reading.arguments()[:3]]


def _kcompare(reading: Reading) -> list[str]:
    return [KCOMPARE, "compare", *reading.views(), "--output", "json"]


def _kcompare_consumer(reading: Reading) -> list[str]:
    return [*_kcompare(reading), "--data-path", "consumer"]


def _consume_alone(reading: Reading) -> list[str]:
    return [sys.executable, str(HERE / "consumers.py"), "alone", *reading.arguments()]


def _consumer(reading: Reading) -> list[str]:
    return [sys.executable, str(HERE / "consumers.py"), "md5", *reading.arguments()]


def _console_consumer(reading: Reading) -> list[str]:
    return [_found("bash"), str(HERE / "console_consumer.sh"), class_path(), *reading.arguments()]


def _kcat(reading: Reading) -> list[str]:
    return [_found("bash"), str(HERE / "kcat.sh"), *reading.arguments()]


def _franz_go(reading: Reading) -> list[str]:
    return [str(FRANZ), *reading.arguments()]


def _perf_test(reading: Reading) -> list[str]:
    # It counts the records of all partitions together.
    *where, _ = reading.arguments()
    return [_found("bash"), str(HERE / "perf_test.sh"), class_path(), *where, str(reading.records * len(PARTITIONS))]


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"{program} is not on PATH")
    return path


def _missing_data_path() -> str:
    done = subprocess.run([KCOMPARE, "compare", "--help"], capture_output=True, text=True, check=False)
    return "" if "--data-path" in done.stdout else "this kcompare has no --data-path"


def _missing_kcat() -> str:
    if shutil.which("kcat") is not None:
        return ""
    return "kcat is not on PATH; Debian and Ubuntu: apt-get install kcat, macOS: brew install kcat"


def _missing_franz_go() -> str:
    """Builds the program, so that no round waits for a compiler."""
    if shutil.which("go") is None:
        return "go is not on PATH; https://go.dev/dl has it, and benches/franz/go.mod says which version"
    command = ["go", "build", "-o", str(FRANZ), "."]
    done = subprocess.run(command, cwd=HERE / "franz", capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"go build failed: {done.stderr.strip()[-200:]}"


ROWS = (
    Row("ceiling", WHOLE, _ceiling, answers.reader(counts=True, form=None)),
    Row("kcompare", WHOLE, _kcompare, answers.comparison("native")),
    Row("kcompare-consumer", PREFIX, _kcompare_consumer, answers.comparison("consumer"), _missing_data_path),
    Row("consume-alone", PREFIX, _consume_alone, answers.reader(counts=True, form=None)),
    Row("consumer", PREFIX, _consumer, answers.reader(counts=True, form=KEY_VALUE)),
    Row("console-consumer", PREFIX, _console_consumer, answers.reader(counts=False, form=VALUE_LINES)),
    Row("kcat", PREFIX, _kcat, answers.reader(counts=False, form=KEY_VALUE_LINES), _missing_kcat),
    Row("franz-go", LONG_PREFIX, _franz_go, answers.reader(counts=True, form=KEY_VALUE), _missing_franz_go),
    Row("perf-test", PREFIX, _perf_test, answers.perf_test),
)
