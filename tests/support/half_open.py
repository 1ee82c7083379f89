"""A network that loses one end of a connection: the other end stays open, and nothing ever says that it is alone."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
POLL_S = 0.05

How = Literal["silent", "half"]
"""``silent`` takes requests and never answers; ``half`` stops in the middle of an answer, and takes nothing either."""


class HalfOpenProxy:
    """Stands in front of a broker, and loses it at a chosen request: no FIN and no RST ever come.

    A lost broker stays lost: later connections are taken and never answered, unless it is lost ``once``.
    """

    def __init__(self, target_port: int) -> None:
        self._target = (HOST, target_port)
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._how: How | None = None
        self._api_key, self._skip, self._once = -1, 0, False
        self._gone = False
        self.lost = 0

    def lose(self, how: How, api_key: int, *, skip: int = 0, once: bool = False) -> None:
        """Loses the broker at the next request of this API, or after ``skip`` of them."""
        with self._lock:
            self._how, self._api_key, self._skip, self._once = how, api_key, skip, once

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(POLL_S)
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        """One request after the other, as a broker takes them, until either end closes or the broker is lost."""
        with client, socket.create_connection(self._target) as broker, contextlib.suppress(OSError):
            for each in (client, broker):
                each.settimeout(POLL_S)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (request := self._frame(client)) is not None:
                how = self._fate(struct.unpack_from(">h", request, 4)[0])
                if how == "silent":
                    # The bytes of more requests are taken, and lead nowhere.
                    while self._frame(client) is not None:
                        pass
                    return
                broker.sendall(request)
                answer = self._frame(broker)
                if answer is None:
                    return
                client.sendall(answer[: len(answer) // 2] if how else answer)
                if how:
                    self._stop.wait()
                    return

    def _fate(self, api_key: int) -> How | None:
        with self._lock:
            if self._gone:
                return "silent"
            if self._how is None or api_key != self._api_key:
                return None
            if self._skip:
                self._skip -= 1
                return None
            how, self._gone = self._how, not self._once
            if self._once:
                self._how = None
            self.lost += 1
            return how

    def _frame(self, source: socket.socket) -> bytes | None:
        """A request or an answer with its length in front; None at the end."""
        front = self._exactly(source, 4)
        if front is None:
            return None
        rest = self._exactly(source, struct.unpack(">i", front)[0])
        return None if rest is None else front + rest

    def _exactly(self, source: socket.socket, size: int) -> bytes | None:
        found = bytearray()
        while len(found) < size:
            if self._stop.is_set():
                return None
            try:
                more = source.recv(size - len(found))
            except TimeoutError:
                continue
            if not more:
                return None
            found += more
        return bytes(found)


@contextlib.contextmanager
def swallowing_port() -> Iterator[int]:
    """A port whose host takes no connection and refuses none: what is sent to it is lost."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        # A queue of one, and that one is taken: the kernel drops whoever comes after.
        listener.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
