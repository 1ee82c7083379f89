"""MirrorMaker 2, from one cluster of a test to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.kafka.child import Child, java

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.integration.kafka.cluster import Cluster

STOP_TIMEOUT_S = 60.0
TARGET = "mirror"

# References: https://kafka.apache.org/documentation/#georeplication-mirrormaker
PROPERTIES = {
    # Nothing of heartbeats and ACLs is looked at by a comparison.
    "emit.heartbeats.enabled": "false",
    "sync.topic.acls.enabled": "false",
    # The other ways look into every class of every jar, which takes most of the start.
    "plugin.discovery": "service_load",
    "{target}.plugin.discovery": "service_load",
    "tasks.max": "2",
    "replication.factor": "1",
    "offset-syncs.topic.replication.factor": "1",
    "checkpoints.topic.replication.factor": "1",
    "heartbeats.topic.replication.factor": "1",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "offset.storage.partitions": "1",
    "status.storage.partitions": "1",
    # By default the mirror holds the records of aborted transactions as ordinary ones.
    "{source}.consumer.isolation.level": "read_committed",
    # Without it one slow answer of a busy machine is a batch twice in the mirror, and rightly a difference.
    "{target}.producer.enable.idempotence": "true",
}


class MirrorMaker:
    """A dedicated MirrorMaker process that copies topics as `ALIAS.TOPIC`."""

    def __init__(self, folder: Path, source: Cluster, target: Cluster, *, alias: str, topics: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.alias = alias
        self._config = folder / "mm2.properties"
        self._child = Child("MirrorMaker", folder / "mirror-maker.log")
        lines = {
            "clusters": f"{alias}, {TARGET}",
            f"{alias}.bootstrap.servers": source.bootstrap,
            f"{TARGET}.bootstrap.servers": target.bootstrap,
            f"{alias}->{TARGET}.enabled": "true",
            f"{alias}->{TARGET}.topics": ", ".join(topics),
            f"{TARGET}->{alias}.enabled": "false",
            **{name.format(source=alias, target=TARGET): value for name, value in PROPERTIES.items()},
        }
        self._config.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))

    def topic(self, name: str) -> str:
        """Returns what a topic of the source is called on the target."""
        return f"{self.alias}.{name}"

    def start(self) -> None:
        """Starts the process and returns at once; records arrive some seconds later."""
        self._child.launch(java("org.apache.kafka.connect.mirror.MirrorMaker", str(self._config), heap="512m"))

    def check(self) -> None:
        """Raises a RuntimeError with the end of its log if the process has ended by itself."""
        if self._child.pid is None:
            raise RuntimeError(f"MirrorMaker has ended:\n{self._child.log_tail()}")

    def log_tail(self) -> str:
        """Returns the last lines of its log, with the path of the whole."""
        return self._child.log_tail()

    def stop(self) -> None:
        """Shuts down in order: what was read is written."""
        self._child.stop(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Ends the process at once."""
        self._child.kill()
