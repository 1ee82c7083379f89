"""One Kafka process: a KRaft node that is broker and controller at once, with a data folder of its own."""

from __future__ import annotations

import base64
import random
import shlex
import socket
import time
import uuid
from typing import TYPE_CHECKING

from tests.integration.kafka.child import LOGGING, Child
from tests.integration.kafka.libs import class_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "127.0.0.1"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
# Below the range that the kernel takes for outgoing connections, so that a port which is free now is still
# free when the broker binds it, and again after a restart.
PORTS = range(20_000, 32_000)

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Tests of compaction wait for the cleaner; 15 s between its looks would be most of their time.
    "log.cleaner.backoff.ms": "200",
}

_used_ports: set[int] = set()


def free_port() -> int:
    """Returns a port that nothing listens on, and that this process has not given away before."""
    for _ in range(1000):
        port = random.choice(PORTS)
        with socket.socket() as probe:
            if port in _used_ports or probe.connect_ex((HOST, port)) == 0:
                continue
        with socket.socket() as probe:
            # As the broker does it: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _used_ports.add(port)
        return port
    raise RuntimeError(f"no free port between {PORTS.start} and {PORTS.stop} on {HOST}")


class Broker:
    """A Kafka process that can be started, stopped and killed any number of times on the same data and ports.

    It ends with the process that made it: see `Child`.
    """

    java_options: tuple[str, ...] = ()
    """For the virtual machine, beside the size of its heap."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        properties: Mapping[str, str] | None = None,
        heap: str = "768m",
        logs: Path | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.log_dir = folder / "data"
        # May lie elsewhere, so that it is there when the data are gone.
        self.log_file = (logs or folder) / f"{name}.log"
        self.port, self.proxied_port, self.proxy_port, self.controller_port = (free_port() for _ in range(4))
        self.bootstrap = f"{HOST}:{self.port}"
        self._heap = heap
        self._config = folder / "server.properties"
        self._child = Child(f"broker {name}", self.log_file)
        folder.mkdir(parents=True, exist_ok=True)
        lines = {**PROPERTIES, **self._addresses(), **(properties or {})}
        self._config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))

    def _addresses(self) -> dict[str, str]:
        plain, controller = f"PLAINTEXT://{self.bootstrap}", f"CONTROLLER://{HOST}:{self.controller_port}"
        return {
            "listeners": f"{plain},PROXIED://{HOST}:{self.proxied_port},{controller}",
            # A client that comes in through the proxy is told its address, so that it never goes past it.
            "advertised.listeners": f"{plain},PROXIED://{HOST}:{self.proxy_port},{controller}",
            "controller.quorum.bootstrap.servers": f"{HOST}:{self.controller_port}",
            "log.dirs": str(self.log_dir),
        }

    def _format_options(self) -> list[str]:
        """How an empty data folder is made one of this broker: here, of a cluster that has nobody else."""
        return ["--standalone", "-t", new_cluster_id()]

    @property
    def pid(self) -> int | None:
        """The process id while the broker runs."""
        return self._child.pid

    def launch(self) -> None:
        """Starts the process and returns at once; `wait_ready` waits for it."""
        java = ["java", f"-Xmx{self._heap}", "-Xms256m", *self.java_options, "-cp", class_path()]
        java += [f"-Dorg.slf4j.simpleLogger.{option}" for option in LOGGING]
        script = f"exec {shlex.join([*java, 'kafka.Kafka', str(self._config)])}"
        if not (self.log_dir / "meta.properties").exists():
            arguments = ["format", *self._format_options(), "-c", str(self._config)]
            script = f"{shlex.join([*java, 'kafka.tools.StorageTool', *arguments])} && {script}"
        self._child.launch(["/bin/sh", "-c", script])

    def wait_ready(self) -> None:
        """Waits until the broker takes connections.

        Raises:
            RuntimeError: It ended or was not ready in time; the end of its log is in the message.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.pid is None:
                raise RuntimeError(f"broker {self.name} ended while it started:\n{self.log_tail()}")
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"broker {self.name} was not ready in {START_TIMEOUT_S} s:\n{self.log_tail()}")

    def stop(self) -> None:
        """Shuts down in order: the log is flushed and marked as cleanly closed."""
        self._child.stop(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Ends the process at once, as a machine that loses power would."""
        self._child.kill()

    def log_tail(self, lines: int = 30) -> str:
        """Returns the last lines of the broker's own log, with the path of the whole."""
        return self._child.log_tail(lines)


def new_cluster_id() -> str:
    """Returns a new id in Kafka's spelling; one that starts with a dash would be read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode()
        if not text.startswith("-"):
            return text
