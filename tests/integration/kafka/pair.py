"""The two clusters that a comparison is about."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.kafka.broker import Broker
from tests.integration.kafka.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Pair:
    """Two independent clusters."""

    left: Cluster
    right: Cluster

    def __iter__(self) -> Iterator[Cluster]:
        return iter((self.left, self.right))

    def log_tails(self) -> str:
        """Returns the end of both brokers' logs, with the paths of the whole."""
        return "\n\n".join(cluster.broker.log_tail() for cluster in self)


@contextlib.contextmanager
def start_pair(
    *, properties: Mapping[str, str] | None = None, logs: Path | None = None, heap: str = "768m"
) -> Iterator[Pair]:
    """Starts both clusters at the same time, and ends them and removes their data on the way out.

    Args:
        properties: Further lines of both server.properties.
        logs: A folder for the brokers' logs, when they are to outlive the data.
        heap: Java's -Xmx for each of them.
    """
    folder = Path(tempfile.mkdtemp(prefix="kcompare-kafka-"))
    pair = Pair(
        *(
            Cluster(Broker(folder / name, name, properties=properties, heap=heap, logs=logs))
            for name in ("left", "right")
        )
    )
    try:
        for cluster in pair:
            cluster.broker.launch()
        for cluster in pair:
            cluster.wait_ready()
        yield pair
    finally:
        for cluster in pair:
            # Nobody reads this data again, so there is nothing to shut down in order.
            cluster.kill()
        shutil.rmtree(folder)
