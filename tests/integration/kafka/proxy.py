"""A TCP proxy in front of a broker that writes down which requests each client connection sends.

It stands between the client and the broker's second listener, which advertises the proxy's address: whatever
the client learns from metadata leads back here, so a request that is not recorded was not sent.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.kafka.broker import Broker

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 18
# Of a request header only the length (4), the API key (2) and the version (2) matter here.
REQUEST_FRONT = struct.Struct(">ihh")
LENGTH_BYTES = 4

API_NAMES = {
    0: "Produce",
    1: "Fetch",
    2: "ListOffsets",
    3: "Metadata",
    8: "OffsetCommit",
    9: "OffsetFetch",
    10: "FindCoordinator",
    11: "JoinGroup",
    12: "Heartbeat",
    17: "SaslHandshake",
    18: "ApiVersions",
    19: "CreateTopics",
    23: "OffsetForLeaderEpoch",
    29: "DescribeAcls",
    32: "DescribeConfigs",
    36: "SaslAuthenticate",
    60: "DescribeCluster",
    71: "GetTelemetrySubscriptions",
    75: "DescribeTopicPartitions",
}


@dataclass
class Connection:
    """What one client connection has sent so far."""

    requests: Counter[tuple[int, int]] = field(default_factory=Counter)  # (API key, version) -> how often
    _pending: bytearray = field(default_factory=bytearray)
    _skip: int = 0

    @property
    def api_keys(self) -> set[int]:
        """The API keys seen."""
        return {key for key, _ in self.requests}

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the stream, which may begin and end anywhere in a request."""
        at = 0
        while at < len(data):
            skipped = min(self._skip, len(data) - at)
            self._skip -= skipped
            at += skipped
            missing = REQUEST_FRONT.size - len(self._pending)
            if self._skip or at == len(data):
                return
            self._pending += data[at : at + missing]
            at += missing
            if len(self._pending) == REQUEST_FRONT.size:
                length, key, version = REQUEST_FRONT.unpack(self._pending)
                self.requests[key, version] += 1
                self._skip = length - (REQUEST_FRONT.size - LENGTH_BYTES)
                self._pending.clear()


class RecordingProxy:
    """Listens where the broker's second listener says it is; a context manager."""

    def __init__(self, broker: Broker) -> None:
        self.bootstrap = f"{HOST}:{broker.proxy_port}"
        self.connections: list[Connection] = []
        self._target = (HOST, broker.proxied_port)
        self._address = (HOST, broker.proxy_port)
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    @property
    def api_keys(self) -> set[int]:
        """The API keys that any client has sent."""
        return set().union(*(connection.api_keys for connection in list(self.connections)))

    @property
    def api_names(self) -> set[str]:
        """The same by name, for messages that a person reads."""
        return {API_NAMES.get(key, f"API {key}") for key in self.api_keys}

    def view(self, topic: str) -> str:
        """Returns the topic, by way of this proxy, as a view of the command line."""
        return f"kafka://{self.bootstrap}/{topic}"

    def __enter__(self) -> Self:
        self._listener = socket.create_server(self._address)
        self._spawn(self._accept, self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            open_sockets = [*self._sockets, *([self._listener] if self._listener else [])]
        for each in open_sockets:
            with contextlib.suppress(OSError):
                # Wakes the thread that waits on it; the thread closes it.
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            broker = socket.create_connection(self._target, timeout=10)
        except OSError:
            # The broker is away; the client sees a connection that closes, as it would without the proxy.
            client.close()
            return
        broker.settimeout(None)
        connection = Connection()
        self.connections.append(connection)
        with self._lock:
            self._sockets |= {client, broker}
        self._spawn(self._pump, client, broker, connection)
        self._spawn(self._pump, broker, client, None)

    def _pump(self, source: socket.socket, sink: socket.socket, connection: Connection | None) -> None:
        """Carries one direction until either end closes; requests are recorded before they go on."""
        with source, contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                if connection is not None:
                    connection.feed(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._sockets.discard(source)
