"""How fast a comparison is from end to end, against a ceiling and against what people do today.

    python -m benches.end_to_end                                    # everything; docs/performance.md says how long
    python -m benches.end_to_end --records 200000 --rounds 1 --sizes 100 --codecs none --json result.json

Two real brokers hold the same records in batches of different sizes. After both have been read once (a broker that has
just started is two to five times slower until its code is compiled), every round runs all rows one after the other, so
that what else happens on the machine hits them alike. In every round each row also reads a topic with one record in
each partition: that is its start-up, and rates are about the time behind it. `benches/rows.py` has the rows.

The exit code is 1 when a row that was asked for has no right answer, be it that its tool is missing. Targets that are
not met do not change it: they are about the full sizes on a machine that does nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from benches.machine import about_this_machine
from benches.measure import run_measured
from benches.options import parse
from benches.payload import PARTITIONS, Expected, text_load
from benches.render import heading, row_table, target_table, terminal
from benches.rows import LONG_PREFIX, PREFIX, ROWS, WHOLE, Reading
from benches.summary import Case, Sample, summarize
from tests.integration.kafka import start_pair

if TYPE_CHECKING:
    from pathlib import Path

    from benches.options import Options
    from benches.rows import Row
    from tests.integration.kafka import Pair

# As two producers with other settings would have written them: the comparison may not lean on equal batches.
BATCH_RECORDS = (500, 333)
ONE = "one"


class Bench:
    """One size of records under one codec, on two clusters that hold nothing else."""

    def __init__(self, pair: Pair, options: Options, *, size: int, codec: str) -> None:
        self.pair = pair
        self.size, self.codec = size, codec
        whole = options.records_of(size, codec)
        self.records = {
            WHOLE: whole,
            LONG_PREFIX: min(options.long_prefix, whole),
            PREFIX: min(options.prefix, whole),
            ONE: 1,
        }

    def topic(self, length: str) -> str:
        """The topic that holds so many of the records."""
        return f"bench-{self.size}-{self.codec}-{length}"

    def load(self) -> None:
        """Fills all topics of both sides, in batches of different sizes."""
        began = time.monotonic()
        with ThreadPoolExecutor(len(BATCH_RECORDS)) as threads:
            for length, records in self.records.items():
                loading = [
                    threads.submit(self._load_side, side, length, records, batch_records)
                    for side, batch_records in enumerate(BATCH_RECORDS)
                ]
                for future in loading:
                    future.result()
        seconds = time.monotonic() - began
        total = sum(self.records.values()) * len(PARTITIONS) * len(BATCH_RECORDS)
        say(f"{self.size} B, {self.codec}: wrote {total:,} records in {seconds:.0f} s")

    def _load_side(self, side: int, length: str, records: int, batch_records: int) -> None:
        cluster = list(self.pair)[side]
        cluster.create_topic(self.topic(length), partitions=len(PARTITIONS))
        load = text_load(size=self.size, records=records, batch_records=batch_records, codec=self.codec)
        cluster.bulk_load(self.topic(length), PARTITIONS, load)

    def drop(self) -> None:
        """Gives the disk back."""
        for cluster in self.pair:
            for length in self.records:
                cluster.delete_topic(self.topic(length))

    def stored_bytes(self) -> int:
        """What the whole topic takes on both disks."""
        return sum(
            segment.stat().st_size
            for cluster in self.pair
            for partition in PARTITIONS
            for segment in (cluster.log_dir / f"{self.topic(WHOLE)}-{partition}").glob("*.log")
        )

    def run(self, row: Row, number: int) -> Sample:
        """Runs a row over one record in each partition, and then over its own length."""
        wall_seconds, complaints = [], []
        for length in (ONE, row.length):
            records = self.records[length]
            reading = Reading(self.pair.left.bootstrap, self.pair.right.bootstrap, self.topic(length), records)
            run = run_measured(row.command(reading))
            wall_seconds.append(run.wall_seconds)
            complaint = row.check(run, Expected(self.size, records))
            if complaint:
                complaints.append(f"{reading.topic}: {complaint}")
        sides = len(BATCH_RECORDS) * len(PARTITIONS)
        return Sample(
            row=row.name,
            round=number,
            records=self.records[row.length] * sides,
            startup_records=sides,
            wall_seconds=wall_seconds[1],
            startup_seconds=wall_seconds[0],
            cpu_seconds=run.cpu_seconds,
            peak_rss_bytes=run.peak_rss_bytes,
            complaint="; ".join(complaints),
        )


def say(line: str) -> None:
    """Progress, apart from what a script may want to keep."""
    print(line, file=sys.stderr, flush=True)


class Keeper:
    """Writes everything measured so far, so that a run that is cut short has not been for nothing."""

    def __init__(self, options: Options, output: Path | None) -> None:
        self._options = options
        self._output = output
        self._began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        self._cases: dict[str, Case] = {}
        self._machine = about_this_machine()
        # A place that cannot be written to is known before the long run.
        self._write()

    def __call__(self, case: Case) -> None:
        """Keeps a case in place of what was kept of it before."""
        self._cases[case.name] = case
        self._write()

    def _write(self) -> None:
        if self._output is None:
            return
        document = {
            "began": self._began,
            "machine": self._machine,
            "options": self._options.document(),
            "cases": [case.document() for case in self._cases.values()],
        }
        self._output.write_text(json.dumps(document, indent=2))


def measure(bench: Bench, options: Options, missing: dict[str, str], keep: Keeper) -> Case:
    """Runs all rounds of a case; what was measured is kept after every round."""
    bench.load()
    case = Case(bench.size, bench.codec, bench.records[WHOLE], bench.stored_bytes(), unavailable=missing)
    rows = [row for row in ROWS if row.name in options.rows and row.name not in missing]
    for row in ROWS[:2]:
        # The large topic is read by two clients before anything is timed, so that the brokers are warm.
        bench.run(row, 0)
    for number in range(1, options.rounds + 1):
        for row in rows:
            sample = bench.run(row, number)
            rate = f"{sample.records_per_second / 1e6:8.2f} million records/s"
            say(f"{case.name}, round {number}: {row.name:17} {rate} {sample.complaint}")
            case = replace(case, samples=(*case.samples, sample))
        keep(case)
    bench.drop()
    return case


def main() -> int:
    """Runs every case and prints its table; the targets come last."""
    options, output = parse()
    keep = Keeper(options, output)
    asked = {row.name: row.missing() for row in ROWS if row.name in options.rows}
    missing = {name: why for name, why in asked.items() if why}
    for name, why in missing.items():
        say(f"not available: {name}: {why}")
    cases: list[Case] = []
    with start_pair() as pair:
        for size in options.sizes:
            for codec in options.codecs:
                cases.append(measure(Bench(pair, options, size=size, codec=codec), options, missing, keep))
                print(f"\n{heading(cases[-1])}\n{terminal(row_table(cases[-1]))}", flush=True)
    print(f"\ntargets\n{terminal(target_table(cases, options.rows))}")
    wrong = sorted({row.row for case in cases for row in summarize(case).values() if not row.correct})
    if wrong:
        say(f"no right answer: {', '.join(wrong)}; --rows chooses others")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
