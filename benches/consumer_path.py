"""How much of what `consume(10000)` alone reaches is left when kcompare reads and digests through librdkafka.

    python -m benches.consumer_path --records 2000000 --rounds 5

One real broker holds one partition. Every round reads all of it twice, one after the other, in an order that changes:
with `consume(10000)` and nothing else, and as one slice of the consumer data path. Only the ratios of one round are
worth anything on a machine that has other work; that of the CPU time is less noisy, and has no part of the waiting. The
path is right if it digests every record and its digests are those of the native client.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition

from kcompare import _native
from kcompare.model import DataPath, IsolationLevel, OffsetRange, Side, Slice, View
from kcompare.settings.cluster import ClusterSettings
from kcompare.sources.opening import open_cluster
from kcompare.store import tables
from tests.integration.kafka import BulkLoad, start_pair

if TYPE_CHECKING:
    from kcompare.sources.base import Source

TOPIC = "bench"
BATCH_RECORDS = 500
BUDGET_BYTES = 64 << 20


class Clocks:
    """Wall time and CPU time of this process, with librdkafka's threads, in seconds."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def past(self) -> Clocks:
        """What has passed since this was made."""
        now = Clocks()
        now.wall, now.cpu = now.wall - self.wall, now.cpu - self.cpu
        return now


def source(bootstrap: str, data_path: DataPath) -> Source:
    """Opens the topic by one of the data paths."""
    host, port = bootstrap.rsplit(":", 1)
    place = ((host, int(port)),)
    view = View(f"kafka://{bootstrap}/{TOPIC}", "kafka", TOPIC, place)
    found = open_cluster(view, ClusterSettings(data_path=data_path), _native.CancelToken()).source(view)
    found.identity()
    return found


def lanes(cells: bytes) -> list[object]:
    """What tells the records of one reading from those of another."""
    found = tables.cells(cells)
    return [found[name].tolist() for name in ("start", "stop", "count", "content", "timestamps", "offsets")]


def read(found: Source, records: int) -> tuple[Clocks, list[object]]:
    """Reads the partition as one slice and returns its cost and lanes."""
    piece = Slice(Side.LEFT, 0, OffsetRange(0, records), ())
    budget = _native.MemoryBudget(total_bytes=BUDGET_BYTES, workers=2)
    began = Clocks()
    digest = found.read(piece, IsolationLevel.READ_COMMITTED, 0, 0, budget, _native.CancelToken(), _native.Progress())
    return began.past(), lanes(digest.cells)


def baseline(bootstrap: str, records: int) -> Clocks:
    """Reads the partition with `consume(10000)`, asks nothing of a message, and returns its cost."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            # The same for both, so that the ratio is about Python: it is what the path itself asks for.
            "check.crcs": True,
            "fetch.queue.backoff.ms": 5,
            "log_level": 0,
        }
    )
    try:
        began = Clocks()
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        left = records
        while left:
            left -= len(consumer.consume(min(left, 10_000), 10))
        return began.past()
    finally:
        consumer.close()


def main() -> None:
    """Prints every round and the median ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=2_000_000, help="records in the partition")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    records: int = options.records
    with start_pair() as pair:
        pair.left.create_topic(TOPIC)
        pair.left.bulk_load(TOPIC, [0], BulkLoad(records=records, batch_records=BATCH_RECORDS))
        bootstrap = pair.left.bootstrap
        _, expected = read(source(bootstrap, DataPath.NATIVE), records)
        path = source(bootstrap, DataPath.CONSUMER)
        ratios = []
        correct = True
        for number in range(options.rounds + 1):
            times: dict[str, Clocks] = {}
            for name in ("baseline", "path")[:: 1 if number % 2 else -1]:
                if name == "baseline":
                    times[name] = baseline(bootstrap, records)
                else:
                    times[name], found = read(path, records)
                    correct = correct and found == expected
            ratio = times["baseline"].wall / times["path"].wall
            cpu = times["baseline"].cpu / times["path"].cpu
            warm = "" if number else " (warms the broker up, does not count)"
            rates = ", ".join(f"{name} {records / cost.wall:,.0f} records/s" for name, cost in sorted(times.items()))
            print(f"round {number}: {rates}, ratio {ratio:.2f}, of CPU time {cpu:.2f}{warm}", flush=True)
            if number:
                ratios.append(ratio)
        low, high = min(ratios), max(ratios)
        answer = "yes" if correct else "NO"
        print(f"median ratio {statistics.median(ratios):.2f} ({low:.2f} - {high:.2f}), correct: {answer}")


if __name__ == "__main__":
    main()
