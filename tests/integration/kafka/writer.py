"""A producer that writes to every partition of a topic until it is told to stop."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import KafkaError, Message, Producer

from tests.integration.kafka.cluster import QUIET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.integration.kafka.cluster import Cluster, Record

TIMEOUT_S = 180.0
PAUSE_S = 0.02
BACKLOG = 1000
"""Records of a partition that may wait for their acknowledgement, so that a busy broker is not left behind."""


class Writer:
    """One idempotent producer on a thread of its own: the n-th record of a partition gets offset n.

    It writes `at_once` records to each partition as fast as it can, then some fifty a second.
    """

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        partitions: int,
        record: Callable[[int, int], Record],
        *,
        at_once: int,
        settings: Mapping[str, Any],
    ) -> None:
        """Makes a writer; `record` gives what stands at a partition's offset."""
        self.topic = topic
        self.sent = [0] * partitions
        self.acknowledged = [0] * partitions
        self._record = record
        self._at_once = at_once
        options = {"bootstrap.servers": cluster.bootstrap, "enable.idempotence": True, **QUIET, **settings}
        self._producer = Producer(options)
        self._stop = threading.Event()
        self._failures: list[str] = []
        self._thread = threading.Thread(target=self._run, name=f"writer of {topic}", daemon=True)

    def start(self) -> None:
        """Starts to write."""
        self._thread.start()

    def wait_acknowledged(self, counts: list[int]) -> None:
        """Waits until each partition holds at least so many records."""
        deadline = time.monotonic() + TIMEOUT_S
        while any(have < want for have, want in zip(self.acknowledged, counts, strict=True)):
            if self._failures or not self._thread.is_alive():
                raise RuntimeError(f"the writer of {self.topic} failed: {self._failures[:3]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.topic} holds {self.acknowledged} and not {counts} after {TIMEOUT_S} s")
            time.sleep(PAUSE_S)

    def wait_more(self, count: int) -> None:
        """Waits until each partition holds so many records more than it can hold by now."""
        self.wait_acknowledged([sent + count for sent in self.sent])

    def stop(self) -> None:
        """Writes no more, and waits until everything is acknowledged.

        Raises:
            RuntimeError: A record was not acknowledged.
        """
        self._stop.set()
        self._thread.join(TIMEOUT_S)
        if self._failures or self.acknowledged != self.sent:
            message = f"{self.topic} got {self.acknowledged} of {self.sent} records: {self._failures[:3]}"
            raise RuntimeError(message)

    def abandon(self) -> None:
        """Writes no more and waits for nothing: something else has failed."""
        self._stop.set()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._send_one_each()
                if min(self.sent) >= self._at_once:
                    self._producer.poll(0)
                    time.sleep(PAUSE_S)
            self._producer.flush(TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            self._failures.append(repr(error))

    def _send_one_each(self) -> None:
        for partition, ordinal in enumerate(self.sent):
            while ordinal - self.acknowledged[partition] >= BACKLOG and not (self._failures or self._stop.is_set()):
                self._producer.poll(0.1)
            key, value, headers, timestamp = self._record(partition, ordinal)
            named = cast("list[tuple[str, str | bytes | None]] | None", list(headers) or None)
            self._producer.produce(self.topic, value, key, partition, self._on_delivery, None, timestamp, named)
            self.sent[partition] += 1

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        partition = message.partition()
        if error is not None or partition is None:
            self._failures.append(str(error))
        elif message.offset() != self.acknowledged[partition]:
            self._failures.append(f"record {self.acknowledged[partition]} got offset {message.offset()}")
        else:
            self.acknowledged[partition] += 1
