"""How fast a comparison is from end to end, against a ceiling and against what people do today.

    python -m benches.end_to_end                      # 3 x 10,000,000 records of 100 B on either side
    python -m benches.end_to_end --records 200000 --rounds 3 --json result.json

Two real brokers hold the same records in batches of different sizes. After both have been read once (a broker
that has just started is two to five times slower until its code is compiled), every round runs all rows one
after the other, so that what else happens on the machine hits them alike:

- ceiling: raw fetches of 16 MiB whose bytes are thrown away, one process a side; it looks at batch headers
  only, to count records and to find the next offset.
- kcompare: `kcompare compare` as a user runs it.
- consumer: confluent-kafka-python, `consume(10000)` and an md5 per partition, both sides in threads of one
  process, on a prefix of every partition because it is slow.

Each row says whether its own answer was right; a rate without that is worth nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benches.measure import Run, run_measured
from tests.integration.kafka import BulkLoad, Pair, start_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TOPIC = "bench"
PARTITIONS = range(3)
# As two producers with other settings would have written them: the comparison may not lean on equal batches.
BATCH_RECORDS = (500, 333)
READERS = Path(__file__).with_name("readers.py")
ROWS = ("ceiling", "kcompare", "consumer")


@dataclass(frozen=True)
class Options:
    """What was asked for; it is part of the JSON output."""

    records: int
    consumer_records: int
    rounds: int
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """One row of one round. Rates are records of both sides by second, after start-up."""

    row: str
    records_per_second: float
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    correct: bool
    note: str = ""


def load(pair: Pair, records: int) -> None:
    """Fills both sides with the same records in batches of different sizes."""
    sides = list(zip(pair, BATCH_RECORDS, strict=True))
    for cluster, _ in sides:
        cluster.create_topic(TOPIC, partitions=len(PARTITIONS))
    began = time.monotonic()
    with ThreadPoolExecutor(len(sides)) as threads:
        loading = [
            threads.submit(cluster.bulk_load, TOPIC, PARTITIONS, BulkLoad(records=records, batch_records=size))
            for cluster, size in sides
        ]
        for future in loading:
            future.result()
    seconds = time.monotonic() - began
    total = records * len(PARTITIONS) * len(sides)
    print(f"loaded {total:,} records in {seconds:.0f} s ({total / seconds:,.0f} records/s)", file=sys.stderr)


def reader(name: str, pair: Pair, records: int) -> Run:
    """Runs one of the readers of readers.py over both sides."""
    arguments = [str(READERS), name, pair.left.bootstrap, pair.right.bootstrap, TOPIC, str(records)]
    return run_measured([sys.executable, *arguments])


def read_and_answer(name: str, pair: Pair, records: int) -> Sample:
    """A row whose program prints {"records", "seconds", "correct"}."""
    run = reader(name, pair, records)
    if run.exit_code != 0:
        return failed(name, run)
    answer = json.loads(run.stdout)
    return sample(name, run, answer["records"] / answer["seconds"], correct=answer["correct"])


def compare(pair: Pair, records: int) -> Sample:
    """A row of the product itself; right means EQUAL, and every record of both sides compared."""
    command = [str(Path(sys.executable).with_name("kcompare")), "compare"]
    command += [pair.left.view(TOPIC), pair.right.view(TOPIC), "--output", "json"]
    run = run_measured(command)
    try:
        report = json.loads(run.stdout)
        partitions = [each for topic in report["topics"] for each in topic["partitions"]]
        compared = sum(each["compared_records"] for each in partitions)
        rate = report["run"]["records_per_second"]
    except (ValueError, KeyError, TypeError):
        return failed("kcompare", run)
    correct = run.exit_code == 0 and report["verdict"] == "EQUAL" and compared == records * len(PARTITIONS)
    errors = "; ".join(str(error["message"]) for error in report.get("errors", []))
    note = "" if correct else f"exit {run.exit_code}, {report['verdict']}, {compared:,} compared: {errors}"
    return sample("kcompare", run, rate, correct=correct, note=note)


def sample(row: str, run: Run, rate: float, *, correct: bool, note: str = "") -> Sample:
    """Puts what was measured from outside beside what the program says of itself."""
    return Sample(row, rate, run.wall_seconds, run.cpu_seconds, run.peak_rss_bytes, correct, note)


def failed(row: str, run: Run) -> Sample:
    """A row that gave no answer."""
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    note = f"exit {run.exit_code}: {lines[-1] if lines else 'nothing on stderr'}"
    return sample(row, run, 0.0, correct=False, note=note)


def summary(samples: Sequence[Sample]) -> dict[str, dict[str, object]]:
    """Returns, for each row, its rates and its ratios to the other rows of the same round."""
    rows: dict[str, list[Sample]] = {}
    for each in samples:
        rows.setdefault(each.row, []).append(each)
    found: dict[str, dict[str, object]] = {}
    for row, of_row in rows.items():
        found[row] = {
            "records_per_second": spread([each.records_per_second for each in of_row]),
            "cpu_seconds": statistics.median(each.cpu_seconds for each in of_row),
            "wall_seconds": statistics.median(each.wall_seconds for each in of_row),
            "peak_rss_bytes": max(each.peak_rss_bytes for each in of_row),
            "correct": all(each.correct for each in of_row),
            "notes": sorted({each.note for each in of_row if each.note}),
        }
        for other in ("ceiling", "consumer"):
            pairs = list(zip(of_row, rows.get(other, []), strict=False))
            if other != row and pairs and all(base.records_per_second for _, base in pairs):
                ratios = [one.records_per_second / base.records_per_second for one, base in pairs]
                found[row][f"ratio_to_{other}"] = spread(ratios)
    return found


def spread(numbers: Sequence[float]) -> dict[str, float]:
    """Returns median, minimum and maximum."""
    return {"median": statistics.median(numbers), "min": min(numbers), "max": max(numbers)}


def table(rows: dict[str, dict[str, object]]) -> str:
    """Renders the summary for a terminal: median (minimum - maximum)."""
    head = f"{'row':10} {'million records/s':>24} {'x consumer':>22} {'x ceiling':>22} "
    lines = [head + f"{'CPU s':>7} {'wall s':>7} {'RSS MiB':>8}  correct"]
    for name, row in rows.items():
        cells = [
            cell(row["records_per_second"], 1e6, 24),
            cell(row.get("ratio_to_consumer"), 1, 22),
            cell(row.get("ratio_to_ceiling"), 1, 22),
        ]
        rest = f"{row['cpu_seconds']:7.1f} {row['wall_seconds']:7.1f} {int(str(row['peak_rss_bytes'])) >> 20:8}"
        lines.append(f"{name:10} {' '.join(cells)} {rest}  {'yes' if row['correct'] else 'NO'}")
        notes = row["notes"]
        if isinstance(notes, list):
            lines += [f"           {note}" for note in notes]
    return "\n".join(lines)


def cell(numbers: object, unit: float, width: int) -> str:
    """Renders one spread."""
    if not isinstance(numbers, dict):
        return " " * width
    median, low, high = (numbers[key] / unit for key in ("median", "min", "max"))
    return f"{median:.2f} ({low:.2f} - {high:.2f})".rjust(width)


def parse(arguments: Sequence[str] | None = None) -> tuple[Options, Path | None]:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=10_000_000, help="records in each of the 3 partitions")
    parser.add_argument("--consumer-records", type=int, default=500_000, help="the prefix for the consumer row")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default=",".join(ROWS), help="a comma separated choice of the rows")
    parser.add_argument("--json", type=Path, help="write every sample and the summary to this file")
    found = parser.parse_args(arguments)
    rows = tuple(row for row in ROWS if row in found.rows.split(","))
    consumer_records = min(found.consumer_records, found.records)
    return Options(found.records, consumer_records, found.rounds, rows), found.json


def main() -> int:
    """Runs the rounds; the exit code is 1 when any row gave a wrong answer."""
    options, output = parse()
    samples: list[Sample] = []
    with start_pair() as pair:
        load(pair, options.records)
        runs: dict[str, Callable[[], Sample]] = {
            "ceiling": lambda: read_and_answer("ceiling", pair, options.records),
            "kcompare": lambda: compare(pair, options.records),
            "consumer": lambda: read_and_answer("consumer", pair, options.consumer_records),
        }
        reader("ceiling", pair, options.records)
        for number in range(options.rounds):
            for row in options.rows:
                samples.append(runs[row]())
                last = samples[-1]
                rate = f"{last.records_per_second / 1e6:8.2f} million records/s"
                print(f"round {number + 1}: {row:10} {rate} {last.note}", file=sys.stderr)
    rows = summary(samples)
    if output is not None:
        machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        document = {"options": asdict(options), "machine": machine, "summary": rows}
        output.write_text(json.dumps(document | {"samples": [asdict(each) for each in samples]}, indent=2))
    print(table(rows))
    return 0 if all(each.correct for each in samples) else 1


if __name__ == "__main__":
    sys.exit(main())
