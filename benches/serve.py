"""How fast `kcompare serve` answers fetches, against a real broker on the very same directory.

    python -m benches.serve --records 6000000 --large-records 800000 --rounds 5

One real broker holds a topic of 100 B records and one of 1 KB records, and `kcompare serve` reads its directory beside
it. In every round the fetch loop of `benches/ceiling.py`, which throws the bytes away, reads the whole topic from one
and then from the other, in a process of its own and in an order that changes; only ratios within a round are worth
anything on a machine that has other work. A first round that does not count warms both up. Times are those of the
fetches, without the start of a process.

A round is correct if both give as many records for each partition as were written. The exit code is 1 if one is not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from benches.ceiling import CeilingReader
from benches.machine import about_this_machine
from benches.payload import PARTITIONS, text_load
from tests.integration.kafka import start_pair
from tests.support.serving import served

BATCH_RECORDS = 500
TARGET = 1.0
ROWS = ("serve", "broker")


def read(bootstrap: str, topic: str) -> None:
    """The row itself: prints the seconds of reading a topic, and the records of each partition."""
    reader = CeilingReader(bootstrap, topic)
    started = time.perf_counter()
    counts = [reader.count(partition) for partition in PARTITIONS]
    print(json.dumps([time.perf_counter() - started, counts]))


def row(bootstrap: str, topic: str, records: int) -> tuple[float, bool]:
    """Seconds of reading a topic, and whether everything came."""
    command = [sys.executable, "-m", "benches.serve", "--read", bootstrap, topic]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, counts = json.loads(done.stdout)
    return seconds, counts == [records] * len(PARTITIONS)


def measure(addresses: dict[str, str], topic: str, records: int, rounds: int, size: int) -> bool:
    """Says what each round took and how the rates compare; tells whether all were correct."""
    ratios, correct = [], True
    for number in range(rounds + 1):
        order = ROWS if number % 2 else ROWS[::-1]
        found = {name: row(addresses[name], topic, records) for name in order}
        right = all(whole for _, whole in found.values())
        correct = correct and right
        if not number:
            continue
        ratios.append(found["broker"][0] / found["serve"][0])
        rates = ", ".join(
            f"{name} {records * len(PARTITIONS) / found[name][0] / 1e6:.2f} million records/s" for name in ROWS
        )
        print(f"{size} B, round {number}: {rates}{'' if right else ': NOT CORRECT'}", flush=True)
    middle = statistics.median(ratios)
    print(
        f"{size} B: serve / broker {middle:.2f} ({min(ratios):.2f} - {max(ratios):.2f}), wanted {TARGET:g}: "
        f"{'met' if middle >= TARGET else 'NOT MET'}; {'correct' if correct else 'NOT CORRECT'}",
        flush=True,
    )
    return correct


def main() -> int:
    """Measures both sizes, and says whether the target is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=6_000_000, help="records of 100 B in each of 3 partitions")
    parser.add_argument("--large-records", type=int, default=800_000, help="records of 1 KB in each of 3 partitions")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(*options.read)
        return 0
    print(json.dumps(about_this_machine()))
    correct = True
    with start_pair() as pair:
        cluster = pair.left
        pair.right.kill()
        for size, records in ((100, options.records), (1000, options.large_records)):
            topic = f"bench-{size}"
            cluster.create_topic(topic, partitions=len(PARTITIONS))
            cluster.bulk_load(
                topic, PARTITIONS, text_load(size=size, records=records, batch_records=BATCH_RECORDS, codec="none")
            )
            with served(f"logdir:{cluster.log_dir}/{topic}") as running:
                addresses = {"serve": running.address, "broker": cluster.bootstrap}
                correct = measure(addresses, topic, records, options.rounds, size) and correct
    return 0 if correct else 1


if __name__ == "__main__":
    sys.exit(main())
