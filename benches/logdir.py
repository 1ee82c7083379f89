"""How fast log directories are read, against reading the same files and throwing the bytes away, and against the wire.

    python -m benches.logdir --records 10000000 --large-records 1500000 --rounds 5

One real broker holds a topic of 100 B records and one of 1 KB records. In every round each row reads a whole topic, in
a process of its own and with two threads, one row after the other in an order that changes; only ratios within a round
are worth anything on a machine that has other work. The files are in the page cache: a first round that does not count
reads them all. `directory` opens the log directory, makes its pass over the batch headers and digests every record;
`wire` asks for the bounds and digests every record; `throw-away` reads the files in pieces of 256 KiB and looks at
nothing. Times are those of the row itself, without the start of its process. The ratio of CPU time is less noisy; that
of `wire` leaves out what the broker needs on the same cores.

A round is correct if `directory` and `wire` digest every record, and to the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.machine import about_this_machine
from benches.measure import run_measured
from benches.payload import PARTITIONS, text_load
from kcompare import _native
from kcompare.store import tables
from tests.integration.kafka import start_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.integration.kafka import Cluster

BATCH_RECORDS = 500
BUDGET_BYTES = 64 << 20
WORKERS = 2
PIECE = 256 << 10
PART = 64 << 20
SLICE_CELLS = 2
RSS_LIMIT_BYTES = 150_000_000
ROWS = ("throw-away", "directory", "wire")


@dataclass(frozen=True)
class Target:
    """What a row has to reach, as a multiple of another one."""

    size: int
    row: str
    base: str
    factor: float


TARGETS = (Target(1000, "directory", "throw-away", 0.8), Target(100, "directory", "wire", 1.5))


@dataclass(frozen=True)
class Topic:
    """A topic as a row is told of it."""

    name: str
    directory: str
    bootstrap: str

    def command(self, row: str) -> list[str]:
        """A row over this topic, as a process."""
        return [sys.executable, "-m", "benches.logdir", "--row", row, self.name, self.directory, self.bootstrap]

    def files(self) -> list[Path]:
        """The segment files."""
        found = (Path(self.directory, f"{self.name}-{partition}").glob("*.log") for partition in PARTITIONS)
        return sorted(path for each in found for path in each)


def slices(bounds: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Partition, start and stop of what one call reads, partitions in turn."""
    width = SLICE_CELLS * _native.CELL_OFFSETS
    found = [
        (start, partition, min(start + width, stop)) for partition, stop in bounds for start in range(0, stop, width)
    ]
    return [(partition, start, stop) for start, partition, stop in sorted(found)]


def digested(pieces: list[tuple[int, int, int]], read: Callable[..., _native.SliceRead]) -> dict[str, Any]:
    """Reads all slices with as many threads as there are workers."""
    budget = _native.MemoryBudget(total_bytes=BUDGET_BYTES, workers=WORKERS)
    shared: dict[str, Any] = {"budget": budget, "cancel": _native.CancelToken(), "progress": _native.Progress()}

    def one(piece: tuple[int, int, int]) -> _native.SliceRead:
        partition, start, stop = piece
        return read(
            partition=partition,
            start=start,
            stop=stop,
            isolation_level="read_committed",
            checkpoints=[],
            **shared,
        )

    with ThreadPoolExecutor(WORKERS) as threads:
        done = list(threads.map(one, pieces))
    lanes = [
        [str(found[name].tolist()) for name in ("count", "content", "timestamps", "offsets")]
        for found in (tables.cells(each.rows) for each in done)
    ]
    return {
        "records": sum(each.records for each in done),
        "bytes": sum(each.bytes for each in done),
        "complaints": [each.end_detail for each in done if each.end != "reached" or each.unread],
        "digest": [piece for _, piece in sorted(zip(pieces, lanes, strict=True))],
    }


def directory(topic: Topic) -> dict[str, Any]:
    """Reads the topic from the log directory."""
    began = time.perf_counter()
    found = _native.LogDirs(paths=[topic.directory], cancel=_native.CancelToken())
    bounds = found.bounds(topic=topic.name)
    passed = time.perf_counter() - began
    pieces = slices((each.partition, each.log_end_offset) for each in bounds)
    return {**digested(pieces, lambda **piece: found.read_cells(topic=topic.name, **piece)), "pass_seconds": passed}


def wire(topic: Topic) -> dict[str, Any]:
    """Reads the topic from the broker."""
    host, port = topic.bootstrap.rsplit(":", 1)
    cluster = _native.Cluster(
        bootstrap=[(host, int(port))],
        client_id="bench",
        rack_id=None,
        connect_timeout_ms=30_000,
        request_timeout_ms=30_000,
        stall_timeout_ms=30_000,
        cancel=_native.CancelToken(),
    )
    (metadata,) = cluster.metadata(topics=[topic.name]).topics
    pieces = slices((each.partition, each.high_watermark) for each in cluster.bounds(topic=topic.name))
    options: dict[str, Any] = {
        "topic": topic.name,
        "topic_id": metadata.topic_id,
        "settle_ms": 0,
        "bytes_per_offset": 0,
    }
    return digested(pieces, lambda **piece: cluster.read_cells(**options, **piece))


def throw_away(topic: Topic) -> dict[str, Any]:
    """Reads the files and looks at nothing."""

    def one(part: tuple[Path, int]) -> int:
        path, start = part
        buffer = bytearray(PIECE)
        read = 0
        file = os.open(path, os.O_RDONLY)
        try:
            while read < PART and (count := os.preadv(file, [buffer], start + read)):
                read += count
        finally:
            os.close(file)
        return read

    # In parts, so that both threads have as much to do.
    parts = [(path, start) for path in topic.files() for start in range(0, path.stat().st_size, PART)]
    with ThreadPoolExecutor(WORKERS) as threads:
        return {"bytes": sum(threads.map(one, parts))}


READERS = {"throw-away": throw_away, "directory": directory, "wire": wire}


def run_row(row: str, topic: Topic) -> None:
    """A process of its own: reads, and prints what came of it."""
    began, worked = time.perf_counter(), time.process_time()
    found = READERS[row](topic)
    cost = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - worked}
    print(json.dumps({**cost, **found}))


@dataclass(frozen=True)
class Case:
    """Everything measured of one size of records."""

    size: int
    records: int
    topic: Topic

    def round(self, number: int) -> dict[str, dict[str, Any]]:
        """Runs all rows once."""
        found = {}
        for row in ROWS[:: 1 if number % 2 else -1]:
            run = run_measured(self.topic.command(row))
            if run.exit_code != 0:
                raise RuntimeError(f"{row}: {run.stderr}")
            found[row] = {**json.loads(run.stdout), "rss": run.peak_rss_bytes}
        return found

    def is_correct(self, found: dict[str, dict[str, Any]]) -> bool:
        """Whether every record was digested, and on both ways to the same."""
        total = self.records * len(PARTITIONS)
        files = sum(path.stat().st_size for path in self.topic.files())
        right = all(found[row]["records"] == total and not found[row]["complaints"] for row in ("directory", "wire"))
        return (
            right and found["directory"]["digest"] == found["wire"]["digest"] and found["throw-away"]["bytes"] == files
        )


def load(cluster: Cluster, size: int, records: int) -> Case:
    """Fills a topic."""
    name = f"bench-{size}"
    cluster.create_topic(name, partitions=len(PARTITIONS))
    cluster.bulk_load(
        name, PARTITIONS, text_load(size=size, records=records, batch_records=BATCH_RECORDS, codec="none")
    )
    return Case(size, records, Topic(name, str(cluster.log_dir), cluster.bootstrap))


def say(case: Case, number: int, found: dict[str, dict[str, Any]], *, correct: bool) -> None:
    """One line for each row of a round."""
    size = found["throw-away"]["bytes"]
    for row in ROWS:
        each = found[row]
        seconds = each["seconds"]
        rate = f"{size / seconds / 1e9:6.2f} GB/s"
        if "records" in each:
            rate += f" {each['records'] / seconds / 1e6:7.2f} million records/s"
        passed = f", pass over headers {each['pass_seconds']:.2f} s" if "pass_seconds" in each else ""
        memory = f"{each['rss'] / 1e6:.0f} MB"
        print(f"{case.size} B, round {number}: {row:10} {rate}, CPU {each['cpu']:.2f} s, {memory}{passed}", flush=True)
    if not correct:
        print(f"{case.size} B, round {number}: NOT CORRECT", flush=True)


def measure(case: Case, rounds: int) -> list[dict[str, dict[str, Any]]]:
    """All rounds of a case, without the one that fills the page cache and warms the broker up."""
    counted = []
    for number in range(rounds + 1):
        found = case.round(number)
        correct = case.is_correct(found)
        if number:
            say(case, number, found, correct=correct)
            counted.append({**found, "correct": {"correct": correct}})
    return counted


def main() -> int:
    """Measures both sizes, and says which targets are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=10_000_000, help="records of 100 B in each of 3 partitions")
    parser.add_argument("--large-records", type=int, default=1_500_000, help="records of 1 KB in each of 3 partitions")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--row", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        row, *topic = options.row
        run_row(row, Topic(*topic))
        return 0
    print(json.dumps(about_this_machine()))
    met = True
    with start_pair() as pair:
        for size, records in ((100, options.records), (1000, options.large_records)):
            case = load(pair.left, size, records)
            rounds = measure(case, options.rounds)
            met = all(each["correct"]["correct"] for each in rounds) and met
            peak = max(each["directory"]["rss"] for each in rounds)
            print(f"{size} B: peak memory of directory {peak / 1e6:.0f} MB (at most {RSS_LIMIT_BYTES / 1e6:.0f} MB)")
            for target in TARGETS:
                if target.size == size:
                    ratios = [each[target.base]["seconds"] / each[target.row]["seconds"] for each in rounds]
                    cpu = statistics.median(each[target.base]["cpu"] / each[target.row]["cpu"] for each in rounds)
                    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
                    print(
                        f"{size} B: {target.row} / {target.base} {middle:.2f} ({low:.2f} - {high:.2f}), "
                        f"of CPU time {cpu:.2f}, "
                        f"wanted {target.factor:g}: {'met' if middle >= target.factor else 'NOT MET'}"
                    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
